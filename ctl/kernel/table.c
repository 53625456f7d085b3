/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../maps/hash.h"
#include "model/parse.h"
#include "table.h"

#if !defined(__x86_64__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define MIN_BUCKETS 4
#define SMALL_TABLE 50000 /* entities: its buckets fit into a CPU's caches */
#define AHEAD 16	  /* entities that are prefetched */
/* A table is rebuilt when this many slots are used, those of deleted entities included. */
#define MAX_USED(slots) ((slots) / 10 * 8 + 1)

static bool is_packed(unsigned int tag_len)
{
	return tag_len <= MANGLE_PACKED_MAX_TAG;
}

static unsigned int slots_of(unsigned int tag_len)
{
	return is_packed(tag_len) ? MANGLE_PACKED_SLOTS
	       : tag_len <= 8	  ? MANGLE_SHORT_SLOTS
				  : MANGLE_LONG_SLOTS;
}

uint32_t table_stride(const struct table *t)
{
	return t->cells->header.buckets + MANGLE_MAX_DISTANCE;
}

static bool has_packed_buckets(const struct table *t)
{
	return is_packed(t->cells->header.tag_len);
}

static bool is_long(const struct table *t)
{
	return t->cells->header.tag_len > 8;
}

/* Returns the cells that a copy of so many buckets takes. */
static uint64_t copy_cells(uint64_t stride, unsigned int tag_len)
{
	return is_packed(tag_len) ? (stride + 1) / 2 : stride;
}

uint64_t table_cells(uint32_t buckets, unsigned int tag_len, struct table_cpus cpus)
{
	const uint64_t stride = (uint64_t)buckets + MANGLE_MAX_DISTANCE;

	return 1 + copy_cells(stride, tag_len) * cpus.copies + (stride + 1) / 2;
}

/*
 * Returns the slots that a table of so many entities gets. A table that is half full is the fastest
 * where a packet waits for a cache miss. Where all of a table lies in the caches, displaced
 * entities are what costs, by mispredicted branches, and packed buckets overflow more often than
 * larger ones: a table a quarter full has fewer of them, and room is cheap there.
 */
static uint64_t slots_for(uint64_t entities, unsigned int tag_len)
{
	return entities * (is_packed(tag_len) && entities <= SMALL_TABLE ? 4 : 2);
}

uint32_t table_buckets(size_t entities, unsigned int tag_len, struct table_cpus cpus)
{
	uint64_t slots = slots_for(entities, tag_len);
	uint64_t buckets = slots / slots_of(tag_len) + 1;
	/* A bucket takes so many half cells in all copies and for what is carried over; rounding
	 * each copy up to whole cells may add one more. */
	uint64_t halves = (is_packed(tag_len) ? 1 : 2) * cpus.copies + 1;
	uint64_t rounded = is_packed(tag_len) ? cpus.copies : 0;
	uint64_t most = 2 * (TABLE_MAX_CELLS - 2 - rounded) / halves - MANGLE_MAX_DISTANCE;

	if (buckets < MIN_BUCKETS)
		return MIN_BUCKETS;
	return (uint32_t)(buckets < most ? buckets : most);
}

/* ---- one bucket, packed or not ---- */

/* Returns the first cell of a copy. Behind the last copy, as copy number `copies`, lie the carried
 * counters. */
static union table_cell *copy_of(const struct table *t, unsigned int copy)
{
	return &t->cells[1 + copy_cells(table_stride(t), t->cells->header.tag_len) * copy];
}

static struct mangle_bucket *bucket_of(const struct table *t, uint32_t bucket, unsigned int copy)
{
	return &copy_of(t, copy)[bucket].cell.bucket;
}

static struct mangle_packed_bucket *packed_bucket_of(const struct table *t, uint32_t bucket,
						     unsigned int copy)
{
	return &copy_of(t, copy)[bucket / 2].packed[bucket % 2];
}

static const struct mangle_counts *counts_of(const struct table *t, uint32_t bucket,
					     unsigned int copy)
{
	return has_packed_buckets(t)
		       ? (const struct mangle_counts *)packed_bucket_of(t, bucket, copy)
		       : &copy_of(t, copy)[bucket].cell.counts;
}

static struct mangle_counts *carried(const struct table *t, struct table_place at)
{
	return &copy_of(t, t->cells->header.copies)[at.bucket / 2].carried[at.bucket % 2];
}

/* Returns the word that has the value of a slot. */
static __u64 *value_word(const struct table *t, struct table_place at, unsigned int copy)
{
	if (has_packed_buckets(t)) {
		struct mangle_packed_bucket *packed = packed_bucket_of(t, at.bucket, copy);

		return at.slot ? &packed->value1 : &packed->value0;
	}
	return &bucket_of(t, at.bucket, copy)->word[(is_long(t) ? 4 : 3) + at.slot];
}

/* Copy 0 is read for all copies: they differ only while a change is written. */
static bool slot_used(const struct table *t, struct table_place at)
{
	if (has_packed_buckets(t))
		return *value_word(t, at, 0) & MANGLE_PACKED_USED;
	return bucket_of(t, at.bucket, 0)->used >> at.slot & 1;
}

static void slot_key(const struct table *t, struct table_place at, uint64_t *lo, uint64_t *hi)
{
	const struct mangle_bucket *b;

	*hi = 0;
	if (has_packed_buckets(t)) {
		*lo = packed_bucket_of(t, at.bucket, 0)->key[at.slot];
		return;
	}
	b = bucket_of(t, at.bucket, 0);
	*lo = b->word[at.slot];
	if (is_long(t))
		*hi = b->word[2 + at.slot];
}

static uint32_t bucket_distance(const struct table *t, uint32_t bucket)
{
	if (has_packed_buckets(t))
		return MANGLE_PACKED_DISTANCE(packed_bucket_of(t, bucket, 0)->value0);
	return (uint32_t)bucket_of(t, bucket, 0)->distance;
}

static void set_distance(struct table *t, uint32_t bucket, unsigned int copy, uint32_t distance)
{
	struct mangle_packed_bucket *packed;

	if (!has_packed_buckets(t)) {
		__atomic_store_n(&bucket_of(t, bucket, copy)->distance, distance, __ATOMIC_RELEASE);
		return;
	}
	packed = packed_bucket_of(t, bucket, copy);
	__atomic_store_n(&packed->value0,
			 (packed->value0 & ~MANGLE_PACKED_DISTANCE_BITS(MANGLE_MAX_DISTANCE)) |
				 MANGLE_PACKED_DISTANCE_BITS(distance),
			 __ATOMIC_RELEASE);
}

uint32_t table_home(const struct table *t, const uint8_t *tag)
{
	const struct mangle_table_header *h = &t->cells->header;
	uint64_t lo, hi;

	tag_to_key(tag, MANGLE_MAX_TAG, &lo, &hi);
	return mangle_bucket_of(lo, hi, h->seed, h->buckets);
}

struct table_range table_range(const struct table *t, unsigned int copy, uint32_t bucket,
			       uint32_t count)
{
	uint64_t first = (uint64_t)(copy_of(t, copy) - t->cells);

	if (copy < t->cells->header.copies && !has_packed_buckets(t))
		return (struct table_range){.cell = first + bucket, .count = count};
	return (struct table_range){.cell = first + bucket / 2,
				    .count = (bucket + count + 1) / 2 - bucket / 2};
}

bool table_find(const struct table *t, const uint8_t *tag, struct table_place *at)
{
	const struct mangle_table_header *h = &t->cells->header;
	uint32_t home, distance;
	uint64_t lo, hi;

	tag_to_key(tag, MANGLE_MAX_TAG, &lo, &hi);
	home = mangle_bucket_of(lo, hi, h->seed, h->buckets);
	distance = bucket_distance(t, home);
	for (uint32_t bucket = home; bucket <= home + distance; bucket++) {
		for (unsigned int slot = 0; slot < slots_of(h->tag_len); slot++) {
			uint64_t key_lo, key_hi;

			*at = (struct table_place){.bucket = bucket, .slot = slot};
			slot_key(t, *at, &key_lo, &key_hi);
			if (slot_used(t, *at) && key_lo == lo && key_hi == hi)
				return true;
		}
	}
	return false;
}

uint64_t table_value(const struct table *t, struct table_place at)
{
	return MANGLE_PACKED_VALUE(*value_word(t, at, 0));
}

/*
 * Orders the stores before it before those behind it: a packet that sees a later one sees the
 * earlier ones too. x86-64 keeps stores, and the program's loads, in order, so a fence is enough;
 * elsewhere this waits until no program runs that began before.
 */
static void publish_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#if !defined(__x86_64__)
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
#endif
}

/* Takes a slot that lies `distance` buckets behind the tag's home bucket. No packet finds it before
 * it has a value. */
static void claim_slot(struct table *t, struct table_place at, uint32_t distance, uint64_t lo,
		       uint64_t hi)
{
	const uint32_t home = at.bucket - distance;
	const uint32_t farthest = bucket_distance(t, home);

	for (unsigned int copy = 0; copy < t->cells->header.copies; copy++) {
		if (has_packed_buckets(t)) {
			packed_bucket_of(t, at.bucket, copy)->key[at.slot] = (uint32_t)lo;
			*value_word(t, at, copy) |= MANGLE_PACKED_USED;
		} else {
			struct mangle_bucket *b = bucket_of(t, at.bucket, copy);

			b->word[at.slot] = lo;
			if (is_long(t))
				b->word[2 + at.slot] = hi;
			b->used |= 1ULL << at.slot;
		}
		if (farthest < distance)
			set_distance(t, home, copy, distance);
	}
	t->cells->header.used++;
}

int table_claim(struct table *t, const uint8_t *tag, struct table_place *at)
{
	const struct mangle_table_header *h = &t->cells->header;
	uint64_t lo, hi;
	uint32_t home;

	if (h->used >= MAX_USED((uint64_t)h->buckets * slots_of(h->tag_len)))
		return -ENOSPC;
	tag_to_key(tag, MANGLE_MAX_TAG, &lo, &hi);
	home = mangle_bucket_of(lo, hi, h->seed, h->buckets);
	for (uint32_t distance = 0; distance <= MANGLE_MAX_DISTANCE; distance++) {
		for (unsigned int slot = 0; slot < slots_of(h->tag_len); slot++) {
			*at = (struct table_place){.bucket = home + distance, .slot = slot};
			if (slot_used(t, *at))
				continue;
			claim_slot(t, *at, distance, lo, hi);
			publish_barrier();
			return 0;
		}
	}
	return -ENOSPC;
}

struct table_sums table_sum(const struct table *t, struct table_place at)
{
	const struct mangle_counts *before = carried(t, at);
	struct table_sums sum = {
		.packets = before->packets[at.slot],
		.bytes = before->bytes[at.slot],
		.last_seen = before->last_seen[at.slot],
	};

	for (unsigned int copy = 0; copy < t->cells->header.copies; copy++) {
		const struct mangle_counts *c = counts_of(t, at.bucket, copy);

		sum.packets += __atomic_load_n(&c->packets[at.slot], __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&c->bytes[at.slot], __ATOMIC_RELAXED);
		if (c->last_seen[at.slot] > sum.last_seen)
			sum.last_seen = c->last_seen[at.slot];
	}
	return sum;
}

void table_carry(struct table *t, struct table_place at, const struct table_sums *before)
{
	struct mangle_counts *c = carried(t, at);

	c->packets[at.slot] = before->packets;
	c->bytes[at.slot] = before->bytes;
	c->last_seen[at.slot] = before->last_seen;
}

static void write_value(struct table *t, struct table_place at, uint64_t value)
{
	for (unsigned int copy = 0; copy < t->cells->header.copies; copy++) {
		__u64 *word = value_word(t, at, copy);

		__atomic_store_n(word, *word - MANGLE_PACKED_VALUE(*word) + value,
				 __ATOMIC_RELEASE);
	}
}

void table_store(struct table *t, struct table_place at, uint64_t value)
{
	uint64_t old = table_value(t, at);

	if (!old && value) {
		/* Only its CPU writes a copy's counters, so what an earlier entity of this tag has
		 * counted is subtracted from the carried ones, modulo 2^64. */
		struct table_sums sum = table_sum(t, at);
		struct mangle_counts *c = carried(t, at);

		c->packets[at.slot] -= sum.packets;
		c->bytes[at.slot] -= sum.bytes;
		t->cells->header.entities++;
	} else if (old && !value) {
		t->cells->header.entities--;
	}
	write_value(t, at, value);
}

static uint32_t home_of(const struct service *s, size_t entity, const struct arrangement *a)
{
	uint64_t lo, hi;

	tag_to_key(s->entities[entity].tag, MANGLE_MAX_TAG, &lo, &hi);
	return mangle_bucket_of(lo, hi, a->seed, a->buckets);
}

/* Returns the first slot for a home bucket's entities: behind all that were placed before, counted
 * through all buckets. */
static uint64_t place_from(uint64_t end, uint32_t home, unsigned int slots)
{
	return end > (uint64_t)home * slots ? end : (uint64_t)home * slots;
}

/*
 * Entities lie in the order of their home buckets, each directly behind the one before, so none is
 * displaced farther than needed. Insertion in order of arrival would find no room for the last
 * entities of a large table.
 */
int table_arrange(struct arrangement *a, const struct service *s, uint32_t buckets, uint64_t seed)
{
	unsigned int slots = slots_of(s->tag_len);
	uint64_t end = 0;
	uint32_t sum = 0;

	*a = (struct arrangement){.buckets = buckets, .seed = seed};
	if (s->entity_count > (uint64_t)buckets * slots)
		return -E2BIG;
	a->first = calloc((size_t)buckets + 1, sizeof(*a->first));
	a->entity = malloc((s->entity_count + 1) * sizeof(*a->entity));
	if (!a->first || !a->entity)
		return -ENOMEM;
	/* A counting sort: first[] has how many entities each home bucket has, then where they end
	 * ... */
	for (size_t i = 0; i < s->entity_count; i++)
		a->first[home_of(s, i, a)]++;
	for (uint32_t home = 0; home <= buckets; home++) {
		uint32_t count = a->first[home];

		end = place_from(end, home, slots) + count;
		if (count && (end - 1) / slots > home + MANGLE_MAX_DISTANCE)
			return -ENOSPC;
		sum += count;
		a->first[home] = sum;
	}
	/* ... and, counted down as each is put in its place, where they begin. */
	for (size_t i = s->entity_count; i-- > 0;)
		a->entity[--a->first[home_of(s, i, a)]] = (uint32_t)i;
	return 0;
}

void arrangement_free(struct arrangement *a)
{
	free(a->first);
	free(a->entity);
	*a = (struct arrangement){0};
}

void table_build(struct table *t, const struct service *s, const struct arrangement *a,
		 struct table_cpus cpus)
{
	unsigned int slots = slots_of(s->tag_len);
	uint64_t end = 0;

	t->cells->header = (struct mangle_table_header){
		.magic = MANGLE_TABLE_MAGIC,
		.buckets = a->buckets,
		.cpus = cpus.own,
		.copies = cpus.copies,
		.tag_len = s->tag_len,
		.seed = a->seed,
		.entities = s->entity_count,
	};
	for (uint32_t home = 0; home < a->buckets; home++) {
		end = place_from(end, home, slots);
		for (uint32_t i = a->first[home]; i < a->first[home + 1]; i++, end++) {
			const struct entity *en = &s->entities[a->entity[i]];
			struct table_place at = {.bucket = (uint32_t)(end / slots),
						 .slot = (uint32_t)(end % slots)};
			uint64_t lo, hi;

			/* Entities are scattered in memory: without prefetching, half of the time
			 * is spent on cache misses. */
			if (i + AHEAD < s->entity_count)
				__builtin_prefetch(&s->entities[a->entity[i + AHEAD]]);
			tag_to_key(en->tag, MANGLE_MAX_TAG, &lo, &hi);
			claim_slot(t, at, at.bucket - home, lo, hi);
			write_value(t, at, entity_value(en));
		}
	}
}

bool table_valid(const struct table *t, uint64_t cells, unsigned int tag_len)
{
	const struct mangle_table_header *h = &t->cells->header;
	struct table_cpus cpus = {.own = h->cpus, .copies = h->copies};

	return h->magic == MANGLE_TABLE_MAGIC && h->buckets && h->buckets <= UINT32_MAX / 2 &&
	       h->cpus && (h->copies == h->cpus || h->copies == h->cpus + 1) &&
	       h->tag_len == tag_len && table_cells(h->buckets, tag_len, cpus) == cells;
}

bool table_value_known(uint64_t value)
{
	return MANGLE_VALUE_ACTION(value) >= ACTION_PORT &&
	       MANGLE_VALUE_ACTION(value) <= ACTION_PASS;
}

int table_each(const struct table *t,
	       int (*each)(void *arg, struct table_place at, const struct entity *en), void *arg)
{
	for (uint32_t bucket = 0; bucket < table_stride(t); bucket++) {
		for (unsigned int slot = 0; slot < slots_of(t->cells->header.tag_len); slot++) {
			struct table_place at = {.bucket = bucket, .slot = slot};
			uint64_t value = table_value(t, at);
			struct entity en = {0};
			uint64_t lo, hi;
			int err;

			if (!value)
				continue;
			if (!table_value_known(value))
				return -EBADF;
			slot_key(t, at, &lo, &hi);
			tag_from_key(lo, hi, en.tag);
			entity_from_value(value, &en);
			err = each(arg, at, &en);
			if (err)
				return err;
		}
	}
	return 0;
}

/* Makes a bucket of one copy equal to copy 0's. Keys and distance are written before values, as
 * when an entity is made, since packets may be reading. */
static void repair_bucket(struct table *t, uint32_t bucket, unsigned int copy)
{
	if (has_packed_buckets(t)) {
		const struct mangle_packed_bucket *from = packed_bucket_of(t, bucket, 0);
		struct mangle_packed_bucket *to = packed_bucket_of(t, bucket, copy);

		memcpy(to->key, from->key, sizeof(to->key));
		__atomic_store_n(&to->value0, from->value0, __ATOMIC_RELEASE);
		__atomic_store_n(&to->value1, from->value1, __ATOMIC_RELEASE);
	} else {
		const struct mangle_bucket *from = bucket_of(t, bucket, 0);
		struct mangle_bucket *to = bucket_of(t, bucket, copy);

		memcpy(to->word, from->word, 3 * sizeof(*to->word));
		to->distance = from->distance;
		to->used = from->used;
		for (unsigned int i = 3; i < 6; i++)
			__atomic_store_n(&to->word[i], from->word[i], __ATOMIC_RELEASE);
	}
}

void table_repair(struct table *t)
{
	struct mangle_table_header *h = &t->cells->header;

	h->used = h->entities = 0;
	for (uint32_t bucket = 0; bucket < table_stride(t); bucket++) {
		for (unsigned int copy = 1; copy < h->copies; copy++)
			repair_bucket(t, bucket, copy);
		for (unsigned int slot = 0; slot < slots_of(h->tag_len); slot++) {
			const struct table_place at = {.bucket = bucket, .slot = slot};

			h->used += slot_used(t, at);
			h->entities += !!table_value(t, at);
		}
	}
}

uint64_t entity_value(const struct entity *en)
{
	return MANGLE_VALUE(en->target.action, en->target.port, en->has_size, en->size.min,
			    en->size.max);
}

void entity_from_value(uint64_t value, struct entity *en)
{
	en->target.action = MANGLE_VALUE_ACTION(value);
	en->target.port = MANGLE_VALUE_PORT(value);
	en->has_size = MANGLE_VALUE_HAS_SIZE(value);
	en->size.min = MANGLE_VALUE_MIN(value);
	en->size.max = MANGLE_VALUE_MAX(value);
}
