/* SPDX-License-Identifier: GPL-2.0-only */
/* --help: all of it comes from the tables of verbs and options. */
#include <stdio.h>

#include "verbs.h"

static void print_option(int o, FILE *out)
{
	char word[64];

	snprintf(word, sizeof(word), "--%s%s%s", option_rows[o].name,
		 option_rows[o].value ? " " : "", option_rows[o].value ? option_rows[o].value : "");
	if (option_rows[o].letter)
		fprintf(out, "  -%c, %-34s %s\n", option_rows[o].letter, word, option_rows[o].help);
	else
		fprintf(out, "  %-38s %s\n", word, option_rows[o].help);
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
		fprintf(out, " %s--%s%s%s%s%s", optional ? "[" : "", option_rows[i].name,
			option_rows[i].value ? " " : "",
			option_rows[i].value ? option_rows[i].value : "", optional ? "]" : "",
			REPEATED & bit ? "..." : "");
	}
	fputc('\n', out);
}

static void print_verb_help(const struct verb *v, FILE *out)
{
	fputs("Usage: ", out);
	print_synopsis(v, out);
	fprintf(out, "\n%s.\n", v->help);
	if (v->aliases)
		fprintf(out, "The last word may also be: %s.\n", v->aliases);
	print_options(v->options, "Options", out);
	print_options(GLOBAL, "Options of every command", out);
}

/* "Also: add for set, ls and show for list." */
static void print_aliases(const char *noun, FILE *out)
{
	char word[VERB_WORD_SIZE];
	bool any = false;

	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *v = &verbs[i];

		if (!v->aliases || !verb_is_of(v, noun))
			continue;
		fputs(any ? ", " : "\nAlso: ", out);
		any = true;
		for (unsigned int n = 1; verb_word(v, n, word); n++)
			fprintf(out, "%s%s", n > 1 ? " and " : "", word);
		fprintf(out, " for %s", verb_word(v, 0, word));
	}
	if (any)
		fputs(".\n", out);
}

void help_print(const struct cmd *c, FILE *out)
{
	if (c->verb) {
		print_verb_help(c->verb, out);
		return;
	}
	fprintf(out, "Usage: mangle-ctl [OPTIONS] %s%sCOMMAND ...\n\nCommands:\n", c->name,
		*c->name ? " " : "");
	for (size_t i = 0; i < verb_count; i++)
		if (!*c->name || verb_is_of(&verbs[i], c->name))
			fprintf(out, "  %-14s %s\n", verbs[i].name, verbs[i].help);
	print_aliases(c->name, out);
	print_options(GLOBAL, "Options, in any position; -- ends them", out);
	fputs("\nExit status: 0 done; 1 not done; 2 the command line is wrong; 3 the answer is no;\n"
	      "4 the lock stayed busy.\n"
	      "See mangle-ctl COMMAND --help, mangle-ctl(8) and mangle.yaml(5).\n",
	      out);
}
