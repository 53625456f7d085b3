/* SPDX-License-Identifier: GPL-2.0-only */
/* Following a store: a reader keeps it open for as long as it likes, and holds the lock only while
 * it reads. Between store_pause and store_resume the store must not be used. */
#ifndef KERNEL_FOLLOW_H
#define KERNEL_FOLLOW_H

#include "model/err.h"

struct store;

/* Releases the lock of a store that was opened with STORE_READ. */
void store_pause(struct store *s);
/*
 * Takes the lock again, waiting up to `wait` seconds, and reads the state in force. Returns 1 where
 * services, tables or rows have changed, else 0; -ENOENT without e set where these tables are no
 * longer the pinned ones (purged, or replaced by those of another layout version): the caller
 * closes the store and opens it again; or another negative errno with e set. On failure the store
 * stays paused.
 */
int store_resume(struct store *s, double wait, struct err *e);

#endif
