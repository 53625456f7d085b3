/* SPDX-License-Identifier: GPL-2.0-only */
/* A new port and its checksum in a tc program, where the kernel knows who completes that. */
#ifndef XDP_PORT_H
#define XDP_PORT_H

#include "host.h"
#include "inet.h"
#include "pkt.h"

/* off: of the port in the transport header. Returns 0, or that the kernel refused the write. */
static __always_inline long set_port(struct pkt *p, __u32 off, __u16 from, __u16 to)
{
	__be16 from_be = bpf_htons(from), to_be = bpf_htons(to);
	bool udp = p->proto == MANGLE_PROTO_UDP;
	__u32 check = p->l4_off + inet_check_off(p);

	if (from == to)
		return 0;
	/* A train of datagrams is summed up when it is cut, without being marked so everywhere; a
	 * list of them is not. */
	if (udp && p->ctx->gso_size && !is_fraglist(p->ctx))
		return bpf_skb_store_bytes(p->ctx, p->l4_off + off, &to_be, sizeof(to_be), 0);
	/* MANGLED_0: a UDP checksum of 0 is none and stays so; one that comes out as 0 is 0xffff.
	 */
	if (bpf_l4_csum_replace(p->ctx, check, from_be, to_be,
				sizeof(to_be) | (udp ? BPF_F_MARK_MANGLED_0 : 0)))
		return -1;
	return bpf_skb_store_bytes(p->ctx, p->l4_off + off, &to_be, sizeof(to_be), 0);
}

#endif
