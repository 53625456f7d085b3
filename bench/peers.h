/* SPDX-License-Identifier: GPL-2.0-only */
/* The same work by what else the kernel has: rulesets that a wire's end is given. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <linux/types.h>

/* Each gives the end of WIRE the first N entities for frames to PORT. 0, or -1 and it has
 * complained. */

/* nft at netdev ingress: the destination port is set from a map, without connection tracking. */
int peer_nft_ingress(int wire, __u16 port, __u32 entities);
/* nft: redirect by a map; connection tracking keeps what was decided for a flow. */
int peer_nft_redirect(int wire, __u16 port, __u32 entities);
/* iptables: a rule an entity, REDIRECT, connection tracking. */
int peer_iptables_u32(int wire, __u16 port, __u32 entities);
int peer_iptables_string(int wire, __u16 port, __u32 entities);
/* tc's ingress hook, mangle's own stages and tables; which mangle must have. */
int peer_tc(int wire, __u16 port, __u32 entities);

#endif
