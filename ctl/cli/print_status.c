/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints status, as text or JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/build_id.h"
#include "out.h"
#include "print_internal.h"

/* Returns the width of a column that holds this text too. */
static int wider(int width, const char *text)
{
	int len = (int)strlen(text);

	return len > width ? len : width;
}

static json_t *json_attachment(const struct attachment *a)
{
	static const char *const links[] = {
		[LINK_UP] = "up", [LINK_NO_CARRIER] = "no_carrier", [LINK_DOWN] = "down"};
	char build[BUILD_TEXT_SIZE];
	const struct mangle_iface *i = &a->iface;

	return json_pack("{s:o,s:i,s:o,s:s,s:b,s:i,s:s,s:b,s:s,s:s?}", "name", json_text(i->name),
			 "ifindex", (int)a->key.ifindex, "netns", json_text_or_null(i->netns_name),
			 "mode", mode_name(i->mode), "dispatcher", (int)i->dispatcher, "prog_id",
			 (int)i->prog_id, "build", prog_build_text(i->build, build), "own_build",
			 (int)prog_is_own(i), "state", a->attached ? "attached" : "gone", "link",
			 links[a->link]);
}

static json_t *json_service_status(const struct service *s, const struct service_status *st)
{
	static const char *const places[] = {[PLACE_ATTACHED] = "attached",
					     [PLACE_NOT_ATTACHED] = "not_attached",
					     [PLACE_MISSING] = "missing",
					     [PLACE_UNKNOWN] = "unknown"};

	return json_pack("{s:s,s:b,s:s,s:o,s:s,s:I,s:I,s:o,s:s?}", "name", s->name, "enabled",
			 (int)!s->disabled, "protocol", format_protocol(s->protocols), "ports",
			 json_ports(s), "action", s->observe ? "observe" : "enforce", "entities",
			 (json_int_t)st->entities, "bytes", (json_int_t)st->bytes, "interface",
			 json_text_or_null(s->ifname), "interface_state", places[st->place]);
}

static const char *drift_name(enum drift_state state)
{
	static const char *const names[] = {[DRIFT_SAME] = "same",
					    [DRIFT_DIFFERS] = "differs",
					    [DRIFT_MISSING] = "missing",
					    [DRIFT_BROKEN] = "broken",
					    [DRIFT_NOT_LOADED] = "not_loaded"};

	return names[state];
}

static json_t *json_drift(const struct drift *d)
{
	bool readable = d->state != DRIFT_BROKEN && (d->state != DRIFT_MISSING || !*d->file);
	json_t *j = json_pack("{s:o,s:b,s:s}", "file", json_text_or_null(d->file), "differs",
			      (int)d->differs, "state", drift_name(d->state));

	json_object_set_new(j, "services", readable ? json_integer(d->services) : json_null());
	json_object_set_new(j, "entities",
			    readable ? json_integer((json_int_t)d->entities) : json_null());
	json_object_set_new(j, "changed_services", json_integer(d->service_changes));
	json_object_set_new(j, "changed_entities", json_integer((json_int_t)d->entity_changes));
	json_object_set_new(j, "error", readable ? json_null() : json_text(d->why.line));
	return j;
}

static json_t *json_notes(const struct warnings *w, enum note_level least, enum note_level most)
{
	json_t *j = json_array();

	for (size_t i = 0; i < w->count; i++)
		if (w->note[i].level >= least && w->note[i].level <= most)
			json_array_append_new(j, json_text(w->note[i].text));
	return j;
}

static void status_json(struct output *out, const struct status *s)
{
	json_t *ifaces = json_array(), *services = json_array();
	json_t *flows = json_null();

	for (size_t i = 0; i < s->iface_count; i++)
		json_array_append_new(ifaces, json_attachment(&s->ifaces[i]));
	for (unsigned int i = 0; i < s->services->service_count; i++)
		json_array_append_new(
			services, json_service_status(&s->services->services[i], &s->service[i]));
	if (s->flows_size)
		flows = json_pack("{s:I,s:I}", "size", (json_int_t)s->flows_size, "used",
				  (json_int_t)s->flows_used);
	dump_json_line(out, json_pack("{s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "version",
				      MANGLE_VERSION, "generation", (json_int_t)s->generation,
				      "interfaces", ifaces, "services", services, "flows", flows,
				      "config", json_drift(s->drift), "warnings",
				      json_notes(s->warnings, NOTE_WARNING, NOTE_FAULT), "errors",
				      json_notes(s->warnings, NOTE_FAULT, NOTE_FAULT), "info",
				      json_notes(s->warnings, NOTE_INFO, NOTE_INFO)));
}

static void text_notes(struct output *out, const struct warnings *w, enum note_level level,
		       const char *what)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->note[i].level == level)
			out_line(out, "%s: %s", what, w->note[i].text);
}

static const char *state_text(const struct attachment *a)
{
	if (!a->attached)
		return "gone";
	return a->link == LINK_DOWN	    ? "down"
	       : a->link == LINK_NO_CARRIER ? "no carrier"
					    : "attached";
}

static void text_interfaces(struct output *out, const struct status *s)
{
	int name = (int)strlen("NAME");

	out_line(out, s->iface_count ? "interfaces:" : "interfaces: none");
	for (size_t i = 0; i < s->iface_count; i++)
		name = wider(name, s->ifaces[i].iface.name);
	if (s->iface_count)
		out_line(out, "  %-*s  %-10s  %-7s  %-10s  %8s  %7s  %s", name, "NAME", "STATE",
			 "MODE", "BY", "PROGRAM", "IFINDEX", "NETNS");
	for (size_t i = 0; i < s->iface_count; i++) {
		const struct attachment *a = &s->ifaces[i];
		const char *netns = a->iface.netns_name;
		char program[16] = "-";

		if (a->iface.prog_id)
			snprintf(program, sizeof(program), "%u", a->iface.prog_id);
		out_line(out, "  %-*s  %-10s  %-7s  %-10s  %8s  %7u  %s", name, a->iface.name,
			 state_text(a), mode_name(a->iface.mode), way_name(&a->iface), program,
			 a->key.ifindex, *netns ? netns : "-");
	}
}

static const char *place_text(enum service_place place)
{
	static const char *const texts[] = {[PLACE_ANY] = "",
					    [PLACE_ATTACHED] = "",
					    [PLACE_NOT_ATTACHED] = ": NOT ATTACHED",
					    [PLACE_MISSING] = ": DOES NOT EXIST",
					    [PLACE_UNKNOWN] = ": UNKNOWN"};

	return texts[place];
}

#define PORTS_TEXT_SIZE (MANGLE_MAX_PORTS * 6 + 1)
static const char *ports_text(const struct service *s, char buf[PORTS_TEXT_SIZE])
{
	size_t len = 0;

	*buf = '\0';
	for (unsigned int i = 0; i < s->port_count; i++)
		len += (size_t)snprintf(buf + len, PORTS_TEXT_SIZE - len, "%s%u", i ? "," : "",
					s->ports[i]);
	return buf;
}

/* Writes the size as free -h does: three digits and the unit. */
static const char *bytes_text(uint64_t bytes, char buf[16])
{
	static const char units[] = "BKMGT";
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 999.5 && unit < sizeof(units) - 2; unit++)
		value /= 1024;
	snprintf(buf, 16, value < 9.95 && unit ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return buf;
}

static void text_service_status(struct output *out, const struct service *s,
				const struct service_status *st, int name, int ports)
{
	char buf[PORTS_TEXT_SIZE], memory[16];

	out_line(out, "  %-*s  %-5s  %-*s  %-7s  %8" PRIu64 "  %6s  %s%s", name, s->name,
		 format_protocol(s->protocols), ports, ports_text(s, buf),
		 s->disabled  ? "OFF"
		 : s->observe ? "OBSERVE"
			      : "enforce",
		 st->entities, bytes_text(st->bytes, memory), *s->ifname ? s->ifname : "any",
		 place_text(st->place));
}

static void text_services(struct output *out, const struct status *s)
{
	int name = (int)strlen("NAME"), ports = (int)strlen("PORTS");
	const struct model *m = s->services;
	char buf[PORTS_TEXT_SIZE];

	out_line(out, m->service_count ? "services:" : "services: none");
	for (unsigned int i = 0; i < m->service_count; i++) {
		name = wider(name, m->services[i].name);
		ports = wider(ports, ports_text(&m->services[i], buf));
	}
	if (m->service_count)
		out_line(out, "  %-*s  %-5s  %-*s  %-7s  %8s  %6s  %s", name, "NAME", "PROTO",
			 ports, "PORTS", "ACTION", "ENTITIES", "MEMORY", "INTERFACE");
	for (unsigned int i = 0; i < m->service_count; i++)
		text_service_status(out, &m->services[i], &s->service[i], name, ports);
}

/* Writes "2 services, 1 entity"; a number that is 0 is left out, unless both are. */
#define PARTS_TEXT_SIZE 64
static const char *parts_text(unsigned int services, uint64_t entities, char buf[PARTS_TEXT_SIZE])
{
	int len = 0;

	*buf = '\0';
	if (services || !entities)
		len = snprintf(buf, PARTS_TEXT_SIZE, "%u service%s%s", services,
			       services == 1 ? "" : "s", entities ? ", " : "");
	if (entities)
		snprintf(buf + len, PARTS_TEXT_SIZE - (size_t)len, "%" PRIu64 " entit%s", entities,
			 entities == 1 ? "y" : "ies");
	return buf;
}

static void text_no_file(struct output *out, const struct drift *d)
{
	if (d->state == DRIFT_SAME)
		out_line(out, "configuration: no file (the built-in default runs)");
	else if (d->state == DRIFT_NOT_LOADED)
		out_line(
			out,
			"configuration: no file (the built-in default is not loaded; mangle-ctl attach IFACE)");
	else
		out_line(out, "configuration: no file (what runs is not the built-in default)");
}

static void text_drift(struct output *out, const struct drift *d)
{
	char parts[PARTS_TEXT_SIZE];

	if (!*d->file)
		text_no_file(out, d);
	else if (d->state == DRIFT_DIFFERS)
		out_line(out, "configuration: %s (differs: %s)", d->file,
			 parts_text(d->service_changes, d->entity_changes, parts));
	else if (d->state == DRIFT_NOT_LOADED)
		out_line(out, "configuration: %s (not loaded: %s; mangle-ctl attach IFACE)",
			 d->file, parts_text(d->services, d->entities, parts));
	else
		out_line(out, "configuration: %s (%s)", d->file,
			 d->state == DRIFT_SAME ? "as it runs" : drift_name(d->state));
}

static void status_text(struct output *out, const struct status *s)
{
	out_line(out, "mangle %s, generation %" PRIu64, MANGLE_VERSION, s->generation);
	text_interfaces(out, s);
	text_services(out, s);
	if (s->flows_size)
		out_line(out, "flows: %" PRIu64 " of %" PRIu32 "%s", s->flows_used, s->flows_size,
			 s->flows_used >= s->flows_size ? " FULL" : "");
	text_drift(out, s->drift);
	text_notes(out, s->warnings, NOTE_FAULT, "error");
	text_notes(out, s->warnings, NOTE_WARNING, "warning");
	text_notes(out, s->warnings, NOTE_INFO, "note");
}

void print_status(struct output *out, const struct status *s)
{
	if (out->json)
		status_json(out, s);
	else if (s->not_attached)
		out_line(out, "%s", s->warnings->note[0].text);
	else
		status_text(out, s);
}
