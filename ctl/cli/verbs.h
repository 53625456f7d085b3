/* SPDX-License-Identifier: GPL-2.0-only */
/* The one table of verbs: their words, options, help and functions. argv.c parses the command line
 * by it, help.c prints it. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include <stdio.h>

#include "cmd.h"

/* Options that every verb takes, and options that may be given several times. */
#define GLOBAL \
	(OPT(JSON) | OPT(QUIET) | OPT(NETNS) | OPT(WAIT) | OPT(COLOR) | OPT(NO_PAGER) | \
	 OPT(HELP) | OPT(VERSION))
#define REPEATED (OPT(DADDR) | OPT(SADDR))

/* What a word of the synopsis means, and what an option means for one verb. */
struct word_text {
	const char *word, *text;
};
struct option_text {
	enum option_id option;
	const char *value; /* as in struct option_row; NULL: use that one's */
	const char *help;
	const char *otherwise; /* the default, in words; NULL: none */
};

#define VERB_WORDS 2
struct verb {
	const char *name;      /* "map set"; the first word is shared where there are two */
	const char *aliases;   /* other names of the last word, with blanks between; NULL: none */
	const char *arguments; /* the synopsis; may contain options, which `shown` lists */
	const char *help;      /* one line */
	uint64_t options;      /* OPT() bits, besides those that every verb takes */
	uint64_t required;     /* those of them that must be given */
	uint64_t shown;	       /* those of them that `arguments` contains */
	uint64_t stays;	       /* those of them that keep their value where they are not given */
	int min, max;	       /* number of arguments; max -1: any */
	/* NULL: the word stands for the option of its name (help, version). */
	int (*run)(const struct cmd *c, struct err *e);
	const struct word_text *words[VERB_WORDS];
	const struct option_text *texts; /* the last has no help; NULL: none */
	const char *examples;		 /* a command on each line, as it is typed */
};

extern const struct verb verbs[];
extern const size_t verb_count;

struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *value; /* the placeholder of its value; NULL: it takes none */
	const char *help;
};

extern const struct option_row option_rows[OPT_COUNT];
extern const char *const option_defaults[OPT_COUNT]; /* NULL: it has none, or none with a name */
const char *option_name(enum option_id o);
/* The same as they are for one verb; v NULL: for no verb in particular. */
const char *option_value(const struct verb *v, int o);
#define OPTION_HELP_SIZE 200
const char *option_help(const struct verb *v, int o, char buf[OPTION_HELP_SIZE]);
const char *option_default(const struct verb *v, int o);
/* An older name of the option; NULL: it has none. */
extern const char *const option_aliases[OPT_COUNT];

/* Returns whether several verbs begin with this word ("map"). */
bool is_noun(const char *word);
bool verb_is_of(const struct verb *v, const char *noun);
/* Returns the i-th word that the verb's last one may be: its own, then its aliases; NULL:
 * no more. */
#define VERB_WORD_SIZE 16
const char *verb_word(const struct verb *v, unsigned int i, char buf[VERB_WORD_SIZE]);
bool verb_is_called(const struct verb *v, const char *word);
/* Finds a verb; noun: NULL for a verb of one word; word: its last one, or an alias of that. NULL:
 * there is no such verb. */
const struct verb *find_verb(const char *noun, const char *word);

/*
 * Parses the words into a command (argv.c). c->out must be set. Where help or the version is asked
 * for, nothing else is checked, and c->name is what the help is about: "", a noun, or a verb.
 * c->verb is NULL where no verb is named.
 */
int argv_parse(int argc, char **argv, struct cmd *c, struct err *e);

/* Prints what may replace the last of these words, which follow "mangle-ctl" (complete.c): a
 * candidate on each line, and its explanation after a tab; or ":files". */
void complete(struct output *out, int words, char **word);

/* Prints the help for c (help.c). */
void help_print(const struct cmd *c, FILE *out);

#endif
