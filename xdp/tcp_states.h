/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delayed binding: decides on a TCP segment to a shared port, by the table of states in
 * docs/tcp.md, whose rows are T1 to T22 here. Writes no packet.
 */
#ifndef XDP_TCP_STATES_H
#define XDP_TCP_STATES_H

#include "tcp_cookie.h"
#include "tcp_first_data.h"
#include "tcp_flow.h"
#include "tcp_handshake.h"
#include "host.h"
#include "pkt.h"
#include "tcp_segment.h"
#include "tcp_socket.h"

#define SHORT_SECONDS 5 /* a first segment may be too short for so long */

enum step {
	STEP_PASS,
	STEP_FORWARD, /* to the context's port */
	STEP_DROP,
	STEP_COOKIE,
	STEP_RESET,
	STEP_END_TIME_WAIT, /* as a RST to the TIME_WAIT socket on the context's port */
};

/* What is known of the segment, and decided. */
struct tcp_context {
	struct mangle_flow_key key;
	struct mangle_flow flow; /* state 0: none is known */
	struct segment seg;
	enum step step;
	enum mangle_verdict verdict; /* what happens without observe */
	__u16 port;
	__u32 kill_seq;
	__u32 frames;  /* on the wire; a super-packet is more than one */
	__u32 headers; /* bytes of each frame before the payload */
	__u64 bytes;   /* of all frames */
};

/* A CPU's scratch: the stack is small, and the verifier does not follow what is in a map. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_context);
} tcp_contexts SEC(".maps");

static __always_inline struct tcp_context *tcp_context_new(void)
{
	const __u32 zero = 0;
	struct tcp_context *c = bpf_map_lookup_elem(&tcp_contexts, &zero);

	if (c)
		__builtin_memset(c, 0, sizeof(*c));
	return c;
}

static __always_inline enum mangle_reason answered(struct tcp_context *c, enum step step,
						   enum mangle_reason reason)
{
	c->step = step;
	c->verdict = VERDICT_ANSWERED;
	return reason;
}

/* Answers with a RST. A connection of the same ends may be waiting, and goes on. */
static __always_inline enum mangle_reason reset(struct tcp_context *c)
{
	return answered(c, STEP_RESET, REASON_TCP_RESET);
}

/* Answers with a RST, and forgets the connection. */
static __always_inline enum mangle_reason forget_and_reset(struct tcp_context *c)
{
	if (c->flow.state)
		flow_forget(&c->key);
	return reset(c);
}

/* Drops what comes before data: it needs no answer, or comes again. */
static __always_inline enum mangle_reason drop(struct tcp_context *c)
{
	return answered(c, STEP_DROP, REASON_TCP_HANDSHAKE);
}

static __always_inline enum mangle_reason follow(struct tcp_context *c)
{
	c->step = STEP_FORWARD;
	c->port = c->flow.port;
	c->verdict = VERDICT_REWRITTEN;
	return REASON_TCP_FLOW;
}

/* Passes what is not mangle's, as if there were no service. */
static __always_inline enum mangle_reason leave(struct pkt *p, struct tcp_context *c)
{
	p->service = NULL;
	p->service_index = 0;
	c->step = STEP_PASS;
	c->verdict = VERDICT_PASSED;
	return REASON_NO_SERVICE;
}

/* Follows the flow to its port; one that is bound by `pass` is on the shared port. */
static __always_inline enum mangle_reason follow_flow(struct pkt *p, struct tcp_context *c)
{
	return c->flow.passed ? leave(p, c) : follow(c);
}

/* Returns the next sequence number that a TIME_WAIT socket expects. */
static __always_inline __u32 time_wait_next(struct bpf_sock *sk)
{
	struct tcp_timewait_sock *tw = bpf_skc_to_tcp_timewait_sock(sk);

	return tw ? tw->tw_sk.__tw_common.skc_tw_rcv_nxt : 0;
}

/* Returns enum socket_state, and in the high half what a TIME_WAIT socket expects. */
PKT_FUNCTION __u64 lookup_socket(struct __sk_buff *skb, __u32 addr_off, __u32 family, __u16 source,
				 __u16 dest)
{
	struct pkt p = {.addr_off = addr_off, .family = family, .src_port = source};
	struct bpf_sock *sk;
	__u64 found;

	pkt_init_data(&p, skb);
	sk = find_socket(&p, dest);
	if (!sk)
		return SOCKET_NONE;
	found = socket_state_of(sk);
	if (found == SOCKET_TIME_WAIT)
		found |= (__u64)time_wait_next(sk) << 32;
	bpf_sk_release(sk);
	return found;
}

/* Looks up the socket of the segment's ends with port. A TIME_WAIT socket is noted, to be ended. */
static __always_inline enum socket_state socket_at(struct pkt *p, struct tcp_context *c, __u16 port)
{
	__u64 found = lookup_socket(p->ctx, p->addr_off, p->family, p->src_port, port);

	c->kill_seq = found >> 32;
	c->port = port;
	return (__u32)found;
}

/* Is the socket on target the flow's, and not of another connection to the same target? */
static __always_inline bool is_own_socket(const struct pkt *p, const struct tcp_context *c,
					  __u16 target)
{
	struct flow_scratch *scratch = flow_scratch();
	struct mangle_flow *back;

	if (target == p->old_port)
		return true;
	if (!scratch)
		return false;
	flow_key_other(&scratch->other, &c->key, target);
	back = flow_find(&scratch->other);
	return back && back->port == p->old_port;
}

/* A SYN: the client begins anew, unless its old connection is alive. */
static __always_inline enum mangle_reason on_syn(struct pkt *p, struct tcp_context *c)
{
	bool was_bound = c->flow.state == FLOW_BOUND || c->flow.state == FLOW_LIVE;
	__u16 port = was_bound ? c->flow.port : p->old_port;
	enum socket_state state = socket_at(p, c, port);

	if (state == SOCKET_ALIVE && !was_bound)
		return leave(p, c); /* older than mangle */
	if (state == SOCKET_ALIVE && is_own_socket(p, c, port))
		return follow_flow(p, c); /* T18 */
	if (!c->flow.state && !is_for_host(p))
		return leave(p, c);
	if (c->flow.state == FLOW_BOUND && is_fresh(&c->flow))
		return drop(c); /* T17 */
	if (was_bound && state == SOCKET_TIME_WAIT) {
		c->flow.state = FLOW_ENDED; /* T20 */
		flow_put(&c->key, &c->flow);
	} else if (was_bound) {
		flow_forget(&c->key); /* T19 */
	}
	return answered(c, STEP_COOKIE, REASON_TCP_COOKIE); /* T1 */
}

/*
 * T14: a batch of segments passes here before the first of them reaches the socket. On the CPU that
 * has bound the connection they come one behind the other, so the socket will be there.
 */
static __always_inline bool is_behind_first(const struct pkt *p, const struct tcp_context *c)
{
	return c->seg.seq != c->flow.isn + 1 && c->flow.cpu == p->cpu && is_fresh(&c->flow);
}

/* T13: is the socket of a bound connection there? Then it need not be looked up any more. */
static __always_inline bool finds_socket(struct pkt *p, struct tcp_context *c)
{
	enum socket_state state = socket_at(p, c, c->flow.port);

	if (state != SOCKET_ALIVE && state != SOCKET_TIME_WAIT)
		return false;
	c->flow.state = FLOW_LIVE;
	flow_put(&c->key, &c->flow);
	return true;
}

/* T7: the first data again, of a connection whose entry was evicted since. */
static __always_inline enum mangle_reason restore_entry(struct pkt *p, struct tcp_context *c,
							__u16 port)
{
	c->flow.passed = c->verdict == VERDICT_PASSED;
	c->flow.state = FLOW_LIVE;
	c->flow.port = port;
	flow_put(&c->key, &c->flow);
	return follow_flow(p, c);
}

/* T4: notes that the connection is bound to port. */
static __always_inline void put_bound(const struct pkt *p, struct tcp_context *c, __u16 port)
{
	c->flow.state = FLOW_BOUND;
	c->flow.port = port;
	c->flow.passed = c->verdict == VERDICT_PASSED;
	c->flow.bound_at = now_ms();
	c->flow.cpu = p->cpu;
	flow_put(&c->key, &c->flow);
	if (port != p->old_port)
		flow_put_reverse(&c->key, port);
	c->step = STEP_FORWARD;
	c->port = port;
}

/* Has the kernel finish the handshake on port's listener. */
static __always_inline enum mangle_reason bind_to(struct pkt *p, struct tcp_context *c, __u16 port,
						  enum mangle_reason reason, __u32 tsval)
{
	struct bpf_sock *sk = find_socket(p, port);
	struct bpf_tcp_req_attrs request;
	struct tcp_sock *tcp;
	long err = -1;

	if (!sk) {
		p->counts = NULL;
		return forget_and_reset(c); /* T6 */
	}
	if (socket_state_of(sk) == SOCKET_TIME_WAIT) {
		c->kill_seq = time_wait_next(sk);
		c->port = port;
		bpf_sk_release(sk);
		p->counts = NULL;					      /* it comes again */
		return answered(c, STEP_END_TIME_WAIT, REASON_TCP_HANDSHAKE); /* T8 */
	}
	if (socket_state_of(sk) == SOCKET_ALIVE && is_own_socket(p, c, port)) {
		bpf_sk_release(sk);
		p->counts = NULL;
		return restore_entry(p, c, port);
	}
	if (socket_state_of(sk) == SOCKET_LISTENING) {
		make_request(p->family, c->flow.options, c->flow.cookie, tsval, &request);
		tcp = bpf_skc_to_tcp_sock(sk);
		if (tcp && backlog_is_full(tcp)) {
			bpf_sk_release(sk);
			p->counts = NULL;
			return drop(c); /* T5 */
		}
		if (tcp)
			err = bpf_sk_assign_tcp_reqsk(p->ctx, (struct sock *)tcp, &request,
						      sizeof(request));
	}
	bpf_sk_release(sk);
	if (err) {
		p->counts = NULL;
		return forget_and_reset(c); /* T6 */
	}
	put_bound(p, c, port);
	return reason;
}

/* T2: the bare ACK that brings the cookie back. */
static __always_inline enum mangle_reason on_cookie(struct pkt *p, struct tcp_context *c)
{
	__u16 old = c->flow.port;

	c->flow.port = 0;
	flow_put(&c->key, &c->flow);
	if (old && socket_at(p, c, old) == SOCKET_TIME_WAIT)
		return answered(c, STEP_END_TIME_WAIT, REASON_TCP_HANDSHAKE);
	return drop(c);
}

/* T2: data that is too short for the tag or the least size; T11: for too long, or the last. */
static __always_inline enum mangle_reason on_short_data(struct tcp_context *c,
							enum mangle_reason reason)
{
	__u32 now = bpf_ktime_get_ns() / 1000000000 + 1;

	if (c->seg.flags & TCP_FIN || (c->flow.short_at && now - c->flow.short_at > SHORT_SECONDS))
		return forget_and_reset(c);
	if (!c->flow.short_at) {
		c->flow.short_at = now;
		flow_put(&c->key, &c->flow);
	}
	return answered(c, STEP_DROP, reason);
}

/* The segment that comes first behind the handshake, whose cookie is valid. */
static __always_inline enum mangle_reason on_first(struct pkt *p, struct tcp_context *c,
						   enum segment_kind kind, __u32 tsval)
{
	enum mangle_reason reason;

	if (kind == SEGMENT_FIN)
		return forget_and_reset(c); /* T11 */
	if (kind != SEGMENT_DATA)
		return on_cookie(p, c);
	reason = judge_first(p, &c->verdict);
	if (waits_for_more(p, reason))
		return on_short_data(c, reason);
	if (c->verdict == VERDICT_ANSWERED)
		return forget_and_reset(c); /* T6 */
	return bind_to(p, c, c->verdict == VERDICT_REWRITTEN ? p->new_port : p->old_port, reason,
		       tsval);
}

/* Returns COOKIE_FIRST where the cookie is valid: then c->flow says what was agreed on. */
static __always_inline enum cookie_is check_cookie(const struct pkt *p, struct tcp_context *c,
						   enum segment_kind kind, __u32 *tsval)
{
	enum cookie_is is;
	struct segment_options *o = read_options(p);
	__u32 isn = c->seg.seq - 1, cookie = c->seg.ack - 1, ts_cookie;
	__u16 old = c->flow.state == FLOW_ENDED ? c->flow.port : 0;

	if (!o || kind == SEGMENT_RST || kind == SEGMENT_NO_ACK)
		return COOKIE_FOREIGN;
	*tsval = o->tsval;
	if (c->flow.state && c->flow.state != FLOW_ENDED && c->flow.isn == isn &&
	    c->flow.cookie == cookie)
		return COOKIE_FIRST;
	ts_cookie = o->timestamps ? o->tsecr : 0;
	is = cookie_check(&c->key, cookie, isn, ts_cookie);
	if (is != COOKIE_FIRST)
		return is;
	__builtin_memset(&c->flow, 0, sizeof(c->flow));
	c->flow.state = FLOW_WAITING;
	c->flow.isn = isn;
	c->flow.cookie = cookie;
	c->flow.options = ts_cookie;
	c->flow.port = old;
	return COOKIE_FIRST;
}

/* What is no SYN, and of no connection whose socket is known. */
static __always_inline enum mangle_reason on_handshake(struct pkt *p, struct tcp_context *c,
						       enum segment_kind kind)
{
	__u32 expected = c->flow.cookie + 1, tsval = 0;
	bool known = c->flow.state;

	if (!checksum_is_good(p))
		return drop(c);
	switch (check_cookie(p, c, kind, &tsval)) {
	case COOKIE_FIRST: return on_first(p, c, kind, tsval); /* T2, T4 to T8, T11, T16 */
	case COOKIE_EARLY: return drop(c);		       /* T3 */
	default: break;
	}
	if (!known && (socket_at(p, c, p->old_port) == SOCKET_TIME_WAIT || !is_for_host(p)))
		return leave(p, c);
	if (kind == SEGMENT_RST) {
		if (known && c->seg.seq == c->flow.isn + 1)
			flow_forget(&c->key); /* T9 */
		return drop(c);
	}
	if (known && kind != SEGMENT_NO_ACK && c->seg.ack == expected)
		return drop(c); /* T10, T15 */
	return reset(c);	/* T12 */
}

/*
 * Reads the segment and what is known of its flow. Returns false where the segment is for another
 * machine on the link, or lies behind two VLAN tags, where the kernel sees no IP packet.
 */
static __always_inline bool read_flow(struct pkt *p, struct tcp_context *c)
{
	const struct mangle_flow *flow;

	if (p->ctx->pkt_type != PACKET_HOST ||
	    p->ctx->protocol != bpf_htons(p->family == 4 ? ETH_P_IP : ETH_P_IPV6) ||
	    !read_segment(p, &c->seg) || !flow_key_in(p, &c->key))
		return false;
	flow = flow_find(&c->key);
	if (flow)
		c->flow = *flow;
	return true;
}

/* Under observe, connections that were bound before go on. */
static __always_inline bool is_bound(const struct tcp_context *c)
{
	return !is_syn(&c->seg) && (c->flow.state == FLOW_BOUND || c->flow.state == FLOW_LIVE);
}

/* Decides on a segment: by what it is, then by the flow's state. */
static __always_inline enum mangle_reason decide_segment(struct pkt *p, struct tcp_context *c)
{
	enum segment_kind kind = classify_segment(&c->seg, p->payload_len);

	if (kind == SEGMENT_SYN)
		return checksum_is_good(p) ? on_syn(p, c) : drop(c);
	switch (c->flow.state) {
	case FLOW_LIVE: return follow_flow(p, c); /* T21 */
	case FLOW_BOUND:
		if (finds_socket(p, c) || is_behind_first(p, c))
			return follow_flow(p, c); /* T13, T14 */
		break;
	case FLOW_WAITING:
	case FLOW_ENDED: break;
	default: /* none */
		if (socket_at(p, c, p->old_port) == SOCKET_ALIVE)
			return leave(p, c); /* older than mangle */
	}
	return on_handshake(p, c, kind);
}

#endif
