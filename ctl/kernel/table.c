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
#define AHEAD 16	  /* entities fetched before they are needed */
/* A table is built anew when so much of it is used, deleted entities counted. */
#define MAX_USED(slots) ((slots) / 10 * 8 + 1)

static bool in_lines(unsigned int tag_len)
{
	return tag_len <= MANGLE_LINE_TAG;
}

static unsigned int slots_of(unsigned int tag_len)
{
	return in_lines(tag_len) ? MANGLE_LINE_SLOTS
	       : tag_len <= 8	 ? MANGLE_SHORT_SLOTS
				 : MANGLE_LONG_SLOTS;
}

uint32_t table_stride(const struct table *t)
{
	return t->cells->header.buckets + MANGLE_MAX_REACH;
}

static bool has_lines(const struct table *t)
{
	return in_lines(t->cells->header.tag_len);
}

static bool is_long(const struct table *t)
{
	return t->cells->header.tag_len > 8;
}

/* Cells of a region of so many buckets. */
static uint64_t region_cells(uint64_t stride, unsigned int tag_len)
{
	return in_lines(tag_len) ? (stride + 1) / 2 : stride;
}

uint64_t table_cells(uint32_t buckets, unsigned int tag_len, struct table_cpus cpus)
{
	const uint64_t stride = (uint64_t)buckets + MANGLE_MAX_REACH;

	return 1 + region_cells(stride, tag_len) * cpus.regions + (stride + 1) / 2;
}

/*
 * A half full is best where a cache miss is what a packet waits for. Where all lies in the caches,
 * it is the entities outside their bucket that cost, by branches not foreseen, and lines overflow
 * more often than larger buckets: there room is cheap.
 */
static uint64_t slots_for(uint64_t entities, unsigned int tag_len)
{
	return entities * (in_lines(tag_len) && entities <= SMALL_TABLE ? 4 : 2);
}

uint32_t table_buckets(size_t entities, unsigned int tag_len, struct table_cpus cpus)
{
	uint64_t slots = slots_for(entities, tag_len);
	uint64_t buckets = slots / slots_of(tag_len) + 1;
	/* Half cells that a bucket takes in all regions, and beside them; what rounding may add. */
	uint64_t halves = (in_lines(tag_len) ? 1 : 2) * cpus.regions + 1;
	uint64_t rounded = in_lines(tag_len) ? cpus.regions : 0;
	uint64_t most = 2 * (TABLE_MAX_CELLS - 2 - rounded) / halves - MANGLE_MAX_REACH;

	if (buckets < MIN_BUCKETS)
		return MIN_BUCKETS;
	return (uint32_t)(buckets < most ? buckets : most);
}

/* ---- one bucket, in either form ---- */

/* The first cell of a region; of region number `regions`: of what was carried over. */
static union table_cell *region_of(const struct table *t, unsigned int region)
{
	return &t->cells[1 + region_cells(table_stride(t), t->cells->header.tag_len) * region];
}

static struct mangle_bucket *bucket_of(const struct table *t, uint32_t bucket, unsigned int region)
{
	return &region_of(t, region)[bucket].cell.bucket;
}

static struct mangle_line *line_of(const struct table *t, uint32_t bucket, unsigned int region)
{
	return &region_of(t, region)[bucket / 2].lines[bucket % 2];
}

static const struct mangle_counts *counts_of(const struct table *t, uint32_t bucket,
					     unsigned int region)
{
	return has_lines(t) ? (const struct mangle_counts *)line_of(t, bucket, region)
			    : &region_of(t, region)[bucket].cell.counts;
}

static struct mangle_counts *carried(const struct table *t, struct table_place at)
{
	return &region_of(t, t->cells->header.regions)[at.bucket / 2].carried[at.bucket % 2];
}

/* The word that has the value of a slot. */
static __u64 *value_word(const struct table *t, struct table_place at, unsigned int region)
{
	if (has_lines(t)) {
		struct mangle_line *line = line_of(t, at.bucket, region);

		return at.slot ? &line->value1 : &line->value0;
	}
	return &bucket_of(t, at.bucket, region)->word[(is_long(t) ? 4 : 3) + at.slot];
}

/* Region 0 stands for all: they differ only while a change is written. */
static bool slot_used(const struct table *t, struct table_place at)
{
	if (has_lines(t))
		return *value_word(t, at, 0) & MANGLE_LINE_USED;
	return bucket_of(t, at.bucket, 0)->used >> at.slot & 1;
}

static void slot_key(const struct table *t, struct table_place at, uint64_t *lo, uint64_t *hi)
{
	const struct mangle_bucket *b;

	*hi = 0;
	if (has_lines(t)) {
		*lo = line_of(t, at.bucket, 0)->key[at.slot];
		return;
	}
	b = bucket_of(t, at.bucket, 0);
	*lo = b->word[at.slot];
	if (is_long(t))
		*hi = b->word[2 + at.slot];
}

static uint32_t bucket_reach(const struct table *t, uint32_t bucket)
{
	if (has_lines(t))
		return MANGLE_LINE_REACH(line_of(t, bucket, 0)->value0);
	return (uint32_t)bucket_of(t, bucket, 0)->reach;
}

static void set_reach(struct table *t, uint32_t bucket, unsigned int region, uint32_t reach)
{
	struct mangle_line *line;

	if (!has_lines(t)) {
		__atomic_store_n(&bucket_of(t, bucket, region)->reach, reach, __ATOMIC_RELEASE);
		return;
	}
	line = line_of(t, bucket, region);
	__atomic_store_n(&line->value0,
			 (line->value0 & ~MANGLE_LINE_REACH_BITS(MANGLE_MAX_REACH)) |
				 MANGLE_LINE_REACH_BITS(reach),
			 __ATOMIC_RELEASE);
}

uint32_t table_home(const struct table *t, const uint8_t *tag)
{
	const struct mangle_table_header *h = &t->cells->header;
	uint64_t lo, hi;

	tag_to_key(tag, MANGLE_MAX_TAG, &lo, &hi);
	return mangle_bucket_of(lo, hi, h->seed, h->buckets);
}

struct table_range table_range(const struct table *t, unsigned int region, uint32_t bucket,
			       uint32_t count)
{
	uint64_t first = (uint64_t)(region_of(t, region) - t->cells);

	if (region < t->cells->header.regions && !has_lines(t))
		return (struct table_range){.cell = first + bucket, .count = count};
	return (struct table_range){.cell = first + bucket / 2,
				    .count = (bucket + count + 1) / 2 - bucket / 2};
}

bool table_find(const struct table *t, const uint8_t *tag, struct table_place *at)
{
	const struct mangle_table_header *h = &t->cells->header;
	uint32_t home, reach;
	uint64_t lo, hi;

	tag_to_key(tag, MANGLE_MAX_TAG, &lo, &hi);
	home = mangle_bucket_of(lo, hi, h->seed, h->buckets);
	reach = bucket_reach(t, home);
	for (uint32_t bucket = home; bucket <= home + reach; bucket++) {
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
	return MANGLE_LINE_VALUE(*value_word(t, at, 0));
}

/*
 * Every packet from here on that sees the next store sees the stores before it. x86 keeps stores,
 * and the program's loads, in order; elsewhere wait until no program is running that began before.
 */
static void publish_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#if !defined(__x86_64__)
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
#endif
}

/* Takes a slot, as far behind the tag's bucket; nobody finds it before it has a value. */
static void claim_slot(struct table *t, struct table_place at, uint32_t far, uint64_t lo,
		       uint64_t hi)
{
	uint32_t reach = bucket_reach(t, at.bucket - far);

	for (unsigned int region = 0; region < t->cells->header.regions; region++) {
		if (has_lines(t)) {
			line_of(t, at.bucket, region)->key[at.slot] = (uint32_t)lo;
			*value_word(t, at, region) |= MANGLE_LINE_USED;
		} else {
			struct mangle_bucket *b = bucket_of(t, at.bucket, region);

			b->word[at.slot] = lo;
			if (is_long(t))
				b->word[2 + at.slot] = hi;
			b->used |= 1ULL << at.slot;
		}
		if (reach < far)
			set_reach(t, at.bucket - far, region, far);
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
	for (uint32_t far = 0; far <= MANGLE_MAX_REACH; far++) {
		for (unsigned int slot = 0; slot < slots_of(h->tag_len); slot++) {
			*at = (struct table_place){.bucket = home + far, .slot = slot};
			if (slot_used(t, *at))
				continue;
			claim_slot(t, *at, far, lo, hi);
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

	for (unsigned int region = 0; region < t->cells->header.regions; region++) {
		const struct mangle_counts *c = counts_of(t, at.bucket, region);

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
	for (unsigned int region = 0; region < t->cells->header.regions; region++) {
		__u64 *word = value_word(t, at, region);

		__atomic_store_n(word, *word - MANGLE_LINE_VALUE(*word) + value, __ATOMIC_RELEASE);
	}
}

void table_store(struct table *t, struct table_place at, uint64_t value)
{
	uint64_t old = table_value(t, at);

	if (!old && value) {
		/* The cells of a CPU are that CPU's alone, so what an earlier entity of this tag
		 * counted is taken off beside them, modulo 2^64. */
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

/* Where the first slot of a bucket's entities is: behind all that were placed before. */
static uint64_t place_from(uint64_t end, uint32_t home, unsigned int slots)
{
	return end > (uint64_t)home * slots ? end : (uint64_t)home * slots;
}

/*
 * In the order of their buckets, each entity behind the one before: so none lies farther from its
 * bucket than need be, while first come, first served leaves the last of a large table no room.
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
	/* A counting sort: how many each bucket has, then where they end ... */
	for (size_t i = 0; i < s->entity_count; i++)
		a->first[home_of(s, i, a)]++;
	for (uint32_t home = 0; home <= buckets; home++) {
		uint32_t count = a->first[home];

		end = place_from(end, home, slots) + count;
		if (count && (end - 1) / slots > home + MANGLE_MAX_REACH)
			return -ENOSPC;
		sum += count;
		a->first[home] = sum;
	}
	/* ... which counts down to where they begin as they are put there. */
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
		.regions = cpus.regions,
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

			/* They lie anywhere: half of the time is waiting for them otherwise. */
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
	struct table_cpus cpus = {.own = h->cpus, .regions = h->regions};

	return h->magic == MANGLE_TABLE_MAGIC && h->buckets && h->buckets <= UINT32_MAX / 2 &&
	       h->cpus && (h->regions == h->cpus || h->regions == h->cpus + 1) &&
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

/* Keys and reach before values, as when they were first written. */
static void repair_bucket(struct table *t, uint32_t bucket, unsigned int region)
{
	if (has_lines(t)) {
		const struct mangle_line *from = line_of(t, bucket, 0);
		struct mangle_line *to = line_of(t, bucket, region);

		memcpy(to->key, from->key, sizeof(to->key));
		__atomic_store_n(&to->value0, from->value0, __ATOMIC_RELEASE);
		__atomic_store_n(&to->value1, from->value1, __ATOMIC_RELEASE);
	} else {
		const struct mangle_bucket *from = bucket_of(t, bucket, 0);
		struct mangle_bucket *to = bucket_of(t, bucket, region);

		memcpy(to->word, from->word, 3 * sizeof(*to->word));
		to->reach = from->reach;
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
		for (unsigned int region = 1; region < h->regions; region++)
			repair_bucket(t, bucket, region);
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
