/* SPDX-License-Identifier: GPL-2.0-only */
/* Services: in the words that `service add` takes, as the configuration file's keys, and what of
 * one has changed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "print_internal.h"
#include "terminal.h"

/* The longest: 8 prefixes. */
#define SETTING_SIZE ((size_t)MANGLE_MAX_PREFIXES * PREFIX_TEXT_SIZE)

/* ---- settings as text ---- */

static const char *action_name(uint8_t action)
{
	return action == ACTION_DROP ? "drop" : "pass";
}

static const char *tcp_name(const struct service *s)
{
	return s->tcp_mode == TCP_MODE_SEGMENT ? "segment" : "connection";
}

static void format_protocol_of(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "%s", format_protocol(s->protocols));
}

static void format_ports(const struct service *s, char *text)
{
	size_t len = 0;

	for (unsigned int i = 0; i < s->port_count; i++)
		len += (size_t)snprintf(text + len, SETTING_SIZE - len, "%s%u", i ? "," : "",
					s->ports[i]);
}

static void format_prefixes(const struct prefix *p, unsigned int count, char *text)
{
	char one[PREFIX_TEXT_SIZE];
	size_t len = 0;

	snprintf(text, SETTING_SIZE, "any");
	for (unsigned int i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, SETTING_SIZE - len, "%s%s", i ? "," : "",
					format_prefix(&p[i], one));
}

static void format_daddr(const struct service *s, char *text)
{
	format_prefixes(s->daddr, s->daddr_count, text);
}

static void format_saddr(const struct service *s, char *text)
{
	format_prefixes(s->saddr, s->saddr_count, text);
}

static void format_interface(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "%s", *s->ifname ? s->ifname : "any");
}

static void format_tag_place(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "%d:%u", s->tag_offset, s->tag_len);
}

static void format_size(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "%u:%u", s->size.min, s->size.max);
}

static void format_invalid(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "%s", action_name(s->invalid));
}

static void format_unknown(const struct service *s, char *text)
{
	format_target(&s->unknown, text);
}

static void format_tcp(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "%s", tcp_name(s));
}

static void format_reply(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "%s", s->reply ? "on" : "off");
}

static void format_action(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "%s", s->observe ? "observe" : "enforce");
}

static void format_targets(const struct service *s, char *text)
{
	snprintf(text, SETTING_SIZE, "any");
	if (s->targets_first)
		snprintf(text, SETTING_SIZE, "%u-%u", s->targets_first, s->targets_last);
}

/* Options of `service add`; usual: what is left out of a list, NULL where nothing is. */
static const struct {
	const char *name;
	void (*format)(const struct service *s, char *text);
	const char *usual;
	bool many; /* one option for each of them */
} settings[] = {
	{"protocol", format_protocol_of, NULL, false},
	{"ports", format_ports, NULL, false},
	{"daddr", format_daddr, "any", true},
	{"saddr", format_saddr, "any", true},
	{"interface", format_interface, "any", false},
	{"tag", format_tag_place, NULL, false},
	{"size", format_size, NULL, false},
	{"invalid", format_invalid, NULL, false},
	{"unknown", format_unknown, NULL, false},
	{"tcp", format_tcp, "connection", false},
	{"reply", format_reply, "off", false},
	{"action", format_action, NULL, false},
	{"targets", format_targets, "any", false},
};
#define SETTING_COUNT (sizeof(settings) / sizeof(*settings))

void print_setting_changes(const struct service *old, const struct service *new)
{
	char was[SETTING_SIZE], is[SETTING_SIZE];
	const char *join = " ";

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		settings[i].format(old, was);
		settings[i].format(new, is);
		if (!strcmp(was, is))
			continue;
		out_text("%s%s %s -> %s", join, settings[i].name, was, is);
		join = ", ";
	}
}

/* ---- in the words of service add ---- */

/* A word as a shell takes it: names of interfaces may have anything in them. */
static void print_word(const char *word, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.:/-";

	if (strspn(word, plain) >= len) {
		out_text("%.*s", (int)len, word);
		return;
	}
	out_text("'");
	for (size_t i = 0; i < len; i++)
		if (word[i] == '\'')
			out_text("'\\''");
		else
			fputc(word[i], out_raw());
	out_text("'");
}

static void print_option(const char *name, const char *value, bool many)
{
	do {
		size_t len = many ? strcspn(value, ",") : strlen(value);

		out_text(" --%s ", name);
		print_word(value, len);
		value += len;
	} while (*value++);
}

/* How TCP is treated is told of every service that covers it. */
static bool is_left_out(const struct service *s, size_t i, const char *text)
{
	if (settings[i].format == format_tcp && s->protocols & MANGLE_PROTO_TCP)
		return false;
	return settings[i].usual && !strcmp(text, settings[i].usual);
}

static void text_service(const struct service *s, uint64_t entities)
{
	char text[SETTING_SIZE];

	out_text("%s", s->name);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		settings[i].format(s, text);
		if (!is_left_out(s, i, text))
			print_option(settings[i].name, text, settings[i].many);
	}
	out_line(" # entities: %" PRIu64, entities);
}

/* ---- JSON ---- */

static json_t *json_prefixes(const struct prefix *p, unsigned int count)
{
	json_t *j = json_array();
	char buf[PREFIX_TEXT_SIZE];

	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(j, json_string(format_prefix(&p[i], buf)));
	return j;
}

json_t *json_ports(const struct service *s)
{
	json_t *j = json_array();

	for (unsigned int i = 0; i < s->port_count; i++)
		json_array_append_new(j, json_integer(s->ports[i]));
	return j;
}

json_t *json_service(const struct service *s)
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

/* ---- all of them ---- */

void print_services(const struct model *m, const uint64_t *entities)
{
	if (print_is_json())
		json_list_begin();
	else if (!m->service_count)
		out_line("no services");
	else
		terminal_page();
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];

		if (print_is_json()) {
			json_t *j = json_service(s);

			json_object_set_new(j, "count", json_integer((json_int_t)entities[i]));
			json_list_row(j);
		} else {
			text_service(s, entities[i]);
		}
	}
	if (print_is_json())
		json_list_end();
}
