/* SPDX-License-Identifier: GPL-2.0-only */
#include "entity_names.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "inner.h"
#include "maps.h"
#include "state.h"
#include "table.h"

#define LEAST_ROOM 64 /* the least number of names that a new map has room for */
/* Names are read in batches: one system call each takes a second for a million. */
#define BATCH 4096

struct batch {
	uint8_t tag[BATCH][MANGLE_MAX_TAG];
	char text[BATCH][MANGLE_TEXT_SIZE];
};

static uint32_t *id_of(const struct store *s, uint32_t index)
{
	return &store_config(s)->info[index].names_id;
}

static int no_memory(struct err *e)
{
	return fail(e, -ENOMEM, "names", "holding them: out of memory");
}

static int broken(const char *act, struct err *e)
{
	return fail(e, -errno, "names", "%s: %s (try again)", act, strerror(errno));
}

static int open_map(const struct store *s, uint32_t index, struct inner *in, struct err *e)
{
	struct bpf_map_info info;

	return inner_open_held(s, *id_of(s, index), HELD_NAMES, in, &info, e);
}

/* ---- reading ---- */

static int add_batch(struct entity_names *out, const struct batch *b, uint32_t count, struct err *e)
{
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++)
		err = names_add(out, b->tag[i], b->text[i], e);
	return err;
}

static int read_map(const struct inner *in, struct entity_names *out, struct err *e)
{
	struct batch *b = malloc(sizeof(*b));
	uint32_t at = 0, count;
	bool first = true, more = true;
	int err = b ? 0 : no_memory(e);

	while (more && !err) {
		count = BATCH;
		more = !bpf_map_lookup_batch(in->fd, first ? NULL : &at, &at, b->tag, b->text,
					     &count, NULL);
		if (!more && errno != ENOENT) /* ENOENT: the end of the map */
			err = broken("reading them", e);
		else
			err = add_batch(out, b, count, e);
		first = false;
	}
	free(b);
	names_sort(out);
	return err;
}

int entity_names_read(const struct store *s, uint32_t index, struct entity_names *out,
		      struct err *e)
{
	struct inner in;
	int err;

	*out = (struct entity_names){0};
	if (!*id_of(s, index))
		return 0;
	err = open_map(s, index, &in, e);
	if (!err)
		err = read_map(&in, out, e);
	inner_close(&in);
	if (err)
		names_free(out);
	return err;
}

int entity_names_get(const struct store *s, uint32_t index, const uint8_t *tag,
		     char text[MANGLE_TEXT_SIZE], struct err *e)
{
	struct inner in;
	int err;

	*text = '\0';
	if (!*id_of(s, index))
		return 0;
	err = open_map(s, index, &in, e);
	if (!err && bpf_map_lookup_elem(in.fd, tag, text) && errno != ENOENT)
		err = broken("reading one", e);
	inner_close(&in);
	return err;
}

/* ---- making ---- */

static int write_batch(int fd, const struct batch *b, uint32_t count, struct err *e)
{
	return bpf_map_update_batch(fd, b->tag, b->text, &count, NULL) ? broken("writing them", e)
								       : 0;
}

static int write_map(int fd, const struct entity_names *n, struct err *e)
{
	struct batch *b = malloc(sizeof(*b));
	uint32_t count = 0;
	int err = b ? 0 : no_memory(e);

	for (size_t i = 0; i < n->count && !err; i++) {
		memcpy(b->tag[count], n->name[i].tag, MANGLE_MAX_TAG);
		memcpy(b->text[count++], n->name[i].text, MANGLE_TEXT_SIZE);
		if (count < BATCH && i + 1 < n->count)
			continue;
		err = write_batch(fd, b, count, e);
		count = 0;
	}
	free(b);
	return err;
}

/* The new map has room for twice as many names, since a full one is rebuilt for the next name. */
static int make_map(const struct store *s, const struct entity_names *n, uint32_t *id,
		    struct err *e)
{
	uint32_t room = (uint32_t)(n->count < LEAST_ROOM / 2 ? LEAST_ROOM : 2 * n->count);
	struct inner in = {.fd = map_create_held(HELD_NAMES, room)};
	int err;

	*id = 0;
	if (in.fd < 0)
		return fail(e, -errno, "names", "creating a map for %u: %s (see doctor)", room,
			    caps_why(-errno, CAPS(BPF)));
	err = write_map(in.fd, n, e);
	if (!err)
		err = inner_pin_held(s, &in, e);
	if (!err)
		*id = in.id;
	inner_close(&in);
	return err;
}

int entity_names_make(const struct store *s, const struct service *svc, uint32_t *id, struct err *e)
{
	struct entity_names kept = {0};
	size_t at = 0;
	int err = 0;

	*id = 0;
	if (!svc->names.count || s->private)
		return 0;
	for (size_t i = 0; i < svc->entity_count && !err; i++) {
		const uint8_t *tag = svc->entities[i].tag;

		err = names_add(&kept, tag, names_next(&svc->names, &at, tag), e);
	}
	if (!err && kept.count)
		err = make_map(s, &kept, id, e);
	names_free(&kept);
	return err;
}

/* ---- in place ---- */

/* There is no map yet, or it is full. */
static int set_anew(struct store *s, uint32_t index, const uint8_t *tag, const char *text,
		    struct err *e)
{
	uint32_t *id = id_of(s, index), before = *id, made;
	struct entity_names all;
	int err = entity_names_read(s, index, &all, e);

	if (!err)
		err = names_set(&all, tag, text, e);
	if (!err)
		err = make_map(s, &all, &made, e);
	names_free(&all);
	if (err)
		return err;
	__atomic_store_n(id, made, __ATOMIC_RELEASE);
	if (before)
		inner_unpin(s, before);
	return 0;
}

static int change_map(const struct inner *in, const uint8_t *tag, const char *text)
{
	char value[MANGLE_TEXT_SIZE] = "";

	memcpy(value, text, strnlen(text, sizeof(value) - 1));
	if (*value)
		return bpf_map_update_elem(in->fd, tag, value, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(in->fd, tag) && errno != ENOENT ? -errno : 0;
}

int entity_names_set(struct store *s, uint32_t index, const uint8_t *tag, const char *text,
		     struct err *e)
{
	struct inner in;
	int err;

	if (s->private || (!*id_of(s, index) && !*text))
		return 0;
	if (!*id_of(s, index))
		return set_anew(s, index, tag, text, e);
	err = open_map(s, index, &in, e);
	if (err)
		return err;
	err = change_map(&in, tag, text);
	inner_close(&in);
	if (err == -E2BIG)
		return set_anew(s, index, tag, text, e);
	errno = -err;
	return err ? broken("writing one", e) : 0;
}

/* ---- the rest ---- */

int entity_names_sweep(const struct store *s, uint32_t index, const struct table *t, struct err *e)
{
	struct entity_names all;
	struct table_place at;
	struct inner in;
	int err = entity_names_read(s, index, &all, e);

	if (err || !all.count)
		return err;
	err = open_map(s, index, &in, e);
	for (size_t i = 0; i < all.count && !err; i++)
		if (!table_find(t, all.name[i].tag, &at) || !table_value(t, at))
			change_map(&in, all.name[i].tag, "");
	inner_close(&in);
	names_free(&all);
	return err;
}

/* Only the kernel knows the memory, since it allocates names one by one. */
static int map_bytes(int fd, size_t *bytes)
{
	char path[64], line[128];
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "memlock: %zu", bytes) == 1;
	if (f)
		fclose(f);
	return found;
}

int entity_names_size(const struct store *s, uint32_t index, size_t *bytes, struct err *e)
{
	struct inner in;
	size_t more = 0;
	int err;

	if (!*id_of(s, index))
		return 0;
	err = open_map(s, index, &in, e);
	if (!err && !map_bytes(in.fd, &more))
		err = fail(e, -EIO, "names",
			   "asking how large their map is: /proc does not tell (try again)");
	inner_close(&in);
	*bytes += more;
	return err;
}
