/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../../maps/schema.h"
#include "device.h"
#include "links.h"
#include "refused.h"
#include "liblog.h"

/* The XDP program on an interface: its id, 0 for none, and its name. */
static uint32_t program_on(int ifindex, char name[BPF_OBJ_NAME_LEN])
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	struct bpf_prog_info info = {0};
	uint32_t id = 0;
	int fd;

	if (!bpf_xdp_query(ifindex, 0, &q))
		id = q.prog_id ? q.prog_id : q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id;
	fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (fd >= 0) {
		program_info(fd, &info);
		close(fd);
	}
	snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name[0] ? info.name : "unknown");
	return id;
}

/* Finds an interface above this one that has a program; the kernel then accepts none below it. */
static const struct device *find_upper(const struct devices *all, unsigned int ifindex,
				       uint32_t *id, char name[BPF_OBJ_NAME_LEN])
{
	const struct device *lower = devices_find(all, (int)ifindex);

	for (size_t i = 0; i < all->count && lower; i++) {
		if (!device_is_above(all, &all->all[i], lower, false))
			continue;
		*id = program_on(all->all[i].ifindex, name);
		if (*id)
			return &all->all[i];
	}
	return NULL;
}

/* Describes the program on the interface, or on one above it, for the error line. */
static int say_busy(const char *ifname, unsigned int ifindex, int err, struct err *e)
{
	char name[BPF_OBJ_NAME_LEN];
	uint32_t id = program_on((int)ifindex, name);
	const struct device *upper;
	struct devices all;

	if (id)
		return fail(
			e, -EBUSY, ifname,
			"attaching: another XDP program is attached (id %u, name %s), and this kernel or mode does not let programs share an interface (detach it first, for instance: ip link set dev %s xdp off)",
			id, name, ifname);
	if (devices_read(&all, e))
		return -EBUSY;
	upper = find_upper(&all, ifindex, &id, name);
	if (upper)
		fail(e, -EBUSY, ifname,
		     "attaching: %s, which is above it, has an XDP program (id %u, name %s), and the kernel allows none on an interface below it (detach it, attach to %s, then attach it again)",
		     upper->name, id, name, ifname);
	else
		fail(e, -EBUSY, ifname, "attaching: %s (see ip link)", liblog_why(err));
	devices_free(&all);
	return -EBUSY;
}

bool refused_by_mode(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ERANGE || err == -E2BIG;
}

int refused_say(const char *ifname, unsigned int ifindex, int mode, int err, struct err *e)
{
	if (err == -EBUSY || err == -EEXIST)
		return say_busy(ifname, ifindex, err, e);
	return fail(e, err, ifname, "attaching (%s): %s%s",
		    mode == MODE_GENERIC ? "generic" : "native", liblog_why(err),
		    mode != MODE_GENERIC && refused_by_mode(err) ? " (try --mode generic)"
								 : " (see doctor)");
}
