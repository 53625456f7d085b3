/* SPDX-License-Identifier: GPL-2.0-only */
/* The lock of the store: flock(2) on its directory, exclusive for writers, shared for readers. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <stdbool.h>

#include "model/err.h"

/*
 * Opens the directory and locks it, waiting up to `wait` seconds. create: creates the directory
 * where it does not exist. *dir is the open directory, also where locking failed; closing it
 * releases the lock. Returns 0; -ENOENT without e set where there is no directory; -EBUSY with e
 * set, which names the holder and has exit status EXIT_LOCK_BUSY; or another negative errno with e
 * set.
 */
int lock_open(bool create, bool write, double wait, int *dir, struct err *e);
/* Takes the shared lock of an open directory again. Returns 0; -ENOENT without e set where it is no
 * longer the one in STORE_DIR; or as lock_open. On failure the lock is not held. */
int lock_again(int dir, double wait, struct err *e);
void lock_release(int dir);
/* Makes a shared lock exclusive. Returns 0 or negative errno; then the shared lock may be
 * lost too. */
int lock_make_exclusive(int dir, double wait);

#endif
