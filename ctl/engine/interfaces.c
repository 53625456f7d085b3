/* SPDX-License-Identifier: GPL-2.0-only */
#include "interfaces.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/build_id.h"
#include "kernel/device.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/tc_programs.h"
#include "elsewhere.h"
#include "advice_host.h"

/* ---- before attaching ---- */

/* Lower devices go to the front; the order is kept otherwise. */
static void put_lower_first(const struct devices *all, struct netdev *dev, int devs)
{
	for (int i = 1; i < devs; i++)
		for (int k = i; k > 0; k--) {
			const struct netdev upper = dev[k - 1];

			if (!device_is_above(all, devices_find(all, upper.ifindex),
					     devices_find(all, dev[k].ifindex), false))
				continue;
			dev[k - 1] = dev[k];
			dev[k] = upper;
		}
}

/* Refuses where a device has gone since its name was looked up. */
static int find_all(const struct devices *all, const struct netdev *dev, int devs, struct err *e)
{
	for (int i = 0; i < devs; i++)
		if (!devices_find(all, dev[i].ifindex))
			return fail(e, -ENODEV, dev[i].name,
				    "looking for the interface: it has just gone (see ip link)");
	return 0;
}

static int check_fit(const struct devices *all, const struct netdev *dev, int devs, struct err *e)
{
	char why[512];

	for (int i = 0; i < devs; i++)
		if (device_is_unfit(all, devices_find(all, dev[i].ifindex), why, sizeof(why)))
			return fail(e, -EOPNOTSUPP, dev[i].name, "attaching: %s", why);
	return 0;
}

int check_devices(struct netdev *dev, int devs, struct err *e)
{
	struct devices all;
	int err = devices_read(&all, e);

	if (err)
		return err;
	err = find_all(&all, dev, devs, e);
	if (!err)
		err = check_fit(&all, dev, devs, e);
	if (!err)
		put_lower_first(&all, dev, devs);
	devices_free(&all);
	return err;
}

/* ---- what does not work on some: TCP ---- */

/* An interface, and what the services that match there require of it. */
struct scene {
	struct warnings *w;
	const struct devices *all;
	const struct device *d;
	const struct device *master; /* NULL: it is not a port */
	bool generic;
	bool connections, replies;
};

static bool is_port_of(const struct scene *s, const char *kind)
{
	return s->master && !strcmp(s->d->port_kind, kind);
}

static void note_loopback(const struct scene *s)
{
	if (s->d->type == ARPHRD_LOOPBACK)
		add_warning(
			s->w,
			"%s: TCP connections that this host makes to itself are not bound, but go to the shared port (connect from another host or network namespace)",
			s->d->name);
}

static void warn_about_netfilter(const struct scene *s, const char *ip4, const char *ip6)
{
	if (*ip4 || *ip6)
		add_warning(
			s->w,
			"%s: it is a port of %s, and %s%s%s %s 1: TCP connections are accepted, and then hang or are reset (attach to %s instead)",
			s->d->name, s->master->name, ip4, *ip4 && *ip6 ? " and " : "", ip6,
			*ip4 && *ip6 ? "are" : "is", s->master->name);
}

/* br_netfilter takes the socket away from a packet that mangle gave one. It is switched on for all
 * bridges by the sysctls, which exist only with the module, or for one bridge by its own flags. */
static void note_bridge_netfilter(const struct scene *s)
{
	struct netdev_bridge own;
	struct err why;
	int ip4, ip6;

	if (!is_port_of(s, "bridge"))
		return;
	ip4 = read_setting(s->w, s->d->name, "bridge/bridge-nf-call-iptables", -1);
	ip6 = read_setting(s->w, s->d->name, "bridge/bridge-nf-call-ip6tables", -1);
	warn_about_netfilter(s, ip4 > 0 ? "net.bridge.bridge-nf-call-iptables" : "",
			     ip6 > 0 ? "net.bridge.bridge-nf-call-ip6tables" : "");
	if (netdev_bridge(s->master->ifindex, s->master->name, &own, &why))
		add_warning(s->w, "%s: cannot tell what its bridge's own flags are: %s", s->d->name,
			    why.line);
	else
		warn_about_netfilter(
			s, !ip4 && own.nf_call_iptables ? "that bridge's nf_call_iptables" : "",
			!ip6 && own.nf_call_ip6tables ? "that bridge's nf_call_ip6tables" : "");
}

static void note_bridge_address(const struct scene *s)
{
	if (is_port_of(s, "bridge") &&
	    memcmp(s->d->address, s->master->address, sizeof(s->d->address)))
		add_warning(
			s->w,
			"%s: it is a port of %s, which has another MAC address: TCP connections to this host are not bound, but go to the shared port (attach to %s instead)",
			s->d->name, s->master->name, s->master->name);
}

static void note_macvlan(const struct scene *s)
{
	for (size_t i = 0; i < s->all->count; i++) {
		const struct device *child = &s->all->all[i];

		if (child->link != s->d->ifindex || child->link_netns >= 0 ||
		    strncmp(child->kind, "macv", 4) ||
		    !memcmp(child->address, s->d->address, sizeof(child->address)))
			continue;
		add_warning(
			s->w,
			"%s: TCP connections to the MAC address of %s, which is on it, are not bound, but go to the shared port (attach to %s instead, if they are to be)",
			s->d->name, child->name, child->name);
		return;
	}
}

static void note_vrf(const struct scene *s)
{
	if (is_port_of(s, "vrf"))
		add_warning(
			s->w,
			"%s: it is in the VRF %s: TCP connections to listeners that are bound to that are refused (%sdo not bind the listeners to it)",
			s->d->name, s->master->name,
			read_setting(s->w, s->d->name, "ipv4/tcp_l3mdev_accept", 0) > 0
				? ""
				: "sysctl net.ipv4.tcp_l3mdev_accept=1, and ");
}

static void (*const notes_on_tcp[])(const struct scene *s) = {
	note_loopback, note_bridge_netfilter, note_bridge_address, note_macvlan, note_vrf,
};

/* ---- what does not work on some: all protocols ---- */

static void note_bond(const struct scene *s)
{
	if (is_port_of(s, "bond") || is_port_of(s, "team"))
		add_warning(
			s->w,
			"%s: it is a port of %s: packets that its other ports receive are not mangled%s (attach to %s instead)",
			s->d->name, s->master->name,
			s->replies ? ", and replies that leave by them keep their port" : "",
			s->master->name);
}

/* A tap's frames reach the program as in generic mode, also where they hold several datagrams. */
static void note_tap(const struct scene *s)
{
	struct netdev_features f;
	struct err ignored;

	if (!s->generic && !strcmp(s->d->kind, "tun") &&
	    !netdev_features(s->d->name, &f, &ignored) && f.udp_segmentation == 1)
		add_warning(
			s->w,
			"%s: a guest may send many datagrams as one frame, and one tag decides for all, in native mode too (in the guest: ethtool -K eth0 tx-udp-segmentation off)",
			s->d->name);
}

static void note_dummy(const struct scene *s)
{
	if (!strcmp(s->d->kind, "dummy"))
		add_warning(
			s->w,
			"%s: it is a dummy, which receives nothing: packets to its addresses arrive on other interfaces (attach to those)",
			s->d->name);
}

static void note_unfit(const struct scene *s)
{
	char why[512];

	if (device_is_unfit(s->all, s->d, why, sizeof(why)))
		add_fault(s->w, "%s: nothing is mangled on it: %s", s->d->name, why);
}

static void (*const notes[])(const struct scene *s) = {
	note_unfit,
	note_dummy,
	note_bond,
	note_tap,
};

/* A service that names another interface does not match here. */
static void note_services(struct scene *s, const struct model *m, const char *name)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *svc = &m->services[i];

		if (svc->ifname[0] && strcmp(svc->ifname, name))
			continue;
		s->connections |= service_has_connections(svc);
		s->replies |= service_has_replies(svc) || service_has_connections(svc);
	}
}

void warn_about_device(struct warnings *w, int ifindex, const char *name, bool generic,
		       const struct model *m)
{
	struct scene s = {.w = w, .generic = generic};
	struct devices all;
	struct err why;

	if (devices_read(&all, &why)) {
		add_warning(w, "%s: cannot tell what kind of interface it is: %s", name, why.line);
		return;
	}
	s.all = &all;
	s.d = devices_find(&all, ifindex);
	s.master = s.d && s.d->master ? devices_find(&all, s.d->master) : NULL;
	note_services(&s, m, name);
	for (size_t i = 0; i < sizeof(notes) / sizeof(*notes) && s.d; i++)
		notes[i](&s);
	for (size_t i = 0; i < sizeof(notes_on_tcp) / sizeof(*notes_on_tcp); i++)
		if (s.d && s.connections)
			notes_on_tcp[i](&s);
	if (s.d && s.connections)
		warn_about_elsewhere(w, &all, s.d, name, m);
	devices_free(&all);
}

static void warn_about_build(struct warnings *w, const struct attachment *a)
{
	char text[BUILD_TEXT_SIZE], own_text[BUILD_TEXT_SIZE];
	uint8_t own[8];

	prog_build(own);
	add_warning(
		w,
		"%s: the program on it is of another build (%s) than this mangle-ctl (%s) (mangle-ctl upgrade)",
		a->iface.name, prog_build_text(a->iface.build, text),
		prog_build_text(own, own_text));
}

/* ---- afterwards ---- */

static void warn_about_program(struct warnings *w, const struct attachment *a)
{
	const char *name = a->iface.name;

	if (a->iface.mode == MODE_GENERIC)
		add_warning(
			w,
			"%s: generic mode: where segmentation offload makes one frame of many datagrams, one tag decides for all (prefer native mode)",
			name);
	if (!prog_is_own(&a->iface))
		warn_about_build(w, a);
}

static void warn_about_tc_programs(struct warnings *w, const struct attachment *a)
{
	const char *name = a->iface.name;
	int there = tc_programs_attached(&a->key, &a->iface);
	char option[NETNS_TEXT_SIZE];

	if (!there)
		add_fault(
			w,
			"%s: the tc programs are gone, or are those of another network namespace (mangle-ctl %sattach %s)",
			name, netns_option(a, option), name);
	else if (there < 0)
		add_warning(w, "%s: cannot tell whether the tc programs are there: %s (see doctor)",
			    name, netns_why(there));
}

static void warn_about_offloads(struct warnings *w, const char *name)
{
	struct netdev_features f;
	struct err why;

	if (netdev_features(name, &f, &why)) {
		add_warning(w, "cannot tell which offloads are on: %s", why.line);
		return;
	}
	if (f.lro == 1)
		add_warning(
			w,
			"%s: LRO is on: frames are merged before mangle sees them (ethtool -K %s lro off)",
			name, name);
	if (f.gro_hw == 1)
		add_warning(
			w,
			"%s: hardware GRO is on: frames are merged before mangle sees them (ethtool -K %s rx-gro-hw off)",
			name, name);
}

void warn_about_interface(struct warnings *w, const struct attachment *a, const struct model *m)
{
	int back, err;

	if (!a->attached)
		return;
	warn_about_program(w, a);
	err = *a->unseen ? 0 : netns_enter_inode(a->key.netns, &back);
	if (*a->unseen || err) {
		add_warning(
			w,
			"%s: cannot tell whether it is still attached: %s (see doctor; it is treated as attached)",
			a->iface.name, *a->unseen ? a->unseen : netns_why(err));
		return;
	}
	warn_about_tc_programs(w, a);
	warn_about_offloads(w, a->iface.name);
	warn_about_device(w, (int)a->key.ifindex, a->attached_as, a->iface.mode == MODE_GENERIC, m);
	netns_return(back);
}
