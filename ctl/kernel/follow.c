/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "follow.h"
#include "inner.h"
#include "lock.h"
#include "maps.h"
#include "pins.h"
#include "recover.h"
#include "running.h"
#include "state.h"

void store_pause(struct store *s)
{
	s->paused_at = store_generation(s);
	lock_release(s->dir);
}

/* Checks that the open configuration map is still the pinned one. Returns 0, -ENOENT without e set,
 * or negative errno with e set. */
static int check_pin(const struct store *s, struct err *e)
{
	const char *name = map_spec(MAP_CONFIG)->name;
	struct bpf_map_info pinned, own = {0};
	uint32_t size = sizeof(own);
	char path[PATH_SIZE];
	int fd, err;

	if (!pin_exists(name))
		return -ENOENT;
	err = map_open(pin_path(path, STORE_DIR, name), 0, &fd, &pinned, e);
	if (err)
		return err;
	close(fd);
	if (bpf_obj_get_info_by_fd(s->map[MAP_CONFIG], &own, &size))
		return fail(e, -errno, path, "reading the map's id: %s (try again)",
			    strerror(errno));
	return own.id == pinned.id ? 0 : -ENOENT;
}

/* Opens the configuration in force, where it is another one now. */
static int reopen_running(struct store *s, struct err *e)
{
	uint32_t id;
	int err = outer_get(s->map[MAP_CONFIG], 0, &id, e);

	if (err || id == s->config_inner.id)
		return err;
	inner_close(&s->config_inner);
	return running_open(s, e);
}

int store_resume(struct store *s, double wait, struct err *e)
{
	int err = lock_again(s->dir, wait, e);

	if (err)
		return err;
	err = check_pin(s, e);
	if (!err)
		err = reopen_running(s, e);
	if (!err)
		err = recover_interrupted(s, false, wait, e);
	if (!err)
		return store_generation(s) != s->paused_at;
	lock_release(s->dir);
	return err;
}
