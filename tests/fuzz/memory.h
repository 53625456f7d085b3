/* SPDX-License-Identifier: GPL-2.0-only */
/* What programs see of maps and packets, and sums over these. */
#ifndef TESTS_FUZZ_MEMORY_H
#define TESTS_FUZZ_MEMORY_H

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "services.h"

#define FRAME_ROOM 16384

/* Of an array; NULL behind its end. */
static void *element(const struct host_array *a, uint32_t at)
{
	return at < a->count ? a->values + a->size * at : NULL;
}

__s64 bpf_csum_diff(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __wsum seed)
{
	uint64_t sum = seed;

	CHECK(!from && !from_size && to_size % 4 == 0 && to_size <= 512);
	for (uint32_t i = 0; i < to_size / 4; i++)
		sum += to[i];
	while (sum >> 32)
		sum = (uint32_t)sum + (sum >> 32);
	return (__s64)sum;
}

/*
 * Memory whose addresses fit into the context's 32 bits. Everything is poison but the frame's first
 * part, so that a byte before or behind it is found as in a block of just its size.
 */
static uint8_t *frame_at(void)
{
	static uint8_t *at;

	if (!at) {
		at = mmap(NULL, 3 * FRAME_ROOM, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		CHECK(at != MAP_FAILED);
	}
	ASAN_POISON_MEMORY_REGION(at, 3 * FRAME_ROOM);
	return at + FRAME_ROOM;
}

static uint32_t word16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint64_t sum_words(const uint8_t *at, uint32_t len)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += (uint64_t)at[i] << (i & 1 ? 0 : 8);
	return sum;
}

#endif
