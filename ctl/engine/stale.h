/* SPDX-License-Identifier: GPL-2.0-only */
/* Removes entries of the flow table whose connection is over. */
#ifndef ENGINE_STALE_H
#define ENGINE_STALE_H

#include "model/model.h"
#include "kernel/netdev.h"

struct store;

struct netdev;

/*
 * Remove entries by which the programs would take a later connection for one that is over. They are
 * called before the programs act on these entries: before a change that gives a service connections
 * it did not have, and before interfaces of the thread's network namespace are attached. Where it
 * cannot be told which connections are over, the change is refused; with force all entries stay.
 */
int prune_for_change(struct store *s, const struct model *from, const struct model *to, bool force,
		     struct err *e);
int prune_for_attach(struct store *s, const struct netdev *dev, int devs, bool force,
		     struct err *e);

#endif
