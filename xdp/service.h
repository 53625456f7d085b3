/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which service a packet belongs to. A port that one service has to itself is one look into the
 * index; else the port's tuples are tried in order of precedence (tuple space search, Srinivasan,
 * Suri, Varghese 1999), each a cuckoo hash of two cells for a key.
 */
#ifndef XDP_SERVICE_H
#define XDP_SERVICE_H

#include "../maps/hash.h"
#include "inet.h"
#include "pkt.h"

/* Two words as they lie in memory, little-endian. */
static __always_inline __u64 match_words(const __be32 words[2])
{
	return words[0] | (__u64)words[1] << 32;
}

static __always_inline bool match_fill(const struct pkt *p, struct mangle_match *m)
{
	__be32 from[4], to[4];
	const __be32 *source = p->reversed ? to : from, *dest = p->reversed ? from : to;

	if (!inet_addresses(p, from, to))
		return false;
	m->saddr[0] = match_words(source);
	m->saddr[1] = match_words(source + 2);
	m->daddr[0] = match_words(dest);
	m->daddr[1] = match_words(dest + 2);
	m->ifname[0] = own_ifname[0];
	m->ifname[1] = own_ifname[1];
	m->kind = MANGLE_KIND(p->family, p->proto);
	return true;
}

/* The rule's service where it has this key, else 0; without branches, of which the verifier counts
 * every one in a loop. */
static __always_inline __u32 rule_service(const struct mangle_rule *r, const struct mangle_match *m)
{
	__u64 differ = (r->key.daddr[0] ^ m->daddr[0]) | (r->key.daddr[1] ^ m->daddr[1]) |
		       (r->key.saddr[0] ^ m->saddr[0]) | (r->key.saddr[1] ^ m->saddr[1]) |
		       (r->key.ifname[0] ^ m->ifname[0]) | (r->key.ifname[1] ^ m->ifname[1]) |
		       (r->key.kind ^ m->kind);

	return r->service & (__u32)~mask_if(differ);
}

/*
 * Returns the service (index + 1) of the first tuple that has the packet in a CPU's scratch; 0:
 * none. table: slot of the classifier. cell: of the port's first tuple.
 */
VERIFIED_ONCE __u32 service_by_tuple(__u32 table, __u32 cell)
{
	void *cells = bpf_map_lookup_elem(&tables, &table);
	struct mangle_scratch *scratch = pkt_scratch();
	const struct mangle_match *m;

	if (!cells || !scratch)
		return 0;
	m = &scratch->match;
	for (int i = 0; i < MANGLE_MAX_TUPLES; i++) {
		const struct mangle_tuple *tuple = bpf_map_lookup_elem(cells, &cell);
		const struct mangle_rule *one, *two;
		struct mangle_match key;
		__u32 at, rules, service;
		__u64 hash;

		if (!tuple)
			break;
		key.daddr[0] = m->daddr[0] & tuple->mask.daddr[0];
		key.daddr[1] = m->daddr[1] & tuple->mask.daddr[1];
		key.saddr[0] = m->saddr[0] & tuple->mask.saddr[0];
		key.saddr[1] = m->saddr[1] & tuple->mask.saddr[1];
		key.ifname[0] = m->ifname[0] & tuple->mask.ifname[0];
		key.ifname[1] = m->ifname[1] & tuple->mask.ifname[1];
		key.kind = m->kind & tuple->mask.kind;
		hash = mangle_match_hash(&key);
		rules = tuple->rules & ~MANGLE_TUPLE_LAST;

		at = tuple->first + mangle_match_cell(hash, 0, rules);
		one = bpf_map_lookup_elem(cells, &at);
		at = tuple->first + mangle_match_cell(hash, 1, rules);
		two = bpf_map_lookup_elem(cells, &at);
		if (!one || !two)
			break;
		service = rule_service(one, &key) | rule_service(two, &key);
		if (service)
			return service;
		if (tuple->rules & MANGLE_TUPLE_LAST)
			break;
		cell++;
	}
	return 0;
}

static __always_inline __u32 service_index(const struct pkt *p)
{
	struct mangle_scratch *scratch;
	__u64 port = p->old_port;
	__u32 entry;

	clamp_index(port, 65536);
	entry = p->config->port[port];
	if (likely(!(entry & MANGLE_PORT_TUPLES)))
		return entry;
	scratch = pkt_scratch();
	if (!scratch || !match_fill(p, &scratch->match))
		return 0;
	return service_by_tuple(p->config->classifier, entry & ~MANGLE_PORT_TUPLES);
}

static __always_inline enum mangle_reason find_service(struct pkt *p)
{
	const __u32 zero = 0;
	const struct mangle_service *service;
	void *inner = bpf_map_lookup_elem(&config, &zero);
	__u32 index;

	p->config = inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
	index = p->config ? service_index(p) : 0;
	if (index && index <= MANGLE_MAX_SERVICES) {
		__u64 at = index - 1;

		clamp_index(at, MANGLE_MAX_SERVICES);
		service = &p->config->service[at];
		if (service->protocols & p->proto) {
			p->service = service;
			p->service_index = index;
		}
	}
	if (p->malformed_l4)
		return REASON_MALFORMED_L4;
	return p->service ? REASON_NONE : REASON_NO_SERVICE;
}

/* Is it TCP whose connections are bound to a target, not its segments? */
static __always_inline bool is_connection(const struct pkt *p)
{
	return p->service->connection && p->proto == MANGLE_PROTO_TCP;
}

#endif
