/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "../maps/flows.bpf.h"

const volatile bool have_load_bytes = false;
const volatile __u64 own_ifname[2] = {};
const volatile __u32 own_netns = 0;

SEC("tc")
int session_in(struct __sk_buff *skb)
{
	(void)skb;
	__u32 zero = 0;
	return bpf_map_lookup_elem(&config, &zero) && bpf_map_lookup_elem(&flows, &zero) &&
			       bpf_map_lookup_elem(&stats, &zero) &&
			       bpf_map_lookup_elem(&tables, &zero) && own_netns
		       ? TC_ACT_UNSPEC
		       : TC_ACT_UNSPEC;
}

SEC("tc")
int session_out(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
