/* Somebody else's tc program: it drops what does not begin with an Ethernet header of IP or ARP. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int foreign_whole(struct __sk_buff *skb)
{
	struct ethhdr eth;

	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)))
		return TC_ACT_SHOT;
	switch (bpf_ntohs(eth.h_proto)) {
	case ETH_P_IP:
	case ETH_P_IPV6:
	case ETH_P_ARP: return TC_ACT_UNSPEC;
	default: return TC_ACT_SHOT;
	}
}

char _license[] SEC("license") = "GPL";
