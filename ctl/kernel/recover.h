/* SPDX-License-Identifier: GPL-2.0-only */
/* Finishing a change: of this run, or of one that was interrupted. */
#ifndef KERNEL_RECOVER_H
#define KERNEL_RECOVER_H

#include "state.h"

/* Finishes what an interrupted change left. Exclusive lock. */
int store_recover(struct store *s, struct err *e);
/* The same where there is something to be finished. exclusive: the lock is; else it is made so, for
 * which `wait` seconds are waited. */
int recover_interrupted(struct store *s, bool exclusive, double wait, struct err *e);
/* Takes over what entities counted in the tables that their services had before. */
int recover_counters(struct store *s, struct err *e);
/* Which places of `tables` the running configuration names. */
void recover_used_places(const struct store *s, bool used[MANGLE_TABLE_SLOTS]);
/*
 * Lets go of what the running configuration does not name. filled: the places that may hold
 * something; NULL where that is not known: to ask the kernel for each is slow before Linux 6.8.
 * Where that fails there is still something to be done: the next run tries again.
 */
void recover_sweep(struct store *s, const bool *filled);
/* Removes the pins of inner maps that the running configuration does not name. Returns false where
 * not all went. */
bool recover_sweep_pins(const struct store *s);

#endif
