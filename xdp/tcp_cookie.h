/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYN cookies keep what was negotiated in the numbers that the client sends back (RFC 4987 3.6).
 *
 * A program can ask the kernel whether one of its own cookies is valid, but not which MSS it has,
 * so mangle makes its own. Bit 0: parity of the time slot; bits 1-2: MSS; bits 3-16: SipHash-2-4
 * (Aumasson, Bernstein 2012) of both ends, the slot and the timestamp that goes with it; bits
 * 17-31: the same of that hash and the client's initial sequence number. So a segment that has
 * overtaken the first one is recognised, though not how far it is ahead. A client with timestamps
 * also gets window scaling, SACK and ECN: the timestamp cookie has them, with the MSS to the byte.
 */
#ifndef XDP_TCP_COOKIE_H
#define XDP_TCP_COOKIE_H

#include "pkt.h"
#include "tcp_segment.h"

#define COOKIE_SLOT_SHIFT 36 /* ns >> 36: 69 s; a cookie lives for one slot to two */
#define COOKIE_ENDS_SHIFT 3  /* of the hash that does not cover the sequence number */
#define COOKIE_ISN_SHIFT 17
#define COOKIE_ENDS_MASK ((1U << COOKIE_ISN_SHIFT) - 1)

/*
 * The timestamp cookie, which is the timestamp of the SYN-ACK: bits 0-15 MSS, 16-19 the client's
 * window scale (TCP_NO_WSCALE: none), 20-23 the server's, 24 SACK, 25 ECN, 26 always set. The
 * kernel's clock for the connection goes on from it.
 */
#define TS_COOKIE(mss, wscale, own_wscale, sack, ecn) \
	((__u32)(mss) | (__u32)(wscale) << 16 | (__u32)(own_wscale) << 20 | (__u32)(sack) << 24 | \
	 (__u32)(ecn) << 25 | 1U << 26)
#define TS_COOKIE_MSS(ts_cookie) ((__u16)(ts_cookie))
#define TS_COOKIE_WSCALE(ts_cookie) ((ts_cookie) >> 16 & 15)
#define TS_COOKIE_OWN_WSCALE(ts_cookie) ((ts_cookie) >> 20 & 15)
#define TS_COOKIE_SACK(ts_cookie) ((ts_cookie) >> 24 & 1)
#define TS_COOKIE_ECN(ts_cookie) ((ts_cookie) >> 25 & 1)

/* Returns the MSS of an index, from the kernel's tables for its own SYN cookies. */
static __always_inline __u16 cookie_mss_of(__u8 family, __u32 index)
{
	if (family == 4)
		return index == 3 ? 1460 : index == 2 ? 1440 : index == 1 ? 1300 : 536;
	return index == 3 ? 8940 : index == 2 ? 1440 : index == 1 ? 1420 : 1220;
}

/* Returns the index of the largest MSS of the table that is not above mss. */
static __always_inline __u32 cookie_mss_index(__u8 family, __u16 mss)
{
	for (__u32 i = 3; i; i--)
		if (mss >= cookie_mss_of(family, i))
			return i;
	return 0;
}

/* Returns the smallest MSS that the kernel accepts. */
static __always_inline __u16 least_mss(__u8 family)
{
	return family == 4 ? 536 : 1220;
}

static __always_inline __u64 rotate(__u64 x, __u32 by)
{
	return x << by | x >> (64 - by);
}

#define SIP_ROUND(v0, v1, v2, v3) \
	do { \
		v0 += v1; \
		v1 = rotate(v1, 13) ^ v0; \
		v0 = rotate(v0, 32); \
		v2 += v3; \
		v3 = rotate(v3, 16) ^ v2; \
		v0 += v3; \
		v3 = rotate(v3, 21) ^ v0; \
		v2 += v1; \
		v1 = rotate(v1, 17) ^ v2; \
		v2 = rotate(v2, 32); \
	} while (0)

#define COOKIE_WORDS 7

/* Returns SipHash-2-4 of `count` words. */
static __always_inline __u64 siphash(const __u64 key[2], const __u64 *words, __u32 count)
{
	__u64 v0 = key[0] ^ 0x736f6d6570736575ULL, v1 = key[1] ^ 0x646f72616e646f6dULL;
	__u64 v2 = key[0] ^ 0x6c7967656e657261ULL, v3 = key[1] ^ 0x7465646279746573ULL;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i <= count; i++) {
		__u64 m = i < count ? words[i] : (__u64)(count * 8) << 56;

		v3 ^= m;
		SIP_ROUND(v0, v1, v2, v3);
		SIP_ROUND(v0, v1, v2, v3);
		v0 ^= m;
	}
	v2 ^= 0xff;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 4; i++)
		SIP_ROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

/*
 * Returns the cookie of a connection. slot_low: the time slot, and in its low 3 bits those of the
 * cookie. isn: the client's initial sequence number.
 */
PKT_FUNCTION __u32 cookie_of(const struct mangle_flow_key *key, __u64 slot_low, __u32 ts_cookie,
			     __u32 isn)
{
	const __u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&config, &zero);
	const struct mangle_config *c = inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
	__u64 words[COOKIE_WORDS], ends;

	if (!c || !key)
		return 0;
	__builtin_memcpy(words, key, sizeof(*key));
	words[5] = slot_low;
	words[6] = ts_cookie;
	ends = siphash(c->cookie_key, words, COOKIE_WORDS);
	words[0] = ends;
	words[1] = isn;
	return (__u32)siphash(c->cookie_key, words, 2) << COOKIE_ISN_SHIFT |
	       ((__u32)ends << COOKIE_ENDS_SHIFT & COOKIE_ENDS_MASK) | (slot_low & 7);
}

/* Returns a new cookie. ts_cookie: the timestamp cookie; 0: the client has no timestamps, and the
 * cookie has the MSS. */
static __always_inline __u32 cookie_make(const struct mangle_flow_key *key, __u8 family, __u32 isn,
					 __u32 ts_cookie, __u16 mss)
{
	__u64 slot = bpf_ktime_get_ns() >> COOKIE_SLOT_SHIFT;
	__u64 low = (slot & 1) | (ts_cookie ? 0 : cookie_mss_index(family, mss)) << 1;

	return cookie_of(key, slot << 3 | low, ts_cookie, isn);
}

enum cookie_is {
	COOKIE_FOREIGN,
	COOKIE_EARLY, /* a cookie of mangle's, in a later segment than the first */
	COOKIE_FIRST,
};

static __always_inline enum cookie_is cookie_check(const struct mangle_flow_key *key, __u32 cookie,
						   __u32 isn, __u32 ts_cookie)
{
	__u64 slot = bpf_ktime_get_ns() >> COOKIE_SLOT_SHIFT;
	__u32 made;

	slot -= (slot ^ cookie) & 1;
	made = cookie_of(key, slot << 3 | (cookie & 7), ts_cookie, isn);
	return made == cookie			       ? COOKIE_FIRST
	       : !((made ^ cookie) & COOKIE_ENDS_MASK) ? COOKIE_EARLY
						       : COOKIE_FOREIGN;
}

#endif
