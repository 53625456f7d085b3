// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "frames.h"
#include "services.h"
#include "sum.h"

enum { TCP = 6, UDP = 17, HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60 };
#define MORE 0x2000
#define OFFSET 0x1fff
#define MAX_PAYLOAD 65400
#define MAX_LONG 2 /* extension headers of 2,048 bytes in a frame */

/* ---- the plan ----------------------------------------------------------------------------- */

/* An address within one of the prefixes where there are some of this family, or just outside. */
static void draw_addr(struct chance *c, const struct prefix *prefixes, unsigned int count,
		      unsigned int family, uint8_t *addr)
{
	const struct prefix *p = count ? &prefixes[below(c, count)] : NULL;

	draw_address(c, family, addr);
	if (!p || p->family != family || mille(c, 50))
		return;
	for (unsigned int bit = 0; bit < p->len; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		addr[bit / 8] = (uint8_t)((addr[bit / 8] & ~mask) | (p->addr[bit / 8] & mask));
	}
	if (p->len && mille(c, 60))
		addr[(p->len - 1) / 8] ^= (uint8_t)(0x80 >> (p->len - 1) % 8);
}

static unsigned int draw_family(struct chance *c, const struct service *s)
{
	if (s && s->daddr_count && mille(c, 950))
		return s->daddr[below(c, s->daddr_count)].family;
	if (s && s->saddr_count && mille(c, 950))
		return s->saddr[below(c, s->saddr_count)].family;
	return mille(c, 500) ? 4 : 6;
}

static uint8_t draw_proto(struct chance *c, const struct service *s)
{
	if (mille(c, 15))
		return (uint8_t)(mille(c, 300) ? between(c, 0, 255)
					       : ONE_OF(c, 1, 2, 50, 51, 58, 59, 132, 136));
	if (!s || s->protocols == (MANGLE_PROTO_UDP | MANGLE_PROTO_TCP) || mille(c, 20))
		return mille(c, 500) ? UDP : TCP;
	return s->protocols == MANGLE_PROTO_UDP ? UDP : TCP;
}

/* Payload sizes at which something changes. */
static int32_t draw_edge(struct chance *c, const struct service *s, const struct entity *en)
{
	switch (below(c, en && en->has_size ? 5 : 3)) {
	case 0: return s->size.min;
	case 1: return s->size.max;
	case 2: return s->tag_offset < 0 ? -s->tag_offset : s->tag_offset + s->tag_len;
	case 3: return en->size.min;
	default: return en->size.max;
	}
}

static size_t draw_size(struct chance *c, const struct service *s, const struct entity *en)
{
	int32_t size = between(c, 0, 80);
	int32_t need = !s ? 0 : s->tag_offset < 0 ? -s->tag_offset : s->tag_offset + s->tag_len;

	if (s && mille(c, 400))
		size = draw_edge(c, s, en) + between(c, -1, 1);
	else if (s && mille(c, 800)) {
		size += need > s->size.min ? need : s->size.min;
		if (size > s->size.max)
			size = s->size.max;
	}
	if (mille(c, 100))
		size = between(c, 0, 1480);
	if (size > 1480 && !mille(c, 5))
		size = between(c, 0, 80);
	/* Several buffers: what is in the first one, around 3,500 bytes, and all sizes. */
	if (mille(c, 3))
		size = mille(c, 500)   ? between(c, 3300, 3600)
		       : mille(c, 900) ? between(c, 1480, 9000)
				       : between(c, 9000, MAX_PAYLOAD);
	return (size_t)(size < 0 ? 0 : size > MAX_PAYLOAD ? MAX_PAYLOAD : size);
}

static const struct entity *draw_entity(struct chance *c, const struct service *s)
{
	return s && s->entity_count ? &s->entities[below(c, (uint32_t)s->entity_count)] : NULL;
}

void plan_frame(struct chance *c, const struct model *m, struct plan *p)
{
	const struct service *s = mille(c, 960) ? &m->services[below(c, m->service_count)] : NULL;

	*p = (struct plan){.service = s, .entity = mille(c, 850) ? draw_entity(c, s) : NULL};
	p->family = draw_family(c, s);
	draw_addr(c, s ? s->saddr : NULL, s ? s->saddr_count : 0, p->family, p->src);
	draw_addr(c, s ? s->daddr : NULL, s ? s->daddr_count : 0, p->family, p->dst);
	p->proto = draw_proto(c, s);
	p->sport = (uint16_t)draw(c);
	p->dport = s ? s->ports[below(c, s->port_count)] : draw_port(c);
	if (mille(c, 50))
		p->dport = (uint16_t)(p->dport + ONE_OF(c, -1, 1, 256, 0x8000));
	if (mille(c, 20)) { /* the other port is the service's */
		p->sport = p->dport;
		p->dport = draw_port(c);
	}
	p->vlans = (unsigned int)(mille(c, 800) ? 0 : ONE_OF(c, 1, 1, 2, 2, 3));
	p->options = mille(c, 850) ? 0 : 1 + below(c, 10);
	p->extensions = mille(c, 700) ? 0 : mille(c, 700) ? 1 + below(c, 3) : 7 + below(c, 4);
	if (mille(c, 60))
		p->frag = (uint16_t)ONE_OF(c, MORE, MORE, MORE, 1, OFFSET, MORE | 1, 0x4000, 0x8000,
					   0x4000 | MORE, 0x1000, 0x100, 185);
	p->payload = draw_size(c, s, p->entity);
	p->sum = mille(c, 400) ? SUM_RIGHT : (enum sum_kind)below(c, SUM_KINDS);
	p->odd = mille(c, 350);
}

bool plan_plain(struct chance *c, const struct service *s, struct plan *p)
{
	int32_t need = s->tag_offset < 0 ? -s->tag_offset : s->tag_offset + s->tag_len;

	*p = (struct plan){.service = s, .entity = draw_entity(c, s)};
	if (!p->entity || need > 9000)
		return false;
	p->family = draw_family(c, s);
	draw_addr(c, s->saddr, s->saddr_count, p->family, p->src);
	draw_addr(c, s->daddr, s->daddr_count, p->family, p->dst);
	p->proto = s->protocols == MANGLE_PROTO_UDP   ? UDP
		   : s->protocols == MANGLE_PROTO_TCP ? TCP
		   : mille(c, 500)		      ? UDP
						      : TCP;
	p->sport = (uint16_t)draw(c);
	p->dport = s->ports[below(c, s->port_count)];
	p->vlans = mille(c, 800) ? 0 : below(c, 3);
	p->options = mille(c, 800) ? 0 : below(c, 11);
	p->extensions = mille(c, 800) ? 0 : below(c, 4);
	p->payload = (size_t)(need + (mille(c, 950) ? between(c, 0, 60) : between(c, 0, 1400)));
	return true;
}

/* ---- the bytes ---------------------------------------------------------------------------- */

struct maker {
	struct chance *c;
	const struct plan *p;
	uint8_t *frame;
	size_t ip, next_at; /* IP header; where the last one says what comes next */
	size_t l4, len;
};

static void make_ethernet(struct maker *m)
{
	uint16_t type = m->p->family == 4 ? 0x0800 : 0x86dd;
	size_t at = 12;

	draw_bytes(m->c, m->frame, 12);
	for (unsigned int i = 0; i < m->p->vlans; i++, at += 4) {
		put16(m->frame + at,
		      (uint16_t)(mille(m->c, 970) ? ONE_OF(m->c, 0x8100, 0x88a8)
						  : ONE_OF(m->c, 0x9100, 0x8101, 0x88a7)));
		put16(m->frame + at + 2, (uint16_t)draw(m->c));
	}
	if (m->p->odd && mille(m->c, 40))
		type = (uint16_t)(mille(m->c, 700) ? ONE_OF(m->c, 0x0806, 0x0800, 0x86dd, 0x8100,
							    0x88a8, 0x0801, 0x8864)
						   : (int32_t)below(m->c, 65536));
	put16(m->frame + at, type);
	m->ip = at + 2;
}

static void make_ip4(struct maker *m)
{
	uint8_t *h = m->frame + m->ip;

	draw_bytes(m->c, h, 20 + 4 * m->p->options);
	h[0] = (uint8_t)(0x45 + m->p->options);
	put16(h + 6, m->p->frag);
	m->next_at = m->ip + 9;
	memcpy(h + 12, m->p->src, 4);
	memcpy(h + 16, m->p->dst, 4);
	m->l4 = m->ip + 20 + 4 * m->p->options;
}

/* Returns where it ends. */
static size_t make_extension(struct maker *m, size_t at, bool fragment, unsigned int *longs)
{
	uint8_t *x = m->frame + at;
	size_t size = 8;

	m->frame[m->next_at] = (uint8_t)(fragment ? FRAGMENT
						  : ONE_OF(m->c, HOP_BY_HOP, ROUTING, DESTINATION));
	draw_bytes(m->c, x, 8);
	if (fragment) {
		put16(x + 2, (uint16_t)((m->p->frag & OFFSET) << 3 | below(m->c, 4) << 1 |
					(m->p->frag & MORE ? 1 : 0)));
	} else {
		x[1] = (uint8_t)(mille(m->c, 700) ? 0 : below(m->c, 4));
		if (*longs < MAX_LONG && m->p->payload < 50000 && mille(m->c, 4)) {
			x[1] = 255;
			(*longs)++;
		}
		size = (x[1] + 1U) * 8;
		draw_bytes(m->c, x + 8, size - 8);
		if (m->frame[m->next_at] == ROUTING)
			x[3] = (uint8_t)(m->p->odd && mille(m->c, 200)
						 ? ONE_OF(m->c, 1, 1, 2, 128, 255)
						 : 0);
	}
	m->next_at = at;
	return at + size;
}

static void make_ip6(struct maker *m)
{
	unsigned int n = m->p->extensions, fragment_at = n, longs = 0;
	uint8_t *h = m->frame + m->ip;
	size_t at = m->ip + 40;

	draw_bytes(m->c, h, 8);
	h[0] = (uint8_t)(0x60 | (h[0] & 15));
	m->next_at = m->ip + 6;
	memcpy(h + 8, m->p->src, 16);
	memcpy(h + 24, m->p->dst, 16);
	/* Flags that IPv6 does not have make it an atomic fragment. */
	if (m->p->frag)
		fragment_at = below(m->c, n + 1);
	for (unsigned int i = 0; i <= n; i++) {
		if (i == fragment_at && m->p->frag)
			at = make_extension(m, at, true, &longs);
		if (i < n)
			at = make_extension(m, at, m->p->odd && mille(m->c, 10), &longs);
	}
	m->l4 = at;
}

static void make_payload(struct maker *m, size_t at)
{
	const struct service *s = m->p->service;
	size_t from;

	draw_bytes(m->c, m->frame + at, m->p->payload);
	m->len = at + m->p->payload;
	if (!s || (!m->p->entity && !mille(m->c, 200)))
		return;
	from = s->tag_offset < 0 ? m->p->payload - (size_t)-s->tag_offset : (size_t)s->tag_offset;
	if (from > m->p->payload || from + s->tag_len > m->p->payload)
		return;
	if (!m->p->entity) {
		memset(m->frame + at + from, 0, s->tag_len);
		return;
	}
	for (unsigned int i = 0; i < s->tag_len; i++) /* bits that do not count stay as drawn */
		m->frame[at + from + i] = (uint8_t)((m->frame[at + from + i] & s->tag_ignored[i]) |
						    m->p->entity->tag[i]);
	if (m->p->odd && mille(m->c, 100))
		m->frame[at + from + below(m->c, s->tag_len)] ^= (uint8_t)(1 << below(m->c, 8));
}

static void make_l4(struct maker *m)
{
	uint8_t *h = m->frame + m->l4;

	m->frame[m->next_at] = m->p->proto;
	put16(h, m->p->sport);
	put16(h + 2, m->p->dport);
	if (m->p->proto == TCP) {
		unsigned int words = 5 + (mille(m->c, 700) ? 0 : below(m->c, 11));

		draw_bytes(m->c, h + 4, words * 4 - 4);
		h[12] = (uint8_t)(words << 4 | (h[12] & 15));
		make_payload(m, m->l4 + words * 4);
	} else {
		make_payload(m, m->l4 + 8);
		put16(h + 4, (uint16_t)(m->len - m->l4));
	}
}

/* The IP header's word on how much there is. */
static size_t length_at(const struct maker *m)
{
	return m->ip + (m->p->family == 4 ? 2 : 4);
}

static void set_length(struct maker *m)
{
	put16(m->frame + length_at(m), (uint16_t)(m->len - m->ip - (m->p->family == 4 ? 0 : 40)));
}

/* ---- what is odd about it ----------------------------------------------------------------- */

static void change16(struct chance *c, uint8_t *p, uint16_t fitting)
{
	switch (below(c, 5)) {
	case 0: put16(p, (uint16_t)(get16(p) + ONE_OF(c, -1, 1))); break;
	case 1: put16(p, (uint16_t)(get16(p) + between(c, -30, 30))); break;
	case 2: put16(p, (uint16_t)ONE_OF(c, 0, 1, 7, 8, 19, 20, 39, 40, 65535)); break;
	case 3: put16(p, (uint16_t)(fitting + between(c, -1, 1))); break;
	default: p[below(c, 2)] ^= (uint8_t)(1 << below(c, 8));
	}
}

static void be_odd(struct maker *m)
{
	struct chance *c = m->c;
	uint8_t *ip = m->frame + m->ip, *l4 = m->frame + m->l4;
	size_t header = m->p->proto == TCP ? 20 : 8;

	switch (below(c, 10)) {
	case 0: /* first byte of the IP header: version, IHL */
		*ip = (uint8_t)(mille(c, 500) ? (*ip & 15) | below(c, 16) << 4
					      : (*ip & 0xf0) | below(c, 16));
		break;
	case 1:
	case 2:
		change16(c, m->frame + length_at(m),
			 (uint16_t)(m->l4 - m->ip - (m->p->family == 4 ? 0 : 40) +
				    (mille(c, 500) ? 0 : header)));
		break;
	case 3:
	case 4: /* UDP length; TCP data offset */
		if (m->p->proto == TCP)
			l4[12] = (uint8_t)((l4[12] & 15) | below(c, 16) << 4);
		else
			change16(c, l4 + 4, 8);
		break;
	case 5: /* not enough for the transport header, or just enough, and all say so */
	case 6:
		m->len = m->l4 + below(c, (uint32_t)header + 3);
		set_length(m);
		break;
	case 7: /* the frame ends where it should not */
		m->len -= below(c, (uint32_t)(m->len - FRAME_MIN) + 1);
		if (mille(c, 500))
			m->len = m->l4 + below(c, (uint32_t)header + 2);
		break;
	case 8: /* an extension header's length, or anything else that says what comes next */
		m->frame[m->next_at + (m->next_at >= m->ip + 40)] = (uint8_t)below(c, 256);
		break;
	default: /* what follows is not part of it */
		if (m->len + 60 < FRAME_MAX) {
			uint32_t more = 1 + below(c, 60);

			draw_bytes(c, m->frame + m->len, more);
			m->len += more;
		}
	}
}

/* ---- checksum ----------------------------------------------------------------------------- */

/* Makes the right checksum be `want`, by the source port. */
static void tune(uint8_t *l4, uint64_t rest, uint16_t want)
{
	put16(l4, fold((uint64_t)(uint16_t)~want + (uint16_t)~fold(rest)));
}

static void make_sum(struct maker *m)
{
	const struct plan *p = m->p;
	uint8_t *l4 = m->frame + m->l4, *at = l4 + (p->proto == TCP ? 16 : 6);
	size_t there = m->len > m->l4 ? m->len - m->l4 : 0, len = there;
	uint64_t rest, pseudo;
	uint16_t right, port;

	if (there < (p->proto == TCP ? 20 : 8))
		return;
	/* A first fragment's UDP length is the whole datagram's. */
	pseudo = sum_pseudo(m->frame + m->ip + (p->family == 4 ? 12 : 8), p->family, p->proto,
			    p->proto == UDP ? get16(l4 + 4) : (uint32_t)len);
	if (p->proto == UDP && get16(l4 + 4) < there)
		len = get16(l4 + 4);
	port = p->entity && p->entity->target.port ? p->entity->target.port : 6001;
	put16(at, 0);
	if (p->sum >= SUM_CHANCE) {
		put16(l4, 0);
		rest = sum_bytes(pseudo, l4, len);
		tune(l4, rest,
		     p->sum == SUM_CHANCE ? fold(pseudo)
		     : p->sum == SUM_EDGE ? (uint16_t)ONE_OF(m->c, 0, 0xffff, 1, 0xfffe)
					  : (uint16_t)~fold((uint64_t)p->dport + (uint16_t)~port));
	}
	right = (uint16_t)~fold(sum_bytes(pseudo, l4, len));
	if (p->proto == UDP && !right)
		right = 0xffff;
	switch (p->sum) {
	case SUM_NEAR:
		right = fold((uint64_t)right + (uint32_t)ONE_OF(m->c, 1, 2, 0x100, 0xfffe, 0xfffd));
		break;
	case SUM_RANDOM: right = (uint16_t)draw(m->c); break;
	case SUM_ZERO: right = 0; break;
	case SUM_FFFF: right = 0xffff; break;
	case SUM_PARTIAL: right = fold(pseudo); break;
	default: break;
	}
	put16(at, right);
}

size_t build_frame(struct chance *c, const struct plan *p, uint8_t *frame)
{
	struct maker m = {.c = c, .p = p, .frame = frame};

	make_ethernet(&m);
	if (p->family == 4)
		make_ip4(&m);
	else
		make_ip6(&m);
	make_l4(&m);
	set_length(&m);
	if (p->proto == UDP && p->frag & MORE && mille(c, 700))
		put16(frame + m.l4 + 4, (uint16_t)(get16(frame + m.l4 + 4) + below(c, 3000)));
	if (p->odd) {
		be_odd(&m);
		if (mille(c, 200))
			be_odd(&m);
	}
	make_sum(&m);
	if (m.len < 60 && mille(c, 300)) { /* as Ethernet pads it */
		draw_bytes(c, frame + m.len, 60 - m.len);
		m.len = 60;
	}
	return m.len < FRAME_MIN ? FRAME_MIN : m.len > FRAME_MAX ? FRAME_MAX : m.len;
}

size_t mutate_frame(struct chance *c, uint8_t *frame, size_t len, const uint8_t *other,
		    size_t other_len)
{
	for (unsigned int n = 1 + below(c, 3); n; n--) {
		uint32_t at = below(c, (uint32_t)(len < 100 || mille(c, 100) ? len : 100));
		uint32_t more;

		switch (below(c, 7)) {
		case 0:
		case 1: frame[at] ^= (uint8_t)(1 << below(c, 8)); break;
		case 2:
			frame[at] = (uint8_t)ONE_OF(c, 0, 1, 4, 6, 8, 17, 43, 44, 51, 60, 0x45,
						    0x60, 0x7f, 0x80, 0xff);
			break;
		case 3: /* truncated */
			len = FRAME_MIN + below(c, (uint32_t)len - FRAME_MIN + 1);
			break;
		case 4: /* the rest is another's */
			if (at >= other_len)
				break;
			memcpy(frame + at, other + at, other_len - at);
			len = other_len;
			break;
		case 5: /* bytes come in between */
			more = 1 + below(c, 8);
			if (len + more > FRAME_MAX)
				break;
			memmove(frame + at + more, frame + at, len - at);
			draw_bytes(c, frame + at, more);
			len += more;
			break;
		default: /* bytes are missing */
			more = 1 + below(c, 8);
			if (len < FRAME_MIN + more || at + more > len)
				break;
			memmove(frame + at, frame + at + more, len - at - more);
			len -= more;
		}
	}
	return len;
}
