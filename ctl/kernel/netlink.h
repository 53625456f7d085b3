/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests to the kernel, by libnl-3. Errors: negative, as libnl's (nl_geterror). A request that
 * could not be sent is an error, and no call waits for an answer without a limit. */
#ifndef CTL_NETLINK_H
#define CTL_NETLINK_H

#include <netlink/netlink.h>
#include <stddef.h>

/* Opens a socket of that family (NETLINK_*) with a limit for waiting; NULL: it failed. */
int netlink_open(int family, struct nl_sock **sk);
/* Asks for all objects of a kind, and calls each with every message of the answer. -NLE_DUMP_INTR:
 * objects were added or removed meanwhile, so that some may be missing. */
int netlink_dump(int family, int type, const void *request, size_t size, nl_recvmsg_msg_cb_t each,
		 void *arg);
/* Sends msg, and calls each with the answer. The socket can be used again. */
int netlink_ask(struct nl_sock *sk, struct nl_msg *msg, nl_recvmsg_msg_cb_t each, void *arg);

#endif
