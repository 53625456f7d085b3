// SPDX-License-Identifier: GPL-2.0-only
/* The same stages as mangle's for tc's ingress hook, to compare the hooks: mangle's own source,
 * with a packet that the kernel has made an sk_buff of. Loaded as BPF_PROG_TYPE_SCHED_CLS. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define xdp_md __sk_buff
#define rx_queue_index queue_mapping
#define XDP_DROP TC_ACT_SHOT
#define XDP_PASS TC_ACT_OK
#define bpf_xdp_load_bytes bpf_skb_load_bytes
/* Headers lie in an sk_buff's linear part; and the verifier would forget all pointers into it. */
#define bpf_xdp_store_bytes(ctx, off, from, len) (-1)
#define bpf_xdp_get_buff_len(ctx) ((ctx)->len)
#define mangle mangle_tc

#include "../xdp/mangle.bpf.c"
