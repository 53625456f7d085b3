/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delayed binding: decides what becomes of a TCP segment to a shared port. A SYN is answered with a
 * cookie; the bare ACK that follows is dropped; the first data has the tag, and the kernel finishes
 * the handshake with it at the target's listener; later segments follow by the flow table.
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
	STEP_FORWARD, /* to session.port */
	STEP_DROP,
	STEP_COOKIE,
	STEP_RESET,
	STEP_KILL, /* ends session.port's TIME_WAIT socket instead of going on */
};

struct session {
	struct mangle_flow_key key;
	struct mangle_flow flow; /* state 0: none is known */
	struct segment seg;
	enum step step;
	enum mangle_verdict verdict; /* what happens without observe */
	__u16 port;
	__u32 kill_seq;
	__u32 frames;  /* on the wire, more than one where they came merged */
	__u32 headers; /* bytes of each frame before the payload */
	__u64 bytes;   /* of all frames */
};

/* A CPU's own: the stack is small, and the verifier does not follow what is in a map. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct session);
} sessions SEC(".maps");

static __always_inline struct session *session_new(void)
{
	const __u32 zero = 0;
	struct session *n = bpf_map_lookup_elem(&sessions, &zero);

	if (n)
		__builtin_memset(n, 0, sizeof(*n));
	return n;
}

static __always_inline enum mangle_reason answered(struct session *n, enum step step,
						   enum mangle_reason reason)
{
	n->step = step;
	n->verdict = VERDICT_ANSWERED;
	return reason;
}

/* No connection of ours, but one of that name may be waiting still. */
static __always_inline enum mangle_reason deny(struct session *n)
{
	return answered(n, STEP_RESET, REASON_TCP_RESET);
}

static __always_inline enum mangle_reason refuse(struct session *n)
{
	if (n->flow.state)
		flow_forget(&n->key);
	return deny(n);
}

/* Before data: nothing to be said, or it comes again. */
static __always_inline enum mangle_reason ignore(struct session *n)
{
	return answered(n, STEP_DROP, REASON_TCP_HANDSHAKE);
}

static __always_inline enum mangle_reason follow(struct session *n)
{
	n->step = STEP_FORWARD;
	n->port = n->flow.port;
	n->verdict = VERDICT_REWRITTEN;
	return REASON_TCP_FLOW;
}

/* Not ours after all: as if there were no service. */
static __always_inline enum mangle_reason leave(struct pkt *p, struct session *n)
{
	p->service = NULL;
	p->service_index = 0;
	n->step = STEP_PASS;
	n->verdict = VERDICT_PASSED;
	return REASON_NO_SERVICE;
}

/* What the next sequence number is that a TIME_WAIT socket waits for. */
static __always_inline __u32 time_wait_next(struct bpf_sock *sk)
{
	struct tcp_timewait_sock *tw = bpf_skc_to_tcp_timewait_sock(sk);

	return tw ? tw->tw_sk.__tw_common.skc_tw_rcv_nxt : 0;
}

/* enum socket_state, and in the high half what a TIME_WAIT socket waits for. */
PKT_FUNCTION __u64 look_up(struct __sk_buff *skb, __u32 addr_off, __u32 family, __u16 source,
			   __u16 dest)
{
	struct pkt p = {.addr_off = addr_off, .family = family, .src_port = source};
	struct bpf_sock *sk;
	__u64 found;

	pkt_init_data(&p, skb);
	sk = find_socket(&p, dest);
	if (!sk)
		return SOCKET_NONE;
	found = state_of(sk);
	if (found == SOCKET_TIME_WAIT)
		found |= (__u64)time_wait_next(sk) << 32;
	bpf_sk_release(sk);
	return found;
}

/* The socket of the segment's ends with port. A TIME_WAIT socket is noted, to be ended. */
static __always_inline enum socket_state look_at(struct pkt *p, struct session *n, __u16 port)
{
	__u64 found = look_up(p->ctx, p->addr_off, p->family, p->src_port, port);

	n->kill_seq = found >> 32;
	n->port = port;
	return (__u32)found;
}

/* Is the socket that the flow leads to the flow's, and no other connection to the same target? */
static __always_inline bool leads_to_own(const struct pkt *p, const struct session *n, __u16 target)
{
	struct flow_notes *own = flow_own();
	struct mangle_flow *back;

	if (target == p->old_port)
		return true;
	if (!own)
		return false;
	flow_key_turn(&own->turned, &n->key, target);
	back = flow_find(&own->turned);
	return back && back->port == p->old_port;
}

/* A SYN: the client begins, whatever was before, unless that is alive. */
static __always_inline enum mangle_reason begin(struct pkt *p, struct session *n)
{
	bool was_bound = n->flow.state == FLOW_BOUND || n->flow.state == FLOW_LIVE;
	__u16 port = was_bound ? n->flow.port : p->old_port;
	enum socket_state state = look_at(p, n, port);

	if (state == SOCKET_ALIVE && !was_bound)
		return leave(p, n);
	if (state == SOCKET_ALIVE && leads_to_own(p, n, port))
		return n->flow.passed ? leave(p, n) : follow(n);
	if (!n->flow.state && !is_for_host(p))
		return leave(p, n);
	if (n->flow.state == FLOW_BOUND && is_fresh(&n->flow))
		return ignore(n); /* an old one, which the first data has overtaken */
	if (was_bound && state == SOCKET_TIME_WAIT) {
		n->flow.state = FLOW_ENDED;
		flow_put(&n->key, &n->flow);
	} else if (was_bound) {
		flow_forget(&n->key);
	}
	return answered(n, STEP_COOKIE, REASON_TCP_COOKIE);
}

/*
 * A batch of segments passes here before the first of them reaches the socket. On the CPU that
 * has bound the connection they come one behind the other, so the socket will be there.
 */
static __always_inline bool is_behind_first(const struct pkt *p, const struct session *n)
{
	return n->flow.cpu == p->cpu && is_fresh(&n->flow);
}

/* The first data again, of a connection whose entry was evicted since. */
static __always_inline enum mangle_reason reunite(struct pkt *p, struct session *n, __u16 port)
{
	n->flow.passed = n->verdict == VERDICT_PASSED;
	n->flow.state = FLOW_LIVE;
	n->flow.port = port;
	flow_put(&n->key, &n->flow);
	return n->flow.passed ? leave(p, n) : follow(n);
}

/* Has the kernel finish the handshake on port's listener. */
static __always_inline enum mangle_reason bind_to(struct pkt *p, struct session *n, __u16 port,
						  enum mangle_reason reason, __u32 tsval)
{
	struct bpf_sock *sk = find_socket(p, port);
	struct bpf_tcp_req_attrs request;
	struct tcp_sock *tcp;
	long err = -1;

	if (!sk) {
		p->counts = NULL;
		return refuse(n);
	}
	if (state_of(sk) == SOCKET_TIME_WAIT) {
		n->kill_seq = time_wait_next(sk);
		n->port = port;
		bpf_sk_release(sk);
		p->counts = NULL; /* it comes again */
		return answered(n, STEP_KILL, REASON_TCP_HANDSHAKE);
	}
	if (state_of(sk) == SOCKET_ALIVE && leads_to_own(p, n, port)) {
		bpf_sk_release(sk);
		p->counts = NULL;
		return reunite(p, n, port);
	}
	if (state_of(sk) == SOCKET_LISTENING) {
		make_request(p->family, n->flow.options, n->flow.cookie, tsval, &request);
		tcp = bpf_skc_to_tcp_sock(sk);
		if (tcp && backlog_is_full(tcp)) {
			bpf_sk_release(sk);
			p->counts = NULL;
			return ignore(n);
		}
		if (tcp)
			err = bpf_sk_assign_tcp_reqsk(p->ctx, (struct sock *)tcp, &request,
						      sizeof(request));
	}
	bpf_sk_release(sk);
	if (err) {
		p->counts = NULL;
		return refuse(n);
	}
	n->flow.state = FLOW_BOUND;
	n->flow.port = port;
	n->flow.passed = n->verdict == VERDICT_PASSED;
	n->flow.bound_at = now_ms();
	n->flow.cpu = p->cpu;
	flow_put(&n->key, &n->flow);
	if (port != p->old_port)
		flow_put_reverse(&n->key, port);
	n->step = STEP_FORWARD;
	n->port = port;
	return reason;
}

/* The segment that comes first behind the handshake, which is valid. */
static __always_inline enum mangle_reason first(struct pkt *p, struct session *n, __u32 tsval)
{
	enum mangle_reason reason;
	__u32 now;

	if (!p->payload_len) {
		__u16 old = n->flow.port;

		if (n->seg.flags & TCP_FIN)
			return refuse(n);
		n->flow.port = 0;
		flow_put(&n->key, &n->flow);
		if (old && look_at(p, n, old) == SOCKET_TIME_WAIT)
			return answered(n, STEP_KILL, REASON_TCP_HANDSHAKE);
		return ignore(n);
	}
	reason = judge_first(p, &n->verdict);
	if (waits_for_more(p, reason)) {
		now = bpf_ktime_get_ns() / 1000000000 + 1;
		if (n->seg.flags & TCP_FIN ||
		    (n->flow.short_at && now - n->flow.short_at > SHORT_SECONDS))
			return refuse(n);
		if (!n->flow.short_at) {
			n->flow.short_at = now;
			flow_put(&n->key, &n->flow);
		}
		return answered(n, STEP_DROP, reason);
	}
	if (n->verdict == VERDICT_ANSWERED)
		return refuse(n);
	return bind_to(p, n, n->verdict == VERDICT_REWRITTEN ? p->new_port : p->old_port, reason,
		       tsval);
}

/* COOKIE_FIRST: n->flow says what was agreed on. */
static __always_inline enum cookie_is what_is(const struct pkt *p, struct session *n, __u32 *tsval)
{
	enum cookie_is is;
	struct segment_options *o = read_options(p);
	__u32 isn = n->seg.seq - 1, cookie = n->seg.ack - 1, stamp;
	__u16 old = n->flow.state == FLOW_ENDED ? n->flow.port : 0;

	if (!o || !(n->seg.flags & TCP_ACK) || n->seg.flags & TCP_RST)
		return COOKIE_FOREIGN;
	*tsval = o->tsval;
	if (n->flow.state && n->flow.state != FLOW_ENDED && n->flow.isn == isn &&
	    n->flow.cookie == cookie)
		return COOKIE_FIRST;
	stamp = o->timestamps ? o->tsecr : 0;
	is = cookie_check(&n->key, cookie, isn, stamp);
	if (is != COOKIE_FIRST)
		return is;
	__builtin_memset(&n->flow, 0, sizeof(n->flow));
	n->flow.state = FLOW_WAITING;
	n->flow.isn = isn;
	n->flow.cookie = cookie;
	n->flow.options = stamp;
	n->flow.port = old;
	return COOKIE_FIRST;
}

/* Neither SYN nor of a connection whose socket was seen. */
static __always_inline enum mangle_reason proceed(struct pkt *p, struct session *n)
{
	bool was_bound = n->flow.state == FLOW_BOUND;
	__u32 expected = n->flow.cookie + 1, tsval = 0;
	bool known = n->flow.state;
	enum cookie_is is;

	if (was_bound) {
		enum socket_state state = look_at(p, n, n->flow.port);

		if (state == SOCKET_ALIVE || state == SOCKET_TIME_WAIT) {
			n->flow.state = FLOW_LIVE;
			flow_put(&n->key, &n->flow);
			return n->flow.passed ? leave(p, n) : follow(n);
		}
		if (n->seg.seq != n->flow.isn + 1 && is_behind_first(p, n))
			return n->flow.passed ? leave(p, n) : follow(n);
	}
	if (!known && look_at(p, n, p->old_port) == SOCKET_ALIVE)
		return leave(p, n);
	if (!checksum_is_good(p))
		return ignore(n);
	is = what_is(p, n, &tsval);
	if (is == COOKIE_FIRST)
		return first(p, n, tsval);
	if (is == COOKIE_EARLY)
		return ignore(n);
	if (!known && (look_at(p, n, p->old_port) == SOCKET_TIME_WAIT || !is_for_host(p)))
		return leave(p, n);
	if (n->seg.flags & TCP_RST) {
		if (known && n->seg.seq == n->flow.isn + 1)
			flow_forget(&n->key);
		return ignore(n);
	}
	if (known && n->seg.flags & TCP_ACK && n->seg.ack == expected)
		return ignore(n);
	return deny(n);
}

/*
 * Reads what is known. False: the segment is for another machine that the link has, or lies behind
 * two VLAN tags, where the kernel sees no IP packet.
 */
static __always_inline bool recall(struct pkt *p, struct session *n)
{
	const struct mangle_flow *flow;

	if (p->ctx->pkt_type != PACKET_HOST ||
	    p->ctx->protocol != bpf_htons(p->family == 4 ? ETH_P_IP : ETH_P_IPV6) ||
	    !read_segment(p, &n->seg) || !flow_key_in(p, &n->key))
		return false;
	flow = flow_find(&n->key);
	if (flow)
		n->flow = *flow;
	return true;
}

/* Under observe, connections that were bound before go on. */
static __always_inline bool is_bound(const struct session *n)
{
	return !is_syn(&n->seg) && (n->flow.state == FLOW_BOUND || n->flow.state == FLOW_LIVE);
}

static __always_inline enum mangle_reason judge_segment(struct pkt *p, struct session *n)
{
	if (is_syn(&n->seg))
		return checksum_is_good(p) ? begin(p, n) : ignore(n);
	if (likely(n->flow.state == FLOW_LIVE))
		return n->flow.passed ? leave(p, n) : follow(n);
	return proceed(p, n);
}

#endif
