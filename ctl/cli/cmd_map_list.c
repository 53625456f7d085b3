/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/open.h"
#include "kernel/rows.h"
#include "kernel/services.h"
#include "files/table_file.h"
#include "print.h"

struct filter {
	const char *match; /* NULL: no restriction */
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
		err = bad_option(c, OPT_LIMIT,
				 "would print nothing (without it all entities are printed)", e);
	f->has_idle = given(c, OPT(IDLE));
	if (!err && f->has_idle)
		err = option_number(c, OPT_IDLE, UINT32_MAX, &idle, e);
	f->seen_before = (int64_t)time(NULL) - (int64_t)idle;
	return err;
}

static int unknown_column(const struct cmd *c, struct err *e)
{
	char why[PARSE_ERROR_SIZE] = "names an unknown column; known are";
	size_t len = strlen(why);

	for (int i = 0; i < ENTITY_FIELD_COUNT; i++)
		if (entity_fields[i].column)
			len += (size_t)snprintf(why + len, sizeof(why) - len, " %s",
						entity_fields[i].column);
	return bad_option(c, OPT_COLUMNS, why, e);
}

/* Parses "tag,target"; a column may be named once. */
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
			return bad_option(c, OPT_COLUMNS, "names a column twice", e);
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
		return bad_option(c, OPT_COLUMNS, "is for text output: JSON has all columns", e);
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

/* The rows of several services, and in their order the ones to be listed. */
struct listing {
	struct row **rows; /* an array for each service */
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

/* Appends the rows of the service that the filter selects. */
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

/* Reads the rows of the picked service, or of all. */
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
	/* Rows are in the order of service and tag already. */
	if (f->sort->id != ENTITY_TAG)
		qsort_r(l->all, l->count, sizeof(*l->all), compare_listed, (void *)f->sort);
	if (f->reverse)
		reverse(l->all, l->count);
	print_rows(c->out, m, l->all, l->count < f->limit ? l->count : (size_t)f->limit, form);
}

/* one: list one service, --service or the only one; else all of them, unless --service is given. */
static int list(const struct cmd *c, struct filter *f, const struct rows_form *form, bool one,
		struct err *e)
{
	struct service *picked = NULL;
	struct listing l = {0};
	struct model m;
	struct store *s;
	int err = open_running(c, STORE_READ, false, &s, &m, e);

	if (err)
		return err;
	if (one || given(c, OPT(SERVICE)))
		err = pick_service(c, &m, &picked, e);
	if (!err)
		err = read_listing(s, &m, picked, f, &l, e);
	store_close(s); /* other runs need not wait for the lock during output */
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
