/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "clock.h"
#include "inner.h"
#include "rows.h"
#include "running.h"
#include "state.h"
#include "table.h"
#include "table_map.h"

struct rows {
	const struct table *t;
	struct row *row;
	size_t count;
	uint64_t jiffies; /* now */
	uint32_t hz;
	double origin; /* seconds since 1970 when jiffies were 0 */
};

/* Seconds since 1970 in the middle of that step of the clock. */
static int64_t seen_time(const struct rows *r, uint32_t seen)
{
	uint64_t now = r->jiffies >> MANGLE_SEEN_SHIFT;
	uint64_t step = now - (uint64_t)(int64_t)(int32_t)((uint32_t)now - seen);
	uint64_t jiffies = (step << MANGLE_SEEN_SHIFT) + (1U << (MANGLE_SEEN_SHIFT - 1));

	return llround(r->origin + (double)jiffies / r->hz);
}

static void fill_row(const struct rows *r, struct table_place at, const struct entity *en,
		     struct row *row)
{
	struct table_sums sum = table_sum(r->t, at);

	row->entity = *en;
	row->packets = sum.packets;
	row->bytes = sum.bytes;
	row->last_seen = sum.packets ? seen_time(r, sum.last_seen) : -1;
}

static int add_row(void *arg, struct table_place at, const struct entity *en)
{
	struct rows *r = arg;

	fill_row(r, at, en, &r->row[r->count++]);
	return 0;
}

/* Jiffies advance with the clock, but their start is not known, so it is measured, and rounded to
 * more than a tick: the time of a packet is then the same whenever it is read. */
static int rows_init(const struct store *s, const struct table *t, struct rows *r, struct err *e)
{
	const double step = 20; /* 1/20 s */
	uint32_t low, high;
	int err = clock_jiffies(32, &high);

	if (!err)
		err = clock_jiffies(0, &low);
	if (err)
		return fail(e, err, "tables", "reading the kernel's clock: %s (see doctor)",
			    caps_why(err, CAPS(BPF)));
	r->t = t;
	r->hz = store_config(s)->hz ? store_config(s)->hz : 250;
	r->jiffies = (uint64_t)high << 32 | low;
	r->origin = (double)clock_ns(CLOCK_REALTIME) / 1e9 - (double)r->jiffies / r->hz;
	r->origin = (double)llround(r->origin * step) / step;
	return 0;
}

static int by_tag(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return memcmp(x->entity.tag, y->entity.tag, MANGLE_MAX_TAG);
}

int store_rows(struct store *s, const char *service, struct row **rows, size_t *count,
	       struct err *e)
{
	struct inner in = {.fd = -1};
	int index = running_index(s, service);
	struct rows r = {0};
	struct table t;
	int err;

	if (index < 0)
		return running_no_service(service, e);
	err = store_table(s, (uint32_t)index, TABLE_ALL, &in, &t, e);
	if (err)
		return err;
	r.row = malloc((t.cells->header.entities + 1) * sizeof(*r.row));
	err = r.row ? rows_init(s, &t, &r, e)
		    : fail(e, -ENOMEM, service, "reading its table: out of memory");
	if (!err)
		err = table_read(&in, &t, add_row, &r, e);
	inner_close(&in);
	if (err) {
		free(r.row);
		return err;
	}
	qsort(r.row, r.count, sizeof(*r.row), by_tag);
	*rows = r.row;
	*count = r.count;
	return 0;
}

int store_get_row(struct store *s, const char *service, const struct tag *tag, struct row *out,
		  struct err *e)
{
	struct inner in = {.fd = -1};
	struct entity en = {0};
	struct table_place at;
	struct rows r = {0};
	struct table t;
	uint32_t index;
	int found = 0;
	int err;

	err = store_table_row(s, service, tag->bytes, &index, &in, &t, e);
	if (err)
		return err;
	if (table_find(&t, tag->bytes, &at) && table_value(&t, at)) {
		err = table_value_known(table_value(&t, at)) ? rows_init(s, &t, &r, e)
							     : table_damaged(&in, e);
		memcpy(en.tag, tag->bytes, sizeof(en.tag));
		entity_from_value(table_value(&t, at), &en);
		if (!err)
			fill_row(&r, at, &en, out);
		found = 1;
	}
	inner_close(&in);
	return err ? err : found;
}

struct same_target {
	const struct entity *as;
	struct entity *out;
};

static int find_same_target(void *arg, struct table_place at, const struct entity *en)
{
	const struct same_target *find = arg;

	(void)at;
	if (en->target.port != find->as->target.port ||
	    !memcmp(en->tag, find->as->tag, sizeof(en->tag)))
		return 0;
	*find->out = *en;
	return 1;
}

int store_same_target(struct store *s, const char *service, const struct entity *as,
		      struct entity *out, struct err *e)
{
	struct same_target find = {as, out};
	int index = running_index(s, service);
	struct inner in = {.fd = -1};
	struct table t;
	int ret;

	if (index < 0)
		return running_no_service(service, e);
	if (as->target.action != ACTION_PORT)
		return 0;
	ret = store_table(s, (uint32_t)index, TABLE_ENTITIES, &in, &t, e);
	if (ret)
		return ret;
	ret = table_read(&in, &t, find_same_target, &find, e);
	inner_close(&in);
	return ret;
}
