/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the kernel, by libnl-3. Errors: negative, as libnl has them (nl_geterror).
 * A request that could not be sent is an error, and no answer is waited for without end.
 */
#ifndef CTL_NETLINK_H
#define CTL_NETLINK_H

#include <netlink/netlink.h>
#include <stddef.h>

/* Sets a socket of that family (NETLINK_*) that gives up waiting; NULL where it fails. */
int netlink_open(int family, struct nl_sock **sk);
/*
 * Asks for all objects of a kind, and calls each with every message of the answer. -NLE_DUMP_INTR:
 * objects came or went meanwhile, so that some may be missing.
 */
int netlink_dump(int family, int type, const void *request, size_t size, nl_recvmsg_msg_cb_t each,
		 void *arg);
/* Sends msg, and calls each with the answer. The socket can be used again. */
int netlink_ask(struct nl_sock *sk, struct nl_msg *msg, nl_recvmsg_msg_cb_t each, void *arg);

#endif
