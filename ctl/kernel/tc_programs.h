/* SPDX-License-Identifier: GPL-2.0-only */
/* The tc programs of all interfaces. */
#ifndef KERNEL_TC_PROGRAMS_H
#define KERNEL_TC_PROGRAMS_H

#include "../../maps/schema.h"
#include "needs.h"

struct store;

/*
 * Attaches what is needed and is not there, and detaches what is not needed, on every interface
 * that is recorded and not gone: on all of them, or on none.
 */
int tc_programs_set(struct store *s, struct prog_needs needs, struct err *e);
/*
 * Are those that were attached there still? Somebody may have removed them. A device that moves to
 * another network namespace loses filters, and takes links along that go by the old one. Returns 1,
 * 0, or negative errno of netns_why: it cannot be told.
 */
int tc_programs_attached(const struct mangle_iface_key *k, const struct mangle_iface *i);

#endif
