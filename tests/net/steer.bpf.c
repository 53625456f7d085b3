/* Rewrites UDP port 5000 to 6001, with -DUPDATE also the checksum as RFC 1624 has it: not mangle,
 * but something known that the tests' own reading of checksums is tried on. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct udphdr *udp;
	__u8 proto;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return XDP_PASS;
		proto = ip->protocol;
		udp = (void *)(ip + 1);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return XDP_PASS;
		proto = ip->nexthdr;
		udp = (void *)(ip + 1);
	} else {
		return XDP_PASS;
	}
	if (proto != IPPROTO_UDP || (void *)(udp + 1) > end || udp->dest != bpf_htons(5000))
		return XDP_PASS;
#ifdef UPDATE
	__u32 sum = (__u16)~udp->check + (__u16)~udp->dest + bpf_htons(6001);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	udp->check = ~sum;
	if (!udp->check)
		udp->check = 0xffff;
#endif
	udp->dest = bpf_htons(6001);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
