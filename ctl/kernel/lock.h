/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock of the store: flock(2) on its directory, exclusive for those that write, shared for
 * those that read.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <stdbool.h>

#include "model/err.h"

/*
 * Opens the directory and locks it, waiting up to `wait` seconds. create: makes the directory where
 * there is none. *dir is the open directory, also where taking the lock failed; closing it gives
 * the lock back. Returns 0; -ENOENT without e set where there is no directory; -EBUSY with e set,
 * which names the holder and has exit status EXIT_LOCK_BUSY; or another negative errno with e set.
 */
int lock_open(bool create, bool write, double wait, int *dir, struct err *e);
/* Takes the shared lock of an open directory again. Returns 0; -ENOENT without e set where it is
 * not the one in STORE_DIR any more; or as lock_open. Where it fails it is not held. */
int lock_again(int dir, double wait, struct err *e);
void lock_release(int dir);
/* Makes a shared lock exclusive. Returns 0 or negative errno; the shared one may be lost then. */
int lock_make_exclusive(int dir, double wait);

#endif
