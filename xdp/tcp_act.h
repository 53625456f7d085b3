/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes what was decided of a TCP segment: the only place where segments are written. */
#ifndef XDP_TCP_ACT_H
#define XDP_TCP_ACT_H

#include "tcp_answer.h"
#include "tcp_states.h"
#include "tcp_handshake.h"
#include "port.h"

/* A RST with which the kernel ends a TIME_WAIT socket (RFC 1337; unless tcp_rfc1337 is set). */
static __always_inline long end_time_wait(struct pkt *p, const struct tcp_context *c)
{
	struct answer a = {.seq = c->kill_seq, .flags = TCP_RST};

	return answer_onwards(p, &a, c->port);
}

static __always_inline long write_syn_ack(struct pkt *p, const struct tcp_context *c)
{
	struct answer a = {};

	return make_syn_ack(p, &c->seg, &c->key, &a) ? answer_back(p, &a) : -1;
}

static __always_inline long write_reset(struct pkt *p, const struct tcp_context *c)
{
	struct answer a = {};

	make_reset(&c->seg, &a);
	return answer_back(p, &a);
}

/* Writes what the step asks for. Returns 0, or that it could not be written. */
static __always_inline long write_step(struct pkt *p, const struct tcp_context *c)
{
	switch (c->step) {
	case STEP_FORWARD:
		return set_port(p, __builtin_offsetof(struct tcphdr, dest), p->old_port, c->port);
	case STEP_COOKIE: return write_syn_ack(p, c);
	case STEP_RESET: return write_reset(p, c);
	case STEP_END_TIME_WAIT: return end_time_wait(p, c);
	default: return 0;
	}
}

/* Returns the reason. What could not be written is dropped: TCP sends it again. */
static __always_inline enum mangle_reason tcp_write(struct pkt *p, struct tcp_context *c,
						    enum mangle_reason reason)
{
	if (likely(!write_step(p, c)))
		return reason;
	p->counts = NULL;
	c->step = STEP_DROP;
	c->verdict = VERDICT_DROPPED;
	return REASON_WRITE_FAILED;
}

#endif
