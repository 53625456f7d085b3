/* SPDX-License-Identifier: GPL-2.0-only */
/* What is attached, where, and what is known about it now. */
#ifndef ENGINE_ATTACHMENTS_H
#define ENGINE_ATTACHMENTS_H

#include "model/model.h"

struct store;

enum link_state { LINK_UNKNOWN, LINK_UP, LINK_NO_CARRIER, LINK_DOWN };

/* What is recorded as attached, with what is known about it now. */
struct attachment {
	char attached_as[MANGLE_IFNAME_SIZE]; /* its name then, which services go by */
	struct mangle_iface_key key;
	struct mangle_iface iface; /* name: the present one where the device can be found */
	bool attached;		   /* in doubt it is */
	char unseen[160];     /* why it cannot be told where it is, or what is there; "": it can */
	enum link_state link; /* once warn_about_attachment has asked */
};
int read_attachments(struct store *s, struct attachment **out, size_t *count, struct err *e);
/* Is something before it attached in the same namespace? */
bool netns_seen_before(const struct attachment *a, size_t i);
/* Calls here for every network namespace that something is attached in, each once, with one of the
 * attachments there, until it returns an error. */
int in_each_netns(struct store *s,
		  int (*here)(void *arg, const struct attachment *a, struct err *e), void *arg,
		  struct err *e);
bool is_key(const struct attachment *a, uint64_t netns, int ifindex);
bool any_attached(const struct attachment *a, size_t count);

/* Where it is attached, in words: "network namespace NAME". */
#define NETNS_TEXT_SIZE 112
const char *netns_text(const struct attachment *a, char buf[NETNS_TEXT_SIZE]);
/* The same of any; name: as netns_search has it. */
const char *netns_words(const char *name, uint64_t netns, char buf[NETNS_TEXT_SIZE]);
/* "-n NAME ", for a command that is to find the interface; "" where that needs none or has no name.
 */
const char *netns_option(const struct attachment *a, char buf[NETNS_TEXT_SIZE]);
/* One of that name in another network namespace, which is not what the name means here; NULL: none.
 */
const struct attachment *attached_elsewhere(const struct attachment *a, size_t count,
					    const char *name);
/* Why it is not attached any more. Where another process detached the program, the interface still
 * exists. */
enum gone { GONE_NOT, GONE_DEVICE, GONE_NETNS, GONE_PROGRAM, GONE_UNKNOWN };
enum gone attachment_gone(const struct attachment *a);

#endif
