/* SPDX-License-Identifier: GPL-2.0-only */
/* The kind of a network interface as the kernel describes it, and what that means for mangle. It is
 * decided by link type, kind and relations, never by name. */
#ifndef KERNEL_DEVICE_H
#define KERNEL_DEVICE_H

#include "model/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device {
	int ifindex;
	char name[16];
	unsigned int type;  /* ARPHRD_* */
	char kind[32];	    /* as `ip link add type` has it: "bridge"; "" for a card */
	char port_kind[32]; /* its master's: it is a port of a "bridge", "bond", "vrf"; "" of none
			     */
	int master;	    /* ifindex; 0: it is no port */
	int link;	    /* ifindex of the device that it was made on, or of its peer; 0: none */
	int link_netns; /* the network namespace that link is in, by devices_netns_id; -1: this one
			 */
	uint8_t address[6];
};

/* Reads all devices of the thread's network namespace. */
struct devices {
	struct device *all;
	size_t count;
};
int devices_read(struct devices *out, struct err *e);
void devices_free(struct devices *d);
/* Returns the device with that ifindex; NULL: none. */
const struct device *devices_find(const struct devices *d, int ifindex);

/* Returns whether mangle cannot work on it at all; `why` gets the reason, and in parentheses what
 * to attach to instead. */
bool device_is_unfit(const struct devices *all, const struct device *d, char *why, size_t size);

/* Returns whether it was created on `link`, which hands it frames that `link` itself has
 * received. */
bool device_shares_link(const struct device *d);
/* Returns whether upper is above lower, across any number of devices. shared: only where upper
 * receives the frames that lower receives once more. */
bool device_is_above(const struct devices *all, const struct device *upper,
		     const struct device *lower, bool shared);

/* ---- devices of two network namespaces ---- */

/*
 * Asks for the id that the thread's network namespace has given to another, which is open; -1:
 * none. Devices must be read first, since that makes the kernel assign the ids of their links.
 * Returns 0, or negative errno.
 */
int devices_netns_id(int netns, int *id);
/*
 * Returns whether child was created on lower, which is in another namespace ("here"), or on a
 * device above that, so that it receives the frames of lower. id: the id of that namespace in
 * child's; -1: any.
 */
bool device_is_on_elsewhere(const struct device *child, const struct devices *here,
			    const struct device *lower, int id);
/* The same for upper, which may also be above such a child ("there"). */
bool device_is_above_elsewhere(const struct devices *there, const struct device *upper,
			       const struct devices *here, const struct device *lower, int id);

#endif
