/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/build_id.h"
#include "files/config_save.h"
#include "files/table_file.h"
#include "model/setting.h"
#include "out.h"
#include "print_internal.h"

static const char *const verdict_names[] = {
#define VERDICT_NAME(upper, lower) #lower,
	MANGLE_VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

static const struct {
	const char *name, *meaning;
} reasons[] = {
#define REASON_ROW(upper, lower, meaning) {#lower, meaning},
	MANGLE_REASONS(REASON_ROW)
#undef REASON_ROW
};

const char *verdict_name(enum mangle_verdict v)
{
	return verdict_names[v];
}

const char *reason_name(enum mangle_reason r)
{
	return reasons[r].name;
}

const char *reason_meaning(enum mangle_reason r)
{
	return reasons[r].meaning;
}

void print_made(struct output *out, const char *fmt, ...)
{
	va_list ap;

	if (*out->made)
		return;
	va_start(ap, fmt);
	vsnprintf(out->made, sizeof(out->made), fmt, ap);
	va_end(ap);
}

int print_finish(struct output *out, struct err *e)
{
	const char *why;

	if (!out_finish(out))
		return 0;
	why = errno ? strerror(errno) : "not all of it could be written";
	if (*out->made)
		return fail(e, -EIO, "standard output", "writing: %s (the change was made: %s)",
			    why, out->made);
	return fail(e, -EIO, "standard output", "writing: %s (check where standard output goes)",
		    why);
}

/* ---- standard error ---- */

void print_error(const struct err *e, const char *name)
{
	/* The object may be an empty word. */
	const char *object = e->line[0] == ':' ? "''" : "";
	size_t len = strlen(e->line);

	/* The verb's help is a remedy where the command line is wrong. Other errors bring their
	 * remedy, where one is known. */
	if (e->status != EXIT_USAGE || (len && e->line[len - 1] == ')'))
		out_error("mangle-ctl: %s%s", object, e->line);
	else
		out_error("mangle-ctl: %s%s (see mangle-ctl %s%s--help)", object, e->line, name,
			  *name ? " " : "");
}

void print_warnings(const struct output *out, const struct warnings *w)
{
	for (size_t i = 0; i < w->count && !out->quiet; i++)
		if (w->note[i].level != NOTE_INFO)
			out_error("mangle-ctl: warning: %s", w->note[i].text);
}

/* ---- JSON ---- */

json_t *json_text(const char *s)
{
	json_t *j = json_string(s);
	char *escaped, *at;

	if (j)
		return j;
	escaped = malloc(4 * strlen(s) + 1);
	if (!escaped)
		return json_null();
	for (at = escaped; *s; s++)
		at += (unsigned char)*s < 0x80 ? sprintf(at, "%c", *s)
					       : sprintf(at, "\\x%02x", (unsigned char)*s);
	*at = '\0';
	j = json_string(escaped);
	free(escaped);
	return j;
}

json_t *json_text_or_null(const char *s)
{
	return s && *s ? json_text(s) : json_null();
}

void dump_json(struct output *out, json_t *j)
{
	json_dumpf(j, out_raw(out), JSON_COMPACT);
	json_decref(j);
}

void dump_json_line(struct output *out, json_t *j)
{
	dump_json(out, j);
	out_end_line(out);
}

void print_candidate(struct output *out, const char *word, const char *help)
{
	out_text(out, "%s", word);
	if (help)
		fprintf(out_raw(out), "\t%s", help);
	out_end_line(out);
}

void print_version(struct output *out)
{
	if (out->json)
		dump_json_line(out, json_pack("{s:s}", "version", MANGLE_VERSION));
	else
		out_line(out, "mangle-ctl %s", MANGLE_VERSION);
}

void json_list_begin(struct output *out)
{
	putc('[', out_raw(out));
	out->first_of_list = true;
}

void json_list_row(struct output *out, json_t *j)
{
	if (!out->first_of_list)
		fputs(",\n", out_raw(out));
	out->first_of_list = false;
	dump_json(out, j);
}

void json_list_end(struct output *out)
{
	fputs("]\n", out_raw(out));
}

json_t *json_target(const struct target *t)
{
	char buf[TARGET_TEXT_SIZE];

	return t->action == ACTION_PORT ? json_integer(t->port)
					: json_string(format_target(t, buf));
}

json_t *json_window(const struct window *w)
{
	return json_pack("{s:i,s:i}", "min", w->min, "max", w->max);
}

/* ---- attachments ---- */

const char *mode_name(uint32_t mode)
{
	return mode == MODE_GENERIC ? "generic" : "native";
}

const char *way_name(const struct mangle_iface *i)
{
	return i->dispatcher ? "dispatcher" : "plain";
}

/* Records "attached eth0, eth1". */
static void note_interface(struct output *out, const char *done, const char *name)
{
	size_t len = strlen(out->made);

	snprintf(out->made + len, sizeof(out->made) - len, "%s %s", len ? "," : done, name);
}

void print_attached(struct output *out, const struct attachment *a, bool changed)
{
	if (changed)
		note_interface(out, "attached", a->iface.name);
	if (!out->json && !out->quiet)
		out_line(out, "%s: attached%s (%s, %s)", a->iface.name, changed ? "" : " already",
			 mode_name(a->iface.mode), way_name(&a->iface));
}

void print_detached(struct output *out, const char *name)
{
	note_interface(out, "detached", name);
	if (!out->json && !out->quiet)
		out_line(out, "%s: detached", name);
}

void print_stopped(struct output *out, const char *unit)
{
	if (!out->json && !out->quiet)
		out_line(out, "%s: stopped", unit);
}

bool print_upgraded(struct output *out, const struct attachment *a,
		    const struct mangle_iface *before)
{
	bool other = !before || memcmp(before->build, a->iface.build, sizeof(a->iface.build));
	bool asks = before && before->conntrack != a->iface.conntrack;
	char to_text[BUILD_TEXT_SIZE], from_text[BUILD_TEXT_SIZE] = "unknown";

	prog_build_text(a->iface.build, to_text);
	if (before)
		prog_build_text(before->build, from_text);
	if (other || asks)
		note_interface(out, "upgraded", a->iface.name);
	if (out->json || out->quiet)
		return other || asks;
	if (other)
		out_line(out, "%s: upgraded, build %s -> %s (%s, %s, program %u)", a->iface.name,
			 from_text, to_text, mode_name(a->iface.mode), way_name(&a->iface),
			 a->iface.prog_id);
	else if (asks)
		out_line(out, "%s: %s conntrack now", a->iface.name,
			 a->iface.conntrack ? "asks" : "does not ask");
	else
		out_line(out, "%s: already has this build (%s)", a->iface.name, to_text);
	return other || asks;
}

void print_not_attached(struct output *out, const char *name)
{
	if (!out->json)
		out_line(out, "%s: not attached", name);
}

/* ---- entities ---- */

void print_table_line(struct output *out, const struct service *s, const struct entity *en)
{
	table_save_line(out_raw(out), s, en);
}

/* ---- the configuration file ---- */

static void config_service_json(struct output *out, const struct service *s)
{
	json_t *j = json_service(s);

	/* A setting that is not set is left out of the file: its reader takes no null. */
	for (const struct setting *t = settings; t < settings + SETTING_COUNT; t++)
		if (json_is_null(json_object_get(j, t->name)))
			json_object_del(j, t->name);
	if (!(s->protocols & MANGLE_PROTO_TCP))
		json_object_del(j, settings[SETTING_TCP].name);
	putc('{', out_raw(out));
	json_dumpf(j, out_raw(out), JSON_COMPACT | JSON_EMBED);
	json_decref(j);
	fputs(",\"entities\":", out_raw(out));
	json_list_begin(out);
	for (size_t i = 0; i < s->entity_count; i++)
		json_list_row(out, json_entity(s, &s->entities[i]));
	fputs("]}", out_raw(out));
}

void print_config(struct output *out, const struct model *m)
{
	if (!out->json) {
		config_save(m, out_raw(out));
		return;
	}
	fputs("{\"version\":1,", out_raw(out));
	if (model_flows(m) != MANGLE_FLOWS_DEFAULT)
		out_text(out, "\"flows\":%" PRIu32 ",", model_flows(m));
	fputs("\"services\":[", out_raw(out));
	for (unsigned int i = 0; i < m->service_count; i++) {
		fputs(i ? ",\n" : "", out_raw(out));
		config_service_json(out, &m->services[i]);
	}
	fputs("]}\n", out_raw(out));
}

/* ---- doctor ---- */

void print_findings(struct output *out, const struct findings *f)
{
	static const char *const states[] = {"ok", "info", "warn", "bad"};

	if (out->json) {
		fputs("{\"checks\":", out_raw(out));
		json_list_begin(out);
	}
	for (const struct finding *i = f->finding; i < f->finding + f->count; i++)
		if (out->json)
			json_list_row(out, json_pack("{s:o,s:s,s:o}", "name", json_text(i->name),
						     "state", states[i->state], "text",
						     json_text(i->text)));
		else
			out_line(out, "%-4s  %s: %s", states[i->state], i->name, i->text);
	if (out->json)
		fputs("]}\n", out_raw(out));
}
