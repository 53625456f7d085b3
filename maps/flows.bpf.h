/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of the programs at tc's hooks; schema.h says what lies in the flow table. */
#ifndef MANGLE_FLOWS_BPF_H
#define MANGLE_FLOWS_BPF_H

#include "maps.bpf.h"

struct flows_inner {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* the configured size, set by mangle-ctl */
	__uint(key_size, sizeof(struct mangle_flow_key));
	__uint(value_size, sizeof(struct mangle_flow));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct flows_inner);
} flows SEC(".maps");

/*
 * A bound connection's socket keeps what the flow table has of it, so that an entry that LRU
 * evicted comes back with the server's next segment.
 */
struct bound {
	__u32 shared;  /* port */
	__u32 checked; /* ms since boot when the flow table was last found to have the connection */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct bound);
} bound SEC(".maps");

#endif
