/* SPDX-License-Identifier: GPL-2.0-only */
/* The one table of verbs: what there is, what it takes, what it is for, who does it. */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include <stdio.h>

#include "cmd.h"

struct verb {
	const char *name;  /* "map set"; the first word is shared with others where there are two */
	const char *alias; /* of the last word, or NULL */
	const char *arguments; /* as in the synopsis; may show options, which `shown` names */
	const char *help;      /* one line */
	uint64_t options;      /* OPT() bits, beside those that every verb takes */
	uint64_t required;     /* of these, in the synopsis without brackets */
	uint64_t shown;	       /* of these, those that `arguments` shows */
	int min, max;	       /* arguments; max -1: any number */
	int (*run)(const struct cmd *c, struct err *e);
};

/*
 * Words to a command. Where --help or --version is given nothing else is judged; c->verb is NULL
 * where no verb was named then, and c->name what help is about ("", a noun, or a verb).
 */
int verbs_parse(int argc, char **argv, struct cmd *c, struct err *e);
const char *option_name(enum option_id o);
/* The help text for c, to be printed. */
void verbs_help(const struct cmd *c, FILE *out);

#endif
