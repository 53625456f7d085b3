/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things lie: the hashes that both sides compute. Multiply and fold, as in MurmurHash3's
 * finaliser (public domain, Austin Appleby), with one round: a table is built anew with another
 * seed where its tags fall together.
 */
#ifndef MANGLE_HASH_H
#define MANGLE_HASH_H

#include "schema.h"

/* The bucket, 0 .. buckets - 1, that a tag's key belongs to. */
static inline __u32 mangle_bucket_of(__u64 lo, __u64 hi, __u64 seed, __u32 buckets)
{
	__u64 h = (hi ^ seed) * 0x9e3779b97f4a7c15ULL;

	/* Folded first, or what is high in both halves would meet, with any seed. */
	h ^= h >> 32;
	h ^= lo;
	h ^= h >> 29;
	h *= 0xff51afd7ed558ccdULL;
	/* The high half is the well mixed one; scale it instead of dividing (Lemire 2016). */
	return (__u32)(((h >> 32) * buckets) >> 32);
}

/* The two places of a masked key among `rules` (a power of two) cells of a shape. */
static inline __u64 mangle_match_hash(const struct mangle_match *m)
{
	__u64 h = m->daddr[0] * 0x9e3779b97f4a7c15ULL;

	h = (h ^ (h >> 32) ^ m->daddr[1]) * 0xff51afd7ed558ccdULL;
	h = (h ^ (h >> 32) ^ m->saddr[0]) * 0xc4ceb9fe1a85ec53ULL;
	h = (h ^ (h >> 32) ^ m->saddr[1]) * 0x9e3779b97f4a7c15ULL;
	h = (h ^ (h >> 32) ^ m->ifname[0]) * 0xff51afd7ed558ccdULL;
	h = (h ^ (h >> 32) ^ m->ifname[1]) * 0xc4ceb9fe1a85ec53ULL;
	h = (h ^ (h >> 32) ^ m->kind) * 0x9e3779b97f4a7c15ULL;
	return h ^ (h >> 32);
}

static inline __u32 mangle_match_place(__u64 hash, int second, __u32 rules)
{
	return (second ? (__u32)(hash >> 40) : (__u32)hash) & (rules - 1);
}

#endif
