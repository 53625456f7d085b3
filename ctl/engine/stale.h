/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries of the flow table whose connection is over. */
#ifndef ENGINE_STALE_H
#define ENGINE_STALE_H

#include "model/model.h"
#include "kernel/netdev.h"

struct store;

struct netdev;

/*
 * Before the programs act on them, entries of the flow table go that would take a later connection
 * for one that is over: before a change of services, where it gives a service connections it did
 * not have; before interfaces of the thread's network namespace are attached. Where it cannot be
 * told which ones are over, that is refused; with force all of them stay.
 */
int prune_for_change(struct store *s, const struct model *from, const struct model *to, bool force,
		     struct err *e);
int prune_for_attach(struct store *s, const struct netdev *dev, int devs, bool force,
		     struct err *e);

#endif
