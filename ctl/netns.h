/* SPDX-License-Identifier: GPL-2.0-only */
/* Network namespaces. Errors: negative errno with e set. */
#ifndef CTL_NETNS_H
#define CTL_NETNS_H

#include "err.h"

#include <stdint.h>

/* Enters the namespace `ip netns` knows by that name; the mount namespace stays. */
int netns_enter(const char *name, struct err *e);
/* Inode of the thread's network namespace, 0 where nobody can tell: netns_init has it fail then.
 * Below, one excursion at a time: back goes where netns_init was. */
int netns_init(struct err *e);
uint64_t netns_inode(void);
/*
 * Enters the network namespace of that inode, wherever it can be found: here, /run/netns, any
 * process. *back is a file descriptor for netns_return, -1 where it is the present one.
 * -ENOENT without e set where it cannot be found.
 */
int netns_enter_inode(uint64_t inode, int *back);
/*
 * Calls here in every network namespace that can be found, each once, until it returns other than
 * 0, which is returned. name: as `ip netns` knows it, "" for one without a name.
 */
int netns_search(int (*here)(void *arg, const char *name), void *arg);
void netns_return(int back);

#endif
