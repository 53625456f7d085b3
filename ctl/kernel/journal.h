/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of changes in syslog. */
#ifndef KERNEL_JOURNAL_H
#define KERNEL_JOURNAL_H

#include "model/diff.h"
#include "model/model.h"

struct store;

/* What the next change is, in the words of the command line, for its line of syslog. */
void store_describe(struct store *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes one line to syslog: who, what (unless it was described), how many; see print_changes. */
void store_log(const struct store *s, const struct changes *c, const char *what);

#endif
