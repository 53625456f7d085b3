/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmark says: one table on standard output, the same rows as JSON, errors on stderr.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "rounds.h"

/* One line on standard error. Always -1. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints the table and writes FILE. -1 if that cannot be written. */
int report(const struct outcome *outcomes, int n, const char *file);

#endif
