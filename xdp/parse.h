/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ethernet, VLAN tags, IPv4 or IPv6, UDP or TCP: finds ports and payload. Rows 1 to 6 of the
 * manual's table of tests, in their order.
 */
#ifndef XDP_PARSE_H
#define XDP_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "pkt.h"

#define MAX_VLAN_TAGS 2
#define MAX_EXT_HEADERS 8

struct vlan_tag {
	__be16 tci;
	__be16 proto;
};

/* RFC 8200: what hop-by-hop, routing, destination and fragment headers begin with. */
struct ext_header {
	__u8 next;
	__u8 len; /* in 8 bytes, less the first 8; fragment: reserved */
	union {
		struct {
			__u8 routing_type;
			__u8 segments_left;
		};
		__be16 frag_off;
	};
	__u8 rest[4];
};
#define FRAG6_OFFSET 0xfff8
#define FRAG6_MORE 0x0001
#define FRAG4_OFFSET 0x1fff
#define FRAG4_MORE 0x2000

/* Where the IP header starts; 0 where there is none. */
static __always_inline __u32 parse_ethernet(struct pkt *p)
{
	__u32 off = sizeof(struct ethhdr);
	struct ethhdr eth_buf, *eth = pkt_at(p, 0, sizeof(*eth), &eth_buf);
	__be16 proto;

	if (!eth)
		return 0;
	p->opaque = *(__u32 *)eth->h_dest;
	proto = eth->h_proto;
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_tag tag_buf, *tag;

		if (likely(proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD)))
			break;
		tag = pkt_at(p, off, sizeof(*tag), &tag_buf);
		if (!tag)
			return 0;
		proto = tag->proto;
		off += sizeof(*tag);
	}
	/* One bit more tells the families apart. */
	if (proto == bpf_htons(ETH_P_IP))
		return off;
	if (proto == bpf_htons(ETH_P_IPV6))
		return off | 0x80;
	return 0;
}

static __always_inline enum mangle_reason parse_ipv4(struct pkt *p, __u32 off, __u8 *proto)
{
	struct iphdr ip_buf, *ip = pkt_at(p, off, sizeof(*ip), &ip_buf);
	__u32 header, total;
	__u16 frag;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return REASON_MALFORMED_IP;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (!total)
		total = pkt_big(p->ctx, off);
	if (total < header || !pkt_reaches(p, off + total))
		return REASON_MALFORMED_IP;
	frag = bpf_ntohs(ip->frag_off);
	if (frag & FRAG4_OFFSET)
		return REASON_LATER_FRAGMENT;
	p->family = 4;
	p->fragment = frag & FRAG4_MORE;
	p->addr_off = off + __builtin_offsetof(struct iphdr, saddr);
	p->l4_off = off + header;
	p->ip_end = off + total;
	*proto = ip->protocol;
	return REASON_NONE;
}

static __always_inline bool is_ext_header(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_FRAGMENT;
}

/* What parse_ext_headers returns. */
#define EXT_RESULT(reason, proto, fragment, at) \
	((__u64)(reason) | (__u64)(proto) << 8 | (__u64)(fragment) << 16 | (__u64)(at) << 32)

/* Walks extension headers from `at`, of which the first is a `next`, to what follows them. */
PKT_FUNCTION __u64 parse_ext_headers(struct pkt_ctx *ctx, __u32 at, __u32 next, __u32 ip_end)
{
	struct pkt p = {};
	__u8 proto = next;
	bool fragment = false;

	pkt_init_data(&p, ctx);
	p.opaque = PKT_OPAQUE(ctx);
	for (int i = 0; i < MAX_EXT_HEADERS; i++) {
		struct ext_header ext_buf, *ext;
		__u32 len = sizeof(*ext);

		if (at + sizeof(*ext) > ip_end)
			return REASON_MALFORMED_IP;
		ext = pkt_at(&p, at, sizeof(*ext), &ext_buf);
		if (!ext)
			return REASON_MALFORMED_IP;
		if (proto == IPPROTO_FRAGMENT) {
			if (ext->frag_off & bpf_htons(FRAG6_OFFSET))
				return REASON_LATER_FRAGMENT;
			if (ext->frag_off & bpf_htons(FRAG6_MORE))
				fragment = true;
		} else {
			len = (ext->len + 1) * 8;
			if (at + len > ip_end)
				return REASON_MALFORMED_IP;
			if (proto == IPPROTO_ROUTING && ext->segments_left)
				return REASON_ROUTING_HEADER;
		}
		proto = ext->next;
		at += len;
		verifier_forget(&p, at);
		verifier_forget(&p, proto);
		verifier_forget(&p, fragment);
		pkt_init_data(&p, ctx);
		if (!is_ext_header(proto))
			return EXT_RESULT(REASON_NONE, proto, fragment, at);
	}
	return REASON_NOT_UDP_TCP;
}

static __always_inline enum mangle_reason parse_ipv6(struct pkt *p, __u32 off, __u8 *proto)
{
	struct ipv6hdr ip_buf, *ip = pkt_at(p, off, sizeof(*ip), &ip_buf);
	__u32 at = off + sizeof(*ip), payload;

	if (!ip || ip->version != 6)
		return REASON_MALFORMED_IP;
	payload = bpf_ntohs(ip->payload_len);
	if (!payload)
		payload = pkt_big(p->ctx, at);
	if (!payload || !pkt_reaches(p, at + payload))
		return REASON_MALFORMED_IP;
	p->family = 6;
	p->addr_off = off + __builtin_offsetof(struct ipv6hdr, saddr);
	p->ip_end = at + payload;
	p->l4_off = at;
	*proto = ip->nexthdr;
	if (unlikely(is_ext_header(ip->nexthdr))) {
		__u64 ext = parse_ext_headers(p->ctx, at, ip->nexthdr, p->ip_end);

		if ((__u8)ext != REASON_NONE)
			return (__u8)ext;
		*proto = ext >> 8;
		p->fragment = ext >> 16 & 1;
		p->l4_off = ext >> 32;
	}
	return REASON_NONE;
}

/* Ports; a header that is wrong otherwise only marks the packet: the service decides on it. */
static __always_inline enum mangle_reason parse_l4(struct pkt *p, __u8 proto)
{
	__u32 room = p->ip_end - p->l4_off; /* the headers before were checked to fit */
	__be16 port_buf[2], *ports;

	p->ip_proto = proto;
	if (proto == IPPROTO_UDP)
		p->proto = MANGLE_PROTO_UDP;
	else if (proto == IPPROTO_TCP)
		p->proto = MANGLE_PROTO_TCP;
	else
		return REASON_NOT_UDP_TCP;
	if (p->fragment && p->proto == MANGLE_PROTO_TCP)
		return REASON_TCP_FRAGMENT;
	if (room < sizeof(port_buf))
		return REASON_MALFORMED_L4;
	ports = pkt_at(p, p->l4_off, sizeof(port_buf), port_buf);
	if (!ports)
		return REASON_MALFORMED_L4;
	p->has_ports = true;
	p->src_port = bpf_ntohs(ports[0]);
	p->old_port = p->new_port = bpf_ntohs(ports[1]);

	p->malformed_l4 = true;
	if (p->proto == MANGLE_PROTO_UDP) {
		struct udphdr udp_buf, *udp;

		if (room < sizeof(*udp))
			return REASON_NONE;
		udp = pkt_at(p, p->l4_off, sizeof(*udp), &udp_buf);
		if (!udp)
			return REASON_NONE;
		p->l4_len = bpf_ntohs(udp->len);
		p->csum = udp->check;
		if (p->l4_len < sizeof(*udp) || (p->l4_len > room && !p->fragment))
			return REASON_NONE;
		p->payload_off = p->l4_off + sizeof(*udp);
		p->payload_len = p->l4_len - sizeof(*udp);
	} else {
		struct tcphdr tcp_buf, *tcp;
		__u32 header;

		if (room < sizeof(*tcp))
			return REASON_NONE;
		tcp = pkt_at(p, p->l4_off, sizeof(*tcp), &tcp_buf);
		if (!tcp)
			return REASON_NONE;
		header = tcp->doff * 4;
		p->l4_len = room;
		p->csum = tcp->check;
		if (header < sizeof(*tcp) || header > room)
			return REASON_NONE;
		p->payload_off = p->l4_off + header;
		p->payload_len = room - header;
	}
	p->malformed_l4 = false;
	return REASON_NONE;
}

static __always_inline enum mangle_reason parse(struct pkt *p)
{
	__u32 off = parse_ethernet(p);
	enum mangle_reason reason;
	__u8 proto = 0;

	if (!off)
		return REASON_NOT_IP;
	verifier_forget(p, off);
	reason = off & 0x80 ? parse_ipv6(p, off & 0x7f, &proto) : parse_ipv4(p, off, &proto);
	if (reason != REASON_NONE)
		return reason;
	verifier_forget(p, p->family);
	verifier_forget(p, p->fragment);
	verifier_forget(p, p->addr_off);
	verifier_forget(p, p->l4_off);
	verifier_forget(p, p->ip_end);
	pkt_init_data(p, p->ctx);
	reason = parse_l4(p, proto);
	verifier_forget(p, p->proto);
	verifier_forget(p, p->malformed_l4);
	verifier_forget(p, p->l4_len);
	verifier_forget(p, p->payload_off);
	verifier_forget(p, p->payload_len);
	verifier_forget(p, p->csum);
	pkt_init_data(p, p->ctx);
	return reason;
}

#endif
