/* SPDX-License-Identifier: GPL-2.0-only */
/* The sections of the benchmark. Each measures and tells its rows; 0, or -1 and it has complained.
 */
#ifndef BENCH_SECTIONS_H
#define BENCH_SECTIONS_H

#include "setup.h"

int section_paths(struct bench *b);
int section_tables(struct bench *b);
int section_services(struct bench *b);
int section_wires(struct bench *b);
int section_cpus(struct bench *b);
/* bench-quick: its exit status. */
int section_quick(struct bench *b);

#endif
