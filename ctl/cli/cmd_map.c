/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/open.h"
#include "kernel/row_change.h"
#include "kernel/rows.h"
#include "kernel/services.h"
#include "model/check.h"
#include "print.h"

/* ---- tags ---- */

static int parse_tag_argument(const struct cmd *c, const char *word, struct tag *tag, struct err *e)
{
	struct parse_error why;

	return parse_tag(word, tag, &why) ? bad_argument(c, "TAG", word, why.text, e) : 0;
}

static int check_length(const struct cmd *c, const char *word, const struct tag *tag,
			const struct service *s, struct err *e)
{
	struct parse_error why;

	if (tag->len == s->tag_len)
		return 0;
	tag_length_why(word, tag->len, s->name, s->tag_len, &why);
	return fail(e, -EINVAL, c->name, "TAG %.100s: %s", word, why.text);
}

static int not_there(const char *word, const struct service *s, struct err *e)
{
	return fail(e, -ENOENT, word,
		    "looking for the tag: service %s does not have it (see mangle-ctl map list)",
		    s->name);
}

/* ---- set, get ---- */

static int parse_set_size(const struct cmd *c, struct row_setting *to, struct err *e)
{
	const char *size = c->value[OPT_SIZE];
	struct parse_error why;

	to->set_size = size;
	if (!size || !strcmp(size, "none"))
		return 0;
	if (parse_window(size, &to->entity.size, &why))
		return bad_option(c, OPT_SIZE, why.text, e);
	to->entity.has_size = true;
	return 0;
}

/* text: storage for the name. */
static int parse_set_name(const struct cmd *c, struct row_setting *to, char text[MANGLE_TEXT_SIZE],
			  struct err *e)
{
	const char *name = c->value[OPT_NAME];
	struct parse_error why;

	*text = '\0';
	if (name && strcmp(name, "none") && parse_text(name, text, &why))
		return bad_option(c, OPT_NAME, why.text, e);
	to->name = name ? text : NULL;
	return 0;
}

static int parse_set(const struct cmd *c, struct tag *tag, struct row_setting *to,
		     char name[MANGLE_TEXT_SIZE], struct err *e)
{
	struct parse_error why;
	int err = parse_tag_argument(c, c->argv[0], tag, e);

	if (err)
		return err;
	*to = (struct row_setting){0};
	memcpy(to->entity.tag, tag->bytes, sizeof(to->entity.tag));
	if (parse_target(c->argv[1], &to->entity.target, &why))
		return bad_argument(c, "TARGET", c->argv[1], why.text, e);
	err = parse_set_size(c, to, e);
	return err ? err : parse_set_name(c, to, name, e);
}

static int check_fits(const struct cmd *c, const struct entity *en, const struct service *s,
		      struct err *e)
{
	const char *what;
	struct parse_error why;

	if (!entity_fits(s, en, &what, &why))
		return 0;
	return fail(e, -EINVAL, c->name, "%s: %s (see mangle-ctl service list)",
		    !strcmp(what, "tag")      ? "TAG"
		    : !strcmp(what, "target") ? "TARGET"
					      : "--size",
		    why.text);
}

int cmd_map_set(const struct cmd *c, struct err *e)
{
	const struct change_options o = change_options(c);
	struct change_result r = {0};
	char name[MANGLE_TEXT_SIZE];
	struct row_setting to;
	struct service *svc;
	struct model m;
	struct store *s;
	struct tag tag;
	int err = parse_set(c, &tag, &to, name, e);

	if (!err)
		err = open_picked(c, STORE_WRITE, &s, &m, &svc, e);
	if (err)
		return err;
	err = check_length(c, c->argv[0], &tag, svc, e);
	if (!err)
		err = check_fits(c, &to.entity, svc, e);
	if (!err)
		err = change_set_entity(s, &m, svc, &to, &o, &r, e);
	if (!err) {
		print_changes(c->out, &r.changes, r.changed, false, r.generation);
		print_warnings(c->out, &r.warnings);
	}
	change_result_free(&r);
	model_free(&m);
	store_close(s);
	return err;
}

int cmd_map_get(const struct cmd *c, struct err *e)
{
	char name[MANGLE_TEXT_SIZE];
	struct service *svc;
	struct model m;
	struct store *s;
	struct row row;
	struct tag tag;
	int err = parse_tag_argument(c, c->argv[0], &tag, e);

	if (!err)
		err = open_picked(c, STORE_READ, &s, &m, &svc, e);
	if (err)
		return err;
	err = check_length(c, c->argv[0], &tag, svc, e);
	if (!err) {
		int found = store_get_row(s, svc->name, &tag, &row, e);

		err = found > 0 ? 0 : found < 0 ? found : not_there(c->argv[0], svc, e);
	}
	if (!err)
		err = store_read_name(s, svc, tag.bytes, name, e);
	if (!err)
		err = names_set(&svc->names, tag.bytes, name, e);
	if (!err)
		print_row(c->out, svc, &row);
	model_free(&m);
	store_close(s);
	return err;
}

/* ---- del, flush ---- */

static int parse_tags(const struct cmd *c, struct tag **out, struct err *e)
{
	struct tag *tags = calloc((size_t)c->argc, sizeof(*tags));
	int err = 0;

	if (!tags)
		return fail(e, -ENOMEM, c->name, "reading the tags: out of memory");
	for (int i = 0; i < c->argc && !err; i++)
		err = parse_tag_argument(c, c->argv[i], &tags[i], e);
	if (err)
		free(tags);
	else
		*out = tags;
	return err;
}

/* One entity is deleted in place, so that no table is built anew for it. */
static int del_one(const struct cmd *c, struct store *s, const struct service *svc,
		   const struct tag *tag, struct err *e)
{
	const struct change_options o = change_options(c);
	struct change_result r;
	int found = change_del_entity(s, svc, tag, &o, &r, e);

	if (found < 0)
		return found;
	if (!found && !given(c, OPT(IF_EXISTS)))
		return not_there(c->argv[0], svc, e);
	print_changes(c->out, &r.changes, r.changed, false, r.generation);
	return 0;
}

static int compare_tags(const void *a, const void *b)
{
	const struct tag *x = a, *y = b;

	return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

/* Deletes all of the tags, or none. */
static int del_several(const struct cmd *c, struct store *s, const struct model *from,
		       const char *name, struct tag *tags, struct err *e)
{
	struct service *svc;
	struct model to;
	size_t kept = 0;
	int ret;

	model_init(&to);
	ret = model_copy(&to, from, e);
	if (ret)
		goto out;
	svc = model_find(&to, name);
	for (int i = 0; i < c->argc && !ret; i++)
		if (!given(c, OPT(IF_EXISTS)) && !service_find_entity(svc, &tags[i]))
			ret = not_there(c->argv[i], svc, e);
	if (ret)
		goto out;
	qsort(tags, (size_t)c->argc, sizeof(*tags), compare_tags);
	for (size_t i = 0; i < svc->entity_count; i++) {
		struct tag t = {.len = svc->tag_len};

		memcpy(t.bytes, svc->entities[i].tag, sizeof(t.bytes));
		if (!bsearch(&t, tags, (size_t)c->argc, sizeof(t), compare_tags))
			svc->entities[kept++] = svc->entities[i];
	}
	svc->entity_count = kept;
	ret = apply_change(c, s, from, &to, false, e);
out:
	model_free(&to);
	return ret;
}

int cmd_map_del(const struct cmd *c, struct err *e)
{
	struct service *svc;
	struct tag *tags = NULL;
	struct model m;
	struct store *s;
	int err = parse_tags(c, &tags, e);

	if (err)
		return err;
	err = open_picked(c, STORE_WRITE, &s, &m, &svc, e);
	if (err) {
		free(tags);
		return err;
	}
	for (int i = 0; i < c->argc && !err; i++)
		err = check_length(c, c->argv[i], &tags[i], svc, e);
	if (!err && c->argc > 1)
		err = read_entities_of(s, svc, e);
	if (!err)
		err = c->argc > 1 ? del_several(c, s, &m, svc->name, tags, e)
				  : del_one(c, s, svc, tags, e);
	model_free(&m);
	store_close(s);
	free(tags);
	return err;
}

int cmd_map_flush(const struct cmd *c, struct err *e)
{
	struct service *picked = NULL;
	struct model from, to;
	struct store *s;
	int err;

	if (given(c, OPT(ALL)) && given(c, OPT(SERVICE)))
		return usage_error(
			e, c->name,
			"--all, --service: only one of the two (see mangle-ctl %s --help)",
			c->name);
	err = open_running(c, STORE_WRITE, false, &s, &from, e);
	if (err)
		return err;
	model_init(&to);
	if (!given(c, OPT(ALL)))
		err = pick_service(c, &from, &picked, e);
	if (!err)
		err = model_copy(&to, &from, e);
	for (unsigned int i = 0; i < to.service_count && !err; i++)
		if (!picked || !strcmp(picked->name, to.services[i].name))
			to.services[i].keep_entities = false; /* so it has none */
	if (!err)
		err = apply_change(c, s, &from, &to, false, e);
	model_free(&from);
	model_free(&to);
	store_close(s);
	return err;
}
