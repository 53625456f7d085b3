/* SPDX-License-Identifier: GPL-2.0-only */
/* What is attached, where, and what is known about it now. */
#ifndef ENGINE_ATTACHMENTS_H
#define ENGINE_ATTACHMENTS_H

#include "model/model.h"

struct store;

enum link_state { LINK_UNKNOWN, LINK_UP, LINK_NO_CARRIER, LINK_DOWN };

/* A recorded attachment, with its present state. */
struct attachment {
	char attached_as[MANGLE_IFNAME_SIZE]; /* its name then, by which services match it */
	struct mangle_iface_key key;
	struct mangle_iface iface; /* name: the present one, where the device is found */
	bool attached;		   /* also where that cannot be told */
	char unseen[160];	   /* why its state cannot be told; "": it can */
	enum link_state link;	   /* set by warn_about_attachment */
};
int read_attachments(struct store *s, struct attachment **out, size_t *count, struct err *e);
/* Returns whether an attachment before the i-th one is in the same namespace. */
bool netns_seen_before(const struct attachment *a, size_t i);
/* Calls `here` once for each network namespace that an interface is attached in, with one of the
 * attachments there, until it returns an error. */
int in_each_netns(struct store *s,
		  int (*here)(void *arg, const struct attachment *a, struct err *e), void *arg,
		  struct err *e);
bool is_key(const struct attachment *a, uint64_t netns, int ifindex);
bool any_attached(const struct attachment *a, size_t count);

/* Writes where the interface is attached: "network namespace NAME". */
#define NETNS_TEXT_SIZE 112
const char *netns_text(const struct attachment *a, char buf[NETNS_TEXT_SIZE]);
/* The same of any namespace; name: as netns_search returns it. */
const char *netns_words(const char *name, uint64_t netns, char buf[NETNS_TEXT_SIZE]);
/* Writes "-n NAME ", the option with which a command finds the interface; "" where none is needed,
 * or where the namespace has no name. */
const char *netns_option(const struct attachment *a, char buf[NETNS_TEXT_SIZE]);
/* Returns an attachment of that name in another network namespace, where the name means another
 * interface here, or none; NULL: there is none. */
const struct attachment *attached_elsewhere(const struct attachment *a, size_t count,
					    const char *name);
/* Why it is not attached any more. GONE_PROGRAM: the interface exists, and another process detached
 * the program. */
enum gone { GONE_NOT, GONE_DEVICE, GONE_NETNS, GONE_PROGRAM, GONE_UNKNOWN };
enum gone attachment_gone(const struct attachment *a);

#endif
