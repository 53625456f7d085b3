/* SPDX-License-Identifier: GPL-2.0-only */
#include "table_file.h"

#include <errno.h>
#include <string.h>

#include "input.h"
#include "model/check.h"
#include "model/parse.h"
#include "model/setting.h"

#define LINE_MAX_BYTES 4096
#define BOM "\xef\xbb\xbf" /* UTF-8's byte order mark */

#define READING_TABLE "reading entities: "
#define TABLE_PAGE "TABLE FILES in mangle-ctl(8)"
#define BAD_LINE(l, ...) fail_at(e, (l)->file, (l)->line, TABLE_PAGE, __VA_ARGS__)

struct lines {
	FILE *in;
	const char *file;
	uint64_t line;	/* number of the line in text */
	uint64_t bytes; /* so far */
	size_t len;	/* without the newline */
	char text[LINE_MAX_BYTES];
};

/* Returns 1 with the next line, 0 at the end, or negative errno. */
static int next_line(struct lines *l, struct err *e)
{
	int c;

	l->len = 0;
	l->line++;
	while ((c = getc_unlocked(l->in)) != EOF && c != '\n') {
		if (l->len == sizeof(l->text))
			return BAD_LINE(l, "entity: the line is longer than %d bytes",
					LINE_MAX_BYTES);
		l->text[l->len++] = (char)c;
	}
	if (ferror(l->in))
		return fail(e, -errno, file_name(l->file), READING_TABLE "%s", strerror(errno));
	l->bytes += l->len + 1;
	if (l->bytes > FILE_MAX_BYTES)
		return fail(e, -EFBIG, file_name(l->file), READING_TABLE "it is larger than 1 GiB");
	return c == '\n' || l->len;
}

/* Skips the byte order mark that some editors write. */
static int skip_mark(struct lines *l, struct err *e)
{
	size_t len = sizeof(BOM) - 1;

	if (is_utf16(l->text, l->len))
		return BAD_LINE(l, "entity: this is UTF-16 text (save it as UTF-8)");
	if (l->len >= len && !memcmp(l->text, BOM, len)) {
		l->len -= len;
		memmove(l->text, l->text + len, l->len);
	}
	return 0;
}

static int bad_word(const struct lines *l, const struct bad_word *bad, struct err *e)
{
	int len = (int)(bad->len < ECHO_BYTES ? bad->len : ECHO_BYTES);

	if (!bad->text)
		return BAD_LINE(l, "%s: %s", bad->what, bad->why.text);
	return BAD_LINE(l, "%s: '%.*s' %s", bad->what, len, bad->text, bad->why.text);
}

/* Checks that the service can have the row. */
static int check_row(const struct lines *l, const struct service *like, const struct tag *tag,
		     const struct entity *en, struct err *e)
{
	char text[TAG_TEXT_SIZE];
	const char *what;
	struct parse_error why;

	if (tag->len != like->tag_len) {
		format_tag(tag->bytes, tag->len, text);
		tag_length_why(text, tag->len, like->name, like->tag_len, &why);
		return BAD_LINE(l, "tag: '%s' %s", text, why.text);
	}
	if (entity_fits(like, en, &what, &why))
		return BAD_LINE(l, "%s: %s", what, why.text);
	return 0;
}

static int read_table_line(struct lines *l, const struct service *like, struct service *to,
			   struct err *e)
{
	char name[MANGLE_TEXT_SIZE];
	struct bad_word bad;
	struct entity en;
	struct tag tag;
	int ret = l->line == 1 ? skip_mark(l, e) : 0;

	if (ret)
		return ret;
	ret = parse_table_line(l->text, l->len, &tag, &en, name, &bad);
	if (!ret)
		return 0;
	if (ret < 0)
		return bad_word(l, &bad, e);
	ret = check_row(l, like, &tag, &en, e);
	if (ret)
		return ret;
	en.line = (uint32_t)l->line;
	ret = service_add_entity(to, &en, e);
	return ret ? ret : names_add(&to->names, en.tag, name, e);
}

int table_sort(struct service *s, const char *file, struct err *e)
{
	char tag[TAG_TEXT_SIZE];
	size_t twice;

	if (!service_sort_entities(s, &twice))
		return 0;
	return fail_at(e, file, s->entities[twice].line, NULL,
		       "tag %s: already given in line %u (leave one out)",
		       format_tag(s->entities[twice].tag, s->tag_len, tag),
		       (unsigned int)s->entities[twice - 1].line);
}

/* Makes a service with the settings of `like` that has only the entities of a table file. */
static int read_table(FILE *in, const char *file, const struct service *like, struct service *to,
		      struct err *e)
{
	struct lines l = {.in = in, .file = file};
	int ret;

	service_defaults(to);
	memcpy(to->name, like->name, sizeof(to->name));
	to->tag_len = like->tag_len;
	while ((ret = next_line(&l, e)) > 0) {
		ret = read_table_line(&l, like, to, e);
		if (ret)
			break;
	}
	if (!ret)
		ret = table_sort(to, file, e);
	if (ret)
		service_free(to);
	return ret;
}

/* Moves the entities of `from` to s; both are sorted. known: the file that those of s were read
 * from, or NULL. */
static int merge_table(struct service *s, struct service *from, const char *file, const char *known,
		       struct err *e)
{
	struct tag tag = {.len = s->tag_len};
	char text[TAG_TEXT_SIZE];
	size_t i, twice;
	int ret = 0;

	for (i = 0; i < from->entity_count && !ret; i++) {
		const struct entity *en = &from->entities[i];
		const struct entity *old;

		memcpy(tag.bytes, en->tag, sizeof(tag.bytes));
		old = service_find_entity(s, &tag);
		if (!old)
			continue;
		format_tag(en->tag, s->tag_len, text);
		if (known)
			return fail_at(e, file, en->line, NULL,
				       "tag %s: already given in %s:%u (leave one out)", text,
				       file_name(known), (unsigned int)old->line);
		return fail_at(e, file, en->line, NULL, "tag %s: already there", text);
	}
	if (!s->entity_count) {
		service_move_entities(s, from);
		return 0;
	}
	for (i = 0; i < from->entity_count && !ret; i++)
		ret = service_add_entity(s, &from->entities[i], e);
	if (!ret)
		ret = names_append(&s->names, &from->names, e);
	service_sort_entities(s, &twice);
	return ret;
}

int table_merge(FILE *in, const char *file, struct service *s, const char *known, struct err *e)
{
	struct service table;
	int ret = read_table(in, file, s, &table, e);

	close_input(in);
	if (!ret)
		ret = merge_table(s, &table, file, known, e);
	service_free(&table);
	return ret;
}

int table_load(const char *file, struct service *s, struct err *e)
{
	size_t twice;
	FILE *in;
	int ret = open_input(file, &in);

	if (ret)
		return fail(e, ret, file_name(file), READING_TABLE "%s", strerror(-ret));
	service_sort_entities(s, &twice);
	return table_merge(in, file, s, NULL, e);
}

void table_save_line(FILE *out, const struct service *s, const struct entity *en)
{
	const char *name = names_find(&s->names, en->tag);
	char tag[TAG_TEXT_SIZE], target[TARGET_TEXT_SIZE], quoted[QUOTED_TEXT_SIZE];

	fprintf(out, "%s %s", format_tag(en->tag, s->tag_len, tag),
		format_target(&en->target, target));
	if (en->has_size)
		fprintf(out, " %u:%u", (unsigned int)en->size.min, (unsigned int)en->size.max);
	if (*name)
		fprintf(out, " name=%s", format_quoted(name, quoted));
	putc('\n', out);
}
