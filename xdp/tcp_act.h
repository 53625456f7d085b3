/* SPDX-License-Identifier: GPL-2.0-only */
/* Carries out what was decided of a TCP segment: the only place where segments are written. */
#ifndef XDP_TCP_ACT_H
#define XDP_TCP_ACT_H

#include <linux/pkt_cls.h>

#include "tcp_answer.h"
#include "tcp_states.h"
#include "tcp_handshake.h"
#include "port.h"

/* A RST with which the kernel ends a TIME_WAIT socket (RFC 1337; unless tcp_rfc1337 is set). */
static __always_inline int end_time_wait(struct pkt *p, struct session *n)
{
	struct answer a = {.seq = n->kill_seq, .flags = TCP_RST};

	return answer_onwards(p, &a, n->port) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

static __always_inline int send_cookie(struct pkt *p, struct session *n)
{
	struct answer a = {};

	if (!make_syn_ack(p, &n->seg, &n->key, &a) || answer_back(p, &a))
		return TC_ACT_SHOT;
	return bpf_redirect(p->ctx->ifindex, 0);
}

static __always_inline int send_reset(struct pkt *p, struct session *n)
{
	struct answer a = {};

	make_reset(&n->seg, &a);
	return answer_back(p, &a) ? TC_ACT_SHOT : bpf_redirect(p->ctx->ifindex, 0);
}

static __always_inline int act(struct pkt *p, struct session *n)
{
	switch (n->step) {
	case STEP_FORWARD:
		set_port(p, __builtin_offsetof(struct tcphdr, dest), p->old_port, n->port);
		return TC_ACT_UNSPEC;
	case STEP_DROP: return TC_ACT_SHOT;
	case STEP_COOKIE: return send_cookie(p, n);
	case STEP_RESET: return send_reset(p, n);
	case STEP_KILL: return end_time_wait(p, n);
	default: return TC_ACT_UNSPEC;
	}
}

#endif
