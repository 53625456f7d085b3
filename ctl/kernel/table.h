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
	struct mangle_line lines[2];
	struct mangle_counts carried[2];
};

struct table {
	union table_cell *cells; /* cells[0] is the header */
};

struct table_place {
	uint32_t bucket; /* its place in every region */
	uint32_t slot;
};

/* CPUs as a table is laid out for. */
struct table_cpus {
	unsigned int own;     /* CPUs with a region of their own: 0 .. own - 1 */
	unsigned int regions; /* own, or one more for those that come later */
};

struct table_sums {
	uint64_t packets, bytes;
	uint32_t last_seen; /* newest, jiffies >> MANGLE_SEEN_SHIFT; means nothing where packets is
			       0 */
};

/* What every kernel's array can be, 4 GiB less a little. */
#define TABLE_MAX_CELLS (0xffff0000U / MANGLE_CELL)
/* Buckets for so many entities; fewer than desired where a map cannot have more. */
uint32_t table_buckets(size_t entities, unsigned int tag_len, struct table_cpus cpus);
/* Cells of a table with so many buckets. */
uint64_t table_cells(uint32_t buckets, unsigned int tag_len, struct table_cpus cpus);

/* Which entities belong to which bucket, found out before there is a table. */
struct arrangement {
	uint32_t buckets;
	uint64_t seed;
	uint32_t *first;  /* by bucket, and one more at the end: its first place in entity */
	uint32_t *entity; /* indices of the service's entities */
};
/* -E2BIG: never; -ENOSPC: a tag finds no room, try another seed or more buckets; -ENOMEM. To be
 * freed in any case. */
int table_arrange(struct arrangement *a, const struct service *s, uint32_t buckets, uint64_t seed);
void arrangement_free(struct arrangement *a);
/* Fills zeroed memory. */
void table_build(struct table *t, const struct service *s, const struct arrangement *a,
		 struct table_cpus cpus);
/* Is this a table of that many cells, for tags of that length? */
bool table_valid(const struct table *t, uint64_t cells, unsigned int tag_len);

/*
 * For those who have not all of a table in memory: buckets of a region (0 stands for all), from
 * the one a tag belongs to as far as MANGLE_MAX_REACH behind it; region number `regions`: what was
 * carried over.
 */
struct table_range {
	uint64_t cell, count;
};
uint32_t table_stride(const struct table *t); /* buckets of a region */
uint32_t table_home(const struct table *t, const uint8_t *tag);
struct table_range table_range(const struct table *t, unsigned int region, uint32_t bucket,
			       uint32_t count);

/* Where a tag's slot is, also one whose entity was deleted. */
bool table_find(const struct table *t, const uint8_t *tag, struct table_place *at);
uint64_t table_value(const struct table *t, struct table_place at);
/* Takes a free slot for a tag that has none yet. -ENOSPC: build the table anew. */
int table_claim(struct table *t, const uint8_t *tag, struct table_place *at);
/* Makes (value != 0) or ends (0) the entity of a slot; one that begins again counts from 0. */
void table_store(struct table *t, struct table_place at, uint64_t value);

struct table_sums table_sum(const struct table *t, struct table_place at);
/* What the entity had counted before it came here. */
void table_carry(struct table *t, struct table_place at, const struct table_sums *before);

/* Is it a word that this version can read as an entity? */
bool table_value_known(uint64_t value);
/* Calls each for every entity, in no order; stops where it returns other than 0 and returns that.
 * Returns -EBADF where there is one of a kind that is not known. */
int table_each(const struct table *t,
	       int (*each)(void *arg, struct table_place at, const struct entity *en), void *arg);
/* After an interrupted change: makes all regions equal to the first and counts the header anew. */
void table_repair(struct table *t);

uint64_t entity_value(const struct entity *en);
void entity_from_value(uint64_t value, struct entity *en); /* all but the tag */

#endif
