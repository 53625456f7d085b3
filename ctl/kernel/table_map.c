/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "inner.h"
#include "pins.h"
#include "running.h"
#include "state.h"
#include "table.h"
#include "table_map.h"

static int map_buckets(const struct inner *in, const struct table *t, unsigned int copy,
		       uint32_t bucket, uint32_t count, struct err *e)
{
	struct table_range r = table_range(t, copy, bucket, count);

	return inner_map(in, r.cell * MANGLE_CELL, r.count * MANGLE_CELL, e);
}

int table_damaged(const struct inner *in, struct err *e)
{
	return fail(e, -EBADF, INNER_DIR, "reading table %u: it is damaged", in->id);
}

int table_open(const struct store *s, uint32_t id, unsigned int tag_len, enum table_part part,
	       struct inner *in, struct table *t, struct err *e)
{
	int err = inner_open(s, id, HELD_TABLE, in, e);

	if (err)
		return err;
	t->cells = in->memory;
	err = inner_map(in, 0, part == TABLE_ALL ? in->size : MANGLE_CELL, e);
	if (!err && !table_valid(t, in->size / MANGLE_CELL, tag_len))
		err = table_damaged(in, e);
	if (!err && (part == TABLE_ENTITIES || part == TABLE_CARRIED))
		err = map_buckets(in, t, 0, 0, table_stride(t), e);
	if (!err && part == TABLE_CARRIED)
		err = map_buckets(in, t, t->cells->header.copies, 0, table_stride(t), e);
	if (err)
		inner_close(in);
	return err;
}

int table_read(const struct inner *in, const struct table *t,
	       int (*each)(void *arg, struct table_place at, const struct entity *en), void *arg,
	       struct err *e)
{
	int ret = table_each(t, each, arg);

	return ret == -EBADF ? table_damaged(in, e) : ret;
}

int store_table(const struct store *s, uint32_t index, enum table_part part, struct inner *in,
		struct table *t, struct err *e)
{
	const struct mangle_config *c = store_config(s);

	return table_open(s, c->info[index].table_id, c->service[index].tag_len, part, in, t, e);
}

int store_table_row(const struct store *s, const char *service, const uint8_t *tag, uint32_t *index,
		    struct inner *in, struct table *t, struct err *e)
{
	int found = running_index(s, service);
	int err;

	if (found < 0)
		return running_no_service(service, e);
	*index = (uint32_t)found;
	err = store_table(s, *index, TABLE_HEADER, in, t, e);
	if (err)
		return err;
	for (unsigned int copy = 0; copy <= t->cells->header.copies && !err; copy++)
		err = map_buckets(in, t, copy, table_home(t, tag), MANGLE_MAX_DISTANCE + 1, e);
	if (err)
		inner_close(in);
	return err;
}
