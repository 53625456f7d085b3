/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums of a packet's bytes, for checksums that must be seen through. */
#ifndef XDP_SUM_H
#define XDP_SUM_H

#include <linux/in.h>

#include "pkt.h"

#define SUM_CHUNK 512 /* the most that bpf_csum_diff takes on every kernel */
#define SUM_MAX_CHUNKS (65536 / SUM_CHUNK)

/* By way of a copy, from wherever it lies in the frame. */
static __always_inline __u64 sum_copied(struct pkt_ctx *ctx, struct mangle_notes *own, __u32 off,
					__u32 len)
{
	__u64 sum = 0, rest;

	for (int i = 0; i < SUM_MAX_CHUNKS; i++) {
		if (len < SUM_CHUNK)
			break;
		if (pkt_load(ctx, off, own->bytes, SUM_CHUNK))
			return 0;
		sum += (__u32)bpf_csum_diff(NULL, 0, (void *)own->bytes, SUM_CHUNK, 0);
		off += SUM_CHUNK;
		len -= SUM_CHUNK;
	}
	if (!len)
		return sum;
	rest = len - 1;
	BOUND(rest, 511); /* 1 .. 512 */
	rest++;
	if (pkt_load(ctx, off, own->bytes, rest))
		return 0;
	*(__u32 *)&own->bytes[rest] = 0; /* the notes have room for it */
	return sum + (__u32)bpf_csum_diff(NULL, 0, (void *)own->bytes, (rest + 3) & ~3ULL, 0);
}

/* Sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1); 0 where it cannot be read. */
static __always_inline __u64 sum_pseudo_header(const struct pkt *p)
{
	__u8 proto = p->proto == MANGLE_PROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	__u64 sum = bpf_htonl(p->l4_len) + (__u64)bpf_htons(proto);
	__u32 buf[8], *addr;

	if (p->family == 4) {
		addr = pkt_at(p, p->addr_off, 8, buf);
		if (!addr)
			return 0;
		return sum + addr[0] + addr[1];
	}
	addr = pkt_at(p, p->addr_off, 32, buf);
	if (!addr)
		return 0;
#pragma unroll
	for (int i = 0; i < 8; i++)
		sum += addr[i];
	return sum;
}

#endif
