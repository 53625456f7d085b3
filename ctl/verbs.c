/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "verbs.h"

#define SETTINGS \
	(OPT(PROTOCOL) | OPT(PORTS) | OPT(TAG) | OPT(SIZE) | OPT(DADDR) | OPT(SADDR) | \
	 OPT(INTERFACE) | OPT(INVALID) | OPT(UNKNOWN) | OPT(TCP) | OPT(REPLY) | OPT(ACTION) | \
	 OPT(TARGETS))
#define CHECKING (OPT(CHECK) | OPT(EXIT_CODE))

const struct verb verbs[] = {
	{.name = "attach",
	 .arguments = "IFACE...",
	 .help = "attach to interfaces; loads services and entities where none are loaded yet",
	 .options = OPT(MODE) | OPT(CONFIG) | OPT(FORCE),
	 .min = 1,
	 .max = -1,
	 .run = cmd_attach},
	{.name = "detach",
	 .arguments = "IFACE...|--all",
	 .help = "detach from interfaces",
	 .options = OPT(ALL) | OPT(PURGE) | OPT(FORCE),
	 .shown = OPT(ALL),
	 .max = -1,
	 .run = cmd_detach},
	{.name = "status",
	 .arguments = "[IFACE]",
	 .help = "print interfaces, services, and what should be known about them",
	 .max = 1,
	 .run = cmd_status},
	{.name = "service add",
	 .arguments = "NAME",
	 .help = "add a service with its entities",
	 .options = SETTINGS | OPT(ENTITIES_FILE) | OPT(FORCE),
	 .required = OPT(PROTOCOL) | OPT(PORTS) | OPT(TAG) | OPT(SIZE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_service_add},
	{.name = "service set",
	 .arguments = "NAME",
	 .help = "change settings of a service",
	 .options = SETTINGS | OPT(FORCE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_service_set},
	{.name = "service del",
	 .aliases = "delete rm",
	 .arguments = "NAME",
	 .help = "remove a service and its entities",
	 .options = OPT(FORCE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_service_del},
	{.name = "service list",
	 .aliases = "ls show",
	 .help = "print services with their settings",
	 .run = cmd_service_list},
	{.name = "map set",
	 .aliases = "add",
	 .arguments = "TAG TARGET",
	 .help = "add or change one entity",
	 .options = OPT(SERVICE) | OPT(SIZE),
	 .min = 2,
	 .max = 2,
	 .run = cmd_map_set},
	{.name = "map get",
	 .arguments = "TAG",
	 .help = "print one entity",
	 .options = OPT(SERVICE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_map_get},
	{.name = "map del",
	 .aliases = "delete rm",
	 .arguments = "TAG...",
	 .help = "remove entities",
	 .options = OPT(SERVICE) | OPT(IF_EXISTS),
	 .min = 1,
	 .max = -1,
	 .run = cmd_map_del},
	{.name = "map flush",
	 .help = "remove all entities of a service, or of --all",
	 .options = OPT(SERVICE) | OPT(ALL),
	 .run = cmd_map_flush},
	{.name = "map list",
	 .aliases = "ls show",
	 .help = "print entities with their counters",
	 .options = OPT(SERVICE) | OPT(MATCH) | OPT(TARGET) | OPT(SORT) | OPT(REVERSE) |
		    OPT(LIMIT) | OPT(IDLE) | OPT(COLUMNS) | OPT(NO_HEADER) | OPT(EXACT),
	 .run = cmd_map_list},
	{.name = "map load",
	 .arguments = "FILE|-",
	 .help = "merge a table file into the table",
	 .options = OPT(SERVICE) | CHECKING,
	 .min = 1,
	 .max = 1,
	 .run = cmd_map_load},
	{.name = "map replace",
	 .arguments = "FILE|-",
	 .help = "make the table equal to a table file",
	 .options = OPT(SERVICE) | CHECKING,
	 .min = 1,
	 .max = 1,
	 .run = cmd_map_replace},
	{.name = "map save",
	 .help = "print the table as a table file",
	 .options = OPT(SERVICE),
	 .run = cmd_map_save},
	{.name = "apply",
	 .arguments = "FILE|-",
	 .help = "make services and entities equal to a configuration file",
	 .options = CHECKING | OPT(FORCE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_apply},
	{.name = "save",
	 .help = "print the running state as a configuration file",
	 .run = cmd_save},
	{.name = "stats",
	 .help = "print verdicts and reasons, in all and by service",
	 .options = OPT(SERVICE) | OPT(WATCH),
	 .run = cmd_stats},
	{.name = "explain",
	 .arguments = "FILE.pcap|--hex BYTES",
	 .help = "say what would become of packets, without touching network or counters",
	 .options = OPT(HEX) | OPT(OUT) | OPT(INTERFACE),
	 .shown = OPT(HEX),
	 .max = 1,
	 .run = cmd_explain},
	{.name = "upgrade",
	 .help = "put this mangle-ctl's programs in place of those attached, tables and counters stay",
	 .run = cmd_upgrade},
	{.name = "doctor",
	 .arguments = "[IFACE]",
	 .help = "check kernel, permissions and interface, and say what to do",
	 .max = 1,
	 .run = cmd_doctor},
	{.name = "help",
	 .arguments = "[COMMAND]",
	 .help = "print help, in general or on a command",
	 .max = 2},
	{.name = "version", .help = "print the version"},
};
const size_t verb_count = sizeof(verbs) / sizeof(*verbs);

const struct option_row option_rows[OPT_COUNT] = {
#define MANGLE_OPTION_ROW(id, letter, name, value, help) {letter, name, value, help},
	MANGLE_OPTIONS(MANGLE_OPTION_ROW)
#undef MANGLE_OPTION_ROW
};

const char *const option_aliases[OPT_COUNT] = {
	[OPT_PROTOCOL] = "proto",
	[OPT_PORTS] = "port",
	[OPT_INTERFACE] = "iface",
	[OPT_ENTITIES_FILE] = "entities",
};

const char *option_name(enum option_id o)
{
	return option_rows[o].name;
}

bool verb_is_of(const struct verb *v, const char *noun)
{
	const char *blank = strchr(v->name, ' ');

	return blank && strlen(noun) == (size_t)(blank - v->name) &&
	       !strncmp(v->name, noun, strlen(noun));
}

bool is_noun(const char *word)
{
	for (size_t i = 0; i < verb_count; i++)
		if (verb_is_of(&verbs[i], word))
			return true;
	return false;
}

static const char *last_word(const struct verb *v)
{
	const char *blank = strchr(v->name, ' ');

	return blank ? blank + 1 : v->name;
}

const char *verb_word(const struct verb *v, unsigned int i, char buf[VERB_WORD_SIZE])
{
	const char *at = i ? v->aliases : last_word(v);

	for (; i > 1 && at; i--)
		at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
	if (!at)
		return NULL;
	snprintf(buf, VERB_WORD_SIZE, "%.*s", (int)strcspn(at, " "), at);
	return buf;
}

bool verb_is_called(const struct verb *v, const char *word)
{
	char buf[VERB_WORD_SIZE];

	for (unsigned int i = 0; verb_word(v, i, buf); i++)
		if (!strcmp(buf, word))
			return true;
	return false;
}

const struct verb *find_verb(const char *noun, const char *word)
{
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *v = &verbs[i];

		if ((noun ? verb_is_of(v, noun) : !strchr(v->name, ' ')) && verb_is_called(v, word))
			return v;
	}
	return NULL;
}
