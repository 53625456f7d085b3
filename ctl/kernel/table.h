/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entity tables as they lie in memory (maps/schema.h), whoever owns that memory. Changes in place
 * are safe beside packets that read: one 8-byte store makes or ends an entity. Tags are
 * MANGLE_MAX_TAG bytes, those behind the service's tag length 0.
 */
#ifndef KERNEL_TABLE_H
#define KERNEL_TABLE_H

#include "model/model.h"

union table_cell {
	struct mangle_table_header header;
	struct mangle_cell cell;
	struct mangle_packed_bucket packed[2];
	struct mangle_counts carried[2];
};

struct table {
	union table_cell *cells; /* cells[0] is the header */
};

struct table_place {
	uint32_t bucket; /* its index, the same in every copy */
	uint32_t slot;
};

/* The CPUs that a table is laid out for. */
struct table_cpus {
	unsigned int own;    /* CPUs with a copy of their own: 0 .. own - 1 */
	unsigned int copies; /* own, or one more that later CPUs share */
};

struct table_sums {
	uint64_t packets, bytes;
	/* The newest, jiffies >> MANGLE_SEEN_SHIFT; meaningless where packets is 0. */
	uint32_t last_seen;
};

/* The largest array that every kernel allows, a little under 4 GiB. */
#define TABLE_MAX_CELLS (0xffff0000U / MANGLE_CELL)
/* Returns the buckets for so many entities; fewer than desired where a map cannot have more. */
uint32_t table_buckets(size_t entities, unsigned int tag_len, struct table_cpus cpus);
/* Returns the cells of a table with so many buckets. */
uint64_t table_cells(uint32_t buckets, unsigned int tag_len, struct table_cpus cpus);

/* The home bucket of each entity, computed before there is a table. */
struct arrangement {
	uint32_t buckets;
	uint64_t seed;
	uint32_t *
		first; /* by home bucket, and one more at the end: index of its first in entity[] */
	uint32_t *entity; /* indices of the service's entities */
};
/* Returns 0; -ENOSPC where a tag would be displaced too far, so that another seed or more buckets
 * are to be tried; -E2BIG where no seed helps; -ENOMEM. The caller frees a in any case. */
int table_arrange(struct arrangement *a, const struct service *s, uint32_t buckets, uint64_t seed);
void arrangement_free(struct arrangement *a);
/* Fills zeroed memory. */
void table_build(struct table *t, const struct service *s, const struct arrangement *a,
		 struct table_cpus cpus);
/* Returns whether this is a table of that many cells, for tags of that length. */
bool table_valid(const struct table *t, uint64_t cells, unsigned int tag_len);

/*
 * Cells of a table, for callers that map only a part of it. table_range returns those of `count`
 * buckets of a copy, from `bucket` on; as copy number `copies`, of their carried counters. A tag
 * lies in one of MANGLE_MAX_DISTANCE + 1 buckets from table_home on.
 */
struct table_range {
	uint64_t cell, count;
};
/* Returns the buckets of a copy. */
uint32_t table_stride(const struct table *t);
uint32_t table_home(const struct table *t, const uint8_t *tag);
struct table_range table_range(const struct table *t, unsigned int copy, uint32_t bucket,
			       uint32_t count);

/* Finds a tag's slot, also one whose entity was deleted. Returns whether there is one. */
bool table_find(const struct table *t, const uint8_t *tag, struct table_place *at);
uint64_t table_value(const struct table *t, struct table_place at);
/* Takes a free slot for a tag that has none yet. Returns 0, or -ENOSPC where the table has to be
 * built anew. */
int table_claim(struct table *t, const uint8_t *tag, struct table_place *at);
/* Makes (value != 0) or ends (0) the entity of a slot; one that begins again counts from 0. */
void table_store(struct table *t, struct table_place at, uint64_t value);

struct table_sums table_sum(const struct table *t, struct table_place at);
/* Sets what the entity had counted in the table before this one. */
void table_carry(struct table *t, struct table_place at, const struct table_sums *before);

/* Returns whether the word is one that this version can read as an entity. */
bool table_value_known(uint64_t value);
/* Calls each for every entity, in no order, until it returns other than 0, which is returned.
 * Returns -EBADF where an entity is of an unknown kind. */
int table_each(const struct table *t,
	       int (*each)(void *arg, struct table_place at, const struct entity *en), void *arg);
/* After an interrupted change, makes all copies equal to the first and recomputes the header. */
void table_repair(struct table *t);

uint64_t entity_value(const struct entity *en);
void entity_from_value(uint64_t value, struct entity *en); /* all but the tag */

#endif
