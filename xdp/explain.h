/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes down what would become of a packet, and why, for who runs the program with it. */
#ifndef XDP_EXPLAIN_H
#define XDP_EXPLAIN_H

#include "pkt.h"

/* Only in the object of the XDP programs, and never pinned. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mangle_explained);
} explained SEC(".maps");

/* What only the record has of a packet, since Linux 5.10 takes it for precise: see verifier.h. */
static __always_inline void forget_explained(struct pkt *p)
{
	verifier_forget(p, p->src_port);
	verifier_forget(p, p->payload_len);
	verifier_forget(p, p->service_index);
	verifier_forget(p, p->has_ports);
	verifier_forget(p, p->has_tag);
	verifier_forget(p, p->tag_lo);
	verifier_forget(p, p->tag_hi);
}

/* would: the verdict without observe. */
static __always_inline void write_explained(struct pkt *p, enum mangle_reason reason,
					    enum mangle_verdict verdict, enum mangle_verdict would)
{
	const __u32 zero = 0;
	struct mangle_explained *e = bpf_map_lookup_elem(&explained, &zero);

	if (!e)
		return;
	e->reason = reason;
	e->verdict = verdict;
	e->would = would;
	e->service = p->service_index;
	e->has_ports = p->has_ports;
	e->has_tag = p->has_tag;
	e->old_port = p->old_port;
	e->new_port = verdict == VERDICT_REWRITTEN ? p->new_port : p->old_port;
	e->tag[0] = p->tag_lo;
	e->tag[1] = p->tag_hi;
	e->family = p->family;
	e->src_port = p->src_port;
	e->has_payload = p->has_ports && !p->malformed_l4;
	e->addr_off = p->addr_off;
	e->l4_off = p->l4_off;
	e->payload_len = p->payload_len;
}

#endif
