/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports what has happened to a packet, at either hook: counts it. A CPU writes to its own
 * counters, without atomics.
 */
#ifndef XDP_REPORT_H
#define XDP_REPORT_H

#include "pkt.h"

/*
 * Called once everything is written, with what has happened. frames, bytes: as on the wire. would:
 * the verdict without observe.
 */
static __always_inline void report(struct pkt *p, enum mangle_reason reason,
				   enum mangle_verdict verdict, enum mangle_verdict would,
				   __u32 frames, __u64 bytes)
{
	__u32 slot = p->service ? p->service->stats : 0;
	__u32 key = p->cpu * MANGLE_STATS_SLOTS + slot;
	struct mangle_stats *st = bpf_map_lookup_elem(&stats, &key);
	struct mangle_counts *c = p->counts;
	__u64 at = reason, v = verdict, w = would;

	if (st) {
		clamp_index(at, MANGLE_REASON_CELLS);
		clamp_index(v, MANGLE_VERDICT_CELLS);
		clamp_index(w, MANGLE_VERDICT_CELLS);
		st->packets[at] += frames;
		st->bytes[at] += bytes;
		st->verdict[v] += frames;
		if (unlikely(p->service && p->service->observe))
			st->would[w] += frames;
	}
	if (!c)
		return;
	at = p->slot;
	clamp_index(at, 4); /* 0 .. 2, but the verifier need not know */
	if (unlikely(p->shared_copy)) {
		__sync_fetch_and_add(&c->packets[at], frames);
		__sync_fetch_and_add(&c->bytes[at], bytes);
	} else {
		c->packets[at] += frames;
		c->bytes[at] += bytes;
	}
	c->last_seen[at] = bpf_jiffies64() >> MANGLE_SEEN_SHIFT;
}

#endif
