/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "out.h"
#include "print_internal.h"
#include "prog.h"

#define MAX_ENTITY_LINES 50

static bool as_json, quiet;
static bool first_of_list;
/* The change that this run has made: where its answer cannot be written, the error tells it. */
static char made[128];

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

void print_init(bool json, bool be_quiet)
{
	as_json = json;
	quiet = be_quiet;
}

bool print_is_json(void)
{
	return as_json;
}

bool print_is_quiet(void)
{
	return quiet;
}

bool print_broken(void)
{
	return out_failed();
}

int print_finish(struct err *e)
{
	const char *why;

	if (!out_finish())
		return 0;
	why = errno ? strerror(errno) : "it was refused";
	if (*made)
		return fail(e, -EIO, "standard output", "writing: %s (the change was made: %s)",
			    why, made);
	return fail(e, -EIO, "standard output", "writing: %s (see where it goes)", why);
}

/* ---- standard error ---- */

void print_error(const struct err *e, const char *name)
{
	/* The object may be a word that was left empty. */
	const char *object = e->line[0] == ':' ? "''" : "";
	size_t len = strlen(e->line);

	/* Help is about the command line. What else is wrong says what to do, where that is known.
	 */
	if (e->status != EXIT_USAGE || (len && e->line[len - 1] == ')'))
		out_error("mangle-ctl: %s%s", object, e->line);
	else
		out_error("mangle-ctl: %s%s (see mangle-ctl %s%s--help)", object, e->line, name,
			  *name ? " " : "");
}

void print_warnings(const struct warnings *w)
{
	for (size_t i = 0; i < w->count && !quiet; i++)
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

void dump_json(json_t *j)
{
	json_dumpf(j, out_raw(), JSON_COMPACT);
	json_decref(j);
}

void dump_json_line(json_t *j)
{
	dump_json(j);
	out_end_line();
}

void print_candidate(const char *word, const char *help)
{
	out_text("%s", word);
	if (help)
		fprintf(out_raw(), "\t%s", help);
	out_end_line();
}

void print_version(void)
{
	if (as_json)
		dump_json_line(json_pack("{s:s}", "version", MANGLE_VERSION));
	else
		out_line("mangle-ctl %s", MANGLE_VERSION);
}

void json_list_begin(void)
{
	putc('[', out_raw());
	first_of_list = true;
}

void json_list_row(json_t *j)
{
	if (!first_of_list)
		fputs(",\n", out_raw());
	first_of_list = false;
	dump_json(j);
}

void json_list_end(void)
{
	fputs("]\n", out_raw());
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

/* ---- changes ---- */

/* "added 1, generation 8": what is 0 is left out. */
static void note_changes(const struct changes *c, uint64_t generation)
{
	const struct {
		const char *what;
		uint64_t n;
	} counts[] = {{"added", c->added}, {"removed", c->removed}, {"updated", c->updated}};
	size_t len = 0;

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		if (counts[i].n)
			len += (size_t)snprintf(made + len, sizeof(made) - len, "%s %" PRIu64 ", ",
						counts[i].what, counts[i].n);
	snprintf(made + len, sizeof(made) - len, "generation %" PRIu64, generation);
}

void print_changes(const struct changes *c, bool changed, bool planned, uint64_t generation)
{
	if (changed && !planned && !*made)
		note_changes(c, generation);
	if (as_json)
		dump_json_line(json_pack("{s:b,s:I,s:I,s:I,s:I}", "changed", changed, "added",
					 (json_int_t)c->added, "removed", (json_int_t)c->removed,
					 "updated", (json_int_t)c->updated, "generation",
					 (json_int_t)generation));
	else if (quiet)
		return;
	else if (!changed)
		out_line("nothing to change");
	else
		out_line("%sadded %" PRIu64 ", removed %" PRIu64 ", updated %" PRIu64
			 ", generation %" PRIu64,
			 planned ? "would be: " : "", c->added, c->removed, c->updated, generation);
}

void print_change_line(void *arg, enum change_kind kind, const struct service *s,
		       const struct entity *en)
{
	static const char signs[] = {
		[CHANGE_ADDED] = '+', [CHANGE_REMOVED] = '-', [CHANGE_UPDATED] = '~'};
	struct change_lines *l = arg;

	if (as_json || quiet)
		return;
	if (!s)
		out_line("%c flows", signs[kind]);
	else if (!en)
		out_line("%c service %s", signs[kind], s->name);
	else if (l->entities++ < MAX_ENTITY_LINES) {
		out_text("%c %s ", signs[kind], s->name);
		table_save_line(out_raw(), en, s->tag_len);
	}
}

void print_change_lines_end(const struct change_lines *l)
{
	if (!as_json && !quiet && l->entities > MAX_ENTITY_LINES)
		out_line("... and %" PRIu64 " more", l->entities - MAX_ENTITY_LINES);
}

/* ---- attachments ---- */

/* "attached eth0, eth1" */
static void note_interface(const char *done, const char *name)
{
	size_t len = strlen(made);

	snprintf(made + len, sizeof(made) - len, "%s %s", len ? "," : done, name);
}

const char *mode_name(uint32_t mode)
{
	return mode == MODE_GENERIC ? "generic" : "native";
}

const char *way_name(const struct mangle_iface *i)
{
	return i->dispatcher ? "dispatcher" : "plain";
}

void print_attached(const struct attachment *a, bool changed)
{
	if (changed)
		note_interface("attached", a->iface.name);
	if (!as_json && !quiet)
		out_line("%s: attached%s (%s, %s)", a->iface.name, changed ? "" : " already",
			 mode_name(a->iface.mode), way_name(&a->iface));
}

void print_detached(const char *name)
{
	note_interface("detached", name);
	if (!as_json && !quiet)
		out_line("%s: detached", name);
}

void print_stopped(const char *unit)
{
	if (!as_json && !quiet)
		out_line("%s: stopped", unit);
}

bool print_upgraded(const struct attachment *a, const struct mangle_iface *before)
{
	bool other = !before || memcmp(before->build, a->iface.build, sizeof(a->iface.build));
	bool asks = before && before->conntrack != a->iface.conntrack;
	char to_text[BUILD_TEXT_SIZE], from_text[BUILD_TEXT_SIZE] = "unknown";

	prog_build_text(a->iface.build, to_text);
	if (before)
		prog_build_text(before->build, from_text);
	if (other || asks)
		note_interface("upgraded", a->iface.name);
	if (as_json || quiet)
		return other || asks;
	if (other)
		out_line("%s: upgraded, build %s -> %s (%s, %s, program %u)", a->iface.name,
			 from_text, to_text, mode_name(a->iface.mode), way_name(&a->iface),
			 a->iface.prog_id);
	else if (asks)
		out_line("%s: %s conntrack now", a->iface.name,
			 a->iface.conntrack ? "asks" : "does not ask");
	else
		out_line("%s: has this build already (%s)", a->iface.name, to_text);
	return other || asks;
}

void print_not_attached(const char *name)
{
	if (!as_json)
		out_line("%s: not attached", name);
}

/* ---- services ---- */

json_t *json_ports(const struct service *s)
{
	json_t *j = json_array();

	for (unsigned int i = 0; i < s->port_count; i++)
		json_array_append_new(j, json_integer(s->ports[i]));
	return j;
}

static const char *action_name(uint8_t action)
{
	return action == ACTION_DROP ? "drop" : "pass";
}

static const char *tcp_name(const struct service *s)
{
	return s->tcp_mode == TCP_MODE_SEGMENT ? "segment" : "connection";
}

static json_t *json_prefixes(const struct prefix *p, unsigned int count)
{
	json_t *j = json_array();
	char buf[PREFIX_TEXT_SIZE];

	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(j, json_string(format_prefix(&p[i], buf)));
	return j;
}

/* The configuration file's keys; what is not set is null. */
static json_t *json_service(const struct service *s)
{
	char targets[16];

	snprintf(targets, sizeof(targets), "%u-%u", s->targets_first, s->targets_last);
	return json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:{s:i,s:i},s:o,s:s,s:o,s:s,s:b,s:s,s:o}",
			 "name", s->name, "protocol", format_protocol(s->protocols), "ports",
			 json_ports(s), "daddr", json_prefixes(s->daddr, s->daddr_count), "saddr",
			 json_prefixes(s->saddr, s->saddr_count), "interface",
			 json_text_or_null(s->ifname), "tag", "offset", (int)s->tag_offset,
			 "length", (int)s->tag_len, "size", json_window(&s->size), "invalid",
			 action_name(s->invalid), "unknown", json_target(&s->unknown), "tcp",
			 tcp_name(s), "reply", (int)s->reply, "action",
			 s->observe ? "observe" : "enforce", "targets",
			 s->targets_first ? json_string(targets) : json_null());
}

static void text_prefixes(const char *what, const struct prefix *p, unsigned int count)
{
	char buf[PREFIX_TEXT_SIZE];

	for (unsigned int i = 0; i < count; i++)
		out_text("%s%s", i ? "," : what, format_prefix(&p[i], buf));
}

static void text_service(const struct service *s, uint64_t entities)
{
	char unknown[TARGET_TEXT_SIZE];

	out_text("%s: %s port ", s->name, format_protocol(s->protocols));
	for (unsigned int i = 0; i < s->port_count; i++)
		out_text("%s%u", i ? "," : "", s->ports[i]);
	text_prefixes(" daddr ", s->daddr, s->daddr_count);
	text_prefixes(" saddr ", s->saddr, s->saddr_count);
	if (*s->ifname)
		out_text(" iface %s", s->ifname);
	out_end_line();
	out_text("  tag %d:%u, size %u:%u, invalid %s, unknown %s", s->tag_offset, s->tag_len,
		 s->size.min, s->size.max, action_name(s->invalid),
		 format_target(&s->unknown, unknown));
	if (s->protocols & MANGLE_PROTO_TCP)
		out_text(", tcp %s", tcp_name(s));
	if (s->reply)
		out_text(", reply on");
	out_text(", action %s", s->observe ? "observe" : "enforce");
	if (s->targets_first)
		out_text(", targets %u-%u", s->targets_first, s->targets_last);
	out_line(", entities: %" PRIu64, entities);
}

void print_services(const struct model *m, const uint64_t *entities)
{
	if (as_json)
		json_list_begin();
	else if (!m->service_count)
		out_line("no services");
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];

		if (as_json) {
			json_t *j = json_service(s);

			json_object_set_new(j, "count", json_integer((json_int_t)entities[i]));
			json_list_row(j);
		} else {
			text_service(s, entities[i]);
		}
	}
	if (as_json)
		json_list_end();
}

/* ---- entities ---- */

void print_table_line(const struct service *s, const struct entity *en)
{
	table_save_line(out_raw(), en, s->tag_len);
}

/* ---- the configuration file ---- */

static json_t *json_entity(const struct entity *en, unsigned int tag_len)
{
	char tag[TAG_TEXT_SIZE];
	json_t *j = json_pack("{s:s,s:o}", "tag", format_tag_hex(en->tag, tag_len, tag), "target",
			      json_target(&en->target));

	if (en->has_size)
		json_object_set_new(j, "size", json_window(&en->size));
	return j;
}

static void config_service_json(const struct service *s)
{
	json_t *j = json_service(s);

	/* In the file what is not set is left out. */
	if (!*s->ifname)
		json_object_del(j, "interface");
	if (!s->targets_first)
		json_object_del(j, "targets");
	if (!(s->protocols & MANGLE_PROTO_TCP))
		json_object_del(j, "tcp");
	putc('{', out_raw());
	json_dumpf(j, out_raw(), JSON_COMPACT | JSON_EMBED);
	json_decref(j);
	fputs(",\"entities\":", out_raw());
	json_list_begin();
	for (size_t i = 0; i < s->entity_count; i++)
		json_list_row(json_entity(&s->entities[i], s->tag_len));
	fputs("]}", out_raw());
}

void print_config(const struct model *m)
{
	if (!as_json) {
		config_save(m, out_raw()); /* print_finish sees what went wrong */
		return;
	}
	fputs("{\"version\":1,", out_raw());
	if (model_flows(m) != MANGLE_FLOWS_DEFAULT)
		out_text("\"flows\":%" PRIu32 ",", model_flows(m));
	fputs("\"services\":[", out_raw());
	for (unsigned int i = 0; i < m->service_count; i++) {
		fputs(i ? ",\n" : "", out_raw());
		config_service_json(&m->services[i]);
	}
	fputs("]}\n", out_raw());
}

/* ---- counters ---- */

static uint64_t seen(const uint64_t verdict[MANGLE_VERDICT_COUNT])
{
	uint64_t sum = 0;

	for (int i = 0; i < MANGLE_VERDICT_COUNT; i++)
		sum += verdict[i];
	return sum;
}

static json_t *json_verdicts(const uint64_t verdict[MANGLE_VERDICT_COUNT])
{
	json_t *j = json_object();

	for (int i = 0; i < MANGLE_VERDICT_COUNT; i++)
		json_object_set_new(j, verdict_names[i], json_integer((json_int_t)verdict[i]));
	return j;
}

static json_t *json_stats(const struct stats *st)
{
	json_t *packets = json_pack("{s:I}", "seen", (json_int_t)seen(st->verdict));
	json_t *all = json_object();

	json_object_update_new(packets, json_verdicts(st->verdict));
	for (int i = 0; i < MANGLE_REASON_COUNT; i++)
		json_object_set_new(all, reasons[i].name,
				    json_pack("{s:I,s:I}", "packets", (json_int_t)st->packets[i],
					      "bytes", (json_int_t)st->bytes[i]));
	return json_pack("{s:o,s:o,s:o}", "packets", packets, "reasons", all, "would",
			 json_verdicts(st->would));
}

static void text_verdicts(const char *what, const uint64_t verdict[MANGLE_VERDICT_COUNT])
{
	out_text("  %s", what);
	for (int i = 0; i < MANGLE_VERDICT_COUNT; i++)
		out_text("%s %s %" PRIu64, i ? "," : "", verdict_names[i], verdict[i]);
	out_end_line();
}

static void text_stats(const char *name, const struct stats *st)
{
	out_line("%s: seen %" PRIu64, name, seen(st->verdict));
	text_verdicts("packets:", st->verdict);
	if (seen(st->would))
		text_verdicts("observed, without it would be:", st->would);
	for (int i = 0; i < MANGLE_REASON_COUNT; i++)
		if (st->packets[i])
			out_line("  %-15s %12" PRIu64 " packets %15" PRIu64 " bytes  %s",
				 reasons[i].name, st->packets[i], st->bytes[i], reasons[i].meaning);
}

void print_stats(const struct stats *all, bool show_all, const struct service_stats *services,
		 size_t count)
{
	json_t *j, *by_name;

	if (!as_json) {
		if (show_all)
			text_stats("all packets", all);
		for (size_t i = 0; i < count; i++)
			text_stats(services[i].name, &services[i].stats);
		return;
	}
	j = json_stats(all);
	by_name = json_object();
	for (size_t i = 0; i < count; i++)
		json_object_set_new(by_name, services[i].name, json_stats(&services[i].stats));
	json_object_set_new(j, "services", by_name);
	dump_json_line(j);
}

void print_stats_again(void)
{
	if (!as_json && isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", out_raw()); /* home, clear to the end */
	else if (!as_json)
		out_end_line();
}

/* ---- doctor ---- */

void print_checks_begin(void)
{
	if (!as_json)
		return;
	fputs("{\"checks\":", out_raw());
	json_list_begin();
}

void print_check(const char *name, enum check_state state, const char *text)
{
	static const char *const states[] = {"ok", "info", "warn", "bad"};

	if (as_json)
		json_list_row(json_pack("{s:o,s:s,s:o}", "name", json_text(name), "state",
					states[state], "text", json_text(text)));
	else
		out_line("%-4s  %s: %s", states[state], name, text);
}

void print_checks_end(void)
{
	if (as_json)
		fputs("]}\n", out_raw());
}
