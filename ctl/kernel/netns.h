/* SPDX-License-Identifier: GPL-2.0-only */
/* Network namespaces: finding them, entering them, and returning. */
#ifndef KERNEL_NETNS_H
#define KERNEL_NETNS_H

#include "model/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Enters the namespace of that name in `ip netns`; the mount namespace stays. Returns 0, or
 * negative errno with e set. */
int netns_enter(const char *name, struct err *e);
/*
 * Records the thread's present namespace, to which netns_return leads. Only one excursion at a time
 * is possible. lost: is called with the reason where the thread cannot return, and must end the
 * process, which would continue in the wrong namespace; the process is aborted where lost returns,
 * or is NULL. Returns 0, or negative errno with e set.
 */
typedef void netns_lost_fn(const struct err *why);
int netns_init(netns_lost_fn *lost, struct err *e);
/* Returns the inode of the thread's network namespace. */
uint64_t netns_inode(void);
/* Returns whether it is the network namespace of the host's first process; false where that cannot
 * be told, too. */
bool netns_is_hosts(uint64_t inode);
/* Opens the thread's network namespace. Returns a file descriptor, or negative errno. */
int netns_open(void);
/*
 * Enters the network namespace with that inode: the present one, one with a name (/run/netns), or
 * one of a process. *back is a file descriptor for netns_return; -1: it is the present one. Returns
 * 0, or without e: -ENOENT: every name and every process was checked, and none leads there;
 * -EACCES: some process may not be read, and the others do not lead there; another negative errno:
 * checking or entering has failed.
 */
int netns_enter_inode(uint64_t inode, int *back);
/*
 * Calls `here` once in every network namespace that can be found, until it returns above 0, which
 * is returned. Otherwise returns 0 if all namespaces were visited, else the first negative errno,
 * of `here` or as above. name: as in `ip netns`, "" for a namespace without a name. The thread is
 * afterwards in the namespace that it was in before, which netns_enter_inode may have led to.
 */
int netns_search(int (*here)(void *arg, const char *name), void *arg);
/* Returns the reason for -errno of netns_enter_inode or netns_search, until the next call. */
const char *netns_why(int err);
/* Returns to that namespace; where that fails the process ends, see netns_init. */
void netns_return(int back);

#endif
