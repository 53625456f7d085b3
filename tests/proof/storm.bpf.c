// SPDX-License-Identifier: GPL-2.0-only
/* Makes each frame that BPF_PROG_RUN hands it the next one of a set, and puts it on the wire. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "storm.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STORM_FRAMES);
	__type(key, __u32);
	__type(value, struct storm_frame);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wire SEC(".maps");

__u32 first, count, next;
__u64 state; /* splitmix64 */

SEC("xdp")
int storm(struct xdp_md *ctx)
{
	__u32 i = first + next;
	const struct storm_frame *f = bpf_map_lookup_elem(&frames, &i);
	__u64 z = state += 0x9e3779b97f4a7c15;
	__u16 number[4];

	next = next + 1 < count ? next + 1 : 0;
	if (!f || bpf_xdp_store_bytes(ctx, 0, (void *)f->bytes, STORM_LEN) ||
	    bpf_xdp_adjust_tail(ctx, (int)f->len - STORM_LEN))
		return XDP_ABORTED;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	number[0] = z >> 16;
	number[1] = ~number[0];
	number[2] = z >> 32;
	number[3] = ~number[2];
	for (int n = 0; n < STORM_FIELDS; n++) {
		__u8 *to = (void *)(long)ctx->data + f->field[n].at;

		if (n >= f->fields || (void *)(to + 2) > (void *)(long)ctx->data_end)
			break;
		*(__u16 *)to = number[f->field[n].what & 3];
	}
	return bpf_redirect_map(&wire, 0, 0);
}

char _license[] SEC("license") = "GPL";
