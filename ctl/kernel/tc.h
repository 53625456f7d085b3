/* SPDX-License-Identifier: GPL-2.0-only */
/* The tc programs of one interface: TCP connections on the way in, replies on the way out. */
#ifndef KERNEL_TC_H
#define KERNEL_TC_H

#include "links.h"
#include "needs.h"
#include "swap.h"

struct store;

/*
 * Makes the tc programs of one interface those that are needed, and the record too, here and in the
 * store. In the interface's network namespace. What failed leaves what was there.
 */
int tc_set(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
	   struct prog_needs needs, struct err *e);
/* Is anything to be attached, or a filter found? What else there is to do is done by pins. */
bool tc_needs_netns(const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct prog_needs needs);
/* Are those that are recorded there still? In the interface's network namespace. Returns 1, 0, or
 * negative errno. */
int tc_are_on(const struct mangle_iface_key *k, const struct mangle_iface *i);
/* What is known of its device by tcx links, whatever namespace that is in. */
enum pin_state tc_link_state(const struct mangle_iface *i);
/* Takes them off, whatever namespace the thread is in. The record stays. Returns 0 or negative
 * errno. */
int tc_clear(const struct mangle_iface_key *k, struct mangle_iface *i);
/* The programs' object file, as it is embedded. */
const void *tc_elf(size_t *size);

/*
 * Upgrade: loads what the interface has at tc's hooks, and adds what are links to w; NULL where it
 * has nothing. Then, once links are swapped, replaces what are filters, and completes the record.
 */
struct tc_bpf; /* the skeleton, which only this file looks into */
int tc_prepare(const struct store *s, const struct mangle_iface_key *k,
	       const struct mangle_iface *i, struct tc_bpf **out, struct swaps *w, struct err *e);
int tc_commit(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
	      const struct tc_bpf *skel, struct err *e);
void tc_unload(struct tc_bpf *skel); /* NULL is fine */

#endif
