/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The open store, which the files of the store share; no other file reads its fields. Every
 * function of theirs returns 0 or negative errno with e set, unless it says otherwise.
 */
#ifndef KERNEL_STATE_H
#define KERNEL_STATE_H

#include "model/model.h"
#include "table.h"

/* Copies of stats that belong to no CPU, after those of the CPUs. */
#define MANGLE_STATS_BEFORE 0  /* counts of slots before their service took them over */
#define MANGLE_STATS_CARRIED 1 /* what was counted in a map of another layout version */
#define MANGLE_STATS_OWN 2

enum map_id {
#define PINNED(id, ...) MAP_##id,
#include "maps.def"
	MAPS
};

enum held_id {
	HELD_NONE,
#define HELD(id, ...) HELD_##id,
#include "maps.def"
};

/* An inner map, mapped into memory. */
struct inner {
	uint32_t id; /* of the kernel; its pin is inner/ID */
	int fd;	     /* -1: none */
	void *memory;
	size_t size; /* bytes */
};

struct store {
	bool private;		/* no pins, no lock */
	int dir;		/* locked directory, -1 */
	int map[MAPS];		/* file descriptors, -1 */
	unsigned int possible;	/* CPUs */
	struct table_cpus cpus; /* for new tables */
	struct inner config_inner;
	struct mangle_stats *stats_memory;
	size_t stats_size;	     /* bytes */
	uint64_t paused_at;	     /* generation, see store_resume */
	char what[256];		     /* what this run does, for store_log; "": not described */
	struct migration *migration; /* from an older layout version, while there is one */
};

static inline struct mangle_config *store_config(const struct store *s)
{
	return s->config_inner.memory;
}

static inline struct mangle_stats *store_stats_cell(const struct store *s, unsigned int copy,
						    uint32_t slot)
{
	return &s->stats_memory[copy * MANGLE_STATS_SLOTS + slot];
}

#endif
