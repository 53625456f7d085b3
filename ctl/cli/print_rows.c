/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints entities with their counters: as JSON, as a table for scripts, or as one that fits the
 * terminal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel/rows.h"
#include "out.h"
#include "print_internal.h"
#include "terminal.h"

/* The longest cell is a tag. */
#define CELL_SIZE TAG_TEXT_SIZE
#define LEAST_NAME 12 /* the least width of entities' names on a terminal, in characters */

struct layout {
	const struct rows_form *form;
	bool on_terminal, brief;
	time_t now;
	size_t width[ENTITY_FIELD_COUNT];
};

struct rows_form print_all_columns(void)
{
	struct rows_form f = {.header = true, .names_if_any = true};

	for (int i = 0; i < ENTITY_FIELD_COUNT; i++)
		if (entity_fields[i].column)
			f.column[f.count++] = &entity_fields[i];
	return f;
}

/* ---- JSON ---- */

static json_t *json_field(const struct field_value *v)
{
	char text[TAG_TEXT_SIZE];

	if (v->is_none)
		return json_null();
	switch (v->kind) {
	case FIELD_TEXT:
	case FIELD_NAME: return json_text(v->text);
	case FIELD_TAG: return json_string(format_tag_hex(v->tag.bytes, v->tag.len, text));
	case FIELD_TAG_TEXT: return json_string(format_tag_text(v->tag.bytes, v->tag.len, text));
	case FIELD_TARGET: return json_target(&v->target);
	case FIELD_WINDOW: return json_window(&v->window);
	case FIELD_COUNT: return json_integer((json_int_t)v->count);
	case FIELD_TIME: return json_integer(v->time);
	}
	return json_null();
}

static json_t *json_row(const struct listed *r)
{
	json_t *j = json_object();

	for (int i = 0; i < ENTITY_FIELD_COUNT; i++) {
		const struct field_value v = entity_field_value(&entity_fields[i], r);

		json_object_set_new_nocheck(j, entity_fields[i].json, json_field(&v));
	}
	return j;
}

json_t *json_entity(const struct service *s, const struct entity *en)
{
	const struct row row = {.entity = *en};
	const struct listed l = {s, &row};
	json_t *j = json_object();

	for (int i = 0; i < ENTITY_FIELD_COUNT; i++) {
		const struct field_value v = entity_field_value(&entity_fields[i], &l);

		if (entity_fields[i].configured && !v.is_none)
			json_object_set_new_nocheck(j, entity_fields[i].json, json_field(&v));
	}
	return j;
}

/* ---- cells ---- */

void format_brief(uint64_t n, char *text, size_t size)
{
	static const char units[] = "kMGTPE";
	uint64_t step = 1000;
	size_t unit = 0;

	if (n < 1000) {
		snprintf(text, size, "%" PRIu64, n);
		return;
	}
	while (n / step >= 1000) {
		step *= 1000;
		unit++;
	}
	/* Digits are cut, not rounded, so that 999,999 does not become 1,000 thousands. */
	if (n / step >= 100)
		snprintf(text, size, "%" PRIu64 "%c", n / step, units[unit]);
	else if (n / step >= 10)
		snprintf(text, size, "%" PRIu64 ".%" PRIu64 "%c", n / step, n % step / (step / 10),
			 units[unit]);
	else
		snprintf(text, size, "%" PRIu64 ".%02" PRIu64 "%c", n / step,
			 n % step / (step / 100), units[unit]);
}

static void format_count(const struct layout *l, uint64_t n, char cell[CELL_SIZE])
{
	if (l->brief)
		format_brief(n, cell, CELL_SIZE);
	else
		snprintf(cell, CELL_SIZE, "%" PRIu64, n);
}

/* Writes the age in the greatest unit of which there is at least one. */
static void format_age(int64_t seconds, char cell[CELL_SIZE])
{
	static const struct {
		int64_t length;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	if (seconds < 0) /* the clock has been set back */
		seconds = 0;
	while (units[i].unit != 's' && seconds < units[i].length)
		i++;
	snprintf(cell, CELL_SIZE, "%" PRId64 "%c", seconds / units[i].length, units[i].unit);
}

static void format_seen(const struct layout *l, int64_t seen, char cell[CELL_SIZE])
{
	time_t t = (time_t)seen;
	struct tm tm;

	if (l->brief)
		format_age(l->now - seen, cell);
	else if (gmtime_r(&t, &tm))
		strftime(cell, CELL_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static const char *format_cell(const struct layout *l, const struct field_value *v,
			       char cell[CELL_SIZE])
{
	snprintf(cell, CELL_SIZE, v->kind == FIELD_TIME ? "never" : "-");
	if (v->is_none)
		return cell;
	switch (v->kind) {
	case FIELD_TEXT:
	case FIELD_NAME: return v->text;
	case FIELD_TAG: return format_tag(v->tag.bytes, v->tag.len, cell);
	case FIELD_TAG_TEXT: return format_tag_text(v->tag.bytes, v->tag.len, cell);
	case FIELD_TARGET: return format_target(&v->target, cell);
	case FIELD_WINDOW: snprintf(cell, CELL_SIZE, "%u:%u", v->window.min, v->window.max); break;
	case FIELD_COUNT: format_count(l, v->count, cell); break;
	case FIELD_TIME: format_seen(l, v->time, cell); break;
	}
	return cell;
}

/* ---- lines ---- */

/* A line is put together here and printed at once, since a million lines have seven
 * million cells. */
struct line {
	char text[ENTITY_FIELD_COUNT * (CELL_SIZE + 1) + MANGLE_TEXT_SIZE];
	size_t len;
};

static void put(struct line *to, const char *text, size_t len)
{
	if (len > sizeof(to->text) - to->len)
		len = sizeof(to->text) - to->len;
	memcpy(to->text + to->len, text, len);
	to->len += len;
}

static void put_blanks(struct line *to, size_t n)
{
	while (n--)
		put(to, " ", 1);
}

static void print_so_far(struct output *out, struct line *l)
{
	out_text(out, "%.*s", (int)l->len, l->text);
	l->len = 0;
}

static bool is_right(const struct layout *l, const struct entity_field *f)
{
	return f->align == ALIGN_RIGHT || (f->align == ALIGN_BRIEF_RIGHT && l->on_terminal);
}

static const char *title(const struct layout *l, const struct entity_field *f)
{
	return l->on_terminal ? f->brief : f->title;
}

/* Returns how many bytes the first n characters of UTF-8 take, or all of them where there are
 * fewer. */
static size_t bytes_of(const char *text, size_t n)
{
	size_t len = 0;

	for (; text[len] && (n || (text[len] & 0xc0) == 0x80); len++)
		n -= (text[len] & 0xc0) != 0x80;
	return len;
}

/* Returns the number of UTF-8 characters, each of which takes one column of the terminal. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* The last cell of a line is not padded. */
static void put_cell(struct line *to, const struct layout *l, size_t i, const char *text)
{
	const struct entity_field *f = l->form->column[i];
	size_t width = l->width[f->id], len = width_of(text);
	size_t blanks = len < width ? width - len : 0;
	bool last = i + 1 == l->form->count;

	put_blanks(to, is_right(l, f) ? blanks : 0);
	if (l->on_terminal && len > width) {
		put(to, text, bytes_of(text, width - 1));
		put(to, "+", 1);
	} else {
		put(to, text, strlen(text));
	}
	if (!last)
		put_blanks(to, is_right(l, f) ? 1 : blanks + 1);
}

static void print_head(struct output *out, const struct layout *l)
{
	struct line line = {.len = 0};

	for (size_t i = 0; i < l->form->count; i++)
		put_cell(&line, l, i, title(l, l->form->column[i]));
	print_so_far(out, &line);
	out_end_line(out);
}

static enum out_color value_color(const struct field_value *v)
{
	if (v->kind != FIELD_TARGET || v->target.action == ACTION_PORT)
		return OUT_PLAIN;
	return v->target.action == ACTION_DROP ? OUT_RED : OUT_YELLOW;
}

static void print_line(struct output *out, const struct layout *l, const struct listed *r)
{
	struct line line = {.len = 0};
	char cell[CELL_SIZE];

	for (size_t i = 0; i < l->form->count; i++) {
		const struct field_value v = entity_field_value(l->form->column[i], r);
		bool colored = value_color(&v) != OUT_PLAIN && out->terminal.has_colors;

		if (colored) {
			print_so_far(out, &line);
			out_color(out, value_color(&v));
		}
		put_cell(&line, l, i, format_cell(l, &v, cell));
		if (colored) {
			print_so_far(out, &line);
			out_color(out, OUT_PLAIN);
		}
	}
	print_so_far(out, &line);
	out_end_line(out);
}

/* ---- widths ---- */

static void widen(struct layout *l, enum entity_field_id field, size_t width)
{
	if (width > l->width[field])
		l->width[field] = width;
}

/* For scripts the widths do not depend on the rows, so that a column is always in the same
 * place. */
static void widths_of_services(struct layout *l, const struct service *services, unsigned int count)
{
	for (int i = 0; i < ENTITY_FIELD_COUNT; i++)
		l->width[i] = entity_fields[i].width;
	widen(l, ENTITY_SERVICE, strlen(entity_fields[ENTITY_SERVICE].title));
	for (unsigned int i = 0; i < count; i++) {
		widen(l, ENTITY_SERVICE, strlen(services[i].name));
		widen(l, ENTITY_TAG, 2 + 2 * (size_t)services[i].tag_len);
	}
}

/* Narrows a column by too_much, but to no less than `least`. Returns what is still too much. */
static size_t narrow(struct layout *l, enum entity_field_id field, size_t least, size_t too_much)
{
	size_t width = l->width[field], off = width > least ? width - least : 0;

	off = off < too_much ? off : too_much;
	l->width[field] = width - off;
	return too_much - off;
}

/* Where a line does not fit the terminal, names are cut: those of entities first, then those of
 * services, which the user knows. */
static void fit(struct layout *l)
{
	size_t sum = l->form->count - 1, room = terminal_width();

	for (size_t i = 0; i < l->form->count; i++)
		sum += l->width[l->form->column[i]->id];
	if (sum <= room)
		return;
	sum = narrow(l, ENTITY_NAME, LEAST_NAME, sum - room);
	narrow(l, ENTITY_SERVICE, strlen(entity_fields[ENTITY_SERVICE].brief), sum);
}

static void widths_of_rows(struct layout *l, const struct listed *rows, size_t count)
{
	char cell[CELL_SIZE];

	for (size_t i = 0; i < l->form->count; i++) {
		const struct entity_field *f = l->form->column[i];

		if (l->form->header || f->id == ENTITY_SERVICE)
			widen(l, f->id, strlen(f->brief));
		for (size_t k = 0; k < count; k++) {
			const struct field_value v = entity_field_value(f, &rows[k]);

			widen(l, f->id, width_of(format_cell(l, &v, cell)));
		}
	}
	fit(l);
}

/* ---- all of it ---- */

static bool have_names(const struct listed *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (*names_find(&rows[i].service->names, rows[i].row->entity.tag))
			return true;
	return false;
}

/* Returns the form with only those columns that are shown. */
static struct rows_form shown(const struct rows_form *f, const struct listed *rows, size_t count)
{
	struct rows_form to = *f;

	if (!f->names_if_any || have_names(rows, count))
		return to;
	to.count = 0;
	for (size_t i = 0; i < f->count; i++)
		if (f->column[i]->id != ENTITY_NAME)
			to.column[to.count++] = f->column[i];
	return to;
}

static void text_rows(struct output *out, const struct service *services,
		      unsigned int service_count, const struct listed *rows, size_t count,
		      const struct rows_form *f)
{
	const struct rows_form form = shown(f, rows, count);
	const bool on_terminal = out->terminal.is_terminal;
	struct layout l = {.form = &form,
			   .on_terminal = on_terminal,
			   .brief = on_terminal && !f->exact,
			   .now = time(NULL)};

	if (on_terminal)
		widths_of_rows(&l, rows, count);
	else
		widths_of_services(&l, services, service_count);
	if (f->header)
		print_head(out, &l);
	for (size_t i = 0; i < count; i++)
		print_line(out, &l, &rows[i]);
}

void print_row(struct output *out, const struct service *s, const struct row *r)
{
	const struct rows_form all = print_all_columns();
	const struct listed one = {s, r};

	if (out->json)
		dump_json_line(out, json_row(&one));
	else
		text_rows(out, s, 1, &one, 1, &all);
}

void print_rows(struct output *out, const struct model *m, const struct listed *rows, size_t count,
		const struct rows_form *f)
{
	if (!out->json) {
		terminal_page(&out->terminal);
		text_rows(out, m->services, m->service_count, rows, count, f);
		return;
	}
	json_list_begin(out);
	for (size_t i = 0; i < count; i++)
		json_list_row(out, json_row(&rows[i]));
	json_list_end(out);
}
