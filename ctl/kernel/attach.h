/* SPDX-License-Identifier: GPL-2.0-only */
/* Attaching to an interface of the network namespace that the thread is in. */
#ifndef KERNEL_ATTACH_H
#define KERNEL_ATTACH_H

#include "needs.h"

struct store;

/*
 * Attaches to ifname and records it in the store. mode 0: native, or generic where the driver has
 * no native mode (*got: the one used). Attached already in that mode: returns 0 with *changed
 * false, and missing tc programs are attached again. Attached in another mode: -EEXIST.
 */
int prog_attach(struct store *s, const char *ifname, const char *netns_name, int mode,
		struct prog_needs needs, int *got, bool *changed, struct err *e);

#endif
