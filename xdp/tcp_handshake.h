/* SPDX-License-Identifier: GPL-2.0-only */
/* Answers to SYNs (SYN-ACK with a cookie), and what the client's numbers say afterwards. */
#ifndef XDP_TCP_HANDSHAKE_H
#define XDP_TCP_HANDSHAKE_H

#include "tcp_answer.h"
#include "tcp_cookie.h"
#include "tcp_flow.h"
#include "host.h"
#include "tcp_segment.h"

#define MAX_WINDOW 65535

/* A CPU's scratch for options: the stack is small. */
struct option_scratch {
	__u8 options[64 + 8];
	struct segment_options found;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct option_scratch);
} option_scratches SEC(".maps");

static __always_inline struct option_scratch *option_scratch(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&option_scratches, &zero);
}

/* Finds the segment's options, in the CPU's scratch. Returns 0, or other than 0 where they cannot
 * be read. */
PKT_FUNCTION int find_options(struct __sk_buff *skb, __u32 l4_off, __u32 header)
{
	struct option_scratch *scratch = option_scratch();
	__u64 len = header - sizeof(struct tcphdr);

	if (!scratch)
		return -1;
	clamp_index(len, 64);
	if (len > TCP_MAX_OPTIONS)
		return -1;
	if (len && bpf_skb_load_bytes(skb, l4_off + sizeof(struct tcphdr), scratch->options, len))
		return -1;
	parse_options(scratch->options, len, &scratch->found);
	return 0;
}

/* Returns the segment's options, or NULL where they cannot be read. */
static __always_inline struct segment_options *read_options(const struct pkt *p)
{
	struct option_scratch *scratch = option_scratch();

	if (find_options(p->ctx, p->l4_off, p->payload_off - p->l4_off))
		return NULL;
	return scratch ? &scratch->found : NULL;
}

/* The window scale that the kernel would choose: tcp_select_initial_window(). */
static __always_inline __u32 own_wscale(__u32 space)
{
	__u32 scale = 0;

	for (__u32 i = 0; i < TCP_MAX_WSCALE; i++)
		if (space >> (16 + i))
			scale = i + 1;
	return scale;
}

/* Returns the timestamp cookie: what is negotiated with the sender of this SYN; 0: without
 * timestamps. */
static __always_inline __u32 ts_cookie_of(const struct tcp_settings *t,
					  const struct segment_options *o, __u16 mss, __u8 flags)
{
	bool ecn = t->ecn && (flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
	bool wscale = t->wscale && o->wscale != TCP_NO_WSCALE;

	if (!t->timestamps || !o->timestamps)
		return 0;
	return TS_COOKIE(mss, wscale ? o->wscale : TCP_NO_WSCALE,
			 wscale ? own_wscale(t->rmem_max) : 0, t->sack && o->sack, ecn);
}

/* Returns the client's MSS; RFC 9293 3.7.1: 536 where it names none. */
static __always_inline __u16 counted_mss(__u8 family, __u16 mss)
{
	__u16 least = least_mss(family);

	return mss < least ? least : mss;
}

static __always_inline void put_be32(__u8 *to, __u32 value)
{
	to[0] = value >> 24;
	to[1] = value >> 16;
	to[2] = value >> 8;
	to[3] = value;
}

/* Returns the MSS that is offered to the client: what one packet of the interface can carry. */
static __always_inline __u16 own_mss(const struct pkt *p)
{
	__u32 headers = (p->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
			sizeof(struct tcphdr);
	__u32 mtu = 0;

	bpf_check_mtu(p->ctx, 0, &mtu, 0, 0);
	if (mtu < headers + least_mss(p->family))
		mtu = headers + least_mss(p->family);
	if (mtu > 65535)
		mtu = 65535;
	return mtu - headers;
}

/* Makes a SYN-ACK with a cookie. Returns false where the SYN cannot be read. */
static __always_inline bool make_syn_ack(const struct pkt *p, const struct segment *s,
					 const struct mangle_flow_key *key, struct answer *a)
{
	struct segment_options *o = read_options(p);
	struct tcp_settings t;
	__u16 mss, our_mss = own_mss(p);
	__u32 ts_cookie, window;

	if (!o)
		return false;
	tcp_settings(p->ctx, &t);
	mss = counted_mss(p->family, o->mss);
	ts_cookie = ts_cookie_of(&t, o, mss, s->flags);
	a->seq = cookie_make(key, p->family, s->seq, ts_cookie, mss);
	a->ack = s->seq + 1;
	a->flags = TCP_SYN | TCP_ACK | (ts_cookie && TS_COOKIE_ECN(ts_cookie) ? TCP_ECE : 0);
	window = t.rmem / 2;
	a->window = window > MAX_WINDOW ? MAX_WINDOW : window;
	a->options[0] = TCP_OPT_MSS;
	a->options[1] = 4;
	a->options[2] = our_mss >> 8;
	a->options[3] = (__u8)our_mss;
	a->options_len = 4;
	if (!ts_cookie)
		return true;
	/* SACK permitted or padding, then the timestamps. */
	a->options[4] = TS_COOKIE_SACK(ts_cookie) ? TCP_OPT_SACK : TCP_OPT_NOP;
	a->options[5] = TS_COOKIE_SACK(ts_cookie) ? 2 : TCP_OPT_NOP;
	a->options[6] = TCP_OPT_TIMESTAMPS;
	a->options[7] = 10;
	put_be32(a->options + 8, ts_cookie);
	put_be32(a->options + 12, o->tsval);
	a->options_len = 16;
	if (TS_COOKIE_WSCALE(ts_cookie) == TCP_NO_WSCALE)
		return true;
	a->options[16] = TCP_OPT_NOP;
	a->options[17] = TCP_OPT_WSCALE;
	a->options[18] = 3;
	a->options[19] = TS_COOKIE_OWN_WSCALE(ts_cookie);
	a->options_len = 20;
	return true;
}

/* Makes a RST to a segment of no known connection (RFC 9293 3.10.7.1). */
static __always_inline void make_reset(const struct segment *s, struct answer *a)
{
	if (s->flags & TCP_ACK) {
		a->seq = s->ack;
		a->flags = TCP_RST;
	} else {
		a->ack = s->end;
		a->flags = TCP_RST | TCP_ACK;
	}
}

/* What bpf_sk_assign_tcp_reqsk (Linux 6.9) tells the kernel of the connection. */
struct bpf_tcp_req_attrs {
	__u32 rcv_tsval;
	__u32 rcv_tsecr;
	__u16 mss;
	__u8 rcv_wscale;
	__u8 snd_wscale;
	__u8 ecn_ok;
	__u8 wscale_ok;
	__u8 sack_ok;
	__u8 tstamp_ok;
	__u8 usec_ts_ok;
	__u8 reserved[3];
};

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk,
				   struct bpf_tcp_req_attrs *attrs, int size) __weak __ksym;

/* ts_cookie, cookie: as mangle had sent them; tsval: of the client's segment. */
static __always_inline void make_request(__u8 family, __u32 ts_cookie, __u32 cookie, __u32 tsval,
					 struct bpf_tcp_req_attrs *r)
{
	__builtin_memset(r, 0, sizeof(*r));
	if (!ts_cookie) {
		r->mss = cookie_mss_of(family, cookie >> 1 & 3);
		return;
	}
	r->mss = counted_mss(family, TS_COOKIE_MSS(ts_cookie));
	r->tstamp_ok = 1;
	r->rcv_tsval = tsval;
	r->rcv_tsecr = ts_cookie;
	r->sack_ok = TS_COOKIE_SACK(ts_cookie);
	r->ecn_ok = TS_COOKIE_ECN(ts_cookie);
	if (TS_COOKIE_WSCALE(ts_cookie) != TCP_NO_WSCALE) {
		r->wscale_ok = 1;
		r->snd_wscale = TS_COOKIE_WSCALE(ts_cookie);
		r->rcv_wscale = TS_COOKIE_OWN_WSCALE(ts_cookie);
	}
}

#endif
