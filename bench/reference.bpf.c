// SPDX-License-Identifier: GPL-2.0-only
/* The least that does the work, to compare with: one bare hash lookup, and a program that does
 * none. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "reference.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct reference_key);
	__type(value, struct reference_value);
} reference_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} reference_count SEC(".maps");

const volatile __be16 reference_port = 0; /* of the service */

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__u32 tag;
} __attribute__((packed));

static __always_inline __u16 csum_replace(__u16 check, __u16 old, __u16 new) /* RFC 1624, eqn. 3 */
{
	__u32 s = (__u16)~check + (__u16)~old + (__u32) new;

	s = (s & 0xffff) + (s >> 16);
	s = (__u16) ~(s + (s >> 16));
	return s ?: 0xffff;
}

static __always_inline int reference(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;
	struct reference_key key = {};
	struct reference_value *entity;
	__u32 zero = 0;
	__u64 *count;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end ||
	    f->eth.h_proto != bpf_htons(ETH_P_IP) || f->ip.version != 4 || f->ip.ihl != 5 ||
	    f->ip.protocol != IPPROTO_UDP || f->ip.frag_off & bpf_htons(0x1fff) ||
	    f->udp.dest != reference_port)
		return XDP_PASS;
	key.tag = f->tag;
	entity = bpf_map_lookup_elem(&reference_table, &key);
	if (!entity)
		return XDP_PASS;
	if (f->udp.check)
		f->udp.check = csum_replace(f->udp.check, f->udp.dest, entity->port_be);
	f->udp.dest = entity->port_be;
	count = bpf_map_lookup_elem(&reference_count, &zero);
	if (count)
		++*count;
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_reference(struct xdp_md *ctx)
{
	return reference(ctx);
}

SEC("xdp.frags")
int bench_noop(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_drop(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
