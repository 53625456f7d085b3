/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes an answer of the segment that has come: a SYN-ACK or a RST, in its place, where IP options
 * and extension headers keep their room. Whoever calls sends it.
 */
#ifndef XDP_TCP_ANSWER_H
#define XDP_TCP_ANSWER_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "csum.h"
#include "host.h"
#include "inet.h"
#include "pkt.h"
#include "tcp_segment.h"

#define ANSWER_HOPS 64
#define ANSWER_OPTIONS 20 /* at most: MSS, SACK, timestamps, window scale */

struct answer {
	__u32 seq, ack;
	__u16 window;
	__u8 flags;
	__u8 options_len;
	__u8 options[ANSWER_OPTIONS]; /* all 0 behind options_len */
};

struct answer_tcp {
	__be16 source, dest;
	__be32 seq, ack;
	__u8 offset, flags;
	__be16 window;
	__u16 check;
	__u16 urgent;
	__u8 options[ANSWER_OPTIONS];
};

static __always_inline int answer_ipv4(struct __sk_buff *skb, __u32 l3, __u32 len, bool swap)
{
	struct iphdr ip;
	__u32 options, none = 0;
	__be32 from;

	if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)))
		return -1;
	options = ip.ihl * 4 - sizeof(ip);
	if (swap) {
		from = ip.saddr;
		ip.saddr = ip.daddr;
		ip.daddr = from;
	}
	ip.tos = 0;
	ip.tot_len = bpf_htons(len);
	ip.id = 0;
	ip.frag_off = bpf_htons(0x4000); /* do not fragment */
	ip.ttl = ANSWER_HOPS;
	ip.check = 0;
	ip.check = ~csum_fold((__u32)bpf_csum_diff(NULL, 0, (void *)&ip, sizeof(ip), 0));
	if (bpf_skb_store_bytes(skb, l3, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM))
		return -1;
	/* Zeros are an end of options, and add nothing to the sum. */
	for (__u32 i = 0; i < 10; i++) {
		if (i * 4 >= options)
			break;
		if (bpf_skb_store_bytes(skb, l3 + sizeof(ip) + i * 4, &none, 4,
					BPF_F_RECOMPUTE_CSUM))
			return -1;
	}
	return 0;
}

static __always_inline int answer_ipv6(struct __sk_buff *skb, __u32 l3, __u32 len, bool swap)
{
	struct ipv6hdr ip;
	struct in6_addr from;

	if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)))
		return -1;
	if (swap) {
		from = ip.saddr;
		ip.saddr = ip.daddr;
		ip.daddr = from;
	}
	*(__be32 *)&ip = bpf_htonl(6U << 28);
	ip.payload_len = bpf_htons(len - sizeof(ip));
	ip.hop_limit = ANSWER_HOPS;
	return bpf_skb_store_bytes(skb, l3, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline int answer_ethernet(struct __sk_buff *skb)
{
	__u8 mac[12], swapped[12];

	if (bpf_skb_load_bytes(skb, 0, mac, sizeof(mac)))
		return -1;
	__builtin_memcpy(swapped, mac + 6, 6);
	__builtin_memcpy(swapped + 6, mac, 6);
	return bpf_skb_store_bytes(skb, 0, swapped, sizeof(swapped), 0);
}

#define ANSWER_PLACE(addr_off, l4_off, family, swap) \
	((__u64)(addr_off) | (__u64)(l4_off) << 16 | (__u64)(family) << 32 | (__u64)(swap) << 40)

/*
 * place: where the headers lie, ANSWER_PLACE. swap: are the packet's ends still those of the
 * segment, and the answer goes back. ports: source and destination, as they
 * are to lie in the packet. 0, or it could not be written.
 */
PKT_FUNCTION int answer_write(struct __sk_buff *skb, __u64 place, const struct answer *a,
			      __u32 ports)
{
	__u32 addr_off = (__u16)place, l4_off = (__u16)(place >> 16), family = (__u8)(place >> 32);
	__u32 l3 = addr_off - (family == 4 ? __builtin_offsetof(struct iphdr, saddr)
					   : __builtin_offsetof(struct ipv6hdr, saddr));
	struct pkt p = {.ctx = skb, .addr_off = addr_off, .family = family};
	bool swap = place >> 40;
	struct answer_tcp tcp = {};
	__u32 len, sum;
	__u64 pseudo;

	if (!a)
		return -1;
	len = sizeof(struct tcphdr) + a->options_len;
	if (bpf_skb_change_tail(skb, l4_off + len, 0))
		return -1;
	if (swap && answer_ethernet(skb))
		return -1;
	if (family == 4 ? answer_ipv4(skb, l3, l4_off - l3 + len, swap)
			: answer_ipv6(skb, l3, l4_off - l3 + len, swap))
		return -1;
	*(__u32 *)&tcp = ports;
	tcp.seq = bpf_htonl(a->seq);
	tcp.ack = bpf_htonl(a->ack);
	tcp.offset = len << 2;
	tcp.flags = a->flags;
	tcp.window = bpf_htons(a->window);
	__builtin_memcpy(tcp.options, a->options, sizeof(tcp.options));
	p.proto = MANGLE_PROTO_TCP;
	p.l4_len = len;
	pkt_init_data(&p, skb);
	pseudo = inet_pseudo_sum(&p);
	sum = bpf_csum_diff(NULL, 0, (void *)&tcp, sizeof(tcp), 0);
	tcp.check = checksum_is_partial(skb) ? csum_fold(pseudo) : (__u16)~csum_fold(pseudo + sum);
	if (bpf_skb_store_bytes(skb, l4_off, &tcp, sizeof(struct tcphdr), BPF_F_RECOMPUTE_CSUM))
		return -1;
	for (__u32 i = 0; i < ANSWER_OPTIONS; i += 4) {
		if (i >= a->options_len)
			break;
		if (bpf_skb_store_bytes(skb, l4_off + sizeof(struct tcphdr) + i, tcp.options + i, 4,
					BPF_F_RECOMPUTE_CSUM))
			return -1;
	}
	return 0;
}

/* Back to the client: what is in p stays true of the segment, not of the packet. */
static __always_inline int answer_back(const struct pkt *p, const struct answer *a)
{
	__u32 ports = bpf_htons(p->old_port) | (__u32)bpf_htons(p->src_port) << 16;

	return answer_write(p->ctx, ANSWER_PLACE(p->addr_off, p->l4_off, p->family, true), a,
			    ports);
}

/* Onwards to port, as if the client had sent it. */
static __always_inline int answer_onwards(const struct pkt *p, const struct answer *a, __u16 port)
{
	__u32 ports = bpf_htons(p->src_port) | (__u32)bpf_htons(port) << 16;

	return answer_write(p->ctx, ANSWER_PLACE(p->addr_off, p->l4_off, p->family, false), a,
			    ports);
}

#endif
