/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/open.h"
#include "kernel/row_change.h"
#include "kernel/rows.h"
#include "kernel/services.h"
#include "model/check.h"
#include "files/table_file.h"
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

/* text: where the name is kept. */
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

/* Opens the store and picks the service meant, of the running ones without entities in m. The
 * caller frees m and closes the store, once this has returned 0. */
static int open_picked(const struct cmd *c, enum store_access access, struct store **s,
		       struct model *m, struct service **svc, struct err *e)
{
	int err = open_loaded(c, access, s, e);

	if (err)
		return err;
	model_init(m);
	err = store_read(*s, m, false, e);
	if (!err)
		err = pick_service(c, m, svc, e);
	if (err) {
		model_free(m);
		store_close(*s);
	}
	return err;
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

/* In place: nothing is built anew for one tag. */
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

/* All of them at once, or none. */
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
	err = open_loaded(c, STORE_WRITE, &s, e);
	if (err)
		return err;
	model_init(&from);
	model_init(&to);
	err = store_read(s, &from, false, e);
	if (!err && !given(c, OPT(ALL)))
		err = pick_service(c, &from, &picked, e);
	if (!err)
		err = model_copy(&to, &from, e);
	for (unsigned int i = 0; i < to.service_count && !err; i++)
		if (!picked || !strcmp(picked->name, to.services[i].name))
			to.services[i].keep_entities = false; /* and has none */
	if (!err)
		err = apply_change(c, s, &from, &to, false, e);
	model_free(&from);
	model_free(&to);
	store_close(s);
	return err;
}

/* ---- list, save ---- */

struct filter {
	const char *match; /* NULL: any */
	bool has_target, has_idle;
	struct target target;
	int64_t seen_before; /* seconds since 1970 */
	const struct entity_field *sort;
	bool reverse;
	uint64_t limit;
};

static int parse_order(const struct cmd *c, struct filter *f, struct err *e)
{
	const struct entity_field *by[ENTITY_FIELD_COUNT];
	const char *words[ENTITY_FIELD_COUNT + 1] = {NULL};
	int count = 0, word;

	f->sort = &entity_fields[ENTITY_TAG];
	f->reverse = given(c, OPT(REVERSE));
	if (!given(c, OPT(SORT)))
		return 0;
	for (int i = 0; i < ENTITY_FIELD_COUNT; i++) {
		if (!entity_fields[i].sorts)
			continue;
		by[count] = &entity_fields[i];
		words[count++] = entity_fields[i].column;
	}
	word = option_word(c, OPT_SORT, words, e);
	if (word < 0)
		return word;
	f->sort = by[word];
	return 0;
}

static int parse_filter(const struct cmd *c, struct filter *f, struct err *e)
{
	uint64_t idle = 0;
	struct parse_error why;
	int err;

	*f = (struct filter){.match = c->value[OPT_MATCH], .limit = UINT64_MAX};
	f->has_target = given(c, OPT(TARGET));
	if (f->has_target && parse_target(c->value[OPT_TARGET], &f->target, &why))
		return bad_option(c, OPT_TARGET, why.text, e);
	err = parse_order(c, f, e);
	if (!err && given(c, OPT(LIMIT)))
		err = option_number(c, OPT_LIMIT, UINT32_MAX, &f->limit, e);
	if (!err && !f->limit)
		err = bad_option(c, OPT_LIMIT, "would leave none (without it all are printed)", e);
	f->has_idle = given(c, OPT(IDLE));
	if (!err && f->has_idle)
		err = option_number(c, OPT_IDLE, UINT32_MAX, &idle, e);
	f->seen_before = (int64_t)time(NULL) - (int64_t)idle;
	return err;
}

static int unknown_column(const struct cmd *c, struct err *e)
{
	char why[PARSE_ERROR_SIZE] = "has a word that is none of";
	size_t len = strlen(why);

	for (int i = 0; i < ENTITY_FIELD_COUNT; i++)
		if (entity_fields[i].column)
			len += (size_t)snprintf(why + len, sizeof(why) - len, " %s",
						entity_fields[i].column);
	return bad_option(c, OPT_COLUMNS, why, e);
}

/* "tag,target": each word once. */
static int parse_columns(const struct cmd *c, struct rows_form *f, struct err *e)
{
	const char *word = c->value[OPT_COLUMNS];
	bool taken[ENTITY_FIELD_COUNT] = {false};

	f->names_if_any = false;
	f->count = 0;
	for (;; word++) {
		size_t len = strcspn(word, ",");
		const struct entity_field *field = entity_field_find(word, len);

		if (!field)
			return unknown_column(c, e);
		if (taken[field->id])
			return bad_option(c, OPT_COLUMNS, "has a column twice", e);
		taken[field->id] = true;
		f->column[f->count++] = field;
		word += len;
		if (!*word)
			return 0;
	}
}

static int parse_form(const struct cmd *c, struct rows_form *f, struct err *e)
{
	*f = print_all_columns();
	f->header = !given(c, OPT(NO_HEADER));
	f->exact = given(c, OPT(EXACT));
	if (!given(c, OPT(COLUMNS)))
		return 0;
	if (c->out->json)
		return bad_option(c, OPT_COLUMNS, "is for text: JSON has all of them", e);
	return parse_columns(c, f, e);
}

static bool wanted(const struct filter *f, const struct service *s, const struct row *r)
{
	const char *name;
	char hex[TAG_TEXT_SIZE], text[TAG_TEXT_SIZE];

	if (f->has_target && (f->target.action != r->entity.target.action ||
			      f->target.port != r->entity.target.port))
		return false;
	if (f->has_idle && r->last_seen > f->seen_before)
		return false;
	if (!f->match)
		return true;
	if (!fnmatch(f->match, format_tag_hex(r->entity.tag, s->tag_len, hex), FNM_CASEFOLD))
		return true;
	if (format_tag_text(r->entity.tag, s->tag_len, text) && !fnmatch(f->match, text, 0))
		return true;
	name = names_find(&s->names, r->entity.tag);
	return *name && !fnmatch(f->match, name, 0);
}

/* arg: struct entity_field. */
static int compare_listed(const void *a, const void *b, void *arg)
{
	return entity_field_compare(arg, a, b);
}

/* Rows of several services, and which of them are wanted, in their order. */
struct listing {
	struct row **rows; /* of each service */
	struct listed *all;
	size_t count;
};

static void free_listing(struct listing *l, const struct model *m)
{
	for (unsigned int i = 0; l->rows && i < m->service_count; i++)
		free(l->rows[i]);
	free(l->rows);
	free(l->all);
}

/* Appends those rows of the service that are wanted. */
static int add_listed(struct listing *l, const struct filter *f, const struct service *s,
		      const struct row *rows, size_t n, struct err *e)
{
	struct listed *more = realloc(l->all, (l->count + n + 1) * sizeof(*more));

	if (!more)
		return fail(e, -ENOMEM, s->name, "listing its table: out of memory");
	l->all = more;
	for (size_t i = 0; i < n; i++)
		if (wanted(f, s, &rows[i]))
			more[l->count++] = (struct listed){.service = s, .row = &rows[i]};
	return 0;
}

/* Of the service picked, or of all. */
static int read_listing(struct store *s, struct model *m, const struct service *picked,
			const struct filter *f, struct listing *l, struct err *e)
{
	int err = 0;
	size_t n;

	l->rows = calloc(m->service_count + 1, sizeof(*l->rows));
	if (!l->rows)
		return fail(e, -ENOMEM, "tables", "listing them: out of memory");
	for (unsigned int i = 0; i < m->service_count && !err; i++) {
		struct service *svc = &m->services[i];

		if (picked && picked != svc)
			continue;
		err = store_read_names(s, svc, e);
		if (!err)
			err = store_rows(s, svc->name, &l->rows[i], &n, e);
		if (!err)
			err = add_listed(l, f, svc, l->rows[i], n, e);
	}
	return err;
}

static void reverse(struct listed *rows, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct listed row = rows[i];

		rows[i] = rows[count - 1 - i];
		rows[count - 1 - i] = row;
	}
}

static void print_listing(const struct cmd *c, const struct model *m, struct filter *f,
			  const struct rows_form *form, struct listing *l)
{
	/* Rows come by service and tag already. */
	if (f->sort->id != ENTITY_TAG)
		qsort_r(l->all, l->count, sizeof(*l->all), compare_listed, (void *)f->sort);
	if (f->reverse)
		reverse(l->all, l->count);
	print_rows(c->out, m, l->all, l->count < f->limit ? l->count : (size_t)f->limit, form);
}

/* one: of one service, --service or the only one; else of all where none is named. */
static int list(const struct cmd *c, struct filter *f, const struct rows_form *form, bool one,
		struct err *e)
{
	struct service *picked = NULL;
	struct listing l = {0};
	struct model m;
	struct store *s;
	int err = open_loaded(c, STORE_READ, &s, e);

	if (err)
		return err;
	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err && (one || given(c, OPT(SERVICE))))
		err = pick_service(c, &m, &picked, e);
	if (!err)
		err = read_listing(s, &m, picked, f, &l, e);
	store_close(s); /* nobody waits for the lock while we write */
	if (!err)
		print_listing(c, &m, f, form, &l);
	free_listing(&l, &m);
	model_free(&m);
	return err;
}

int cmd_map_list(const struct cmd *c, struct err *e)
{
	struct rows_form form;
	struct filter f;
	int err = parse_filter(c, &f, e);

	if (!err)
		err = parse_form(c, &form, e);
	return err ? err : list(c, &f, &form, false, e);
}

int cmd_map_save(const struct cmd *c, struct err *e)
{
	const struct rows_form form = print_all_columns();
	struct filter all = {.sort = &entity_fields[ENTITY_TAG], .limit = UINT64_MAX};
	struct service *svc;
	struct model m;
	struct store *s;
	int err;

	if (c->out->json)
		return list(c, &all, &form, true, e);
	err = open_loaded(c, STORE_READ, &s, e);
	if (err)
		return err;
	model_init(&m);
	err = read_picked(c, s, &m, &svc, e);
	store_close(s);
	for (size_t i = 0; !err && i < svc->entity_count; i++)
		print_table_line(c->out, svc, &svc->entities[i]);
	model_free(&m);
	return err;
}

/* ---- load, replace ---- */

/* What a table file must fit to. */
static int read_settings(const struct cmd *c, struct service *out, struct err *e)
{
	struct service *svc;
	struct model m;
	struct store *s;
	int err = open_loaded(c, STORE_READ, &s, e);

	if (err)
		return err;
	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err)
		err = pick_service(c, &m, &svc, e);
	if (!err) {
		*out = *svc;
		out->keep_entities = false; /* and has none */
	}
	model_free(&m);
	store_close(s);
	return err;
}

/* A row of `more` has its own name, or none. */
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

/* Both sorted; where both have a tag, that of `more` counts. */
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

/* Takes the file's entities. */
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
	/* Somebody may have changed it while the file was read. */
	if (!ret && (svc->tag_len != file->tag_len || strcmp(svc->name, file->name)))
		ret = fail(e, -EAGAIN, svc->name,
			   "loading %.200s: the service was changed meanwhile (try again)",
			   c->argv[0]);
	/* Those that make place are of interest only where they are told. */
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

/* The file is read without the lock: it may come slowly. */
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
