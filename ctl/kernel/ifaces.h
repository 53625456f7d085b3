/* SPDX-License-Identifier: GPL-2.0-only */
/* Attachments, as recorded. */
#ifndef KERNEL_IFACES_H
#define KERNEL_IFACES_H

#include <stdbool.h>
#include <stddef.h>

#include "../../maps/schema.h"
#include "model/err.h"

struct store;

/* All records; the caller frees *keys and *ifaces. Half a list is never returned. */
int store_ifaces(struct store *s, struct mangle_iface_key **keys, struct mangle_iface **ifaces,
		 size_t *count, struct err *e);
int store_iface_put(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e);
/* i: only if it is that attachment's, and not another one's that has come to that key; NULL: whose
 * ever. */
int store_iface_del(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e);
/* Are these records of the same attachment? One may be older. */
bool store_iface_same(const struct mangle_iface *a, const struct mangle_iface *b);

#endif
