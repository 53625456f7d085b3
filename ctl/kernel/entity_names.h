/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names of a table's entities, in a hash of their own, which no packet reads. There is no hash
 * while no entity has a name; private tables, which are never listed, have none. A name is read by
 * way of its row. In place it is written before its row exists, and removed after the row: an
 * interruption leaves a name without a row, which store_recover removes, or, where the row existed,
 * its new name with its old target.
 */
#ifndef KERNEL_ENTITY_NAMES_H
#define KERNEL_ENTITY_NAMES_H

#include "state.h"

/* The functions below return 0 or negative errno with e set; index: of a running service. */

/* Reads all names into *out, which is empty; sorted. */
int entity_names_read(const struct store *s, uint32_t index, struct entity_names *out,
		      struct err *e);
/* Reads one name; "" where the tag has none. */
int entity_names_get(const struct store *s, uint32_t index, const uint8_t *tag,
		     char text[MANGLE_TEXT_SIZE], struct err *e);
/* Writes one name in place, or removes it (name ""). */
int entity_names_set(struct store *s, uint32_t index, const uint8_t *tag, const char *text,
		     struct err *e);
/* Creates the map for a new table of a service; *id is 0 where none of its entities has a name. */
int entity_names_make(const struct store *s, const struct service *svc, uint32_t *id,
		      struct err *e);
/* Removes names of tags that the table does not have. */
int entity_names_sweep(const struct store *s, uint32_t index, const struct table *t, struct err *e);
/* Adds the memory that the names take, as the kernel reports it. */
int entity_names_size(const struct store *s, uint32_t index, size_t *bytes, struct err *e);

#endif
