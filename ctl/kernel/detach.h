/* SPDX-License-Identifier: GPL-2.0-only */
/* Detaching the program that a record names. */
#ifndef KERNEL_DETACH_H
#define KERNEL_DETACH_H

#include <stdbool.h>

#include "../../maps/schema.h"
#include "model/err.h"

struct store;

/* Detaches the program. Where its device or namespace is gone, only the record is removed. */
int prog_detach(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		struct err *e);
/* Checks, before anything is detached, whether it can be. forced: a program in a dispatcher that
 * cannot be found is taken for gone. Returns 0, or negative errno with e set. */
int prog_may_detach(const struct mangle_iface_key *k, const struct mangle_iface *i, bool forced,
		    struct err *e);

#endif
