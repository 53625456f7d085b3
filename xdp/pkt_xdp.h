/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet's bytes in an XDP program. */
#ifndef XDP_PKT_XDP_H
#define XDP_PKT_XDP_H
#define PKT_ACCESS

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#define pkt_ctx xdp_md
/* Not inlined, with the context. Under libxdp's dispatcher no global function may have that. */
#define PKT_FUNCTION static __noinline
#define PKT_OPAQUE(ctx) ((ctx)->rx_queue_index)

const volatile bool have_load_bytes = false; /* bpf_xdp_load_bytes and its kin, Linux 5.18 */

/* len bytes at off, of whichever part of the frame, to `to`; 0 or negative errno. */
static __always_inline long pkt_load(struct xdp_md *ctx, __u32 off, void *to, __u32 len)
{
	return have_load_bytes ? bpf_xdp_load_bytes(ctx, off, to, len) : -1;
}

/*
 * A frame has more parts only where its first one is full, or where the driver leaves the first one
 * empty. Between these lengths it is all there is, and the call that asks is saved; the IP parsers
 * ask all the same where a packet seems to end behind it.
 */
#define PKT_WHOLE_MIN 60
#define PKT_WHOLE_MAX 1023

static __always_inline bool pkt_may_be_longer(__u32 len)
{
	return len - PKT_WHOLE_MIN > PKT_WHOLE_MAX - PKT_WHOLE_MIN;
}

/* Of all parts; linear: of the first one. */
static __always_inline __u32 pkt_length(struct xdp_md *ctx, __u32 linear)
{
	return have_load_bytes ? bpf_xdp_get_buff_len(ctx) : linear;
}

/* Frames of more than an IP length can say are malformed here. */
#define pkt_big(ctx, off) 0

#endif
