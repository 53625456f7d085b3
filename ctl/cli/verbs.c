/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "model/entity_field.h"
#include "model/setting.h"
#include "verbs.h"

#define SETTINGS (((1ULL << SETTING_COUNT) - 1) << OPT_FIRST_SETTING)
#define CHECKING (OPT(CHECK) | OPT(EXIT_CODE) | OPT(ALL))

/* ---- words ---- */

static const struct word_text word_iface = {"IFACE",
					    "an interface, in the network namespace of -n"};
static const struct word_text word_service = {"NAME", "1 to 31 characters of A-Z a-z 0-9 _ . -"};
static const struct word_text word_known = {"NAME", "a service; see service list"};
static const struct word_text word_tag = {
	"TAG",
	"the tag's bytes: text as ABCD or AB\\x00\\x01, or hex as 0x41424344; exactly as many as "
	"the service's tags have. Put -- before a tag that begins with -"};
static const struct word_text word_target = {"TARGET", "a port (1-65535), drop or pass"};
static const struct word_text word_table = {
	"FILE",
	"a table file, - for standard input: TAG TARGET [MIN:MAX] [name=TEXT] a line, # begins a "
	"comment; see TABLE FILES in mangle-ctl(8)"};
static const struct word_text word_config = {
	"FILE", "a configuration, - for standard input; see mangle.yaml(5)"};
static const struct word_text word_capture = {"FILE.pcap", "a capture, pcap or pcapng"};

/* ---- options that mean something of their own to a verb ---- */

static const struct option_text detach_texts[] = {
	{OPT_ALL, NULL, "all interfaces, in all network namespaces", NULL},
	{OPT_GONE, NULL,
	 "only records of devices and network namespaces that are gone, in all network namespaces; with IFACE those of that name",
	 NULL},
	{OPT_PURGE, NULL, "remove tables, counters and pins too", NULL},
	{0}};
static const struct option_text status_texts[] = {
	{OPT_EXIT_CODE, NULL, "exit 3 if something needs attention, 1 if something does not work",
	 NULL},
	{0}};
static const struct option_text set_texts[] = {
	{OPT_SIZE, "MIN:MAX|none",
	 "payload sizes that are valid for this entity; none: those of the service; not given: unchanged",
	 NULL},
	{OPT_NAME, "TEXT|none",
	 "a name for people, at most 63 bytes of UTF-8; none clears it; not given: unchanged",
	 NULL},
	{0}};
static const struct option_text flush_texts[] = {
	{OPT_ALL, NULL, "the entities of all services", NULL}, {0}};
static const struct option_text all_services_texts[] = {
	{OPT_SERVICE, NULL, "only this service", "all services"}, {0}};
static const struct option_text explain_texts[] = {{OPT_INTERFACE, NULL,
						    "as if received on this interface",
						    "the attached one, if there is only one"},
						   {0}};

/* ---- verbs ---- */

const struct verb verbs[] = {
	{.name = "attach",
	 .arguments = "IFACE...",
	 .help = "attach to interfaces; load services and entities if none are loaded yet",
	 .options = OPT(MODE) | OPT(CONFIG) | OPT(FORCE),
	 .min = 1,
	 .max = -1,
	 .run = cmd_attach,
	 .words = {&word_iface},
	 .examples = "mangle-ctl attach eth0\n"
		     "mangle-ctl attach --mode native --config new.yaml eth0 eth1\n"
		     "mangle-ctl -n blue attach veth0"},
	{.name = "detach",
	 .arguments = "IFACE...|--all|--gone [IFACE...]",
	 .help = "detach from interfaces",
	 .options = OPT(ALL) | OPT(GONE) | OPT(PURGE) | OPT(FORCE),
	 .shown = OPT(ALL) | OPT(GONE),
	 .max = -1,
	 .run = cmd_detach,
	 .words = {&word_iface},
	 .texts = detach_texts,
	 .examples = "mangle-ctl detach eth0\n"
		     "mangle-ctl detach --gone\n"
		     "mangle-ctl detach --all --purge"},
	{.name = "status",
	 .arguments = "[IFACE]",
	 .help = "print interfaces, services and warnings",
	 .options = OPT(EXIT_CODE),
	 .max = 1,
	 .run = cmd_status,
	 .words = {&word_iface},
	 .texts = status_texts,
	 .examples = "mangle-ctl status\n"
		     "mangle-ctl status -j eth0\n"
		     "mangle-ctl status --exit-code"},
	{.name = "service add",
	 .arguments = "NAME",
	 .help = "add a service with its entities",
	 .options = SETTINGS | OPT(ENTITIES_FILE) | OPT(FORCE),
	 .required = OPT(PROTOCOL) | OPT(PORTS) | OPT(TAG) | OPT(SIZE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_service_add,
	 .words = {&word_service},
	 .examples = "mangle-ctl service add feed --protocol udp --ports 7000,7001 \\\n"
		     "        --tag 0:4 --size 16:1400\n"
		     "mangle-ctl service add shop --protocol tcp --ports 8000 --tag -8:8 \\\n"
		     "        --size 8:65507 --unknown drop --entities-file shop.map"},
	{.name = "service set",
	 .arguments = "NAME",
	 .help = "change settings of a service",
	 .options = SETTINGS | OPT(FORCE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_service_set,
	 .stays = SETTINGS,
	 .words = {&word_known},
	 .examples = "mangle-ctl service set feed --action observe\n"
		     "mangle-ctl service set feed --daddr 192.0.2.0/24 --daddr 2001:db8::/32\n"
		     "mangle-ctl service set feed --daddr any --targets 6000-6999"},
	{.name = "service del",
	 .aliases = "delete rm",
	 .arguments = "NAME",
	 .help = "remove a service and its entities",
	 .options = OPT(FORCE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_service_del,
	 .words = {&word_known},
	 .examples = "mangle-ctl service del feed"},
	{.name = "service list",
	 .aliases = "ls show",
	 .help = "print services with their settings",
	 .run = cmd_service_list,
	 .examples = "mangle-ctl service list"},
	{.name = "map set",
	 .aliases = "add",
	 .arguments = "TAG TARGET",
	 .help = "add or change one entity",
	 .options = OPT(SERVICE) | OPT(SIZE) | OPT(NAME),
	 .min = 2,
	 .max = 2,
	 .run = cmd_map_set,
	 .words = {&word_tag, &word_target},
	 .texts = set_texts,
	 .examples = "mangle-ctl map set ABCD 6001\n"
		     "mangle-ctl map set 0xdeadbeef drop --service feed\n"
		     "mangle-ctl map set ABCD 6001 --size 32:64 --name 'pump, hall 3'\n"
		     "mangle-ctl map set -- -abc 6002"},
	{.name = "map get",
	 .arguments = "TAG",
	 .help = "print one entity",
	 .options = OPT(SERVICE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_map_get,
	 .words = {&word_tag},
	 .examples = "mangle-ctl map get ABCD\n"
		     "mangle-ctl map get -j 0x41424344 --service feed"},
	{.name = "map del",
	 .aliases = "delete rm",
	 .arguments = "TAG...",
	 .help = "remove entities",
	 .options = OPT(SERVICE) | OPT(IF_EXISTS),
	 .min = 1,
	 .max = -1,
	 .run = cmd_map_del,
	 .words = {&word_tag},
	 .examples = "mangle-ctl map del ABCD 0xdeadbeef\n"
		     "mangle-ctl map del --if-exists ABCD"},
	{.name = "map flush",
	 .help = "remove all entities of a service, or with --all of every service",
	 .options = OPT(SERVICE) | OPT(ALL),
	 .run = cmd_map_flush,
	 .texts = flush_texts,
	 .examples = "mangle-ctl map flush --service feed\n"
		     "mangle-ctl map flush --all"},
	{.name = "map list",
	 .aliases = "ls show",
	 .help = "print entities with their counters",
	 .options = OPT(SERVICE) | OPT(MATCH) | OPT(TARGET) | OPT(SORT) | OPT(REVERSE) |
		    OPT(LIMIT) | OPT(IDLE) | OPT(COLUMNS) | OPT(NO_HEADER) | OPT(EXACT),
	 .run = cmd_map_list,
	 .texts = all_services_texts,
	 .examples = "mangle-ctl map list --sort packets --limit 10\n"
		     "mangle-ctl map list --match 'AB*' --service feed\n"
		     "mangle-ctl map list --target drop\n"
		     "mangle-ctl map list --idle 86400"},
	{.name = "map load",
	 .arguments = "FILE|-",
	 .help = "merge a table file into the table",
	 .options = OPT(SERVICE) | CHECKING,
	 .min = 1,
	 .max = 1,
	 .run = cmd_map_load,
	 .words = {&word_table},
	 .examples = "mangle-ctl map load feed.map --service feed\n"
		     "echo ABCD 6001 | mangle-ctl map load -"},
	{.name = "map replace",
	 .arguments = "FILE|-",
	 .help = "make the table equal to a table file",
	 .options = OPT(SERVICE) | CHECKING,
	 .min = 1,
	 .max = 1,
	 .run = cmd_map_replace,
	 .words = {&word_table},
	 .examples = "mangle-ctl map replace feed.map --service feed --check\n"
		     "mangle-ctl map replace feed.map --service feed"},
	{.name = "map save",
	 .help = "print the table as a table file",
	 .options = OPT(SERVICE),
	 .run = cmd_map_save,
	 .examples = "mangle-ctl map save --service feed >feed.map"},
	{.name = "apply",
	 .arguments = "FILE|-",
	 .help = "make services and entities equal to a configuration file",
	 .options = CHECKING | OPT(FORCE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_apply,
	 .words = {&word_config},
	 .examples = "mangle-ctl apply --check /etc/mangle/mangle.yaml\n"
		     "mangle-ctl apply /etc/mangle/mangle.yaml"},
	{.name = "save",
	 .help = "print the running state as a configuration file",
	 .run = cmd_save,
	 .examples = "mangle-ctl save >running.yaml"},
	{.name = "stats",
	 .help = "print counters of verdicts and reasons, in total and by service",
	 .options = OPT(SERVICE) | OPT(VERBOSE) | OPT(WATCH) | OPT(EXACT),
	 .run = cmd_stats,
	 .texts = all_services_texts,
	 .examples = "mangle-ctl stats\n"
		     "mangle-ctl stats --service feed --watch"},
	{.name = "explain",
	 .arguments = "FILE.pcap|--hex BYTES",
	 .help = "show what would happen to packets; network and counters are not touched",
	 .options = OPT(HEX) | OPT(OUT) | OPT(INTERFACE),
	 .shown = OPT(HEX),
	 .max = 1,
	 .run = cmd_explain,
	 .words = {&word_capture},
	 .texts = explain_texts,
	 .examples = "mangle-ctl explain some.pcap\n"
		     "mangle-ctl explain some.pcap --interface eth0 --out rewritten.pcap"},
	{.name = "upgrade",
	 .help = "replace the attached programs by those of this mangle-ctl; tables and counters stay",
	 .options = OPT(IF_NEEDED),
	 .run = cmd_upgrade,
	 .examples = "mangle-ctl upgrade\n"
		     "mangle-ctl upgrade --if-needed"},
	{.name = "doctor",
	 .arguments = "[IFACE]",
	 .help = "check kernel, permissions and interface, and say what to do",
	 .max = 1,
	 .run = cmd_doctor,
	 .words = {&word_iface},
	 .examples = "mangle-ctl doctor eth0"},
	{.name = "help",
	 .arguments = "[COMMAND]",
	 .help = "print help, in general or on a command",
	 .max = 2,
	 .examples = "mangle-ctl help map set"},
	{.name = "version", .help = "print the version", .examples = "mangle-ctl version"},
};
const size_t verb_count = sizeof(verbs) / sizeof(*verbs);

/* ---- options ---- */

/* "tag|target|...": the words of --sort. */
#define SORTS_true(column) "|" column
#define SORTS_false(column)
#define ENTITY_FIELD(id, kind, of, member, json, column, title, brief, width, align, configured, \
		     sorts) \
	SORTS_##sorts(column)
static const char sort_words_behind_bar[] = ""
#include "model/entity_fields.def"
	;
#undef ENTITY_FIELD
#define sort_words (sort_words_behind_bar + 1)

const struct option_row option_rows[OPT_COUNT] = {
#define MANGLE_OPTION_ROW(id, letter, name, value, help) {letter, name, value, help},
#define SETTING(id, kind, member, name, alias, usual, shown, first, second, value, help) \
	{0, name, value, help},
	MANGLE_OPTIONS_BEFORE(MANGLE_OPTION_ROW)
#include "model/settings.def"
		MANGLE_OPTIONS_BEHIND(MANGLE_OPTION_ROW)
#undef SETTING
#undef MANGLE_OPTION_ROW
};

/* What applies where an option is not given. */
const char *const option_defaults[OPT_COUNT] = {
#define SETTING(id, kind, member, name, alias, usual, ...) [OPT_##id] = usual,
#include "model/settings.def"
#undef SETTING
	[OPT_WAIT] = "5",
	[OPT_MODE] = "auto",
	[OPT_CONFIG] = "/etc/mangle/mangle.yaml",
	[OPT_SORT] = "tag",
};

const char *const option_aliases[OPT_COUNT] = {
#define SETTING(id, kind, member, name, alias, ...) [OPT_##id] = alias,
#include "model/settings.def"
#undef SETTING
	[OPT_ENTITIES_FILE] = "entities",
};

const char *option_name(enum option_id o)
{
	return option_rows[o].name;
}

/* Returns the option's text for this verb; NULL where it is the same for every verb. */
static const struct option_text *text_of(const struct verb *v, int o)
{
	for (const struct option_text *t = v ? v->texts : NULL; t && t->help; t++)
		if ((int)t->option == o)
			return t;
	return NULL;
}

const char *option_value(const struct verb *v, int o)
{
	const struct option_text *own = text_of(v, o);

	return own && own->value ? own->value : option_rows[o].value;
}

const char *option_help(const struct verb *v, int o, char buf[OPTION_HELP_SIZE])
{
	const struct option_text *own = text_of(v, o);
	int len = snprintf(buf, OPTION_HELP_SIZE, "%s", own ? own->help : option_rows[o].help);
	const char *before = ": ";

	for (int i = 0; o == OPT_COLUMNS && i < ENTITY_FIELD_COUNT; i++) {
		if (!entity_fields[i].column)
			continue;
		len += snprintf(buf + len, OPTION_HELP_SIZE - (size_t)len, "%s%s", before,
				entity_fields[i].column);
		before = ", ";
	}
	return buf;
}

const char *option_default(const struct verb *v, int o)
{
	const struct option_text *own = text_of(v, o);

	if (v && v->stays >> o & 1)
		return NULL;
	return own ? own->otherwise : option_defaults[o];
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
