/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums of a packet's bytes, for checksums that must be seen through. */
#ifndef XDP_SUM_H
#define XDP_SUM_H

#include "pkt.h"

#define SUM_CHUNK 512 /* the most that bpf_csum_diff takes on every kernel */
#define SUM_MAX_CHUNKS (65536 / SUM_CHUNK)

/* By way of a copy, from wherever it lies in the frame. */
static __always_inline __u64 sum_copied(struct pkt_ctx *ctx, struct mangle_scratch *scratch,
					__u32 off, __u32 len)
{
	__u64 sum = 0, rest;

	for (int i = 0; i < SUM_MAX_CHUNKS; i++) {
		if (len < SUM_CHUNK)
			break;
		if (pkt_load(ctx, off, scratch->bytes, SUM_CHUNK))
			return 0;
		sum += (__u32)bpf_csum_diff(NULL, 0, (void *)scratch->bytes, SUM_CHUNK, 0);
		off += SUM_CHUNK;
		len -= SUM_CHUNK;
	}
	if (!len)
		return sum;
	rest = len - 1;
	clamp_index(rest, SUM_CHUNK); /* 1 .. SUM_CHUNK */
	rest++;
	if (pkt_load(ctx, off, scratch->bytes, rest))
		return 0;
	*(__u32 *)&scratch->bytes[rest] = 0; /* there is room for it */
	return sum + (__u32)bpf_csum_diff(NULL, 0, (void *)scratch->bytes, (rest + 3) & ~3ULL, 0);
}

#endif
