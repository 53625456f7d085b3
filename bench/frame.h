/* SPDX-License-Identifier: GPL-2.0-only */
/* The one frame that every measurement sends: Ethernet, IPv4, UDP, a 4-byte tag, 60 bytes (64 with
 * FCS), and what entity I looks like. Shared by the generator (BPF) and the checks (host). */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <linux/types.h>

enum {
	FRAME_LEN = 60,
	FRAME_IP = 14, /* offsets into the frame */
	FRAME_UDP = 34,
	FRAME_TAG = 42,
	FRAME_SHARED_PORT = 5000, /* where all entities come in; services beside it follow */
	FRAME_FIRST_PORT = 10000, /* entity I belongs to FRAME_FIRST_PORT + I % FRAME_PORTS */
	FRAME_PORTS = 50000,
};

/* Entity I's tag, its bytes in memory order. One-to-one, without any pattern that a hash could
 * profit or suffer from (murmur3's finalizer), computed so that no table of tags competes for
 * the cache; entity 0 has the all-zero tag. */
static inline __attribute__((always_inline)) __u32 frame_tag(__u32 i)
{
	i ^= i >> 16;
	i *= 0x85ebca6b;
	i ^= i >> 13;
	i *= 0xc2b2ae35;
	return i ^ i >> 16;
}

static inline __attribute__((always_inline)) __u16 frame_port(__u32 i)
{
	return FRAME_FIRST_PORT + i % FRAME_PORTS;
}

#ifndef __bpf__
/* Fills in a frame with destination port and tag 0 and a right checksum. */
void frame_build(__u8 frame[FRAME_LEN]);

/* NULL if FRAME is what was built, with the tag of I and a right UDP checksum, but bound for PORT;
 * else what is wrong with it. */
const char *frame_wrong(const __u8 *frame, __u32 len, __u32 i, __u16 port);
#endif

#endif
