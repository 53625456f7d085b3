/* SPDX-License-Identifier: GPL-2.0-only */
/* The settings of a service, as settings.def describes them, to text and back. */
#ifndef MODEL_SETTING_H
#define MODEL_SETTING_H

#include "service.h"

enum setting_id {
#define SETTING(id, ...) SETTING_##id,
#include "settings.def"
#undef SETTING
	SETTING_COUNT
};

/* How a value is written: as an option, and in a file where that is another way. */
enum setting_kind {
	KIND_PROTOCOL,
	KIND_PORTS,	/* N[,N...]; a list, or one */
	KIND_PREFIXES,	/* one a word; a list, or one */
	KIND_INTERFACE, /* a name */
	KIND_TAG,	/* OFF:LEN[/MASK]; a mapping */
	KIND_WINDOW,	/* MIN:MAX; a mapping */
	KIND_WORD,	/* one of two */
	KIND_TARGET,	/* PORT|drop|pass */
	KIND_SWITCH,	/* one of two, on|off or true|false; a boolean */
	KIND_RANGE,	/* FIRST-LAST */
	KIND_TEXT,	/* for people */
};

struct setting {
	enum setting_id id;
	enum setting_kind kind;
	size_t at; /* of its member, in struct service */
	const char *name, *alias, *usual;
	bool shown;
	uint8_t first, second;
	const char *value, *help;
};
extern const struct setting settings[SETTING_COUNT];

/* Room for the longest value: all prefixes. */
#define SETTING_TEXT_SIZE ((size_t)MANGLE_MAX_PREFIXES * 64)
/* Returns buf with the value as options have it; several prefixes with commas between. */
const char *setting_format(const struct setting *t, const struct service *s,
			   char buf[SETTING_TEXT_SIZE]);
/* Empties what a list has, and what can be "any" or "none". Others stay. */
void setting_clear(const struct setting *t, struct service *s);
/* Reads one word of an option, which is one more of a list. 0, or -EINVAL with why. */
int setting_parse(const struct setting *t, struct service *s, const char *text,
		  struct parse_error *why);
/* Does the word stand for nothing: any, none? Only of settings whose default is one of them. */
bool setting_is_none(const struct setting *t, const char *text);
/* Does a list or a file tell it? Not where it is as usual; how TCP is treated is told wherever the
 * service covers TCP. */
bool setting_is_shown(const struct setting *t, const struct service *s);
/* Is a switch at the first of its words? */
bool setting_is_on(const struct setting *t, const struct service *s);
/* The prefixes of KIND_PREFIXES, and how many there are. */
const struct prefix *setting_prefixes(const struct setting *t, const struct service *s,
				      unsigned int *count);

/* A service with every setting that has a default at it, no name, no entities. */
void service_defaults(struct service *s);
/* Have both the same value of it? Both checked, which sorts lists. */
bool setting_is_same(const struct setting *t, const struct service *a, const struct service *b);
/* Same name and settings, entities aside. Both checked. */
bool service_same_settings(const struct service *a, const struct service *b);

#endif
