/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/libbpf.h>
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

/* What the rows of maps.def are made of. */
enum { NOBODY = 0, XDP = MAP_USER_XDP, TC = MAP_USER_TC };
enum { OWN, SHARED };

static const struct map_spec specs[] = {
#define PINNED(id, pin, kind, key, value, count, bits, held, layouts, programs) \
	[MAP_##id] = {.name = (pin), \
		      .type = BPF_MAP_TYPE_##kind, \
		      .key_size = sizeof(key), \
		      .value_size = sizeof(value), \
		      .flags = (bits), \
		      .holds = HELD_##held, \
		      .shared = (layouts) == SHARED, \
		      .users = (programs)},
#include "maps.def"
};

static const struct map_spec held_specs[] = {
#define HELD(id, called, kind, key, value, bits) \
	[HELD_##id] = {.name = (called), \
		       .type = BPF_MAP_TYPE_##kind, \
		       .key_size = sizeof(key), \
		       .value_size = sizeof(value), \
		       .flags = (bits)},
#include "maps.def"
};

const struct map_spec *map_spec(enum map_id id)
{
	return &specs[id];
}

uint32_t map_entries(const struct store *s, enum map_id id)
{
	const uint32_t cpus = s->possible;
	const uint32_t entries[] = {
#define PINNED(which, pin, kind, key, value, count, ...) [MAP_##which] = (count),
#include "maps.def"
	};

	return entries[id];
}

/* Returns whether it is the same except for the number of entries. */
static bool fits(const struct map_spec *m, const struct bpf_map_info *info)
{
	return info->type == m->type && info->key_size == m->key_size &&
	       info->value_size == m->value_size && info->map_flags == m->flags;
}

bool map_fits_held(enum held_id id, const struct bpf_map_info *info)
{
	return fits(&held_specs[id], info);
}

/* ---- creating ---- */

/* bpf(2) is called directly, so that a map can be created on kernels that charge memory to
 * RLIMIT_MEMLOCK (before 5.11). */
void maps_raise_memlock(void)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &all); /* a refusal is ignored: mostly the limit is high enough */
}

static int create(const struct map_spec *m, uint32_t entries, int holds)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = m->flags);

	if (holds >= 0)
		o.inner_map_fd = (uint32_t)holds;
	return bpf_map_create(m->type, m->name, m->key_size, m->value_size, entries, &o);
}

int map_create_held(enum held_id id, uint32_t entries)
{
	return create(&held_specs[id], entries, -1);
}

static int create_map(const struct store *s, enum map_id id)
{
	const struct map_spec *m = &specs[id];
	int holds = -1, fd;

	if (m->holds != HELD_NONE) {
		holds = map_create_held(m->holds, 1);
		if (holds < 0)
			return holds;
	}
	fd = create(m, map_entries(s, id), holds);
	if (holds >= 0)
		close(holds);
	return fd;
}

/* A map that others can find must be complete before it is pinned. */
int map_fill(enum map_id id, int fd, struct err *e)
{
	const struct mangle_gate first = {.epoch = 1};
	const uint32_t zero = 0;
	struct mangle_layout *own;
	int err = 0;

	if (id == MAP_GATE && bpf_map_update_elem(fd, &zero, &first, BPF_ANY))
		return fail(e, -errno, map_spec(id)->name, "creating the map: %s", strerror(errno));
	if (id != MAP_LAYOUT)
		return 0;
	own = malloc(sizeof(*own));
	if (!own)
		return fail(e, -ENOMEM, map_spec(id)->name, "creating the map: out of memory");
	err = layout_own(own, e);
	if (!err && bpf_map_update_elem(fd, &zero, own, BPF_ANY))
		err = fail(e, -errno, map_spec(id)->name, "creating the map: %s", strerror(errno));
	free(own);
	return err;
}

/* ---- opening ---- */

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
	/* -ENOENT would mean "nothing is loaded". */
	return fail(e, err == -ENOENT ? -EBADF : err, path, "opening the pin: %s (%s)",
		    caps_why(err, CAPS(BPF)),
		    err == -EPERM || err == -EACCES ? "see doctor" : "try again");
}

int map_open_pin(const struct store *s, const char *dir, enum map_id id, int *fd, struct err *e)
{
	const struct map_spec *m = &specs[id];
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
	if (err || (fits(m, &info) && info.max_entries == map_entries(s, id)))
		return err;
	close(*fd);
	*fd = -1;
	return fail(
		e, -EBADF, path,
		"opening the pin: it is not mangle's, or of another version, or damaged (remove it if it is not needed)");
}

int map_open_or_create(const struct store *s, const char *dir, enum map_id id, int *fd,
		       struct err *e)
{
	const struct map_spec *m = &specs[id];
	char path[PATH_SIZE];
	int err = s->private ? -ENOENT : map_open_pin(s, dir, id, fd, e);

	if (err != -ENOENT)
		return err;
	*fd = create_map(s, id);
	if (*fd < 0)
		return fail(e, -errno, m->name, "creating the map: %s (see doctor)",
			    caps_why(-errno, CAPS(BPF)));
	err = map_fill(id, *fd, e);
	if (!err && !s->private && bpf_obj_pin(*fd, pin_path(path, dir, m->name)))
		return fail(e, -errno, path, "pinning the map: %s", strerror(errno));
	return err;
}

/* ---- programs ---- */

static int reuse(const struct map_spec *m, int fd, struct bpf_object *obj)
{
	struct bpf_map *theirs = bpf_object__find_map_by_name(obj, m->name);
	struct bpf_map_info as;

	if (!theirs)
		return -EBADF;
	as = (struct bpf_map_info){
		.type = bpf_map__type(theirs),
		.key_size = bpf_map__key_size(theirs),
		.value_size = bpf_map__value_size(theirs),
		.map_flags = bpf_map__map_flags(theirs),
	};
	return fits(m, &as) ? bpf_map__reuse_fd(theirs, fd) : -EBADF;
}

int maps_reuse(const struct store *s, enum map_user user, struct bpf_object *obj)
{
	int err = 0;

	for (enum map_id id = 0; id < MAPS && !err; id++)
		if (specs[id].users & user)
			err = reuse(&specs[id], s->map[id], obj);
	return err;
}
