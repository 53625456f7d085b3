/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow table: which target a connection is bound to, and which shared port it came by. */
#ifndef XDP_TCP_FLOW_H
#define XDP_TCP_FLOW_H

#include "../maps/flows.bpf.h"
#include "inet.h"
#include "pkt.h"

const volatile __u32 own_netns = 0; /* struct mangle_flow_key */

/* A CPU's scratch for keys: the stack is small. */
struct flow_scratch {
	struct mangle_flow_key key;
	struct mangle_flow_key other;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_scratch);
} flow_scratches SEC(".maps");

static __always_inline struct flow_scratch *flow_scratch(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&flow_scratches, &zero);
}

/* Returns the flow table, or NULL where there has never been a service in connection mode. */
static __always_inline void *flow_table(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&flows, &zero);
}

/* The flow table has IPv4 addresses as ::ffff:a.b.c.d. */
static __always_inline bool flow_addresses(const struct pkt *p, __be32 from[4], __be32 to[4])
{
	if (!inet_addresses(p, from, to))
		return false;
	if (p->family == 4)
		from[2] = to[2] = bpf_htonl(0xffff);
	return true;
}

/* Makes the key of a packet from the client. */
static __always_inline bool flow_key_in(const struct pkt *p, struct mangle_flow_key *key)
{
	key->client_port_be = bpf_htons(p->src_port);
	key->server_port_be = bpf_htons(p->old_port);
	key->netns = own_netns;
	return flow_addresses(p, key->client_be, key->server_be);
}

/* Makes the key of a packet to the client, whose source port is a target. */
static __always_inline bool flow_key_out(const struct pkt *p, struct mangle_flow_key *key)
{
	key->client_port_be = bpf_htons(p->old_port);
	key->server_port_be = bpf_htons(p->src_port);
	key->netns = own_netns | MANGLE_FLOW_REVERSE;
	return flow_addresses(p, key->server_be, key->client_be);
}

/* Makes the key of the other entry of the same connection. */
static __always_inline void flow_key_other(struct mangle_flow_key *to,
					   const struct mangle_flow_key *from, __u16 port)
{
	*to = *from;
	to->server_port_be = bpf_htons(port);
	to->netns ^= MANGLE_FLOW_REVERSE;
}

static __always_inline struct mangle_flow *flow_find(const struct mangle_flow_key *key)
{
	void *table = flow_table();

	return table ? bpf_map_lookup_elem(table, key) : NULL;
}

static __always_inline void flow_put(const struct mangle_flow_key *key,
				     const struct mangle_flow *flow)
{
	void *table = flow_table();

	if (table)
		bpf_map_update_elem(table, key, flow, BPF_ANY);
}

static __always_inline void flow_forget(const struct mangle_flow_key *key)
{
	void *table = flow_table();

	if (table)
		bpf_map_delete_elem(table, key);
}

/* Adds the reverse entry of a connection that came by the shared port and is bound to target. */
static __always_inline void flow_put_reverse(const struct mangle_flow_key *key, __u16 target)
{
	struct mangle_flow back = {.state = FLOW_REVERSE, .port = bpf_ntohs(key->server_port_be)};
	struct flow_scratch *scratch = flow_scratch();

	if (!scratch)
		return;
	flow_key_other(&scratch->other, key, target);
	flow_put(&scratch->other, &back);
}

#define BATCH_MS 10 /* the kernel has handled a batch of segments by then */

static __always_inline __u32 now_ms(void)
{
	return bpf_ktime_get_ns() / 1000000;
}

/* Returns whether the first data of a bound connection may still be on its way to the socket. */
static __always_inline bool is_fresh(const struct mangle_flow *flow)
{
	return now_ms() - flow->bound_at <= BATCH_MS;
}

#endif
