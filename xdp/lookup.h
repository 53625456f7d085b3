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

#define FAR_ARGS(cell, reach, is_long) \
	((__u64)(cell) | (__u64)(reach) << 32 | (__u64)(is_long) << 40)

/*
 * The cell of the bucket behind `cell` that has the tag; 0: none has. Few tags lie there, so it may
 * cost a call, which spares the verifier: see service_by_shape.
 */
__noinline __u32 lookup_far(__u32 table, __u64 args, __u64 lo, __u64 hi)
{
	void *cells = bpf_map_lookup_elem(&tables, &table);
	__u32 at = args, reach = args >> 32 & MANGLE_MAX_REACH, slot;

	if (!cells)
		return 0;
	for (__u32 i = 0; i < MANGLE_MAX_REACH; i++) {
		const struct mangle_cell *cell;

		if (i >= reach)
			break;
		at++;
		cell = bpf_map_lookup_elem(cells, &at);
		if (!cell)
			break;
		if (bucket_find(&cell->bucket, lo, hi, args >> 40 & 1, &slot))
			return at;
	}
	return 0;
}

static __always_inline enum mangle_reason lookup(struct pkt *p)
{
	const struct mangle_service *s = p->service;
	__u32 table = s->table, at, reach;
	struct mangle_cell *cell;
	bool is_long = s->tag_len > 8;
	void *cells;

	cells = bpf_map_lookup_elem(&tables, &table);
	if (!cells)
		return REASON_UNKNOWN_TAG;
	p->shared_region = p->cpu >= s->cpus;
	at = 1 + (s->buckets + MANGLE_MAX_REACH) * (p->shared_region ? s->cpus : p->cpu) +
	     mangle_bucket_of(p->tag_lo, p->tag_hi, s->seed, s->buckets);
	cell = bpf_map_lookup_elem(cells, &at);
	if (!cell)
		return REASON_UNKNOWN_TAG;
	/* Fetched now, its cache miss runs beside the bucket's. */
	(void)LOAD(cell->counts.packets[0]);
	p->value = bucket_find(&cell->bucket, p->tag_lo, p->tag_hi, is_long, &p->slot);
	reach = cell->bucket.reach;
	if (unlikely(!p->value && reach)) {
		at = lookup_far(table, FAR_ARGS(at, reach, is_long), p->tag_lo, p->tag_hi);
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
