// SPDX-License-Identifier: GPL-2.0-only
/* Gives a frame its next tag, then hands it to the program under test (BPF_PROG_RUN repeats one
 * frame, so the tag must change in the kernel) or puts it on a wire (live frames). What a program
 * costs is the time of a run with it less that of a run with a program that only passes. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "draw.h"
#include "frame.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, DRAW_WIRES);
	__type(key, __u32);
	__type(value, __u32);
} wires SEC(".maps");

struct draw_plan plan;
__u32 seed = 2463534242U;

static __always_inline __u32 draw_number(void) /* xorshift32, Marsaglia 2003 */
{
	__u32 x = seed;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	seed = x;
	return x;
}

/* X as a number below N. */
static __always_inline __u32 scale(__u32 x, __u32 n)
{
	return (__u64)x * n >> 32;
}

static __always_inline __u32 next_entity(void)
{
	__u32 x = draw_number(), low, part;

	if (plan.unknown_share && draw_number() < plan.unknown_share)
		return plan.entities + scale(x, 0xffffffff - plan.entities);
	if (plan.pick == DRAW_UNIFORM)
		return scale(x, plan.entities);
	if (plan.pick == DRAW_TABLE) { /* between two points of the inverse distribution */
		part = x >> 20 & (DRAW_POINTS - 1);
		low = plan.points[part];
		return low + scale(x << 12, plan.points[part + 1] - low);
	}
	x = plan.next;
	if (plan.pick == DRAW_IN_TURN)
		plan.next = x + 1 < plan.entities ? x + 1 : 0;
	return x;
}

static __always_inline int store(struct xdp_md *ctx, __u64 at, __u64 word)
{
	void *to;

	asm volatile("%0 &= 0x3fff" : "+r"(at));
	to = (void *)(long)ctx->data + at;
	if (to + sizeof(word) > (void *)(long)ctx->data_end) /* in a later part */
		return bpf_xdp_store_bytes(ctx, at, &word, sizeof(word));
	*(__u64 *)to = word;
	return 0;
}

static __always_inline int write_next(struct xdp_md *ctx)
{
	const struct draw_frame *f = &plan.frame;
	__u32 i = next_entity(), tag = frame_tag(i), number = 0, s;
	__u16 port = plan.port, source = FRAME_FIRST_SOURCE;
	__u64 ports, csum, head, covered;

	if (plan.invalid_share && draw_number() < plan.invalid_share)
		f = &plan.invalid;
	if (plan.ports > 1)
		port += scale(draw_number(), plan.ports);
	if (plan.flow_each)
		source += 1 + i % FRAME_SOURCES;
	if (plan.numbered)
		number = bpf_htonl(plan.sequence++);
	port = bpf_htons(port);
	source = bpf_htons(source);
	head = tag | (__u64)number << 32;
	covered = head & f->sum_mask;
	s = f->sum + port + source + (covered & 0xffff) + (covered >> 16 & 0xffff) +
	    (covered >> 32 & 0xffff) + (covered >> 48);
	s = (s & 0xffff) + (s >> 16);
	s = ~(s + (s >> 16)) & 0xffff;
	if (!s)
		s = 0xffff;
	ports = f->ports | source | (__u64)port << 16;
	csum = (__u64)s << f->csum_shift;
	if (f->csum_at == f->ports_at)
		ports |= csum;
	else if (store(ctx, f->csum_at, f->csum | csum))
		return -1;
	return store(ctx, f->ports_at, ports) || store(ctx, f->tag_at, f->tag | head);
}

SEC("xdp.frags")
int draw(struct xdp_md *ctx)
{
	if (write_next(ctx))
		return XDP_DROP;
	if (plan.live)
		return bpf_redirect_map(&wires, plan.wire, 0);
	bpf_tail_call(ctx, &target, 0);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "GPL";
