/* SPDX-License-Identifier: GPL-2.0-only */
/* The lines about changes in syslog. */
#ifndef KERNEL_JOURNAL_H
#define KERNEL_JOURNAL_H

#include "model/diff.h"
#include "model/model.h"

struct store;

/* Describes the next change in the words of the command line, for its line in syslog. */
void store_describe(struct store *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes one line to syslog: who, what (as described), how many; see print_changes. */
void store_log(const struct store *s, const struct changes *c, const char *what);

#endif
