/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "caps.h"
#include "inner.h"
#include "maps.h"
#include "pins.h"
#include "state.h"

int inner_create(const struct store *s, uint32_t entries, struct inner *in, struct err *e)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	char path[PATH_SIZE];

	in->fd = entries ? map_create_held(HELD_TABLE, entries) : map_create_held(HELD_CONFIG, 1);
	if (in->fd < 0)
		return fail(e, -errno, "tables", "creating a map of %zu bytes: %s (see doctor)",
			    entries ? (size_t)entries * MANGLE_CELL : sizeof(struct mangle_config),
			    caps_why(-errno, CAPS(BPF)));
	in->memory = MAP_FAILED;
	if (bpf_obj_get_info_by_fd(in->fd, &info, &size))
		goto bad;
	in->id = info.id;
	in->size = entries ? (size_t)entries * MANGLE_CELL : sizeof(struct mangle_config);
	in->memory = mmap(NULL, in->size, PROT_READ | PROT_WRITE, MAP_SHARED, in->fd, 0);
	if (in->memory == MAP_FAILED)
		goto bad;
	if (!s->private && bpf_obj_pin(in->fd, pin_inner_path(path, in->id)))
		goto bad;
	return 0;
bad:
	fail(e, -errno, "tables", "creating a map: %s", strerror(errno));
	inner_close(in);
	return -EIO;
}

int inner_open_held(const struct store *s, uint32_t id, enum held_id is, struct inner *in,
		    struct bpf_map_info *info, struct err *e)
{
	char path[PATH_SIZE];
	int err;

	*in = (struct inner){.id = id, .fd = -1, .memory = MAP_FAILED};
	pin_inner_path(path, id);
	err = map_open(path, s->private ? id : 0, &in->fd, info, e);
	if (err)
		return err;
	if (info->id == id && map_fits_held(is, info))
		return 0;
	inner_close(in);
	return fail(e, -EBADF, path, "opening the pin: it is not mangle's, or damaged");
}

int inner_open(const struct store *s, uint32_t id, enum held_id is, struct inner *in, struct err *e)
{
	struct bpf_map_info info;
	int err = inner_open_held(s, id, is, in, &info, e);

	if (err)
		return err;
	in->size = (size_t)info.max_entries * info.value_size;
	in->memory = mmap(NULL, in->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (in->memory == MAP_FAILED) {
		err = fail(e, -errno, INNER_DIR, "mapping %u: %s", id, strerror(errno));
		inner_close(in);
	}
	return err;
}

int inner_map(const struct inner *in, size_t from, size_t size, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t first = from / page * page;

	if (mmap((char *)in->memory + first, from + size - first, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, in->fd, (off_t)first) == MAP_FAILED)
		return fail(e, -errno, INNER_DIR, "mapping %u: %s", in->id, strerror(errno));
	return 0;
}

void inner_close(struct inner *in)
{
	if (in->memory && in->memory != MAP_FAILED)
		munmap(in->memory, in->size);
	if (in->fd >= 0)
		close(in->fd);
	*in = (struct inner){.fd = -1};
}

int inner_pin_held(const struct store *s, struct inner *in, struct err *e)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	char path[PATH_SIZE];
	int err = bpf_obj_get_info_by_fd(in->fd, &info, &size);

	in->id = info.id;
	if (!err && !s->private)
		err = bpf_obj_pin(in->fd, pin_inner_path(path, in->id));
	if (!err)
		return 0;
	err = fail(e, -errno, "tables", "creating a map: %s", strerror(errno));
	inner_close(in);
	return err;
}

bool inner_unpin(const struct store *s, uint32_t id)
{
	char path[PATH_SIZE];

	return s->private || !unlink(pin_inner_path(path, id)) || errno == ENOENT;
}

int outer_set(int outer, uint32_t place, const struct inner *in, struct err *e)
{
	/* The kernel returns from this update once no program uses the map that was there. */
	if (bpf_map_update_elem(outer, &place, &in->fd, BPF_ANY))
		return fail(e, -errno, "tables", "storing a map in slot %u: %s", place,
			    strerror(errno));
	return 0;
}

int outer_fill(int outer, const uint32_t *places, const int *fds, uint32_t n, struct err *e)
{
	uint32_t done = n;

	/* One by one, each update would wait until no program is running. */
	if (!n || !bpf_map_update_batch(outer, places, fds, &done, NULL))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(outer, &places[i], &fds[i], BPF_ANY))
			return fail(e, -errno, "tables", "storing a map in slot %u: %s", places[i],
				    strerror(errno));
	return 0;
}

void outer_clear(int outer, const uint32_t *places, uint32_t n)
{
	int nothing = n > 1 ? map_create_held(HELD_TABLE, 1) : -1;
	int *fds = nothing >= 0 ? calloc(n, sizeof(*fds)) : NULL;
	uint32_t done = n;
	int err = -1;

	/* Several slots cannot be deleted at once, but can be given the smallest table there is. */
	for (uint32_t i = 0; fds && i < n; i++)
		fds[i] = nothing;
	if (fds)
		err = bpf_map_update_batch(outer, places, fds, &done, NULL);
	for (uint32_t i = 0; err && i < n; i++)
		bpf_map_delete_elem(outer, &places[i]);
	free(fds);
	if (nothing >= 0)
		close(nothing);
}

int outer_get(int outer, uint32_t place, uint32_t *id, struct err *e)
{
	*id = 0;
	if (bpf_map_lookup_elem(outer, &place, id) && errno != ENOENT)
		return fail(e, -errno, "tables", "reading slot %u: %s", place, strerror(errno));
	return 0;
}
