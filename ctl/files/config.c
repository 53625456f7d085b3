/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * YAML is read event by event: no tree of the document is ever held, only the model it becomes.
 * Each read_ function finds its value's first event in r->event and leaves its last one there.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "model/check.h"
#include "model/parse.h"
#include "model/setting.h"

#define READING "reading configuration: "
#define LINE_MAX_BYTES 4096		   /* of a table file */
#define FILE_MAX_BYTES (UINT64_C(1) << 30) /* an endless input must end */
#define ECHO "%.64s"			   /* of what the file holds, in an error */
#define ECHO_BYTES 64

/* ---- files -------------------------------------------------------------------------------- */

static bool is_stdin(const char *file)
{
	return !strcmp(file, "-");
}

/* What errors call it. */
static const char *file_name(const char *file)
{
	return is_stdin(file) ? "<stdin>" : file;
}

/* 0 or negative errno. The caller closes *in with close_input. */
static int open_input(const char *file, FILE **in)
{
	struct stat st;

	*in = is_stdin(file) ? stdin : fopen(file, "re");
	if (!*in)
		return -errno;
	if (!fstat(fileno(*in), &st) && S_ISDIR(st.st_mode)) {
		if (*in != stdin)
			fclose(*in);
		return -EISDIR;
	}
	return 0;
}

static void close_input(FILE *in)
{
	if (in != stdin)
		fclose(in);
}

/* Says why, with FILE:LINE as the object, and where the format is told unless it says what to do.
 */
static int __attribute__((format(printf, 5, 6)))
fail_at(struct err *e, const char *file, uint64_t line, const char *page, const char *fmt, ...)
{
	char object[PATH_MAX + 24];
	char text[sizeof(e->line)];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = strlen(text);
	if (page && (!len || text[len - 1] != ')'))
		snprintf(text + len, sizeof(text) - len, " (see %s)", page);
	snprintf(object, sizeof(object), "%s:%" PRIu64, file_name(file), line);
	return fail(e, -EINVAL, object, "%s", text);
}

#define BOM "\xef\xbb\xbf" /* UTF-8's byte order mark */

static bool is_utf16(const char *start, size_t len)
{
	return len >= 2 && (!memcmp(start, "\xff\xfe", 2) || !memcmp(start, "\xfe\xff", 2));
}

/* ---- table files -------------------------------------------------------------------------- */

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

/* 1 with the next line, 0 at the end, or negative errno. */
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

/* What editors put in front of the text. */
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

/* Is the row one that the service can have? */
static int check_row(const struct lines *l, const struct service *like, const struct tag *tag,
		     const struct entity *en, struct err *e)
{
	char text[TAG_TEXT_SIZE];
	const char *what;
	struct why why;

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
	struct bad_word bad;
	struct entity en;
	struct tag tag;
	int ret = l->line == 1 ? skip_mark(l, e) : 0;

	if (ret)
		return ret;
	ret = parse_table_line(l->text, l->len, &tag, &en, &bad);
	if (!ret)
		return 0;
	if (ret < 0)
		return bad_word(l, &bad, e);
	ret = check_row(l, like, &tag, &en, e);
	if (ret)
		return ret;
	en.line = (uint32_t)l->line;
	return service_add_entity(to, &en, e);
}

/* Sorted, each tag once, or the error that names both lines. */
static int sort_read(struct service *s, const char *file, struct err *e)
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

/* The entities of a table file alone, in a service that has nothing else; like: settings. */
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
		ret = sort_read(to, file, e);
	if (ret)
		service_free(to);
	return ret;
}

/*
 * Moves the entities of `from` to s; both are sorted. known: the file that those of s were read
 * from, or NULL.
 */
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
	service_sort_entities(s, &twice);
	return ret;
}

/* Closes in. */
static int load_table(FILE *in, const char *file, struct service *s, const char *known,
		      struct err *e)
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
	return load_table(in, file, s, NULL, e);
}

void table_save_line(FILE *out, const struct entity *en, unsigned int tag_len)
{
	char tag[TAG_TEXT_SIZE];
	char target[TARGET_TEXT_SIZE];

	fprintf(out, "%s %s", format_tag(en->tag, tag_len, tag),
		format_target(&en->target, target));
	if (en->has_size)
		fprintf(out, " %u:%u", (unsigned int)en->size.min, (unsigned int)en->size.max);
	putc('\n', out);
}

/* ---- events ------------------------------------------------------------------------------- */

#define INDENTS 256 /* libyaml is a few lines ahead of what it speaks of */

struct reader {
	const char *file;
	struct err *e;
	struct model *m;
	yaml_parser_t parser;
	yaml_event_t event;
	FILE *in;
	uint64_t bytes; /* given to the parser */
	uint64_t line;	/* of the last byte given */
	bool line_ended;
	int read_error; /* errno */
	bool too_large;
	bool has_nul;
	char start[2];		/* the file's first bytes */
	size_t indent[INDENTS]; /* blanks that a line begins with, of the last ones, by line */
	const struct open_map *open;
};

/*
 * Gives libyaml at most one line at a time: it decodes all it was given before it asks again, so
 * an encoding error is always in line r->line.
 */
static int give(void *arg, unsigned char *buf, size_t size, size_t *given)
{
	struct reader *r = arg;
	bool begins = r->line_ended || !r->bytes;
	int c = 0;

	r->line += r->line_ended;
	if (begins)
		r->indent[r->line % INDENTS] = 0;
	for (*given = 0; *given < size && c != '\n';) {
		c = getc_unlocked(r->in);
		if (c == EOF)
			break;
		if (!c) {
			r->has_nul = true;
			return 0;
		}
		if (r->bytes + *given < sizeof(r->start))
			r->start[r->bytes + *given] = (char)c;
		if (begins && c == ' ')
			r->indent[r->line % INDENTS]++;
		else
			begins = false;
		buf[(*given)++] = (unsigned char)c;
	}
	r->line_ended = c == '\n';
	r->bytes += *given;
	r->too_large = r->bytes > FILE_MAX_BYTES;
	if (ferror(r->in))
		r->read_error = errno;
	return !r->read_error && !r->too_large;
}

static uint64_t line_of(const struct reader *r)
{
	return r->event.start_mark.line + 1;
}

#define CONFIG_PAGE "mangle.yaml(5)"
#define ONE_COLUMN "the keys of one service, and the '-' of one list, begin in one column"
#define BAD_AT(r, at, ...) fail_at((r)->e, (r)->file, (at), CONFIG_PAGE, __VA_ARGS__)
#define BAD(r, ...) BAD_AT(r, line_of(r), __VA_ARGS__)

/* Whether the problem is the first thing in its line. */
static bool begins_line(const struct reader *r)
{
	const yaml_mark_t *at = &r->parser.problem_mark;

	return at->column == r->indent[(at->line + 1) % INDENTS];
}

/* What libyaml says of the commonest mistakes leads elsewhere. */
static int bad_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "no reason given";
	uint64_t line = p->problem_mark.line + 1;

	if (strstr(problem, "tab character") ||
	    (strstr(problem, "cannot start any token") && *p->buffer.pointer == '\t'))
		return BAD_AT(r, line,
			      "indentation: there is a tab where blanks belong (YAML takes "
			      "no other indentation)");
	if (!strcmp(problem, "mapping values are not allowed in this context"))
		return BAD_AT(r, line,
			      "indentation: a key cannot stand here (" ONE_COLUMN
			      "; text that has ': ' in it is quoted)");
	if (begins_line(r) && (!strcmp(problem, "did not find expected '-' indicator") ||
			       !strcmp(problem, "did not find expected key")))
		return BAD_AT(r, line,
			      "indentation: this line fits nothing above it (" ONE_COLUMN ")");
	return BAD_AT(r, line, "this is neither YAML nor JSON: %s%s%s", problem,
		      p->context ? " " : "", p->context ? p->context : "");
}

static int bad_input(struct reader *r)
{
	if (r->read_error)
		return fail(r->e, -r->read_error, file_name(r->file), READING "%s",
			    strerror(r->read_error));
	if (r->too_large)
		return fail(r->e, -EFBIG, file_name(r->file), READING "it is larger than 1 GiB");
	if (r->has_nul && is_utf16(r->start, sizeof(r->start)))
		return BAD_AT(r, r->line, "text: this is UTF-16 (save it as UTF-8)");
	if (r->has_nul)
		return BAD_AT(r, r->line, "text: there is a NUL byte (this is not a text file)");
	if (r->parser.error == YAML_MEMORY_ERROR)
		return fail(r->e, -ENOMEM, file_name(r->file), READING "not enough memory");
	if (r->parser.error == YAML_READER_ERROR)
		return BAD_AT(r, r->line, "this is not UTF-8 text: %s", r->parser.problem);
	return bad_syntax(r);
}

static const char *anchor_of(const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT: return (const char *)ev->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT: return (const char *)ev->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT: return (const char *)ev->data.mapping_start.anchor;
	default: return NULL;
	}
}

static const char *type_tag_of(const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT: return (const char *)ev->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT: return (const char *)ev->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT: return (const char *)ev->data.mapping_start.tag;
	default: return NULL;
	}
}

static bool is_plain(const struct reader *r)
{
	return r->event.type == YAML_SCALAR_EVENT &&
	       r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->parser, &r->event))
		return bad_input(r);
	if (r->event.type == YAML_ALIAS_EVENT)
		return BAD(r, "alias: '*" ECHO "' is not taken (write out what it stands for)",
			   (const char *)r->event.data.alias.anchor);
	if (anchor_of(&r->event))
		return BAD(r, "anchor: '&" ECHO "' is not taken (leave it out, aliases too)",
			   anchor_of(&r->event));
	if (type_tag_of(&r->event))
		return BAD(r, "YAML type: '" ECHO "' is not taken (leave it out)",
			   type_tag_of(&r->event));
	if (is_plain(r) && r->event.end_mark.line > r->event.start_mark.line)
		return BAD_AT(r, line_of(r) + 1,
			      "indentation: this line goes on with the text above it (" ONE_COLUMN
			      ")");
	return 0;
}

/* ---- values ------------------------------------------------------------------------------- */

static const char *event_name(const struct reader *r)
{
	switch (r->event.type) {
	case YAML_SEQUENCE_START_EVENT: return "a list";
	case YAML_MAPPING_START_EVENT: return "a mapping";
	default: break;
	}
	return "nothing";
}

static int wrong_type(struct reader *r, const char *what, const char *wanted)
{
	const char *text = (const char *)r->event.data.scalar.value;

	if (r->event.type != YAML_SCALAR_EVENT || (!*text && is_plain(r)))
		return BAD(r, "%s: this is %s where %s belongs", what, event_name(r), wanted);
	if (!is_plain(r))
		return BAD(r,
			   "%s: '" ECHO "' is text in quotes where %s belongs (write it without)",
			   what, text, wanted);
	return BAD(r, "%s: '" ECHO "' is text where %s belongs", what, text, wanted);
}

static bool is_null(const struct reader *r, const char *s)
{
	return is_plain(r) && (!*s || !strcmp(s, "~") || !strcasecmp(s, "null"));
}

/* *out is good until the next event. */
static int read_text(struct reader *r, const char *what, const char **out)
{
	const char *s;

	if (r->event.type != YAML_SCALAR_EVENT)
		return wrong_type(r, what, "text");
	s = (const char *)r->event.data.scalar.value;
	if (is_null(r, s))
		return BAD(r, "%s: there is no value (leave the key out, or quote the text)", what);
	if (strlen(s) != r->event.data.scalar.length)
		return BAD(r, "%s: there is a NUL byte in it (write \\x00 in single quotes)", what);
	*out = s;
	return 0;
}

/* What is a number in YAML's eyes as well. */
static int read_plain(struct reader *r, const char *what, const char *wanted, const char **out)
{
	if (!is_plain(r))
		return wrong_type(r, what, wanted);
	return read_text(r, what, out);
}

static int bad_value(struct reader *r, const char *what, const char *s, const char *why)
{
	return BAD(r, "%s: '" ECHO "' %s", what, s, why);
}

static int read_number(struct reader *r, const char *what, uint64_t min, uint64_t max,
		       uint64_t *out)
{
	const char *s;
	struct why why;

	if (read_plain(r, what, "a number", &s))
		return -EINVAL;
	if (parse_number(s, min, max, out, &why))
		return bad_value(r, what, s, why.text);
	return 0;
}

static int read_u16(struct reader *r, const char *what, uint64_t min, uint16_t *out)
{
	uint64_t value = 0;
	int ret = read_number(r, what, min, 65535, &value);

	*out = (uint16_t)value;
	return ret;
}

static int read_target(struct reader *r, const char *what, struct target *out)
{
	const char *s;
	struct why why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (parse_target(s, out, &why))
		return bad_value(r, what, s, why.text);
	if (out->action == ACTION_PORT && !is_plain(r))
		return wrong_type(r, what, "a number, drop or pass");
	return 0;
}

/* ---- mappings and lists ------------------------------------------------------------------- */

struct key {
	const char *name;
	/* Reads the value to `to`; what: the key's name. */
	int (*read)(struct reader *r, const char *what, void *to);
	bool required;
	const char *alias;	       /* an older word for it; NULL: none */
	const struct setting *setting; /* of a service, by which it is read then; NULL: none */
};

#define MAX_KEYS 64
struct mapping {
	const char *what; /* it is: "service" */
	const char *form; /* "a mapping", and how it looks */
	const struct key *keys;
	unsigned int count;
};
#define MAPPING(what, form, keys) \
	{ \
		what, form, keys, sizeof(keys) / sizeof((keys)[0]) \
	}

struct one_service;
static int read_setting(struct reader *r, const struct setting *t, struct one_service *one);

static int unknown_key(struct reader *r, const struct mapping *map, const char *name)
{
	char known[256] = "";
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < map->count && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
					map->keys[i].name);
	return BAD(r, "%s: unknown key '" ECHO "' (known keys: %s)", map->what, name, known);
}

static bool is_key(const struct key *key, const char *name)
{
	return !strcmp(key->name, name) || (key->alias && !strcmp(key->alias, name));
}

static bool is_required(const struct key *key)
{
	return key->required || (key->setting && !key->setting->usual);
}

static bool has_key(const struct mapping *map, const char *name)
{
	unsigned int i;

	for (i = 0; i < map->count; i++) {
		if (is_key(&map->keys[i], name))
			return true;
	}
	return false;
}

static int find_key(struct reader *r, const struct mapping *map, unsigned int *found)
{
	const char *name;
	unsigned int i;

	if (r->event.type != YAML_SCALAR_EVENT)
		return wrong_type(r, map->what, "a key");
	if (read_text(r, map->what, &name))
		return -EINVAL;
	for (i = 0; i < map->count; i++) {
		if (is_key(&map->keys[i], name)) {
			*found = i;
			return 0;
		}
	}
	return unknown_key(r, map, name);
}

static int read_pair(struct reader *r, const struct mapping *map, void *to, uint64_t *lines)
{
	unsigned int k = 0;

	if (find_key(r, map, &k))
		return -EINVAL;
	if (lines[k])
		return BAD(r, "%s: key '%s' twice: already given in line %" PRIu64, map->what,
			   map->keys[k].name, lines[k]);
	lines[k] = line_of(r);
	if (next(r))
		return -EINVAL;
	if (map->keys[k].setting)
		return read_setting(r, map->keys[k].setting, to);
	return map->keys[k].read(r, map->keys[k].name, to);
}

/* The mappings that are being read, the innermost first. */
struct open_map {
	const struct mapping *map;
	const struct open_map *outer;
};

/*
 * A key that stands in another column has ended the mapping in libyaml's eyes. So what comes next
 * is asked: a line that fits nowhere, or a key that is known here and not where it stands.
 */
static int missing_key(struct reader *r, const struct open_map *here, uint64_t start,
		       const char *key)
{
	const struct open_map *open = here->outer;
	const char *name;

	do {
		if (next(r))
			return -EINVAL;
		if (r->event.type == YAML_MAPPING_END_EVENT && open)
			open = open->outer;
	} while (r->event.type == YAML_MAPPING_END_EVENT ||
		 r->event.type == YAML_SEQUENCE_END_EVENT);
	name = r->event.type == YAML_SCALAR_EVENT ? (const char *)r->event.data.scalar.value : "";
	if (open && has_key(here->map, name) && !has_key(open->map, name))
		return BAD(r,
			   "indentation: key '" ECHO "' of the %s in line %" PRIu64
			   " stands outside of it (its keys begin in one column)",
			   name, here->map->what, start);
	return BAD_AT(r, start, "%s: key '%s' is missing", here->map->what, key);
}

static int read_pairs(struct reader *r, const struct mapping *map, void *to, uint64_t *lines)
{
	int ret;

	while (!(ret = next(r)) && r->event.type != YAML_MAPPING_END_EVENT) {
		ret = read_pair(r, map, to, lines);
		if (ret)
			break;
	}
	return ret;
}

static int read_mapping(struct reader *r, const char *what, const struct mapping *map, void *to)
{
	const struct open_map here = {map, r->open};
	uint64_t lines[MAX_KEYS] = {0};
	uint64_t start = line_of(r);
	unsigned int k;
	int ret;

	if (r->event.type != YAML_MAPPING_START_EVENT)
		return wrong_type(r, what, map->form);
	r->open = &here;
	ret = read_pairs(r, map, to, lines);
	for (k = 0; k < map->count && !ret; k++) {
		if (is_required(&map->keys[k]) && !lines[k])
			ret = missing_key(r, &here, start, map->keys[k].name);
	}
	r->open = here.outer;
	return ret;
}

static int read_list(struct reader *r, const char *what,
		     int (*read_one)(struct reader *r, const char *what, void *to), void *to)
{
	int ret;

	if (r->event.type != YAML_SEQUENCE_START_EVENT)
		return wrong_type(r, what, "a list");
	while (!(ret = next(r)) && r->event.type != YAML_SEQUENCE_END_EVENT) {
		ret = read_one(r, what, to);
		if (ret)
			break;
	}
	return ret;
}

/* One value stands for a list of one. */
static int read_list_or_one(struct reader *r, const char *what,
			    int (*read_one)(struct reader *r, const char *what, void *to), void *to)
{
	if (r->event.type == YAML_SCALAR_EVENT &&
	    !is_null(r, (const char *)r->event.data.scalar.value))
		return read_one(r, what, to);
	return read_list(r, what, read_one, to);
}

/* ---- entities ----------------------------------------------------------------------------- */

static int read_min(struct reader *r, const char *what, void *to)
{
	return read_u16(r, what, 0, &((struct window *)to)->min);
}

static int read_max(struct reader *r, const char *what, void *to)
{
	return read_u16(r, what, 0, &((struct window *)to)->max);
}

static const struct key window_keys[] = {
	{.name = "min", .read = read_min, .required = true},
	{.name = "max", .read = read_max, .required = true},
};
static const struct mapping window_map = MAPPING("size", "a mapping like { min: 4, max: 1400 }",
						 window_keys);

static int read_window(struct reader *r, const char *what, struct window *out)
{
	uint64_t start = line_of(r);

	if (read_mapping(r, what, &window_map, out))
		return -EINVAL;
	if (out->min > out->max)
		return BAD_AT(r, start, "size: min %u is above max %u", (unsigned int)out->min,
			      (unsigned int)out->max);
	return 0;
}

struct one_entity {
	struct entity entity;
	struct tag tag;
};

static int read_entity_tag(struct reader *r, const char *what, void *to)
{
	struct one_entity *one = to;
	const char *s;
	struct why why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (parse_tag(s, &one->tag, &why))
		return bad_value(r, what, s, why.text);
	memcpy(one->entity.tag, one->tag.bytes, sizeof(one->entity.tag));
	one->entity.line = (uint32_t)line_of(r);
	return 0;
}

static int read_entity_target(struct reader *r, const char *what, void *to)
{
	return read_target(r, what, &((struct one_entity *)to)->entity.target);
}

static int read_entity_size(struct reader *r, const char *what, void *to)
{
	struct entity *en = &((struct one_entity *)to)->entity;

	en->has_size = true;
	return read_window(r, what, &en->size);
}

static const struct key entity_keys[] = {
	{.name = "tag", .read = read_entity_tag, .required = true},
	{.name = "target", .read = read_entity_target, .required = true},
	{.name = "size", .read = read_entity_size},
};
static const struct mapping entity_map = MAPPING(
	"entity", "a mapping like { tag: ABCD, target: 6001 }", entity_keys);

/* ---- a service ---------------------------------------------------------------------------- */

struct one_service {
	struct service service;
	/* The service's tag may come behind its entities: by tag length, the first that has it. */
	struct {
		uint32_t line;
		uint8_t tag[MANGLE_MAX_TAG];
	} of_length[MANGLE_MAX_TAG + 1];
	uint64_t unknown_line, table_line;
	char *table; /* entities-file */
};

static int read_name(struct reader *r, const char *what, void *to)
{
	struct one_service *one = to;
	const char *s;
	struct why why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (parse_name(s, one->service.name, &why))
		return bad_value(r, what, s, why.text);
	one->service.line = (uint32_t)line_of(r);
	return 0;
}

static int read_port(struct reader *r, const char *what, void *to)
{
	struct service *s = to;

	if (s->port_count == MANGLE_MAX_PORTS)
		return BAD(r, "%s: there are more than %d", what, MANGLE_MAX_PORTS);
	return read_u16(r, what, 1, &s->ports[s->port_count++]);
}

static int read_ports(struct reader *r, const char *what, struct service *s)
{
	uint64_t start = line_of(r);

	if (read_list_or_one(r, what, read_port, s))
		return -EINVAL;
	if (!s->port_count)
		return BAD_AT(r, start, "%s: the list is empty", what);
	return 0;
}

/* A list of prefixes that is being read. */
struct prefix_list {
	const struct setting *setting;
	struct service *service;
};

static int read_prefix(struct reader *r, const char *what, void *to)
{
	struct prefix_list *list = to;
	unsigned int *count;
	const char *text;
	struct why why;

	if (read_text(r, what, &text))
		return -EINVAL;
	setting_prefixes(list->setting, list->service, &count);
	if (*count == MANGLE_MAX_PREFIXES)
		return BAD(r, "%s: there are more than %d", what, MANGLE_MAX_PREFIXES);
	if (setting_parse(list->setting, list->service, text, &why))
		return bad_value(r, what, text, why.text);
	return 0;
}

static int read_prefixes(struct reader *r, const struct setting *t, struct service *s)
{
	struct prefix_list list = {t, s};

	return read_list_or_one(r, t->name, read_prefix, &list);
}

/* A tag's place that is being read. */
struct tag_place {
	struct service *service;
	char mask[2 * TAG_TEXT_SIZE]; /* as text: the length may come behind it; "": none */
	uint64_t mask_line;
};

static int read_tag_offset(struct reader *r, const char *what, void *to)
{
	const char *s;
	struct why why;

	if (read_plain(r, what, "a number", &s))
		return -EINVAL;
	if (parse_offset(s, &((struct tag_place *)to)->service->tag_offset, &why))
		return bad_value(r, what, s, why.text);
	return 0;
}

static int read_tag_length(struct reader *r, const char *what, void *to)
{
	uint64_t value = 0;
	int ret = read_number(r, what, 1, MANGLE_MAX_TAG, &value);

	((struct tag_place *)to)->service->tag_len = (uint8_t)value;
	return ret;
}

static int read_tag_mask(struct reader *r, const char *what, void *to)
{
	struct tag_place *place = to;
	const char *s;

	if (read_text(r, what, &s))
		return -EINVAL;
	place->mask_line = line_of(r);
	snprintf(place->mask, sizeof(place->mask), "%s", s);
	return 0;
}

static const struct key tag_keys[] = {
	{.name = "offset", .read = read_tag_offset, .required = true},
	{.name = "length", .read = read_tag_length, .required = true},
	{.name = "mask", .read = read_tag_mask},
};
static const struct mapping tag_map = MAPPING("tag", "a mapping like { offset: 0, length: 4 }",
					      tag_keys);

static int read_tag_place(struct reader *r, const char *what, struct service *s)
{
	struct tag_place place = {.service = s};
	uint64_t start = line_of(r);
	const char *wrong;
	struct why why;

	if (read_mapping(r, what, &tag_map, &place))
		return -EINVAL;
	wrong = tag_place_wrong(s->tag_offset, s->tag_len);
	if (wrong)
		return BAD_AT(r, start, "%s: the service %s", what, wrong);
	if (place.mask_line && parse_mask(place.mask, s->tag_len, s->tag_ignored, &why))
		return BAD_AT(r, place.mask_line, "mask: '" ECHO "' %s", place.mask, why.text);
	return 0;
}

static int read_word(struct reader *r, const struct setting *t, struct service *s)
{
	const char *text;
	struct why why;

	if (read_text(r, t->name, &text))
		return -EINVAL;
	if (setting_parse(t, s, text, &why))
		return bad_value(r, t->name, text, why.text);
	return 0;
}

static int read_switch(struct reader *r, const struct setting *t, struct service *s)
{
	const char *text;
	struct why why;

	if (read_plain(r, t->name, "on or off", &text))
		return -EINVAL;
	if (setting_parse(t, s, text, &why))
		return bad_value(r, t->name, text, why.text);
	return 0;
}

static int read_setting(struct reader *r, const struct setting *t, struct one_service *one)
{
	struct service *s = &one->service;
	void *member = (char *)s + t->at;

	if (t->id == SETTING_UNKNOWN)
		one->unknown_line = line_of(r);
	switch (t->kind) {
	case KIND_PORTS: return read_ports(r, t->name, s);
	case KIND_PREFIXES: return read_prefixes(r, t, s);
	case KIND_TAG: return read_tag_place(r, t->name, s);
	case KIND_WINDOW: return read_window(r, t->name, member);
	case KIND_TARGET: return read_target(r, t->name, member);
	case KIND_SWITCH: return read_switch(r, t, s);
	default: return read_word(r, t, s);
	}
}

static int read_entity(struct reader *r, const char *what, void *to)
{
	struct one_service *one = to;
	struct one_entity row = {0};

	if (read_mapping(r, what, &entity_map, &row))
		return -EINVAL;
	if (!one->of_length[row.tag.len].line) {
		one->of_length[row.tag.len].line = row.entity.line;
		memcpy(one->of_length[row.tag.len].tag, row.tag.bytes, sizeof(row.tag.bytes));
	}
	return service_add_entity(&one->service, &row.entity, r->e);
}

static int read_entities(struct reader *r, const char *what, void *to)
{
	return read_list(r, what, read_entity, to);
}

/* Relative names are relative to the configuration file; never "-", which is standard input. */
static char *beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	char *path = NULL;
	int ret;

	if (*name == '/' || (!slash && strcmp(name, "-")))
		return strdup(name);
	if (!slash)
		ret = asprintf(&path, "./%s", name);
	else
		ret = asprintf(&path, "%.*s%s", (int)(slash + 1 - file), file, name);
	return ret < 0 ? NULL : path;
}

static int read_table_name(struct reader *r, const char *what, void *to)
{
	struct one_service *one = to;
	const char *s;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (!*s)
		return BAD(r, "%s: there is no file name", what);
	one->table_line = line_of(r);
	one->table = beside(r->file, s);
	if (!one->table)
		return fail(r->e, -ENOMEM, r->file, READING "not enough memory");
	return 0;
}

static const struct key service_keys[] = {
	{.name = "name", .read = read_name, .required = true},
#define SETTING(id, kind, member, word, older, ...) \
	{.name = word, .alias = older, .setting = &settings[SETTING_##id]},
#include "model/settings.def"
#undef SETTING
	{.name = "entities", .read = read_entities},
	{.name = "entities-file", .read = read_table_name},
};
static const struct mapping service_map = MAPPING("service", "a mapping", service_keys);

static int finish_tags(struct reader *r, const struct one_service *one)
{
	char tag[TAG_TEXT_SIZE];
	unsigned int len;
	struct why why;

	for (len = 1; len <= MANGLE_MAX_TAG; len++) {
		if (len == one->service.tag_len || !one->of_length[len].line)
			continue;
		format_tag(one->of_length[len].tag, len, tag);
		tag_length_why(tag, len, one->service.name, one->service.tag_len, &why);
		return BAD_AT(r, one->of_length[len].line, "tag: '%s' %s", tag, why.text);
	}
	return 0;
}

static int finish_table(struct reader *r, struct one_service *one)
{
	FILE *in;
	int ret;

	if (!one->table)
		return 0;
	ret = open_input(one->table, &in);
	if (ret)
		return fail_at(r->e, r->file, one->table_line, NULL, "entities-file: %s: %s",
			       one->table, strerror(-ret));
	return load_table(in, one->table, &one->service, r->file, r->e);
}

/* What can only be judged once the whole service is there, but still has a line of its own. */
static int finish_entities(struct reader *r, struct one_service *one)
{
	struct service *s = &one->service;
	const char *what;
	struct why why;
	size_t i;

	if (finish_tags(r, one))
		return -EINVAL;
	if (sort_read(s, r->file, r->e))
		return -EINVAL;
	for (i = 0; i < s->entity_count; i++) {
		if (entity_fits(s, &s->entities[i], &what, &why))
			return BAD_AT(r, s->entities[i].line, "%s: %s", what, why.text);
	}
	return finish_table(r, one);
}

static int finish_service(struct reader *r, struct one_service *one)
{
	struct service *s = &one->service;
	const struct service *other = model_find(r->m, s->name);

	if (other)
		return BAD_AT(r, s->line, "service '%s' twice: already given in line %u", s->name,
			      (unsigned int)other->line);
	if (!target_allowed(s, &s->unknown))
		return BAD_AT(r, one->unknown_line,
			      "unknown: %u is outside of %u-%u, the targets of service %s",
			      (unsigned int)s->unknown.port, (unsigned int)s->targets_first,
			      (unsigned int)s->targets_last, s->name);
	if (r->m->service_count == MANGLE_MAX_SERVICES)
		return BAD_AT(r, s->line, "services: there are more than %d", MANGLE_MAX_SERVICES);
	return finish_entities(r, one);
}

static int read_service(struct reader *r, const char *what, void *to)
{
	struct one_service one = {0};
	int ret;

	(void)to;
	service_defaults(&one.service);
	ret = read_mapping(r, what, &service_map, &one);
	if (!ret)
		ret = finish_service(r, &one);
	if (!ret)
		ret = model_add(r->m, &one.service, r->e);
	service_free(&one.service);
	free(one.table);
	return ret;
}

/* ---- the file ----------------------------------------------------------------------------- */

static int read_version(struct reader *r, const char *what, void *to)
{
	uint64_t version = 0;

	(void)to;
	if (read_number(r, what, 0, UINT32_MAX, &version))
		return -EINVAL;
	if (version != 1)
		return BAD(r, "version: %" PRIu64 " is not known to this mangle (write 1)",
			   version);
	return 0;
}

static int read_services(struct reader *r, const char *what, void *to)
{
	return read_list(r, what, read_service, to);
}

static int read_flows(struct reader *r, const char *what, void *to)
{
	uint64_t flows = 0;
	int ret = read_number(r, what, MANGLE_FLOWS_MIN, MANGLE_FLOWS_MAX, &flows);

	(void)to;
	r->m->flows = (uint32_t)flows;
	return ret;
}

static const struct key file_keys[] = {
	{.name = "version", .read = read_version, .required = true},
	{.name = "flows", .read = read_flows},
	{.name = "services", .read = read_services, .required = true},
};
static const struct mapping file_map = MAPPING("configuration", "a mapping", file_keys);

static int read_document(struct reader *r)
{
	if (next(r) || next(r)) /* the stream's start, a document's */
		return -EINVAL;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return fail(r->e, -EINVAL, file_name(r->file),
			    READING "it is empty (see " CONFIG_PAGE ")");
	if (next(r) || read_mapping(r, file_map.what, &file_map, NULL) || next(r) || next(r))
		return -EINVAL;
	if (r->event.type != YAML_STREAM_END_EVENT)
		return BAD(r, "document: a second one begins here (one is taken)");
	return 0;
}

static int judge(struct reader *r)
{
	const struct service *at;
	struct why why;
	int ret = model_judge(r->m, &at, &why);

	if (!ret)
		return 0;
	if (!at)
		return fail(r->e, ret, file_name(r->file), READING "%s", why.text);
	return BAD_AT(r, at->line, "service '%s': %s", at->name, why.text);
}

/* Pipes and the like have no name to be found by later. */
static int note_file(struct reader *r)
{
	char path[PATH_MAX];
	struct stat st;

	r->m->file[0] = '\0';
	if (is_stdin(r->file) || fstat(fileno(r->in), &st) || !S_ISREG(st.st_mode))
		return 0;
	if (!realpath(r->file, path))
		return fail(r->e, -errno, r->file, READING "%s", strerror(errno));
	if (strlen(path) >= sizeof(r->m->file))
		return fail(r->e, -ENAMETOOLONG, r->file,
			    READING "its absolute path is longer than %zu bytes",
			    sizeof(r->m->file) - 1);
	strcpy(r->m->file, path);
	return 0;
}

static int read_all(struct reader *r)
{
	int ret = note_file(r);

	if (ret)
		return ret;
	if (!yaml_parser_initialize(&r->parser))
		return fail(r->e, -ENOMEM, r->file, READING "not enough memory");
	yaml_parser_set_input(&r->parser, give, r);
	ret = read_document(r);
	if (!ret)
		ret = judge(r);
	yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
	return ret;
}

int config_load(const char *file, struct model *m, struct err *e)
{
	struct reader r = {.file = file, .e = e, .m = m, .line = 1};
	int ret = open_input(file, &r.in);

	if (ret)
		return fail(e, ret, file_name(file), READING "%s", strerror(-ret));
	ret = read_all(&r);
	close_input(r.in);
	return ret;
}

/* ---- and back ----------------------------------------------------------------------------- */

static void save_ports(const struct service *s, FILE *out)
{
	for (unsigned int i = 0; i < s->port_count; i++)
		fprintf(out, "%s%u", i ? ", " : "[", (unsigned int)s->ports[i]);
	putc(']', out);
}

/* text: with commas between. */
static void save_prefixes(const char *text, FILE *out)
{
	putc('[', out);
	for (;;) {
		size_t len = strcspn(text, ",");

		fprintf(out, "'%.*s'", (int)len, text);
		if (!text[len])
			break;
		fputs(", ", out);
		text += len + 1;
	}
	putc(']', out);
}

/* In single quotes YAML knows no escape but '' for the quote itself. */
static void save_quoted(const char *text, FILE *out)
{
	putc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			putc('\'', out);
		putc(*text, out);
	}
	putc('\'', out);
}

static void save_tag(const uint8_t *tag, unsigned int len, FILE *out)
{
	char buf[TAG_TEXT_SIZE], escaped[2 * TAG_TEXT_SIZE];
	char *to = escaped;
	const char *c;

	if (!format_tag_text(tag, len, buf) || tag_has_prefix(buf)) {
		save_quoted(format_tag_hex(tag, len, buf), out);
		return;
	}
	for (c = buf; *c; c++) {
		if (*c == '\\')
			*to++ = '\\';
		*to++ = *c;
	}
	*to = '\0';
	save_quoted(escaped, out);
}

static void save_entity(const struct entity *en, unsigned int tag_len, FILE *out)
{
	char target[TARGET_TEXT_SIZE];

	fputs("      - { tag: ", out);
	save_tag(en->tag, tag_len, out);
	fprintf(out, ", target: %s", format_target(&en->target, target));
	if (en->has_size)
		fprintf(out, ", size: { min: %u, max: %u }", (unsigned int)en->size.min,
			(unsigned int)en->size.max);
	fputs(" }\n", out);
}

static void save_window(const struct window *w, FILE *out)
{
	fprintf(out, "{ min: %u, max: %u }", (unsigned int)w->min, (unsigned int)w->max);
}

static void save_tag_place(const struct service *s, FILE *out)
{
	char mask[TAG_TEXT_SIZE];

	fprintf(out, "{ offset: %d, length: %u", s->tag_offset, (unsigned int)s->tag_len);
	if (*format_mask(s->tag_ignored, s->tag_len, mask))
		fprintf(out, ", mask: '%s'", mask);
	fputs(" }", out);
}

/* Names are quoted: some, like null or -, are no text to YAML otherwise. */
static void save_setting(const struct setting *t, const struct service *s, FILE *out)
{
	const void *member = (const char *)s + t->at;
	char text[SETTING_TEXT_SIZE];

	setting_format(t, s, text);
	fprintf(out, "    %s: ", t->name);
	switch (t->kind) {
	case KIND_PORTS: save_ports(s, out); break;
	case KIND_PREFIXES: save_prefixes(text, out); break;
	case KIND_TEXT:
	case KIND_INTERFACE: save_quoted(text, out); break;
	case KIND_TAG: save_tag_place(s, out); break;
	case KIND_WINDOW: save_window(member, out); break;
	case KIND_SWITCH: fputs(setting_is_on(t, s) ? "true" : "false", out); break;
	default: fputs(text, out);
	}
	putc('\n', out);
}

static void save_service(const struct service *s, FILE *out)
{
	fprintf(out, "  - name: '%s'\n", s->name);
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (setting_is_shown(&settings[i], s))
			save_setting(&settings[i], s, out);
	if (s->entity_count)
		fputs("    entities:\n", out);
	for (size_t i = 0; i < s->entity_count; i++)
		save_entity(&s->entities[i], s->tag_len, out);
}

int config_save(const struct model *m, FILE *out)
{
	unsigned int i;

	fputs("version: 1\n", out);
	if (model_flows(m) != MANGLE_FLOWS_DEFAULT)
		fprintf(out, "flows: %u\n", (unsigned int)model_flows(m));
	fputs(m->service_count ? "services:\n" : "services: []\n", out);
	for (i = 0; i < m->service_count; i++)
		save_service(&m->services[i], out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
