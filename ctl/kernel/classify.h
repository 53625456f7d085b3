/* SPDX-License-Identifier: GPL-2.0-only */
/* From services to what the packet path matches by: the port index and the classifier's cells. */
#ifndef KERNEL_CLASSIFY_H
#define KERNEL_CLASSIFY_H

#include "model/model.h"

union classifier_cell {
	struct mangle_shape shape;
	struct mangle_rule rule;
};

/*
 * Fills port[] of config for the services of m (checked), whose place in m is their index.
 * *cells is allocated, *count may be 0. -E2BIG with e set where a port has more kinds of rules
 * than a packet is tried against.
 */
int classify(const struct model *m, struct mangle_config *config, union classifier_cell **cells,
	     uint32_t *count, struct err *e);

#endif
