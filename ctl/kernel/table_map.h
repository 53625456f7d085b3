/* SPDX-License-Identifier: GPL-2.0-only */
/* Entity tables in their maps: opening them, and mapping no more of them than is needed. */
#ifndef KERNEL_TABLE_MAP_H
#define KERNEL_TABLE_MAP_H

#include "state.h"
#include "table.h"

/*
 * What of a table is mapped: that of a million entities takes long, and counts as memory of the
 * process. The header always is.
 */
enum table_part {
	TABLE_HEADER,
	TABLE_ENTITIES, /* the first region, which stands for all */
	TABLE_CARRIED,	/* the same, and what entities had counted before */
	TABLE_ALL,
};
/* The table of that id, or of the running service of that index, open until inner_close. */
int table_open(const struct store *s, uint32_t id, unsigned int tag_len, enum table_part part,
	       struct inner *in, struct table *t, struct err *e);
int store_table(const struct store *s, uint32_t index, enum table_part part, struct inner *in,
		struct table *t, struct err *e);
/* table_each of a table that is open. Returns what `each` returned, or negative errno with e set.
 */
int table_read(const struct inner *in, const struct table *t,
	       int (*each)(void *arg, struct table_place at, const struct entity *en), void *arg,
	       struct err *e);
/* Refuses a table that has a word of a kind that is not known. */
int table_damaged(const struct inner *in, struct err *e);
/* What there is of one tag in a service's table, and the service's index; -ENOENT with e set where
 * there is no such service. */
int store_table_row(const struct store *s, const char *service, const uint8_t *tag, uint32_t *index,
		    struct inner *in, struct table *t, struct err *e);

#endif
