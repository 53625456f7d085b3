/* SPDX-License-Identifier: GPL-2.0-only */
/* Is there a socket for a TCP segment? In the namespace that the packet is in. */
#ifndef XDP_TCP_SOCKET_H
#define XDP_TCP_SOCKET_H

#include "pkt.h"

/* The kernel's, which no header for programs has. */
enum {
	SK_TIME_WAIT = 6,
	SK_LISTEN = 10,
	SK_NEW_SYN_RECV = 12,
};

enum socket_state {
	SOCKET_NONE,
	SOCKET_LISTENING, /* nobody is connected, but somebody listens */
	SOCKET_TIME_WAIT,
	SOCKET_ALIVE, /* this very connection */
};

/* The segment's ends with another destination port. Returns the tuple's length, 0: not readable. */
static __always_inline __u32 segment_tuple(const struct pkt *p, __u16 port,
					   struct bpf_sock_tuple *t)
{
	if (p->family == 4) {
		__be32 buf[2], *addr = pkt_at(p, p->addr_off, sizeof(buf), buf);

		if (!addr)
			return 0;
		t->ipv4.saddr = addr[0];
		t->ipv4.daddr = addr[1];
		t->ipv4.sport = bpf_htons(p->src_port);
		t->ipv4.dport = bpf_htons(port);
		return sizeof(t->ipv4);
	} else {
		__be32 buf[8], *addr = pkt_at(p, p->addr_off, sizeof(buf), buf);

		if (!addr)
			return 0;
		for (int i = 0; i < 4; i++) {
			t->ipv6.saddr[i] = addr[i];
			t->ipv6.daddr[i] = addr[4 + i];
		}
		t->ipv6.sport = bpf_htons(p->src_port);
		t->ipv6.dport = bpf_htons(port);
		return sizeof(t->ipv6);
	}
}

/* NULL, or to be released. */
static __always_inline struct bpf_sock *find_socket(const struct pkt *p, __u16 port)
{
	struct bpf_sock_tuple t;
	__u32 len = segment_tuple(p, port, &t);

	if (len == sizeof(t.ipv4))
		return bpf_skc_lookup_tcp(p->ctx, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (len == sizeof(t.ipv6))
		return bpf_skc_lookup_tcp(p->ctx, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	return NULL;
}

static __always_inline enum socket_state state_of(const struct bpf_sock *sk)
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
	state = state_of(sk);
	bpf_sk_release(sk);
	return state;
}

#endif
