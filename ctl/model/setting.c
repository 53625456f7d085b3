/* SPDX-License-Identifier: GPL-2.0-only */
#include "setting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

const struct setting settings[SETTING_COUNT] = {
#define SETTING(id, kind, member, name, alias, usual, shown, first, second, value, help) \
	{SETTING_##id, KIND_##kind, offsetof(struct service, member), \
	 name,	       alias,	    usual, \
	 shown,	       first,	    second, \
	 value,	       help},
#include "settings.def"
#undef SETTING
};

static void *member(const struct setting *t, struct service *s)
{
	return (char *)s + t->at;
}

static const void *member_of(const struct setting *t, const struct service *s)
{
	return (const char *)s + t->at;
}

static unsigned int *prefix_count(const struct setting *t, struct service *s)
{
	return t->id == SETTING_DADDR ? &s->daddr_count : &s->saddr_count;
}

const struct prefix *setting_prefixes(const struct setting *t, const struct service *s,
				      unsigned int *count)
{
	*count = t->id == SETTING_DADDR ? s->daddr_count : s->saddr_count;
	return member_of(t, s);
}

/* ---- to text ---- */

static size_t add_text(char *buf, size_t len, const char *text)
{
	int more = snprintf(buf + len, SETTING_TEXT_SIZE - len, "%s%s", len ? "," : "", text);

	return len + (size_t)more;
}

static void format_ports(const struct service *s, char *buf)
{
	char port[8];
	size_t len = 0;

	for (unsigned int i = 0; i < s->port_count; i++) {
		snprintf(port, sizeof(port), "%u", s->ports[i]);
		len = add_text(buf, len, port);
	}
}

static void format_prefixes(const struct setting *t, const struct service *s, char *buf)
{
	unsigned int count;
	const struct prefix *p = setting_prefixes(t, s, &count);
	char one[PREFIX_TEXT_SIZE];
	size_t len = 0;

	for (unsigned int i = 0; i < count; i++)
		len = add_text(buf, len, format_prefix(&p[i], one));
}

/* The first or the second word of "first|second". */
static void format_word(const struct setting *t, const struct service *s, char *buf)
{
	bool second = *(const uint8_t *)member_of(t, s) == t->second;
	size_t len = strcspn(t->value, "|");

	if (second)
		snprintf(buf, SETTING_TEXT_SIZE, "%s", t->value + len + 1);
	else
		snprintf(buf, SETTING_TEXT_SIZE, "%.*s", (int)len, t->value);
}

static void format_tag_place(const struct service *s, char *buf)
{
	char mask[TAG_TEXT_SIZE];

	format_mask(s->tag_ignored, s->tag_len, mask);
	snprintf(buf, SETTING_TEXT_SIZE, "%d:%u%s%s", s->tag_offset, s->tag_len, *mask ? "/" : "",
		 mask);
}

static void format_value(const struct setting *t, const struct service *s, char *buf)
{
	const void *at = member_of(t, s);
	const struct window *w = at;

	switch (t->kind) {
	case KIND_PROTOCOL:
		snprintf(buf, SETTING_TEXT_SIZE, "%s", format_protocol(s->protocols));
		break;
	case KIND_PORTS: format_ports(s, buf); break;
	case KIND_PREFIXES: format_prefixes(t, s, buf); break;
	case KIND_INTERFACE: snprintf(buf, SETTING_TEXT_SIZE, "%s", s->ifname); break;
	case KIND_TAG: format_tag_place(s, buf); break;
	case KIND_WINDOW: snprintf(buf, SETTING_TEXT_SIZE, "%u:%u", w->min, w->max); break;
	case KIND_WORD:
	case KIND_SWITCH: format_word(t, s, buf); break;
	case KIND_TEXT: snprintf(buf, SETTING_TEXT_SIZE, "%s", (const char *)at); break;
	case KIND_TARGET: format_target(at, buf); break;
	case KIND_RANGE:
		if (s->targets_first || s->targets_last)
			snprintf(buf, SETTING_TEXT_SIZE, "%u-%u", s->targets_first,
				 s->targets_last);
		break;
	}
}

const char *setting_format(const struct setting *t, const struct service *s,
			   char buf[SETTING_TEXT_SIZE])
{
	*buf = '\0';
	format_value(t, s, buf);
	if (!*buf)
		snprintf(buf, SETTING_TEXT_SIZE, "%s", t->usual ? t->usual : "");
	return buf;
}

bool setting_is_shown(const struct setting *t, const struct service *s)
{
	char text[SETTING_TEXT_SIZE];

	if (t->shown || (t->id == SETTING_TCP && s->protocols & MANGLE_PROTO_TCP))
		return true;
	return strcmp(setting_format(t, s, text), t->usual);
}

bool setting_is_on(const struct setting *t, const struct service *s)
{
	return *(const uint8_t *)member_of(t, s) == t->first;
}

/* ---- from text ---- */

bool setting_is_none(const struct setting *t, const char *text)
{
	return t->usual && (!strcmp(t->usual, "any") || !strcmp(t->usual, "none")) &&
	       (!strcmp(text, "any") || !strcmp(text, "none"));
}

void setting_clear(const struct setting *t, struct service *s)
{
	switch (t->kind) {
	case KIND_PORTS:
		memset(s->ports, 0, sizeof(s->ports));
		s->port_count = 0;
		break;
	case KIND_PREFIXES:
		memset(member(t, s), 0, sizeof(s->daddr));
		*prefix_count(t, s) = 0;
		break;
	case KIND_INTERFACE: memset(s->ifname, 0, sizeof(s->ifname)); break;
	case KIND_RANGE: s->targets_first = s->targets_last = 0; break;
	case KIND_TEXT: memset(member(t, s), 0, MANGLE_TEXT_SIZE); break;
	default: break;
	}
}

static int parse_one_prefix(const struct setting *t, struct service *s, const char *text,
			    struct parse_error *why)
{
	unsigned int *count = prefix_count(t, s);
	struct prefix *p = member(t, s);

	if (*count == MANGLE_MAX_PREFIXES)
		return reject(why, "is one too many: 8 are allowed");
	if (parse_prefix(text, &p[*count], why))
		return -EINVAL;
	++*count;
	return 0;
}

static int parse_word(const struct setting *t, struct service *s, const char *text,
		      struct parse_error *why)
{
	size_t len = strcspn(t->value, "|");
	uint8_t *value = member(t, s);

	if (!strcmp(text, t->value + len + 1)) {
		*value = t->second;
	} else if (strlen(text) == len && !strncmp(text, t->value, len)) {
		*value = t->first;
	} else {
		return reject(why, "must be %.*s or %s", (int)len, t->value, t->value + len + 1);
	}
	return 0;
}

static int parse_on_off(const struct setting *t, struct service *s, const char *text,
			struct parse_error *why)
{
	bool on;

	if (parse_switch(text, &on, why))
		return -EINVAL;
	*(uint8_t *)member(t, s) = on ? t->first : t->second;
	return 0;
}

int setting_parse(const struct setting *t, struct service *s, const char *text,
		  struct parse_error *why)
{
	void *at = member(t, s);

	switch (t->kind) {
	case KIND_PROTOCOL: return parse_protocol(text, &s->protocols, why);
	case KIND_PORTS: return parse_ports(text, s->ports, &s->port_count, why);
	case KIND_PREFIXES: return parse_one_prefix(t, s, text, why);
	case KIND_INTERFACE: return parse_ifname(text, s->ifname, why);
	case KIND_TAG:
		return parse_tag_place(text, &s->tag_offset, &s->tag_len, s->tag_ignored, why);
	case KIND_WINDOW: return parse_window(text, at, why);
	case KIND_WORD: return parse_word(t, s, text, why);
	case KIND_TARGET: return parse_target(text, at, why);
	case KIND_SWITCH: return parse_on_off(t, s, text, why);
	case KIND_TEXT: return parse_text(text, at, why);
	case KIND_RANGE: return parse_targets(text, &s->targets_first, &s->targets_last, why);
	}
	return -EINVAL;
}

/* ---- all of them ---- */

void service_defaults(struct service *s)
{
	struct parse_error never;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (settings[i].usual && !setting_is_none(&settings[i], settings[i].usual))
			setting_parse(&settings[i], s, settings[i].usual, &never);
}

static bool same_ports(const struct service *a, const struct service *b)
{
	return a->port_count == b->port_count &&
	       !memcmp(a->ports, b->ports, a->port_count * sizeof(*a->ports));
}

static bool same_prefixes(const struct setting *t, const struct service *a, const struct service *b)
{
	unsigned int count, other;
	const struct prefix *p = setting_prefixes(t, a, &count);
	const struct prefix *q = setting_prefixes(t, b, &other);

	if (count != other)
		return false;
	for (unsigned int i = 0; i < count; i++)
		if (prefix_compare(&p[i], &q[i]))
			return false;
	return true;
}

static bool same_tag_place(const struct service *a, const struct service *b)
{
	return a->tag_offset == b->tag_offset && a->tag_len == b->tag_len &&
	       !memcmp(a->tag_ignored, b->tag_ignored, sizeof(a->tag_ignored));
}

bool setting_is_same(const struct setting *t, const struct service *a, const struct service *b)
{
	const void *x = member_of(t, a), *y = member_of(t, b);
	const struct window *v = x, *w = y;
	const struct target *s = x, *u = y;

	switch (t->kind) {
	case KIND_PORTS: return same_ports(a, b);
	case KIND_PREFIXES: return same_prefixes(t, a, b);
	case KIND_INTERFACE:
	case KIND_TEXT: return !strcmp(x, y);
	case KIND_TAG: return same_tag_place(a, b);
	case KIND_WINDOW: return v->min == w->min && v->max == w->max;
	case KIND_TARGET: return s->action == u->action && s->port == u->port;
	case KIND_PROTOCOL:
	case KIND_WORD:
	case KIND_SWITCH: return *(const uint8_t *)x == *(const uint8_t *)y;
	case KIND_RANGE:
		return a->targets_first == b->targets_first && a->targets_last == b->targets_last;
	}
	return false;
}

bool service_same_settings(const struct service *a, const struct service *b)
{
	if (strcmp(a->name, b->name))
		return false;
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (!setting_is_same(&settings[i], a, b))
			return false;
	return true;
}
