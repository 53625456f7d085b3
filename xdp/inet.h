/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What UDP and TCP over IPv4 and IPv6 have in common: addresses, the pseudo-header, and the
 * checksum of a segment whose port changes. One copy, for every program.
 */
#ifndef XDP_INET_H
#define XDP_INET_H

#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "csum.h"
#include "pkt.h"

/*
 * Reads both addresses, as they lie in the packet: source, then destination. An IPv4 address is the
 * last of the four words, and the others are 0. Returns false where they cannot be read.
 */
static __always_inline bool inet_addresses(const struct pkt *p, __be32 from[4], __be32 to[4])
{
	__be32 buf[8], *addr;

	if (p->family == 4) {
		addr = pkt_at(p, p->addr_off, 8, buf);
		if (!addr)
			return false;
		from[0] = from[1] = from[2] = to[0] = to[1] = to[2] = 0;
		from[3] = addr[0];
		to[3] = addr[1];
		return true;
	}
	addr = pkt_at(p, p->addr_off, 32, buf);
	if (!addr)
		return false;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		from[i] = addr[i];
		to[i] = addr[4 + i];
	}
	return true;
}

/*
 * Fills the tuple of a packet whose destination port is dest. Returns its length, 0 where the
 * addresses cannot be read.
 */
static __always_inline __u32 inet_tuple(const struct pkt *p, __u16 dest, struct bpf_sock_tuple *t)
{
	__be32 from[4], to[4];

	if (!inet_addresses(p, from, to))
		return 0;
	if (p->family == 4) {
		t->ipv4.saddr = from[3];
		t->ipv4.daddr = to[3];
		t->ipv4.sport = bpf_htons(p->src_port);
		t->ipv4.dport = bpf_htons(dest);
		return sizeof(t->ipv4);
	}
#pragma unroll
	for (int i = 0; i < 4; i++) {
		t->ipv6.saddr[i] = from[i];
		t->ipv6.daddr[i] = to[i];
	}
	t->ipv6.sport = bpf_htons(p->src_port);
	t->ipv6.dport = bpf_htons(dest);
	return sizeof(t->ipv6);
}

/*
 * Returns the sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1) of l4_len bytes, in words as
 * they lie in memory; 0 where the addresses cannot be read.
 */
static __always_inline __u64 inet_pseudo_sum(const struct pkt *p)
{
	__u8 proto = p->proto == MANGLE_PROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	__u64 sum = bpf_htonl(p->l4_len) + (__u64)bpf_htons(proto);
	__be32 from[4], to[4];

	if (!inet_addresses(p, from, to))
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++)
		sum += (__u64)from[i] + to[i];
	return sum;
}

/* Returns where the checksum lies in the transport header. */
static __always_inline __u32 inet_check_off(const struct pkt *p)
{
	return p->proto == MANGLE_PROTO_UDP ? __builtin_offsetof(struct udphdr, check)
					    : __builtin_offsetof(struct tcphdr, check);
}

/* RFC 768: a UDP checksum of 0 says that there is none. */
static __always_inline bool inet_has_check(const struct pkt *p, __u16 check)
{
	return check || p->proto != MANGLE_PROTO_UDP;
}

/* Returns the checksum behind a port that changes, where there is one. */
static __always_inline __u16 inet_new_check(const struct pkt *p, __u16 check, __be16 from,
					    __be16 to)
{
	check = csum_update16(check, from, to);
	return inet_has_check(p, check) ? check : 0xffff;
}

#endif
