/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/open.h"
#include "kernel/services.h"
#include "files/table_file.h"
#include "print.h"

/* Reads the settings of the service that the table file has to fit. */
static int read_settings(const struct cmd *c, struct service *out, struct err *e)
{
	struct service *svc;
	struct model m;
	struct store *s;
	int err = open_picked(c, STORE_READ, &s, &m, &svc, e);

	if (err)
		return err;
	*out = *svc;
	out->keep_entities = false; /* the file has its entities */
	model_free(&m);
	store_close(s);
	return 0;
}

/* An entity of `more` has the name that it has there, or none. */
static int merge_names(struct service *into, const struct service *more, struct err *e)
{
	struct entity_names *names = &into->names;
	size_t kept = 0, j = 0;
	int err;

	for (size_t i = 0; i < names->count; i++) {
		const uint8_t *tag = names->name[i].tag;

		while (j < more->entity_count &&
		       memcmp(more->entities[j].tag, tag, MANGLE_MAX_TAG) < 0)
			j++;
		if (j == more->entity_count || memcmp(more->entities[j].tag, tag, MANGLE_MAX_TAG))
			names->name[kept++] = names->name[i];
	}
	names->count = kept;
	err = names_append(names, &more->names, e);
	names_sort(names);
	return err;
}

/* Both are sorted. Where both have a tag, the entity of `more` replaces the other. */
static int merge(struct service *into, const struct service *more, struct err *e)
{
	size_t room = into->entity_count + more->entity_count + 1;
	struct entity *all = malloc(room * sizeof(*all));
	size_t i = 0, j = 0, n = 0;

	if (!all)
		return fail(e, -ENOMEM, into->name, "merging tables: out of memory");
	while (i < into->entity_count || j < more->entity_count) {
		int order = i == into->entity_count ? 1
			    : j == more->entity_count
				    ? -1
				    : memcmp(into->entities[i].tag, more->entities[j].tag,
					     sizeof(more->entities[j].tag));

		all[n++] = order < 0 ? into->entities[i] : more->entities[j];
		i += order <= 0;
		j += order >= 0;
	}
	free(into->entities);
	into->entities = all;
	into->entity_count = n;
	into->entity_room = room;
	return merge_names(into, more, e);
}

/* Merges the file's entities into the service, or replaces the service's by them. */
static int load(const struct cmd *c, struct store *s, struct service *file, bool replace,
		struct err *e)
{
	struct model from, to;
	struct service *svc;
	int ret;

	model_init(&from);
	model_init(&to);
	ret = store_read(s, &from, false, e);
	if (!ret)
		ret = pick_service(c, &from, &svc, e);
	/* Another run may have changed the service while the file was read. */
	if (!ret && (svc->tag_len != file->tag_len || strcmp(svc->name, file->name)))
		ret = fail(e, -EAGAIN, svc->name,
			   "loading %.200s: the service was changed meanwhile (try again)",
			   c->argv[0]);
	/* The entities that are replaced have to be read only where they are printed. */
	if (!ret && (!replace || given(c, OPT(CHECK))))
		ret = read_entities_of(s, svc, e);
	if (!ret)
		ret = model_copy(&to, &from, e);
	if (!ret) {
		svc = model_find(&to, file->name);
		svc->keep_entities = false;
		if (replace)
			service_move_entities(svc, file);
		else
			ret = merge(svc, file, e);
	}
	if (!ret)
		ret = apply_change(c, s, &from, &to, false, e);
	model_free(&from);
	model_free(&to);
	return ret;
}

/* The file is read without the lock, since it may come slowly. */
static int load_file(const struct cmd *c, bool replace, struct err *e)
{
	struct service file;
	struct store *s;
	int ret = read_settings(c, &file, e);

	if (ret)
		return ret;
	ret = table_load(c->argv[0], &file, e);
	if (!ret)
		ret = open_loaded(c, given(c, OPT(CHECK)) ? STORE_READ : STORE_WRITE, &s, e);
	if (!ret) {
		ret = load(c, s, &file, replace, e);
		store_close(s);
	}
	service_free(&file);
	return ret;
}

int cmd_map_load(const struct cmd *c, struct err *e)
{
	return load_file(c, false, e);
}

int cmd_map_replace(const struct cmd *c, struct err *e)
{
	return load_file(c, true, e);
}
