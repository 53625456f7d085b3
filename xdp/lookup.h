/* SPDX-License-Identifier: GPL-2.0-only */
/* Row 11 of the order of tests: looks the tag up in the service's table, and finds the entity's
 * counters. */
#ifndef XDP_LOOKUP_H
#define XDP_LOOKUP_H

#include "../maps/hash.h"
#include "pkt.h"

#define LOAD(x) (*(const volatile __u64 *)&(x))

/*
 * Returns the value of a tag's slot, or 0. It compares without branches: the slot is random, and
 * each misprediction would cost more than all of this. A slot counts only where it has a value,
 * since an unused slot's key looks like the all-zero tag. Values are read before keys: see struct
 * mangle_bucket.
 */
static __always_inline __u64 bucket_find(const struct mangle_bucket *b, __u64 lo, __u64 hi,
					 bool is_long, __u32 *slot)
{
	__u64 v0, v1, v2, m0, m1, m2;

	if (likely(!is_long)) {
		v0 = LOAD(b->word[3]);
		v1 = LOAD(b->word[4]);
		v2 = LOAD(b->word[5]);
		m0 = mask_if(v0) & ~mask_if(LOAD(b->word[0]) ^ lo);
		m1 = mask_if(v1) & ~mask_if(LOAD(b->word[1]) ^ lo);
		m2 = mask_if(v2) & ~mask_if(LOAD(b->word[2]) ^ lo);
	} else {
		v0 = LOAD(b->word[4]);
		v1 = LOAD(b->word[5]);
		v2 = m2 = 0;
		m0 = mask_if(v0) & ~mask_if((LOAD(b->word[0]) ^ lo) | (LOAD(b->word[2]) ^ hi));
		m1 = mask_if(v1) & ~mask_if((LOAD(b->word[1]) ^ lo) | (LOAD(b->word[3]) ^ hi));
	}
	*slot = (m1 & 1) | (m2 & 2);
	return (v0 & m0) | (v1 & m1) | (v2 & m2);
}

/* Does the same in a packed bucket. Only the second slot has to have a value: unused, it would hide
 * an all-zero tag in the first. */
static __always_inline __u64 packed_find(const struct mangle_packed_bucket *packed, __u64 tag,
					 __u32 *slot)
{
	__u64 v0 = MANGLE_PACKED_VALUE(LOAD(packed->value0));
	__u64 v1 = MANGLE_PACKED_VALUE(LOAD(packed->value1));
	__u64 keys = LOAD(packed->key);
	__u64 m0 = ~mask_if((keys & 0xffffffff) ^ tag);
	__u64 m1 = mask_if(v1) & ~mask_if((keys >> 32) ^ tag);

	*slot = m1 & 1;
	return (v0 & m0) | (v1 & m1);
}

/* Returns the half of a cell that is a packed bucket of its own. */
static __always_inline void *packed_bucket(struct mangle_cell *cell, __u32 bucket)
{
	return (__u8 *)cell + sizeof(struct mangle_packed_bucket) * (bucket & 1);
}

enum { BUCKET_SHORT, BUCKET_LONG, BUCKET_PACKED };
#define DISPLACED_ARGS(bucket, distance, kind) \
	((__u64)(bucket) | (__u64)(distance) << 32 | (__u64)(kind) << 40)

/*
 * Returns the bucket behind `bucket` that has the tag; 0: none has. A bucket's number is that of
 * its cell, a packed bucket's that of its half cell. Few tags are displaced, so this may cost a
 * call, which spares the verifier work: see service_by_tuple().
 */
VERIFIED_ONCE __u32 lookup_displaced(__u32 table, __u64 args, __u64 lo, __u64 hi)
{
	void *cells = bpf_map_lookup_elem(&tables, &table);
	__u32 bucket = args, distance = args >> 32 & MANGLE_MAX_DISTANCE, kind = args >> 40, slot;

	if (!cells)
		return 0;
	for (__u32 i = 0; i < MANGLE_MAX_DISTANCE; i++) {
		struct mangle_cell *cell;
		__u32 at;

		if (i >= distance)
			break;
		bucket++;
		at = kind == BUCKET_PACKED ? bucket >> 1 : bucket;
		cell = bpf_map_lookup_elem(cells, &at);
		if (!cell)
			break;
		if (kind == BUCKET_PACKED
			    ? packed_find(packed_bucket(cell, bucket), lo, &slot)
			    : bucket_find(&cell->bucket, lo, hi, kind == BUCKET_LONG, &slot))
			return bucket;
	}
	return 0;
}

/* Looks the tag up in a table of packed buckets. */
static __always_inline enum mangle_reason lookup_packed(struct pkt *p, __u32 table, void *cells,
							__u32 copy)
{
	const struct mangle_service *s = p->service;
	__u32 stride = (s->buckets + MANGLE_MAX_DISTANCE + 1) >> 1, at, distance;
	__u32 bucket = mangle_bucket_of(p->tag_lo, p->tag_hi, s->seed, s->buckets);
	struct mangle_cell *cell;
	struct mangle_packed_bucket *packed;

	at = 1 + stride * copy + (bucket >> 1);
	cell = bpf_map_lookup_elem(cells, &at);
	if (!cell)
		return REASON_UNKNOWN_TAG;
	packed = packed_bucket(cell, bucket);
	p->value = packed_find(packed, p->tag_lo, &p->slot);
	distance = MANGLE_PACKED_DISTANCE(LOAD(packed->value0));
	if (unlikely(!p->value && distance)) {
		bucket = lookup_displaced(
			table, DISPLACED_ARGS(at * 2 + (bucket & 1), distance, BUCKET_PACKED),
			p->tag_lo, p->tag_hi);
		at = bucket >> 1;
		cell = bucket ? bpf_map_lookup_elem(cells, &at) : NULL;
		if (!cell)
			return REASON_UNKNOWN_TAG;
		packed = packed_bucket(cell, bucket);
		p->value = packed_find(packed, p->tag_lo, &p->slot);
	}
	if (unlikely(!p->value))
		return REASON_UNKNOWN_TAG;
	p->counts = (struct mangle_counts *)packed;
	return REASON_NONE;
}

static __always_inline enum mangle_reason lookup(struct pkt *p)
{
	const struct mangle_service *s = p->service;
	__u32 table = s->table, copy, at, distance;
	struct mangle_cell *cell;
	bool is_long = s->tag_len > 8;
	void *cells;

	cells = bpf_map_lookup_elem(&tables, &table);
	if (!cells)
		return REASON_UNKNOWN_TAG;
	p->shared_copy = p->cpu >= s->cpus;
	copy = p->shared_copy ? s->cpus : p->cpu;
	if (s->tag_len <= MANGLE_PACKED_MAX_TAG)
		return lookup_packed(p, table, cells, copy);
	at = 1 + (s->buckets + MANGLE_MAX_DISTANCE) * copy +
	     mangle_bucket_of(p->tag_lo, p->tag_hi, s->seed, s->buckets);
	cell = bpf_map_lookup_elem(cells, &at);
	if (!cell)
		return REASON_UNKNOWN_TAG;
	/* The counters are fetched now so that their cache miss overlaps the bucket's. */
	(void)LOAD(cell->counts.packets[0]);
	p->value = bucket_find(&cell->bucket, p->tag_lo, p->tag_hi, is_long, &p->slot);
	distance = cell->bucket.distance;
	if (unlikely(!p->value && distance)) {
		at = lookup_displaced(
			table, DISPLACED_ARGS(at, distance, is_long ? BUCKET_LONG : BUCKET_SHORT),
			p->tag_lo, p->tag_hi);
		cell = at ? bpf_map_lookup_elem(cells, &at) : NULL;
		if (!cell)
			return REASON_UNKNOWN_TAG;
		p->value = bucket_find(&cell->bucket, p->tag_lo, p->tag_hi, is_long, &p->slot);
	}
	if (unlikely(!p->value))
		return REASON_UNKNOWN_TAG;
	p->counts = &cell->counts;
	return REASON_NONE;
}

#endif
