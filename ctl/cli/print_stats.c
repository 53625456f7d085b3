/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters: a line for each service, its reasons where they are asked for; or a second's rates. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel/stats.h"
#include "out.h"
#include "print_internal.h"
#include "terminal.h"

static uint64_t seen(const uint64_t verdict[MANGLE_VERDICT_COUNT])
{
	uint64_t sum = 0;

	for (int i = 0; i < MANGLE_VERDICT_COUNT; i++)
		sum += verdict[i];
	return sum;
}

/* ---- JSON ---- */

static json_t *json_verdicts(const uint64_t verdict[MANGLE_VERDICT_COUNT])
{
	json_t *j = json_object();

	for (int i = 0; i < MANGLE_VERDICT_COUNT; i++)
		json_object_set_new(j, verdict_name((enum mangle_verdict)i),
				    json_integer((json_int_t)verdict[i]));
	return j;
}

static json_t *json_stats(const struct stats *st)
{
	json_t *packets = json_pack("{s:I}", "seen", (json_int_t)seen(st->verdict));
	json_t *all = json_object();

	json_object_update_new(packets, json_verdicts(st->verdict));
	for (int i = 0; i < MANGLE_REASON_COUNT; i++)
		json_object_set_new(all, reason_name((enum mangle_reason)i),
				    json_pack("{s:I,s:I}", "packets", (json_int_t)st->packets[i],
					      "bytes", (json_int_t)st->bytes[i]));
	return json_pack("{s:o,s:o,s:o}", "packets", packets, "reasons", all, "would",
			 json_verdicts(st->would));
}

static void json_report(const struct stats_report *r)
{
	json_t *j = json_stats(&r->all), *by_name = json_object();

	for (size_t i = 0; i < r->count; i++)
		json_object_set_new(by_name, r->services[i].name,
				    json_stats(&r->services[i].stats));
	json_object_set_new(j, "services", by_name);
	if (r->watch)
		json_object_set_new(j, "time", json_real(r->time));
	dump_json_line(j);
}

/* ---- text ---- */

enum { SEEN, FIRST_VERDICT, REFUSED = FIRST_VERDICT + MANGLE_VERDICT_COUNT, CELLS };
#define NUMBER_SIZE 24

struct table {
	const struct stats_report *report;
	bool brief;
	unsigned int lines; /* that there is still room for */
	size_t left_out;
	int name_width, width[CELLS];
};

/* False, and counted, where the terminal is full. */
static bool next_line(struct table *t)
{
	if (t->lines) {
		t->lines--;
		return true;
	}
	t->left_out++;
	return false;
}

/* A counter, or how much of it a second where the report is of a while. */
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

/* Packets that a service takes for invalid, or has no port for. */
static uint64_t refused(const struct service_stats *s)
{
	static const enum mangle_reason all[] = {REASON_MALFORMED_L4, REASON_TOO_SHORT,
						 REASON_TOO_LONG, REASON_NO_TAG, REASON_TCP_RESET};
	uint64_t sum = s->takes_unknown ? 0 : s->stats.packets[REASON_UNKNOWN_TAG];

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		sum += s->stats.packets[all[i]];
	return sum;
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

/* One line of numbers: of the service, or of all packets where that is NULL. */
struct numbers {
	const uint64_t *verdict;
	const struct service_stats *service;
	bool is_would;
};

static const char *cell(const struct table *t, int i, const struct numbers *n,
			char text[NUMBER_SIZE])
{
	if (i == SEEN)
		return format_number(t, seen(n->verdict), text);
	if (i != REFUSED)
		return format_number(t, n->verdict[i - FIRST_VERDICT], text);
	/* Most of all packets are nobody's here, and what would be is not told by reason. */
	*text = '\0';
	if (n->service && !n->is_would)
		format_share(refused(n->service), seen(n->verdict), text);
	return text;
}

static const char *head(int i, char text[NUMBER_SIZE])
{
	static const char *const heads[] = {"REWRITTEN", "PASSED", "DROPPED", "ANSWERED"};

	_Static_assert(sizeof(heads) / sizeof(*heads) == MANGLE_VERDICT_COUNT, "one for each");
	snprintf(text, NUMBER_SIZE, "%s",
		 i == SEEN	? "SEEN"
		 : i == REFUSED ? "REFUSED"
				: heads[i - FIRST_VERDICT]);
	return text;
}

static void text_head(struct table *t)
{
	char text[NUMBER_SIZE];

	if (!next_line(t))
		return;
	out_text("%-*s", t->name_width, "SERVICE");
	for (int i = 0; i < CELLS; i++)
		out_text(" %*s", t->width[i], head(i, text));
	out_end_line();
}

static void text_line(struct table *t, const char *name, const struct numbers *n)
{
	char text[NUMBER_SIZE];

	if (!next_line(t))
		return;
	if ((int)strlen(name) > t->name_width)
		out_text("%.*s+", t->name_width - 1, name);
	else
		out_text("%-*s", t->name_width, name);
	for (int i = 0; i < CELLS; i++) {
		bool lost = i == FIRST_VERDICT + VERDICT_DROPPED && n->verdict[VERDICT_DROPPED];

		cell(t, i, n, text);
		if (!*text)
			break;
		out_text(" ");
		if (lost)
			out_color(OUT_RED);
		out_text("%*s", t->width[i], text);
		if (lost)
			out_color(OUT_PLAIN);
	}
	out_end_line();
}

/* What a reason means, on a terminal in as many lines as it takes. */
static void text_meaning(struct table *t, const char *meaning, unsigned int indent)
{
	size_t room = terminal_is() && terminal_width() > indent + 20 ? terminal_width() - indent
								      : strlen(meaning);

	while (strlen(meaning) > room) {
		size_t len = room;

		while (len && meaning[len] != ' ')
			len--;
		if (!len || !next_line(t))
			break;
		out_line("%.*s", (int)len, meaning);
		out_text("%*s", (int)indent, "");
		meaning += len + 1;
	}
	out_line("%s", meaning);
}

static void text_reasons(struct table *t, const struct stats *st)
{
	char packets[NUMBER_SIZE], bytes[NUMBER_SIZE];
	int wide = t->brief ? 6 : 12, wider = t->brief ? 6 : 15;

	if (!seen(st->verdict) || !next_line(t))
		return;
	out_line("  %-15s %*s %*s  MEANING", "REASON", wide, "PACKETS", wider, "BYTES");
	for (int i = 0; i < MANGLE_REASON_COUNT; i++) {
		if (!st->packets[i] || !next_line(t))
			continue;
		out_text("  %-15s %*s %*s  ", reason_name((enum mangle_reason)i), wide,
			 format_number(t, st->packets[i], packets), wider,
			 format_number(t, st->bytes[i], bytes));
		text_meaning(t, reason_meaning((enum mangle_reason)i),
			     (unsigned int)(2 + 15 + 1 + wide + 1 + wider + 2));
	}
}

static struct numbers of_service(const struct service_stats *s, bool would)
{
	return (struct numbers){.verdict = would ? s->stats.would : s->stats.verdict,
				.service = s,
				.is_would = would};
}

static void text_all(struct table *t)
{
	const struct stats *all = &t->report->all;
	const struct numbers n = {.verdict = all->verdict};

	text_line(t, "all packets", &n);
	if (t->report->reasons)
		text_reasons(t, all);
}

static void text_service(struct table *t, const struct service_stats *s)
{
	const struct numbers is = of_service(s, false), would = of_service(s, true);

	text_line(t, s->name, &is);
	if (seen(would.verdict))
		text_line(t, "  if enforced", &would);
	if (t->report->reasons)
		text_reasons(t, &s->stats);
}

/* ---- widths ---- */

static void widen(struct table *t, struct numbers n)
{
	char text[NUMBER_SIZE];

	for (int i = 0; i < CELLS; i++) {
		int len = (int)strlen(cell(t, i, &n, text));

		t->width[i] = len > t->width[i] ? len : t->width[i];
	}
}

static void widen_name(struct table *t, const char *name)
{
	int len = (int)strlen(name);

	t->name_width = len > t->name_width ? len : t->name_width;
}

/* Where a line would not fit the terminal names are cut. */
static void fit_name(struct table *t)
{
	int sum = t->name_width, least = (int)strlen("  if enforced");

	for (int i = 0; i < CELLS; i++)
		sum += 1 + t->width[i];
	if (terminal_is() && sum > (int)terminal_width())
		t->name_width -= sum - (int)terminal_width();
	if (t->name_width < least)
		t->name_width = least;
}

static void measure(struct table *t)
{
	const struct stats_report *r = t->report;
	char text[NUMBER_SIZE];

	for (int i = 0; i < CELLS; i++)
		t->width[i] = (int)strlen(head(i, text));
	widen_name(t, "  if enforced");
	widen(t, (struct numbers){.verdict = r->all.verdict});
	for (size_t i = 0; i < r->count; i++) {
		widen_name(t, r->services[i].name);
		widen(t, of_service(&r->services[i], false));
		widen(t, of_service(&r->services[i], true));
	}
	fit_name(t);
}

/* ---- all of it ---- */

static void text_time(struct table *t)
{
	time_t now = (time_t)t->report->time;
	char text[32];
	struct tm tm;

	if (!next_line(t) || !gmtime_r(&now, &tm))
		return;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	out_line("%s  %s", text,
		 t->report->seconds > 0 ? "packets a second" : "packets so far, then per second");
}

static void text_report(const struct stats_report *r)
{
	struct table t = {.report = r, .brief = terminal_is() && !r->exact, .lines = UINT32_MAX};

	/* What scrolls is not seen; the last two are for what is left out, and the cursor. */
	if (r->watch && terminal_is())
		t.lines = terminal_height() > 5 ? terminal_height() - 2 : 3;
	measure(&t);
	if (r->watch)
		text_time(&t);
	text_head(&t);
	if (r->show_all)
		text_all(&t);
	for (size_t i = 0; i < r->count; i++)
		text_service(&t, &r->services[i]);
	if (t.left_out)
		out_line("... and %zu more lines (--service NAME)", t.left_out);
}

void print_stats(const struct stats_report *r)
{
	if (print_is_json()) {
		json_report(r);
		return;
	}
	if (!r->watch)
		terminal_page();
	text_report(r);
}

void print_stats_again(void)
{
	if (!print_is_json() && terminal_is())
		fputs("\033[H\033[J", out_raw()); /* home, clear to the end */
	else if (!print_is_json())
		out_end_line();
}
