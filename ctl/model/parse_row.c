/* SPDX-License-Identifier: GPL-2.0-only */
/* The lines of a table file. */
#include "parse.h"

#include "escape.h"

#include <errno.h>
#include <string.h>

/* Longest useful field of a table line: text: and MANGLE_MAX_TAG times \xNN. */
#define FIELD_SIZE 128

struct row_word {
	const char *text;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(const char **at, const char *end)
{
	while (*at < end && is_blank(**at))
		++*at;
}

/* Returns the end of a word that may have text in double quotes behind its '=', in which blanks and
 * '#' are text; NULL where there is no second quote. */
static const char *word_end(const char *at, const char *end)
{
	for (; at < end && !is_blank(*at) && *at != '#'; at++) {
		if (*at != '=' || at + 1 == end || at[1] != '"')
			continue;
		for (at += 2; at < end && *at != '"'; at++)
			at += *at == '\\';
		if (at >= end)
			return NULL;
	}
	return at;
}

/* The next word of [*at, end), blanks or tabs around it, '#' behind it; false where there is none.
 */
static bool next_word(const char **at, const char *end, struct row_word *word)
{
	skip_blanks(at, end);
	word->text = *at;
	while (*at < end && !is_blank(**at) && **at != '#')
		++*at;
	word->len = (size_t)(*at - word->text);
	return word->len > 0;
}

/* What is longer than anything that could be right becomes "". */
static const char *row_text(const struct row_word *word, char buf[FIELD_SIZE])
{
	size_t len = word->len < FIELD_SIZE ? word->len : 0;

	memcpy(buf, word->text, len);
	buf[len] = '\0';
	return buf;
}

static int blame(struct bad_word *bad, const char *what, const struct row_word *word)
{
	bad->what = what;
	bad->text = word->text;
	bad->len = word->len;
	return -EINVAL;
}

/* The text behind "name=", with or without quotes. */
static int parse_quoted(const struct row_word *word, char out[MANGLE_TEXT_SIZE],
			struct parse_error *why)
{
	bool quoted = word->len && *word->text == '"';
	char text[MANGLE_TEXT_SIZE + 1];
	size_t n = 0, i = quoted;

	for (; i < word->len && n < sizeof(text) - 1; i++) {
		if (quoted && word->text[i] == '"')
			break;
		if (quoted && word->text[i] == '\\' && ++i < word->len && word->text[i] != '"' &&
		    word->text[i] != '\\')
			return reject(why, "has a \\ that is not \\\" or \\\\");
		text[n++] = word->text[i];
	}
	text[n] = '\0';
	if (n < sizeof(text) - 1 && quoted && i + 1 != word->len)
		return reject(why, "goes on behind the closing \"");
	if (!quoted && memchr(word->text, '"', word->len))
		return reject(why, "has a \" inside (write \"...\", and \\\" for one in it)");
	return parse_text(text, out, why);
}

/* One row that is being read. */
struct row_line {
	struct tag *tag;
	struct entity *entity;
	char *name;
	struct bad_word *bad;
};

static int parse_row_size(const struct row_line *row, const struct row_word *all,
			  const struct row_word *value)
{
	char buf[FIELD_SIZE];

	if (row->entity->has_size) {
		reject(&row->bad->why, "is a second size");
		return blame(row->bad, "size", all);
	}
	if (parse_window(row_text(value, buf), &row->entity->size, &row->bad->why))
		return blame(row->bad, "size", value);
	row->entity->has_size = true;
	return 0;
}

static int parse_row_name(const struct row_line *row, const struct row_word *all,
			  const struct row_word *value)
{
	if (*row->name) {
		reject(&row->bad->why, "is a second name");
		return blame(row->bad, "name", all);
	}
	return parse_quoted(value, row->name, &row->bad->why) ? blame(row->bad, "name", value) : 0;
}

/* What may stand behind TAG TARGET. */
static const struct row_key {
	const char *name;
	int (*parse)(const struct row_line *row, const struct row_word *all,
		     const struct row_word *value);
} row_keys[] = {{"size", parse_row_size}, {"name", parse_row_name}};

/* A word behind TAG TARGET: KEY=VALUE, or the first one of them MIN:MAX. */
static int parse_row_word(const struct row_line *row, const struct row_word *word, bool first)
{
	const char *equals = memchr(word->text, '=', word->len);
	size_t len = equals ? (size_t)(equals - word->text) : 0;
	const struct row_word value = {word->text + len + 1, word->len - len - 1};

	for (size_t i = 0; equals && i < sizeof(row_keys) / sizeof(*row_keys); i++)
		if (strlen(row_keys[i].name) == len && !memcmp(row_keys[i].name, word->text, len))
			return row_keys[i].parse(row, word, &value);
	if (first && !equals)
		return parse_row_size(row, word, word);
	reject(&row->bad->why, equals ? "is none of size=MIN:MAX name=TEXT"
				      : "is more than TAG TARGET [MIN:MAX] [KEY=VALUE...]");
	return blame(row->bad, "entity", word);
}

/* All that is behind TAG TARGET. */
static int parse_row_rest(const struct row_line *row, const char *at, const char *end)
{
	for (bool first = true;; first = false) {
		struct row_word word;
		const char *behind;

		skip_blanks(&at, end);
		if (at == end || *at == '#')
			return 0;
		behind = word_end(at, end);
		word = (struct row_word){at, (size_t)((behind ? behind : end) - at)};
		if (!behind) {
			reject(&row->bad->why, "has no closing \"");
			return blame(row->bad, "entity", &word);
		}
		if (parse_row_word(row, &word, first))
			return -EINVAL;
		at = behind;
	}
}

static int parse_row(const struct row_line *row, const struct row_word words[2])
{
	struct bad_word *bad = row->bad;
	char buf[FIELD_SIZE];

	if (words[0].len >= FIELD_SIZE) {
		reject(&bad->why, "is longer than %d bytes", MANGLE_MAX_TAG);
		return blame(bad, "tag", &words[0]);
	}
	if (parse_tag(row_text(&words[0], buf), row->tag, &bad->why))
		return blame(bad, "tag", &words[0]);
	if (parse_target(row_text(&words[1], buf), &row->entity->target, &bad->why))
		return blame(bad, "target", &words[1]);
	return 0;
}

/* As tables of other programs come. */
static bool has_separator(const struct row_word *word)
{
	return memchr(word->text, ',', word->len) || memchr(word->text, ';', word->len);
}

int parse_table_line(const char *line, size_t len, struct tag *tag, struct entity *out,
		     char name[MANGLE_TEXT_SIZE], struct bad_word *bad)
{
	struct entity en = {0};
	const struct row_line row = {.tag = tag, .entity = &en, .name = name, .bad = bad};
	const char *at = line, *end = line + len;
	struct row_word words[2];

	*name = '\0';
	if (memchr(line, '\0', len)) {
		reject(&bad->why, "there is a NUL byte (this is not a text file)");
		return blame(bad, "entity", &(struct row_word){NULL, 0});
	}
	if (len && line[len - 1] == '\r')
		end--;
	if (!next_word(&at, end, &words[0]))
		return 0;
	if (!next_word(&at, end, &words[1])) {
		reject(&bad->why, has_separator(&words[0])
					  ? "is one word: TAG and TARGET are separated by blanks"
					  : "has no target behind it");
		return blame(bad, "entity", &words[0]);
	}
	if (parse_row(&row, words) || parse_row_rest(&row, at, end))
		return -EINVAL;
	memcpy(en.tag, tag->bytes, sizeof(en.tag));
	*out = en;
	return 1;
}
