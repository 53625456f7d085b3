/* SPDX-License-Identifier: GPL-2.0-only */
/* Entities with their counters: JSON, a table for scripts, and one that fits a terminal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel/rows.h"
#include "out.h"
#include "print_internal.h"
#include "terminal.h"

/* The longest is a tag. */
#define CELL_SIZE TAG_TEXT_SIZE

/* head: of the table for scripts, with its width there (0: from the services); brief: on a
 * terminal. */
static const struct {
	const char *name, *head, *brief;
	size_t width;
	bool right, right_if_brief;
} columns[ROW_COLUMN_COUNT] = {
	[ROW_SERVICE] = {"service", "SERVICE", "SERVICE", 0, false, false},
	[ROW_TAG] = {"tag", "TAG", "TAG", 0, false, false},
	[ROW_TARGET] = {"target", "TARGET", "TARGET", 6, false, true},
	[ROW_SIZE] = {"size", "SIZE", "SIZE", 11, false, false},
	[ROW_PACKETS] = {"packets", "PACKETS", "PKTS", 12, true, true},
	[ROW_BYTES] = {"bytes", "BYTES", "BYTES", 15, true, true},
	[ROW_LAST_SEEN] = {"last-seen", "LAST-SEEN", "SEEN", 0, false, true},
};

struct layout {
	const struct rows_form *form;
	bool brief; /* for a terminal */
	time_t now;
	size_t width[ROW_COLUMN_COUNT];
};

const char *print_column_name(enum row_column column)
{
	return columns[column].name;
}

struct rows_form print_all_columns(void)
{
	struct rows_form f = {.header = true};

	for (int i = 0; i < ROW_COLUMN_COUNT; i++)
		f.column[f.count++] = (enum row_column)i;
	return f;
}

static json_t *json_row(const struct service *s, const struct row *r)
{
	char tag[TAG_TEXT_SIZE], text[TAG_TEXT_SIZE];

	return json_pack("{s:s,s:s,s:s?,s:o,s:o,s:I,s:I,s:o}", "service", s->name, "tag",
			 format_tag_hex(r->entity.tag, s->tag_len, tag), "text",
			 format_tag_text(r->entity.tag, s->tag_len, text), "target",
			 json_target(&r->entity.target), "size",
			 r->entity.has_size ? json_window(&r->entity.size) : json_null(), "packets",
			 (json_int_t)r->packets, "bytes", (json_int_t)r->bytes, "last_seen",
			 r->last_seen < 0 ? json_null() : json_integer(r->last_seen));
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
	/* Cut and not rounded, so that 999,999 is not 1,000 thousands. */
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

/* How long ago, in the greatest unit that there is one of. */
static void format_age(int64_t seconds, char cell[CELL_SIZE])
{
	static const struct {
		int64_t length;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	if (seconds < 0) /* the clock was set back */
		seconds = 0;
	while (units[i].unit != 's' && seconds < units[i].length)
		i++;
	snprintf(cell, CELL_SIZE, "%" PRId64 "%c", seconds / units[i].length, units[i].unit);
}

static void format_seen(const struct layout *l, int64_t seen, char cell[CELL_SIZE])
{
	time_t t = (time_t)seen;
	struct tm tm;

	snprintf(cell, CELL_SIZE, "never");
	if (seen < 0)
		return;
	if (l->brief)
		format_age(l->now - seen, cell);
	else if (gmtime_r(&t, &tm))
		strftime(cell, CELL_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static const char *format_cell(const struct layout *l, enum row_column column,
			       const struct listed *r, char cell[CELL_SIZE])
{
	const struct entity *en = &r->row->entity;

	snprintf(cell, CELL_SIZE, "-");
	if (column == ROW_SERVICE)
		return r->service->name;
	if (column == ROW_TAG)
		return format_tag(en->tag, r->service->tag_len, cell);
	if (column == ROW_TARGET)
		return format_target(&en->target, cell);
	if (column == ROW_SIZE && en->has_size)
		snprintf(cell, CELL_SIZE, "%u:%u", en->size.min, en->size.max);
	else if (column == ROW_PACKETS)
		format_count(l, r->row->packets, cell);
	else if (column == ROW_BYTES)
		format_count(l, r->row->bytes, cell);
	else if (column == ROW_LAST_SEEN)
		format_seen(l, r->row->last_seen, cell);
	return cell;
}

/* ---- lines ---- */

/* Put together here and printed at once: a million lines have seven million cells. */
struct line {
	char text[ROW_COLUMN_COUNT * (CELL_SIZE + 1)];
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

static void print_so_far(struct line *l)
{
	out_text("%.*s", (int)l->len, l->text);
	l->len = 0;
}

/* The last one of a line has no blanks behind it. */
static void put_cell(struct line *to, const struct layout *l, size_t i, const char *text)
{
	enum row_column column = l->form->column[i];
	size_t width = l->width[column], len = strlen(text);
	size_t blanks = len < width ? width - len : 0;
	bool right = terminal_is() ? columns[column].right_if_brief : columns[column].right;
	bool last = i + 1 == l->form->count;

	put_blanks(to, right ? blanks : 0);
	if (terminal_is() && len > width) {
		put(to, text, width - 1);
		put(to, "+", 1);
	} else {
		put(to, text, len);
	}
	if (!last)
		put_blanks(to, right ? 1 : blanks + 1);
}

static void print_head(const struct layout *l)
{
	struct line line = {.len = 0};

	for (size_t i = 0; i < l->form->count; i++) {
		enum row_column column = l->form->column[i];

		put_cell(&line, l, i, terminal_is() ? columns[column].brief : columns[column].head);
	}
	print_so_far(&line);
	out_end_line();
}

static enum out_color target_color(const struct target *t)
{
	return t->action == ACTION_DROP	  ? OUT_RED
	       : t->action == ACTION_PASS ? OUT_YELLOW
					  : OUT_PLAIN;
}

static void print_line(const struct layout *l, const struct listed *r)
{
	enum out_color color = target_color(&r->row->entity.target);
	struct line line = {.len = 0};
	char cell[CELL_SIZE];

	for (size_t i = 0; i < l->form->count; i++) {
		enum row_column column = l->form->column[i];
		bool colored = column == ROW_TARGET && color != OUT_PLAIN && terminal_has_colors();

		if (colored) {
			print_so_far(&line);
			out_color(color);
		}
		put_cell(&line, l, i, format_cell(l, column, r, cell));
		if (colored) {
			print_so_far(&line);
			out_color(OUT_PLAIN);
		}
	}
	print_so_far(&line);
	out_end_line();
}

/* ---- widths ---- */

static void widen(struct layout *l, enum row_column column, size_t width)
{
	if (width > l->width[column])
		l->width[column] = width;
}

/* For scripts widths do not depend on the rows, so that a column has its place. */
static void widths_of_services(struct layout *l, const struct service *services, unsigned int count)
{
	for (int i = 0; i < ROW_COLUMN_COUNT; i++)
		l->width[i] = columns[i].width;
	widen(l, ROW_SERVICE, strlen(columns[ROW_SERVICE].head));
	for (unsigned int i = 0; i < count; i++) {
		widen(l, ROW_SERVICE, strlen(services[i].name));
		widen(l, ROW_TAG, 2 + 2 * (size_t)services[i].tag_len);
	}
}

/* What does not fit the terminal is taken off the names of services, which the user knows. */
static void fit(struct layout *l)
{
	const size_t least = strlen(columns[ROW_SERVICE].brief);
	size_t sum = l->form->count - 1, room = terminal_width();

	for (size_t i = 0; i < l->form->count; i++)
		sum += l->width[l->form->column[i]];
	if (sum <= room)
		return;
	l->width[ROW_SERVICE] = l->width[ROW_SERVICE] > least + (sum - room)
					? l->width[ROW_SERVICE] - (sum - room)
					: least;
}

static void widths_of_rows(struct layout *l, const struct listed *rows, size_t count)
{
	char cell[CELL_SIZE];

	for (size_t i = 0; i < l->form->count; i++) {
		enum row_column column = l->form->column[i];

		if (l->form->header || column == ROW_SERVICE)
			widen(l, column, strlen(columns[column].brief));
		for (size_t k = 0; k < count; k++)
			widen(l, column, strlen(format_cell(l, column, &rows[k], cell)));
	}
	fit(l);
}

/* ---- all of it ---- */

static void text_rows(const struct service *services, unsigned int service_count,
		      const struct listed *rows, size_t count, const struct rows_form *f)
{
	struct layout l = {.form = f, .brief = terminal_is() && !f->exact, .now = time(NULL)};

	if (terminal_is())
		widths_of_rows(&l, rows, count);
	else
		widths_of_services(&l, services, service_count);
	if (f->header)
		print_head(&l);
	for (size_t i = 0; i < count; i++)
		print_line(&l, &rows[i]);
}

void print_row(const struct service *s, const struct row *r)
{
	const struct rows_form all = print_all_columns();
	const struct listed one = {s, r};

	if (print_is_json())
		dump_json_line(json_row(s, r));
	else
		text_rows(s, 1, &one, 1, &all);
}

void print_rows(const struct model *m, const struct listed *rows, size_t count,
		const struct rows_form *f)
{
	if (!print_is_json()) {
		terminal_page();
		text_rows(m->services, m->service_count, rows, count, f);
		return;
	}
	json_list_begin();
	for (size_t i = 0; i < count; i++)
		json_list_row(json_row(rows[i].service, rows[i].row));
	json_list_end();
}
