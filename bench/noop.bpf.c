// SPDX-License-Identifier: GPL-2.0-only
/* Does nothing; for `ip link set … xdp object`. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int noop(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

/* For frames in one piece. */
SEC("xdp")
int noop_linear(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
