/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In place of libbpf's header of this name: the programs as they are, compiled for this machine.
 * Maps and helpers are functions of the fuzz target.
 */
#ifndef TESTS_FUZZ_BPF_HELPERS_H
#define TESTS_FUZZ_BPF_HELPERS_H

#include <linux/bpf.h>

#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#undef __always_inline
#define __always_inline inline __attribute__((always_inline, unused))
#define __noinline __attribute__((noinline))
#define __weak __attribute__((weak))
#define __ksym

struct sock;
struct tcp_sock;
struct tcp_timewait_sock;

void *bpf_map_lookup_elem(const void *map, const void *key);
long bpf_map_update_elem(const void *map, const void *key, const void *value, __u64 flags);
long bpf_map_delete_elem(const void *map, const void *key);
__u32 bpf_get_smp_processor_id(void);
__u64 bpf_jiffies64(void);
__u64 bpf_ktime_get_ns(void);
__s64 bpf_csum_diff(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __wsum seed);

__u64 bpf_xdp_get_buff_len(struct xdp_md *ctx);
long bpf_xdp_load_bytes(struct xdp_md *ctx, __u32 off, void *to, __u32 len);
long bpf_xdp_store_bytes(struct xdp_md *ctx, __u32 off, void *from, __u32 len);

long bpf_skb_load_bytes(const void *skb, __u32 off, void *to, __u32 len);
long bpf_skb_store_bytes(struct __sk_buff *skb, __u32 off, const void *from, __u32 len,
			 __u64 flags);
long bpf_skb_change_head(struct __sk_buff *skb, __u32 len, __u64 flags);
long bpf_skb_change_tail(struct __sk_buff *skb, __u32 len, __u64 flags);
long bpf_l4_csum_replace(struct __sk_buff *skb, __u32 off, __u64 from, __u64 to, __u64 flags);
long bpf_redirect(__u32 ifindex, __u64 flags);
long bpf_check_mtu(void *ctx, __u32 ifindex, __u32 *mtu_len, __s32 len_diff, __u64 flags);
long bpf_fib_lookup(void *ctx, struct bpf_fib_lookup *params, int len, __u32 flags);
long bpf_probe_read_kernel(void *to, __u32 size, const void *from);

struct bpf_sock *bpf_skc_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size,
				    __u64 netns, __u64 flags);
struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk);
long bpf_sk_release(void *sock);
void *bpf_sk_storage_get(void *map, void *sk, void *value, __u64 flags);
struct tcp_sock *bpf_skc_to_tcp_sock(void *sk);
struct tcp_timewait_sock *bpf_skc_to_tcp_timewait_sock(void *sk);

#endif
