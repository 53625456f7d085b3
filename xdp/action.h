/* SPDX-License-Identifier: GPL-2.0-only */
/* From reason to verdict: the one place where the service's policies rule. */
#ifndef XDP_ACTION_H
#define XDP_ACTION_H

#include "pkt.h"

static __always_inline enum mangle_verdict decide(struct pkt *p, enum mangle_reason reason)
{
	const struct mangle_service *s = p->service;
	__u8 action = ACTION_PASS;
	__u16 port = 0;

	switch (reason) {
	case REASON_REWRITTEN:
		action = ACTION_PORT;
		port = MANGLE_VALUE_PORT(p->value);
		break;
	case REASON_ENTITY_DROP: action = ACTION_DROP; break;
	case REASON_UNKNOWN_TAG:
		if (s) {
			action = s->unknown;
			port = s->unknown_port;
		}
		break;
	case REASON_MALFORMED_L4:
	case REASON_TOO_SHORT:
	case REASON_TOO_LONG:
	case REASON_NO_TAG:
		if (s)
			action = s->invalid;
		break;
	case REASON_TCP_COOKIE:
	case REASON_TCP_HANDSHAKE:
	case REASON_TCP_RESET: return VERDICT_ANSWERED;
	default: break;
	}
	if (action == ACTION_PORT) {
		p->new_port = port;
		return VERDICT_REWRITTEN;
	}
	return action == ACTION_DROP ? VERDICT_DROPPED : VERDICT_PASSED;
}

#endif
