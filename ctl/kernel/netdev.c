/* SPDX-License-Identifier: GPL-2.0-only */
#include "netdev.h"

#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>

#include "netlink.h"

/* ---- interfaces ---- */

static int no_netlink(const char *name, int err, struct err *e)
{
	return fail(e, -EIO, name, "reading its state: %s (see doctor)", nl_geterror(err));
}

static int on_link(struct nl_msg *msg, void *arg)
{
	const struct ifinfomsg *link = nlmsg_data(nlmsg_hdr(msg));

	*(int *)arg = link->ifi_index;
	return NL_OK;
}

/* Builds a request for the interface with that ifindex; 0: for the name that the caller adds.
 * Returns NULL without memory. */
static struct nl_msg *link_request(int ifindex)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	struct ifinfomsg link = {.ifi_index = ifindex};

	if (!msg || !nlmsg_append(msg, &link, sizeof(link), NLMSG_ALIGNTO))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

/* Finds the ifindex of the interface with that alternative name, which libnl cannot do. */
static int ask_altname(struct nl_sock *sk, const char *name)
{
	struct nl_msg *msg = link_request(0);
	int ifindex = 0;
	int err = msg ? 0 : -NLE_NOMEM;

	if (!err)
		err = nla_put_string(msg, IFLA_ALT_IFNAME, name);
	if (!err)
		err = netlink_ask(sk, msg, on_link, &ifindex);
	if (!err && !ifindex)
		err = -NLE_NODEV;
	nlmsg_free(msg);
	/* Before Linux 5.5 there are no alternative names, and the request is not understood. */
	return err == -NLE_INVAL || err == -NLE_OPNOTSUPP ? -NLE_NODEV : err ? err : ifindex;
}

/* The kernel accepts an alternative name as a name if it is not longer than one. */
static int ask_link(struct nl_sock *sk, const char *name, struct rtnl_link **link)
{
	int ifindex;

	if (!*name || strlen(name) >= ALTIFNAMSIZ)
		return -NLE_NODEV;
	if (strlen(name) < IFNAMSIZ)
		return rtnl_link_get_kernel(sk, 0, name, link);
	ifindex = ask_altname(sk, name);
	return ifindex < 0 ? ifindex : rtnl_link_get_kernel(sk, ifindex, NULL, link);
}

int netdev_get(const char *name, struct netdev *out, struct err *e)
{
	struct rtnl_link *link = NULL;
	struct nl_sock *sk;
	int err = netlink_open(NETLINK_ROUTE, &sk);

	if (!err)
		err = ask_link(sk, name, &link);
	nl_socket_free(sk);
	if (err == -NLE_NODEV || err == -NLE_OBJ_NOTFOUND)
		return fail(
			e, -ENODEV, *name ? name : "''",
			"looking for the interface: no such interface here (see ip link; for another network namespace use -n NAME)");
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

/* ---- bridges ---- */

static bool read_flag(struct nlattr *data, int type)
{
	struct nlattr *flag = nla_find(nla_data(data), nla_len(data), type);

	return flag && nla_get_u8(flag);
}

static int on_bridge(struct nl_msg *msg, void *arg)
{
	struct nlattr *info, *data = NULL;
	struct netdev_bridge *out = arg;

	info = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct ifinfomsg), IFLA_LINKINFO);
	if (info)
		data = nla_find(nla_data(info), nla_len(info), IFLA_INFO_DATA);
	if (!data)
		return NL_SKIP;
	out->nf_call_iptables = read_flag(data, IFLA_BR_NF_CALL_IPTABLES);
	out->nf_call_ip6tables = read_flag(data, IFLA_BR_NF_CALL_IP6TABLES);
	return NL_OK;
}

static int ask_bridge(struct nl_sock *sk, int ifindex, struct netdev_bridge *out)
{
	struct nl_msg *msg = link_request(ifindex);
	int err = msg ? netlink_ask(sk, msg, on_bridge, out) : -NLE_NOMEM;

	nlmsg_free(msg);
	return err;
}

/* libnl's bridge objects lack these flags. */
int netdev_bridge(int ifindex, const char *name, struct netdev_bridge *out, struct err *e)
{
	struct nl_sock *sk;
	int err = netlink_open(NETLINK_ROUTE, &sk);

	memset(out, 0, sizeof(*out));
	if (!err)
		err = ask_bridge(sk, ifindex, out);
	nl_socket_free(sk);
	return err < 0 ? no_netlink(name, err, e) : 0;
}

/* ---- addresses ---- */

struct address_dump {
	int (*each)(void *arg, const struct netdev_address *a);
	void *arg;
	int ret;
};

static int on_address(struct nl_msg *msg, void *arg)
{
	const struct ifaddrmsg *ifa = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *attr[IFA_MAX + 1], *addr;
	struct address_dump *d = arg;
	struct netdev_address a = {0};
	const int length = ifa->ifa_family == AF_INET ? 4 : 16;

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(*ifa), attr, IFA_MAX, NULL) || d->ret)
		return NL_SKIP;
	/* IFA_ADDRESS is the peer's address where there is a peer. */
	addr = attr[IFA_LOCAL] ? attr[IFA_LOCAL] : attr[IFA_ADDRESS];
	if (!addr || nla_len(addr) != length || ifa->ifa_scope >= RT_SCOPE_LINK)
		return NL_SKIP;
	a.ifindex = (int)ifa->ifa_index;
	a.family = length == 4 ? 4 : 6;
	memcpy(a.addr, nla_data(addr), (size_t)length);
	d->ret = d->each(d->arg, &a);
	return NL_OK;
}

int netdev_addresses(int (*each)(void *arg, const struct netdev_address *a), void *arg)
{
	const struct ifaddrmsg request = {.ifa_family = AF_UNSPEC};
	struct address_dump d = {.each = each, .arg = arg};
	int err = netlink_dump(NETLINK_ROUTE, RTM_GETADDR, &request, sizeof(request), on_address,
			       &d);

	return err < 0 ? -EIO : d.ret;
}

static int on_route(struct nl_msg *msg, void *found)
{
	(void)msg;
	*(bool *)found = true;
	return NL_OK;
}

int netdev_has_route(struct nl_sock *sk, const struct netdev_address *to)
{
	const int length = to->family == 4 ? 4 : 16;
	struct rtmsg request = {
		.rtm_family = to->family == 4 ? AF_INET : AF_INET6,
		.rtm_dst_len = (unsigned char)(8 * length),
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	int err = msg ? nlmsg_append(msg, &request, sizeof(request), NLMSG_ALIGNTO) : -NLE_NOMEM;
	bool found = false;

	if (!err)
		err = nla_put(msg, RTA_DST, length, to->addr);
	if (!err)
		err = netlink_ask(sk, msg, on_route, &found);
	nlmsg_free(msg);
	/* libnl has no error code for ENETUNREACH. */
	return !err || err == -NLE_FAILURE ? found : err == -NLE_NOMEM ? -ENOMEM : -EIO;
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
		{"tx-udp-segmentation", &f->udp_segmentation},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i].name, name) && *known[i].value < on)
			*known[i].value = on;
}

/* Sets the value of every feature that the bitset names. */
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
	/* `hw` lists all features; `active` comes without a mask, and lists only those
	 * that are on. */
	read_bitset(attr[ETHTOOL_A_FEATURES_HW], arg, 0);
	read_bitset(attr[ETHTOOL_A_FEATURES_ACTIVE], arg, 1);
	return NL_OK;
}

/* A request to a generic netlink family, and the function that takes its one answer. */
struct genl_request {
	const char *family;
	uint8_t version, command;
	int (*fill)(struct nl_msg *msg, const void *device);
	const void *device;
	int (*on_answer)(struct nl_msg *msg, void *arg);
	void *arg;
};

static int send_request(struct nl_sock *sk, struct nl_msg *msg, const struct genl_request *r)
{
	int family = genl_ctrl_resolve(sk, r->family);
	int err;

	if (family < 0)
		return family;
	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, r->command, r->version);
	err = r->fill(msg, r->device);
	if (err)
		return err;
	return netlink_ask(sk, msg, r->on_answer, r->arg);
}

static int ask_genl(const struct genl_request *r)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nl_sock *sk;
	int err = netlink_open(NETLINK_GENERIC, &sk);

	if (!err)
		err = msg ? send_request(sk, msg, r) : -NLE_NOMEM;
	nlmsg_free(msg);
	nl_socket_free(sk);
	return err;
}

static int name_device(struct nl_msg *msg, const void *name)
{
	struct nlattr *header = nla_nest_start(msg, ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED);

	if (!header || nla_put_string(msg, ETHTOOL_A_HEADER_DEV_NAME, name))
		return -NLE_MSGSIZE;
	nla_nest_end(msg, header);
	return 0;
}

int netdev_features(const char *name, struct netdev_features *out, struct err *e)
{
	int err;

	*out = (struct netdev_features){-1, -1, -1, -1, -1, -1};
	err = ask_genl(&(struct genl_request){
		.family = ETHTOOL_GENL_NAME,
		.version = ETHTOOL_GENL_VERSION,
		.command = ETHTOOL_MSG_FEATURES_GET,
		.fill = name_device,
		.device = name,
		.on_answer = on_features,
		.arg = out,
	});
	return err < 0 ? no_netlink(name, err, e) : 0;
}

/* ---- what XDP its driver has ---- */

/* From Linux' include/uapi/linux/netdev.h (6.3), which older headers do not have. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_VERSION 1
#define NETDEV_GET 1	      /* NETDEV_CMD_DEV_GET */
#define NETDEV_IFINDEX 1      /* NETDEV_A_DEV_IFINDEX, u32 */
#define NETDEV_XDP_FEATURES 3 /* NETDEV_A_DEV_XDP_FEATURES, u64 */
#define XDP_ACT_BASIC 1	      /* NETDEV_XDP_ACT_BASIC: runs programs, and obeys their verdicts */
#define XDP_ACT_RX_SG 32      /* NETDEV_XDP_ACT_RX_SG: frames of several buffers */

static int index_device(struct nl_msg *msg, const void *ifindex)
{
	return nla_put_u32(msg, NETDEV_IFINDEX, *(const uint32_t *)ifindex);
}

static int on_xdp_features(struct nl_msg *msg, void *arg)
{
	struct nlattr *attr[NETDEV_XDP_FEATURES + 1];
	struct netdev_xdp *out = arg;
	uint64_t features;

	if (genlmsg_parse(nlmsg_hdr(msg), 0, attr, NETDEV_XDP_FEATURES, NULL) ||
	    !attr[NETDEV_XDP_FEATURES])
		return NL_SKIP;
	features = nla_get_u64(attr[NETDEV_XDP_FEATURES]);
	*out = (struct netdev_xdp){
		.known = true,
		.native = features & XDP_ACT_BASIC,
		.several_buffers = features & XDP_ACT_RX_SG,
	};
	return NL_OK;
}

struct netdev_xdp netdev_xdp(int ifindex)
{
	const uint32_t index = (uint32_t)ifindex;
	struct netdev_xdp out = {0};

	ask_genl(&(struct genl_request){
		.family = NETDEV_FAMILY,
		.version = NETDEV_VERSION,
		.command = NETDEV_GET,
		.fill = index_device,
		.device = &index,
		.on_answer = on_xdp_features,
		.arg = &out,
	});
	return out;
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

	/* The kernel lists the qdiscs of all interfaces. */
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
	int err = netlink_dump(NETLINK_ROUTE, parent ? RTM_GETTFILTER : RTM_GETQDISC, &tc,
			       sizeof(tc), on_tc, &d);

	return err < 0 ? -EIO : d.ret;
}
