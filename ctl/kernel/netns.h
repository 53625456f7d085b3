/* SPDX-License-Identifier: GPL-2.0-only */
/* Network namespaces: where they are found, there and back. */
#ifndef KERNEL_NETNS_H
#define KERNEL_NETNS_H

#include "model/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Enters the namespace `ip netns` knows by that name; the mount namespace stays. Returns 0, or
 * negative errno with e set. */
int netns_enter(const char *name, struct err *e);
/*
 * Notes the namespace that the thread begins in, to which netns_return leads. One excursion at a
 * time. lost: is called with the reason where the thread cannot return, and must end the process,
 * which would go on in the wrong namespace; it is aborted where lost returns, or is NULL.
 * Returns 0, or negative errno with e set.
 */
typedef void netns_lost_fn(const struct err *why);
int netns_init(netns_lost_fn *lost, struct err *e);
/* Returns the inode of the thread's network namespace. */
uint64_t netns_inode(void);
/* Is it the network namespace of the host's first process? False also where that cannot be told. */
bool netns_is_hosts(uint64_t inode);
/* Opens the thread's network namespace: a file descriptor, or negative errno. */
int netns_open(void);
/*
 * Enters the network namespace of that inode: the present one, one that has a name (/run/netns), or
 * the one of a process. *back is a file descriptor for netns_return, -1 where it is the present
 * one. Returns 0, or without e:
 * -ENOENT: every name and every process was looked at, and none leads there;
 * -EACCES: some process may not be looked at, and all else does not lead there;
 * another negative errno: what looking or entering has failed with.
 */
int netns_enter_inode(uint64_t inode, int *back);
/*
 * Calls here in every network namespace that can be found, each once, until it returns above 0,
 * which is returned. Where it never does: 0 if it was called in all that there are, else the first
 * negative errno, of here or as above. name: as `ip netns` knows it, "" for one without a name.
 * It returns to the namespace that it was called in, which netns_enter_inode may have led to.
 */
int netns_search(int (*here)(void *arg, const char *name), void *arg);
/* Returns the reason for -errno of netns_enter_inode or netns_search, until the next call. */
const char *netns_why(int err);
/* Leads back; where that fails the process ends, see netns_init. */
void netns_return(int back);

#endif
