/* SPDX-License-Identifier: GPL-2.0-only */
/* libxdp's dispatcher: several XDP programs on one interface, in the thread's network namespace. */
#ifndef KERNEL_DISPATCH_H
#define KERNEL_DISPATCH_H

#include <stdint.h>

#include "../../maps/schema.h"
#include "model/err.h"

struct store;

/*
 * Puts an instance of that epoch into the dispatcher, behind what is there, and *id is its
 * program's; finds out i->conntrack. DISPATCHER_UNFIT, with e not set, where libxdp could not use
 * one: then nothing is attached.
 */
#define DISPATCHER_UNFIT 1
int prog_dispatch(const struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		  uint64_t epoch, uint32_t *id, struct err *e);
/* Takes one out, which is no error where it is not there. */
int prog_undispatch(uint32_t ifindex, uint32_t id);
/* The same for those that no record names: a run was killed before it could. */
void prog_undispatch_orphans(struct store *s, uint32_t ifindex);
/* Is it in the interface's dispatcher? Returns 1, 0, or negative errno. */
int prog_dispatched(uint32_t ifindex, uint32_t id);
/*
 * Of a device that has gone, or been made anew, libxdp's pins stay and hold all programs of its
 * dispatcher: removes them. ifindex: 0 where the device's namespace has gone.
 */
void prog_forget_dispatcher(uint32_t ifindex, uint32_t prog);

#endif
