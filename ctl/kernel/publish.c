/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of the running state.
 *
 * Of services and whole tables: new tables are laid into free places, a new configuration that
 * names them is built beside the running one, and one store of a pointer puts it into force: that
 * is the change, for every packet at once. Then the counters of entities that stay are added to
 * what they count anew; the old tables hold still by then, so this can be done again after an
 * interruption, and gives the same. `dirty` in the running configuration says that there is
 * something to finish or to throw away.
 *
 * The flow table is moved to one of another size in the same way: the configuration says which it
 * is to be, and until it is that one there is something to finish.
 *
 * Of one row: in place (table.h).
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "model/escape.h"
#include "model/parse.h"
#include "store_internal.h"

/* ---- helpers ---- */

static void set_dirty(struct store *s, bool dirty)
{
	__atomic_store_n(&store_config(s)->dirty, dirty, __ATOMIC_RELEASE);
}

void store_describe(struct store *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->what, sizeof(s->what), fmt, ap);
	va_end(ap);
}

void store_log(const struct store *s, const struct changes *c, const char *what)
{
	const char *user = getenv("SUDO_USER");
	char shown[1024], who[256];

	if (s->private)
		return;
	escape_string(*s->what ? s->what : what, shown, sizeof(shown));
	escape_string(user ? user : "", who, sizeof(who));
	openlog("mangle-ctl", LOG_PID, LOG_DAEMON);
	syslog(LOG_NOTICE,
	       "%s%suid %u%s: %s: added %llu, removed %llu, updated %llu, generation %llu", who,
	       user ? " (" : "", getuid(), user ? ")" : "", shown, (unsigned long long)c->added,
	       (unsigned long long)c->removed, (unsigned long long)c->updated,
	       (unsigned long long)store_generation(s));
	closelog();
}

static const char *format_row(const struct entity *en, char text[32])
{
	char target[TARGET_TEXT_SIZE];
	size_t len = (size_t)snprintf(text, 32, "%s", format_target(&en->target, target));

	if (en->has_size)
		snprintf(text + len, 32 - len, " %u:%u", en->size.min, en->size.max);
	return text;
}

/* "map set telemetry ABCD -> 6002 (was 6001)"; old and new: NULL where there is none. */
static void describe_row(struct store *s, uint32_t index, const struct entity *old,
			 const struct entity *new)
{
	const struct mangle_config *c = store_config(s);
	const struct entity *en = new ? new : old;
	char tag[TAG_TEXT_SIZE], was[32], is[32];

	store_describe(s, "map %s %s %s%s%s%s%s%s", new ? "set" : "del", c->info[index].name,
		       format_tag(en->tag, c->service[index].tag_len, tag), new ? " -> " : "",
		       new ? format_row(new, is) : "", old ? " (was " : "",
		       old ? format_row(old, was) : "", old ? ")" : "");
}

static uint64_t random_seed(void)
{
	uint64_t seed = 0x243f6a8885a308d3ULL; /* any will do, where the kernel has no better one */

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		return seed;
	return seed;
}

/* ---- the flow table ---- */

static int put_flow(void *arg, const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	flows_put(arg, key, flow);
	return 0;
}

/* In doubt it has: where its entries cannot be read the table is not exchanged. */
static bool has_pin(const struct store *s, uint32_t id)
{
	char path[PATH_SIZE];

	return s->private || !access(inner_path(path, id), F_OK) || errno != ENOENT;
}

/*
 * Gives the program the flow table that the configuration names, with what was in the one before:
 * once while that is still in use, so that few are missing at the swap, and again for what came
 * meanwhile. To be done before pins are swept.
 */
static int settle_flows(struct store *s, struct err *e)
{
	struct inner from = {.fd = -1}, to = {.fd = -1};
	uint32_t is, wished = store_config(s)->flows_id, place = 0;
	struct err ignored;
	int err = outer_get(s->flows, 0, &is, e);

	if (err || is == wished)
		return err;
	if (!wished) {
		outer_clear(s->flows, &place, 1);
		return 0;
	}
	err = flows_open(s, wished, &to, e);
	if (!err && is && has_pin(s, is))
		err = flows_open(s, is, &from, e);
	if (!err && from.fd >= 0)
		err = flows_each(&from, put_flow, &to, e);
	if (!err)
		err = outer_set(s->flows, 0, &to, e);
	if (!err && from.fd >= 0)
		flows_each(&from, put_flow, &to, &ignored);
	inner_close(&from);
	inner_close(&to);
	return err;
}

/* Whether the model needs one, or there is one already, of which size. */
static int make_flows(struct store *s, const struct model *m, struct mangle_config *c,
		      struct inner *made, struct err *e)
{
	const struct mangle_config *old = store_config(s);
	bool needed = old->flows_id;
	int err;

	for (unsigned int i = 0; i < m->service_count && !needed; i++)
		needed = service_has_connections(&m->services[i]);
	c->flows = model_flows(m);
	c->flows_id = old->flows_id;
	if (!needed || (old->flows_id && old->flows == c->flows))
		return 0;
	err = flows_create(s, c->flows, made, e);
	if (err)
		return err;
	c->flows_id = made->id;
	/* The first must be there when its services are; settle_flows clears it away again. */
	return old->flows_id ? 0 : outer_set(s->flows, 0, made, e);
}

/* ---- recovery ---- */

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

/* Takes over what the entities of a service counted in the table it had before. */
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

static int carry_all(struct store *s, struct err *e)
{
	const struct mangle_config *c = store_config(s);
	int err = 0;

	for (uint32_t i = 0; i < c->service_count && !err; i++)
		if (c->info[i].carry_from)
			err = carry_counters(s, i, e);
	return err;
}

/* Which places of `tables` the running configuration names. */
static void used_places(const struct store *s, bool used[MANGLE_TABLE_SLOTS])
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

bool sweep_pins(const struct store *s)
{
	const struct mangle_config *c = store_config(s);
	uint32_t ids[2 * MANGLE_MAX_SERVICES + 3];
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

/*
 * Lets go of what the running configuration does not name. filled: the places that may hold
 * something; NULL where that is not known: to ask the kernel for each is slow before Linux 6.8.
 * Where that fails there is still something to be done: the next run tries again.
 */
static void sweep(struct store *s, const bool *filled)
{
	bool used[MANGLE_TABLE_SLOTS];
	uint32_t places[MANGLE_TABLE_SLOTS];
	struct err ignored;
	uint32_t n = 0;

	used_places(s, used);
	for (uint32_t i = 0; i < MANGLE_TABLE_SLOTS; i++) {
		uint32_t id = 0;

		if (!used[i] && (filled ? filled[i] : outer_get(s->tables, i, &id, &ignored) || id))
			places[n++] = i;
	}
	outer_clear(s->tables, places, n);
	set_dirty(s, !sweep_pins(s));
}

int store_recover(struct store *s, struct err *e)
{
	const struct mangle_config *c = store_config(s);
	int err = settle_flows(s, e);

	if (!err)
		err = carry_all(s, e);
	if (err)
		return err;
	for (uint32_t i = 0; i < c->service_count; i++) {
		struct inner in = {.fd = -1};
		struct table t;

		err = store_table(s, i, TABLE_ALL, &in, &t, e);
		if (err)
			return err;
		table_repair(&t);
		inner_close(&in);
	}
	sweep(s, NULL);
	return 0;
}

/* ---- publishing ---- */

/* What becomes of one service of the wished model. */
struct plan {
	int before; /* index in the running configuration, -1: new */
	bool new_table;
	struct inner table; /* where new_table */
	uint32_t place;	    /* in tables */
	uint32_t id;	    /* of the table's map */
	uint32_t buckets;
	uint64_t seed;
};

/* A few seeds, then more room, until every tag lies near its bucket. */
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
			svc->entity_count, s->cpus.regions);
	if (err)
		return fail(e, err, svc->name, "building its table: out of memory");
	return 0;
}

static int build_table(struct store *s, const struct service *svc, struct plan *p, struct err *e)
{
	/* With the seed it had, the tags of old and new table lie in the same order, and counters
	 * are carried over from one end to the other, not to and fro. */
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

	while (i < MANGLE_TABLE_SLOTS - 1 && used[i]) /* there are always some: every table twice */
		i++;
	used[i] = true;
	return i;
}

/* A place in stats that no running service has; what it counted so far is not the new one's. */
static uint16_t take_stats(struct store *s, bool used[MANGLE_STATS_SLOTS])
{
	struct mangle_stats *before;
	uint16_t slot = 1;

	while (used[slot]) /* as many as services */
		slot++;
	used[slot] = true;
	before = store_stats_cell(s, s->possible + MANGLE_STATS_BEFORE, slot);
	memset(before, 0, sizeof(*before));
	for (unsigned int region = 0; region < s->possible + MANGLE_STATS_OWN; region++) {
		const uint64_t *from = (const uint64_t *)store_stats_cell(s, region, slot);

		if (region == s->possible + MANGLE_STATS_BEFORE)
			continue;
		for (size_t i = 0; i < sizeof(*before) / sizeof(*from); i++)
			((uint64_t *)before)[i] += from[i];
	}
	return slot;
}

static void prefixes_to(const struct prefix *from, unsigned int n, struct mangle_prefix *to)
{
	for (unsigned int i = 0; i < n; i++) {
		memcpy(to[i].addr, from[i].addr, sizeof(to[i].addr));
		to[i].family = from[i].family;
		to[i].len = from[i].len;
	}
}

static void service_to_config(const struct service *svc, struct mangle_config *c, uint32_t index)
{
	struct mangle_service *s = &c->service[index];
	struct mangle_service_info *info = &c->info[index];

	s->tag_offset = svc->tag_offset;
	s->tag_len = svc->tag_len;
	s->size_min = svc->size.min;
	s->size_max = svc->size.max;
	s->protocols = svc->protocols;
	s->invalid = svc->invalid;
	s->unknown = svc->unknown.action;
	s->unknown_port = svc->unknown.port;
	s->observe = svc->observe;
	s->connection = service_has_connections(svc);
	s->reply = svc->reply;
	memcpy(info->name, svc->name, sizeof(info->name));
	memcpy(info->ifname, svc->ifname, sizeof(info->ifname));
	memcpy(info->ports, svc->ports, sizeof(info->ports));
	info->port_count = (uint8_t)svc->port_count;
	info->daddr_count = (uint8_t)svc->daddr_count;
	prefixes_to(svc->daddr, svc->daddr_count, info->daddr);
	info->saddr_count = (uint8_t)svc->saddr_count;
	prefixes_to(svc->saddr, svc->saddr_count, info->saddr);
	info->tcp_mode = svc->tcp_mode;
	info->reply = svc->reply;
	info->targets_first = svc->targets_first;
	info->targets_last = svc->targets_last;
}

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
		used[old->service[i].stats] = true; /* also of those that go: they still count */
	for (uint32_t i = 0; i < m->service_count; i++) {
		const struct plan *p = &plans[i];
		struct mangle_service *to = &c->service[i];

		service_to_config(&m->services[i], c, i);
		to->table = p->place;
		c->info[i].table_id = p->id;
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
	/* With all stats slots of before and after in use there might be none left, so those of
	 * services that go are the last to be taken; their packets are few by then. */
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
		c->service[i].stats = take_stats(s, used);
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
	/* model_check has seen to it that all who have it have the same shared port. */
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

/* Which ports replies come from. */
static int fill_targets(struct store *s, const struct model *m, const struct plan *plans,
			struct mangle_config *c, struct err *e)
{
	const struct mangle_config *old = store_config(s);
	int err = 0;

	/* Bound connections go on when their row is changed. */
	for (uint32_t port = 0; port < 65536; port++)
		c->target[port] = old->target[port] & MANGLE_TARGET_TCP;
	for (uint32_t i = 0; i < m->service_count && !err; i++) {
		const struct service *svc = &m->services[i];
		struct targets targets = {c, i};
		struct inner in = {.fd = -1};
		struct table t;

		if (!svc->reply && !service_has_connections(svc))
			continue;
		add_target(c, i, &svc->unknown);
		for (size_t k = 0; k < svc->entity_count && !svc->keep_entities; k++)
			add_target(c, i, &svc->entities[k].target);
		if (!svc->keep_entities || plans[i].before < 0)
			continue;
		err = store_table(s, (uint32_t)plans[i].before, TABLE_ENTITIES, &in, &t, e);
		if (!err)
			table_each(&t, add_entity_target, &targets);
		inner_close(&in);
	}
	return err;
}

/* Its secrecy is what cookies rest on, so it waits until the kernel has random numbers. */
static int make_cookie_key(struct mangle_config *c, struct err *e)
{
	if (c->cookie_key[0] || c->cookie_key[1] ||
	    getrandom(c->cookie_key, sizeof(c->cookie_key), 0) == sizeof(c->cookie_key))
		return 0;
	return fail(e, -errno, "services", "drawing the key of SYN cookies: %s", strerror(errno));
}

/* Maps on their way into their places, a few at a time: each is an open file. */
#define PENDING 128
struct pending {
	uint32_t places[PENDING];
	int fds[PENDING];
	uint32_t n;
};

static int flush_pending(struct store *s, struct pending *w, struct err *e)
{
	int err = outer_fill(s->tables, w->places, w->fds, w->n, e);

	while (w->n)
		close(w->fds[--w->n]);
	return err;
}

/* Takes the map over, its file included. */
static int add_pending(struct store *s, struct pending *w, uint32_t place, struct inner *in,
		       struct err *e)
{
	w->places[w->n] = place;
	w->fds[w->n++] = in->fd;
	in->fd = -1;
	inner_close(in);
	return w->n == PENDING ? flush_pending(s, w, e) : 0;
}

static int build_classifier(struct store *s, const struct model *m, struct mangle_config *c,
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

static int build_tables(struct store *s, const struct model *m, struct plan *plans,
			bool used[MANGLE_TABLE_SLOTS], struct pending *w, struct err *e)
{
	for (uint32_t i = 0; i < m->service_count; i++) {
		struct plan *p = &plans[i];
		int err;

		if (!p->new_table) {
			p->place = store_config(s)->service[p->before].table;
			p->id = store_config(s)->info[p->before].table_id;
			continue;
		}
		p->place = free_place(used);
		err = build_table(s, &m->services[i], p, e);
		if (!err)
			err = add_pending(s, w, p->place, &p->table, e);
		if (err)
			return err;
	}
	return 0;
}

static int build_config(struct store *s, const struct model *m, const struct plan *plans,
			struct mangle_config *c, struct inner *flows, struct err *e)
{
	int err;

	fill_config(s, m, plans, c);
	err = fill_targets(s, m, plans, c, e);
	if (!err)
		err = make_cookie_key(c, e);
	return err ? err : make_flows(s, m, c, flows, e);
}

/* Puts the plans into force. used: the places of tables that are filled then; flows: gets the flow
 * table, where a new one is made. */
static int swap_config(struct store *s, const struct model *m, struct plan *plans,
		       bool used[MANGLE_TABLE_SLOTS], struct inner *flows, struct err *e)
{
	struct inner config = {.fd = -1};
	struct err ignored;
	struct pending w = {.n = 0};
	int err;

	used_places(s, used);
	set_dirty(s, true);
	err = build_tables(s, m, plans, used, &w, e);
	if (!err)
		err = inner_create(s, 0, &config, e);
	if (!err)
		err = build_config(s, m, plans, config.memory, flows, e);
	if (!err)
		err = build_classifier(s, m, config.memory, used, &w, e);
	if (!err)
		err = flush_pending(s, &w, e);
	if (!err)
		err = outer_set(s->config, 0, &config, e); /* the change */
	if (err) {
		while (w.n)
			close(w.fds[--w.n]);
		inner_close(&config);
		settle_flows(s, &ignored);
		sweep(s, NULL);
		return err;
	}
	inner_close(&s->config_inner);
	s->config_inner = config;
	return 0;
}

static int change(struct store *s, const struct model *m, struct plan *plans, struct err *e)
{
	bool used[MANGLE_TABLE_SLOTS];
	struct inner flows = {.fd = -1}; /* private tables have nothing else to hold it */
	struct err ignored;
	int err = swap_config(s, m, plans, used, &flows, e);

	if (err) {
		inner_close(&flows);
		return err;
	}
	/* Done, for every packet. What cannot be finished now is finished by whoever comes next. */
	err = settle_flows(s, &ignored);
	inner_close(&flows);
	if (!err)
		err = carry_all(s, &ignored);
	if (!err)
		sweep(s, used);
	return 0;
}

/* The running state as far as it is compared with m: entities where m says which it wants. */
static int read_for(struct store *s, const struct model *m, struct model *running, struct err *e)
{
	const struct mangle_config *c = store_config(s);
	int err = 0;

	running->flows = c->flows;
	for (uint32_t i = 0; i < c->service_count && !err; i++) {
		const struct service *wished = model_find(m, c->info[i].name);
		struct service svc;

		if (wished && wished->keep_entities) {
			service_from_config(c, i, &svc);
			svc.keep_entities = true;
		} else {
			err = store_read_service(s, c->info[i].name, &svc, e);
		}
		if (!err)
			err = model_add(running, &svc, e);
	}
	return err;
}

int store_check(struct store *s, struct model *m, struct err *e)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		struct service *svc = &m->services[i];
		struct service running;
		int err;

		if (!svc->keep_entities || !model_needs_targets(m, svc) ||
		    store_index(s, svc->name) < 0)
			continue;
		err = store_read_service(s, svc->name, &running, e);
		if (err)
			return err;
		service_move_entities(svc, &running);
		svc->keep_entities = false;
	}
	return model_check(m, e);
}

int store_publish(struct store *s, const struct model *m, struct changes *c, struct err *e)
{
	struct plan *plans = calloc(m->service_count + 1, sizeof(*plans));
	struct model running;
	int err;

	memset(c, 0, sizeof(*c));
	if (!plans)
		return fail(e, -ENOMEM, "services", "changing them: out of memory");
	model_init(&running);
	err = read_for(s, m, &running, e);
	if (err)
		goto out;
	model_diff(&running, m, c, NULL, NULL);
	if (!c->added && !c->removed && !c->updated && !store_is_fresh(s)) {
		if (m->file[0])
			snprintf(store_config(s)->file, sizeof(store_config(s)->file), "%s",
				 m->file);
		goto out;
	}
	for (uint32_t i = 0; i < m->service_count; i++) {
		const struct service *wished = &m->services[i];
		const struct service *now = model_find(&running, wished->name);

		plans[i].before = now ? store_index(s, wished->name) : -1;
		plans[i].table.fd = -1;
		plans[i].new_table = !now || now->tag_len != wished->tag_len ||
				     !service_same_entities(now, wished);
	}
	model_free(&running); /* before the tables are built: memory */
	err = change(s, m, plans, e);
	if (!err)
		store_log(s, c, "services and tables");
out:
	model_free(&running);
	free(plans);
	return err;
}

/* ---- one row ---- */

/* The running state with all entities of one service, which is *svc. */
static int read_to_change(struct store *s, uint32_t index, struct model *m, struct service **svc,
			  struct err *e)
{
	int err = store_read(s, m, false, e);

	if (err)
		return err;
	*svc = &m->services[index];
	service_free(*svc);
	err = store_read_service(s, store_config(s)->info[index].name, *svc, e);
	(*svc)->changed = true;
	return err;
}

/* The table has no room for it: build it anew, with the row in it. */
static int grow(struct store *s, uint32_t index, const struct entity *en, struct err *e)
{
	struct plan *plans = NULL;
	struct service *svc;
	struct model m;
	size_t twice;
	int err;

	model_init(&m);
	err = read_to_change(s, index, &m, &svc, e);
	if (!err)
		err = service_add_entity(svc, en, e);
	if (err)
		goto out;
	service_sort_entities(svc, &twice);
	plans = calloc(m.service_count, sizeof(*plans));
	if (!plans) {
		err = fail(e, -ENOMEM, svc->name, "building its table: out of memory");
		goto out;
	}
	for (uint32_t i = 0; i < m.service_count; i++)
		plans[i] = (struct plan){.before = (int)i, .new_table = i == index, .table.fd = -1};
	err = change(s, &m, plans, e);
out:
	free(plans);
	model_free(&m);
	return err;
}

/* Do targets of this service, or of others the one wished, have a part in replies? */
static bool replies_depend(const struct store *s, uint32_t index, const struct target *wished)
{
	const struct mangle_config *c = store_config(s);
	const struct mangle_service *svc = &c->service[index];

	if (svc->connection || svc->reply)
		return true;
	return svc->protocols & MANGLE_PROTO_UDP && wished && wished->action == ACTION_PORT &&
	       MANGLE_TARGET_SHARED(c->target[wished->port]);
}

static int publish_checked(struct store *s, struct model *m, struct changes *c, struct err *e)
{
	int err = store_check(s, m, e);

	return err ? err : store_publish(s, m, c, e);
}

/* Not in place: config.target changes with the row, and has to be judged. */
static int set_row_anew(struct store *s, uint32_t index, const struct entity *en, bool set_size,
			struct changes *c, struct err *e)
{
	struct tag tag = {.len = store_config(s)->service[index].tag_len};
	struct service *svc;
	struct entity *now;
	struct model m;
	size_t twice;
	int err;

	memcpy(tag.bytes, en->tag, sizeof(tag.bytes));
	model_init(&m);
	err = read_to_change(s, index, &m, &svc, e);
	now = err ? NULL : service_find_entity(svc, &tag);
	if (now) {
		const struct entity old = *now;

		now->target = en->target;
		if (set_size) {
			now->has_size = en->has_size;
			now->size = en->size;
		}
		describe_row(s, index, &old, now);
	} else if (!err) {
		struct entity added = *en;

		added.has_size &= set_size;
		if (!added.has_size)
			added.size = (struct window){0, 0};
		describe_row(s, index, NULL, &added);
		err = service_add_entity(svc, &added, e);
		if (!err)
			service_sort_entities(svc, &twice);
	}
	if (!err)
		err = publish_checked(s, &m, c, e);
	model_free(&m);
	return err;
}

/* 1 deleted, 0 was not there. */
static int del_row_anew(struct store *s, uint32_t index, const struct tag *tag, struct err *e)
{
	struct entity *now = NULL;
	struct service *svc;
	struct changes c;
	struct model m;
	int ret;

	model_init(&m);
	ret = read_to_change(s, index, &m, &svc, e);
	if (!ret)
		now = service_find_entity(svc, tag);
	if (now) {
		size_t behind = (size_t)(svc->entities + svc->entity_count - (now + 1));

		describe_row(s, index, now, NULL);
		memmove(now, now + 1, behind * sizeof(*now));
		svc->entity_count--;
		ret = publish_checked(s, &m, &c, e);
		ret = ret ? ret : 1;
	}
	model_free(&m);
	return ret;
}

static void done_in_place(struct store *s)
{
	store_config(s)->generation++;
	set_dirty(s, false);
}

int store_set_row(struct store *s, const char *service, const struct entity *en, bool set_size,
		  struct changes *c, struct err *e)
{
	struct inner in = {.fd = -1};
	struct entity wished = *en, now = {0};
	struct table_place at;
	struct table t;
	uint32_t index;
	bool found;
	int err;

	memset(c, 0, sizeof(*c));
	err = store_table_row(s, service, en->tag, &index, &in, &t, e);
	if (err)
		return err;
	if (replies_depend(s, index, &en->target)) {
		inner_close(&in);
		return set_row_anew(s, index, en, set_size, c, e);
	}
	found = table_find(&t, en->tag, &at);
	if (found && table_value(&t, at)) {
		memcpy(now.tag, en->tag, sizeof(now.tag));
		entity_from_value(table_value(&t, at), &now);
		if (!set_size) {
			wished.has_size = now.has_size;
			wished.size = now.size;
		}
		if (entity_value(&wished) == table_value(&t, at)) {
			inner_close(&in);
			return 0;
		}
		c->updated = 1;
	} else {
		c->added = 1;
	}
	if (!set_size && c->added) {
		wished.has_size = false;
		wished.size = (struct window){0, 0};
	}
	describe_row(s, index, c->updated ? &now : NULL, &wished);
	set_dirty(s, true);
	if (!found)
		err = table_claim(&t, wished.tag, &at);
	if (err == -ENOSPC) {
		inner_close(&in);
		err = grow(s, index, &wished, e);
	} else {
		table_store(&t, at, entity_value(&wished));
		inner_close(&in);
		done_in_place(s);
	}
	if (!err)
		store_log(s, c, "map set");
	return err;
}

int store_del_row(struct store *s, const char *service, const struct tag *tag, struct err *e)
{
	const struct changes c = {.removed = 1};
	struct inner in = {.fd = -1};
	struct table_place at;
	struct table t;
	uint32_t index;
	int found;
	int err;

	err = store_table_row(s, service, tag->bytes, &index, &in, &t, e);
	if (err)
		return err;
	found = table_find(&t, tag->bytes, &at) && table_value(&t, at);
	if (found && replies_depend(s, index, NULL)) {
		inner_close(&in);
		return del_row_anew(s, index, tag, e);
	}
	if (found) {
		struct entity old = {0};

		memcpy(old.tag, tag->bytes, sizeof(old.tag));
		entity_from_value(table_value(&t, at), &old);
		describe_row(s, index, &old, NULL);
		set_dirty(s, true);
		table_store(&t, at, 0);
		done_in_place(s);
	}
	inner_close(&in);
	if (found)
		store_log(s, &c, "map del");
	return found;
}
