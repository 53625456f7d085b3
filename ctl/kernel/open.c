/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpffs.h"
#include "caps.h"
#include "cpus.h"
#include "inner.h"
#include "liblog.h"
#include "lock.h"
#include "maps.h"
#include "migrate.h"
#include "open.h"
#include "pins.h"
#include "recover.h"
#include "running.h"
#include "state.h"
#include "stats.h"

/* ---- the maps ---- */

/* This is checked first: maps of another version differ from the ones expected. */
static int open_layout(struct store *s, struct mangle_layout *theirs, struct err *e)
{
	const uint32_t zero = 0;
	int err = map_open_pin(s, STORE_DIR, MAP_LAYOUT, &s->map[MAP_LAYOUT], e);

	if (err == -ENOENT)
		return fail(
			e, -EBADF, STORE_DIR,
			"reading it: layout version 3 or older, this mangle-ctl has version %d (detach --all --purge with the mangle-ctl that made it, then attach)",
			MANGLE_LAYOUT_VERSION);
	if (!err && bpf_map_lookup_elem(s->map[MAP_LAYOUT], &zero, theirs))
		err = fail(e, errno == ENOENT ? -EBADF : -errno, STORE_DIR "/layout",
			   "reading it: %s (see doctor)", caps_why(-errno, CAPS(BPF)));
	else if (!err && theirs->magic != MANGLE_LAYOUT_MAGIC)
		err = fail(e, -EBADF, STORE_DIR "/layout", "reading it: it is damaged");
	return err;
}

static int check_layout(struct store *s, enum store_access access, bool *older, struct err *e)
{
	struct mangle_layout *theirs = malloc(sizeof(*theirs));
	int err = theirs ? open_layout(s, theirs, e)
			 : fail(e, -ENOMEM, STORE_DIR, "opening it: out of memory");

	*older = !err && theirs->version < MANGLE_LAYOUT_VERSION;
	if (!err &&
	    (theirs->version > MANGLE_LAYOUT_VERSION || (*older && access != STORE_UPGRADE)))
		err = fail(
			e, -EBADF, STORE_DIR,
			"reading it: layout version %u, this mangle-ctl has version %d (%s)",
			theirs->version, MANGLE_LAYOUT_VERSION,
			*older ? "use mangle-ctl upgrade"
			       : "use the mangle-ctl that made it, or detach --all --purge with that");
	free(theirs);
	return err;
}

static int create_all(struct store *s, struct err *e)
{
	uint32_t id;
	bool older;
	int err = 0;

	/* `layout` comes first and `config` last: where `config` exists, all do. */
	if (!s->private && pin_exists(map_spec(MAP_CONFIG)->name))
		err = check_layout(s, STORE_CREATE, &older, e);
	else
		err = map_open_or_create(s, STORE_DIR, MAP_LAYOUT, &s->map[MAP_LAYOUT], e);
	/* A run of another version may have been interrupted before there was a configuration. */
	if (!err && (s->private || !pin_exists(map_spec(MAP_CONFIG)->name)))
		err = map_fill(MAP_LAYOUT, s->map[MAP_LAYOUT], e);
	for (enum map_id m = MAP_LAYOUT + 1; m < MAPS && !err; m++)
		err = map_open_or_create(s, STORE_DIR, m, &s->map[m], e);
	if (!err)
		err = outer_get(s->map[MAP_CONFIG], 0, &id, e);
	if (!err && !id)
		err = running_create(s, e);
	return err;
}

/* Opens the pins that layout versions share, as long as they match, or the others. */
static int open_pins(struct store *s, bool shared, struct err *e)
{
	char path[PATH_SIZE];
	int err = 0;

	for (enum map_id m = MAP_LAYOUT + 1; m < MAPS && !err; m++) {
		if (map_spec(m)->shared != shared)
			continue;
		err = map_open_pin(s, STORE_DIR, m, &s->map[m], e);
		if (err == -ENOENT)
			err = fail(
				e, -EBADF, pin_path(path, STORE_DIR, map_spec(m)->name),
				"opening the pin: it is missing (detach what is attached and remove the directory)");
	}
	return err;
}

static int open_all(struct store *s, enum store_access access, struct err *e)
{
	uint32_t id;
	bool older;
	int err;

	if (!pin_exists(map_spec(MAP_CONFIG)->name))
		return -ENOENT;
	err = check_layout(s, access, &older, e);
	if (!err)
		err = open_pins(s, true, e);
	if (!err && older)
		return migrate_begin(s, e);
	if (!err)
		err = open_pins(s, false, e);
	if (!err)
		err = outer_get(s->map[MAP_CONFIG], 0, &id, e);
	if (!err && !id)
		err = -ENOENT; /* creating it was interrupted: nothing counts as loaded */
	return err;
}

/* ---- the store ---- */

static struct store *new_store(void)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s) {
		s->dir = s->config_inner.fd = -1;
		for (enum map_id m = 0; m < MAPS; m++)
			s->map[m] = -1;
	}
	return s;
}

static int finish_open(struct store *s, enum store_access access, double wait, struct err *e)
{
	int err = running_open(s, e);

	if (!err)
		err = stats_map(s, e);
	/* An upgrade begun from another layout version is completed, see store_migrated. */
	if (!err && !s->migration)
		err = recover_interrupted(s, access != STORE_READ, wait, e);
	return err;
}

int store_open(struct store **out, enum store_access access, double wait, struct err *e)
{
	struct store *s;
	int err = bpffs_need(access == STORE_CREATE, e);

	*out = NULL;
	if (err)
		return err;
	liblog_begin(); /* its reason goes into the error */
	s = new_store();
	if (!s)
		return fail(e, -ENOMEM, STORE_DIR, "opening it: out of memory");
	maps_raise_memlock();
	err = cpus_count(&s->possible, &s->cpus, e);
	if (!err)
		err = lock_open(access == STORE_CREATE, access != STORE_READ, wait, &s->dir, e);
	if (!err && access == STORE_UPGRADE)
		err = migrate_resume(e);
	if (!err)
		err = access == STORE_CREATE ? create_all(s, e) : open_all(s, access, e);
	if (!err)
		err = finish_open(s, access, wait, e);
	if (err) {
		/* Pins that could not be completed are removed. */
		if (access == STORE_CREATE && s->dir >= 0 && s->map[MAP_CONFIG] < 0)
			rmdir(STORE_DIR);
		store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

int store_open_private(struct store **out, struct err *e)
{
	struct store *s = new_store();
	int err;

	*out = NULL;
	if (!s)
		return fail(e, -ENOMEM, "tables", "making them: out of memory");
	s->private = true;
	maps_raise_memlock();
	err = cpus_count(&s->possible, &s->cpus, e);
	if (!err)
		err = create_all(s, e);
	if (!err)
		err = finish_open(s, STORE_CREATE, 0, e);
	if (err) {
		store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	migrate_close(s);
	inner_close(&s->config_inner);
	if (s->stats_memory)
		munmap(s->stats_memory, s->stats_size);
	for (enum map_id m = 0; m < MAPS; m++)
		if (s->map[m] >= 0)
			close(s->map[m]);
	if (s->dir >= 0)
		close(s->dir); /* last, since it is the lock */
	free(s);
}

int store_purge(struct store *s, struct err *e)
{
	char path[PATH_SIZE];

	(void)s;
	/* `config` is removed first: from then on nothing counts as loaded. */
	for (enum map_id m = MAPS; m-- > 0;)
		unlink(pin_path(path, STORE_DIR, map_spec(m)->name));
	pins_remove(INNER_DIR);
	pins_remove(NEXT_DIR);
	pins_remove(DONE_DIR);
	if (rmdir(STORE_DIR) && errno != ENOENT)
		return fail(e, -errno, STORE_DIR, "removing it: %s (see what is in it)",
			    strerror(errno));
	return 0;
}
