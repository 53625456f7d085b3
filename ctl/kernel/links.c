/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "links.h"
#include "liblog.h"
#include "pins.h"

#define LINK_PREFIX "link-"
#define TC_LINK_PREFIX "tc-"

const char *link_path(char buf[PATH_SIZE], const struct mangle_iface *i)
{
	snprintf(buf, PATH_SIZE, STORE_DIR "/" LINK_PREFIX "%u", i->pin);
	return buf;
}

const char *link_tc_path(char buf[PATH_SIZE], uint32_t id)
{
	snprintf(buf, PATH_SIZE, STORE_DIR "/" TC_LINK_PREFIX "%u", id);
	return buf;
}

/* Maps and programs are refused as such; of a link it is the program that is none. */
static bool is_link(int fd)
{
	return !bpf_link_update(fd, -1, NULL) || errno != EINVAL;
}

/* Detaching takes effect at once, where closing and unpinning would leave it to a kernel worker. A
 * link whose device is gone is detached already. */
static int link_detach(int fd)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	int err = bpf_link_detach(fd) ? -errno : 0;

	/* tcx's member lies where xdp's does, and is not in every linux/bpf.h. */
	return err && !bpf_obj_get_info_by_fd(fd, &info, &size) && !info.xdp.ifindex ? 0 : err;
}

int link_unpin(const char *path)
{
	int fd = bpf_obj_get(path), err;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!is_link(fd)) {
		close(fd);
		liblog_set("%s is not a link of mangle's", path);
		return -EBADF;
	}
	err = link_detach(fd);
	close(fd);
	return err ? err : unlink(path) ? -errno : 0;
}

enum pin_state link_state(const char *path, uint32_t *id)
{
	enum pin_state state = PIN_ALIVE;
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return errno == ENOENT ? PIN_NONE : PIN_ALIVE;
	if (!is_link(fd)) {
		state = PIN_NONE;
	} else if (!bpf_obj_get_info_by_fd(fd, &info, &size)) {
		/* tcx's member lies where xdp's does, and is not in every linux/bpf.h. */
		state = info.xdp.ifindex ? PIN_ALIVE : PIN_DEFUNCT;
		*id = info.prog_id;
	}
	close(fd);
	return state;
}

bool link_parse_name(const char *name, uint32_t *id)
{
	return sscanf(name, LINK_PREFIX "%u", id) == 1 ||
	       sscanf(name, TC_LINK_PREFIX "%u", id) == 1;
}

int program_info(int fd, struct bpf_prog_info *info)
{
	uint32_t size = sizeof(*info);

	memset(info, 0, size);
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}
