/* SPDX-License-Identifier: GPL-2.0-only */
/* The map that says which of two builds acts; schema.h says how. */
#ifndef MANGLE_GATE_BPF_H
#define MANGLE_GATE_BPF_H

#include "maps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* CPUs + 1, set at load */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct mangle_gate);
} gate SEC(".maps");

#endif
