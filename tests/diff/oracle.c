// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "oracle.h"
#include "sum.h"

enum {
	ETH_IP4 = 0x0800,
	ETH_IP6 = 0x86dd,
	ETH_8021Q = 0x8100,
	ETH_8021AD = 0x88a8,
	HOP_BY_HOP = 0,
	TCP = 6,
	UDP = 17,
	ROUTING = 43,
	FRAGMENT = 44,
	DESTINATION = 60,
	MAX_EXTENSIONS = 8,
};

/* What is found out on the way down. Offsets are from the frame's first byte. */
struct view {
	const uint8_t *frame;
	size_t len;
	unsigned int family;
	size_t addrs; /* source, then destination */
	uint8_t proto;
	size_t l4, l4_end; /* what the IP header says is the transport's */
	bool fragment;	   /* a first one of several */
	uint16_t dport;
	size_t payload;	    /* where it begins */
	uint32_t size;	    /* what the transport says it has */
	size_t payload_end; /* as far as it is there */
	uint32_t l4_len;    /* what the pseudo-header has */
	size_t checksum;    /* where it lies */
};

/* Row 1. Returns the offset of the IP header, 0 where there is none. */
static size_t walk_ethernet(struct view *v)
{
	size_t at = 12;

	for (int tags = 0; tags <= 2; tags++, at += 4) {
		uint16_t type;

		if (at + 2 > v->len)
			return 0;
		type = get16(v->frame + at);
		if (type == ETH_IP4 || type == ETH_IP6) {
			v->family = type == ETH_IP4 ? 4 : 6;
			return at + 2;
		}
		if (type != ETH_8021Q && type != ETH_8021AD)
			return 0;
	}
	return 0;
}

static enum mangle_reason walk_ip4(struct view *v, size_t ip)
{
	const uint8_t *h = v->frame + ip;
	size_t header, total;
	uint16_t frag;

	if (ip + 20 > v->len || h[0] >> 4 != 4)
		return REASON_MALFORMED_IP;
	header = (h[0] & 15) * 4U;
	total = get16(h + 2);
	if (header < 20 || ip + header > v->len || total < header || ip + total > v->len)
		return REASON_MALFORMED_IP;
	frag = get16(h + 6);
	if (frag & 0x1fff)
		return REASON_LATER_FRAGMENT;
	v->fragment = frag & 0x2000;
	v->proto = h[9];
	v->addrs = ip + 12;
	v->l4 = ip + header;
	v->l4_end = ip + total;
	return REASON_NONE;
}

static enum mangle_reason walk_ip6(struct view *v, size_t ip)
{
	const uint8_t *h = v->frame + ip;
	size_t at = ip + 40, end;
	uint8_t next;

	if (ip + 40 > v->len || h[0] >> 4 != 6 || !get16(h + 4))
		return REASON_MALFORMED_IP;
	end = at + get16(h + 4);
	if (end > v->len)
		return REASON_MALFORMED_IP;
	next = h[6];
	for (int n = 1;
	     next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT || next == DESTINATION;
	     n++) {
		const uint8_t *x = v->frame + at;
		size_t size;

		if (n > MAX_EXTENSIONS)
			return REASON_NOT_UDP_TCP;
		if (at + 8 > end)
			return REASON_MALFORMED_IP;
		size = next == FRAGMENT ? 8 : (x[1] + 1U) * 8;
		if (at + size > end)
			return REASON_MALFORMED_IP;
		if (next == FRAGMENT) {
			if (get16(x + 2) >> 3)
				return REASON_LATER_FRAGMENT;
			if (x[3] & 1)
				v->fragment = true;
		}
		if (next == ROUTING && x[3])
			return REASON_ROUTING_HEADER;
		next = x[0];
		at += size;
	}
	v->proto = next;
	v->addrs = ip + 8;
	v->l4 = at;
	v->l4_end = end;
	return REASON_NONE;
}

/* Row 6. False where the header is malformed. */
static bool walk_udp(struct view *v)
{
	size_t there = v->l4_end - v->l4;
	uint16_t length;

	if (there < 8)
		return false;
	length = get16(v->frame + v->l4 + 4);
	if (length < 8 || (length > there && !v->fragment))
		return false;
	v->payload = v->l4 + 8;
	v->size = length - 8U;
	v->payload_end = length < there ? v->l4 + length : v->l4_end;
	v->l4_len = length;
	v->checksum = v->l4 + 6;
	return true;
}

static bool walk_tcp(struct view *v)
{
	size_t there = v->l4_end - v->l4, header;

	if (there < 20)
		return false;
	header = (v->frame[v->l4 + 12] >> 4) * 4U;
	if (header < 20 || header > there)
		return false;
	v->payload = v->l4 + header;
	v->size = (uint32_t)(there - header);
	v->payload_end = v->l4_end;
	v->l4_len = (uint32_t)there;
	v->checksum = v->l4 + 16;
	return true;
}

/* Rows 1 to 6. *ports: the two ports could be read. */
static enum mangle_reason walk(struct view *v, bool *ports)
{
	size_t ip = walk_ethernet(v);
	enum mangle_reason r;

	*ports = false;
	if (!ip)
		return REASON_NOT_IP;
	r = v->family == 4 ? walk_ip4(v, ip) : walk_ip6(v, ip);
	if (r != REASON_NONE)
		return r;
	if (v->proto != UDP && v->proto != TCP)
		return REASON_NOT_UDP_TCP;
	if (v->proto == TCP && v->fragment)
		return REASON_TCP_FRAGMENT;
	if (v->l4_end - v->l4 >= 4) {
		*ports = true;
		v->dport = get16(v->frame + v->l4 + 2);
	}
	return (v->proto == UDP ? walk_udp(v) : walk_tcp(v)) ? REASON_NONE : REASON_MALFORMED_L4;
}

/* ---- row 7 -------------------------------------------------------------------------------- */

static bool in_prefix(const struct prefix *p, const uint8_t *addr, unsigned int family)
{
	if (p->family != family)
		return false;
	for (unsigned int bit = 0; bit < p->len; bit++) {
		if ((p->addr[bit / 8] ^ addr[bit / 8]) & 0x80 >> bit % 8)
			return false;
	}
	return true;
}

/* Bits of the longest one, -1 where none is asked for, -2 where none matches. */
static int longest(const struct prefix *p, unsigned int count, const uint8_t *addr,
		   unsigned int family)
{
	int best = count ? -2 : -1;

	for (unsigned int i = 0; i < count; i++) {
		if (in_prefix(&p[i], addr, family) && p[i].len > best)
			best = p[i].len;
	}
	return best;
}

static bool has_port(const struct service *s, uint16_t port)
{
	for (unsigned int i = 0; i < s->port_count; i++) {
		if (s->ports[i] == port)
			return true;
	}
	return false;
}

static const struct service *find_service(const struct model *m, const char *ifname,
					  const struct view *v)
{
	const uint8_t *saddr = v->frame + v->addrs, *daddr = saddr + (v->family == 4 ? 4 : 16);
	uint8_t proto = v->proto == UDP ? MANGLE_PROTO_UDP : MANGLE_PROTO_TCP;
	const struct service *best = NULL;
	int best_rank[4] = {0};

	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];
		int rank[4], k = 0;

		if (!(s->protocols & proto) || !has_port(s, v->dport))
			continue;
		if (s->ifname[0] && strcmp(s->ifname, ifname) != 0)
			continue;
		rank[0] = longest(s->daddr, s->daddr_count, daddr, v->family);
		rank[1] = longest(s->saddr, s->saddr_count, saddr, v->family);
		rank[2] = s->ifname[0] != 0;
		rank[3] = s->protocols == proto;
		if (rank[0] == -2 || rank[1] == -2)
			continue;
		while (best && k < 3 && rank[k] == best_rank[k])
			k++;
		if (!best || rank[k] > best_rank[k]) {
			best = s;
			memcpy(best_rank, rank, sizeof(rank));
		}
	}
	return best;
}

/* ---- rows 8 to 14 ------------------------------------------------------------------------- */

static const struct entity *find_entity(const struct service *s, const uint8_t *bytes)
{
	size_t low = 0, high = s->entity_count;
	uint8_t tag[MANGLE_MAX_TAG] = {0};

	for (unsigned int i = 0; i < s->tag_len; i++)
		tag[i] = (uint8_t)(bytes[i] & (0xff ^ s->tag_ignored[i]));

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = memcmp(tag, s->entities[middle].tag, s->tag_len);

		if (!order)
			return &s->entities[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Where the tag begins, 0 where the payload ends before it does. */
static size_t find_tag(const struct service *s, const struct view *v)
{
	int64_t from = s->tag_offset < 0 ? (int64_t)v->size + s->tag_offset : s->tag_offset;

	if (from < 0 || from + s->tag_len > (int64_t)v->size ||
	    v->payload + (size_t)from + s->tag_len > v->payload_end)
		return 0;
	return v->payload + (size_t)from;
}

static bool outside(const struct window *w, uint32_t size, enum mangle_reason *r)
{
	if (size < w->min)
		*r = REASON_TOO_SHORT;
	else if (size > w->max)
		*r = REASON_TOO_LONG;
	else
		return false;
	return true;
}

static enum mangle_verdict verdict_of(uint8_t action)
{
	return action == ACTION_DROP   ? VERDICT_DROPPED
	       : action == ACTION_PORT ? VERDICT_REWRITTEN
				       : VERDICT_PASSED;
}

/* Rows 8 to 14: sets reason, would and entity; returns the port to be given where one is. */
static uint16_t apply_service(const struct service *s, const struct view *v, struct judgement *j)
{
	const struct entity *en;
	size_t tag;

	if (v->proto == TCP && !v->size) {
		j->reason = REASON_NO_PAYLOAD;
		j->would = VERDICT_PASSED;
		return 0;
	}
	j->would = verdict_of(s->invalid);
	if (outside(&s->size, v->size, &j->reason))
		return 0;
	tag = find_tag(s, v);
	if (!tag) {
		j->reason = REASON_NO_TAG;
		return 0;
	}
	en = find_entity(s, v->frame + tag);
	if (!en) {
		j->reason = REASON_UNKNOWN_TAG;
		j->would = verdict_of(s->unknown.action);
		return s->unknown.port;
	}
	j->entity = en;
	if (en->has_size && outside(&en->size, v->size, &j->reason))
		return 0;
	j->reason = en->target.action == ACTION_DROP   ? REASON_ENTITY_DROP
		    : en->target.action == ACTION_PASS ? REASON_ENTITY_PASS
						       : REASON_REWRITTEN;
	j->would = verdict_of(en->target.action);
	return en->target.port;
}

/* ---- the checksum ------------------------------------------------------------------------- */

static uint64_t pseudo(const struct view *v)
{
	return sum_pseudo(v->frame + v->addrs, v->family, v->proto, v->l4_len);
}

static bool verifies(const struct view *v)
{
	return fold(sum_bytes(pseudo(v), v->frame + v->l4, v->l4_len)) == 0xffff;
}

static void give_port(const struct view *v, uint8_t *frame, uint16_t port, bool *partial)
{
	uint16_t old = get16(frame + v->checksum), sum;

	if (port == v->dport)
		return;
	if (v->proto == UDP && !old) {
		put16(frame + v->l4 + 2, port);
		return;
	}
	*partial = !v->fragment && old == fold(pseudo(v)) && !verifies(v);
	put16(frame + v->l4 + 2, port);
	if (*partial)
		return;
	/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m') */
	sum = (uint16_t)~fold((uint64_t)(uint16_t)~old + (uint16_t)~v->dport + port);
	if (v->proto == UDP && !sum)
		sum = 0xffff;
	put16(frame + v->checksum, sum);
}

void oracle_judge(const struct model *m, const char *ifname, uint8_t *frame, size_t len,
		  struct judgement *j)
{
	struct view v = {.frame = frame, .len = len};
	uint16_t port = 0;
	bool ports;

	*j = (struct judgement){.verdict = VERDICT_PASSED, .would = VERDICT_PASSED};
	j->reason = walk(&v, &ports);
	if (ports)
		j->service = find_service(m, ifname, &v);
	if (j->reason == REASON_NONE && !j->service)
		j->reason = REASON_NO_SERVICE;
	else if (j->reason == REASON_NONE)
		port = apply_service(j->service, &v, j);
	else if (j->service) /* malformed_l4 */
		j->would = verdict_of(j->service->invalid);
	j->verdict = j->would;
	if (j->service && j->service->observe)
		j->verdict = VERDICT_PASSED;
	else if (j->verdict == VERDICT_REWRITTEN)
		give_port(&v, frame, port, &j->partial);
}

enum checksum oracle_checksum(const uint8_t *frame, size_t len)
{
	struct view v = {.frame = frame, .len = len};
	bool ports;

	if (walk(&v, &ports) != REASON_NONE || v.fragment ||
	    (v.proto == UDP && !get16(frame + v.checksum)))
		return CHECKSUM_NONE;
	return verifies(&v) ? CHECKSUM_RIGHT : CHECKSUM_WRONG;
}

void oracle_finish(uint8_t *frame, size_t len)
{
	struct view v = {.frame = frame, .len = len};
	bool ports;

	uint16_t sum;

	if (walk(&v, &ports) != REASON_NONE)
		return;
	/* The field has the pseudo-header's sum already. */
	sum = (uint16_t)~fold(sum_bytes(0, frame + v.l4, v.l4_len));
	put16(frame + v.checksum, v.proto == UDP && !sum ? 0xffff : sum);
}
