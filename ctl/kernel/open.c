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

/* Before anything else: maps of another version are not what is looked for. */
static int open_layout(struct store *s, struct mangle_layout *theirs, struct err *e)
{
	const uint32_t zero = 0;
	int err = map_open_pin(s, STORE_DIR, &LAYOUT, &s->layout, e);

	if (err == -ENOENT)
		return fail(
			e, -EBADF, STORE_DIR,
			"reading it: layout version 3 or older, this mangle-ctl has version %d (detach --all --purge with the mangle-ctl that made it, then attach)",
			MANGLE_LAYOUT_VERSION);
	if (!err && bpf_map_lookup_elem(s->layout, &zero, theirs))
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

	/* `layout` comes first and `config` last: where that is, all are. */
	if (!s->private && pin_exists(CONFIG.name))
		err = check_layout(s, STORE_CREATE, &older, e);
	else
		err = map_open_or_create(s, STORE_DIR, &LAYOUT, &s->layout, e);
	/* A run of another version may have been interrupted before there was a configuration. */
	if (!err && (s->private || !pin_exists(CONFIG.name)))
		err = map_fill(&LAYOUT, s->layout, e);
	if (!err)
		err = map_open_or_create(s, STORE_DIR, &GATE, &s->gate, e);
	if (!err)
		err = map_open_or_create(s, STORE_DIR, &STATS, &s->stats, e);
	if (!err)
		err = map_open_or_create(s, STORE_DIR, &IFACES, &s->ifaces, e);
	if (!err)
		err = map_open_or_create(s, STORE_DIR, &TABLES, &s->tables, e);
	if (!err)
		err = map_open_or_create(s, STORE_DIR, &FLOWS, &s->flows, e);
	if (!err)
		err = map_open_or_create(s, STORE_DIR, &CONFIG, &s->config, e);
	if (!err)
		err = outer_get(s->config, 0, &id, e);
	if (!err && !id)
		err = running_create(s, e);
	return err;
}

static int missing(int err, struct err *e)
{
	return err != -ENOENT
		       ? err
		       : fail(e, -EBADF, STORE_DIR,
			      "opening the pins: one of config, stats, ifaces, tables, flows, gate is missing (detach what is attached and remove the directory)");
}

/* Those that layout versions share, as long as they fit. */
static int open_shared(struct store *s, struct err *e)
{
	int err = map_open_pin(s, STORE_DIR, &TABLES, &s->tables, e);

	if (!err)
		err = map_open_pin(s, STORE_DIR, &FLOWS, &s->flows, e);
	if (!err)
		err = map_open_pin(s, STORE_DIR, &GATE, &s->gate, e);
	return missing(err, e);
}

static int open_all(struct store *s, enum store_access access, struct err *e)
{
	uint32_t id;
	bool older;
	int err;

	if (!pin_exists(CONFIG.name))
		return -ENOENT;
	err = check_layout(s, access, &older, e);
	if (!err)
		err = open_shared(s, e);
	if (!err && older)
		return migrate_begin(s, e);
	if (!err)
		err = missing(map_open_pin(s, STORE_DIR, &CONFIG, &s->config, e), e);
	if (!err)
		err = missing(map_open_pin(s, STORE_DIR, &STATS, &s->stats, e), e);
	if (!err)
		err = missing(map_open_pin(s, STORE_DIR, &IFACES, &s->ifaces, e), e);
	if (!err)
		err = outer_get(s->config, 0, &id, e);
	if (!err && !id)
		err = -ENOENT; /* its making was interrupted: as if nothing was loaded */
	return err;
}

/* ---- the store ---- */

static struct store *new_store(void)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s) {
		s->dir = s->config = s->tables = s->stats = s->ifaces = s->flows = -1;
		s->gate = s->layout = -1;
		s->config_inner.fd = -1;
	}
	return s;
}

static int finish_open(struct store *s, enum store_access access, double wait, struct err *e)
{
	int err = running_open(s, e);

	if (!err)
		err = stats_map(s, e);
	/* What was begun in another layout version is finished in this one, see store_migrated. */
	if (!err && store_config(s)->dirty && !s->migration) {
		if (access == STORE_READ && lock_make_exclusive(s->dir, wait))
			return fail(
				e, -EBUSY, STORE_DIR,
				"finishing an interrupted change: the lock is busy (try again)");
		err = store_recover(s, e);
	}
	return err;
}

int store_open(struct store **out, enum store_access access, double wait, struct err *e)
{
	struct store *s;
	int err = bpffs_need(access == STORE_CREATE, e);

	*out = NULL;
	if (err)
		return err;
	liblog_begin(); /* the error says it */
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
		/* Leave no trace of what could not even be made. */
		if (access == STORE_CREATE && s->dir >= 0 && s->config < 0)
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
	const int *fds[] = {&s->config, &s->tables, &s->stats,	&s->ifaces,
			    &s->flows,	&s->gate,   &s->layout, &s->dir};

	if (!s)
		return;
	migrate_close(s);
	inner_close(&s->config_inner);
	if (s->stats_memory)
		munmap(s->stats_memory, s->stats_size);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (*fds[i] >= 0)
			close(*fds[i]); /* the directory last: it is the lock */
	free(s);
}

int store_purge(struct store *s, struct err *e)
{
	const struct map_spec *maps[] = {&CONFIG, &STATS, &IFACES, &TABLES, &FLOWS, &GATE, &LAYOUT};
	char path[PATH_SIZE];

	(void)s;
	/* `config` first: from then on nothing counts as loaded. */
	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		unlink(pin_path(path, STORE_DIR, maps[i]->name));
	pins_remove(INNER_DIR);
	pins_remove(NEXT_DIR);
	pins_remove(DONE_DIR);
	if (rmdir(STORE_DIR) && errno != ENOENT)
		return fail(e, -errno, STORE_DIR, "removing it: %s (see what is in it)",
			    strerror(errno));
	return 0;
}
