/* SPDX-License-Identifier: GPL-2.0-only */
#include "yaml_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "model/parse.h"

/* Gives libyaml at most one line at a time: it decodes all input before it asks for more, so an
 * encoding error is always in line r->line. */
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

uint64_t yaml_line(const struct reader *r)
{
	return r->event.start_mark.line + 1;
}

/* Returns whether the problem is the first thing in its line. */
static bool begins_line(const struct reader *r)
{
	const yaml_mark_t *at = &r->parser.problem_mark;

	return at->column == r->indent[(at->line + 1) % INDENTS];
}

/* libyaml's texts for the commonest mistakes are misleading: these replace them. */
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
		return fail(r->e, -ENOMEM, file_name(r->file), READING "out of memory");
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

bool yaml_is_plain(const struct reader *r)
{
	return r->event.type == YAML_SCALAR_EVENT &&
	       r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

int yaml_next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->parser, &r->event))
		return bad_input(r);
	if (r->event.type == YAML_ALIAS_EVENT)
		return BAD(r, "alias: '*" ECHO "' is not supported (write out what it stands for)",
			   (const char *)r->event.data.alias.anchor);
	if (anchor_of(&r->event))
		return BAD(r, "anchor: '&" ECHO "' is not supported (leave it out, aliases too)",
			   anchor_of(&r->event));
	if (type_tag_of(&r->event))
		return BAD(r, "YAML type: '" ECHO "' is not supported (leave it out)",
			   type_tag_of(&r->event));
	if (yaml_is_plain(r) && r->event.end_mark.line > r->event.start_mark.line)
		return BAD_AT(r, yaml_line(r) + 1,
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

int yaml_wrong_type(struct reader *r, const char *what, const char *wanted)
{
	const char *text = (const char *)r->event.data.scalar.value;

	if (r->event.type != YAML_SCALAR_EVENT || (!*text && yaml_is_plain(r)))
		return BAD(r, "%s: this is %s where %s belongs", what, event_name(r), wanted);
	if (!yaml_is_plain(r))
		return BAD(r,
			   "%s: '" ECHO "' is text in quotes where %s belongs (write it without)",
			   what, text, wanted);
	return BAD(r, "%s: '" ECHO "' is text where %s belongs", what, text, wanted);
}

bool yaml_is_null(const struct reader *r, const char *s)
{
	return yaml_is_plain(r) && (!*s || !strcmp(s, "~") || !strcasecmp(s, "null"));
}

/* *out is valid until the next event. */
int read_text(struct reader *r, const char *what, const char **out)
{
	const char *s;

	if (r->event.type != YAML_SCALAR_EVENT)
		return yaml_wrong_type(r, what, "text");
	s = (const char *)r->event.data.scalar.value;
	if (yaml_is_null(r, s))
		return BAD(r, "%s: there is no value (leave the key out, or quote the text)", what);
	if (strlen(s) != r->event.data.scalar.length)
		return BAD(r, "%s: there is a NUL byte in it (write \\x00 in single quotes)", what);
	*out = s;
	return 0;
}

/* Returns whether YAML takes the text for a number. */
int read_plain(struct reader *r, const char *what, const char *wanted, const char **out)
{
	if (!yaml_is_plain(r))
		return yaml_wrong_type(r, what, wanted);
	return read_text(r, what, out);
}

int yaml_bad_value(struct reader *r, const char *what, const char *s, const char *why)
{
	return BAD(r, "%s: '" ECHO "' %s", what, s, why);
}

int read_number(struct reader *r, const char *what, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *s;
	struct parse_error why;

	if (read_plain(r, what, "a number", &s))
		return -EINVAL;
	if (parse_number(s, min, max, out, &why))
		return yaml_bad_value(r, what, s, why.text);
	return 0;
}

int read_u16(struct reader *r, const char *what, uint64_t min, uint16_t *out)
{
	uint64_t value = 0;
	int ret = read_number(r, what, min, 65535, &value);

	*out = (uint16_t)value;
	return ret;
}

int read_target(struct reader *r, const char *what, struct target *out)
{
	const char *s;
	struct parse_error why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (parse_target(s, out, &why))
		return yaml_bad_value(r, what, s, why.text);
	if (out->action == ACTION_PORT && !yaml_is_plain(r))
		return yaml_wrong_type(r, what, "a number, drop or pass");
	return 0;
}

/* ---- mappings and lists ------------------------------------------------------------------- */

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

static bool is_required(const struct mapping *map, const struct key *key)
{
	return key->required || (key->by && map->is_required(key->by));
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
		return yaml_wrong_type(r, map->what, "a key");
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
	lines[k] = yaml_line(r);
	if (yaml_next(r))
		return -EINVAL;
	if (map->keys[k].read_by)
		return map->keys[k].read_by(r, map->keys[k].by, to);
	return map->keys[k].read(r, map->keys[k].name, to);
}

/* The mappings that are being read, the innermost first. */
struct open_map {
	const struct mapping *map;
	const struct open_map *outer;
};

/* libyaml takes a key in another column for the end of the mapping. So the next event is checked:
 * is it a line that fits nowhere, or a known key in the wrong place? */
static int missing_key(struct reader *r, const struct open_map *here, uint64_t start,
		       const char *key)
{
	const struct open_map *open = here->outer;
	const char *name;

	do {
		if (yaml_next(r))
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

	while (!(ret = yaml_next(r)) && r->event.type != YAML_MAPPING_END_EVENT) {
		ret = read_pair(r, map, to, lines);
		if (ret)
			break;
	}
	return ret;
}

int read_mapping(struct reader *r, const char *what, const struct mapping *map, void *to)
{
	const struct open_map here = {map, r->open};
	uint64_t lines[MAX_KEYS] = {0};
	uint64_t start = yaml_line(r);
	unsigned int k;
	int ret;

	if (r->event.type != YAML_MAPPING_START_EVENT)
		return yaml_wrong_type(r, what, map->form);
	r->open = &here;
	ret = read_pairs(r, map, to, lines);
	for (k = 0; k < map->count && !ret; k++) {
		if (is_required(map, &map->keys[k]) && !lines[k])
			ret = missing_key(r, &here, start, map->keys[k].name);
	}
	r->open = here.outer;
	return ret;
}

int read_list(struct reader *r, const char *what,
	      int (*read_one)(struct reader *r, const char *what, void *to), void *to)
{
	int ret;

	if (r->event.type != YAML_SEQUENCE_START_EVENT)
		return yaml_wrong_type(r, what, "a list");
	while (!(ret = yaml_next(r)) && r->event.type != YAML_SEQUENCE_END_EVENT) {
		ret = read_one(r, what, to);
		if (ret)
			break;
	}
	return ret;
}

/* One value may stand for a list of one. */
int read_list_or_one(struct reader *r, const char *what,
		     int (*read_one)(struct reader *r, const char *what, void *to), void *to)
{
	if (r->event.type == YAML_SCALAR_EVENT &&
	    !yaml_is_null(r, (const char *)r->event.data.scalar.value))
		return read_one(r, what, to);
	return read_list(r, what, read_one, to);
}

int yaml_begin(struct reader *r)
{
	if (!yaml_parser_initialize(&r->parser))
		return fail(r->e, -ENOMEM, r->file, READING "out of memory");
	yaml_parser_set_input(&r->parser, give, r);
	return 0;
}

void yaml_end(struct reader *r)
{
	yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
}
