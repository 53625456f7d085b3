/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The new state, built beside the running one: tables, classifier and configuration of a model,
 * which no packet sees yet.
 */
#ifndef KERNEL_PLAN_H
#define KERNEL_PLAN_H

#include "state.h"

/* The plan for one service of the model. */
struct plan {
	int before; /* index in the running configuration, -1: new */
	bool new_table;
	struct inner table; /* if there is a new table */
	uint32_t place;	    /* slot in tables */
	uint32_t id;	    /* of the table's map */
	uint32_t names_id;  /* of its names' map; 0: none */
	uint32_t buckets;
	uint64_t seed;
};

/* Maps to be put into their slots, a few at a time, since each is an open file. */
#define PENDING 128
struct pending {
	uint32_t places[PENDING];
	int fds[PENDING];
	uint32_t n;
};

/* Builds the tables that plans need, in slots that `used` does not have. */
int plan_tables(struct store *s, const struct model *m, struct plan *plans,
		bool used[MANGLE_TABLE_SLOTS], struct pending *w, struct err *e);
/* Fills c; flows gets the flow table, where a new one is created. */
int plan_config(struct store *s, const struct model *m, const struct plan *plans,
		struct mangle_config *c, struct inner *flows, struct err *e);
/* Builds the classifier, and stores its slot in c. */
int plan_classifier(struct store *s, const struct model *m, struct mangle_config *c,
		    bool used[MANGLE_TABLE_SLOTS], struct pending *w, struct err *e);
/* Puts the pending maps into their slots, and closes them in any case. */
int plan_flush(struct store *s, struct pending *w, struct err *e);

#endif
