/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes a new port and updates the checksum in a tc program. The helpers know whether the checksum
 * is complete or left to hardware. */
#ifndef XDP_PORT_H
#define XDP_PORT_H

#include "host.h"
#include "inet.h"
#include "pkt.h"

/* off: of the port in the transport header. Returns 0, or negative where the kernel refused the
 * write. */
static __always_inline long set_port(struct pkt *p, __u32 off, __u16 from, __u16 to)
{
	__be16 from_be = bpf_htons(from), to_be = bpf_htons(to);
	bool udp = p->proto == MANGLE_PROTO_UDP;
	__u32 check = p->l4_off + inet_check_off(p);

	if (from == to)
		return 0;
	/* A UDP GSO super-packet gets its checksums when it is segmented, though not every driver
	 * marks it CHECKSUM_PARTIAL, so only the port is written. A list of datagrams (fraglist) is
	 * split without that. */
	if (udp && p->ctx->gso_size && !is_fraglist(p->ctx))
		return bpf_skb_store_bytes(p->ctx, p->l4_off + off, &to_be, sizeof(to_be), 0);
	/* MANGLED_0: a UDP checksum of 0 means that there is none, and stays 0; one that comes out
	 * as 0 is written as 0xffff. */
	if (bpf_l4_csum_replace(p->ctx, check, from_be, to_be,
				sizeof(to_be) | (udp ? BPF_F_MARK_MANGLED_0 : 0)))
		return -1;
	return bpf_skb_store_bytes(p->ctx, p->l4_off + off, &to_be, sizeof(to_be), 0);
}

#endif
