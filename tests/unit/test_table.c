/* SPDX-License-Identifier: GPL-2.0-only */
#include "../../ctl/model/setting.h"
#include "../../ctl/kernel/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../ctl/model/parse.h"
#include "../../maps/hash.h"
#include "unit.h"

#define SEED UINT64_C(0x0123456789abcdef)

static const struct table_cpus cpus = {.own = 2, .copies = 3};

/* ---- making them -------------------------------------------------------------------------- */

static void add(struct service *s, const void *tag, size_t len, uint16_t port)
{
	struct entity en = {.target = {ACTION_PORT, port}};
	struct err e;

	memcpy(en.tag, tag, len);
	if (service_add_entity(s, &en, &e))
		ck_abort_msg("%s", e.line);
}

/* Tags 0, 1, 2 … or at random, the all-zero tag among them. */
static struct service make(size_t n, uint8_t tag_len, bool random)
{
	uint64_t state = 11;
	struct service s;
	size_t twice;

	service_defaults(&s);
	s.tag_len = tag_len;
	for (size_t i = 0; i < n; i++) {
		uint64_t tag[2] = {i, 0};

		for (int j = 0; random && i && j < 2; j++)
			tag[j] = draw(&state);
		add(&s, tag, tag_len, (uint16_t)(1 + i % 65535));
	}
	ck_assert_int_eq(service_sort_entities(&s, &twice), 0);
	return s;
}

static struct table build(const struct service *s, uint32_t buckets)
{
	struct arrangement a;
	struct table t;

	ck_assert_int_eq(table_arrange(&a, s, buckets, SEED), 0);
	t.cells = calloc(table_cells(buckets, s->tag_len, cpus), MANGLE_CELL);
	ck_assert_ptr_nonnull(t.cells);
	table_build(&t, s, &a, cpus);
	arrangement_free(&a);
	return t;
}

static int arranged(const struct service *s, uint32_t buckets)
{
	struct arrangement a;
	int ret = table_arrange(&a, s, buckets, SEED);

	arrangement_free(&a);
	return ret;
}

/* Packed buckets lie one behind the other, two a cell. */
static uint64_t look_packed(const struct mangle_packed_bucket *packed, uint32_t tag)
{
	const struct mangle_packed_bucket *last = packed + MANGLE_PACKED_DISTANCE(packed->value0);

	for (; packed <= last; packed++) {
		if (packed->key[0] == tag && MANGLE_PACKED_VALUE(packed->value0))
			return MANGLE_PACKED_VALUE(packed->value0);
		if (packed->key[1] == tag && MANGLE_PACKED_VALUE(packed->value1))
			return MANGLE_PACKED_VALUE(packed->value1);
	}
	return 0;
}

/* Looks a tag up as the program does: in one copy, from the home bucket to the distance that it
 * has. */
static uint64_t look(const struct table *t, unsigned int copy, const uint8_t *tag)
{
	const struct mangle_table_header *h = &t->cells->header;
	bool is_long = h->tag_len > 8;
	struct mangle_cell *cell;
	uint32_t bucket;
	uint64_t lo, hi;

	tag_to_key(tag, h->tag_len, &lo, &hi);
	bucket = mangle_bucket_of(lo, hi, h->seed, h->buckets);
	if (h->tag_len <= MANGLE_PACKED_MAX_TAG)
		return look_packed(&t->cells[1 + (table_stride(t) + 1) / 2 * copy].packed[0] +
					   bucket,
				   (uint32_t)lo);
	cell = &t->cells[1 + table_stride(t) * copy + bucket].cell;
	for (const struct mangle_cell *last = cell + cell->bucket.distance; cell <= last; cell++) {
		const uint64_t *word = (const uint64_t *)cell->bucket.word;

		for (int slot = 0; slot < (is_long ? 2 : 3); slot++)
			if (word[slot] == lo && (!is_long || word[2 + slot] == hi) &&
			    word[(is_long ? 4 : 3) + slot])
				return word[(is_long ? 4 : 3) + slot];
	}
	return 0;
}

/* How many of the first n are not found as they should (an assertion each would take minutes). */
static size_t missing(const struct table *t, const struct service *s, size_t n)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		const struct entity *en = &s->entities[i];
		struct table_place at;

		for (unsigned int copy = 0; copy < cpus.copies; copy++)
			wrong += look(t, copy, en->tag) != entity_value(en);
		wrong += !table_find(t, en->tag, &at) || table_value(t, at) != entity_value(en);
	}
	return wrong;
}

static int count_one(void *arg, struct table_place at, const struct entity *en)
{
	(void)at;
	(void)en;
	++*(size_t *)arg;
	return 0;
}

/* ---- the tests ---------------------------------------------------------------------------- */

static const struct {
	size_t n;
	uint8_t tag_len;
	bool random;
} sizes[] = {{0, 4, false},	 {1, 1, false},	    {256, 1, false},   {3, 4, true},
	     {1000, 4, false},	 {1000, 4, true},   {1000, 8, true},   {1000, 9, true},
	     {1000, 16, false},	 {1000, 16, true},  {49999, 4, true},  {50000, 4, false},
	     {100000, 4, false}, {100000, 4, true}, {100000, 16, true}};

/* At the usual size the first arrangement is one, and every CPU finds every row in its copy. */
START_TEST(each_is_found_everywhere)
{
	struct service s = make(sizes[_i].n, sizes[_i].tag_len, sizes[_i].random);
	uint32_t buckets = table_buckets(s.entity_count, s.tag_len, cpus);
	struct table t = build(&s, buckets);
	size_t n = 0;

	ck_assert(table_valid(&t, table_cells(buckets, s.tag_len, cpus), s.tag_len));
	ck_assert_uint_eq(t.cells->header.entities, s.entity_count);
	ck_assert_uint_eq(t.cells->header.used, s.entity_count);
	ck_assert_uint_eq(missing(&t, &s, s.entity_count), 0);
	ck_assert_int_eq(table_each(&t, count_one, &n), 0);
	ck_assert_uint_eq(n, s.entity_count);
	free(t.cells);
	service_free(&s);
}
END_TEST

/* A word of a kind that is not known is no entity, and none is left out in silence. */
START_TEST(unknown_kind)
{
	struct service s = make(1000, 4, false);
	struct table t = build(&s, table_buckets(s.entity_count, s.tag_len, cpus));
	struct table_place at;
	size_t n = 0;

	ck_assert(table_find(&t, s.entities[500].tag, &at));
	table_store(&t, at, MANGLE_VALUE_RICH(70000));
	ck_assert(!table_value_known(table_value(&t, at)));
	ck_assert_uint_eq(MANGLE_VALUE_INDEX(table_value(&t, at)), 70000);
	ck_assert_int_eq(table_each(&t, count_one, &n), -EBADF);
	free(t.cells);
	service_free(&s);
}
END_TEST

/* A home bucket's tags fill it and the buckets that they can be displaced to, and one more finds no
 * room. */
START_TEST(colliding_tags)
{
	enum { BUCKETS = 1000, MOST = (MANGLE_MAX_DISTANCE + 1) * MANGLE_PACKED_SLOTS };
	struct service s = make(0, 4, false);
	struct table t;
	size_t twice;

	for (uint64_t tag = 0; s.entity_count < MOST + 1; tag++) {
		if (mangle_bucket_of(tag, 0, SEED, BUCKETS) != BUCKETS - 1)
			continue;
		if (s.entity_count == MOST) {
			t = build(&s, BUCKETS);
			ck_assert_uint_eq(missing(&t, &s, MOST), 0);
			free(t.cells);
		}
		add(&s, &tag, 4, 1);
		ck_assert_int_eq(service_sort_entities(&s, &twice), 0);
	}
	ck_assert_int_eq(arranged(&s, BUCKETS), -ENOSPC);
	ck_assert_int_eq(arranged(&s, 2), -E2BIG);
	service_free(&s);
}
END_TEST

/* Two thirds full there is still an arrangement: what a map can have is worth that much. */
START_TEST(nearly_full)
{
	struct service s = make(200000, 8, true);

	ck_assert_int_eq(arranged(&s, 100000), 0);
	ck_assert_int_eq(arranged(&s, 60000), -E2BIG);
	service_free(&s);
}
END_TEST

START_TEST(no_larger_than_a_map)
{
	for (unsigned int own = 1; own <= 8192; own *= 2) {
		struct table_cpus many = {.own = own, .copies = own + 1};
		uint32_t most = table_buckets(SIZE_MAX / 4, 16, many);

		ck_assert_uint_le(table_cells(most, 16, many), TABLE_MAX_CELLS);
		ck_assert_uint_gt(table_cells(most + 2, 16, many), TABLE_MAX_CELLS);
		ck_assert_uint_lt(table_buckets(1000, 8, many), 700);
		ck_assert_uint_le(table_cells(table_buckets(SIZE_MAX / 4, 4, many), 4, many),
				  TABLE_MAX_CELLS);
	}
}
END_TEST

/* The header and a tag's ranges of all copies have everything that the whole table has of it. */
START_TEST(ranges_hold_a_row)
{
	struct service s = make(500, _i ? 16 : 4, true);
	struct table t = build(&s, table_buckets(s.entity_count * 2 / 3, s.tag_len, cpus));
	size_t size = table_cells(t.cells->header.buckets, t.cells->header.tag_len, cpus) *
		      MANGLE_CELL;
	struct table part = {.cells = malloc(size)};

	for (size_t i = 0; i < s.entity_count; i++) {
		const uint8_t *tag = s.entities[i].tag;
		struct table_place at, again;
		struct table_sums sums = {.packets = i + 1, .bytes = i + 2, .last_seen = 3};

		ck_assert(table_find(&t, tag, &at));
		table_carry(&t, at, &sums);
		memset(part.cells, 0xa5, size);
		part.cells[0] = t.cells[0];
		for (unsigned int copy = 0; copy <= cpus.copies; copy++) {
			struct table_range r = table_range(&t, copy, table_home(&t, tag),
							   MANGLE_MAX_DISTANCE + 1);

			ck_assert_uint_le((r.cell + r.count) * MANGLE_CELL, size);
			memcpy(&part.cells[r.cell], &t.cells[r.cell], r.count * MANGLE_CELL);
		}
		ck_assert(table_find(&part, tag, &again));
		ck_assert_mem_eq(&again, &at, sizeof(at));
		ck_assert_uint_eq(table_value(&part, at), table_value(&t, at));
		ck_assert_uint_eq(table_sum(&part, at).packets, i + 1);
		ck_assert_uint_eq(table_sum(&part, at).bytes, i + 2);
	}
	free(part.cells);
	free(t.cells);
	service_free(&s);
}
END_TEST

/* A row more and more in place, until there is no room; built anew it has room for all. */
START_TEST(grows_in_place)
{
	struct service s = make(3000, 4, true);
	struct table t = build(&s, table_buckets(s.entity_count, 4, cpus));
	uint64_t state = 77;
	struct table_place at;
	size_t twice;
	int ret = 0;

	while (!ret) {
		uint32_t tag = (uint32_t)draw(&state);
		uint8_t padded[MANGLE_MAX_TAG] = {0};

		memcpy(padded, &tag, sizeof(tag));
		if (table_find(&t, padded, &at))
			continue;
		add(&s, &tag, sizeof(tag), 7);
		ret = table_claim(&t, padded, &at);
		if (ret)
			break;
		ck_assert_uint_eq(look(&t, 1, padded), 0);
		table_store(&t, at, entity_value(&s.entities[s.entity_count - 1]));
	}
	ck_assert_int_eq(ret, -ENOSPC);
	ck_assert_uint_gt(s.entity_count, 3010);
	ck_assert_uint_eq(missing(&t, &s, s.entity_count - 1), 0);
	ck_assert_int_eq(service_sort_entities(&s, &twice), 0);
	ck_assert_int_eq(arranged(&s, t.cells->header.buckets), 0);
	free(t.cells);
	service_free(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, each_is_found_everywhere, 0, COUNT_OF(sizes));
	tcase_add_test(tc, unknown_kind);
	tcase_add_test(tc, colliding_tags);
	tcase_add_test(tc, nearly_full);
	tcase_add_test(tc, no_larger_than_a_map);
	tcase_add_loop_test(tc, ranges_hold_a_row, 0, 2);
	tcase_add_test(tc, grows_in_place);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
