/* SPDX-License-Identifier: GPL-2.0-only */
/* The number of CPUs, and the number that tables are laid out for. */
#ifndef KERNEL_CPUS_H
#define KERNEL_CPUS_H

#include "model/err.h"
#include "table.h"

/*
 * possible: the CPUs that the kernel can ever have, which is what it numbers per-CPU data by. cpus:
 * those that are online, for the copies of new tables. Returns 0, or negative errno with e set.
 */
int cpus_count(unsigned int *possible, struct table_cpus *cpus, struct err *e);

#endif
