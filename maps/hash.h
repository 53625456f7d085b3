/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hashes that both sides compute: of a tag, for its home bucket, and of a rule's key, for its
 * two cells. They multiply and fold, as MurmurHash3's finaliser does (public domain, Austin
 * Appleby), with one round: a table in which too many tags have the same home bucket is built anew
 * with another seed.
 */
#ifndef MANGLE_HASH_H
#define MANGLE_HASH_H

#include "schema.h"

/* Returns the home bucket, 0 .. buckets - 1, of a tag's key. */
static inline __u32 mangle_bucket_of(__u64 lo, __u64 hi, __u64 seed, __u32 buckets)
{
	__u64 h = (hi ^ seed) * 0x9e3779b97f4a7c15ULL;

	/* The high half is folded first: without that, keys that differ only in the high bits of
	 * both halves would have the same bucket with any seed. */
	h ^= h >> 32;
	h ^= lo;
	h ^= h >> 29;
	h *= 0xff51afd7ed558ccdULL;
	/* The high half is the well mixed one; scaling it is cheaper than a division (Lemire 2016).
	 */
	return (__u32)(((h >> 32) * buckets) >> 32);
}

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

/* Returns the first or second cell of a masked key among `rules` (a power of two) cells of a tuple.
 */
static inline __u32 mangle_match_cell(__u64 hash, int second, __u32 rules)
{
	return (second ? (__u32)(hash >> 40) : (__u32)hash) & (rules - 1);
}

#endif
