/* SPDX-License-Identifier: GPL-2.0-only */
/* From maps of an older layout version to those of this one, while programs run on both. */
#ifndef KERNEL_MIGRATE_H
#define KERNEL_MIGRATE_H

#include <stdbool.h>

#include "model/err.h"

struct store;

bool store_is_migrating(const struct store *s);
/* Was a change of layout begun and not finished? Then attachments are recorded in two places. In
 * doubt it was. */
bool store_is_changing_layout(void);
/*
 * Ends a store opened with STORE_UPGRADE: every program runs on its maps now. What those of another
 * layout version counted is taken over, and they go. On failure doing the same again goes on from
 * there.
 */
int store_migrated(struct store *s, struct err *e);
/* No program runs on its maps: those of the older layout version are the ones that stay. */
void store_not_migrated(struct store *s);

/* For the files of the store. */

/* Finishes what was interrupted when the new maps were being put into their places. */
int migrate_resume(struct err *e);
/* With the shared maps open: makes the others, from those of the older version. */
int migrate_begin(struct store *s, struct err *e);
void migrate_close(struct store *s);

#endif
