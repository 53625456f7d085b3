/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "caps.h"
#include "layout.h"
#include "maps.h"
#include "pins.h"
#include "state.h"

/* The pinned maps. CPUs multiply the entries of stats, and add to those of gate. */
const struct map_spec STATS = {
	"stats",       BPF_MAP_TYPE_ARRAY, 4, sizeof(struct mangle_stats), MANGLE_STATS_SLOTS,
	BPF_F_MMAPABLE};
const struct map_spec IFACES = {"ifaces",
				BPF_MAP_TYPE_HASH,
				sizeof(struct mangle_iface_key),
				sizeof(struct mangle_iface),
				MANGLE_MAX_IFACES,
				0};
const struct map_spec TABLES = {"tables", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, MANGLE_TABLE_SLOTS, 0};
const struct map_spec FLOWS = {"flows", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0};
const struct map_spec GATE = {"gate", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct mangle_gate),
			      1,      BPF_F_MMAPABLE};
const struct map_spec LAYOUT = {"layout", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct mangle_layout), 1,
				0};
const struct map_spec CONFIG = {"config", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0};

/* ---- the maps that others hold ---- */

int maps_create_config(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "mangle_config", 4, sizeof(struct mangle_config),
			      1, &o);
}

int maps_create_table(uint32_t entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "mangle_table", 4, MANGLE_CELL, entries, &o);
}

int maps_create_flows(uint32_t entries)
{
	return bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "mangle_flows", sizeof(struct mangle_flow_key),
			      sizeof(struct mangle_flow), entries, NULL);
}

/* ---- creating ---- */

/* bpf(2) itself, so that a map can be made on kernels that count memory by RLIMIT_MEMLOCK (< 5.11).
 */
void maps_raise_memlock(void)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &all); /* where it is refused it is mostly not needed */
}

int maps_try(void)
{
	int fd;

	maps_raise_memlock();
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mangle_try", 4, 8, 1, NULL);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

uint32_t maps_entries(const struct store *s, const struct map_spec *m)
{
	return m == &STATS  ? m->entries * (s->possible + MANGLE_STATS_OWN)
	       : m == &GATE ? m->entries + s->possible
			    : m->entries;
}

static int create_map(const struct store *s, const struct map_spec *m)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = m->flags);
	int inner = -1, fd;

	if (m == &TABLES)
		inner = maps_create_table(1);
	else if (m == &CONFIG)
		inner = maps_create_config();
	else if (m == &FLOWS)
		inner = maps_create_flows(1);
	if (m->type == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
		if (inner < 0)
			return inner;
		o.inner_map_fd = (uint32_t)inner;
	}
	fd = bpf_map_create(m->type, m->name, m->key_size, m->value_size, maps_entries(s, m), &o);
	if (inner >= 0)
		close(inner);
	return fd;
}

/* A map that others may find has to be complete before. */
int map_fill(const struct map_spec *m, int fd, struct err *e)
{
	const struct mangle_gate first = {.epoch = 1};
	const uint32_t zero = 0;
	struct mangle_layout *own;
	int err = 0;

	if (m == &GATE && bpf_map_update_elem(fd, &zero, &first, BPF_ANY))
		return fail(e, -errno, m->name, "creating the map: %s", strerror(errno));
	if (m != &LAYOUT)
		return 0;
	own = malloc(sizeof(*own));
	if (!own)
		return fail(e, -ENOMEM, m->name, "creating the map: out of memory");
	err = layout_own(own, e);
	if (!err && bpf_map_update_elem(fd, &zero, own, BPF_ANY))
		err = fail(e, -errno, m->name, "creating the map: %s", strerror(errno));
	free(own);
	return err;
}

/* ---- opening ---- */

/* Is it what this version would have made? */
static bool map_fits(const struct store *s, const struct map_spec *m,
		     const struct bpf_map_info *info)
{
	return info->type == m->type && info->key_size == m->key_size &&
	       info->value_size == m->value_size && info->max_entries == maps_entries(s, m) &&
	       info->map_flags == m->flags;
}

int map_open(const char *path, uint32_t id, int *fd, struct bpf_map_info *info, struct err *e)
{
	uint32_t size = sizeof(*info);
	int err;

	memset(info, 0, size);
	*fd = id ? bpf_map_get_fd_by_id(id) : bpf_obj_get(path);
	if (*fd >= 0 && !bpf_obj_get_info_by_fd(*fd, info, &size))
		return 0;
	err = -errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	/* -ENOENT would be "nothing is loaded". */
	return fail(e, err == -ENOENT ? -EBADF : err, path, "opening the pin: %s (%s)",
		    caps_why(err, CAPS(BPF)),
		    err == -EPERM || err == -EACCES ? "see doctor" : "try again");
}

int map_open_pin(const struct store *s, const char *dir, const struct map_spec *m, int *fd,
		 struct err *e)
{
	struct bpf_map_info info;
	char path[PATH_SIZE];
	struct stat st;
	int err;

	if (lstat(pin_path(path, dir, m->name), &st))
		return errno == ENOENT
			       ? -ENOENT
			       : fail(e, -errno, path, "opening the pin: %s", strerror(errno));
	err = pin_check_owner(path, &st, e);
	if (err)
		return err;
	err = map_open(path, 0, fd, &info, e);
	if (err || map_fits(s, m, &info))
		return err;
	close(*fd);
	*fd = -1;
	return fail(
		e, -EBADF, path,
		"opening the pin: it is not mangle's, or of another version, or damaged (remove it if nobody needs it)");
}

int map_open_or_create(const struct store *s, const char *dir, const struct map_spec *m, int *fd,
		       struct err *e)
{
	char path[PATH_SIZE];
	int err = s->private ? -ENOENT : map_open_pin(s, dir, m, fd, e);

	if (err != -ENOENT)
		return err;
	*fd = create_map(s, m);
	if (*fd < 0)
		return fail(e, -errno, m->name, "creating the map: %s (see doctor)",
			    caps_why(-errno, CAPS(BPF)));
	err = map_fill(m, *fd, e);
	if (!err && !s->private && bpf_obj_pin(*fd, pin_path(path, dir, m->name)))
		return fail(e, -errno, path, "pinning the map: %s", strerror(errno));
	return err;
}

struct store_fds store_fds(const struct store *s)
{
	return (struct store_fds){
		.config = s->config,
		.tables = s->tables,
		.stats = s->stats,
		.flows = s->flows,
		.gate = s->gate,
	};
}
