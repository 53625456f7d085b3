/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes the new destination port and the checksum: the only place that writes packet bytes. */
#ifndef XDP_REWRITE_H
#define XDP_REWRITE_H

#include <linux/udp.h>

#include "inet.h"
#include "pkt.h"
#include "sum.h"

/* Returns 0, or other than 0 where the word could not be written. */
static __always_inline long pkt_write16(struct pkt *p, __u32 off, __u16 word)
{
	__u8 *at;

	if (unlikely(!pkt_direct(p, off, sizeof(word), &at)))
		return have_load_bytes ? bpf_xdp_store_bytes(p->ctx, off, &word, sizeof(word)) : -1;
	*(__u16 *)at = word;
	return 0;
}

/* Sums the bytes in place, where frames have one part and there is no helper that copies. */
static __always_inline __u64 sum_in_place(const struct pkt *p, __u64 off, __u64 len)
{
	__u64 sum = 0;
	__u8 *at;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 65536 / 64; i++) {
		if (len < 64)
			break;
		if (!pkt_direct(p, off, 64, &at))
			return 0;
		sum += (__u32)bpf_csum_diff(NULL, 0, (void *)at, 64, 0);
		off += 64;
		len -= 64;
		verifier_forget(p, off);
		verifier_forget(p, len);
		verifier_forget(p, sum);
	}
#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++) {
		if (!len)
			break;
		if (!pkt_direct(p, off, 1, &at))
			return 0;
		sum += (__u32)*at << 8 * (i & 1); /* little-endian: the first byte is the low one */
		off++;
		len--;
		verifier_forget(p, off);
		verifier_forget(p, len);
		verifier_forget(p, sum);
	}
	return sum;
}

/*
 * Returns the sum of the 16-bit words of [off, off + len), the last one padded with 0; words as
 * they lie in memory. Returns 0 where the frame ends before.
 */
static __noinline __u64 sum_bytes(struct xdp_md *ctx, __u32 off, __u32 len)
{
	struct mangle_scratch *scratch = pkt_scratch();
	struct pkt p = {};

	if (!scratch)
		return 0;
	if (have_load_bytes)
		return sum_copied(ctx, scratch, off, len);
	pkt_init_data(&p, ctx);
	p.opaque = PKT_OPAQUE(ctx);
	return sum_in_place(&p, off, len);
}

/*
 * Returns whether the sender has left the checksum to hardware. Then the field holds the sum of the
 * pseudo-header, in which ports have no part, and the device completes it from the bytes that it
 * finds. A complete checksum equals that sum once in 65,536, so only then the packet is summed up.
 */
static __always_inline bool csum_is_partial(struct pkt *p)
{
	__u64 pseudo;

	if (p->fragment)
		return false;
	pseudo = inet_pseudo_sum(p);
	if (likely(csum_fold(pseudo) != p->csum))
		return false;
	pkt_init_data(p, p->ctx);
	verifier_forget(p, pseudo);
	verifier_forget(p, p->family);
	verifier_forget(p, p->proto);
	verifier_forget(p, p->csum);
	verifier_forget(p, p->l4_off);
	verifier_forget(p, p->l4_len);
	verifier_forget(p, p->addr_off);
	verifier_forget(p, p->old_port);
	verifier_forget(p, p->new_port);
	verifier_forget(p, p->slot);
	verifier_forget(p, p->shared_copy);
	verifier_forget(p, p->frame_len);
	verifier_forget(p, p->cpu);
	return csum_fold(pseudo + sum_bytes(p->ctx, p->l4_off, p->l4_len)) != 0xffff;
}

/* Returns 0, or other than 0 where the kernel refused the write: then the packet goes on as it
 * came. */
static __always_inline long rewrite(struct pkt *p)
{
	__be16 old_be = bpf_htons(p->old_port), new_be = bpf_htons(p->new_port);

	if (old_be == new_be)
		return 0;
	if (inet_has_check(p, p->csum) && !csum_is_partial(p) &&
	    pkt_write16(p, p->l4_off + inet_check_off(p),
			inet_new_check(p, p->csum, old_be, new_be)))
		return -1;
	return pkt_write16(p, p->l4_off + __builtin_offsetof(struct udphdr, dest), new_be);
}

#endif
