/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The XDP program is attached through libxdp's dispatcher where the kernel has what that needs, so
 * that other programs can share the interface; else by a BPF link of mangle's own, pinned. Programs
 * at tc's hooks come first: what XDP leaves to them is handled from the first packet on.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "build_id.h"
#include "detach.h"
#include "dispatch.h"
#include "gate.h"
#include "ifaces.h"
#include "instance.h"
#include "links.h"
#include "locate.h"
#include "needs.h"
#include "netdev.h"
#include "netns.h"
#include "orphans.h"
#include "pins.h"
#include "probe.h"
#include "refused.h"
#include "tc.h"
#include "liblog.h"

static int attach_link(const struct mangle_iface_key *k, const struct mangle_iface *i,
		       int instance_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, o,
		    .flags = i->mode == MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	char path[PATH_SIZE];
	int err = 0;
	int fd = bpf_link_create(instance_fd, (int)k->ifindex, BPF_XDP, &o);

	if (fd < 0)
		return -errno;
	if (bpf_obj_pin(fd, link_path(path, i)))
		err = -errno;
	close(fd);
	return err;
}

/* Attaches the program of the pinned link, after loading its instance here. Returns 0, or negative
 * errno. */
static int attach_plain(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
			struct err *e)
{
	struct mangle_bpf *skel = instance_load(s, i, e);
	struct bpf_prog_info info;
	int err;

	if (!skel)
		return -EIO;
	i->dispatcher = 0;
	err = program_info(instance_fd(skel), &info);
	if (err) {
		fail(e, err, i->name, "attaching: %s (see doctor)", liblog_why(err));
		goto out;
	}
	i->prog_id = i->pin = info.id;
	err = attach_link(k, i, instance_fd(skel));
	if (err)
		refused_say(i->name, k->ifindex, (int)i->mode, err, e);
out:
	instance_unload(skel);
	return err;
}

static int attach_dispatcher(struct store *s, const struct mangle_iface_key *k,
			     struct mangle_iface *i, struct err *e)
{
	uint64_t epoch;
	int err = store_epoch(s, &epoch, e);

	if (err)
		return err;
	prog_undispatch_orphans(s, k->ifindex);
	i->dispatcher = 1;
	return prog_dispatch(s, k, i, epoch, &i->prog_id, e);
}

static int attach_in(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		     uint32_t mode, struct err *e)
{
	int err = prog_probe_told(e);

	if (err)
		return err;
	err = DISPATCHER_UNFIT;
	i->mode = mode;
	if (prog_probe()->dispatcher)
		err = attach_dispatcher(s, k, i, e);
	liblog_begin(); /* earlier messages are not about this attempt */
	return err == DISPATCHER_UNFIT || err == -EOPNOTSUPP ? attach_plain(s, k, i, e) : err;
}

/* Returns 1 found and attached, 0 not attached, or negative errno. The record of a gone interface
 * is removed. */
static int find_record(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *out,
		       struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	size_t n;
	int err = store_ifaces(s, &keys, &ifaces, &n, e);
	int found = 0;

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++) {
		struct err why;
		int attached = prog_locate(s, &keys[i], &ifaces[i], &why);

		if (keys[i].netns != k->netns || keys[i].ifindex != k->ifindex)
			continue;
		if (attached < 0) {
			err = fail(
				e, attached, ifaces[i].name,
				"attaching: cannot tell whether it is attached already: %s (see doctor; or detach it first)",
				why.line);
		} else if (attached) {
			*out = ifaces[i];
			found = 1;
		} else { /* the device was deleted, and created again with the same ifindex */
			err = prog_detach(s, &keys[i], &ifaces[i], e);
		}
	}
	free(keys);
	free(ifaces);
	return err ? err : found;
}

int prog_attach(struct store *s, const char *ifname, const char *netns_name, int mode,
		struct prog_needs needs, int *got, bool *changed, struct err *e)
{
	struct mangle_iface_key k = {.netns = netns_inode()};
	struct mangle_iface i = {0};
	struct netdev dev;
	struct err ignored;
	int err = netdev_get(ifname, &dev, e);

	*changed = false;
	if (err)
		return err;
	liblog_begin();
	k.ifindex = (uint32_t)dev.ifindex;
	prog_sweep(s); /* remains of a killed run would be in the way */
	err = find_record(s, &k, &i, e);
	if (err < 0)
		return err;
	if (err) {
		*got = (int)i.mode;
		if (mode && (uint32_t)mode != i.mode)
			return fail(
				e, -EEXIST, ifname,
				"attaching: it is attached in %s mode already (detach it first)",
				i.mode == MODE_GENERIC ? "generic" : "native");
		return tc_set(s, &k, &i, needs, e);
	}
	memset(&i, 0, sizeof(i));
	prog_build(i.build);
	snprintf(i.name, sizeof(i.name), "%s", ifname);
	snprintf(i.netns_name, sizeof(i.netns_name), "%s", netns_name ? netns_name : "");
	err = tc_set(s, &k, &i, needs, e);
	if (!err) {
		err = attach_in(s, &k, &i, mode ? (uint32_t)mode : MODE_NATIVE, e);
		if (!mode && refused_by_mode(err))
			err = attach_in(s, &k, &i, MODE_GENERIC, e);
	}
	if (err) {
		tc_clear(&k, &i);
		store_iface_del(s, &k, NULL, &ignored);
		return err;
	}
	err = store_iface_put(s, &k, &i, e);
	if (err) {
		prog_detach(s, &k, &i, &ignored);
		store_iface_del(s, &k, NULL, &ignored);
		return err;
	}
	*got = (int)i.mode;
	*changed = true;
	return 0;
}
