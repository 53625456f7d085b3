/* SPDX-License-Identifier: GPL-2.0-only */
#include "netlink.h"

#include <sys/socket.h>
#include <sys/time.h>

/* The kernel answers while the request is sent, so an answer that is not there by then will not
 * come. */
static int limit_waiting(struct nl_sock *sk)
{
	const struct timeval limit = {.tv_sec = 10};

	return setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit))
		       ? -NLE_FAILURE
		       : 0;
}

int netlink_open(int family, struct nl_sock **sk)
{
	int err;

	*sk = nl_socket_alloc();
	err = *sk ? nl_connect(*sk, family) : -NLE_NOMEM;
	if (!err)
		err = limit_waiting(*sk);
	if (!err)
		return 0;
	nl_socket_free(*sk);
	*sk = NULL;
	return err;
}

int netlink_dump(int family, int type, const void *request, size_t size, nl_recvmsg_msg_cb_t each,
		 void *arg)
{
	struct nl_sock *sk;
	int err = netlink_open(family, &sk);

	if (!err)
		err = nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, each, arg);
	if (!err)
		err = nl_send_simple(sk, type, NLM_F_DUMP, (void *)request, size);
	if (err >= 0)
		err = nl_recvmsgs_default(sk);
	nl_socket_free(sk);
	return err < 0 ? err : 0;
}

int netlink_ask(struct nl_sock *sk, struct nl_msg *msg, nl_recvmsg_msg_cb_t each, void *arg)
{
	int err = nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, each, arg);

	if (!err)
		err = nl_send_auto(sk, msg);
	if (err >= 0)
		err = nl_recvmsgs_default(sk);
	if (err >= 0)
		err = nl_wait_for_ack(sk); /* its ACK must not be taken for the next answer */
	return err < 0 ? err : 0;
}
