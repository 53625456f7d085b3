/* SPDX-License-Identifier: GPL-2.0-only */
/* Turns the words of the command line into a command, or into the error that says what is wrong. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"
#include "out.h"
#include "verbs.h"

#define WAIT_DEFAULT 5
#define WAIT_MAX 86400
/* getopt_long returns this plus the option's number for a long option. */
#define LONG_BASE 256
/* An error names at most this many verbs. */
#define NAMED_MAX 4

/* ---- options ---- */

static int option_of(int val)
{
	if (val >= LONG_BASE)
		return val - LONG_BASE;
	for (int i = 0; i < OPT_COUNT; i++)
		if (val && option_rows[i].letter == val)
			return i;
	return -1;
}

/* Returns the word that the option just parsed was written as, which may hold its value too. */
static const char *option_word_at(char **argv)
{
	return argv[optarg && optarg == argv[optind - 1] ? optind - 2 : optind - 1];
}

static bool is_word(const char *word, size_t len, const char *name)
{
	return name && strlen(name) == len && !strncmp(word, name, len);
}

static bool is_abbreviated(const char *word, int o)
{
	size_t len = strcspn(word, "=");

	return !strncmp(word, "--", 2) && !is_word(word + 2, len - 2, option_rows[o].name) &&
	       !is_word(word + 2, len - 2, option_aliases[o]);
}

/* An unknown option, as it was typed. */
struct unknown {
	char word[104]; /* "": there is none */
};

/* Only the first unknown option is reported. */
static void note_unknown(struct unknown *u, const char *word)
{
	if (!*u->word)
		snprintf(u->word, sizeof(u->word), "%.*s", (int)strcspn(word, "="), word);
}

static void suggest_option(struct suggestion *s, int o)
{
	const char *names[] = {option_rows[o].name, option_aliases[o]};
	char known[SUGGEST_WORD_SIZE], shown[SUGGEST_WORD_SIZE];

	snprintf(shown, sizeof(shown), "--%s", names[0]);
	for (int i = 0; i < 2 && names[i]; i++) {
		snprintf(known, sizeof(known), "--%s", names[i]);
		suggest(s, known, shown);
	}
}

/* Called once the verb is known, since only the verb's own options are worth a suggestion. */
static int unknown_option(const struct cmd *c, const struct unknown *u, struct err *e)
{
	uint64_t options = c->verb ? c->verb->options | GLOBAL : UINT64_MAX;
	struct suggestion near = {.wrong = u->word};
	char text[SUGGEST_TEXT_SIZE];

	for (int i = 0; i < OPT_COUNT; i++)
		if (options >> i & 1)
			suggest_option(&near, i);
	if (suggest_text(&near, text))
		return usage_error(e, "command line", "option %s: not known (%s)", u->word, text);
	if (c->verb && c->verb->arguments && strstr(c->verb->arguments, "TAG"))
		return usage_error(e, "command line",
				   "option %s: not known (put -- before a tag that begins with -)",
				   u->word);
	return usage_error(e, "command line", "option %s: not known (see mangle-ctl %s%s--help)",
			   u->word, c->name, *c->name ? " " : "");
}

/* Handles a '?' or ':' that getopt_long returned. */
static int bad_getopt(int got, char **argv, struct unknown *u, struct err *e)
{
	int o = option_of(optopt);
	char letter[] = {'-', (char)optopt, '\0'};

	if (got == ':')
		return usage_error(e, "command line",
				   "option --%s: needs %s (see mangle-ctl --help)",
				   option_rows[o].name, option_rows[o].value);
	if (o >= 0)
		return usage_error(e, "command line",
				   "option --%s: takes no value (see mangle-ctl --help)",
				   option_rows[o].name);
	note_unknown(u, optopt ? letter : argv[optind - 1]);
	return 0;
}

/* The words any and none discard the values given before them. */
static void add_word(struct words *w, const char *word)
{
	if (!strcmp(word, "any") || !strcmp(word, "none"))
		w->count = 0;
	else if (w->count < sizeof(w->word) / sizeof(*w->word))
		w->word[w->count++] = word;
}

static int take_option(struct cmd *c, int o, struct err *e)
{
	if (optarg && given(c, 1ULL << o & ~REPEATED))
		return usage_error(e, "command line", "option --%s: given twice (give it once)",
				   option_rows[o].name);
	c->given |= 1ULL << o;
	c->value[o] = optarg;
	if (o == OPT_DADDR)
		add_word(&c->daddr, optarg);
	else if (o == OPT_SADDR)
		add_word(&c->saddr, optarg);
	return 0;
}

static struct option long_option(const char *name, int o)
{
	return (struct option){
		.name = name,
		.has_arg = option_rows[o].value ? required_argument : no_argument,
		.val = LONG_BASE + o,
	};
}

/* longs must have room for two names of each option and an end, shorts for two characters of each
 * and an end. */
static void list_options(struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (int i = 0; i < OPT_COUNT; i++) {
		*longs++ = long_option(option_rows[i].name, i);
		if (option_aliases[i])
			*longs++ = long_option(option_aliases[i], i);
		if (!option_rows[i].letter)
			continue;
		*shorts++ = option_rows[i].letter;
		if (option_rows[i].value)
			*shorts++ = ':';
	}
}

static int parse_options(int argc, char **argv, struct cmd *c, struct unknown *u, struct err *e)
{
	struct option longs[2 * OPT_COUNT + 1] = {{0}};
	char shorts[2 * OPT_COUNT + 2] = "";
	int got, err = 0;

	list_options(longs, shorts);
	opterr = 0;
	unsetenv("POSIXLY_CORRECT"); /* options may stand in any position */
	while (!err && (got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		int o = option_of(got);

		if (got == '?' || got == ':')
			err = bad_getopt(got, argv, u, e);
		else if (got >= LONG_BASE && is_abbreviated(option_word_at(argv), o))
			note_unknown(u, option_word_at(argv));
		else
			err = take_option(c, o, e);
	}
	c->argc = argc - optind;
	c->argv = argv + optind;
	return err;
}

/* ---- the verb ---- */

static void take_words(struct cmd *c, int n)
{
	c->argc -= n;
	c->argv += n;
}

static void suggest_verb(struct suggestion *s, const struct verb *v)
{
	char known[VERB_WORD_SIZE];

	for (unsigned int i = 0; verb_word(v, i, known); i++)
		suggest(s, known, v->name);
}

/* Suggests the nearest commands. Without a noun, the word may be the second one of a command
 * ("list"). */
static void suggest_verbs(struct suggestion *s, const char *noun)
{
	char first[VERB_WORD_SIZE];

	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *v = &verbs[i];

		if (noun && verb_is_of(v, noun))
			suggest_verb(s, v);
		if (noun)
			continue;
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(v->name, " "), v->name);
		suggest(s, first, first);
		if (verb_is_called(v, s->wrong))
			suggest(s, s->wrong, v->name);
	}
}

static int unknown_verb(const char *noun, const char *word, struct err *e)
{
	struct suggestion near = {.wrong = word};
	const char *before = noun ? noun : "", *blank = noun ? " " : "";
	char text[SUGGEST_TEXT_SIZE];

	suggest_verbs(&near, noun);
	if (suggest_text(&near, text))
		return usage_error(e, "command line", "%s%s%.100s: no such command (%s)", before,
				   blank, word, text);
	return usage_error(e, "command line",
			   "%s%s%.100s: no such command (see mangle-ctl %s%s--help)", before, blank,
			   *word ? word : "''", before, blank);
}

/* "help map set" is "map set --help". */
static void take_help(struct cmd *c)
{
	if (!c->argc || strcmp(c->argv[0], "help") || given(c, OPT(HELP) | OPT(VERSION)))
		return;
	c->given |= OPT(HELP);
	take_words(c, 1);
}

/* Removes the verb's one or two words. A noun alone, or no word, leaves c->verb NULL. */
static int parse_verb(struct cmd *c, struct err *e)
{
	const char *word = c->argc ? c->argv[0] : NULL;
	const char *noun = word && is_noun(word) ? word : NULL;

	c->name = noun ? noun : "";
	if (noun)
		word = c->argc > 1 ? c->argv[1] : NULL;
	if (!word)
		return 0;
	c->verb = find_verb(noun, word);
	if (!c->verb)
		return unknown_verb(noun, word, e);
	c->name = c->verb->name;
	take_words(c, noun ? 2 : 1);
	return 0;
}

/* ---- do they fit? ---- */

/* A list of words, in a text of limited length. */
struct list {
	char text[320];
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) add(struct list *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (l->len < sizeof(l->text))
		l->len += (size_t)vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
}

/* The option is known, but belongs to other verbs, which the error names. */
static int misplaced_option(const struct cmd *c, int o, struct err *e)
{
	struct list takers = {0};
	unsigned int count = 0;

	for (size_t i = 0; i < verb_count; i++)
		if (verbs[i].options >> o & 1)
			add(&takers, "%s%s", count++ ? ", " : "", verbs[i].name);
	if (count > NAMED_MAX)
		return usage_error(
			e, c->name,
			"option --%s: not an option of this command (see mangle-ctl %s --help)",
			option_rows[o].name, c->name);
	return usage_error(e, c->name,
			   "option --%s: not an option of this command (it belongs to %s)",
			   option_rows[o].name, takers.text);
}

/* Reports everything that is missing in one error. */
static int missing_words(const struct cmd *c, uint64_t options, struct err *e)
{
	const struct verb *v = c->verb;
	const char *word = v->arguments;
	struct list missing = {0};

	for (int i = 0; i < v->min; i++) {
		int len = (int)strcspn(word, " ");

		if (i >= c->argc)
			add(&missing, "%s%.*s", missing.len ? ", " : "", len, word);
		word += len + (word[len] == ' ');
	}
	for (int i = 0; i < OPT_COUNT; i++)
		if (options >> i & 1)
			add(&missing, "%s--%s %s", missing.len ? ", " : "", option_rows[i].name,
			    option_rows[i].value);
	return usage_error(e, c->name, "command line: missing %s (see mangle-ctl %s --help)",
			   missing.text, c->name);
}

static int check_words(const struct cmd *c, struct err *e)
{
	const struct verb *v = c->verb;
	uint64_t misplaced = c->given & ~(v->options | GLOBAL);
	uint64_t missing = v->required & ~c->given;

	if (misplaced)
		return misplaced_option(c, __builtin_ctzll(misplaced), e);
	if (v->max >= 0 && c->argc > v->max)
		return usage_error(e, c->name,
				   "argument %.100s: one too many (see mangle-ctl %s --help)",
				   c->argv[v->max], c->name);
	if (missing || c->argc < v->min)
		return missing_words(c, missing, e);
	return 0;
}

/* The command line has only a noun, or nothing: the help is the best answer. A program that reads
 * JSON gets an error instead. */
static int incomplete(const struct cmd *c, struct err *e)
{
	if (!c->out->json)
		return 0;
	return usage_error(e, "command line", "%s: no command is given (see mangle-ctl %s%s--help)",
			   *c->name ? c->name : "arguments", c->name, *c->name ? " " : "");
}

int argv_parse(int argc, char **argv, struct cmd *c, struct err *e)
{
	struct unknown unknown = {""};
	uint64_t wait = WAIT_DEFAULT;
	struct err verb_error;
	int err;

	*c = (struct cmd){.name = "", .out = c->out};
	err = parse_options(argc, argv, c, &unknown, e);
	if (err)
		return err;
	take_help(c);
	err = parse_verb(c, &verb_error);
	if (*unknown.word)
		return unknown_option(c, &unknown, e);
	if (err) {
		*e = verb_error;
		return err;
	}
	c->netns = c->value[OPT_NETNS];
	c->out->json = given(c, OPT(JSON));
	c->out->quiet = given(c, OPT(QUIET));
	if (given(c, OPT(HELP) | OPT(VERSION)))
		return 0;
	if (!c->verb)
		return incomplete(c, e);
	err = check_words(c, e);
	if (!err && given(c, OPT(WAIT)))
		err = option_number(c, OPT_WAIT, WAIT_MAX, &wait, e);
	c->wait = (double)wait;
	if (!c->verb->run)
		c->given |= OPT(VERSION);
	return err;
}
