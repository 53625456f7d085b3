/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the tag. Row 10. */
#ifndef XDP_TAG_H
#define XDP_TAG_H

#include "pkt.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a tag's key is built by little-endian loads"
#endif

/*
 * A load that ends where the tag ends never runs over the frame's end, nor over its start (the
 * headers are longer than a word); a shift drops what stands before the tag.
 */
static __always_inline enum mangle_reason read_tag(struct pkt *p)
{
	const struct mangle_service *s = p->service;
	__u32 len = s->tag_len;
	__s32 start = s->tag_offset;
	__u32 here = p->ip_end - p->payload_off; /* a first fragment has less than payload_len */
	__u32 end;
	__u64 buf[2], *word;

	if (start < 0)
		start += p->payload_len;
	if (start < 0 || (__u32)start + len > p->payload_len || (__u32)start + len > here)
		return REASON_NO_TAG;
	end = p->payload_off + start + len;

	if (likely(len <= 8)) {
		word = pkt_at(p, end - 8, 8, buf);
		if (!word)
			return REASON_NO_TAG;
		p->tag_lo = word[0] >> ((64 - 8 * len) & 63);
	} else {
		word = pkt_at(p, end - 16, 16, buf);
		if (!word)
			return REASON_NO_TAG;
		p->tag_lo = word[0];
		p->tag_hi = word[1];
		if (len < 16) {
			__u32 drop = (128 - 8 * len) & 63; /* 8 .. 56 */

			p->tag_lo = word[0] >> drop | word[1] << (64 - drop);
			p->tag_hi = word[1] >> drop;
		}
	}
	p->tag_lo &= ~s->tag_ignored[0];
	p->tag_hi &= ~s->tag_ignored[1];
	p->has_tag = true;
	return REASON_NONE;
}

#endif
