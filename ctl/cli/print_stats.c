/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints counters: a line for each service, with --verbose its reasons; or the rates of a
 * second. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/counters.h"
#include "out.h"
#include "print_internal.h"
#include "terminal.h"

/* ---- JSON ---- */

/* Returns the columns of the line; of `would` only the verdicts. */
static json_t *json_line(const struct stats_line *l)
{
	json_t *j = json_object();

	for (int i = 0; i < STATS_COLUMN_COUNT; i++) {
		const struct stats_column *c = &stats_columns[i];

		if (c->json && !(l->is_would && c->kind == STATS_SUM))
			json_object_set_new(
				j, c->json,
				json_integer((json_int_t)stats_column_value(c, l).count));
	}
	return j;
}

static json_t *json_stats(const struct stats *st)
{
	const struct stats_line is = {.stats = st}, would = {.stats = st, .is_would = true};
	json_t *all = json_object();

	for (int i = 0; i < MANGLE_REASON_COUNT; i++)
		json_object_set_new(all, reason_name((enum mangle_reason)i),
				    json_pack("{s:I,s:I}", "packets", (json_int_t)st->packets[i],
					      "bytes", (json_int_t)st->bytes[i]));
	return json_pack("{s:o,s:o,s:o}", "packets", json_line(&is), "reasons", all, "would",
			 json_line(&would));
}

static void json_report(struct output *out, const struct stats_report *r)
{
	const struct counters *c = r->counters;
	json_t *j = json_stats(&c->all), *by_name = json_object();

	for (size_t i = 0; i < c->count; i++)
		json_object_set_new(by_name, c->services[i].name,
				    json_stats(&c->services[i].stats));
	json_object_set_new(j, "services", by_name);
	if (r->watch)
		json_object_set_new(j, "time", json_real(r->time));
	dump_json_line(out, j);
}

/* ---- text ---- */

#define NUMBER_SIZE 24

struct table {
	const struct stats_report *report;
	bool brief;
	unsigned int lines; /* how many more lines the terminal has room for */
	size_t left_out;
	int name_width, width[STATS_COLUMN_COUNT];
};

/* Returns false where the terminal is full, and counts the line as left out. */
static bool next_line(struct table *t)
{
	if (t->lines) {
		t->lines--;
		return true;
	}
	t->left_out++;
	return false;
}

/* Writes a counter, or its rate per second where the report covers a time. */
static const char *format_number(const struct table *t, uint64_t n, char text[NUMBER_SIZE])
{
	if (t->report->seconds > 0)
		n = (uint64_t)llround((double)n / t->report->seconds);
	if (t->brief)
		format_brief(n, text, NUMBER_SIZE);
	else
		snprintf(text, NUMBER_SIZE, "%" PRIu64, n);
	return text;
}

static void format_share(uint64_t part, uint64_t whole, char text[NUMBER_SIZE])
{
	uint64_t percent = whole ? part * 100 / whole : 0;

	if (!whole)
		snprintf(text, NUMBER_SIZE, "-");
	else if (part && !percent)
		snprintf(text, NUMBER_SIZE, "<1%%");
	else
		snprintf(text, NUMBER_SIZE, "%" PRIu64 "%%", percent);
}

/* Returns "" where the line has no value in the column. */
static const char *cell(const struct table *t, const struct stats_column *c,
			const struct stats_line *l, char text[NUMBER_SIZE])
{
	const struct stats_value v = stats_column_value(c, l);

	*text = '\0';
	if (v.is_none)
		return text;
	if (c->kind == STATS_SHARE)
		format_share(v.count, v.whole, text);
	else
		format_number(t, v.count, text);
	return text;
}

static void text_head(struct output *out, struct table *t)
{
	if (!next_line(t))
		return;
	out_text(out, "%-*s", t->name_width, "SERVICE");
	for (int i = 0; i < STATS_COLUMN_COUNT; i++)
		out_text(out, " %*s", t->width[i], stats_columns[i].title);
	out_end_line(out);
}

static void text_cell(struct output *out, const char *text, int width, bool is_loss)
{
	out_text(out, " ");
	if (is_loss)
		out_color(out, OUT_RED);
	out_text(out, "%*s", width, text);
	if (is_loss)
		out_color(out, OUT_PLAIN);
}

static void text_line(struct output *out, struct table *t, const char *name,
		      const struct stats_line *l)
{
	char text[NUMBER_SIZE];

	if (!next_line(t))
		return;
	if ((int)strlen(name) > t->name_width)
		out_text(out, "%.*s+", t->name_width - 1, name);
	else
		out_text(out, "%-*s", t->name_width, name);
	for (int i = 0; i < STATS_COLUMN_COUNT; i++) {
		const struct stats_column *c = &stats_columns[i];

		if (*cell(t, c, l, text))
			text_cell(out, text, t->width[i],
				  c->is_loss && stats_column_value(c, l).count);
	}
	out_end_line(out);
}

/* Writes the meaning of a reason; on a terminal in as many lines as are needed. */
static void text_meaning(struct output *out, struct table *t, const char *meaning,
			 unsigned int indent)
{
	size_t room = out->terminal.is_terminal && terminal_width() > indent + 20
			      ? terminal_width() - indent
			      : strlen(meaning);

	while (strlen(meaning) > room) {
		size_t len = room;

		while (len && meaning[len] != ' ')
			len--;
		if (!len || !next_line(t))
			break;
		out_line(out, "%.*s", (int)len, meaning);
		out_text(out, "%*s", (int)indent, "");
		meaning += len + 1;
	}
	out_line(out, "%s", meaning);
}

static void text_reasons(struct output *out, struct table *t, const struct stats *st)
{
	char packets[NUMBER_SIZE], bytes[NUMBER_SIZE];
	int wide = t->brief ? 6 : 12, wider = t->brief ? 6 : 15;

	if (stats_line_is_empty(&(struct stats_line){.stats = st}) || !next_line(t))
		return;
	out_line(out, "  %-15s %*s %*s  MEANING", "REASON", wide, "PACKETS", wider, "BYTES");
	for (int i = 0; i < MANGLE_REASON_COUNT; i++) {
		if (!st->packets[i] || !next_line(t))
			continue;
		out_text(out, "  %-15s %*s %*s  ", reason_name((enum mangle_reason)i), wide,
			 format_number(t, st->packets[i], packets), wider,
			 format_number(t, st->bytes[i], bytes));
		text_meaning(out, t, reason_meaning((enum mangle_reason)i),
			     (unsigned int)(2 + 15 + 1 + wide + 1 + wider + 2));
	}
}

static struct stats_line of_all(const struct stats *all)
{
	return (struct stats_line){.stats = all};
}

static struct stats_line of_service(const struct service_stats *s, bool would)
{
	return (struct stats_line){.stats = &s->stats, .service = s, .is_would = would};
}

static void text_all(struct output *out, struct table *t)
{
	const struct stats *all = &t->report->counters->all;
	const struct stats_line l = of_all(all);

	text_line(out, t, "all packets", &l);
	if (t->report->reasons)
		text_reasons(out, t, all);
}

static void text_service(struct output *out, struct table *t, const struct service_stats *s)
{
	const struct stats_line is = of_service(s, false), would = of_service(s, true);

	text_line(out, t, s->name, &is);
	if (!stats_line_is_empty(&would))
		text_line(out, t, "  if enforced", &would);
	if (t->report->reasons)
		text_reasons(out, t, &s->stats);
}

/* ---- widths ---- */

static void widen(struct table *t, struct stats_line l)
{
	char text[NUMBER_SIZE];

	for (int i = 0; i < STATS_COLUMN_COUNT; i++) {
		int len = (int)strlen(cell(t, &stats_columns[i], &l, text));

		t->width[i] = len > t->width[i] ? len : t->width[i];
	}
}

static void widen_name(struct table *t, const char *name)
{
	int len = (int)strlen(name);

	t->name_width = len > t->name_width ? len : t->name_width;
}

/* Where a line would not fit the terminal, names are cut. */
static void fit_name(struct output *out, struct table *t)
{
	int sum = t->name_width, least = (int)strlen("  if enforced");

	for (int i = 0; i < STATS_COLUMN_COUNT; i++)
		sum += 1 + t->width[i];
	if (out->terminal.is_terminal && sum > (int)terminal_width())
		t->name_width -= sum - (int)terminal_width();
	if (t->name_width < least)
		t->name_width = least;
}

static void measure(struct output *out, struct table *t)
{
	const struct counters *c = t->report->counters;

	for (int i = 0; i < STATS_COLUMN_COUNT; i++)
		t->width[i] = (int)strlen(stats_columns[i].title);
	widen_name(t, "  if enforced");
	widen(t, of_all(&c->all));
	for (size_t i = 0; i < c->count; i++) {
		widen_name(t, c->services[i].name);
		widen(t, of_service(&c->services[i], false));
		widen(t, of_service(&c->services[i], true));
	}
	fit_name(out, t);
}

/* ---- all of it ---- */

static void text_time(struct output *out, struct table *t)
{
	time_t now = (time_t)t->report->time;
	char text[32];
	struct tm tm;

	if (!next_line(t) || !gmtime_r(&now, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	out_line(out, "%s  %s", text,
		 t->report->seconds > 0 ? "packets a second" : "packets so far, then per second");
}

static void text_report(struct output *out, const struct stats_report *r)
{
	struct table t = {
		.report = r, .brief = out->terminal.is_terminal && !r->exact, .lines = UINT32_MAX};

	/* Lines that scroll are not seen. The two lines kept free are the one that counts the lines
	 * left out, and the cursor's. */
	if (r->watch && out->terminal.is_terminal)
		t.lines = terminal_height() > 5 ? terminal_height() - 2 : 3;
	measure(out, &t);
	if (r->watch)
		text_time(out, &t);
	text_head(out, &t);
	if (r->show_all)
		text_all(out, &t);
	for (size_t i = 0; i < r->counters->count; i++)
		text_service(out, &t, &r->counters->services[i]);
	if (t.left_out)
		out_line(out, "... and %zu more lines (--service NAME)", t.left_out);
}

void print_stats(struct output *out, const struct stats_report *r)
{
	if (out->json) {
		json_report(out, r);
		return;
	}
	if (!r->watch)
		terminal_page(&out->terminal);
	text_report(out, r);
}

void print_stats_again(struct output *out)
{
	if (!out->json && out->terminal.is_terminal)
		fputs("\033[H\033[J", out_raw(out)); /* cursor home, clear to the end */
	else if (!out->json)
		out_end_line(out);
}
