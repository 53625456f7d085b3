/* SPDX-License-Identifier: GPL-2.0-only */
/* libxdp's dispatcher: several XDP programs on one interface. The interface is in the thread's
 * network namespace throughout. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "dispatch.h"
#include "gate.h"
#include "ifaces.h"
#include "instance.h"
#include "links.h"
#include "pins.h"
#include "refused.h"
#include "liblog.h"

#define LIBXDP_DIR "/sys/fs/bpf/xdp"
#define PRIORITY 50 /* libxdp's default; xdp-filter (10) comes before */

static struct xdp_program *find_program(struct xdp_multiprog *mp, uint32_t id)
{
	struct xdp_program *p = NULL;

	while ((p = xdp_multiprog__next_prog(p, mp)))
		if (xdp_program__id(p) == id)
			break;
	return p;
}

static int attach_xdp_program(struct xdp_program *p, unsigned int ifindex, uint32_t mode)
{
	return xdp_program__attach(p, (int)ifindex,
				   mode == MODE_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
}

static void detach_xdp_program(struct xdp_program *p, unsigned int ifindex, uint32_t mode)
{
	xdp_program__detach(p, (int)ifindex, mode == MODE_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE,
			    0);
}

static int dispatch(const struct store *s, const struct mangle_iface_key *k,
		    const struct mangle_iface *i, uint64_t epoch, uint32_t *id, struct err *e)
{
	struct mangle_bpf *skel = instance_open(s, i, epoch, e);
	DECLARE_LIBXDP_OPTS(xdp_program_opts, o, .prog_name = "mangle");
	struct xdp_multiprog *mp;
	struct bpf_prog_info info;
	struct xdp_program *p;
	bool shared;
	int err;

	if (!skel)
		return -EIO;
	o.obj = instance_object(skel);
	p = xdp_program__create(&o);
	err = (int)libxdp_get_error(p);
	if (err) {
		fail(e, err, i->name, "preparing the program for libxdp: %s", liblog_why(err));
		goto out;
	}
	if (instance_frags(i->mode))
		xdp_program__set_xdp_frags_support(p, true);
	xdp_program__set_run_prio(p, PRIORITY);
	err = attach_xdp_program(p, k->ifindex, i->mode);
	if (err) {
		refused_say(i->name, k->ifindex, (int)i->mode, err, e);
		goto out;
	}
	/* libxdp falls back to attaching the bare program; a BPF link of mangle's own is better
	 * then. */
	mp = xdp_multiprog__get_from_ifindex((int)k->ifindex);
	shared = !libxdp_get_error(mp) && !xdp_multiprog__is_legacy(mp);
	if (!libxdp_get_error(mp))
		xdp_multiprog__close(mp);
	err = program_info(xdp_program__fd(p), &info);
	*id = info.id;
	if (err)
		fail(e, err, i->name, "attaching: %s (see doctor)", liblog_why(err));
	else if (!shared)
		err = DISPATCHER_UNFIT;
	if (err)
		detach_xdp_program(p, k->ifindex, i->mode);
out:
	if (!libxdp_get_error(p))
		xdp_program__close(p);
	instance_unload(skel);
	return err;
}

int prog_dispatch(const struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		  uint64_t epoch, uint32_t *id, struct err *e)
{
	int err;

	i->conntrack = instance_wants_conntrack();
	err = dispatch(s, k, i, epoch, id, e);
	if (err >= 0 || !i->conntrack)
		return err;
	i->conntrack = 0;
	return dispatch(s, k, i, epoch, id, e);
}

/* Returns whether the program is one of mangle's without a record: a run was killed between
 * attaching and recording. */
static bool is_orphan(const struct store *s, const struct mangle_iface *ifaces, size_t n,
		      struct xdp_program *p)
{
	uint32_t id = xdp_program__id(p), maps[64], gate = store_gate_id(s);
	struct bpf_prog_info info = {.nr_map_ids = 64, .map_ids = (uintptr_t)maps};
	uint32_t size = sizeof(info);

	for (size_t i = 0; i < n; i++)
		if (ifaces[i].dispatcher && (ifaces[i].prog_id == id || ifaces[i].next_id == id))
			return false;
	if (bpf_obj_get_info_by_fd(xdp_program__fd(p), &info, &size))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++)
		if (gate && maps[i] == gate)
			return true;
	return false;
}

void prog_undispatch_orphans(struct store *s, uint32_t ifindex)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	struct xdp_multiprog *mp;
	uint32_t orphans[16];
	struct xdp_program *p = NULL;
	struct err ignored;
	size_t n, found = 0;

	if (access(LIBXDP_DIR, F_OK)) /* every dispatcher has it */
		return;
	mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	if (libxdp_get_error(mp))
		return;
	if (!xdp_multiprog__is_legacy(mp) && !store_ifaces(s, &keys, &ifaces, &n, &ignored)) {
		while ((p = xdp_multiprog__next_prog(p, mp)) && found < 16)
			if (is_orphan(s, ifaces, n, p))
				orphans[found++] = xdp_program__id(p);
		free(keys);
		free(ifaces);
	}
	xdp_multiprog__close(mp);
	while (found)
		prog_undispatch(ifindex, orphans[--found]);
}

int prog_undispatch(uint32_t ifindex, uint32_t id)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *p;
	int err = (int)libxdp_get_error(mp);

	if (err) /* there is no program, or no device */
		return err == -ENOENT || err == -ENODEV ? 0 : err;
	p = id ? find_program(mp, id) : NULL;
	if (p)
		err = xdp_program__detach(p, (int)ifindex, xdp_multiprog__attach_mode(mp), 0);
	xdp_multiprog__close(mp);
	return err;
}

/* Returns whether that dispatcher is on the interface with that ifindex in the thread's namespace.
 * In doubt it is. */
static bool has_dispatcher(uint32_t ifindex, uint32_t dispatcher)
{
	uint32_t id = 0;
	int err = bpf_xdp_query_id((int)ifindex, 0, &id);

	return err ? err != -ENODEV : id == dispatcher;
}

/* Returns whether that directory of libxdp holds the program. */
static bool holds(const char *path, uint32_t prog)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char pin[sizeof(LIBXDP_DIR) + 2 * (size_t)(NAME_MAX + 1)];
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		struct bpf_prog_info info = {0};
		size_t length = strlen(entry->d_name);
		int fd;

		if (length < 5 || strcmp(entry->d_name + length - 5, "-prog"))
			continue;
		snprintf(pin, sizeof(pin), "%s/%s", path, entry->d_name);
		fd = bpf_obj_get(pin);
		if (fd < 0)
			continue;
		found = !program_info(fd, &info) && info.id == prog;
		close(fd);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* libxdp_clean_references() matches by ifindex alone, which an interface of another namespace may
 * have too; so this matches by program. */
void prog_forget_dispatcher(uint32_t ifindex, uint32_t prog)
{
	DIR *dir = opendir(LIBXDP_DIR);
	struct dirent *entry;

	if (!dir)
		return;
	flock(dirfd(dir), LOCK_EX); /* as libxdp does */
	while ((entry = readdir(dir))) {
		char path[NAME_MAX + sizeof(LIBXDP_DIR) + 1];
		uint32_t index, dispatcher;

		if (sscanf(entry->d_name, "dispatch-%u-%u", &index, &dispatcher) != 2)
			continue;
		snprintf(path, sizeof(path), LIBXDP_DIR "/%s", entry->d_name);
		if (!(ifindex && has_dispatcher(ifindex, dispatcher)) && holds(path, prog))
			pins_remove(path);
	}
	closedir(dir);
}

int prog_dispatched(uint32_t ifindex, uint32_t id)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	int err = (int)libxdp_get_error(mp);
	int found;

	if (err) /* there is no program, or no device */
		return err == -ENOENT || err == -ENODEV ? 0 : err;
	found = find_program(mp, id) != NULL;
	xdp_multiprog__close(mp);
	return found;
}
