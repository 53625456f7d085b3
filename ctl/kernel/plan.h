/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The new state, built beside the running one: tables, classifier and configuration of a model,
 * which no packet sees yet.
 */
#ifndef KERNEL_PLAN_H
#define KERNEL_PLAN_H

#include "state.h"

/* What becomes of one service of the model. */
struct plan {
	int before; /* index in the running configuration, -1: new */
	bool new_table;
	struct inner table; /* where new_table */
	uint32_t place;	    /* in tables */
	uint32_t id;	    /* of the table's map */
	uint32_t names_id;  /* of that of its names; 0: none */
	uint32_t buckets;
	uint64_t seed;
};

/* Maps on their way into their places, a few at a time: each is an open file. */
#define PENDING 128
struct pending {
	uint32_t places[PENDING];
	int fds[PENDING];
	uint32_t n;
};

/* Builds the tables that plans want, in places that `used` does not have yet. */
int plan_tables(struct store *s, const struct model *m, struct plan *plans,
		bool used[MANGLE_TABLE_SLOTS], struct pending *w, struct err *e);
/* Fills c; flows gets the flow table, where a new one is made. */
int plan_config(struct store *s, const struct model *m, const struct plan *plans,
		struct mangle_config *c, struct inner *flows, struct err *e);
/* Builds the classifier, and names it in c. */
int plan_classifier(struct store *s, const struct model *m, struct mangle_config *c,
		    bool used[MANGLE_TABLE_SLOTS], struct pending *w, struct err *e);
/* Puts what is pending into its places, and closes it in any case. */
int plan_flush(struct store *s, struct pending *w, struct err *e);

#endif
