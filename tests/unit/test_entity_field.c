/* SPDX-License-Identifier: GPL-2.0-only */
/* The fields of an entity: a name each, their values, the order of lists. */
#include <string.h>

#include "ctl/model/entity_field.h"
#include "unit.h"

static const struct service feed = {.name = "feed", .tag_len = 4};
static const struct service shop = {.name = "shop", .tag_len = 4};

static struct row row(const char *tag, struct target target, uint64_t packets, int64_t seen)
{
	struct row r = {.entity.target = target, .packets = packets, .last_seen = seen};

	memcpy(r.entity.tag, tag, strlen(tag));
	return r;
}

static struct field_value value(enum entity_field_id id, const struct row *r)
{
	const struct listed l = {&feed, r};

	return entity_field_value(&entity_fields[id], &l);
}

START_TEST(words_are_different)
{
	for (int i = 0; i < ENTITY_FIELD_COUNT; i++) {
		const struct entity_field *f = &entity_fields[i];

		ck_assert_int_eq(f->id, i);
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(entity_fields[k].json, f->json);
		if (!f->column)
			continue;
		ck_assert_ptr_eq(entity_field_find(f->column, strlen(f->column)), f);
		ck_assert_ptr_null(entity_field_find(f->column, strlen(f->column) - 1));
		ck_assert(f->title && f->brief);
	}
	ck_assert_ptr_null(entity_field_find("", 0));
	ck_assert_ptr_null(entity_field_find("text", 4)); /* of JSON alone */
}
END_TEST

START_TEST(values_are_of_the_row)
{
	struct row r = row("ABCD", (struct target){ACTION_PORT, 6001}, 7, 1700000000);
	struct service named = {.name = "feed", .tag_len = 4};
	struct field_value v = value(ENTITY_SERVICE, &r);

	r.bytes = 99;
	ck_assert_str_eq(v.text, "feed");
	v = value(ENTITY_TAG, &r);
	ck_assert_uint_eq(v.tag.len, 4);
	ck_assert_mem_eq(v.tag.bytes, "ABCD", 4);
	ck_assert(!value(ENTITY_TAG_TEXT, &r).is_none);
	ck_assert_uint_eq(value(ENTITY_TARGET, &r).target.port, 6001);
	ck_assert_uint_eq(value(ENTITY_PACKETS, &r).count, 7);
	ck_assert_uint_eq(value(ENTITY_BYTES, &r).count, 99);
	ck_assert_int_eq(value(ENTITY_LAST_SEEN, &r).time, 1700000000);
	ck_assert(value(ENTITY_NAME, &r).is_none);
	ck_assert(!names_set(&named.names, r.entity.tag, "pump", &(struct err){0}));
	v = entity_field_value(&entity_fields[ENTITY_NAME], &(struct listed){&named, &r});
	ck_assert_str_eq(v.text, "pump");
	service_free(&named);
	r.entity.has_size = true;
	r.entity.size = (struct window){32, 64};
	ck_assert_uint_eq(value(ENTITY_SIZE, &r).window.max, 64);
}
END_TEST

START_TEST(what_is_not_there_is_none)
{
	const struct row r = row("\xff", (struct target){ACTION_DROP, 0}, 0, -1);

	ck_assert(value(ENTITY_SIZE, &r).is_none);
	ck_assert(value(ENTITY_LAST_SEEN, &r).is_none);
	ck_assert(value(ENTITY_TAG_TEXT, &r).is_none);
	ck_assert(!value(ENTITY_TAG, &r).is_none);
	ck_assert(!value(ENTITY_PACKETS, &r).is_none);
}
END_TEST

/* Rows in the order that they are to have; each against each. */
static void check_order(enum entity_field_id by, const struct listed *rows, size_t count)
{
	for (size_t a = 0; a < count; a++)
		for (size_t b = 0; b < count; b++) {
			int order = entity_field_compare(&entity_fields[by], &rows[a], &rows[b]);

			ck_assert_msg((order > 0) - (order < 0) == (a > b) - (a < b),
				      "%s: rows %zu and %zu: %d", entity_fields[by].json, a, b,
				      order);
		}
}

START_TEST(order)
{
	const struct row port = row("d", (struct target){ACTION_PORT, 80}, UINT64_MAX, 5);
	const struct row far = row("c", (struct target){ACTION_PORT, 6001}, UINT64_MAX >> 1, 4);
	const struct row pass = row("b", (struct target){ACTION_PASS, 0}, 1, 3);
	const struct row drop = row("a", (struct target){ACTION_DROP, 0}, 0, -1);
	const struct listed by_tag[] = {
		{&feed, &drop}, {&feed, &pass}, {&feed, &far}, {&feed, &port}, {&shop, &drop}};
	const struct listed by_count[] = {
		{&feed, &port}, {&feed, &far}, {&feed, &pass}, {&feed, &drop}, {&shop, &drop}};
	const struct listed by_target[] = {
		{&feed, &port}, {&feed, &far}, {&feed, &drop}, {&feed, &pass}};

	check_order(ENTITY_TAG, by_tag, COUNT_OF(by_tag));
	check_order(ENTITY_PACKETS, by_count, COUNT_OF(by_count));
	check_order(ENTITY_LAST_SEEN, by_count, COUNT_OF(by_count));
	check_order(ENTITY_TARGET, by_target, COUNT_OF(by_target));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("entity_field");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, words_are_different);
	tcase_add_test(tests, values_are_of_the_row);
	tcase_add_test(tests, what_is_not_there_is_none);
	tcase_add_test(tests, order);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
