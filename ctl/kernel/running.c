/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "caps.h"
#include "clock.h"
#include "inner.h"
#include "pins.h"
#include "running.h"
#include "state.h"

int running_create(struct store *s, struct err *e)
{
	struct inner in = {.fd = -1};
	struct mangle_config *c;
	uint32_t hz;
	int err;

	if (!s->private && mkdir(INNER_DIR, 0700) && errno != EEXIST)
		return fail(e, -errno, INNER_DIR, "creating it: %s", strerror(errno));
	err = clock_measure_hz(&hz);
	if (err)
		return fail(e, err, "clock", "measuring the kernel's ticks: %s (see doctor)",
			    caps_why(err, CAPS(BPF)));
	err = inner_create(s, 0, &in, e);
	if (err)
		return err;
	c = in.memory;
	c->magic = MANGLE_CONFIG_MAGIC;
	c->layout = MANGLE_LAYOUT_VERSION;
	c->classifier = MANGLE_NO_TABLE;
	c->hz = hz;
	err = outer_set(s->map[MAP_CONFIG], 0, &in, e);
	inner_close(&in);
	return err;
}

int running_open(struct store *s, struct err *e)
{
	const struct mangle_config *c;
	struct stat st;
	uint32_t id;
	int err = outer_get(s->map[MAP_CONFIG], 0, &id, e);

	if (err)
		return err;
	if (!id)
		return fail(e, -EBADF, STORE_DIR "/config",
			    "reading it: it has no configuration (detach --all --purge)");
	if (!s->private && !lstat(INNER_DIR, &st))
		err = pin_check_owner(INNER_DIR, &st, e);
	else if (!s->private && errno != ENOENT) /* else there is no pin either, which is said */
		err = fail(e, -errno, INNER_DIR, "opening it: %s (try again)", strerror(errno));
	if (!err)
		err = inner_open(s, id, HELD_CONFIG, &s->config_inner, e);
	if (!err)
		err = inner_map(&s->config_inner, 0, s->config_inner.size, e);
	if (err)
		return err;
	c = store_config(s);
	if (s->config_inner.size < sizeof(*c) || c->magic != MANGLE_CONFIG_MAGIC ||
	    c->layout != MANGLE_LAYOUT_VERSION)
		return fail(e, -EBADF, STORE_DIR "/config", "reading it: it is damaged");
	return 0;
}

void running_set_dirty(struct store *s, bool dirty)
{
	__atomic_store_n(&store_config(s)->dirty, dirty, __ATOMIC_RELEASE);
}

int store_is_fresh(const struct store *s)
{
	return store_config(s)->generation == 0;
}

uint64_t store_generation(const struct store *s)
{
	return store_config(s)->generation;
}

const char *store_file(const struct store *s)
{
	return store_config(s)->file;
}

uint32_t store_target(const struct store *s, uint16_t port)
{
	return store_config(s)->target[port];
}

int running_index(const struct store *s, const char *name)
{
	const struct mangle_config *c = store_config(s);

	for (uint32_t i = 0; i < c->service_count && i < MANGLE_MAX_SERVICES; i++)
		if (!strncmp(c->info[i].name, name, MANGLE_NAME_SIZE))
			return (int)i;
	return -1;
}

int running_no_service(const char *name, struct err *e)
{
	return fail(e, -ENOENT, name,
		    "looking for the service: no such service (see service list)");
}
