/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tuple space search (Srinivasan, Suri, Varghese 1999). Services on a port that need more than the
 * port to tell them apart become rules, one for each pair of prefixes. Rules of one precedence that
 * test the same bits are a tuple; a packet tries the tuples of its port in the order of precedence.
 * Ports with the same services share their tuples.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../maps/hash.h"
#include "classify.h"

struct rule {
	struct mangle_match mask, key;
	uint32_t rank;	  /* precedence, higher first */
	uint32_t service; /* index + 1 */
};

struct cells {
	union classifier_cell *cell;
	uint32_t count, room;
};

/* One use of a port by a service. */
struct user {
	uint16_t port;
	uint16_t service; /* index */
};

static int by_port(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	return x->port != y->port ? x->port - y->port : x->service - y->service;
}

static int by_rank(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? 1 : -1;
	return memcmp(&x->mask, &y->mask, sizeof(x->mask));
}

/* The bits alone do not identify a tuple: a rule for all of IPv4 as source tests the same bits (the
 * family) as one for all of IPv4 as destination, but has another precedence. */
static bool same_tuple(const struct rule *a, const struct rule *b)
{
	return a->rank == b->rank && !memcmp(&a->mask, &b->mask, sizeof(a->mask));
}

static int reserve(struct cells *l, uint32_t more)
{
	uint32_t room = l->room ? l->room : 64;
	void *cell;

	if (more > UINT32_MAX / 2 - l->count)
		return -E2BIG;
	while (room < l->count + more)
		room *= 2;
	if (room == l->room)
		return 0;
	cell = realloc(l->cell, (size_t)room * sizeof(*l->cell));
	if (!cell)
		return -ENOMEM;
	l->cell = cell;
	l->room = room;
	return 0;
}

/* An IPv4 prefix lies in the last 4 of the 16 bytes: see struct mangle_match. */
static void set_prefix(const struct prefix *p, uint64_t key[2], uint64_t mask[2])
{
	unsigned int skip = p->family == 4 ? 12 : 0;
	uint8_t addr[16] = {0}, bits[16] = {0};

	memcpy(addr + skip, p->addr, 16 - skip);
	for (unsigned int i = 0; i < p->len; i++)
		bits[skip + i / 8] |= (uint8_t)(0x80 >> i % 8);
	memcpy(key, addr, 16);
	memcpy(mask, bits, 16);
}

/* Returns false, and makes no rule, where the prefixes are of different families: no packet has
 * both. */
static bool make_rule(const struct service *s, uint32_t service, const struct prefix *d,
		      const struct prefix *sa, struct rule *r)
{
	uint8_t family = d ? d->family : sa ? sa->family : 0;

	if (d && sa && d->family != sa->family)
		return false;
	memset(r, 0, sizeof(*r));
	if (d)
		set_prefix(d, (uint64_t *)r->key.daddr, (uint64_t *)r->mask.daddr);
	if (sa)
		set_prefix(sa, (uint64_t *)r->key.saddr, (uint64_t *)r->mask.saddr);
	if (s->ifname[0]) {
		memcpy(r->key.ifname, s->ifname, sizeof(r->key.ifname));
		memset(r->mask.ifname, 0xff, sizeof(r->mask.ifname));
	}
	if (family) {
		r->key.kind |= MANGLE_KIND(family, 0);
		r->mask.kind |= MANGLE_KIND(0xff, 0);
	}
	if (s->protocols != (MANGLE_PROTO_UDP | MANGLE_PROTO_TCP)) {
		r->key.kind |= MANGLE_KIND(0, s->protocols);
		r->mask.kind |= MANGLE_KIND(0, 0xff);
	}
	/* Precedence: destination prefix by length, source prefix by length, interface, exact
	 * protocol. */
	r->rank = (uint32_t)(d ? d->len + 1 : 0) << 16 | (uint32_t)(sa ? sa->len + 1 : 0) << 4 |
		  (s->ifname[0] ? 2 : 0) | (r->mask.kind >> 8 ? 1 : 0);
	r->service = service;
	return true;
}

static uint32_t expand(const struct service *s, uint32_t service, struct rule *out)
{
	uint32_t n = 0;

	for (unsigned int d = 0; d < s->daddr_count || d == 0; d++)
		for (unsigned int a = 0; a < s->saddr_count || a == 0; a++)
			n += make_rule(s, service, s->daddr_count ? &s->daddr[d] : NULL,
				       s->saddr_count ? &s->saddr[a] : NULL, &out[n]);
	return n;
}

/* Cuckoo hashing (Pagh, Rodler 2001): a new rule takes its first cell, the rule that it evicts
 * takes its own other cell, and so on. Returns false where this does not end. */
static bool cuckoo_insert(union classifier_cell *base, uint32_t rules, const struct rule *r)
{
	struct mangle_rule moving = {.key = r->key, .service = r->service};
	uint32_t at = mangle_match_cell(mangle_match_hash(&moving.key), 0, rules);

	for (uint32_t i = 0; i < 64 + rules; i++) {
		struct mangle_rule evicted = base[at].rule;
		uint32_t first, second;
		uint64_t hash;

		base[at].rule = moving;
		if (!evicted.service)
			return true;
		hash = mangle_match_hash(&evicted.key);
		first = mangle_match_cell(hash, 0, rules);
		second = mangle_match_cell(hash, 1, rules);
		at = at == first ? second : first;
		moving = evicted;
	}
	return false;
}

/* Appends the cuckoo hash of one tuple's n rules to the cells. */
static int append_rules(struct cells *l, const struct rule *r, uint32_t n, uint32_t *first,
			uint32_t *cells)
{
	uint32_t size = 1;

	while (n > 1 && size < 2 * n)
		size *= 2;
	for (;; size *= 2) {
		uint32_t i;
		int err = size > n * 1024 ? -E2BIG : reserve(l, size);

		if (err)
			return err;
		memset(&l->cell[l->count], 0, size * sizeof(*l->cell));
		for (i = 0; i < n; i++)
			if (!cuckoo_insert(&l->cell[l->count], size, &r[i]))
				break;
		if (i == n)
			break;
	}
	*first = l->count;
	*cells = size;
	l->count += size;
	return 0;
}

/* Appends the tuples of one port, and their rules; *start is the cell of the first tuple. */
static int append_port(struct cells *l, const struct model *m, const struct user *users,
		       uint32_t user_count, uint32_t *start, struct err *e)
{
	const char *name = m->services[users[0].service].name;
	struct rule *rules = calloc(user_count,
				    sizeof(*rules) * MANGLE_MAX_PREFIXES * MANGLE_MAX_PREFIXES);
	uint32_t n = 0, tuples = 0, at = 0;
	int err = 0;

	if (!rules)
		return fail(e, -ENOMEM, name, "building the classifier: out of memory");
	for (uint32_t i = 0; i < user_count; i++)
		n += expand(&m->services[users[i].service], users[i].service + 1U, &rules[n]);
	qsort(rules, n, sizeof(*rules), by_rank);
	for (uint32_t i = 0; i < n; i++)
		tuples += !i || !same_tuple(&rules[i], &rules[i - 1]);
	if (tuples > MANGLE_MAX_TUPLES) {
		err = fail(
			e, -E2BIG, name,
			"matching port %u: %u different combinations of prefix lengths, interface and protocol, at most %d can be tried for a packet (use fewer lengths)",
			users[0].port, tuples, MANGLE_MAX_TUPLES);
		goto out;
	}
	/* Where the services of this port match no packet at all, there is one tuple without rules.
	 */
	err = reserve(l, tuples ? tuples : 1);
	if (err)
		goto out_errno;
	*start = l->count;
	l->count += tuples ? tuples : 1;
	memset(&l->cell[*start], 0, (l->count - *start) * sizeof(*l->cell));
	for (uint32_t tuple = *start; at < n; tuple++) {
		uint32_t first, cells, same = 1;

		while (at + same < n && same_tuple(&rules[at + same], &rules[at]))
			same++;
		err = append_rules(l, &rules[at], same, &first, &cells);
		if (err)
			goto out_errno;
		l->cell[tuple].tuple = (struct mangle_tuple){
			.mask = rules[at].mask,
			.first = first,
			.rules = cells,
		};
		at += same;
	}
	if (tuples) {
		l->cell[*start + tuples - 1].tuple.rules |= MANGLE_TUPLE_LAST;
	} else {
		uint32_t empty;

		err = reserve(l, 1);
		if (err)
			goto out_errno;
		empty = l->count++;
		memset(&l->cell[empty], 0, sizeof(*l->cell));
		l->cell[*start].tuple.first = empty;
		l->cell[*start].tuple.rules = 1 | MANGLE_TUPLE_LAST;
	}
out_errno:
	if (err)
		fail(e, err, name, "building the classifier: %s", strerror(-err));
out:
	free(rules);
	return err;
}

static bool by_port_alone(const struct service *s)
{
	return !s->daddr_count && !s->saddr_count && !s->ifname[0];
}

/* Returns the entries of the port before this one where it has the same services, else NULL. Ports
 * of one service are mostly neighbours, so looking back once is enough to share tuples. */
static const struct user *same_users(const struct user *users, const struct user *of,
				     uint32_t count)
{
	if (of - users < (long)count)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		if (of[i].service != (of - count)[i].service ||
		    (of - count)[i].port != (of - 1)->port)
			return NULL;
	if (of - count > users && (of - count - 1)->port == (of - 1)->port)
		return NULL;
	return of - count;
}

int classify(const struct model *m, struct mangle_config *config, union classifier_cell **cells,
	     uint32_t *count, struct err *e)
{
	struct user *users = calloc((size_t)m->service_count + 1,
				    sizeof(*users) * MANGLE_MAX_PORTS);
	struct cells l = {0};
	uint32_t n = 0, same;
	int err = 0;

	if (!users)
		return fail(e, -ENOMEM, "services", "building the classifier: out of memory");
	memset(config->port, 0, sizeof(config->port));
	for (uint32_t i = 0; i < m->service_count; i++) {
		if (m->services[i].disabled)
			continue;
		for (unsigned int p = 0; p < m->services[i].port_count; p++)
			users[n++] = (struct user){m->services[i].ports[p], (uint16_t)i};
	}
	qsort(users, n, sizeof(*users), by_port);

	for (uint32_t i = 0; i < n && !err; i += same) {
		const struct user *before;
		uint32_t start = 0;

		for (same = 1; i + same < n && users[i + same].port == users[i].port;)
			same++;
		if (same == 1 && by_port_alone(&m->services[users[i].service])) {
			config->port[users[i].port] = users[i].service + 1U;
			continue;
		}
		before = same_users(users, &users[i], same);
		if (before) {
			config->port[users[i].port] = config->port[before->port];
			continue;
		}
		err = append_port(&l, m, &users[i], same, &start, e);
		if (!err)
			config->port[users[i].port] = start | MANGLE_PORT_TUPLES;
	}
	free(users);
	if (err) {
		free(l.cell);
		return err;
	}
	*cells = l.cell;
	*count = l.count;
	return 0;
}
