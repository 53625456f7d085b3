/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The builder of frames: see frame.h.
 *
 * Which of one's complement's two zeros a checksum field holds:
 *
 *  - A one's complement sum is 0x0000 only where every summand is 0, and the pseudo-header never
 *    is: the protocol number stands in it. So a packet's sum is in 0x0001..0xffff and its
 *    checksum, the complement, in 0x0000..0xfffe.
 *  - RFC 1624 eqn. 3, HC' = ~(~HC + ~m + m'), has a summand m' that is not 0 (a port given is
 *    1..65535), so HC' too is in 0x0000..0xfffe, for every HC, 0xffff and wrong ones included.
 *  - Modulo 0xffff both say the same. So for a correct packet the result of eqn. 3 is exactly the
 *    checksum computed anew, and for a wrong one it is that plus the error which the field had
 *    before, modulo 0xffff, written as 0x0000..0xfffe. No case is left open.
 *  - UDP writes a result of 0x0000 as 0xffff, wherever it came from; TCP writes 0x0000.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

#define SEGMENT_MAX 65600

static _Noreturn void cannot(const char *what)
{
	fprintf(stderr, "frame.c: a description cannot be built: %s\n", what);
	abort();
}

static uint32_t get(struct opt o, uint32_t otherwise)
{
	return o.set ? o.v : otherwise;
}

static uint8_t *put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

/* RFC 1071: 16-bit words in network order, an odd last byte padded with a zero. */
static uint64_t sum(uint64_t acc, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		acc += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return acc;
}

static uint16_t fold(uint64_t acc)
{
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)acc;
}

static int is6(const struct frame *f)
{
	return f->ip == 6;
}

static size_t address(const struct frame *f, const char *text, const char *otherwise4,
		      const char *otherwise6, uint8_t out[16])
{
	if (!text)
		text = is6(f) ? otherwise6 : otherwise4;
	if (inet_pton(is6(f) ? AF_INET6 : AF_INET, text, out) != 1)
		cannot(text);
	return is6(f) ? 16 : 4;
}

static size_t source(const struct frame *f, uint8_t out[16])
{
	return address(f, f->src, "198.51.100.7", "2001:db8::7", out);
}

static size_t destination(const struct frame *f, uint8_t out[16])
{
	return address(f, f->dst, "192.0.2.9", "2001:db8::9", out);
}

static size_t l4_header(const struct frame *f)
{
	return f->l4 == TCP ? 4u * (f->doff ? f->doff : 5) : 8;
}

static uint64_t pseudo_sum(const struct frame *f, uint32_t len)
{
	uint8_t a[16];
	uint64_t acc = 0;
	size_t n;

	n = source(f, a);
	acc = sum(acc, a, n);
	n = destination(f, a);
	acc = sum(acc, a, n);
	return acc + (len >> 16) + (len & 0xffff) + (f->l4 == TCP ? IPPROTO_TCP : IPPROTO_UDP);
}

/* The whole transport segment, as its sender had it before anything was cut or fragmented. */
static size_t segment(const struct frame *f, uint8_t *seg, struct frame_sums *s)
{
	uint32_t payload = get(f->payload, 32), size, udp_len, covered, in_pseudo;
	uint8_t *p = seg, *body, *check;
	uint64_t pseudo;

	size = (uint32_t)l4_header(f) + payload;
	if (size > SEGMENT_MAX)
		cannot("segment too large");
	udp_len = get(f->udp_len, size);

	p = put16(p, get(f->sport, 40000));
	p = put16(p, get(f->dport, 5000));
	if (f->l4 == TCP) {
		p = put32(p, 0x01020304);
		p = put32(p, 0x05060708);
		*p++ = (uint8_t)(get(f->doff_field, f->doff ? f->doff : 5) << 4);
		*p++ = (uint8_t)get(f->flags, FLAG_PSH | FLAG_ACK);
		p = put16(p, 0x2000);
		check = p;
		p = put32(p, 0);
		body = seg + l4_header(f);
		memset(p, 1, (size_t)(body - p));
		covered = in_pseudo = size;
	} else {
		p = put16(p, udp_len);
		check = p;
		body = put16(p, 0);
		covered = udp_len >= 8 && udp_len < size ? udp_len : size;
		in_pseudo = udp_len;
	}

	/* lower case letters: no table has a tag of them */
	for (uint32_t i = 0; i < payload; i++)
		body[i] = (uint8_t)('a' + (i * 7 + i / 26) % 26);
	if (!f->no_tag) {
		const char *tag = f->tag ? f->tag : "ABCD";
		int64_t n = f->tag_len ? f->tag_len : (int64_t)strlen(tag);
		int64_t at = (int32_t)get(f->at, 0);

		at += at < 0 ? payload : 0;
		for (int64_t i = 0; i < n; i++)
			if (at + i >= 0 && at + i < payload)
				body[at + i] = (uint8_t)tag[i];
	}

	pseudo = pseudo_sum(f, in_pseudo);
	s->pseudo = fold(pseudo);
	if (f->fix.used) {
		uint16_t want = f->fix.pseudo ? (uint16_t)((s->pseudo + f->fix.value) % 0xffff)
					      : f->fix.value;
		uint8_t *word = body + f->fix.at, port[2];
		uint16_t rest;

		if ((f->fix.at & 1) || body - seg + f->fix.at + 2 > covered || want == 0xffff)
			cannot("fix");
		memcpy(port, seg + 2, 2);
		put16(seg + 2, f->fix.port);
		put16(word, 0);
		rest = fold(sum(pseudo, seg, covered));
		/* rest + word has to be the complement of what is wanted, modulo 0xffff */
		put16(word, ((uint32_t)(0xffff - want) + 0xffff - rest) % 0xffff);
		if (fold(sum(pseudo, seg, covered)) != 0xffff - want)
			cannot("fix has no solution");
		memcpy(seg + 2, port, 2);
	}
	s->good = (uint16_t)~fold(sum(pseudo, seg, covered));
	switch (f->csum) {
	case CSUM_GOOD:
	case CSUM_OFF_BY:
		s->field = (uint16_t)(((uint32_t)s->good +
				       (f->csum == CSUM_OFF_BY ? f->csum_arg : 0)) %
				      0xffff);
		if (!s->field && f->l4 == UDP)
			s->field = 0xffff;
		break;
	case CSUM_FIELD: s->field = f->csum_arg; break;
	case CSUM_PSEUDO:
		s->field = f->csum_arg ? (uint16_t)((s->pseudo + f->csum_arg) % 0xffff) : s->pseudo;
		break;
	}
	put16(check, s->field);
	return size;
}

static uint8_t *put_ext(uint8_t *p, const struct ext *e, uint8_t next)
{
	uint8_t *start = p, *end = p + 8 * (e->units + 1);

	memset(p, 0, (size_t)(end - p));
	*p++ = next;
	*p++ = (uint8_t)get(e->len, e->units);
	switch (e->type) {
	case EXT_FRAGMENT:
		p[-1] = 0; /* reserved: it has no length */
		p = put16(p, e->frag);
		put32(p, 0xcafef00d);
		break;
	case EXT_ROUTING:
		*p++ = 0;
		*p++ = e->segleft;
		if (e->units >= 2)
			put(start + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x0a", 16);
		break;
	case EXT_HOPBYHOP:
	case EXT_DESTINATION:
		while (p < end) { /* PadN */
			size_t n = (size_t)(end - p - 2);

			n = n > 255 ? 240 : n;
			*p++ = 1;
			*p++ = (uint8_t)n;
			p += n;
		}
		break;
	}
	return end;
}

static size_t build(const struct frame *f, const uint8_t *seg, size_t size, uint8_t *out)
{
	size_t kept = get(f->keep, (uint32_t)size), len;
	uint8_t *p = out, *ip;
	uint32_t next;

	if (kept > size)
		cannot("more kept than there is");
	p = put(p, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	for (uint32_t i = 0; i < 3 && f->vlan[i]; i++) {
		p = put16(p, f->vlan[i]);
		p = put16(p, get(f->tci, 0x0064 + i));
	}
	p = put16(p, get(f->ethertype, is6(f) ? 0x86dd : 0x0800));
	ip = p;
	next = get(f->proto, f->l4 == TCP ? IPPROTO_TCP : IPPROTO_UDP);
	if (is6(f)) {
		uint8_t first = (uint8_t)(f->ext[0].used ? f->ext[0].type : next);
		uint32_t ext_bytes = 0;

		for (const struct ext *e = f->ext; e->used; e++)
			ext_bytes += 8 * (e->units + 1);
		p = put32(p, get(f->version, 6) << 28 | get(f->tos, 0));
		p = put16(p, get(f->ip_len, ext_bytes + (uint32_t)kept));
		*p++ = first;
		*p++ = 64;
		p += source(f, p);
		p += destination(f, p);
		for (const struct ext *e = f->ext; e->used; e++)
			p = put_ext(p, e, (uint8_t)(e[1].used ? e[1].type : next));
	} else {
		uint32_t ihl = f->ihl ? f->ihl : 5;
		uint8_t *check;

		*p++ = (uint8_t)(get(f->version, 4) << 4 | get(f->ihl_field, ihl));
		*p++ = (uint8_t)get(f->tos, 0);
		p = put16(p, get(f->ip_len, 4 * ihl + (uint32_t)kept));
		p = put16(p, 0x1234);
		p = put16(p, get(f->frag, 0));
		*p++ = 64;
		*p++ = (uint8_t)next;
		check = p;
		p = put16(p, 0);
		p += source(f, p);
		p += destination(f, p);
		memset(p, 1, 4 * (ihl - 5));
		p += 4 * (ihl - 5);
		put16(check, get(f->ip_csum, (uint16_t)~fold(sum(0, ip, (size_t)(p - ip)))));
	}
	p = put(p, seg, kept);

	if (f->trail || f->trail_text) {
		size_t text = f->trail_text ? strlen(f->trail_text) : 0;

		memset(p, 0xee, f->trail > text ? f->trail : text);
		if (text)
			memcpy(p, f->trail_text, text);
		p += f->trail > text ? f->trail : text;
	}
	len = (size_t)(p - out);
	if (f->pad_to > len) {
		memset(p, 0, f->pad_to - len);
		len = f->pad_to;
	}
	if (f->cut.set && f->cut.v > len)
		cannot("cut behind the end");
	return get(f->cut, (uint32_t)len);
}

/* Room for the largest frame that a description can ask for before it is found too large. */
static uint8_t seg_buf[SEGMENT_MAX + 64];
static uint8_t out_buf[2 * SEGMENT_MAX];

static size_t finish(const struct frame *f, size_t size, uint8_t out[FRAME_MAX])
{
	size_t len = build(f, seg_buf, size, out_buf);

	if (len > FRAME_MAX)
		cannot("frame too large");
	memcpy(out, out_buf, len);
	return len;
}

void frame_sums(const struct frame *f, struct frame_sums *s)
{
	segment(f, seg_buf, s);
}

size_t frame_build(const struct frame *f, uint8_t out[FRAME_MAX])
{
	struct frame_sums s;

	return finish(f, segment(f, seg_buf, &s), out);
}

size_t frame_rewritten(const struct frame *f, uint16_t port, int port_only, uint8_t out[FRAME_MAX])
{
	struct frame_sums before, after;
	struct frame g = *f;
	uint32_t field;
	size_t size;

	segment(f, seg_buf, &before);
	if (f->l4 == UDP && !before.field && !port_only)
		cannot("UDP's checksum 0 stays 0: say that only the port changes");
	g.dport = OPT(port);
	size = segment(&g, seg_buf, &after);
	if (port_only || port == get(f->dport, 5000)) {
		field = before.field;
	} else {
		/* the checksum anew, plus the error the field had: both 0 to 0xfffe, see above */
		field = (after.good + (uint32_t)before.field + 0xffff - before.good) % 0xffff;
		if (!field && f->l4 == UDP)
			field = 0xffff;
	}
	put16(seg_buf + (f->l4 == TCP ? 16 : 6), field);
	return finish(&g, size, out);
}
