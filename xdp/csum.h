/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internet checksum arithmetic (RFC 1071, RFC 1624). Pure, and the same in either byte order as
 * long as all words and the checksum are taken in one (RFC 1071, 2 (B)).
 */
#ifndef XDP_CSUM_H
#define XDP_CSUM_H

#include <linux/types.h>

/* One's complement sum of 16 bits, of any sum of 16-bit words that fits. */
static inline __attribute__((always_inline)) __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/*
 * The checksum after one 16-bit word changed: RFC 1624 eqn. 3, HC' = ~(~HC + ~m + m').
 * Where nothing changes nothing does: the equation alone would turn 0 into 0xffff (errata 4782).
 */
static inline __attribute__((always_inline)) __u16 csum_update16(__u16 hc, __u16 old, __u16 new)
{
	__u32 sum;

	if (old == new)
		return hc;
	sum = (__u32)(__u16)~hc + (__u16)~old + new;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

#endif
