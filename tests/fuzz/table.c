/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Table files: all or nothing, and what was taken is saved, read again and found in the table that
 * packets are looked up in. The first byte says what service it is for, the rest is the file.
 */
#include "../../ctl/model/setting.h"
#include "../../ctl/model/diff.h"
#include "../../ctl/model/check.h"
#include "../../ctl/kernel/table.h"

#include <errno.h>

#include "../../ctl/files/table_file.h"
#include "fuzz.h"

static const struct table_cpus cpus = {.own = 1, .copies = 2};

static void like(struct service *s, uint8_t choice)
{
	service_defaults(s);
	strcpy(s->name, "fuzz");
	s->tag_len = 1 + choice % MANGLE_MAX_TAG;
	s->size = (struct window){.min = 10, .max = 1000};
	if (choice & 0x80) {
		s->targets_first = 6000;
		s->targets_last = 6999;
	}
}

static void check_entities(const struct service *s)
{
	for (size_t i = 0; i < s->entity_count; i++) {
		const struct entity *en = &s->entities[i];

		CHECK(!i || memcmp(en[-1].tag, en->tag, sizeof(en->tag)) < 0);
		CHECK(target_allowed(s, &en->target));
		CHECK(!en->has_size || (en->size.min <= 1000 && en->size.max >= 10));
		CHECK(en->target.action == ACTION_PORT || en->target.action == ACTION_DROP ||
		      en->target.action == ACTION_PASS);
		CHECK(!en->has_size || en->size.min <= en->size.max);
		for (unsigned int j = s->tag_len; j < MANGLE_MAX_TAG; j++)
			CHECK(!en->tag[j]);
	}
}

static struct fuzz_bytes save(const struct service *s)
{
	struct fuzz_bytes file;
	char *text;
	FILE *out = open_memstream(&text, &file.size);

	CHECK(out);
	for (size_t i = 0; i < s->entity_count; i++)
		table_save_line(out, s, &s->entities[i]);
	CHECK(!fclose(out));
	file.bytes = (uint8_t *)text;
	return file;
}

static void check_round_trip(const struct service *s, uint8_t choice)
{
	struct fuzz_bytes saved = save(s), twice;
	struct service again;
	struct err e;

	like(&again, choice);
	fuzz_main = saved;
	CHECK(!table_load(FUZZ_FILE, &again, &e));
	CHECK(again.entity_count == s->entity_count);
	for (size_t i = 0; i < s->entity_count; i++)
		CHECK(!memcmp(s->entities[i].tag, again.entities[i].tag, MANGLE_MAX_TAG) &&
		      entity_same(&s->entities[i], &again.entities[i]));
	CHECK(service_same_entities(s, &again));
	twice = save(&again);
	CHECK(twice.size == saved.size && !memcmp(twice.bytes, saved.bytes, saved.size));

	/* A second time every one of them is there already, and nothing changes. */
	fuzz_main = saved;
	CHECK(!table_load(FUZZ_FILE, &again, &e) == !s->entity_count);
	CHECK(again.entity_count == s->entity_count);
	service_free(&again);
	free((void *)twice.bytes);
	free((void *)saved.bytes);
}

static void check_table(const struct service *s)
{
	uint32_t buckets = table_buckets(s->entity_count, s->tag_len, cpus);
	struct table_place at;
	struct arrangement a;
	struct table t;
	uint64_t seed = 1;
	int err;

	while ((err = table_arrange(&a, s, buckets, seed++)) == -ENOSPC)
		arrangement_free(&a);
	CHECK(!err);
	t.cells = calloc(table_cells(buckets, s->tag_len, cpus), MANGLE_CELL);
	CHECK(t.cells);
	table_build(&t, s, &a, cpus);
	CHECK(table_valid(&t, table_cells(buckets, s->tag_len, cpus), s->tag_len));
	for (size_t i = 0; i < s->entity_count; i++)
		CHECK(table_find(&t, s->entities[i].tag, &at) &&
		      table_value(&t, at) == entity_value(&s->entities[i]));
	arrangement_free(&a);
	free(t.cells);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct service s;
	struct err e;

	if (!size)
		return -1;
	like(&s, data[0]);
	fuzz_main = (struct fuzz_bytes){data + 1, size - 1};
	if (table_load(FUZZ_FILE, &s, &e)) {
		check_err(&e);
		CHECK(!s.entity_count);
	} else {
		check_entities(&s);
		check_round_trip(&s, data[0]);
		check_table(&s);
	}
	service_free(&s);
	return 0;
}
