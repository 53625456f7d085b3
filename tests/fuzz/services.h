/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of services, of which an input of a packet target chooses one. */
#ifndef TESTS_FUZZ_SERVICES_H
#define TESTS_FUZZ_SERVICES_H

#include "../../ctl/model/model.h"
#include "../../ctl/kernel/table.h"

#define SERVICE_SETS 8
#define SERVICES_MAX 8 /* of a set */

/* By an input's first byte. */
#define CHOSEN_SET(byte) (((byte)&7) % SERVICE_SETS)
#define CHOSEN_CPU(byte) ((byte) >> 3 & 3)

/* Of four CPUs two have a copy of their own, the others share one. */
#define HOST_CPUS 4
static const struct table_cpus host_cpus = {.own = 2, .copies = 3};

/* A map: an array in memory of just its size. */
struct host_array {
	uint8_t *values;
	uint32_t count;
	size_t size; /* of a value */
};

struct services {
	struct model model;
	struct mangle_config *config;
	struct host_array config_array;
	struct host_array tables[MANGLE_TABLE_SLOTS]; /* a service's is at its index */
	struct host_array before[SERVICES_MAX]; /* the same, as they were before the last packet */
};

void services_make(struct services sets[SERVICE_SETS]);

#endif
