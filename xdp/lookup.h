/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks the tag up in the service's table, and touches the entity's counters. Row 11. */
#ifndef XDP_LOOKUP_H
#define XDP_LOOKUP_H

#include "../maps/hash.h"
#include "pkt.h"

#define LOAD(x) (*(const volatile __u64 *)&(x))

/*
 * Compares without branches: which slot it is is random, and each wrong guess would cost more than
 * all of this. A slot counts only where it has a value: an unused slot's key looks like the
 * all-zero tag. The values are read before the keys: see struct mangle_bucket.
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

/* The same in a packed bucket, whose unused second slot would take the all-zero tag from the first.
 */
static __always_inline __u64 packed_find(const struct mangle_line *packed, __u64 tag, __u32 *slot)
{
	__u64 v0 = MANGLE_LINE_VALUE(LOAD(packed->value0));
	__u64 v1 = MANGLE_LINE_VALUE(LOAD(packed->value1));
	__u64 keys = LOAD(packed->key);
	__u64 m0 = ~mask_if((keys & 0xffffffff) ^ tag);
	__u64 m1 = mask_if(v1) & ~mask_if((keys >> 32) ^ tag);

	*slot = m1 & 1;
	return (v0 & m0) | (v1 & m1);
}

/* Returns the half of a cell that is a packed bucket of its own. */
static __always_inline void *packed_bucket(struct mangle_cell *cell, __u32 bucket)
{
	return (__u8 *)cell + sizeof(struct mangle_line) * (bucket & 1);
}

enum { BUCKET_SHORT, BUCKET_LONG, BUCKET_PACKED };
#define DISPLACED_ARGS(bucket, distance, kind) \
	((__u64)(bucket) | (__u64)(distance) << 32 | (__u64)(kind) << 40)

/*
 * The bucket behind `bucket` that has the tag; 0: none has. Buckets are counted in cells, or,
 * lines, in halves of cells. Few tags lie there, so it may cost a call, which spares the verifier:
 * see service_by_tuple().
 */
VERIFIED_ONCE __u32 lookup_displaced(__u32 table, __u64 args, __u64 lo, __u64 hi)
{
	void *cells = bpf_map_lookup_elem(&tables, &table);
	__u32 bucket = args, distance = args >> 32 & MANGLE_MAX_REACH, kind = args >> 40, slot;

	if (!cells)
		return 0;
	for (__u32 i = 0; i < MANGLE_MAX_REACH; i++) {
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

/* In a table of packed buckets. */
static __always_inline enum mangle_reason lookup_packed(struct pkt *p, __u32 table, void *cells,
							__u32 copy)
{
	const struct mangle_service *s = p->service;
	__u32 stride = (s->buckets + MANGLE_MAX_REACH + 1) >> 1, at, distance;
	__u32 bucket = mangle_bucket_of(p->tag_lo, p->tag_hi, s->seed, s->buckets);
	struct mangle_cell *cell;
	struct mangle_line *packed;

	at = 1 + stride * copy + (bucket >> 1);
	cell = bpf_map_lookup_elem(cells, &at);
	if (!cell)
		return REASON_UNKNOWN_TAG;
	packed = packed_bucket(cell, bucket);
	p->value = packed_find(packed, p->tag_lo, &p->slot);
	distance = MANGLE_LINE_REACH(LOAD(packed->value0));
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
	if (s->tag_len <= MANGLE_LINE_TAG)
		return lookup_packed(p, table, cells, copy);
	at = 1 + (s->buckets + MANGLE_MAX_REACH) * copy +
	     mangle_bucket_of(p->tag_lo, p->tag_hi, s->seed, s->buckets);
	cell = bpf_map_lookup_elem(cells, &at);
	if (!cell)
		return REASON_UNKNOWN_TAG;
	/* Fetched now, its cache miss runs beside the bucket's. */
	(void)LOAD(cell->counts.packets[0]);
	p->value = bucket_find(&cell->bucket, p->tag_lo, p->tag_hi, is_long, &p->slot);
	distance = cell->bucket.reach;
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
