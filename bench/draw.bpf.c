// SPDX-License-Identifier: GPL-2.0-only
/* Gives a frame its next tag, then hands it to the program under test (BPF_PROG_RUN repeats one
 * frame, so the tag must change in the kernel) or puts it on a wire (live frames). What a program
 * costs is the time of a run with it less that of a run with a program that only passes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "frame.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} wires SEC(".maps");

__u32 entities = 1;
__u32 walk; /* 1: entities in turn, from NEXT on; 0: at random */
__u32 next;
__u32 seed = 2463534242U;
__u32 live; /* 1: into wires[wire]; 0: to the target */
__u32 wire;

__u64 udp_header; /* as in memory, checksum and destination port 0 */
__u64 head;	  /* the payload's first 8 bytes as in memory, tag 0 */
__u32 sum;     /* ones'-complement sum of what the checksum covers, tag and port 0, memory order */
__u32 port_be; /* destination port */

/* Both words are written whole: a program that reads 4 or 8 bytes of what was stored in pieces of 2
 * or 4 would wait for the store, which no frame that came from a device makes it do. */
struct frame {
	__u8 before[FRAME_UDP];
	__u64 udp;
	__u64 head;
} __attribute__((packed));

static __always_inline __u32 next_entity(void)
{
	__u32 x = seed;

	if (walk) {
		x = next;
		next = x + 1 < entities ? x + 1 : 0;
		return x;
	}
	x ^= x << 13; /* xorshift32 */
	x ^= x >> 17;
	x ^= x << 5;
	seed = x;
	return (__u64)x * entities >> 32;
}

static __always_inline int write_next(struct xdp_md *ctx)
{
	struct frame *frame = (void *)(long)ctx->data;
	__u32 tag, s;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return -1;
	tag = frame_tag(next_entity());
	s = sum + port_be + (tag & 0xffff) + (tag >> 16);
	s = (s & 0xffff) + (s >> 16);
	s = ~(s + (s >> 16)) & 0xffff;
	if (!s)
		s = 0xffff;
	frame->udp = udp_header | (__u64)port_be << 16 | (__u64)s << 48;
	frame->head = head | tag;
	return 0;
}

SEC("xdp.frags")
int draw(struct xdp_md *ctx)
{
	if (write_next(ctx))
		return XDP_DROP;
	if (live)
		return bpf_redirect_map(&wires, wire, 0);
	bpf_tail_call(ctx, &target, 0);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "GPL";
