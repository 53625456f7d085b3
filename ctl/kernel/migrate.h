/* SPDX-License-Identifier: GPL-2.0-only */
/* From maps of an older layout version to those of this one, while programs run on both. */
#ifndef KERNEL_MIGRATE_H
#define KERNEL_MIGRATE_H

#include <stdbool.h>

#include "model/err.h"

struct store;

bool store_is_migrating(const struct store *s);
/* Returns whether a change of the layout version was begun and not finished: attachments are then
 * recorded in two places. In doubt there was one. */
bool store_is_changing_layout(void);
/*
 * Completes a store opened with STORE_UPGRADE: every program runs on its maps now. What was counted
 * in the maps of the other layout version is carried over, and they are removed. After a failure
 * the same call continues.
 */
int store_migrated(struct store *s, struct err *e);
/* Undoes it: no program runs on the new maps, and those of the older layout version stay. */
void store_not_migrated(struct store *s);

/* For the files of the store. */

/* Completes an upgrade that was interrupted while the new maps were moved to their places. */
int migrate_resume(struct err *e);
/* With the shared maps open, creates the others from those of the older version. */
int migrate_begin(struct store *s, struct err *e);
void migrate_close(struct store *s);

#endif
