/* SPDX-License-Identifier: GPL-2.0-only */
/* Judges the first data segment of a TCP connection: rows 9 to 14, and what they mean there. */
#ifndef XDP_TCP_FIRST_DATA_H
#define XDP_TCP_FIRST_DATA_H

#include "judge.h"
#include "pkt.h"
#include "tcp_socket.h"

/* The client is to send more: the segment does not count. */
static __always_inline bool waits_for_more(const struct pkt *p, enum mangle_reason reason)
{
	/* An entity's own window is a decision, not a wait. */
	return reason == REASON_NO_TAG || (reason == REASON_TOO_SHORT && !p->has_tag);
}

/* What the reason of rows 9 to 14 means there. verdict: what decide() made of it. */
static __always_inline enum mangle_reason
conclude_first(const struct pkt *p, enum mangle_reason reason, enum mangle_verdict *verdict)
{
	if (waits_for_more(p, reason)) {
		*verdict = VERDICT_ANSWERED;
		return reason;
	}
	if (*verdict == VERDICT_DROPPED) {
		*verdict = VERDICT_ANSWERED;
		return REASON_TCP_RESET;
	}
	return reason == REASON_REWRITTEN ? REASON_TCP_BOUND : reason;
}

/* Not yet whether anybody listens. verdict REWRITTEN: on p->new_port; PASSED: on the shared one. */
static __always_inline enum mangle_reason judge_first(struct pkt *p, enum mangle_verdict *verdict)
{
	enum mangle_reason reason = judge(p, REASON_NONE, verdict);

	return conclude_first(p, reason, verdict);
}

#endif
