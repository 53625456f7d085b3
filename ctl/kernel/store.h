/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pinned maps: the one place that creates, opens, reads and changes them, under the one lock.
 * Every function returns 0 or negative errno with e set, unless it says otherwise.
 */
#ifndef KERNEL_STORE_H
#define KERNEL_STORE_H

#include "model/model.h"

#define STORE_DIR "/sys/fs/bpf/mangle"

struct store;

enum store_access {
	STORE_READ,   /* shared lock; -ENOENT without e set where nothing is loaded */
	STORE_WRITE,  /* exclusive lock; the same */
	STORE_CREATE, /* exclusive lock; empty tables are made where none are */
	/* exclusive lock; maps of an older layout version are taken over, which store_migrated ends
	 */
	STORE_UPGRADE,
};

/* Does the kernel make maps for this process? 0 or -errno; changes nothing. */
int store_try(void);

/* Is this a mount namespace in which bpffs is mounted where it is not? What is mounted in another
 * one goes with it. */
bool store_may_mount(void);
/* Mounts bpffs where that is right (see the manual). wait: seconds to wait for the lock. */
int store_open(struct store **out, enum store_access access, double wait, struct err *e);
/* Private maps without pins and lock, for tests. */
int store_open_private(struct store **out, struct err *e);
void store_close(struct store *s); /* NULL is fine */
/* Removes every pin and the directory. Nothing may be attached. The store must still be closed. */
int store_purge(struct store *s, struct err *e);

/* 1 where no configuration was ever published here. */
int store_is_fresh(const struct store *s);
uint64_t store_generation(const struct store *s);
const char *store_file(const struct store *s); /* configuration file last applied, "" none */

/* The running services; entities too where with_entities, else keep_entities is set in each. */
int store_read(struct store *s, struct model *m, bool with_entities, struct err *e);
/* One of them with its entities; -ENOENT with e set where it is not there. */
int store_read_service(struct store *s, const char *name, struct service *out, struct err *e);
size_t store_entity_count(const struct store *s, const char *service);
struct table_sizes {
	size_t entities, bytes; /* bytes: the memory that the table takes */
};
struct table_sizes store_table_sizes(const struct store *s, const char *service);

/* model_check, also of the entities that stay: where they matter m is given them. */
int store_check(struct store *s, struct model *m, struct err *e);
/*
 * Makes the running state equal to m (checked), atomically for every packet: services whose
 * settings or entities are the same keep table and counters; entities in both keep their counters.
 * Where nothing differs nothing happens. c says what changed; generation + 1 if anything did.
 * m->file is stored where it is not "".
 */
int store_publish(struct store *s, const struct model *m, struct changes *c, struct err *e);

/* One row, in place where no reply depends on it. has_size of en is meant only where set_size;
 * else the window stays. c as above. -ENOENT with e set where the service is not there. */
int store_set_row(struct store *s, const char *service, const struct entity *en, bool set_size,
		  struct changes *c, struct err *e);

struct row {
	struct entity entity;
	uint64_t packets, bytes;
	int64_t last_seen; /* seconds since 1970 UTC, -1 never */
};
/* 1 found, 0 not, or negative errno. */
int store_get_row(struct store *s, const char *service, const struct tag *tag, struct row *out,
		  struct err *e);
/* Another row with the port that this one has as its target: 1 found, 0 not, or negative errno. */
int store_same_target(struct store *s, const char *service, const struct entity *as,
		      struct entity *out, struct err *e);
/* Deletes one row; 1 deleted, 0 was not there, or negative errno. */
int store_del_row(struct store *s, const char *service, const struct tag *tag, struct err *e);

/* All rows of a service, ascending by tag; the caller frees *rows. */
int store_rows(struct store *s, const char *service, struct row **rows, size_t *count,
	       struct err *e);

struct stats {
	uint64_t packets[MANGLE_REASON_COUNT], bytes[MANGLE_REASON_COUNT];
	uint64_t verdict[MANGLE_VERDICT_COUNT], would[MANGLE_VERDICT_COUNT];
};
/* In all (service NULL), or of one service; all 0 for a name that is not there. */
int store_stats(struct store *s, const char *service, struct stats *out, struct err *e);

/* Who sends replies from this port: MANGLE_TARGET. */
uint32_t store_target(const struct store *s, uint16_t port);
/* The flow table: connections it is to hold, 0 where none was made yet. */
uint32_t store_flows_size(const struct store *s);
/* Calls each for every entry, until it returns other than 0, which is returned. */
typedef int (*flow_fn)(void *arg, const struct mangle_flow_key *key,
		       const struct mangle_flow *flow);
int store_flows(const struct store *s, flow_fn each, void *arg, struct err *e);
/* Removes the entries that judge returns 1 for; below 0 ends it, and is returned. */
int store_flows_prune(const struct store *s, flow_fn judge, void *arg, struct err *e);

/* Was a change of layout begun and not finished? Then attachments are recorded in two places. */
bool store_is_changing_layout(void);
/* Attachments, as recorded. */
int store_ifaces(struct store *s, struct mangle_iface_key **keys, struct mangle_iface **ifaces,
		 size_t *count, struct err *e);
int store_iface_put(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e);
/* i: only if it is that attachment's, and not another one's that has come to that key; NULL: whose
 * ever. */
int store_iface_del(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e);
/* Are these records of the same attachment? One may be older. */
bool store_iface_same(const struct mangle_iface *a, const struct mangle_iface *b);

/* Removes the pins in a directory, and it where it is empty then. */
void store_remove_pins(const char *dir);

/* For prog only: the maps that a program is loaded with. */
struct store_fds {
	int config, tables, stats, flows, gate;
};
struct store_fds store_fds(const struct store *s);

/* ---- upgrade: prog only ---- */

/* Returns once every program has ended that ran when it was called. */
int store_wait(struct store *s, struct err *e);
/* struct mangle_gate. Setting it returns once everybody goes by it. */
int store_epoch(const struct store *s, uint64_t *epoch, struct err *e);
int store_set_epoch(struct store *s, uint64_t epoch, struct err *e);
/* The kernel's id of the map that tells a program of mangle from others; 0: it cannot be had. */
uint32_t store_gate_id(const struct store *s);
bool store_is_migrating(const struct store *s);
/*
 * Ends a store opened with STORE_UPGRADE: every program runs on its maps now. What those of another
 * layout version counted is taken over, and they go. On failure doing the same again goes on from
 * there.
 */
int store_migrated(struct store *s, struct err *e);
/* No program runs on its maps: those of the older layout version are the ones that stay. */
void store_not_migrated(struct store *s);
/* What the next change is, in the words of the command line, for its line of syslog. */
void store_describe(struct store *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One line to syslog: who, what (unless it was described), how many; see print_changes. */
void store_log(const struct store *s, const struct changes *c, const char *what);

#endif
