/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers that are the same for the same seed: splitmix64. */
#ifndef DIFF_CHANCE_H
#define DIFF_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct chance {
	uint64_t state;
};

static inline uint64_t draw(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline uint32_t below(struct chance *c, uint32_t n)
{
	return (uint32_t)((draw(c) >> 32) * n >> 32);
}

static inline int32_t between(struct chance *c, int32_t first, int32_t last)
{
	return first + (int32_t)below(c, (uint32_t)(last - first) + 1);
}

/* True n times in 1,000. */
static inline bool mille(struct chance *c, uint32_t n)
{
	return below(c, 1000) < n;
}

#define ONE_OF(c, ...) \
	((const int32_t[]){ \
		__VA_ARGS__}[below(c, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))])

static inline void draw_bytes(struct chance *c, uint8_t *p, size_t len)
{
	for (; len > 8; p += 8, len -= 8) {
		uint64_t v = draw(c);

		memcpy(p, &v, 8);
	}
	for (uint64_t v = draw(c); len; v >>= 8, len--)
		*p++ = (uint8_t)v;
}

#endif
