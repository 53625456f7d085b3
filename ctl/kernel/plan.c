/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "classify.h"
#include "entity_names.h"
#include "flows.h"
#include "inner.h"
#include "plan.h"
#include "running.h"
#include "service_config.h"
#include "state.h"
#include "stats.h"
#include "table.h"
#include "table_map.h"

/* ---- tables ---- */

static uint64_t random_seed(void)
{
	uint64_t seed = 0x243f6a8885a308d3ULL; /* used where the kernel has no random seed */

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		return seed;
	return seed;
}

/* Several seeds are tried, then more room, until every tag lies near its home bucket. */
static int arrange(const struct store *s, const struct service *svc, uint64_t seed,
		   struct arrangement *a, struct err *e)
{
	size_t room = svc->entity_count;
	int err = -ENOSPC;

	for (int attempt = 0; attempt < 16; attempt++) {
		err = table_arrange(a, svc, table_buckets(room, svc->tag_len, s->cpus), seed);
		if (err != -ENOSPC)
			break;
		arrangement_free(a);
		seed = random_seed();
		if (attempt % 4 == 3)
			room += room / 2;
	}
	if (err == -ENOSPC || err == -E2BIG)
		return fail(
			e, -E2BIG, svc->name,
			"building its table: %zu entities on %u CPUs need more than the 4 GiB a map can have (use fewer entities a service)",
			svc->entity_count, s->cpus.copies);
	if (err)
		return fail(e, err, svc->name, "building its table: out of memory");
	return 0;
}

static int build_table(struct store *s, const struct service *svc, struct plan *p, struct err *e)
{
	/* With the old seed, the tags of old and new table are in the same order, so that counters
	 * are carried over in one pass. */
	uint64_t seed = p->before >= 0 ? store_config(s)->service[p->before].seed : random_seed();
	struct arrangement a;
	struct table t;
	int err = arrange(s, svc, seed, &a, e);

	if (!err)
		err = inner_create(s, (uint32_t)table_cells(a.buckets, svc->tag_len, s->cpus),
				   &p->table, e);
	if (!err) {
		p->id = p->table.id;
		p->buckets = a.buckets;
		p->seed = a.seed;
		t.cells = p->table.memory;
		table_build(&t, svc, &a, s->cpus);
	}
	arrangement_free(&a);
	return err;
}

static uint32_t free_place(bool used[MANGLE_TABLE_SLOTS])
{
	uint32_t i = 0;

	/* There is always a free one: the array has every table's slot twice. */
	while (i < MANGLE_TABLE_SLOTS - 1 && used[i])
		i++;
	used[i] = true;
	return i;
}

int plan_flush(struct store *s, struct pending *w, struct err *e)
{
	int err = outer_fill(s->map[MAP_TABLES], w->places, w->fds, w->n, e);

	while (w->n)
		close(w->fds[--w->n]);
	return err;
}

/* Takes over the map and its file descriptor. */
static int add_pending(struct store *s, struct pending *w, uint32_t place, struct inner *in,
		       struct err *e)
{
	w->places[w->n] = place;
	w->fds[w->n++] = in->fd;
	in->fd = -1;
	inner_close(in);
	return w->n == PENDING ? plan_flush(s, w, e) : 0;
}

int plan_tables(struct store *s, const struct model *m, struct plan *plans,
		bool used[MANGLE_TABLE_SLOTS], struct pending *w, struct err *e)
{
	for (uint32_t i = 0; i < m->service_count; i++) {
		struct plan *p = &plans[i];
		int err;

		if (!p->new_table) {
			p->place = store_config(s)->service[p->before].table;
			p->id = store_config(s)->info[p->before].table_id;
			p->names_id = store_config(s)->info[p->before].names_id;
			continue;
		}
		p->place = free_place(used);
		err = build_table(s, &m->services[i], p, e);
		if (!err)
			err = add_pending(s, w, p->place, &p->table, e);
		if (!err)
			err = entity_names_make(s, &m->services[i], &p->names_id, e);
		if (err)
			return err;
	}
	return 0;
}

int plan_classifier(struct store *s, const struct model *m, struct mangle_config *c,
		    bool used[MANGLE_TABLE_SLOTS], struct pending *w, struct err *e)
{
	union classifier_cell *cells = NULL;
	struct inner in = {.fd = -1};
	uint32_t count = 0, place;
	int err = classify(m, c, &cells, &count, e);

	c->classifier = MANGLE_NO_TABLE;
	if (!err && count)
		err = inner_create(s, count, &in, e);
	if (!err && count) {
		memcpy(in.memory, cells, (size_t)count * sizeof(*cells));
		place = free_place(used);
		c->classifier = place;
		c->classifier_id = in.id;
		err = add_pending(s, w, place, &in, e);
	}
	free(cells);
	return err;
}

/* ---- the configuration ---- */

static void fill_config(struct store *s, const struct model *m, const struct plan *plans,
			struct mangle_config *c)
{
	const struct mangle_config *old = store_config(s);
	bool used[MANGLE_STATS_SLOTS] = {true};

	c->magic = MANGLE_CONFIG_MAGIC;
	c->layout = MANGLE_LAYOUT_VERSION;
	c->service_count = m->service_count;
	c->generation = old->generation + 1;
	c->dirty = 1;
	c->hz = old->hz;
	c->stats_high = old->stats_high;
	memcpy(c->cookie_key, old->cookie_key, sizeof(c->cookie_key));
	snprintf(c->file, sizeof(c->file), "%s", m->file[0] ? m->file : old->file);
	for (uint32_t i = 0; i < old->service_count; i++)
		used[old->service[i].stats] = true; /* a removed service still counts there */
	for (uint32_t i = 0; i < m->service_count; i++) {
		const struct plan *p = &plans[i];
		struct mangle_service *to = &c->service[i];

		service_to_config(&m->services[i], c, i);
		to->table = p->place;
		c->info[i].table_id = p->id;
		c->info[i].names_id = p->names_id;
		if (p->new_table) {
			to->buckets = p->buckets;
			to->seed = p->seed;
			to->cpus = (uint16_t)s->cpus.own;
			if (p->before >= 0 &&
			    old->service[p->before].tag_len == m->services[i].tag_len) {
				c->info[i].carry_from = old->service[p->before].table + 1;
				c->info[i].carry_id = old->info[p->before].table_id;
			}
		} else {
			to->buckets = old->service[p->before].buckets;
			to->seed = old->service[p->before].seed;
			to->cpus = old->service[p->before].cpus;
		}
		to->stats = p->before >= 0 ? old->service[p->before].stats : 0;
	}
	/* Where all stats slots are in use before or after, those of removed services are taken
	 * last; few packets count there by then. */
	for (uint32_t i = 0; i < m->service_count; i++) {
		bool none = true;

		if (c->service[i].stats)
			continue;
		for (uint32_t slot = 1; slot < MANGLE_STATS_SLOTS && none; slot++)
			none = used[slot];
		if (none) {
			memset(used, 0, sizeof(used));
			used[0] = true;
			for (uint32_t j = 0; j < m->service_count; j++)
				used[c->service[j].stats] = true;
		}
		c->service[i].stats = stats_take(s, used);
		if (c->service[i].stats > c->stats_high)
			c->stats_high = c->service[i].stats;
	}
}

static void add_target(struct mangle_config *c, uint32_t index, const struct target *t)
{
	const struct mangle_service *s = &c->service[index];
	uint32_t *at = &c->target[t->port];
	uint32_t tcp = *at & MANGLE_TARGET_TCP;

	if (t->action != ACTION_PORT)
		return;
	if (s->connection)
		*at |= tcp = MANGLE_TARGET_TCP;
	if (!s->reply)
		return;
	/* model_check has verified that all services with this target have the same shared port. */
	if (!MANGLE_TARGET_SHARED(*at))
		*at = tcp | MANGLE_TARGET(c->info[index].ports[0], index + 1);
	else if (MANGLE_TARGET_SERVICE(*at) != index + 1)
		*at = tcp | MANGLE_TARGET(c->info[index].ports[0], 0);
}

struct targets {
	struct mangle_config *c;
	uint32_t index;
};

static int add_entity_target(void *arg, struct table_place at, const struct entity *en)
{
	const struct targets *t = arg;

	(void)at;
	add_target(t->c, t->index, &en->target);
	return 0;
}

/* Marks the ports that replies come from. */
static int fill_targets(struct store *s, const struct model *m, const struct plan *plans,
			struct mangle_config *c, struct err *e)
{
	const struct mangle_config *old = store_config(s);
	int err = 0;

	/* Bound connections continue when their row is changed. */
	for (uint32_t port = 0; port < 65536; port++)
		c->target[port] = old->target[port] & MANGLE_TARGET_TCP;
	for (uint32_t i = 0; i < m->service_count && !err; i++) {
		const struct service *svc = &m->services[i];
		struct targets targets = {c, i};
		struct inner in = {.fd = -1};
		struct table t;

		if (!service_has_replies(svc) && !service_has_connections(svc))
			continue;
		add_target(c, i, &svc->unknown);
		for (size_t k = 0; k < svc->entity_count && !svc->keep_entities; k++)
			add_target(c, i, &svc->entities[k].target);
		if (!svc->keep_entities || plans[i].before < 0)
			continue;
		err = store_table(s, (uint32_t)plans[i].before, TABLE_ENTITIES, &in, &t, e);
		if (!err)
			err = table_read(&in, &t, add_entity_target, &targets, e);
		inner_close(&in);
	}
	return err;
}

/* Cookies rest on its secrecy, so this waits until the kernel has random numbers. */
static int make_cookie_key(struct mangle_config *c, struct err *e)
{
	if (c->cookie_key[0] || c->cookie_key[1] ||
	    getrandom(c->cookie_key, sizeof(c->cookie_key), 0) == sizeof(c->cookie_key))
		return 0;
	return fail(e, -errno, "services", "drawing the key of SYN cookies: %s", strerror(errno));
}

int plan_config(struct store *s, const struct model *m, const struct plan *plans,
		struct mangle_config *c, struct inner *flows, struct err *e)
{
	int err;

	fill_config(s, m, plans, c);
	err = fill_targets(s, m, plans, c, e);
	if (!err)
		err = make_cookie_key(c, e);
	return err ? err : flows_make(s, m, c, flows, e);
}
