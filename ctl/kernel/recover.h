/* SPDX-License-Identifier: GPL-2.0-only */
/* Completing a change: this run's, or one that was interrupted. */
#ifndef KERNEL_RECOVER_H
#define KERNEL_RECOVER_H

#include "state.h"

/* Completes what an interrupted change left. Needs the exclusive lock. */
int store_recover(struct store *s, struct err *e);
/* The same, where there is something to complete. exclusive: the lock is; else it is made
 * exclusive, waiting up to `wait` seconds. */
int recover_interrupted(struct store *s, bool exclusive, double wait, struct err *e);
/* Carries over what entities counted in the previous tables of their services. */
int recover_counters(struct store *s, struct err *e);
/* Returns the slots of `tables` that the running configuration names. */
void recover_used_places(const struct store *s, bool used[MANGLE_TABLE_SLOTS]);
/*
 * Empties slots that the running configuration does not name. filled: the slots that may hold a
 * map; NULL where that is not known (asking the kernel for each is slow before Linux 6.8). After a
 * failure the next run tries again.
 */
void recover_sweep(struct store *s, const bool *filled);
/* Removes the pins of inner maps that the running configuration does not name. Returns false where
 * some are left. */
bool recover_sweep_pins(const struct store *s);

#endif
