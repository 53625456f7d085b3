/* SPDX-License-Identifier: GPL-2.0-only */
/* The host that connections end on: its settings and TCP sockets, in the thread's network
 * namespace. */
#ifndef KERNEL_HOST_H
#define KERNEL_HOST_H

#include "model/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads a number below /proc/sys/net, by its path there. Returns 0; -ENOENT where there is no such
 * setting; another negative errno where it cannot be read. */
int host_setting(const char *path, int *value);

/* Returns whether this host forwards packets for others: 1, 0, or negative errno where that cannot
 * be told. */
int host_forwards(void);

/* Returns whether this host translates source addresses, as gateways do: 1, 0, or negative errno
 * where that cannot be told. */
int host_masquerades(void);

/* The ports that the kernel gives to sockets without a port: the range, without reserved ones. */
struct host_local_ports {
	unsigned int first, last;
	bool taken[65536];
};
/* 0, or negative errno. */
int host_local_ports(struct host_local_ports *out);

enum {
	HOST_TCP_ESTABLISHED = 1,
	HOST_TCP_TIME_WAIT = 6,
	HOST_TCP_CLOSE = 7,
	HOST_TCP_LISTEN = 10,
};
struct host_socket {
	uint32_t local_be[4], remote_be[4]; /* IPv4: ::ffff:a.b.c.d, whatever the socket's family */
	uint16_t local_port, remote_port;
	unsigned int state; /* HOST_TCP_*, or one between */
};
/*
 * Calls each for every TCP socket, until it returns other than 0, which is returned. Returns
 * negative errno with `why` set ("FILE: reason") where the list cannot be read completely. The list
 * is that of /proc, which every kernel has: the module of sock_diag may be missing or not loadable.
 */
int host_sockets(int (*each)(void *arg, const struct host_socket *socket), void *arg,
		 struct err *why);

/* Marks the ports that MPTCP listens on. Returns 0, or negative errno with `why` set. */
int host_mptcp_ports(bool port[65536], struct err *why);

#endif
