/* SPDX-License-Identifier: GPL-2.0-only */
/* Detaching what a record names. */
#ifndef KERNEL_DETACH_H
#define KERNEL_DETACH_H

#include <stdbool.h>

#include "../../maps/schema.h"
#include "model/err.h"

struct store;

/* Detaches it. Device or namespace gone: only the record goes. */
int prog_detach(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		struct err *e);
/* May it be detached, as far as can be told before anything is? forced: what is in a dispatcher
 * that cannot be found is taken for gone. Returns 0, or negative errno with e set. */
int prog_may_detach(const struct mangle_iface_key *k, const struct mangle_iface *i, bool forced,
		    struct err *e);

#endif
