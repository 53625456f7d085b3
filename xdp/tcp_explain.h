/* SPDX-License-Identifier: GPL-2.0-only */
/* Explains a segment of a TCP connection, as if its handshake were done: nothing is sent. */
#ifndef XDP_TCP_EXPLAIN_H
#define XDP_TCP_EXPLAIN_H

#include "tcp_first_data.h"
#include "parse.h"
#include "pkt.h"
#include "tcp_segment.h"

/* Then the kernel sees no IP packet where connections are bound. */
static __always_inline bool has_two_tags(const struct pkt *p)
{
	__u32 ip = p->addr_off - (p->family == 4 ? __builtin_offsetof(struct iphdr, saddr)
						 : __builtin_offsetof(struct ipv6hdr, saddr));

	return ip == sizeof(struct ethhdr) + MAX_VLAN_TAGS * sizeof(struct vlan_tag);
}

/* Returns REASON_NONE where the segment has data, which rows 9 to 14 judge. */
static __always_inline enum mangle_reason explain_tcp(struct pkt *p)
{
	struct segment s = {};

	if (has_two_tags(p)) {
		p->service = NULL;
		p->service_index = 0;
		return REASON_NO_SERVICE;
	}
	read_segment(p, &s);
	switch (classify_segment(&s, p->payload_len)) {
	case SEGMENT_SYN: return REASON_TCP_COOKIE;
	case SEGMENT_RST:
	case SEGMENT_ACK: return REASON_TCP_HANDSHAKE;
	case SEGMENT_NO_ACK:
	case SEGMENT_FIN: return REASON_TCP_RESET;
	default: return REASON_NONE;
	}
}

/* Returns what judge()'s reason means for the first data, and whether a socket listens there. */
static __always_inline enum mangle_reason
explain_first_data(const struct pkt *p, enum mangle_reason reason, enum mangle_verdict *verdict)
{
	if (reason == REASON_NO_SERVICE)
		return reason;
	reason = conclude_first(p, reason, verdict);
	if (*verdict == VERDICT_ANSWERED ||
	    socket_state(p, *verdict == VERDICT_REWRITTEN ? p->new_port : p->old_port) ==
		    SOCKET_LISTENING)
		return reason;
	*verdict = VERDICT_ANSWERED;
	return REASON_TCP_RESET;
}

#endif
