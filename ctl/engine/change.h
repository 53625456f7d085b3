/* SPDX-License-Identifier: GPL-2.0-only */
/* The one way to a new state, for a whole configuration as for a single entity: change_apply
 * validates it, guards live connections, publishes it and returns what changed. */
#ifndef ENGINE_CHANGE_H
#define ENGINE_CHANGE_H

#include "model/model.h"
#include "model/diff.h"
#include "notes.h"

struct row_setting;
struct store;

struct change_options {
	bool check;	      /* compute the changes, and make none */
	bool force;	      /* also where TCP connections would be cut off */
	uint64_t expect;      /* refuse unless this generation is the running one; 0: any */
	const char *name;     /* the command, for errors and the log: "map set" */
	const char *argument; /* its first argument, for the log; NULL: none */
	bool more;	      /* there are more arguments */
};

struct change_result {
	struct changes changes;
	bool changed;	     /* something has changed, or with `check` would change */
	uint64_t generation; /* the running one */
	struct warnings warnings;
};
/* Frees what the functions below have put into it, also where they failed. */
void change_result_free(struct change_result *r);

/*
 * Validates `to` and makes it the running state in place of `from`, which was read from the store.
 * s: opened with STORE_WRITE or STORE_CREATE (STORE_READ is enough for o->check), or NULL where
 * nothing is loaded. Returns 0, or negative errno with e set and nothing changed; -ESTALE where
 * another generation runs than o->expect.
 */
int change_apply(struct store *s, const struct model *from, struct model *to,
		 const struct change_options *o, struct change_result *r, struct err *e);

/*
 * Set or delete one entity of a service of m, the running services without entities. The running
 * table is changed in place where no reply depends on it. change_del_entity returns 1 where the
 * entity existed, else 0.
 */
int change_set_entity(struct store *s, const struct model *m, const struct service *svc,
		      const struct row_setting *to, const struct change_options *o,
		      struct change_result *r, struct err *e);
int change_del_entity(struct store *s, const struct service *svc, const struct tag *tag,
		      const struct change_options *o, struct change_result *r, struct err *e);

#endif
