/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints --help, all of which comes from the tables of verbs and options. */
#include <stdio.h>
#include <string.h>

#include "verbs.h"

#define WIDTH 80
#define TEXT_COLUMN 26 /* where a word's explanation begins */

/* ---- lines ---- */

/* Text that is wrapped at the width of a line, and indented. */
struct lines {
	FILE *out;
	int column, indent;
};

/* Writes a piece that is not broken. */
static void put_piece(struct lines *l, const char *piece, size_t len)
{
	bool first = l->column <= l->indent;

	if (!first && l->column + 1 + (int)len > WIDTH - 1) {
		fputc('\n', l->out);
		l->column = 0;
		first = true;
	}
	if (first && l->column < l->indent) {
		fprintf(l->out, "%*s", l->indent - l->column, "");
		l->column = l->indent;
	}
	fprintf(l->out, "%s%.*s", first ? "" : " ", (int)len, piece);
	l->column += !first + (int)len;
}

static void put_text(struct lines *l, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		put_piece(l, text, len);
		text += len + (text[len] == ' ');
	}
}

/* Writes a word and its explanation: beside the word, or below it where there is no room. */
static void put_row(const char *word, const char *text, const char *otherwise, FILE *out)
{
	struct lines l = {.out = out, .indent = TEXT_COLUMN};
	char in_words[64];

	l.column = fprintf(out, "  %s", word);
	if (l.column > TEXT_COLUMN - 2) {
		fputc('\n', out);
		l.column = 0;
	}
	put_text(&l, text);
	if (otherwise) {
		snprintf(in_words, sizeof(in_words), "(default: %s)", otherwise);
		put_piece(&l, in_words, strlen(in_words));
	}
	fputc('\n', out);
}

/* ---- options ---- */

static void print_option(const struct verb *v, int o, FILE *out)
{
	const char *value = option_value(v, o), *also = option_aliases[o];
	char word[64], help[OPTION_HELP_SIZE], text[OPTION_HELP_SIZE + 40];
	int len = 0;

	if (option_rows[o].letter)
		len = snprintf(word, sizeof(word), "-%c, ", option_rows[o].letter);
	snprintf(word + len, sizeof(word) - (size_t)len, "--%s%s%s", option_rows[o].name,
		 value ? " " : "", value ? value : "");
	snprintf(text, sizeof(text), "%s%s%s%s", option_help(v, o, help), also ? "; --" : "",
		 also ? also : "", also ? " is the same" : "");
	put_row(word, text, option_default(v, o), out);
}

static void print_options(const struct verb *v, uint64_t bits, const char *title, FILE *out)
{
	if (!bits)
		return;
	fprintf(out, "\n%s:\n", title);
	for (int i = 0; i < OPT_COUNT; i++)
		if (bits >> i & 1)
			print_option(v, i, out);
}

/* ---- a verb ---- */

static void print_synopsis(const struct verb *v, FILE *out)
{
	struct lines l = {.out = out, .indent = 11};
	char piece[64];

	l.column = fprintf(out, "Usage: mangle-ctl %s", v->name);
	if (v->arguments)
		put_text(&l, v->arguments);
	for (int i = 0; i < OPT_COUNT; i++) {
		const char *value = option_value(v, i);
		uint64_t bit = 1ULL << i;
		bool optional = !(v->required & bit);

		if (!(v->options & ~v->shown & bit))
			continue;
		snprintf(piece, sizeof(piece), "%s--%s%s%s%s%s", optional ? "[" : "",
			 option_rows[i].name, value ? " " : "", value ? value : "",
			 optional ? "]" : "", REPEATED & bit ? "..." : "");
		put_piece(&l, piece, strlen(piece));
	}
	fputc('\n', out);
}

static void print_words(const struct verb *v, FILE *out)
{
	for (int i = 0; i < VERB_WORDS && v->words[i]; i++) {
		if (!i)
			fputs("\nArguments:\n", out);
		put_row(v->words[i]->word, v->words[i]->text, NULL, out);
	}
}

static void print_examples(const char *lines, FILE *out)
{
	fputs("\nExamples:\n", out);
	while (*lines) {
		int len = (int)strcspn(lines, "\n");

		fprintf(out, "  %.*s\n", len, lines);
		lines += len + (lines[len] == '\n');
	}
}

static void print_verb_help(const struct verb *v, FILE *out)
{
	struct lines l = {.out = out};
	char word[VERB_WORD_SIZE], sentence[120];

	print_synopsis(v, out);
	snprintf(sentence, sizeof(sentence), "%c%s.", v->help[0] - 'a' + 'A', v->help + 1);
	fputc('\n', out);
	put_text(&l, sentence);
	fputc('\n', out);
	for (unsigned int i = 1; verb_word(v, i, word); i++)
		fprintf(out, "%s%s", i > 1 ? ", " : "Aliases: ", word);
	if (v->aliases)
		fputs(".\n", out);
	if (v->stays)
		fputs("Settings that are not given stay as they are.\n", out);
	print_words(v, out);
	print_options(v, v->options, "Options", out);
	print_options(v, GLOBAL, "Options of every command", out);
	print_examples(v->examples, out);
}

/* ---- all of them, or those of a noun ---- */

/* Writes "Also: add for set, ls and show for list." */
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

static void print_commands(const char *noun, FILE *out)
{
	fputs("\nCommands:\n", out);
	for (size_t i = 0; i < verb_count; i++)
		if (!*noun || verb_is_of(&verbs[i], noun))
			put_row(verbs[i].name, verbs[i].help, NULL, out);
	print_aliases(noun, out);
}

static void print_end(FILE *out)
{
	struct lines l = {.out = out};

	fputc('\n', out);
	put_text(
		&l,
		"Exit status: 0 done; 1 not done; 2 the command line is wrong; 3 the answer is no; "
		"4 the lock stayed busy.");
	fputs("\nSee mangle-ctl COMMAND --help, mangle-ctl(8) and mangle.yaml(5).\n", out);
}

void help_print(const struct cmd *c, FILE *out)
{
	if (c->verb) {
		print_verb_help(c->verb, out);
		return;
	}
	fprintf(out, "Usage: mangle-ctl [OPTIONS] %s%sCOMMAND ...\n", c->name, *c->name ? " " : "");
	print_commands(c->name, out);
	print_options(NULL, GLOBAL, "Options, in any position; -- ends them", out);
	if (!*c->name)
		print_examples("mangle-ctl doctor eth0\n"
			       "mangle-ctl attach eth0\n"
			       "mangle-ctl map set ABCD 6001\n"
			       "mangle-ctl map list\n"
			       "mangle-ctl stats",
			       out);
	print_end(out);
}
