/* SPDX-License-Identifier: GPL-2.0-only */
/* Explains a segment of a TCP connection, as if its handshake were done: nothing is sent. */
#ifndef XDP_FORESEE_H
#define XDP_FORESEE_H

#include "first.h"
#include "pkt.h"
#include "segment.h"

/* REASON_NONE: it has data, which rows 9 to 14 judge. */
static __always_inline enum mangle_reason foresee(const struct pkt *p)
{
	struct segment s = {};

	read_segment(p, &s);
	if ((s.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN)
		return REASON_TCP_COOKIE;
	if (s.flags & TCP_RST)
		return REASON_TCP_HANDSHAKE;
	if (!(s.flags & TCP_ACK))
		return REASON_TCP_RESET;
	if (!p->payload_len)
		return s.flags & TCP_FIN ? REASON_TCP_RESET : REASON_TCP_HANDSHAKE;
	return REASON_NONE;
}

/* And whether somebody listens. */
static __always_inline enum mangle_reason
foresee_end(const struct pkt *p, enum mangle_reason reason, enum mangle_verdict *verdict)
{
	reason = conclude_first(p, reason, verdict);
	if (*verdict == VERDICT_ANSWERED ||
	    socket_state(p, *verdict == VERDICT_REWRITTEN ? p->new_port : p->old_port) ==
		    SOCKET_LISTENING)
		return reason;
	*verdict = VERDICT_ANSWERED;
	return REASON_TCP_RESET;
}

#endif
