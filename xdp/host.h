/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel knows of a packet, and what this host would do with it. */
#ifndef XDP_HOST_H
#define XDP_HOST_H

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <bpf/bpf_core_read.h>

#include "inet.h"
#include "pkt.h"
#include "sum.h"

/* The fields of the kernel's structures that are read here; libbpf finds them by name (CO-RE) when
 * the program is loaded. */
#define KERNEL __attribute__((preserve_access_index))

struct netns_ipv4 {
	__u8 sysctl_tcp_timestamps;
	__u8 sysctl_tcp_sack;
	__u8 sysctl_tcp_window_scaling;
	__u8 sysctl_tcp_ecn;
	int sysctl_tcp_rmem[3];
} KERNEL;

struct net {
	struct netns_ipv4 ipv4;
} KERNEL;

typedef struct {
	struct net *net;
} KERNEL possible_net_t;

struct net_device {
	possible_net_t nd_net;
	__u16 type;
} KERNEL;

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	__u8 *head, *data;
	__u32 end; /* of the linear part, from head */
	__u16 mac_len;
	__u8 ip_summed : 2;
} KERNEL;

struct skb_shared_info {
	__u32 gso_type;
} KERNEL;

struct sock_common {
	possible_net_t skc_net;
	__u32 skc_tw_rcv_nxt;
} KERNEL;

struct sock {
	struct sock_common __sk_common;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
} KERNEL;

struct inet_sock {
	struct sock sk;
} KERNEL;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
} KERNEL;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_received;
} KERNEL;

struct inet_timewait_sock {
	struct sock_common __tw_common;
} KERNEL;

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
} KERNEL;

extern void *bpf_cast_to_kern_ctx(void *ctx) __weak __ksym;

/* The context as struct sk_buff, to be read by bpf_probe_read_kernel(), which every kernel has. */
#ifndef KERNEL_SKB
#define KERNEL_SKB(ctx) ((struct sk_buff *)(void *)(ctx))
#endif

#define CHECKSUM_NONE 0
#define CHECKSUM_COMPLETE 2
#define CHECKSUM_PARTIAL 3
#define ARPHRD_ETHER 1
#define SKB_GSO_FRAGLIST (1U << 18)
#define AF_INET 2
#define AF_INET6 10

/* Returns whether the checksum is left to the device that sends the packet. */
static __always_inline bool checksum_is_partial(struct __sk_buff *ctx)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);

	return BPF_CORE_READ_BITFIELD(skb, ip_summed) == CHECKSUM_PARTIAL;
}

/*
 * Returns whether the packet is a list of whole datagrams (GRO fraglist). The kernel splits it
 * without computing checksums: each datagram keeps the one that it came with.
 */
static __always_inline bool is_fraglist(struct __sk_buff *ctx)
{
	struct sk_buff *skb = KERNEL_SKB(ctx);
	/* skb_shared_info lies at the end of the linear part. */
	struct skb_shared_info *info = (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));

	return BPF_CORE_READ(info, gso_type) & SKB_GSO_FRAGLIST;
}

/*
 * Returns whether this host made the packet. A packet that a socket sends has that socket, one by
 * which the kernel itself answers has a control socket; a packet that is forwarded or bridged has
 * none, or one of another family (packet sockets, TUN).
 */
static __always_inline bool has_ip_socket(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	return sk && (sk->family == AF_INET || sk->family == AF_INET6);
}

/* Returns whether that socket is in the interface's network namespace. The socket of a container
 * behind a bridge is not. */
static __always_inline bool is_socket_here(struct __sk_buff *ctx)
{
	struct sk_buff *skb = KERNEL_SKB(ctx);

	return BPF_CORE_READ(skb, sk, __sk_common.skc_net.net) ==
	       BPF_CORE_READ(skb, dev, nd_net.net);
}

/* Returns whether the kernel has not verified the checksum yet: it has no sum, or the hardware's
 * sum of the bytes. */
static __always_inline bool checksum_is_open(struct __sk_buff *ctx)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	__u32 summed = BPF_CORE_READ_BITFIELD(skb, ip_summed);

	return summed == CHECKSUM_NONE || summed == CHECKSUM_COMPLETE;
}

/* Returns the unfolded sum of len bytes from off on. */
PKT_FUNCTION __u64 sum_of(struct __sk_buff *skb, __u32 off, __u32 len)
{
	struct mangle_scratch *scratch = pkt_scratch();

	return scratch ? sum_copied(skb, scratch, off, len) : 0;
}

/* Returns whether the checksum is right. A damaged segment decides nothing: it is sent again. */
static __always_inline bool checksum_is_good(const struct pkt *p)
{
	if (likely(!checksum_is_open(p->ctx)))
		return true;
	return csum_fold(inet_pseudo_sum(p) + sum_of(p->ctx, p->l4_off, p->l4_len)) == 0xffff;
}

/*
 * Gives a packet its Ethernet header back. Generic XDP may copy a packet to another sk_buff, which
 * lacks the length of the link header (6.9 and later): at tc's hook it then begins with the IP
 * header, and the Ethernet header still lies before it. Returns false where that fails.
 */
static __always_inline bool restore_ethernet(struct __sk_buff *ctx)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	__u8 header[ETH_HLEN];

	if (likely(skb->mac_len) || skb->dev->type != ARPHRD_ETHER)
		return true;
	return !bpf_probe_read_kernel(header, sizeof(header), skb->data - ETH_HLEN) &&
	       !bpf_skb_change_head(ctx, ETH_HLEN, 0) &&
	       !bpf_skb_store_bytes(ctx, 0, header, sizeof(header), 0);
}

/* Returns whether the kernel would drop one more connection of this listener. */
static __always_inline bool backlog_is_full(struct tcp_sock *tcp)
{
	struct sock *sk = &tcp->inet_conn.icsk_inet.sk;

	return sk->sk_ack_backlog > sk->sk_max_ack_backlog;
}

/* The TCP settings (sysctl) of the packet's network namespace. */
struct tcp_settings {
	bool timestamps, sack, wscale, ecn;
	__u32 rmem, rmem_max; /* bytes */
};

static __always_inline void tcp_settings(struct __sk_buff *ctx, struct tcp_settings *t)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	struct net *net = skb->dev->nd_net.net;

	t->timestamps = net->ipv4.sysctl_tcp_timestamps;
	t->sack = net->ipv4.sysctl_tcp_sack;
	t->wscale = net->ipv4.sysctl_tcp_window_scaling;
	t->ecn = net->ipv4.sysctl_tcp_ecn;
	t->rmem = net->ipv4.sysctl_tcp_rmem[1];
	t->rmem_max = net->ipv4.sysctl_tcp_rmem[2];
}

/* Returns whether no TCP segment from outside can have this address: this network, loopback,
 * multicast, broadcast. */
static __always_inline bool is_odd_ipv4(__be32 addr)
{
	__u32 first = bpf_ntohl(addr) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* Returns the same for IPv6: multicast, unspecified, loopback, IPv4-mapped. */
static __always_inline bool is_odd_ipv6(const __be32 addr[4])
{
	return (addr[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000) ||
	       (!addr[0] && !addr[1] && (!addr[2] || addr[2] == bpf_htonl(0xffff)));
}

/*
 * Returns whether a TCP segment that came to this host's MAC address is for this host itself. Where
 * forwarding is off, the kernel does no lookup, and would forward nothing either.
 */
PKT_FUNCTION bool routes_here(struct __sk_buff *skb, __u32 addr_off, __u32 family)
{
	struct bpf_fib_lookup fib = {.ifindex = skb->ifindex, .l4_protocol = IPPROTO_TCP};
	struct pkt p = {.ctx = skb, .addr_off = addr_off, .family = family};
	__be32 from[4], to[4];
	long verdict;

	pkt_init_data(&p, skb);
	if (!inet_addresses(&p, from, to))
		return false;
	if (family == 4) {
		if (is_odd_ipv4(from[3]) || is_odd_ipv4(to[3]) || from[3] == to[3])
			return false;
		fib.family = AF_INET;
		fib.ipv4_src = from[3];
		fib.ipv4_dst = to[3];
	} else {
		if (is_odd_ipv6(from) || is_odd_ipv6(to))
			return false;
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_src, from, sizeof(from));
		__builtin_memcpy(fib.ipv6_dst, to, sizeof(to));
	}
	verdict = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	return verdict == BPF_FIB_LKUP_RET_NOT_FWDED || verdict == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline bool is_for_host(const struct pkt *p)
{
	return routes_here(p->ctx, p->addr_off, p->family);
}

#endif
