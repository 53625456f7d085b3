/* SPDX-License-Identifier: GPL-2.0-only */
#include "netdev.h"

#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>

/* ---- interfaces ---- */

static int no_netlink(const char *name, int err, struct err *e)
{
	return fail(e, -EIO, name, "asking the kernel about it: %s (see doctor)", nl_geterror(err));
}

int netdev_get(const char *name, struct netdev *out, struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct rtnl_link *link = NULL;
	int err = -NLE_NOMEM;

	if (sk)
		err = nl_connect(sk, NETLINK_ROUTE);
	if (!err)
		err = *name && strlen(name) < IFNAMSIZ ? rtnl_link_get_kernel(sk, 0, name, &link)
						       : -NLE_NODEV;
	nl_socket_free(sk);
	if (err == -NLE_NODEV || err == -NLE_OBJ_NOTFOUND)
		return fail(
			e, -ENODEV, *name ? name : "''",
			"looking for the interface: there is none of that name here (see ip link; for another network namespace use -n NAME)");
	if (err)
		return no_netlink(name, err, e);
	memset(out, 0, sizeof(*out));
	out->ifindex = rtnl_link_get_ifindex(link);
	snprintf(out->name, sizeof(out->name), "%s", rtnl_link_get_name(link));
	out->mtu = rtnl_link_get_mtu(link);
	out->up = rtnl_link_get_flags(link) & IFF_UP;
	out->carrier = rtnl_link_get_carrier(link);
	rtnl_link_put(link);
	return 0;
}

/* ---- offloads ---- */

static void set_feature(struct netdev_features *f, const char *name, int on)
{
	const struct {
		const char *name;
		int *value;
	} known[] = {
		{"rx-lro", &f->lro},
		{"rx-gro-hw", &f->gro_hw},
		{"rx-vlan-hw-parse", &f->rxvlan},
		{"rx-checksum", &f->rx_checksum},
		{"tx-checksum-ip-generic", &f->tx_checksum},
		{"tx-checksum-ipv4", &f->tx_checksum},
		{"tx-checksum-ipv6", &f->tx_checksum},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i].name, name) && *known[i].value < on)
			*known[i].value = on;
}

/* Every feature that the bitset names gets the value. */
static void read_bitset(struct nlattr *bitset, struct netdev_features *f, int on)
{
	struct nlattr *bits, *bit, *name;
	int left;

	bits = bitset ? nla_find(nla_data(bitset), nla_len(bitset), ETHTOOL_A_BITSET_BITS) : NULL;
	if (!bits)
		return;
	nla_for_each_nested(bit, bits, left)
	{
		name = nla_find(nla_data(bit), nla_len(bit), ETHTOOL_A_BITSET_BIT_NAME);
		if (name)
			set_feature(f, nla_get_string(name), on);
	}
}

static int on_features(struct nl_msg *msg, void *arg)
{
	struct nlattr *attr[ETHTOOL_A_FEATURES_MAX + 1];

	if (genlmsg_parse(nlmsg_hdr(msg), 0, attr, ETHTOOL_A_FEATURES_MAX, NULL))
		return NL_SKIP;
	/* `hw` names all there are; `active` comes without a mask: only those that are on. */
	read_bitset(attr[ETHTOOL_A_FEATURES_HW], arg, 0);
	read_bitset(attr[ETHTOOL_A_FEATURES_ACTIVE], arg, 1);
	return NL_OK;
}

static int ask_features(struct nl_sock *sk, const char *name, struct netdev_features *out)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nlattr *header;
	int family, err;

	if (!msg)
		return -NLE_NOMEM;
	err = genl_connect(sk);
	family = err ? err : genl_ctrl_resolve(sk, ETHTOOL_GENL_NAME);
	if (family < 0) {
		nlmsg_free(msg);
		return family;
	}
	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, ETHTOOL_MSG_FEATURES_GET,
		    ETHTOOL_GENL_VERSION);
	header = nla_nest_start(msg, ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED);
	NLA_PUT_STRING(msg, ETHTOOL_A_HEADER_DEV_NAME, name);
	nla_nest_end(msg, header);
	nl_socket_disable_auto_ack(sk);
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, on_features, out);
	err = nl_send_auto(sk, msg);
	if (err >= 0)
		err = nl_recvmsgs_default(sk);
	nlmsg_free(msg);
	return err;
nla_put_failure:
	nlmsg_free(msg);
	return -NLE_MSGSIZE;
}

int netdev_features(const char *name, struct netdev_features *out, struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	int err;

	*out = (struct netdev_features){-1, -1, -1, -1, -1};
	err = sk ? ask_features(sk, name, out) : -NLE_NOMEM;
	nl_socket_free(sk);
	return err < 0 ? no_netlink(name, err, e) : 0;
}

/* ---- tc ---- */

struct tc_dump {
	int ifindex;
	int (*each)(void *arg, const struct netdev_tc *t);
	void *arg;
	int ret;
};

static int on_tc(struct nl_msg *msg, void *arg)
{
	struct nlattr *attr[TCA_MAX + 1], *bpf[TCA_BPF_MAX + 1];
	struct tc_dump *d = arg;
	struct netdev_tc t = {0};
	const struct tcmsg *tc = nlmsg_data(nlmsg_hdr(msg));

	/* Qdiscs come of all interfaces. */
	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(*tc), attr, TCA_MAX, NULL) || !attr[TCA_KIND] ||
	    tc->tcm_ifindex != d->ifindex || d->ret)
		return NL_SKIP;
	nla_strlcpy(t.kind, attr[TCA_KIND], sizeof(t.kind));
	t.handle = tc->tcm_handle;
	if (nlmsg_hdr(msg)->nlmsg_type == RTM_NEWTFILTER)
		t.prio = TC_H_MAJ(tc->tcm_info) >> 16;
	if (t.prio && !strcmp(t.kind, "bpf") && attr[TCA_OPTIONS] &&
	    !nla_parse_nested(bpf, TCA_BPF_MAX, attr[TCA_OPTIONS], NULL) && bpf[TCA_BPF_ID])
		t.prog_id = nla_get_u32(bpf[TCA_BPF_ID]);
	d->ret = d->each(d->arg, &t);
	return NL_OK;
}

int netdev_tc(int ifindex, uint32_t parent, int (*each)(void *arg, const struct netdev_tc *t),
	      void *arg)
{
	struct tcmsg tc = {.tcm_family = AF_UNSPEC, .tcm_ifindex = ifindex, .tcm_parent = parent};
	struct tc_dump d = {.ifindex = ifindex, .each = each, .arg = arg};
	struct nl_sock *sk = nl_socket_alloc();
	int err = sk ? nl_connect(sk, NETLINK_ROUTE) : -NLE_NOMEM;

	if (!err)
		err = nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, on_tc, &d);
	if (!err)
		err = nl_send_simple(sk, parent ? RTM_GETTFILTER : RTM_GETQDISC, NLM_F_DUMP, &tc,
				     sizeof(tc));
	if (err >= 0)
		err = nl_recvmsgs_default(sk);
	nl_socket_free(sk);
	return err < 0 ? -EIO : d.ret;
}
