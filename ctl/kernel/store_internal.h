/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the store share: store.c opens and reads, publish.c changes. */
#ifndef KERNEL_STORE_INTERNAL_H
#define KERNEL_STORE_INTERNAL_H

#include <bpf/bpf.h>

#include "classify.h"
#include "layout.h"
#include "store.h"
#include "table.h"

#define INNER_DIR STORE_DIR "/inner"
#define PATH_SIZE 64

/* Regions of stats that are not a CPU's, behind those that are. */
#define MANGLE_STATS_BEFORE 0  /* what slots had counted when their service took them over */
#define MANGLE_STATS_CARRIED 1 /* what was counted in a map of another layout version */
#define MANGLE_STATS_OWN 2

/* An inner map, mapped. */
struct inner {
	uint32_t id; /* of the kernel; its pin is inner/ID */
	int fd;	     /* -1: none */
	void *memory;
	size_t size;
};

struct store {
	bool private;				  /* no pins, no lock */
	int dir;				  /* locked directory, -1 */
	int config, tables, stats, ifaces, flows; /* maps */
	int gate, layout;
	unsigned int possible;	/* CPUs */
	struct table_cpus cpus; /* for new tables */
	struct inner config_inner;
	struct mangle_stats *stats_memory;
	size_t stats_size;
	char what[256];		     /* is being done, for store_log; "": not told */
	struct migration *migration; /* from an older layout version, while there is one */
};

static inline struct mangle_config *store_config(const struct store *s)
{
	return s->config_inner.memory;
}

static inline struct mangle_stats *store_stats_cell(const struct store *s, unsigned int region,
						    uint32_t slot)
{
	return &s->stats_memory[region * MANGLE_STATS_SLOTS + slot];
}

/* The pinned maps, as this version makes them. */
struct map_spec {
	const char *name;
	enum bpf_map_type type;
	uint32_t key_size, value_size, entries, flags;
};
extern const struct map_spec STATS, IFACES, TABLES, FLOWS, GATE, LAYOUT, CONFIG;
const char *pin_path(char buf[PATH_SIZE], const char *dir, const char *name);
const char *inner_path(char buf[PATH_SIZE], uint32_t id);
/* Opens the map of a pin (id 0), or of an id, and asks what it is. A failure says nothing of the
 * pin: e has the kernel's reason, and -ENOENT is not returned. */
int open_map(const char *path, uint32_t id, int *fd, struct bpf_map_info *info, struct err *e);
/* Opens a pin; -ENOENT without e set where there is none. */
int open_pin(const struct store *s, const char *dir, const struct map_spec *m, int *fd,
	     struct err *e);
int open_or_create(const struct store *s, const char *dir, const struct map_spec *m, int *fd,
		   struct err *e);

/* ---- migrate.c ---- */

/* Maps of this version while those of another are the ones in force; and once they have become
 * those in force, and only have to be put into their places. */
#define NEXT_DIR STORE_DIR "/next"
#define DONE_DIR STORE_DIR "/done"
/* Finishes what was interrupted there. */
int migrate_resume(struct err *e);
/* With the shared maps open: makes the others, from those of the older version. */
int migrate_begin(struct store *s, struct err *e);
void migrate_close(struct store *s);

/* The running service of that name, -1: none. */
int store_index(const struct store *s, const char *name);

/* Opens it; its memory has its place, but nothing of it is there before inner_map. */
int inner_open(const struct store *s, uint32_t id, struct inner *in, struct err *e);
int inner_map(const struct inner *in, size_t from, size_t size, struct err *e);
void inner_close(struct inner *in);
/* Makes, pins and maps an inner map of zeros: entries cells of a table, or (0) a configuration. */
int inner_create(const struct store *s, uint32_t entries, struct inner *in, struct err *e);
/* Puts it into its place; when this returns, no packet uses what was there. */
int outer_set(int outer, uint32_t place, const struct inner *in, struct err *e);
/* Puts n maps into places that no packet looks at, all with one wait where the kernel can. */
int outer_fill(int outer, const uint32_t *places, const int *fds, uint32_t n, struct err *e);
/* Lets go of what is in n places that no packet looks at. */
void outer_clear(int outer, const uint32_t *places, uint32_t n);
/* A flow table for so many connections, pinned, and one that is there. *in is not mapped. */
int flows_create(const struct store *s, uint32_t flows, struct inner *in, struct err *e);
int flows_open(const struct store *s, uint32_t id, struct inner *in, struct err *e);
int flows_each(const struct inner *in, flow_fn each, void *arg, struct err *e);
/* Gives `to` an entry, unless it has one that is as far or further. */
void flows_put(const struct inner *to, const struct mangle_flow_key *key,
	       const struct mangle_flow *flow);
/* Id of the inner map in a place, 0: none. */
int outer_get(int outer, uint32_t place, uint32_t *id, struct err *e);
/* False: its pin is still there. */
bool inner_unpin(const struct store *s, uint32_t id);

/*
 * What of a table is mapped: that of a million entities takes long, and counts as memory of the
 * process. The header always is.
 */
enum table_part {
	TABLE_HEADER,
	TABLE_ENTITIES, /* the first region, which stands for all */
	TABLE_CARRIED,	/* the same, and what entities had counted before */
	TABLE_ALL,
};
/* The table of that id, or of a running service, open until inner_close. */
int table_open(const struct store *s, uint32_t id, unsigned int tag_len, enum table_part part,
	       struct inner *in, struct table *t, struct err *e);
int store_table(const struct store *s, uint32_t index, enum table_part part, struct inner *in,
		struct table *t, struct err *e);
/* What there is of one tag in a service's table, and the service's index; -ENOENT with e set where
 * there is no such service. */
int store_table_row(const struct store *s, const char *service, const uint8_t *tag, uint32_t *index,
		    struct inner *in, struct table *t, struct err *e);
void service_from_config(const struct mangle_config *c, uint32_t index, struct service *out);
/* Finishes what an interrupted change left. Exclusive lock. */
int store_recover(struct store *s, struct err *e);
/* Removes the pins of inner maps that the running configuration does not name. False: not all. */
bool sweep_pins(const struct store *s);

#endif
