/* SPDX-License-Identifier: GPL-2.0-only */
/* The same work in user space: a process that takes datagrams from one socket, looks their tag up,
 * and sends them on to their port. */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include <linux/types.h>

struct relay_progress {
	_Atomic __u64 sent;
	_Atomic __u64 last; /* when, by relay_now() */
};

/* Nanoseconds of CLOCK_MONOTONIC. */
__u64 relay_now(void);

/* Starts one on CPU in network namespace NETNS for datagrams to PORT, with the first N entities; it
 * ends with its parent. NULL: it has complained. */
const struct relay_progress *relay_start(const char *netns, __u16 port, __u32 entities, int cpu);

#endif
