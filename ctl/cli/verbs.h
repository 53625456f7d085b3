/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one table of verbs: what there is, what it takes, what it is for, who does it. argv.c reads
 * the command line by it, help.c prints it.
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include <stdio.h>

#include "cmd.h"

/* Options that every verb takes, and those that may be given several times. */
#define GLOBAL \
	(OPT(JSON) | OPT(QUIET) | OPT(NETNS) | OPT(WAIT) | OPT(COLOR) | OPT(NO_PAGER) | \
	 OPT(HELP) | OPT(VERSION))
#define REPEATED (OPT(DADDR) | OPT(SADDR))

/* What a word of the synopsis stands for, and what an option is to one verb. */
struct word_text {
	const char *word, *text;
};
struct option_text {
	enum option_id option;
	const char *value; /* as in struct option_row; NULL: that one's */
	const char *help;
	const char *otherwise; /* its default; NULL: none */
};

#define VERB_WORDS 2
struct verb {
	const char *name;      /* "map set"; the first word is shared where there are two */
	const char *aliases;   /* of the last word, blanks between; NULL: none */
	const char *arguments; /* as in the synopsis; may show options, which `shown` names */
	const char *help;      /* one line */
	uint64_t options;      /* OPT() bits, beside those that every verb takes */
	uint64_t required;     /* of these, in the synopsis without brackets */
	uint64_t shown;	       /* of these, those that `arguments` shows */
	uint64_t stays;	       /* of these, those that stay as they are where not given */
	int min, max;	       /* arguments; max -1: any number */
	/* NULL: the word is the option of its name (help, version). */
	int (*run)(const struct cmd *c, struct err *e);
	const struct word_text *words[VERB_WORDS];
	const struct option_text *texts; /* the last has no help; NULL: none */
	const char *examples;		 /* a line each, as they are typed */
};

extern const struct verb verbs[];
extern const size_t verb_count;

struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *value; /* what its value is called; NULL: it takes none */
	const char *help;
};

extern const struct option_row option_rows[OPT_COUNT];
extern const char *const option_defaults[OPT_COUNT]; /* NULL: none that has a name */
const char *option_name(enum option_id o);
/* The same as they are to one verb; NULL for the verb: to no one in particular. */
const char *option_value(const struct verb *v, int o);
#define OPTION_HELP_SIZE 200
const char *option_help(const struct verb *v, int o, char buf[OPTION_HELP_SIZE]);
const char *option_default(const struct verb *v, int o);
/* The name that an option also goes by, and had before; NULL: it has one only. */
extern const char *const option_aliases[OPT_COUNT];

/* Is it the first word of several verbs ("map")? */
bool is_noun(const char *word);
bool verb_is_of(const struct verb *v, const char *noun);
/* The words that its last one may be: its own, then its aliases. NULL where there are no more. */
#define VERB_WORD_SIZE 16
const char *verb_word(const struct verb *v, unsigned int i, char buf[VERB_WORD_SIZE]);
bool verb_is_called(const struct verb *v, const char *word);
/* noun: NULL for a verb of one word. An alias will do. NULL: there is no such verb. */
const struct verb *find_verb(const char *noun, const char *word);

/*
 * Words to a command (argv.c), whose c->out is set before. Where help or the version is asked for
 * nothing else is judged; c->name is what help is about then: "", a noun, or a verb. c->verb is
 * NULL where no verb is named.
 */
int argv_parse(int argc, char **argv, struct cmd *c, struct err *e);

/* What may be put in the place of the last of these words, which come behind "mangle-ctl": a line
 * each, with what it is behind a tab, or ":files" (complete.c). */
void complete(struct output *out, int words, char **word);

/* The help text for c, to be printed (help.c). */
void help_print(const struct cmd *c, FILE *out);

#endif
