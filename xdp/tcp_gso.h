/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments that were merged, or not cut yet (GRO, TSO), count as what they are on the wire; the
 * first of them decides for all.
 */
#ifndef XDP_TCP_GSO_H
#define XDP_TCP_GSO_H

#include "tcp_states.h"
#include "report.h"

#define VLAN_TAG_BYTES 4 /* taken off the frame, where there was one */

static __always_inline void judge_by_first(struct pkt *p)
{
	if (p->ctx->gso_size && p->payload_len > p->ctx->gso_size)
		p->payload_len = p->ctx->gso_size;
}

/* What comes from a virtual machine says how large segments are, but not how many. */
static __always_inline __u32 frames_of(const struct pkt *p)
{
	__u32 size = p->ctx->gso_size;

	if (p->ctx->gso_segs)
		return p->ctx->gso_segs;
	return size ? (p->ip_end - p->payload_off + size - 1) / size : 1;
}

static __always_inline void count_merged(struct pkt *p, struct session *n,
					 enum mangle_reason reason, bool observe)
{
	__u32 headers = p->payload_off + (p->ctx->vlan_present ? VLAN_TAG_BYTES : 0);
	__u32 frames = frames_of(p), first = frames;
	__u64 bytes = p->ip_end - p->payload_off + (__u64)frames * headers, first_bytes = bytes;
	bool begins = reason != REASON_TCP_FLOW && reason != REASON_NO_SERVICE &&
		      n->verdict != VERDICT_ANSWERED;

	if (frames == 1)
		first_bytes = bytes = p->frame_len + headers - p->payload_off; /* padding too */
	/* Behind the first data come segments of a connection that is bound. */
	if (begins && frames > 1) {
		first = 1;
		first_bytes = headers + p->payload_len;
	}
	count(p, reason, observe ? VERDICT_PASSED : n->verdict, n->verdict, first, first_bytes);
	if (first == frames)
		return;
	p->counts = NULL;
	reason = n->verdict == VERDICT_PASSED ? leave(p, n) : REASON_TCP_FLOW;
	count(p, reason, observe ? VERDICT_PASSED : n->verdict, n->verdict, frames - first,
	      bytes - first_bytes);
}

#endif
