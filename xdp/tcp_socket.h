/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks up the socket for a TCP segment, in the network namespace that the packet is in. */
#ifndef XDP_TCP_SOCKET_H
#define XDP_TCP_SOCKET_H

#include "inet.h"
#include "pkt.h"

/* The kernel's values, which no header for programs has. */
enum {
	SK_TIME_WAIT = 6,
	SK_LISTEN = 10,
	SK_NEW_SYN_RECV = 12,
};

enum socket_state {
	SOCKET_NONE,
	SOCKET_LISTENING, /* no connection, but a listener */
	SOCKET_TIME_WAIT,
	SOCKET_ALIVE, /* this very connection */
};

/* Returns the socket, which the caller releases, or NULL. */
static __always_inline struct bpf_sock *find_socket(const struct pkt *p, __u16 port)
{
	struct bpf_sock_tuple t;
	__u32 len = inet_tuple(p, port, &t);

	if (len == sizeof(t.ipv4))
		return bpf_skc_lookup_tcp(p->ctx, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (len == sizeof(t.ipv6))
		return bpf_skc_lookup_tcp(p->ctx, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	return NULL;
}

static __always_inline enum socket_state socket_state_of(const struct bpf_sock *sk)
{
	return sk->state == SK_LISTEN	   ? SOCKET_LISTENING
	       : sk->state == SK_TIME_WAIT ? SOCKET_TIME_WAIT
					   : SOCKET_ALIVE;
}

static __always_inline enum socket_state socket_state(const struct pkt *p, __u16 port)
{
	struct bpf_sock *sk = find_socket(p, port);
	enum socket_state state;

	if (!sk)
		return SOCKET_NONE;
	state = socket_state_of(sk);
	bpf_sk_release(sk);
	return state;
}

#endif
