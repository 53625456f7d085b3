/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "verbs.h"

#define GLOBAL (OPT(JSON) | OPT(QUIET) | OPT(NETNS) | OPT(WAIT) | OPT(HELP) | OPT(VERSION))
#define SETTINGS \
	(OPT(PROTO) | OPT(PORT) | OPT(TAG) | OPT(SIZE) | OPT(DADDR) | OPT(SADDR) | OPT(IFACE) | \
	 OPT(INVALID) | OPT(UNKNOWN) | OPT(TCP) | OPT(REPLY) | OPT(ACTION) | OPT(TARGETS))
#define CHECKING (OPT(CHECK) | OPT(EXIT_CODE))
#define WAIT_DEFAULT 5
#define WAIT_MAX 86400

static const struct verb verbs[] = {
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
	 .options = SETTINGS | OPT(ENTITIES) | OPT(FORCE),
	 .required = OPT(PROTO) | OPT(PORT) | OPT(TAG) | OPT(SIZE),
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
	 .arguments = "NAME",
	 .help = "remove a service and its entities",
	 .options = OPT(FORCE),
	 .min = 1,
	 .max = 1,
	 .run = cmd_service_del},
	{.name = "service list",
	 .alias = "show",
	 .help = "print services with their settings",
	 .run = cmd_service_list},
	{.name = "map set",
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
	 .alias = "show",
	 .help = "print entities with their counters",
	 .options = OPT(SERVICE) | OPT(MATCH) | OPT(TARGET) | OPT(SORT) | OPT(LIMIT) | OPT(IDLE),
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
	 .options = OPT(HEX) | OPT(OUT) | OPT(IFACE),
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
};
#define VERB_COUNT (sizeof(verbs) / sizeof(*verbs))

static const struct {
	char letter;
	const char *name, *value, *help;
} options[] = {
#define MANGLE_OPTION_ROW(id, letter, name, value, help) {letter, name, value, help},
	MANGLE_OPTIONS(MANGLE_OPTION_ROW)
#undef MANGLE_OPTION_ROW
};

const char *option_name(enum option_id o)
{
	return options[o].name;
}

/* ---- parsing ---- */

/* What getopt_long returns for an option without a letter. */
#define LONG_BASE 256

static int option_of(int val)
{
	if (val >= LONG_BASE)
		return val - LONG_BASE;
	for (int i = 0; i < OPT_COUNT; i++)
		if (val && options[i].letter == val)
			return i;
	return -1;
}

/* The word that the option just seen was written as; with its value where that hangs on it. */
static const char *option_word_at(char **argv)
{
	return argv[optarg && optarg == argv[optind - 1] ? optind - 2 : optind - 1];
}

static bool is_abbreviated(const char *word, int o)
{
	size_t len = strcspn(word, "=");

	return !strncmp(word, "--", 2) &&
	       (len != 2 + strlen(options[o].name) || strncmp(word + 2, options[o].name, len - 2));
}

static int unknown_option(const char *word, struct err *e)
{
	return usage_error(e, "command line", "option %.100s: not known (see mangle-ctl --help)",
			   word);
}

/* getopt_long returned '?' or ':'. */
static int bad_getopt(int got, char **argv, struct err *e)
{
	int o = option_of(optopt);
	char letter[] = {'-', (char)optopt, '\0'};

	if (got == ':')
		return usage_error(e, "command line",
				   "option --%s: needs %s (see mangle-ctl --help)", options[o].name,
				   options[o].value);
	if (o >= 0)
		return usage_error(e, "command line",
				   "option --%s: takes no value (see mangle-ctl --help)",
				   options[o].name);
	return unknown_option(optopt ? letter : argv[optind - 1], e);
}

/* any and none clear what was named before them. */
static void add_word(struct words *w, const char *word)
{
	if (!strcmp(word, "any") || !strcmp(word, "none"))
		w->count = 0;
	else if (w->count < sizeof(w->word) / sizeof(*w->word))
		w->word[w->count++] = word;
}

static int parse_options(int argc, char **argv, struct cmd *c, struct err *e)
{
	struct option longs[OPT_COUNT + 1] = {{0}};
	char shorts[2 * OPT_COUNT + 2] = ":";
	char *at = shorts + 1;
	int got;

	for (int i = 0; i < OPT_COUNT; i++) {
		longs[i].name = options[i].name;
		longs[i].has_arg = options[i].value ? required_argument : no_argument;
		longs[i].val = LONG_BASE + i;
		if (!options[i].letter)
			continue;
		*at++ = options[i].letter;
		if (options[i].value)
			*at++ = ':';
	}
	opterr = 0;
	unsetenv("POSIXLY_CORRECT"); /* options stand in any position */
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		int o = option_of(got);

		if (got == '?' || got == ':')
			return bad_getopt(got, argv, e);
		if (got >= LONG_BASE && is_abbreviated(option_word_at(argv), o))
			return unknown_option(option_word_at(argv), e);
		c->given |= 1ULL << o;
		c->value[o] = optarg;
		if (o == OPT_DADDR)
			add_word(&c->daddr, optarg);
		else if (o == OPT_SADDR)
			add_word(&c->saddr, optarg);
	}
	c->argc = argc - optind;
	c->argv = argv + optind;
	return 0;
}

static bool is_noun(const struct verb *v, const char *word)
{
	const char *blank = strchr(v->name, ' ');

	return blank && strlen(word) == (size_t)(blank - v->name) &&
	       !strncmp(v->name, word, strlen(word));
}

static const struct verb *find_verb(const char *noun, const char *word)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		const struct verb *v = &verbs[i];
		const char *blank = strchr(v->name, ' ');
		const char *last = blank ? blank + 1 : v->name;

		if (noun ? !is_noun(v, noun) : !!blank)
			continue;
		if (!strcmp(last, word) || (v->alias && !strcmp(v->alias, word)))
			return v;
	}
	return NULL;
}

static bool any_noun(const char *word)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (is_noun(&verbs[i], word))
			return true;
	return false;
}

static void take_words(struct cmd *c, int n)
{
	c->argc -= n;
	c->argv += n;
}

/* Takes the verb's one or two words off. */
static int parse_verb(struct cmd *c, bool help, struct err *e)
{
	const char *word = c->argc ? c->argv[0] : NULL;
	bool noun = word && any_noun(word);

	c->name = "";
	if (!word)
		return help ? 0
			    : usage_error(
				      e, "command line",
				      "looking for the command: none is named (see mangle-ctl --help)");
	if (!noun) {
		c->verb = find_verb(NULL, word);
		if (!c->verb)
			return usage_error(
				e, *word ? word : "''",
				"looking for the command: there is none of that name (see mangle-ctl --help)");
		c->name = c->verb->name;
		take_words(c, 1);
		return 0;
	}
	c->name = word;
	if (c->argc < 2)
		return help ? 0
			    : usage_error(
				      e, word,
				      "looking for the command: %s does what? (see mangle-ctl %s --help)",
				      word, word);
	c->verb = find_verb(word, c->argv[1]);
	if (!c->verb)
		return usage_error(
			e, word,
			"looking for %s %.100s: there is no such command (see mangle-ctl %s --help)",
			word, c->argv[1], word);
	c->name = c->verb->name;
	take_words(c, 2);
	return 0;
}

static int check_words(const struct cmd *c, struct err *e)
{
	const struct verb *v = c->verb;
	uint64_t unknown = c->given & ~(v->options | GLOBAL);
	uint64_t missing = v->required & ~c->given;

	if (unknown)
		return usage_error(e, c->name,
				   "option --%s: not known to this verb (see mangle-ctl %s --help)",
				   options[__builtin_ctzll(unknown)].name, c->name);
	if (v->max >= 0 && c->argc > v->max)
		return usage_error(e, c->name,
				   "argument %.100s: one too many (see mangle-ctl %s --help)",
				   c->argv[v->max], c->name);
	if (c->argc < v->min)
		return usage_error(e, c->name,
				   "arguments: too few, it takes %s (see mangle-ctl %s --help)",
				   v->arguments, c->name);
	if (missing) {
		int o = __builtin_ctzll(missing);

		return usage_error(e, c->name,
				   "option --%s: %s is needed (see mangle-ctl %s --help)",
				   options[o].name, options[o].value, c->name);
	}
	return 0;
}

int verbs_parse(int argc, char **argv, struct cmd *c, struct err *e)
{
	uint64_t wait = WAIT_DEFAULT;
	bool help;
	int err;

	memset(c, 0, sizeof(*c));
	err = parse_options(argc, argv, c, e);
	help = given(c, OPT(HELP) | OPT(VERSION));
	if (!err)
		err = parse_verb(c, help, e);
	if (err || help)
		return err;
	err = check_words(c, e);
	if (!err && given(c, OPT(WAIT)))
		err = option_number(c, OPT_WAIT, WAIT_MAX, &wait, e);
	c->wait = (double)wait;
	c->netns = c->value[OPT_NETNS];
	c->json = given(c, OPT(JSON));
	c->quiet = given(c, OPT(QUIET));
	return err;
}

/* ---- help ---- */

static void print_option(int o, FILE *out)
{
	char word[64];

	snprintf(word, sizeof(word), "--%s%s%s", options[o].name, options[o].value ? " " : "",
		 options[o].value ? options[o].value : "");
	if (options[o].letter)
		fprintf(out, "  -%c, %-34s %s\n", options[o].letter, word, options[o].help);
	else
		fprintf(out, "  %-38s %s\n", word, options[o].help);
}

static void print_options(uint64_t bits, const char *title, FILE *out)
{
	if (!bits)
		return;
	fprintf(out, "\n%s:\n", title);
	for (int i = 0; i < OPT_COUNT; i++)
		if (bits >> i & 1)
			print_option(i, out);
}

static void print_synopsis(const struct verb *v, FILE *out)
{
	fprintf(out, "mangle-ctl %s%s%s", v->name, v->arguments ? " " : "",
		v->arguments ? v->arguments : "");
	for (int i = 0; i < OPT_COUNT; i++) {
		uint64_t bit = 1ULL << i;
		bool optional = !(v->required & bit);

		if (!(v->options & ~v->shown & bit))
			continue;
		fprintf(out, " %s--%s%s%s%s%s", optional ? "[" : "", options[i].name,
			options[i].value ? " " : "", options[i].value ? options[i].value : "",
			optional ? "]" : "", i == OPT_DADDR || i == OPT_SADDR ? "..." : "");
	}
	fputc('\n', out);
}

static void print_verb_help(const struct verb *v, FILE *out)
{
	fputs("Usage: ", out);
	print_synopsis(v, out);
	fprintf(out, "\n%s.\n", v->help);
	if (v->alias)
		fprintf(out, "The last word may also be: %s.\n", v->alias);
	print_options(v->options, "Options", out);
	print_options(GLOBAL, "Options of every command", out);
}

void verbs_help(const struct cmd *c, FILE *out)
{
	if (c->verb) {
		print_verb_help(c->verb, out);
		return;
	}
	fprintf(out, "Usage: mangle-ctl [OPTIONS] %s%sCOMMAND ...\n\nCommands:\n", c->name,
		*c->name ? " " : "");
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (!*c->name || is_noun(&verbs[i], c->name))
			fprintf(out, "  %-14s %s\n", verbs[i].name, verbs[i].help);
	print_options(GLOBAL, "Options, in any position; -- ends them", out);
	fputs("\nExit status: 0 done; 1 not done; 2 the command line is wrong; 3 the answer is no;\n"
	      "4 the lock stayed busy.\n"
	      "See mangle-ctl COMMAND --help, mangle-ctl(8) and mangle.yaml(5).\n",
	      out);
}
