/* SPDX-License-Identifier: GPL-2.0-only */
/* Decides which build acts, while one takes over from another under libxdp's dispatcher. */
#ifndef XDP_GATE_H
#define XDP_GATE_H

#include "../maps/gate.bpf.h"
#include "pkt.h"

/* Plain attachments are replaced in place, and have no gate. */
const volatile bool gated = false;
const volatile __u64 own_epoch = 0;

/*
 * Returns whether this program acts. The old program, which runs directly before it on this CPU,
 * leaves its epoch if it has acted on this frame, else 0. Where it dropped its last frame its epoch
 * stays; mangle-ctl clears that before it detaches the old program.
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
