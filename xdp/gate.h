/* SPDX-License-Identifier: GPL-2.0-only */
/* While one build takes over from another under libxdp's dispatcher: does this one act? */
#ifndef XDP_GATE_H
#define XDP_GATE_H

#include "../maps/gate.bpf.h"
#include "pkt.h"

/* Plain attachments are replaced in place, and have no gate. */
const volatile bool gated = false;
const volatile __u64 own_epoch = 0;

/*
 * The program before has left its epoch on this CPU if it has acted on this very frame, else 0:
 * between the two nothing else runs here. Not so where it dropped its last frame; mangle-ctl
 * clears that before the old one goes.
 */
static __always_inline bool gate_lets(const struct pkt *p)
{
	const __u32 zero = 0;
	__u32 own = p->cpu + 1;
	struct mangle_gate *acting, *mark;
	__u64 before;

	if (!gated)
		return true;
	acting = bpf_map_lookup_elem(&gate, &zero);
	mark = bpf_map_lookup_elem(&gate, &own);
	if (!acting || !mark)
		return true;
	before = mark->epoch;
	if (*(const volatile __u64 *)&acting->epoch != own_epoch) {
		mark->epoch = 0;
		return false;
	}
	mark->epoch = own_epoch;
	return !before || before == own_epoch;
}

#endif
