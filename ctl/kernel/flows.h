/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow table: connections that tc follows. */
#ifndef KERNEL_FLOWS_H
#define KERNEL_FLOWS_H

#include "model/model.h"

struct inner;
struct store;

/* Returns the connections that the table is to hold, 0 where none was made yet. */
uint32_t store_flows_size(const struct store *s);
/* Addresses and ports are in network byte order, as in maps/schema.h. */
typedef int (*flow_fn)(void *arg, const struct mangle_flow_key *key,
		       const struct mangle_flow *flow);
/* Calls each for every entry, until it returns other than 0, which is returned. */
int store_flows(const struct store *s, flow_fn each, void *arg, struct err *e);
/* Removes the entries that judge returns 1 for; below 0 ends it, and is returned. */
int store_flows_prune(const struct store *s, flow_fn judge, void *arg, struct err *e);

/* For the files of the store. */

/* Makes the flow table that the model needs, unless it needs none or there is one of that size, and
 * says so in c, the configuration to be. *made is not mapped, and empty where none was made. */
int flows_make(struct store *s, const struct model *m, struct mangle_config *c, struct inner *made,
	       struct err *e);
/*
 * Gives the program the flow table that the configuration names, with what was in the one before:
 * once while that is still in use, so that few are missing at the swap, and again for what came
 * meanwhile. To be done before pins are swept.
 */
int flows_exchange(struct store *s, struct err *e);

#endif
