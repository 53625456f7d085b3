/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From maps of an older layout version to ours, while programs run on both.
 *
 * Entity tables, classifier, flow table and gate are shared: no packet can tell, and counters stay
 * where they are. config, stats and ifaces are made anew beside the old ones, in next/, their
 * values converted by the names of their fields (layout.h). prog_upgrade then puts programs on them
 * in the place of the old ones. What those had counted is taken over last, when none of them runs.
 *
 * Interrupted before: doing it again goes on with what is in next/, where programs may count
 * already, and converts the configuration anew. Interrupted after: next/ was renamed to done/, and
 * what is in it is put into its places.
 *
 * An entity table or flow of another make needs a reader of its own here; so far there is none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate.h"
#include "ifaces.h"
#include "inner.h"
#include "layout.h"
#include "maps.h"
#include "migrate.h"
#include "pins.h"
#include "recover.h"
#include "state.h"

struct migration {
	struct mangle_layout theirs;
	int config, stats, ifaces; /* of the older version; -1: none */
	bool resumed;		   /* programs may already run on the new ones */
};

/* ---- reading theirs ---- */

static int get_theirs(enum map_id id, struct bpf_map_info *info, int *fd, struct err *e)
{
	char path[PATH_SIZE];
	int err = map_open(pin_path(path, STORE_DIR, map_spec(id)->name), 0, fd, info, e);

	if (err || info->type == map_spec(id)->type)
		return err;
	close(*fd);
	*fd = -1;
	return fail(
		e, -EBADF, path,
		"opening the pin: it is not mangle's, or damaged (remove it if it is not needed)");
}

/* Maps all of an array for reading. */
static const void *map_theirs(int fd, const struct bpf_map_info *info, struct err *e)
{
	size_t size = (size_t)info->max_entries * info->value_size;
	void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (memory != MAP_FAILED)
		return memory;
	fail(e, -errno, STORE_DIR, "reading maps of another layout version: %s", strerror(errno));
	return NULL;
}

static int wrong_size(const char *what, struct err *e)
{
	return fail(e, -EBADF, STORE_DIR, "reading maps of another layout version: %s is damaged",
		    what);
}

/* ---- configuration ---- */

static int convert_config(struct store *s, const struct conversion *c, struct err *e)
{
	struct mangle_config *config;
	struct bpf_map_info info;
	char path[PATH_SIZE];
	const void *theirs;
	uint32_t id;
	int fd, err = outer_get(s->migration->config, 0, &id, e);

	if (!err)
		err = map_open(pin_inner_path(path, id), 0, &fd, &info, e);
	if (err)
		return err;
	if (info.value_size != conversion_their_size(c) || info.max_entries != 1)
		err = wrong_size("config", e);
	theirs = err ? NULL : map_theirs(fd, &info, e);
	if (!err)
		err = theirs ? inner_create(s, 0, &s->config_inner, e) : -EIO;
	if (!err) {
		config = s->config_inner.memory;
		convert(c, theirs, config);
		config->layout = MANGLE_LAYOUT_VERSION;
		err = outer_set(s->map[MAP_CONFIG], 0, &s->config_inner, e);
	}
	inner_close(&s->config_inner); /* it is opened again as any other */
	if (theirs)
		munmap((void *)theirs, info.value_size);
	close(fd);
	return err;
}

/* ---- attachments ---- */

/* A record that exists has been converted before, and may be newer; unless it is that of a link,
 * and an older binary has attached again since. */
static int convert_ifaces(struct store *s, const struct conversion *key, const struct conversion *c,
			  const struct bpf_map_info *info, struct err *e)
{
	char *last = calloc(1, info->key_size + 1), *at = calloc(1, info->key_size + 1);
	void *value = calloc(1, info->value_size + 1);
	struct mangle_iface_key our_key;
	struct mangle_iface ours, before;
	bool first = true;
	int err = 0;

	if (!last || !at || !value)
		err = fail(e, -ENOMEM, "ifaces", "reading attachments: out of memory");
	while (!err && !bpf_map_get_next_key(s->migration->ifaces, first ? NULL : last, at)) {
		first = false;
		memcpy(last, at, info->key_size);
		if (bpf_map_lookup_elem(s->migration->ifaces, at, value))
			break;
		convert(key, at, &our_key);
		convert(c, value, &ours);
		if (!bpf_map_lookup_elem(s->map[MAP_IFACES], &our_key, &before) &&
		    (before.dispatcher || store_iface_same(&ours, &before)))
			continue;
		if (bpf_map_update_elem(s->map[MAP_IFACES], &our_key, &ours, BPF_ANY))
			err = fail(e, -errno, ours.name, "recording the attachment: %s",
				   strerror(errno));
	}
	if (!err && errno != ENOENT) /* ENOENT: the end; a record left out would be removed */
		err = fail(e, -errno, "ifaces", "reading attachments: %s", strerror(errno));
	free(last);
	free(at);
	free(value);
	return err;
}

/* ---- counters ---- */

static void add_cells(struct mangle_stats *to, const struct mangle_stats *from)
{
	for (size_t i = 0; i < sizeof(*to) / sizeof(uint64_t); i++)
		((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
}

/* No program counts in the old map any more. Doing this twice gives the same. */
static int carry_stats(struct store *s, struct err *e)
{
	const unsigned int before = s->possible + MANGLE_STATS_BEFORE;
	struct bpf_map_info info;
	struct conversion *c;
	const char *memory;
	uint32_t copies, slots;
	int fd, err;

	err = get_theirs(MAP_STATS, &info, &fd, e);
	if (!err)
		err = conversion_open(&c, &s->migration->theirs, "mangle_stats", e);
	else
		c = NULL;
	copies = s->possible + MANGLE_STATS_OWN;
	slots = info.max_entries / copies;
	if (!err && (info.value_size != conversion_their_size(c) || slots > MANGLE_STATS_SLOTS))
		err = wrong_size("stats", e);
	memory = err ? NULL : map_theirs(fd, &info, e);
	if (!err && !memory)
		err = -EIO;
	for (uint32_t slot = 0; !err && slot < slots; slot++) {
		struct mangle_stats sum = {0}, one;

		for (unsigned int copy = 0; copy < copies; copy++) {
			convert(c, memory + ((size_t)copy * slots + slot) * info.value_size, &one);
			if (copy == before)
				*store_stats_cell(s, before, slot) = one;
			else
				add_cells(&sum, &one);
		}
		*store_stats_cell(s, s->possible + MANGLE_STATS_CARRIED, slot) = sum;
	}
	if (memory)
		munmap((void *)memory, (size_t)info.max_entries * info.value_size);
	if (fd >= 0)
		close(fd);
	conversion_close(c);
	return err;
}

/* ---- begin and end ---- */

static int open_theirs(struct store *s, struct bpf_map_info *ifaces, struct err *e)
{
	struct migration *m = s->migration;
	const uint32_t zero = 0;
	struct bpf_map_info info;
	int err;

	if (bpf_map_lookup_elem(s->map[MAP_LAYOUT], &zero, &m->theirs))
		return fail(e, -errno, STORE_DIR "/layout", "reading it: %s", strerror(errno));
	err = get_theirs(MAP_CONFIG, &info, &m->config, e);
	if (!err)
		err = get_theirs(MAP_IFACES, ifaces, &m->ifaces, e);
	return err;
}

static int create_ours(struct store *s, struct err *e)
{
	int layout = -1; /* s has it open */
	int err = 0;

	s->migration->resumed = mkdir(NEXT_DIR, 0700) != 0;
	if (s->migration->resumed && errno != EEXIST)
		return fail(e, -errno, NEXT_DIR, "creating it: %s", strerror(errno));
	for (enum map_id m = 0; m < MAPS && !err; m++)
		if (!map_spec(m)->shared)
			err = map_open_or_create(s, NEXT_DIR, m,
						 m == MAP_LAYOUT ? &layout : &s->map[m], e);
	if (layout >= 0)
		close(layout);
	return err;
}

int migrate_begin(struct store *s, struct err *e)
{
	struct conversion *config = NULL, *key = NULL, *iface = NULL;
	struct bpf_map_info info;
	int err;

	s->migration = calloc(1, sizeof(*s->migration));
	if (!s->migration)
		return fail(e, -ENOMEM, STORE_DIR, "opening it: out of memory");
	s->migration->config = s->migration->ifaces = -1;
	err = open_theirs(s, &info, e);
	if (!err)
		err = conversion_open(&config, &s->migration->theirs, "mangle_config", e);
	if (!err)
		err = conversion_open(&key, &s->migration->theirs, "mangle_iface_key", e);
	if (!err)
		err = conversion_open(&iface, &s->migration->theirs, "mangle_iface", e);
	if (!err && (info.key_size != conversion_their_size(key) ||
		     info.value_size != conversion_their_size(iface)))
		err = wrong_size("ifaces", e);
	if (!err)
		err = create_ours(s, e);
	if (!err)
		err = convert_ifaces(s, key, iface, &info, e);
	if (!err)
		err = convert_config(s, config, e);
	conversion_close(config);
	conversion_close(key);
	conversion_close(iface);
	if (err)
		store_not_migrated(s);
	return err;
}

void migrate_close(struct store *s)
{
	if (!s->migration)
		return;
	if (s->migration->config >= 0)
		close(s->migration->config);
	if (s->migration->ifaces >= 0)
		close(s->migration->ifaces);
	free(s->migration);
	s->migration = NULL;
}

bool store_is_migrating(const struct store *s)
{
	return s->migration;
}

/* In doubt there is one: then records are in two places, and what neither has is removed. */
bool store_is_changing_layout(void)
{
	return !access(NEXT_DIR, F_OK) || errno != ENOENT;
}

void store_not_migrated(struct store *s)
{
	if (!s->migration || s->migration->resumed)
		return; /* what was begun before may be in use */
	pins_remove(NEXT_DIR);
	if (s->config_inner.id)
		inner_unpin(s, s->config_inner.id);
}

_Static_assert(MAP_LAYOUT == 0, "migrate_resume comes to it last");

/* `layout` comes last: until then, maps in done/ still have to be moved to their places. */
int migrate_resume(struct err *e)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	for (unsigned int i = 1; i <= MAPS; i++) {
		const struct map_spec *m = map_spec(i % MAPS);

		if (!m->shared &&
		    rename(pin_path(from, DONE_DIR, m->name), pin_path(to, STORE_DIR, m->name)) &&
		    errno != ENOENT)
			return fail(e, -errno, from, "moving it into place: %s", strerror(errno));
	}
	rmdir(DONE_DIR);
	return 0;
}

int store_migrated(struct store *s, struct err *e)
{
	int err;

	if (!s->migration) {
		recover_sweep_pins(s); /* which a run that was killed at its end has left */
		return 0;
	}
	err = store_wait(s, e);
	if (!err)
		err = carry_stats(s, e);
	if (!err && rename(NEXT_DIR, DONE_DIR))
		err = fail(e, -errno, NEXT_DIR, "renaming it: %s", strerror(errno));
	if (!err)
		err = migrate_resume(e);
	if (err)
		return err;
	migrate_close(s);
	if (store_config(s)->dirty)
		return store_recover(s, e);
	recover_sweep_pins(s);
	return 0;
}
