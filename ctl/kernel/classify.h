/* SPDX-License-Identifier: GPL-2.0-only */
/* Turns services into what packets are matched with: the port index and the classifier's cells. */
#ifndef KERNEL_CLASSIFY_H
#define KERNEL_CLASSIFY_H

#include "model/model.h"

union classifier_cell {
	struct mangle_tuple tuple;
	struct mangle_rule rule;
};

/*
 * Fills port[] of config for the services of m (checked), whose place in m is their index.
 * *cells is allocated and the caller's to free, *count may be 0. Returns 0, or negative errno with
 * e set: -E2BIG where a port has more tuples than a packet is tried against.
 */
int classify(const struct model *m, struct mangle_config *config, union classifier_cell **cells,
	     uint32_t *count, struct err *e);

#endif
