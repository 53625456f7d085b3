/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one packet context, and the cursor that owns every bounds check. pkt_xdp.h or pkt_skb.h,
 * which a program includes before, has the helpers that read a packet's bytes.
 */
#ifndef XDP_PKT_H
#define XDP_PKT_H

#ifndef PKT_ACCESS
#error "include pkt_xdp.h or pkt_skb.h first"
#endif

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../maps/maps.bpf.h"
#include "verifier.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Set when the program is loaded: the name of the interface, as struct mangle_match has it. */
const volatile __u64 own_ifname[2] = {};

/* Offsets and lengths are bytes, offsets count from the frame's first byte. */
struct pkt {
	struct pkt_ctx *ctx;
	__u8 *data, *data_end; /* the frame, or its first part where it has several */
	__u32 frame_len;       /* all parts */
	__u32 addr_off;	       /* source address; the destination address follows it */
	__u32 l4_off;
	__u32 l4_len; /* UDP: by its length field; TCP: by the IP length */
	__u32 ip_end; /* one behind the IP packet's last byte */
	__u32 payload_off;
	__u32 payload_len; /* bytes; of a first fragment, fewer may be here */
	__u8 family;	   /* 4 or 6 */
	__u8 ip_proto;	   /* IPPROTO_* */
	__u8 proto;	   /* MANGLE_PROTO_* */
	bool fragment;	   /* a first fragment */
	bool malformed_l4;
	bool has_ports;
	bool has_tag;
	bool reversed; /* services are matched as if it went the other way */
	__u16 src_port;
	__u16 old_port; /* destination */
	__u16 new_port;
	__u16 csum; /* as on the wire, words as they lie in memory */
	__u32 cpu;
	__u64 opaque; /* see verifier_forget() */
	const struct mangle_config *config;
	const struct mangle_service *service; /* NULL: none matched */
	__u32 service_index;		      /* + 1; 0: none matched */
	__u64 tag_lo, tag_hi;		      /* struct mangle_bucket */
	__u64 value;			      /* the entity's, MANGLE_VALUE */
	struct mangle_counts
		*counts;  /* of this CPU's copy, for the entity's bucket; NULL: no entity */
	bool shared_copy; /* other CPUs write to counts too */
	__u32 slot;	  /* of the entity in counts */
};

/*
 * Reads the packet pointers anew on purpose: how far a pointer has been checked is a part of the
 * verifier's state too.
 */
static __always_inline void pkt_init_data(struct pkt *p, struct pkt_ctx *ctx)
{
	p->ctx = ctx;
	p->data = (__u8 *)(long)*(volatile __u32 *)&ctx->data;
	p->data_end = (__u8 *)(long)*(volatile __u32 *)&ctx->data_end;
}

/* The verifier knows packet pointers only up to here; what lies behind goes through the helper. */
#define PKT_MAX_DIRECT 0xff00

/*
 * Finds where len bytes (a constant) at off lie in the frame's first part. Returns false where they
 * do not lie there.
 */
static __always_inline bool pkt_direct(const struct pkt *p, __u64 off, __u32 len, __u8 **at)
{
	verifier_hide(off);
	if (unlikely(off > PKT_MAX_DIRECT - len))
		return false;
	*at = p->data + off;
	return *at + len <= p->data_end;
}

/*
 * Returns len bytes (a constant) at off, to be read only: in the packet, or copied to scratch where
 * they do not lie in the first part; NULL where the frame ends before.
 */
static __always_inline void *pkt_at(const struct pkt *p, __u32 off, __u32 len, void *scratch)
{
	__u8 *at;

	if (likely(pkt_direct(p, off, len, &at)))
		return at;
	return pkt_load(p->ctx, off, scratch, len) ? NULL : scratch;
}

static __always_inline struct mangle_scratch *pkt_scratch(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&scratch_of_cpu, &zero);
}

/* Returns whether the frame has its bytes up to `end`. */
static __always_inline bool pkt_reaches(struct pkt *p, __u32 end)
{
	if (unlikely(end > p->frame_len))
		p->frame_len = pkt_length(p->ctx, p->frame_len);
	return end <= p->frame_len;
}

static __always_inline void pkt_init(struct pkt *p, struct pkt_ctx *ctx)
{
	__builtin_memset(p, 0, sizeof(*p));
	pkt_init_data(p, ctx);
	p->frame_len = p->data_end - p->data;
	if (pkt_may_be_longer(p->frame_len))
		p->frame_len = pkt_length(ctx, p->frame_len);
	p->cpu = bpf_get_smp_processor_id();
}

#endif
