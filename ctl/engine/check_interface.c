/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of one interface: the device, its offloads, native mode, what services require of it. */
#include "check_interface.h"

#include <stdlib.h>

#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/open.h"
#include "kernel/services.h"
#include "files/config.h"
#include "interfaces.h"

#define LINEAR_MTU 3498 /* of a frame in one page, without headroom and tailroom */

/* feature: its name in ethtool -K; NULL where the offload is only mentioned. */
static void check_offload(struct findings *f, const char *name, const char *what, int value,
			  const char *feature, const char *bad)
{
	if (value == 1 && !feature)
		add_finding(f, name, CHECK_INFO, "%s is on: %s", what, bad);
	else if (value == 1)
		add_finding(f, name, CHECK_WARN, "%s is on: %s (ethtool -K %s %s off)", what, bad,
			    name, feature);
	else
		add_finding(f, name, CHECK_OK, "%s is %s", what, value ? "not supported" : "off");
}

static void check_offloads(struct findings *f, const char *name)
{
	struct netdev_features has;
	struct err why;

	if (netdev_features(name, &has, &why)) {
		add_finding(f, name, CHECK_WARN, "cannot tell which offloads are on: %s", why.line);
		return;
	}
	check_offload(
		f, name, "LRO", has.lro, "lro",
		"frames are merged before mangle sees them, and some drivers refuse to attach");
	check_offload(f, name, "hardware GRO", has.gro_hw, "rx-gro-hw",
		      "frames are merged before mangle sees them");
	check_offload(
		f, name, "VLAN stripping", has.rxvlan, NULL,
		"mangle does not see the VLAN tags that the hardware strips, and does not match on them");
	add_finding(
		f, name, CHECK_OK,
		"checksum offload: receive %s, transmit %s; frames whose checksum is left to hardware are recognised",
		has.rx_checksum == 1 ? "on" : "off", has.tx_checksum == 1 ? "on" : "off");
}

/* Returns whether mangle is attached to the device; m: the services that run, or would be loaded.
 * Errors are ignored here, since the check of the tables reports them. */
static bool look_up(double wait, const struct netdev *dev, struct model *m)
{
	struct attachment *a = NULL;
	struct store *s = NULL;
	struct err ignored;
	bool attached = false;
	size_t count = 0;

	if (store_open(&s, STORE_READ, wait, &ignored)) {
		config_load(CONFIG_DEFAULT_FILE, m, &ignored);
		return false;
	}
	store_read(s, m, false, &ignored);
	if (!read_attachments(s, &a, &count, &ignored))
		for (size_t i = 0; i < count; i++)
			attached |= a[i].attached && is_key(&a[i], netns_inode(), dev->ifindex);
	free(a);
	store_close(s);
	return attached;
}

static void check_mode(struct findings *f, const char *name, const struct netdev_xdp *xdp)
{
	if (!xdp->known)
		add_finding(
			f, name, CHECK_INFO,
			"cannot tell before attaching whether its driver has native mode (Linux 6.3 or later can)");
	else if (xdp->native)
		add_finding(f, name, CHECK_OK, "its driver has native mode");
	else
		add_finding(
			f, name, CHECK_WARN,
			"its driver has no native mode: mangle attaches in generic mode, where segmentation offload can make one frame of many datagrams, and one tag decides for all");
}

static void check_mtu(struct findings *f, const struct netdev *dev, const struct netdev_xdp *xdp,
		      const struct machine *m)
{
	bool large = dev->mtu > LINEAR_MTU && m->may_probe;

	if (large && !(m->features.frags && m->features.load_bytes))
		add_finding(
			f, dev->name, CHECK_WARN,
			"MTU %u: this kernel may refuse native mode, and tags behind the first buffer are not found (ip link set %s mtu 1500)",
			dev->mtu, dev->name);
	else if (large && xdp->native && !xdp->several_buffers)
		add_finding(
			f, dev->name, CHECK_WARN,
			"MTU %u: its driver does not support frames of several buffers in native mode, and may refuse that mode (ip link set %s mtu 1500)",
			dev->mtu, dev->name);
	else
		add_finding(f, dev->name, CHECK_OK, "MTU %u", dev->mtu);
}

/* Returns whether mangle can be attached to the device. */
static bool check_device(struct findings *f, const struct netdev *dev)
{
	struct netdev copy = *dev;
	struct err why;

	if (!check_devices(&copy, 1, &why))
		return true;
	add_finding(f, dev->name, CHECK_BAD, "%s", why.line);
	return false;
}

void check_interface(struct findings *f, const char *name, const struct machine *on, double wait)
{
	struct warnings w = {0};
	struct netdev_xdp xdp;
	struct netdev dev;
	struct model m;
	struct err why;

	if (netdev_get(name, &dev, &why)) {
		add_finding(f, name, CHECK_BAD, "%s", why.line);
		return;
	}
	if (!check_device(f, &dev))
		return;
	if (dev.up)
		add_finding(f, dev.name, CHECK_OK, "up, ifindex %d", dev.ifindex);
	else
		add_finding(f, dev.name, CHECK_WARN,
			    "down: nothing is received (ip link set %s up)", dev.name);
	xdp = netdev_xdp(dev.ifindex);
	check_mtu(f, &dev, &xdp, on);
	check_offloads(f, dev.name);
	model_init(&m);
	if (!look_up(wait, &dev, &m)) {
		check_mode(f, dev.name, &xdp);
		warn_about_device(&w, dev.ifindex, dev.name, xdp.known && !xdp.native, &m);
		add_notes(f, dev.name, &w);
	}
	free_warnings(&w);
	model_free(&m);
}
