/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one way to a new state, for a whole configuration as for a single entity: validate it, guard
 * the connections that live, publish it, say what changed.
 */
#ifndef ENGINE_CHANGE_H
#define ENGINE_CHANGE_H

#include "model/model.h"
#include "model/diff.h"
#include "notes.h"

struct row_setting;
struct store;

struct change_options {
	bool check;	      /* say what would change, change nothing */
	bool force;	      /* even where TCP connections would be cut off */
	uint64_t expect;      /* refuse unless this generation runs; 0: any */
	const char *name;     /* who asks, for errors and the log: "map set" */
	const char *argument; /* its first argument, for the log; NULL: none */
	bool more;	      /* it has others */
};

struct change_result {
	struct changes changes;
	bool changed;	     /* did, or with check would, anything change? */
	uint64_t generation; /* that runs now */
	struct warnings warnings;
};
/* Frees what change_apply and the others have put into it, also where they failed. */
void change_result_free(struct change_result *r);

/*
 * Makes `to`, which it validates, the running state in place of `from`, which was read from the
 * store. s: opened with STORE_WRITE or STORE_CREATE, with check STORE_READ is enough, or NULL where
 * nothing is loaded. Returns 0, or negative errno with e set and nothing changed; -ESTALE where
 * another generation runs than was expected.
 */
int change_apply(struct store *s, const struct model *from, struct model *to,
		 const struct change_options *o, struct change_result *r, struct err *e);

/*
 * The same of one entity of a service of m, the running services without entities: in place, where
 * no reply depends on it. change_del_entity returns 1 where it was there, else 0.
 */
int change_set_entity(struct store *s, const struct model *m, const struct service *svc,
		      const struct row_setting *to, const struct change_options *o,
		      struct change_result *r, struct err *e);
int change_del_entity(struct store *s, const struct service *svc, const struct tag *tag,
		      const struct change_options *o, struct change_result *r, struct err *e);

#endif
