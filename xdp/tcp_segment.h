/* SPDX-License-Identifier: GPL-2.0-only */
/* What a TCP segment says beside its ports: flags, numbers, options (RFC 9293, RFC 7323). */
#ifndef XDP_TCP_SEGMENT_H
#define XDP_TCP_SEGMENT_H

#include <linux/tcp.h>

#include "pkt.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_ECE 0x40
#define TCP_CWR 0x80

#define TCP_MAX_OPTIONS 40
#define TCP_NO_WSCALE 15 /* greater than any shift count, RFC 7323 2.3 */
#define TCP_MAX_WSCALE 14

struct segment {
	__u32 seq;
	__u32 ack;
	__u32 end; /* sequence number behind it: SYN and FIN count */
	__u8 flags;
};

/* As found; 0 where the option is not there. */
struct segment_options {
	__u32 tsval;
	__u32 tsecr;
	__u16 mss;
	__u8 wscale; /* TCP_NO_WSCALE: none */
	__u8 sack;
	__u8 timestamps;
	__u8 pad[3];
};

static __always_inline bool read_segment(const struct pkt *p, struct segment *s)
{
	struct tcphdr buf, *tcp = pkt_at(p, p->l4_off, sizeof(*tcp), &buf);

	if (!tcp)
		return false;
	s->seq = bpf_ntohl(tcp->seq);
	s->ack = bpf_ntohl(tcp->ack_seq);
	s->flags = ((__u8 *)tcp)[13];
	s->end = s->seq + (p->ip_end - p->payload_off) + !!(s->flags & TCP_SYN) +
		 !!(s->flags & TCP_FIN);
	return true;
}

/* Does it begin a connection? */
static __always_inline bool is_syn(const struct segment *s)
{
	return (s->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* What a segment is to the flow's states, by its flags and whether it has data. */
enum segment_kind {
	SEGMENT_SYN, /* begins a connection */
	SEGMENT_RST,
	SEGMENT_NO_ACK, /* neither of these, and no ACK: of no connection */
	SEGMENT_ACK,	/* without data: a bare ACK, or a SYN-ACK */
	SEGMENT_FIN,	/* likewise, and the client has no more to say */
	SEGMENT_DATA,
};

static __always_inline enum segment_kind classify_segment(const struct segment *s,
							  __u32 payload_len)
{
	if (is_syn(s))
		return SEGMENT_SYN;
	if (s->flags & TCP_RST)
		return SEGMENT_RST;
	if (!(s->flags & TCP_ACK))
		return SEGMENT_NO_ACK;
	if (payload_len)
		return SEGMENT_DATA;
	return s->flags & TCP_FIN ? SEGMENT_FIN : SEGMENT_ACK;
}

enum {
	TCP_OPT_END = 0,
	TCP_OPT_NOP = 1,
	TCP_OPT_MSS = 2,
	TCP_OPT_WSCALE = 3,
	TCP_OPT_SACK = 4,
	TCP_OPT_TIMESTAMPS = 8,
};

static __always_inline __u32 option_word(const __u8 *bytes, __u64 at, __u32 len)
{
	__u32 word = 0;

	for (__u32 i = 0; i < len; i++) {
		__u64 one = at + i;

		clamp_index(one, 64);
		word = word << 8 | bytes[one];
	}
	return word;
}

/* Of len bytes, of which `bytes` has room for 64. */
static __always_inline void parse_options(const __u8 *bytes, __u32 len, struct segment_options *o)
{
	__u64 at = 0, next;
	__u8 kind, size;

	__builtin_memset(o, 0, sizeof(*o));
	o->wscale = TCP_NO_WSCALE;
#pragma clang loop unroll(disable)
	for (int i = 0; i < TCP_MAX_OPTIONS; i++) {
		clamp_index(at, 64);
		if (at >= len)
			break;
		kind = bytes[at];
		if (kind == TCP_OPT_END)
			break;
		if (kind == TCP_OPT_NOP) {
			at++;
			continue;
		}
		next = at + 1;
		clamp_index(next, 64);
		size = bytes[next];
		if (size < 2 || at + size > len)
			break;
		if (kind == TCP_OPT_MSS && size == 4) {
			o->mss = option_word(bytes, at + 2, 2);
		} else if (kind == TCP_OPT_WSCALE && size == 3) {
			o->wscale = option_word(bytes, at + 2, 1);
			if (o->wscale > TCP_MAX_WSCALE)
				o->wscale = TCP_MAX_WSCALE;
		} else if (kind == TCP_OPT_SACK && size == 2) {
			o->sack = 1;
		} else if (kind == TCP_OPT_TIMESTAMPS && size == 10) {
			o->timestamps = 1;
			o->tsval = option_word(bytes, at + 2, 4);
			o->tsecr = option_word(bytes, at + 6, 4);
		}
		at += size;
	}
}

#endif
