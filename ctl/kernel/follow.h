/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Following a store: a reader keeps it open for as long as it likes, and holds the lock only while
 * it reads. Between store_pause and store_resume nothing may be asked of the store.
 */
#ifndef KERNEL_FOLLOW_H
#define KERNEL_FOLLOW_H

#include "model/err.h"

struct store;

/* Gives back the lock of a store that was opened with STORE_READ. */
void store_pause(struct store *s);
/*
 * Takes the lock again, waiting up to `wait` seconds, and reads what is in force by now. Returns 1
 * where services, tables or rows were changed meanwhile, else 0; -ENOENT without e set where these
 * tables are not the pinned ones any more (purged, or exchanged for those of another layout
 * version): close it, and open anew; or another negative errno with e set. On failure the store
 * stays paused.
 */
int store_resume(struct store *s, double wait, struct err *e);

#endif
