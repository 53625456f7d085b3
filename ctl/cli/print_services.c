/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints services: as arguments of `service add`, with the configuration file's keys, and the
 * settings of one that have changed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/setting.h"
#include "out.h"
#include "print_internal.h"
#include "terminal.h"

void print_setting_changes(struct output *out, const struct service *old, const struct service *new)
{
	char was[SETTING_TEXT_SIZE], is[SETTING_TEXT_SIZE];
	const char *join = " ";

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (setting_is_same(&settings[i], old, new))
			continue;
		out_text(out, "%s%s %s -> %s", join, settings[i].name,
			 setting_format(&settings[i], old, was),
			 setting_format(&settings[i], new, is));
		join = ", ";
	}
}

/* ---- in the words of service add ---- */

/* Prints a word quoted for a shell: names of interfaces may have any characters in them. */
static void print_word(struct output *out, const char *word, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.:/-";

	if (strspn(word, plain) >= len) {
		out_text(out, "%.*s", (int)len, word);
		return;
	}
	out_text(out, "'");
	for (size_t i = 0; i < len; i++)
		if (word[i] == '\'')
			out_text(out, "'\\''");
		else
			fputc(word[i], out_raw(out));
	out_text(out, "'");
}

static void print_option(struct output *out, const char *name, const char *value, bool many)
{
	do {
		size_t len = many ? strcspn(value, ",") : strlen(value);

		out_text(out, " --%s ", name);
		print_word(out, value, len);
		value += len;
	} while (*value++);
}

static void text_service(struct output *out, const struct service *s, uint64_t entities)
{
	char text[SETTING_TEXT_SIZE];

	out_text(out, "%s", s->name);
	for (const struct setting *t = settings; t < settings + SETTING_COUNT; t++)
		if (setting_is_shown(t, s))
			print_option(out, t->name, setting_format(t, s, text),
				     t->kind == KIND_PREFIXES);
	out_line(out, " # entities: %" PRIu64, entities);
}

/* ---- JSON ---- */

static json_t *json_prefixes(const struct setting *t, const struct service *s)
{
	unsigned int count;
	const struct prefix *p = setting_prefixes(t, s, &count);
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

/* The mask is a member only where the tag has one. */
static json_t *json_tag_place(const struct service *s)
{
	json_t *j = json_pack("{s:i,s:i}", "offset", (int)s->tag_offset, "length", (int)s->tag_len);
	char mask[TAG_TEXT_SIZE];

	if (*format_mask(s->tag_ignored, s->tag_len, mask))
		json_object_set_new(j, "mask", json_string(mask));
	return j;
}

/* "any" is null; for prefixes it is an empty list. */
static json_t *json_word(const struct setting *t, const struct service *s)
{
	char text[SETTING_TEXT_SIZE];

	setting_format(t, s, text);
	return t->usual && !strcmp(t->usual, "any") && !strcmp(text, "any") ? json_null()
									    : json_string(text);
}

static json_t *json_setting(const struct setting *t, const struct service *s)
{
	switch (t->kind) {
	case KIND_PORTS: return json_ports(s);
	case KIND_PREFIXES: return json_prefixes(t, s);
	case KIND_TAG: return json_tag_place(s);
	case KIND_WINDOW: return json_window(&s->size);
	case KIND_TARGET: return json_target(&s->unknown);
	case KIND_SWITCH: return json_boolean(setting_is_on(t, s));
	case KIND_INTERFACE:
	case KIND_TEXT: return json_text_or_null((const char *)s + t->at);
	default: return json_word(t, s);
	}
}

json_t *json_service(const struct service *s)
{
	json_t *j = json_pack("{s:s}", "name", s->name);

	for (const struct setting *t = settings; t < settings + SETTING_COUNT; t++)
		json_object_set_new(j, t->name, json_setting(t, s));
	return j;
}

/* ---- all of them ---- */

void print_services(struct output *out, const struct model *m, const uint64_t *entities)
{
	if (out->json)
		json_list_begin(out);
	else if (!m->service_count)
		out_line(out, "no services");
	else
		terminal_page(&out->terminal);
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];

		if (out->json) {
			json_t *j = json_service(s);

			json_object_set_new(j, "count", json_integer((json_int_t)entities[i]));
			json_list_row(out, j);
		} else {
			text_service(out, s, entities[i]);
		}
	}
	if (out->json)
		json_list_end(out);
}
