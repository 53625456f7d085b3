/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * On a gateway that masquerades, a reply to a client behind it has the gateway's own
 * address, and the port that the client's datagram left from. Where that is a service's port, only
 * conntrack can tell. This stage is in gateway.bpf.o alone: older kernels refuse a program that
 * calls conntrack, and it costs a lookup.
 */
#ifndef XDP_CONNTRACK_H
#define XDP_CONNTRACK_H

#include "inet.h"
#include "pkt.h"
#include "service.h"

#include <linux/in.h>
#include <bpf/bpf_core_read.h>

/* The kernel's structure, which no header for programs has. Later kernels have a longer one, and
 * accept this one too. */
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir; /* direction of the packet in its connection; the kernel fills it in */
	__u8 reserved[2];
};
#define CT_DIR_REPLY 1

struct nf_conn {
	unsigned long status;
} __attribute__((preserve_access_index));
#define CT_SRC_NAT (1UL << 4)

extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *ctx, struct bpf_sock_tuple *tuple,
					 __u32 tuple_size, struct bpf_ct_opts *opts,
					 __u32 opts_size) __ksym;
extern void bpf_ct_release(struct nf_conn *ct) __ksym;

struct ct_scratch {
	struct bpf_sock_tuple tuple;
	struct bpf_ct_opts opts;
};

/* Returns the packet's connection, which the caller releases, or NULL. */
static __always_inline struct nf_conn *find_conntrack(const struct pkt *p,
						      struct ct_scratch *scratch)
{
	__u32 len = inet_tuple(p, p->old_port, &scratch->tuple);

	__builtin_memset(&scratch->opts, 0, sizeof(scratch->opts));
	scratch->opts.netns_id = BPF_F_CURRENT_NETNS;
	scratch->opts.l4proto = p->ip_proto;
	if (len == sizeof(scratch->tuple.ipv4))
		return bpf_xdp_ct_lookup(p->ctx, &scratch->tuple, sizeof(scratch->tuple.ipv4),
					 &scratch->opts, sizeof(scratch->opts));
	if (len == sizeof(scratch->tuple.ipv6))
		return bpf_xdp_ct_lookup(p->ctx, &scratch->tuple, sizeof(scratch->tuple.ipv6),
					 &scratch->opts, sizeof(scratch->opts));
	return NULL;
}

/*
 * Returns whether the packet answers one whose source this host has translated. A socket of this
 * host that speaks from the service's port itself has no translation: its answers stay the
 * service's.
 */
static __always_inline bool is_for_client(const struct pkt *p)
{
	/* In a map, not on the stack: the verifier takes what it knows of the stack to outlast the
	 * call. */
	struct mangle_scratch *room = pkt_scratch();
	struct ct_scratch *scratch = room ? (void *)room->bytes : NULL;
	struct nf_conn *ct = scratch ? find_conntrack(p, scratch) : NULL;
	bool translated;

	if (!ct)
		return false;
	translated = ct->status & CT_SRC_NAT && scratch->opts.dir == CT_DIR_REPLY;
	bpf_ct_release(ct);
	return translated;
}

static __always_inline enum mangle_reason leave_to_client(struct pkt *p)
{
	if (is_connection(p) || !is_for_client(p))
		return REASON_NONE;
	p->service = NULL;
	p->service_index = 0;
	return REASON_NO_SERVICE;
}

#endif
