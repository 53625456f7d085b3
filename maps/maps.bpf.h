/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps as the programs see them; schema.h says what lies in them. mangle-ctl makes them. */
#ifndef MANGLE_MAPS_BPF_H
#define MANGLE_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "schema.h"

struct config_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE); /* the kernel refuses it beside RDONLY_PROG */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct mangle_config));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct config_inner);
} config SEC(".maps");

struct table_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP); /* INNER_MAP: lengths may differ */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, MANGLE_CELL);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MANGLE_TABLE_SLOTS);
	__type(key, __u32);
	__array(values, struct table_inner);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MANGLE_STATS_SLOTS); /* times CPUs + 2, set at load */
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct mangle_stats);
} stats SEC(".maps");

/* A CPU's scratch space for one packet, where the stack is too small or a function takes no
 * pointers. */
struct mangle_scratch {
	struct mangle_match match;
	__u8 bytes[512 + 4];
	__u8 pad[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mangle_scratch);
} scratch_of_cpu SEC(".maps");

#endif
