/* SPDX-License-Identifier: GPL-2.0-only */
/* Entity tables in their maps: opening them, and mapping no more of them than is needed. */
#ifndef KERNEL_TABLE_MAP_H
#define KERNEL_TABLE_MAP_H

#include "state.h"
#include "table.h"

/*
 * The part of a table that is mapped; the header always is. Mapping a table of a million entities
 * takes long and counts as memory of the process, so no more is mapped than is needed.
 */
enum table_part {
	TABLE_HEADER,
	TABLE_ENTITIES, /* copy 0, which has the same entities as all others */
	TABLE_CARRIED,	/* the same, and the carried counters */
	TABLE_ALL,
};
/* Open the table of that id, or of the running service of that index, until inner_close. */
int table_open(const struct store *s, uint32_t id, unsigned int tag_len, enum table_part part,
	       struct inner *in, struct table *t, struct err *e);
int store_table(const struct store *s, uint32_t index, enum table_part part, struct inner *in,
		struct table *t, struct err *e);
/* Calls table_each for an open table. Returns what `each` returned, or negative errno with e set.
 */
int table_read(const struct inner *in, const struct table *t,
	       int (*each)(void *arg, struct table_place at, const struct entity *en), void *arg,
	       struct err *e);
/* Fails for a table that has a value of an unknown kind. */
int table_damaged(const struct inner *in, struct err *e);
/* Opens the part of a service's table that has one tag, and finds the service's index; -ENOENT with
 * e set where there is no such service. */
int store_table_row(const struct store *s, const char *service, const uint8_t *tag, uint32_t *index,
		    struct inner *in, struct table *t, struct err *e);

#endif
