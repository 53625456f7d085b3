/* SPDX-License-Identifier: GPL-2.0-only */
/* Network interfaces, by libnl-3. Errors: negative errno with e set. */
#ifndef KERNEL_NETDEV_H
#define KERNEL_NETDEV_H

#include "model/err.h"

#include <stdbool.h>
#include <stdint.h>

struct netdev {
	int ifindex;
	char name[16];
	unsigned int mtu;
	bool up, carrier;
};
/* name may be an alternative one (`ip link property`); out has the proper name. Returns -ENODEV
 * where the thread's namespace has no interface of that name. */
int netdev_get(const char *name, struct netdev *out, struct err *e);

/* The flags of one bridge by which br_netfilter passes its packets to iptables, whatever the
 * sysctls for all bridges say. */
struct netdev_bridge {
	bool nf_call_iptables, nf_call_ip6tables;
};
/* name is used in errors only. */
int netdev_bridge(int ifindex, const char *name, struct netdev_bridge *out, struct err *e);

/* An IP address of an interface; link-local and host-scope addresses are left out. */
struct netdev_address {
	int ifindex;
	uint8_t family;	  /* 4 or 6 */
	uint8_t addr[16]; /* network byte order; IPv4 in the first 4 */
};
/* Calls each for every such address in the thread's namespace, until it returns other than 0, which
 * is returned. Returns negative errno where they cannot be listed. */
int netdev_addresses(int (*each)(void *arg, const struct netdev_address *a), void *arg);
/* Returns whether there is a route to the address in the namespace that the socket (netlink_open,
 * NETLINK_ROUTE) was opened in: 1, 0, or negative errno. */
struct nl_sock;
int netdev_has_route(struct nl_sock *sk, const struct netdev_address *to);

/* Offloads as ethtool netlink reports them: 1 on, 0 off, -1 not supported. */
struct netdev_features {
	int lro;	      /* rx-lro */
	int gro_hw;	      /* rx-gro-hw */
	int rxvlan;	      /* rx-vlan-hw-parse: strips VLAN tags before XDP */
	int rx_checksum;      /* rx-checksum */
	int tx_checksum;      /* tx-checksum-ip-generic, -ipv4 or -ipv6 */
	int udp_segmentation; /* tx-udp-segmentation */
};
int netdev_features(const char *name, struct netdev_features *out, struct err *e);

/* What the interface's driver supports of XDP; Linux 6.3 and later tell. */
struct netdev_xdp {
	bool known;
	bool native;
	bool several_buffers; /* takes frames larger than one buffer in native mode */
};
struct netdev_xdp netdev_xdp(int ifindex);

/* A qdisc or a filter on an interface. */
struct netdev_tc {
	char kind[16];
	uint32_t handle;  /* of a filter: 0 where the entry only stands for the priority */
	uint32_t prio;	  /* of a filter */
	uint32_t prog_id; /* of a filter of kind bpf, else 0 */
};
/* Calls each for every qdisc (parent 0), or every filter of that parent, until it returns other
 * than 0, which is returned. An interface without any is no error. */
int netdev_tc(int ifindex, uint32_t parent, int (*each)(void *arg, const struct netdev_tc *t),
	      void *arg);

#endif
