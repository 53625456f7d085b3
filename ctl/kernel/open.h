/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening the store: the pinned maps, under its lock. */
#ifndef KERNEL_OPEN_H
#define KERNEL_OPEN_H

#include "model/err.h"

struct store;

enum store_access {
	STORE_READ,   /* shared lock; -ENOENT without e set where nothing is loaded */
	STORE_WRITE,  /* exclusive lock; the same */
	STORE_CREATE, /* exclusive lock; empty tables are created where there are none */
	/* exclusive lock; maps of an older layout version are migrated, which store_migrated
	 * completes */
	STORE_UPGRADE,
};

/* Mounts bpffs where that is allowed (see the manual). wait: seconds to wait for the lock. Returns
 * 0, or negative errno with e set, unless the access says otherwise; *out is NULL then. */
int store_open(struct store **out, enum store_access access, double wait, struct err *e);
/* Private maps without pins and lock, for tests. */
int store_open_private(struct store **out, struct err *e);
void store_close(struct store *s); /* NULL is fine */
/* Removes every pin and the directory. Nothing may be attached. The store must still be closed. */
int store_purge(struct store *s, struct err *e);

#endif
