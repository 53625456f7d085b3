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

static __always_inline enum mangle_reason watch(struct pkt *p, struct session *n)
{
	enum progress progress = progress_of(p);
	enum mangle_reason reason;

	if (n->seg.flags & TCP_SYN)
		return progress == PROGRESS_NONE && is_for_host(p)
			       ? answered(n, STEP_PASS, REASON_TCP_COOKIE)
			       : leave(p, n);
	if (progress == PROGRESS_NONE)
		return leave(p, n);
	if (progress == PROGRESS_DATA) {
		n->verdict = VERDICT_REWRITTEN;
		return REASON_TCP_FLOW;
	}
	if (!p->payload_len)
		return n->seg.flags & TCP_FIN ? answered(n, STEP_PASS, REASON_TCP_RESET)
					      : ignore(n);
	reason = judge_first(p, &n->verdict);
	if (n->verdict == VERDICT_REWRITTEN && socket_state(p, p->new_port) != SOCKET_LISTENING)
		return answered(n, STEP_PASS, REASON_TCP_RESET);
	return reason;
}

#endif
