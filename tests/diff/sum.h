/* SPDX-License-Identifier: GPL-2.0-only */
/* The Internet checksum (RFC 1071) as the books have it, two bytes at a time. */
#ifndef DIFF_SUM_H
#define DIFF_SUM_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint64_t sum_bytes(uint64_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += get16(p);
	return len ? sum + ((uint64_t)*p << 8) : sum;
}

static inline uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Addresses lie side by side in either IP header; len: the transport's own. */
static inline uint64_t sum_pseudo(const uint8_t *addrs, unsigned int family, uint8_t proto,
				  uint32_t len)
{
	return sum_bytes((uint64_t)proto + (len >> 16) + (len & 0xffff), addrs,
			 family == 4 ? 8 : 32);
}

#endif
