/* SPDX-License-Identifier: GPL-2.0-only */
/* The records of attachments. */
#ifndef KERNEL_IFACES_H
#define KERNEL_IFACES_H

#include <stdbool.h>
#include <stddef.h>

#include "../../maps/schema.h"
#include "model/err.h"

struct store;

/* Reads all records; the caller frees *keys and *ifaces. An incomplete list is never returned. */
int store_ifaces(struct store *s, struct mangle_iface_key **keys, struct mangle_iface **ifaces,
		 size_t *count, struct err *e);
int store_iface_put(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e);
/* i: remove only if the record is of that attachment, and not of another with the same key; NULL:
 * of any. */
int store_iface_del(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e);
/* Returns whether these are records of the same attachment; one may be older. */
bool store_iface_same(const struct mangle_iface *a, const struct mangle_iface *b);

#endif
