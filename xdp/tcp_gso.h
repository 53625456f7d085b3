/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Super-packets: segments that GRO has merged, or that TSO has not split yet, count as the segments
 * that they are on the wire. The first of them decides for all.
 */
#ifndef XDP_TCP_GSO_H
#define XDP_TCP_GSO_H

#include "tcp_states.h"
#include "report.h"

#define VLAN_TAG_BYTES 4 /* of a tag that was taken off the frame */

static __always_inline void use_first_segment(struct pkt *p)
{
	if (p->ctx->gso_size && p->payload_len > p->ctx->gso_size)
		p->payload_len = p->ctx->gso_size;
}

/* Returns the number of segments. A super-packet from a virtual machine has their size, but not
 * their number. */
static __always_inline __u32 frames_of(const struct pkt *p)
{
	__u32 size = p->ctx->gso_size;

	if (p->ctx->gso_segs)
		return p->ctx->gso_segs;
	return size ? (p->ip_end - p->payload_off + size - 1) / size : 1;
}

/* Records frames and bytes on the wire, before an answer replaces the packet. */
static __always_inline void measure_segments(const struct pkt *p, struct tcp_context *c)
{
	__u32 headers = p->payload_off + (p->ctx->vlan_present ? VLAN_TAG_BYTES : 0);
	__u32 payload = p->ip_end - p->payload_off;

	c->headers = headers;
	c->frames = frames_of(p);
	c->bytes = c->frames == 1 ? p->frame_len + headers - p->payload_off /* padding too */
				  : payload + (__u64)c->frames * headers;
}

/* Returns whether the first of the segments is the first data, and those behind it later segments.
 */
static __always_inline bool begins_connection(const struct tcp_context *c,
					      enum mangle_reason reason)
{
	return reason != REASON_TCP_FLOW && reason != REASON_NO_SERVICE &&
	       reason != REASON_WRITE_FAILED && c->verdict != VERDICT_ANSWERED;
}

static __always_inline void report_segments(struct pkt *p, struct tcp_context *c,
					    enum mangle_reason reason, bool observe)
{
	__u32 first = c->frames;
	__u64 first_bytes = c->bytes;

	if (c->frames > 1 && begins_connection(c, reason)) {
		first = 1;
		first_bytes = c->headers + p->payload_len;
	}
	report(p, reason, observe ? VERDICT_PASSED : c->verdict, c->verdict, first, first_bytes);
	if (first == c->frames)
		return;
	p->counts = NULL;
	reason = c->verdict == VERDICT_PASSED ? leave(p, c) : REASON_TCP_FLOW;
	report(p, reason, observe ? VERDICT_PASSED : c->verdict, c->verdict, c->frames - first,
	       c->bytes - first_bytes);
}

#endif
