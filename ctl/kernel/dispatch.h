/* SPDX-License-Identifier: GPL-2.0-only */
/* libxdp's dispatcher: several XDP programs on one interface, in the thread's network namespace. */
#ifndef KERNEL_DISPATCH_H
#define KERNEL_DISPATCH_H

#include <stdint.h>

#include "../../maps/schema.h"
#include "model/err.h"

struct store;

/*
 * Adds an instance of that epoch to the dispatcher, behind the programs there. *id is the
 * instance's program; i->conntrack is set. Returns DISPATCHER_UNFIT, with e not set and nothing
 * attached, where libxdp cannot use a dispatcher.
 */
#define DISPATCHER_UNFIT 1
int prog_dispatch(const struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		  uint64_t epoch, uint32_t *id, struct err *e);
/* Removes a program; one that is not there is no error. */
int prog_undispatch(uint32_t ifindex, uint32_t id);
/* Removes the programs without a record, which a killed run has left. */
void prog_undispatch_orphans(struct store *s, uint32_t ifindex);
/* Returns whether it is in the interface's dispatcher: 1, 0, or negative errno. */
int prog_dispatched(uint32_t ifindex, uint32_t id);
/* Removes libxdp's pins of a device that is gone or was created again; they would hold all programs
 * of its dispatcher. ifindex: 0 where the device's namespace is gone. */
void prog_forget_dispatcher(uint32_t ifindex, uint32_t prog);

#endif
