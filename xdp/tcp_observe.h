/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Under observe the kernel makes the connection on the shared port. What mangle would have done is
 * told by its socket: the first data is what comes while it has received no byte.
 */
#ifndef XDP_TCP_OBSERVE_H
#define XDP_TCP_OBSERVE_H

#include "tcp_states.h"

enum progress { PROGRESS_NONE, PROGRESS_OPEN, PROGRESS_DATA };

static __always_inline enum progress progress_of(struct pkt *p)
{
	struct bpf_sock *sk = find_socket(p, p->old_port);
	enum progress progress = PROGRESS_DATA;
	struct tcp_sock *tcp;

	if (!sk)
		return PROGRESS_NONE;
	if (sk->state == SK_LISTEN) {
		progress = PROGRESS_NONE;
	} else if (sk->state == SK_NEW_SYN_RECV) {
		progress = PROGRESS_OPEN;
	} else if (sk->state != SK_TIME_WAIT) {
		tcp = bpf_skc_to_tcp_sock(sk);
		if (tcp && !tcp->bytes_received)
			progress = PROGRESS_OPEN;
	}
	bpf_sk_release(sk);
	return progress;
}

static __always_inline enum mangle_reason observe_segment(struct pkt *p, struct tcp_context *c)
{
	enum progress progress = progress_of(p);
	enum mangle_reason reason;

	if (c->seg.flags & TCP_SYN)
		return progress == PROGRESS_NONE && is_for_host(p)
			       ? answered(c, STEP_PASS, REASON_TCP_COOKIE)
			       : leave(p, c);
	if (progress == PROGRESS_NONE)
		return leave(p, c);
	if (progress == PROGRESS_DATA) {
		c->verdict = VERDICT_REWRITTEN;
		return REASON_TCP_FLOW;
	}
	if (!p->payload_len)
		return c->seg.flags & TCP_FIN ? answered(c, STEP_PASS, REASON_TCP_RESET) : drop(c);
	reason = judge_first(p, &c->verdict);
	if (c->verdict == VERDICT_REWRITTEN && socket_state(p, p->new_port) != SOCKET_LISTENING)
		return answered(c, STEP_PASS, REASON_TCP_RESET);
	return reason;
}

#endif
