/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two ways to be at tc's hooks: by tcx links, pinned, where the kernel has those; else as
 * filters of clsact, which others use too. Interfaces are in the thread's network namespace.
 */
#ifndef KERNEL_HOOKS_H
#define KERNEL_HOOKS_H

#include <stdbool.h>

#include "../../maps/schema.h"
#include "model/err.h"
#include "netdev.h"

enum hook { HOOK_IN, HOOK_OUT, HOOKS }; /* ingress, egress */

/* Attaches before all others. id: the program's, which the pin is named by. Both return 0 or
 * negative errno. */
int tcx_attach(const struct mangle_iface_key *k, enum hook h, int prog, uint32_t id);
/* The pin keeps its name: so there is no moment when the record and what is there differ. */
int tcx_replace(uint32_t pin, int prog);

/* Programs that a filter may be of: the one recorded, or the one whose place it was taking. */
struct filter_sought {
	uint32_t id, was; /* 0: none */
};
struct filters {
	struct filter_sought sought;
	struct netdev_tc found; /* its filter; handle 0: it is not there */
	uint32_t lowest;	/* priority; 0: there is no filter */
};
/* Those below return 0 or negative errno, and do not set e where there is none. */
int clsact_list(const struct mangle_iface_key *k, enum hook h, struct filter_sought sought,
		struct filters *out);
/* Makes the qdisc that both hooks hang on, and says in i->tc_kind whether it is mangle's own. */
int clsact_make(const struct mangle_iface_key *k, struct mangle_iface *i, struct err *e);
/* Removes it, unless other filters are on it. */
void clsact_remove(const struct mangle_iface_key *k);
int clsact_attach(const struct mangle_iface_key *k, enum hook h, int prog);
/* -ENOENT where the filter is not there. */
int clsact_replace(const struct mangle_iface_key *k, enum hook h, struct filter_sought old,
		   int prog);
/* Returns 1, 0, or negative errno. */
int clsact_has(const struct mangle_iface_key *k, enum hook h, struct filter_sought id);
/* Does nothing where the filter is not there. */
int clsact_detach(const struct mangle_iface_key *k, enum hook h, struct filter_sought id);

#endif
