/* SPDX-License-Identifier: GPL-2.0-only */
/* Attaching to an interface of the network namespace that the thread is in. */
#ifndef KERNEL_ATTACH_H
#define KERNEL_ATTACH_H

#include "needs.h"

struct store;

/*
 * Attaches to ifname and records it in the store. mode 0: native, else generic (*got says which).
 * Done already in that mode: 0 with *changed false, and tc programs that had gone are there again.
 * -EEXIST where attached in another mode.
 */
int prog_attach(struct store *s, const char *ifname, const char *netns_name, int mode,
		struct prog_needs needs, int *got, bool *changed, struct err *e);

#endif
