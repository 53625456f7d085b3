/* SPDX-License-Identifier: GPL-2.0-only */
#include "config_save.h"

#include <string.h>

#include "model/parse.h"
#include "model/setting.h"

static void save_ports(const struct service *s, FILE *out)
{
	for (unsigned int i = 0; i < s->port_count; i++)
		fprintf(out, "%s%u", i ? ", " : "[", (unsigned int)s->ports[i]);
	putc(']', out);
}

/* text: what comes before, with commas between. */
static void save_prefixes(const char *text, FILE *out)
{
	putc('[', out);
	for (;;) {
		size_t len = strcspn(text, ",");

		fprintf(out, "'%.*s'", (int)len, text);
		if (!text[len])
			break;
		fputs(", ", out);
		text += len + 1;
	}
	putc(']', out);
}

/* In single quotes, YAML's only escape is '' for the quote itself. */
static void save_quoted(const char *text, FILE *out)
{
	putc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			putc('\'', out);
		putc(*text, out);
	}
	putc('\'', out);
}

static void save_tag(const uint8_t *tag, unsigned int len, FILE *out)
{
	char buf[TAG_TEXT_SIZE], escaped[2 * TAG_TEXT_SIZE];
	char *to = escaped;
	const char *c;

	if (!format_tag_text(tag, len, buf) || tag_has_prefix(buf)) {
		save_quoted(format_tag_hex(tag, len, buf), out);
		return;
	}
	for (c = buf; *c; c++) {
		if (*c == '\\')
			*to++ = '\\';
		*to++ = *c;
	}
	*to = '\0';
	save_quoted(escaped, out);
}

static void save_entity(const struct service *s, const struct entity *en, FILE *out)
{
	const char *name = names_find(&s->names, en->tag);
	char target[TARGET_TEXT_SIZE];

	fputs("      - { tag: ", out);
	save_tag(en->tag, s->tag_len, out);
	fprintf(out, ", target: %s", format_target(&en->target, target));
	if (en->has_size)
		fprintf(out, ", size: { min: %u, max: %u }", (unsigned int)en->size.min,
			(unsigned int)en->size.max);
	if (*name) {
		fputs(", name: ", out);
		save_quoted(name, out);
	}
	fputs(" }\n", out);
}

static void save_window(const struct window *w, FILE *out)
{
	fprintf(out, "{ min: %u, max: %u }", (unsigned int)w->min, (unsigned int)w->max);
}

static void save_tag_place(const struct service *s, FILE *out)
{
	char mask[TAG_TEXT_SIZE];

	fprintf(out, "{ offset: %d, length: %u", s->tag_offset, (unsigned int)s->tag_len);
	if (*format_mask(s->tag_ignored, s->tag_len, mask))
		fprintf(out, ", mask: '%s'", mask);
	fputs(" }", out);
}

/* Names are quoted, since some, like null or -, are not text to YAML otherwise. */
static void save_setting(const struct setting *t, const struct service *s, FILE *out)
{
	const void *member = (const char *)s + t->at;
	char text[SETTING_TEXT_SIZE];

	setting_format(t, s, text);
	fprintf(out, "    %s: ", t->name);
	switch (t->kind) {
	case KIND_PORTS: save_ports(s, out); break;
	case KIND_PREFIXES: save_prefixes(text, out); break;
	case KIND_TEXT:
	case KIND_INTERFACE: save_quoted(text, out); break;
	case KIND_TAG: save_tag_place(s, out); break;
	case KIND_WINDOW: save_window(member, out); break;
	case KIND_SWITCH: fputs(setting_is_on(t, s) ? "true" : "false", out); break;
	default: fputs(text, out);
	}
	putc('\n', out);
}

static void save_service(const struct service *s, FILE *out)
{
	fprintf(out, "  - name: '%s'\n", s->name);
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (setting_is_shown(&settings[i], s))
			save_setting(&settings[i], s, out);
	if (s->entity_count)
		fputs("    entities:\n", out);
	for (size_t i = 0; i < s->entity_count; i++)
		save_entity(s, &s->entities[i], out);
}

void config_save(const struct model *m, FILE *out)
{
	unsigned int i;

	fputs("version: 1\n", out);
	if (model_flows(m) != MANGLE_FLOWS_DEFAULT)
		fprintf(out, "flows: %u\n", (unsigned int)model_flows(m));
	fputs(m->service_count ? "services:\n" : "services: []\n", out);
	for (i = 0; i < m->service_count; i++)
		save_service(&m->services[i], out);
}
