/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that leave the host: replies get the shared port back as their source. TCP segments are
 * found in the flow table. UDP needs no state: a datagram is a reply by its source port, the
 * service that a datagram in the other direction would match, and its sender. ICMP errors quote a
 * packet: those that leave quote what the client had sent, those that arrive quote what the socket
 * had sent.
 */
#ifndef XDP_REPLY_H
#define XDP_REPLY_H

#include <linux/icmpv6.h>
#include <linux/pkt_cls.h>

#include "tcp_flow.h"
#include "host.h"
#include "inet.h"
#include "parse.h"
#include "port.h"
#include "tcp_segment.h"
#include "service.h"
#include "tcp_socket.h"

/* Returns config.target of a port (see MANGLE_TARGET), and sets p->config. */
static __always_inline __u32 target_entry(struct pkt *p, __u16 target)
{
	const __u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&config, &zero);
	__u64 at = target;

	p->config = inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
	if (!p->config)
		return 0;
	clamp_index(at, 65536);
	return p->config->target[at];
}

/* Returns the connection's own socket, or NULL where the kernel answers without one. */
static __always_inline struct bpf_sock *own_socket(const struct pkt *p)
{
	struct bpf_sock *sk = p->ctx->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (!sk || sk->src_port != p->src_port || sk->state == SK_LISTEN)
		return NULL;
	return sk;
}

#define RESTORE_MS 50 /* between two looks at the table, which cost more than all else here */

/* Puts back what LRU has evicted: a connection whose socket sends is alive. */
static __always_inline void restore(struct flow_scratch *scratch, __u16 shared, __u16 target)
{
	struct mangle_flow flow = {.state = FLOW_LIVE, .port = target};
	struct mangle_flow back = {.state = FLOW_REVERSE, .port = shared};

	flow_key_other(&scratch->other, &scratch->key, shared);
	if (!flow_find(&scratch->other))
		flow_put(&scratch->other, &flow);
	if (!flow_find(&scratch->key))
		flow_put(&scratch->key, &back);
}

/* Set beside the shared port while the first data is on its way to the socket, when a RST is not to
 * be sent: see is_behind_first(). */
#define TOO_EARLY (1U << 16)

/* Returns the shared port of the connection that a segment to the client belongs to, or 0. */
PKT_FUNCTION __u32 tcp_shared_port(struct __sk_buff *skb, __u32 addr_off, __u32 family,
				   __u16 source, __u16 dest)
{
	struct pkt p = {.ctx = skb,
			.addr_off = addr_off,
			.family = family,
			.src_port = source,
			.old_port = dest};
	struct flow_scratch *scratch = flow_scratch();
	struct bpf_sock *sk = own_socket(&p);
	struct mangle_flow *flow;
	struct bound *stored, fresh = {};
	__u32 shared, now;

	pkt_init_data(&p, skb);
	if (!scratch || !flow_key_out(&p, &scratch->key))
		return 0;
	stored = sk ? bpf_sk_storage_get(&bound, sk, NULL, 0) : NULL;
	if (stored) {
		now = now_ms();
		if (now - stored->checked >= RESTORE_MS) {
			restore(scratch, stored->shared, source);
			stored->checked = now;
		}
		return stored->shared;
	}
	flow = flow_find(&scratch->key);
	if (!flow)
		return 0;
	shared = flow->port;
	if (!sk) {
		flow_key_other(&scratch->other, &scratch->key, shared);
		flow = flow_find(&scratch->other);
		return flow && flow->state == FLOW_BOUND && is_fresh(flow) ? shared | TOO_EARLY
									   : shared;
	}
	fresh.shared = shared;
	bpf_sk_storage_get(&bound, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	return shared;
}

/*
 * Returns the shared port of the service that a datagram belongs to, or 0. p: the datagram from the
 * client, or p->reversed. target: config.target of the port at this end. own: this host made what
 * leaves. A datagram that it forwards for others is no reply, even from a target's port, unless the
 * service names the address behind this host (daddr).
 */
static __always_inline __u16 udp_shared_port(struct pkt *p, __u32 target, bool own)
{
	__u16 shared = MANGLE_TARGET_SHARED(target), before = p->old_port;
	const struct mangle_service *s;
	__u64 at;
	__u32 index;

	if (!shared)
		return 0;
	p->old_port = shared;
	index = service_index(p);
	p->old_port = before;
	if (!index || index > MANGLE_MAX_SERVICES)
		return 0;
	if (MANGLE_TARGET_SERVICE(target) && MANGLE_TARGET_SERVICE(target) != index)
		return 0;
	at = index - 1;
	clamp_index(at, MANGLE_MAX_SERVICES);
	s = &p->config->service[at];
	if (!own && !p->config->info[at].daddr_count)
		return 0;
	return s->reply && s->protocols & MANGLE_PROTO_UDP && !s->observe ? shared : 0;
}

/* Returns TC_ACT_SHOT where the packet is not to be sent. */
static __always_inline int reply(struct pkt *p)
{
	__u32 target = target_entry(p, p->src_port);
	struct segment segment;
	__u32 shared = 0;

	if (likely(!target) || p->malformed_l4)
		return TC_ACT_UNSPEC;
	if (p->proto == MANGLE_PROTO_TCP) {
		if (target & MANGLE_TARGET_TCP)
			shared = tcp_shared_port(p->ctx, p->addr_off, p->family, p->src_port,
						 p->old_port);
	} else {
		p->reversed = true;
		shared = udp_shared_port(p, target,
					 has_ip_socket(p->ctx) && is_socket_here(p->ctx));
	}
	if (shared & TOO_EARLY && read_segment(p, &segment) && segment.flags & TCP_RST)
		return TC_ACT_SHOT;
	if (shared)
		set_port(p, __builtin_offsetof(struct udphdr, source), p->src_port, (__u16)shared);
	return TC_ACT_UNSPEC;
}

/* Forgets the reverse entry of an older connection with the same addresses and ports, which is
 * over. */
PKT_FUNCTION int forget_old(struct __sk_buff *skb, __u32 addr_off, __u32 family, __u16 source,
			    __u16 target)
{
	struct pkt p = {
		.addr_off = addr_off, .family = family, .src_port = source, .old_port = target};
	struct flow_scratch *scratch = flow_scratch();

	pkt_init_data(&p, skb);
	if (!scratch || !flow_key_in(&p, &scratch->key))
		return 0;
	flow_key_other(&scratch->other, &scratch->key, target);
	if (flow_find(&scratch->other) && socket_state(&p, target) != SOCKET_ALIVE)
		flow_forget(&scratch->other);
	return 0;
}

/* A SYN straight to a target begins a connection whose replies keep their port, so an older, bound
 * connection with the same addresses and ports is forgotten. */
static __always_inline void direct_in(struct pkt *p)
{
	struct segment s;

	if (likely(!(target_entry(p, p->old_port) & MANGLE_TARGET_TCP)) || !read_segment(p, &s))
		return;
	if (s.flags & TCP_SYN)
		forget_old(p->ctx, p->addr_off, p->family, p->src_port, p->old_port);
}

/* ---- ICMP errors ---- */

#define ICMP_HEADER 8	/* of either version; the quoted packet follows */
#define ICMP_CHECKSUM 2 /* offset in it, of either version */

/* RFC 792. <linux/icmp.h> has them too, but includes headers of libc, which exist for the word
 * sizes of the build machine and not for those of BPF. */
enum {
	ICMP_DEST_UNREACH = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
};

/* Sets what is known of the packet that quotes; its other fields are not used. */
static __always_inline void quoting(struct pkt *p, struct __sk_buff *skb, __u64 position)
{
	pkt_init_data(p, skb);
	p->opaque = PKT_OPAQUE(skb);
	p->l4_off = (__u16)position;
	p->ip_end = (__u32)(position >> 16);
	p->family = (__u8)(position >> 48);
	p->ip_proto = position >> 56;
}

#define QUOTE_POSITION(p) \
	((__u64)(__u16)(p)->l4_off | (__u64)(p)->ip_end << 16 | (__u64)(p)->family << 48 | \
	 (__u64)(p)->ip_proto << 56)

static __always_inline bool is_icmp_error(const struct pkt *p)
{
	__u8 buf, *type = pkt_at(p, p->l4_off, 1, &buf);

	if (!type)
		return false;
	if (p->family == 4 && p->ip_proto == IPPROTO_ICMP)
		return *type == ICMP_DEST_UNREACH || *type == ICMP_SOURCE_QUENCH ||
		       *type == ICMP_TIME_EXCEEDED || *type == ICMP_PARAMETERPROB;
	return p->family == 6 && p->ip_proto == IPPROTO_ICMPV6 && *type >= ICMPV6_DEST_UNREACH &&
	       *type <= ICMPV6_PARAMPROB;
}

/* Parses the quoted packet, whose end is cut off. */
static __always_inline bool parse_quote(const struct pkt *p, struct pkt *q)
{
	__u32 at = p->l4_off + ICMP_HEADER;
	__be16 buf[2], *ports;

	__builtin_memset(q, 0, sizeof(*q));
	pkt_init_data(q, p->ctx);
	q->opaque = p->opaque;
	q->cpu = p->cpu;
	q->ip_end = p->ip_end;
	q->family = p->family;
	if (p->family == 4) {
		struct iphdr ip_buf, *ip = pkt_at(q, at, sizeof(*ip), &ip_buf);

		if (!ip || ip->version != 4 || ip->ihl < 5 ||
		    ip->frag_off & bpf_htons(FRAG4_OFFSET))
			return false;
		q->ip_proto = ip->protocol;
		q->addr_off = at + __builtin_offsetof(struct iphdr, saddr);
		q->l4_off = at + ip->ihl * 4;
	} else {
		struct ipv6hdr ip_buf, *ip = pkt_at(q, at, sizeof(*ip), &ip_buf);

		if (!ip || ip->version != 6)
			return false;
		/* Extension headers of a quoted packet are not walked over. */
		q->ip_proto = ip->nexthdr;
		q->addr_off = at + __builtin_offsetof(struct ipv6hdr, saddr);
		q->l4_off = at + sizeof(*ip);
	}
	verifier_forget(q, q->l4_off);
	verifier_forget(q, q->addr_off);
	q->proto = q->ip_proto == IPPROTO_UDP	? MANGLE_PROTO_UDP
		   : q->ip_proto == IPPROTO_TCP ? MANGLE_PROTO_TCP
						: 0;
	ports = pkt_at(q, q->l4_off, sizeof(buf), buf);
	if (!q->proto || !ports)
		return false;
	q->src_port = bpf_ntohs(ports[0]);
	q->old_port = bpf_ntohs(ports[1]);
	return true;
}

/* Writes one word of the quoted packet, and updates the ICMP checksum. Behind the packet's end
 * there is padding, which is not part of the quote. */
static __always_inline void set_quoted(struct pkt *p, __u32 off, __u16 from_be, __u16 to_be)
{
	if (off + sizeof(to_be) <= p->ip_end &&
	    !bpf_l4_csum_replace(p->ctx, p->l4_off + ICMP_CHECKSUM, from_be, to_be, sizeof(to_be)))
		bpf_skb_store_bytes(p->ctx, off, &to_be, sizeof(to_be), 0);
}

/* Writes a port of the quoted packet, and its own checksum where the quote has it. */
static __always_inline void set_quoted_port(struct pkt *p, struct pkt *q, __u32 off, __u16 from,
					    __u16 to)
{
	__u32 at = q->l4_off + inet_check_off(q);
	__be16 from_be = bpf_htons(from), to_be = bpf_htons(to);
	__u16 old;

	if (at + sizeof(old) <= p->ip_end && !bpf_skb_load_bytes(p->ctx, at, &old, sizeof(old)) &&
	    inet_has_check(q, old))
		set_quoted(p, at, old, inet_new_check(q, old, from_be, to_be));
	set_quoted(p, q->l4_off + off, from_be, to_be);
}

/* An ICMP error that arrives quotes what this host had sent, from the shared port: gives it the
 * port of the target's socket. */
PKT_FUNCTION int quote_from_client(struct __sk_buff *skb, __u64 position)
{
	struct flow_scratch *scratch = flow_scratch();
	struct mangle_flow *flow;
	struct pkt p = {}, q;

	quoting(&p, skb, position);
	if (!scratch || !is_icmp_error(&p) || !parse_quote(&p, &q) || q.proto != MANGLE_PROTO_TCP)
		return 0;
	/* The key is that of flow_key_out(), but with the port that the packet had on the wire. */
	if (!flow_key_out(&q, &scratch->key))
		return 0;
	scratch->key.netns ^= MANGLE_FLOW_REVERSE;
	flow = flow_find(&scratch->key);
	if (flow && (flow->state == FLOW_BOUND || flow->state == FLOW_LIVE) &&
	    flow->port != q.src_port)
		set_quoted_port(&p, &q, __builtin_offsetof(struct tcphdr, source), q.src_port,
				flow->port);
	return 0;
}

/* An ICMP error that leaves quotes what the client had sent, with the target as its port by now:
 * gives it the shared port, which the client knows. */
PKT_FUNCTION int quote_to_client(struct __sk_buff *skb, __u64 position)
{
	struct flow_scratch *scratch = flow_scratch();
	struct pkt p = {}, q;
	struct mangle_flow *flow;
	__u16 shared = 0;
	__u32 target;

	quoting(&p, skb, position);
	if (!scratch || !is_icmp_error(&p) || !parse_quote(&p, &q))
		return 0;
	target = target_entry(&q, q.old_port);
	if (likely(!target))
		return 0;
	if (q.proto == MANGLE_PROTO_UDP) {
		/* The kernel's control socket keeps no network namespace of its own. */
		shared = udp_shared_port(&q, target, has_ip_socket(skb));
	} else if (target & MANGLE_TARGET_TCP && flow_key_in(&q, &scratch->key)) {
		flow_key_other(&scratch->other, &scratch->key, q.old_port);
		flow = flow_find(&scratch->other);
		if (flow)
			shared = flow->port;
	}
	if (shared && shared != q.old_port)
		set_quoted_port(&p, &q, __builtin_offsetof(struct udphdr, dest), q.old_port,
				shared);
	return 0;
}

#endif
