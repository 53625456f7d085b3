/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "entity_names.h"
#include "flows.h"
#include "inner.h"
#include "lock.h"
#include "pins.h"
#include "recover.h"
#include "running.h"
#include "state.h"
#include "table.h"
#include "table_map.h"

struct carry {
	const struct table *from;
	struct table *to;
};

static int carry_one(void *arg, struct table_place at, const struct entity *en)
{
	struct carry *c = arg;
	struct table_place before;
	struct table_sums sum;

	if (!table_find(c->from, en->tag, &before) || !table_value(c->from, before))
		return 0;
	sum = table_sum(c->from, before);
	table_carry(c->to, at, &sum);
	return 0;
}

/* Carries over what the entities of a service counted in its previous table. */
static int carry_counters(struct store *s, uint32_t index, struct err *e)
{
	struct mangle_config *c = store_config(s);
	struct inner from_in = {.fd = -1}, to_in = {.fd = -1};
	struct table from, to;
	struct carry carry = {&from, &to};
	int err;

	err = table_open(s, c->info[index].carry_id, c->service[index].tag_len, TABLE_ALL, &from_in,
			 &from, e);
	if (!err)
		err = store_table(s, index, TABLE_CARRIED, &to_in, &to, e);
	if (!err) {
		table_each(&to, carry_one, &carry);
		__atomic_store_n(&c->info[index].carry_from, 0, __ATOMIC_RELEASE);
	}
	inner_close(&from_in);
	inner_close(&to_in);
	return err;
}

int recover_counters(struct store *s, struct err *e)
{
	const struct mangle_config *c = store_config(s);
	int err = 0;

	for (uint32_t i = 0; i < c->service_count && !err; i++)
		if (c->info[i].carry_from)
			err = carry_counters(s, i, e);
	return err;
}

void recover_used_places(const struct store *s, bool used[MANGLE_TABLE_SLOTS])
{
	const struct mangle_config *c = store_config(s);

	memset(used, 0, MANGLE_TABLE_SLOTS * sizeof(*used));
	for (uint32_t i = 0; i < c->service_count; i++) {
		uint32_t before = c->info[i].carry_from;

		if (c->service[i].table < MANGLE_TABLE_SLOTS)
			used[c->service[i].table] = true;
		if (before && before <= MANGLE_TABLE_SLOTS)
			used[before - 1] = true;
	}
	if (c->classifier < MANGLE_TABLE_SLOTS)
		used[c->classifier] = true;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

bool recover_sweep_pins(const struct store *s)
{
	const struct mangle_config *c = store_config(s);
	uint32_t ids[3 * MANGLE_MAX_SERVICES + 3];
	size_t n = 0;
	struct dirent *entry;
	bool swept;
	DIR *d;

	if (s->private)
		return true;
	ids[n++] = s->config_inner.id;
	ids[n++] = c->classifier_id;
	ids[n++] = c->flows_id;
	for (uint32_t i = 0; i < c->service_count; i++) {
		ids[n++] = c->info[i].table_id;
		ids[n++] = c->info[i].names_id;
		ids[n++] = c->info[i].carry_from ? c->info[i].carry_id : 0;
	}
	qsort(ids, n, sizeof(*ids), by_id);
	d = opendir(STORE_DIR "/inner");
	swept = d;
	errno = 0;
	while (d && (entry = readdir(d))) {
		char *end;
		uint32_t id = (uint32_t)strtoul(entry->d_name, &end, 10);

		if (end != entry->d_name && !*end && !bsearch(&id, ids, n, sizeof(*ids), by_id))
			swept &= inner_unpin(s, id);
		errno = 0; /* by which readdir tells an error from the end */
	}
	swept &= !errno;
	if (d)
		closedir(d);
	return swept;
}

void recover_sweep(struct store *s, const bool *filled)
{
	bool used[MANGLE_TABLE_SLOTS];
	uint32_t places[MANGLE_TABLE_SLOTS];
	struct err ignored;
	uint32_t n = 0;

	recover_used_places(s, used);
	for (uint32_t i = 0; i < MANGLE_TABLE_SLOTS; i++) {
		uint32_t id = 0;

		if (!used[i] &&
		    (filled ? filled[i] : outer_get(s->map[MAP_TABLES], i, &id, &ignored) || id))
			places[n++] = i;
	}
	outer_clear(s->map[MAP_TABLES], places, n);
	running_set_dirty(s, !recover_sweep_pins(s));
}

int store_recover(struct store *s, struct err *e)
{
	const struct mangle_config *c = store_config(s);
	int err = flows_exchange(s, e);

	if (!err)
		err = recover_counters(s, e);
	if (err)
		return err;
	for (uint32_t i = 0; i < c->service_count; i++) {
		struct inner in = {.fd = -1};
		struct table t;

		err = store_table(s, i, TABLE_ALL, &in, &t, e);
		if (err)
			return err;
		table_repair(&t);
		err = entity_names_sweep(s, i, &t, e);
		inner_close(&in);
		if (err)
			return err;
	}
	recover_sweep(s, NULL);
	return 0;
}

int recover_interrupted(struct store *s, bool exclusive, double wait, struct err *e)
{
	if (!store_config(s)->dirty)
		return 0;
	if (!exclusive && lock_make_exclusive(s->dir, wait))
		return fail(e, -EBUSY, STORE_DIR,
			    "finishing an interrupted change: the lock is busy (try again)");
	return store_recover(s, e);
}
