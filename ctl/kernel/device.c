/* SPDX-License-Identifier: GPL-2.0-only */
#include "device.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/vxlan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"

/* ---- asking the kernel ---- */

static void copy_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

/* Only VXLAN has its lower device in an attribute of its own. */
static int get_link(struct rtnl_link *link)
{
	uint32_t ifindex;

	if (rtnl_link_is_vxlan(link) && !rtnl_link_vxlan_get_link(link, &ifindex))
		return (int)ifindex;
	return rtnl_link_get_link(link);
}

static void read_device(struct device *d, struct rtnl_link *link)
{
	const struct nl_addr *address = rtnl_link_get_addr(link);

	memset(d, 0, sizeof(*d));
	d->ifindex = rtnl_link_get_ifindex(link);
	copy_text(d->name, sizeof(d->name), rtnl_link_get_name(link));
	d->type = rtnl_link_get_arptype(link);
	copy_text(d->kind, sizeof(d->kind), rtnl_link_get_type(link));
	copy_text(d->port_kind, sizeof(d->port_kind), rtnl_link_get_slave_type(link));
	d->master = rtnl_link_get_master(link);
	d->link = get_link(link);
	if (rtnl_link_get_link_netnsid(link, &d->link_netns))
		d->link_netns = -1;
	if (address && nl_addr_get_len(address) == sizeof(d->address))
		memcpy(d->address, nl_addr_get_binary_addr(address), sizeof(d->address));
}

static void add_device(struct nl_object *link, void *to)
{
	struct devices *out = to;
	struct device *more = realloc(out->all, (out->count + 1) * sizeof(*out->all));

	if (!more)
		return;
	out->all = more;
	read_device(&out->all[out->count++], (struct rtnl_link *)link);
}

/* A message of which libnl cannot make a device, also for want of memory, is an error, not a
 * missing device. */
static int on_device(struct nl_msg *msg, void *to)
{
	struct devices *out = to;
	const size_t before = out->count;
	int err = nl_msg_parse(msg, add_device, out);

	return err < 0 ? err : out->count == before ? -NLE_NOMEM : NL_OK;
}

/* libnl's cache is not used, since it ignores a request that could not be sent. */
static int read_all(struct devices *out)
{
	const struct ifinfomsg request = {.ifi_family = AF_UNSPEC};
	int err = -NLE_DUMP_INTR;

	for (int i = 0; i < 10 && err == -NLE_DUMP_INTR; i++) {
		out->count = 0;
		err = netlink_dump(NETLINK_ROUTE, RTM_GETLINK, &request, sizeof(request), on_device,
				   out);
	}
	return err;
}

void devices_free(struct devices *d)
{
	free(d->all);
	memset(d, 0, sizeof(*d));
}

int devices_read(struct devices *out, struct err *e)
{
	int err;

	memset(out, 0, sizeof(*out));
	err = read_all(out);
	if (!err)
		return 0;
	devices_free(out);
	return fail(e, err == -NLE_NOMEM ? -ENOMEM : -EIO, "interfaces",
		    "listing them: %s (see doctor)", nl_geterror(err));
}

const struct device *devices_find(const struct devices *d, int ifindex)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->all[i].ifindex == ifindex)
			return &d->all[i];
	return NULL;
}

/* ---- where mangle cannot work ---- */

/* Kinds whose packets have no Ethernet header, and the kind with one to use instead. */
static const struct {
	const char *kind, *what, *instead;
} without_header[] = {
	{"tun", "a TUN device", "use a TAP device"},
	{"wireguard", "WireGuard",
	 "run GRETAP or VXLAN through the tunnel and attach to that, or mangle where the tunnel's packets go on by Ethernet"},
	{"gre", "a GRE tunnel", "use a GRETAP tunnel"},
	{"ip6gre", "a GRE tunnel", "use an IP6GRETAP tunnel"},
	{"ipip", "an IPIP tunnel", "use a GRETAP or VXLAN tunnel"},
	{"sit", "a SIT tunnel", "use a GRETAP or VXLAN tunnel"},
	{"ip6tnl", "an IP6TNL tunnel", "use an IP6GRETAP or VXLAN tunnel"},
	{"ppp", "a PPP device", "mangle where its packets go on by Ethernet"},
};

static void list_ports(const struct devices *all, int master, char *buf, size_t size)
{
	size_t length = 0;

	*buf = '\0';
	for (size_t i = 0; i < all->count && length < size; i++)
		if (all->all[i].master == master)
			length += (size_t)snprintf(buf + length, size - length, "%s%s",
						   length ? ", " : "", all->all[i].name);
}

static void say_no_header(const struct device *d, char *why, size_t size)
{
	for (size_t i = 0; i < sizeof(without_header) / sizeof(*without_header); i++)
		if (!strcmp(d->kind, without_header[i].kind)) {
			snprintf(why, size, "its packets have no Ethernet header: it is %s (%s)",
				 without_header[i].what, without_header[i].instead);
			return;
		}
	snprintf(
		why, size,
		"its packets have no Ethernet header: its link type is %u%s%s (attach where they come in by Ethernet)",
		d->type, *d->kind ? ", its kind " : "", d->kind);
}

bool device_is_unfit(const struct devices *all, const struct device *d, char *why, size_t size)
{
	char ports[128];

	if (d->type != ARPHRD_ETHER && d->type != ARPHRD_LOOPBACK) {
		say_no_header(d, why, size);
	} else if (!strcmp(d->kind, "vrf")) {
		list_ports(all, d->ifindex, ports, sizeof(ports));
		snprintf(
			why, size,
			"it is a VRF, which receives no frames itself (attach to its interfaces%s%s)",
			*ports ? ": " : "", ports);
	} else if (!strcmp(d->kind, "ifb")) {
		snprintf(
			why, size,
			"it is an IFB, whose packets come by no XDP hook (attach to the interface that they are redirected from)");
	} else {
		return false;
	}
	return true;
}

/* ---- devices above and below each other ---- */

bool device_shares_link(const struct device *d)
{
	static const char *const kinds[] = {"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(d->kind, kinds[i]))
			return true;
	return false;
}

/* The `link` of these two kinds is the other end, not a lower device. */
static bool is_pair(const struct device *d)
{
	return !strcmp(d->kind, "veth") || !strcmp(d->kind, "netkit");
}

/* Tunnels and MACsec receive another frame, which was inside the one that the lower device
 * received. */
static bool is_on(const struct device *upper, const struct device *lower, bool shared)
{
	if (lower->master == upper->ifindex)
		return true;
	return upper->link == lower->ifindex && upper->link_netns < 0 && !is_pair(upper) &&
	       (!shared || device_shares_link(upper));
}

/* The kernel stacks at most 8 devices; depth bounds the walk where two change meanwhile. */
static bool is_above(const struct devices *all, const struct device *upper,
		     const struct device *lower, bool shared, int depth)
{
	if (depth == 8)
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (&all->all[i] != lower && is_on(&all->all[i], lower, shared) &&
		    (&all->all[i] == upper ||
		     is_above(all, upper, &all->all[i], shared, depth + 1)))
			return true;
	return false;
}

bool device_is_above(const struct devices *all, const struct device *upper,
		     const struct device *lower, bool shared)
{
	return upper != lower && is_above(all, upper, lower, shared, 0);
}

/* ---- devices of two network namespaces ---- */

static int on_id(struct nl_msg *msg, void *id)
{
	struct nlattr *attr = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct rtgenmsg), NETNSA_NSID);

	if (attr)
		*(int *)id = nla_get_s32(attr);
	return NL_OK;
}

static int ask_id(struct nl_sock *sk, int netns, int *id)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNSID, 0);
	struct rtgenmsg request = {.rtgen_family = AF_UNSPEC};
	int err = msg ? nlmsg_append(msg, &request, sizeof(request), NLMSG_ALIGNTO) : -NLE_NOMEM;

	if (!err)
		err = nla_put_u32(msg, NETNSA_FD, (uint32_t)netns);
	if (!err)
		err = netlink_ask(sk, msg, on_id, id);
	nlmsg_free(msg);
	return err;
}

int devices_netns_id(int netns, int *id)
{
	struct nl_sock *sk;
	int err = netlink_open(NETLINK_ROUTE, &sk);

	*id = -1;
	if (!err)
		err = ask_id(sk, netns, id);
	nl_socket_free(sk);
	return !err ? 0 : err == -NLE_NOMEM ? -ENOMEM : -EIO;
}

bool device_is_on_elsewhere(const struct device *child, const struct devices *here,
			    const struct device *lower, int id)
{
	const struct device *link = devices_find(here, child->link);

	return child->link_netns >= 0 && (id < 0 || child->link_netns == id) &&
	       device_shares_link(child) && link &&
	       (link == lower || device_is_above(here, link, lower, true));
}

bool device_is_above_elsewhere(const struct devices *there, const struct device *upper,
			       const struct devices *here, const struct device *lower, int id)
{
	for (size_t i = 0; i < there->count; i++) {
		const struct device *child = &there->all[i];

		if ((child == upper || device_is_above(there, upper, child, true)) &&
		    device_is_on_elsewhere(child, here, lower, id))
			return true;
	}
	return false;
}
