/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet's bytes in a tc program. */
#ifndef XDP_PKT_SKB_H
#define XDP_PKT_SKB_H
#define PKT_ACCESS

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#define pkt_ctx __sk_buff
/* Not inlined, with the context: global, so that the verifier walks it but once. */
#define PKT_FUNCTION __noinline
#define PKT_OPAQUE(ctx) ((ctx)->queue_mapping)

/* len bytes at off, of whichever part of the packet, to `to`; 0 or negative errno. */
static __always_inline long pkt_load(struct __sk_buff *skb, __u32 off, void *to, __u32 len)
{
	return bpf_skb_load_bytes(skb, off, to, len);
}

static __always_inline bool pkt_may_be_longer(__u32 len)
{
	(void)len;
	return true;
}

static __always_inline __u32 pkt_length(struct __sk_buff *skb, __u32 linear)
{
	(void)linear;
	return skb->len;
}

/* Returns the bytes from off on, for a super-packet that is larger than an IP length can say and
 * leaves it 0 (BIG TCP). */
static __always_inline __u32 pkt_big(struct __sk_buff *skb, __u32 off)
{
	return skb->gso_size ? skb->len - off : 0;
}

#endif
