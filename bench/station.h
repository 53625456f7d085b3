/* SPDX-License-Identifier: GPL-2.0-only */
/* What pingpong, stream and connections, which send and receive on sockets, have in common. */
#ifndef BENCH_STATION_H
#define BENCH_STATION_H

#include <stdbool.h>
#include <time.h>
#include <linux/types.h>

/* A datagram's payload: an entity's tag, and which datagram it is. */
struct message {
	__u32 tag, zero;
	__u64 number;
};

/* One line with errno's reason on standard error, exit status 1. */
_Noreturn void die(const char *object, const char *what);

void enter(const char *netns);
/* Pins this process to a CPU and its memory to where it is; FIRST: before all ordinary processes.
 */
void settle(int cpu, bool first);
__u64 now(clockid_t clock); /* nanoseconds */

/* The last CPU; and the one before, or the same where there is but one. */
int last_cpu(void);
int other_cpu(void);

#endif
