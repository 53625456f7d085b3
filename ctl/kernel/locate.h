/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an attachment is: on which device, in which network namespace; or that it has gone. */
#ifndef KERNEL_LOCATE_H
#define KERNEL_LOCATE_H

#include <stdbool.h>

#include "links.h"
#include "model/err.h"

struct store;

/*
 * Returns 1 attached, 0 gone; negative errno with why set ("what: reason"): it cannot be told, and
 * is to be taken for attached, where the record says. A device that was moved to another network
 * namespace keeps its program: then the record, here and in the store, is made to say where it is
 * now. Its name stays that of the time of attaching, which is what the program goes by.
 */
int prog_locate(struct store *s, struct mangle_iface_key *k, struct mangle_iface *i,
		struct err *why);
/* Has its device gone, for certain, whatever namespace that was in? A link of ours has seen it go.
 */
bool prog_device_gone(const struct mangle_iface *i);

/* For those that attach. */

/* Is it to be worked on in its interface's network namespace? Links are found by their pins. */
bool locate_needs_netns(const struct mangle_iface *i);
/* What its links say of the device, whatever namespace that is in. */
enum pin_state locate_device(const struct mangle_iface *i);
/* Of two in the dispatcher, one of which is to take over, the one that acts is prog_id afterwards,
 * the other one next_id. */
void locate_acting(const struct store *s, struct mangle_iface *i);

#endif
