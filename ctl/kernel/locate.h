/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds an attachment: on which device it is, in which network namespace, or that it is gone. */
#ifndef KERNEL_LOCATE_H
#define KERNEL_LOCATE_H

#include <stdbool.h>

#include "links.h"
#include "model/err.h"

struct store;

/*
 * Returns 1 attached, 0 gone; or negative errno with `why` set ("what: reason") where that cannot
 * be told: then it is to be treated as attached where the record says. A device that was moved to
 * another network namespace keeps its program: then the record, here and in the store, is updated
 * to where it is now. Its name stays that of the time of attaching, by which the program matches
 * services.
 */
int prog_locate(struct store *s, struct mangle_iface_key *k, struct mangle_iface *i,
		struct err *why);
/* Returns whether its device is certainly gone, from whatever namespace: a link of mangle's shows
 * it. */
bool prog_device_gone(const struct mangle_iface *i);

/* For the files that attach. */

/* Returns whether it must be handled in its interface's network namespace. Links are found
 * by pins. */
bool locate_needs_netns(const struct mangle_iface *i);
/* Returns what its links know about the device, whatever namespace that is in. */
enum pin_state locate_device(const struct mangle_iface *i);
/* Of two programs in the dispatcher, one of which takes over, the active one becomes prog_id, and
 * the other next_id. */
void locate_acting(const struct store *s, struct mangle_iface *i);

#endif
