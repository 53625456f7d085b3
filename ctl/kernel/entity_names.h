/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names of a table's entities, in a hash of their own, which no packet reads. There is none
 * while no entity has a name, and private tables, which nobody lists, have none.
 *
 * A name is read by way of its row. In place it is written before its row is there, and removed
 * after it has gone: what an interruption leaves is a name without a row, which says nothing, or,
 * where a row had been there, its new name with its old target. The first is swept by
 * store_recover.
 */
#ifndef KERNEL_ENTITY_NAMES_H
#define KERNEL_ENTITY_NAMES_H

#include "state.h"

/* The functions below return 0 or negative errno with e set; index: of a running service. */

/* Reads all into *out, which is empty; sorted. */
int entity_names_read(const struct store *s, uint32_t index, struct entity_names *out,
		      struct err *e);
/* Reads one; "" where the tag has none. */
int entity_names_get(const struct store *s, uint32_t index, const uint8_t *tag,
		     char text[MANGLE_TEXT_SIZE], struct err *e);
/* Writes one in place, or removes it (""). */
int entity_names_set(struct store *s, uint32_t index, const uint8_t *tag, const char *text,
		     struct err *e);
/* Makes the map for a new table of a service; *id is 0 where none of its entities has a name. */
int entity_names_make(const struct store *s, const struct service *svc, uint32_t *id,
		      struct err *e);
/* Removes names of tags that the table does not have. */
int entity_names_sweep(const struct store *s, uint32_t index, const struct table *t, struct err *e);
/* Adds the memory that they take in the kernel, as it says. */
int entity_names_size(const struct store *s, uint32_t index, size_t *bytes, struct err *e);

#endif
