/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instances of the XDP program. Every interface has one of its own, which knows the interface's
 * name and works on the store's maps.
 */
#ifndef KERNEL_INSTANCE_H
#define KERNEL_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../maps/schema.h"
#include "model/err.h"

struct bpf_object;
struct mangle_bpf; /* the skeleton, which only this file looks into */
struct store;

/* Is the program to ask conntrack, in the thread's network namespace? Where it cannot be told
 * whether the host masquerades, it is. */
bool instance_wants_conntrack(void);
/* Is a program in that mode one for frames of more than one buffer? */
bool instance_frags(uint32_t mode);
/* Loads one for that interface, in the mode that it is attached in; not attached. Finds out
 * i->conntrack. Returns NULL with e set where it failed; instance_unload frees it. */
struct mangle_bpf *instance_load(const struct store *s, struct mangle_iface *i, struct err *e);
/* Loads one that is attached to nothing. explaining: it explains instead of counting. */
struct mangle_bpf *instance_load_detached(const struct store *s, const char *ifname,
					  bool explaining, struct err *e);
/* Leaves the loading to libxdp; epoch: struct mangle_gate. */
struct mangle_bpf *instance_open(const struct store *s, const struct mangle_iface *i,
				 uint64_t epoch, struct err *e);
struct bpf_object *instance_object(const struct mangle_bpf *skel);
/* File descriptors, which stay the instance's: of the program, and of the map that one which
 * explains writes to. */
int instance_fd(const struct mangle_bpf *skel);
int instance_explained(const struct mangle_bpf *skel);
void instance_unload(struct mangle_bpf *skel); /* NULL is fine */
/* The program's object file, as it is embedded; with the stage for conntrack, or without. */
const void *instance_elf(bool conntrack, size_t *size);

#endif
