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

#include "parse.h"

#define READING "reading configuration: "
#define LINE_MAX_BYTES 4096		   /* of a table file */
#define FILE_MAX_BYTES (UINT64_C(1) << 30) /* an endless input must end */
#define ECHO "%.64s"			   /* of what the file holds, in an error */

/* ---- files -------------------------------------------------------------------------------- */

static bool is_stdin(const char *file)
{
	return !strcmp(file, "-");
}

/* The caller closes *in with close_input. */
static int open_input(const char *file, const char *what, FILE **in, struct err *e)
{
	struct stat st;

	*in = is_stdin(file) ? stdin : fopen(file, "re");
	if (!*in)
		return fail(e, -errno, file, "%s%s", what, strerror(errno));
	if (!fstat(fileno(*in), &st) && S_ISDIR(st.st_mode)) {
		if (*in != stdin)
			fclose(*in);
		return fail(e, -EISDIR, file, "%sit is a directory", what);
	}
	return 0;
}

static void close_input(FILE *in)
{
	if (in != stdin)
		fclose(in);
}

/* Says why, with FILE:LINE as the object. */
static int __attribute__((format(printf, 4, 5)))
fail_at(struct err *e, const char *file, uint64_t line, const char *fmt, ...)
{
	char object[PATH_MAX + 24];
	char text[sizeof(e->line)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(object, sizeof(object), "%s:%" PRIu64, file, line);
	return fail(e, -EINVAL, object, "%s", text);
}

/* ---- table files -------------------------------------------------------------------------- */

#define READING_TABLE "reading entities: "

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
			return fail_at(e, l->file, l->line,
				       READING_TABLE "the line is longer than %d bytes",
				       LINE_MAX_BYTES);
		l->text[l->len++] = (char)c;
	}
	if (ferror(l->in))
		return fail(e, -errno, l->file, READING_TABLE "%s", strerror(errno));
	l->bytes += l->len + 1;
	if (l->bytes > FILE_MAX_BYTES)
		return fail(e, -EFBIG, l->file, READING_TABLE "it is larger than 1 GiB");
	return c == '\n' || l->len;
}

static int read_table_line(struct lines *l, const struct service *like, struct service *to,
			   struct err *e)
{
	struct entity en;
	const char *what;
	struct tag tag;
	struct why why;
	int ret = parse_table_line(l->text, l->len, &tag, &en, &why);

	if (!ret)
		return 0;
	if (ret < 0)
		return fail_at(e, l->file, l->line, READING_TABLE "%s", why.text);
	if (tag.len != like->tag_len)
		return fail_at(e, l->file, l->line,
			       READING_TABLE "the tag has %u bytes, the service's tags have %u",
			       (unsigned int)tag.len, (unsigned int)like->tag_len);
	if (entity_fits(like, &en, &what, &why))
		return fail_at(e, l->file, l->line, READING_TABLE "%s: %s", what, why.text);
	en.line = (uint32_t)l->line;
	return service_add_entity(to, &en, e);
}

/* Sorted, each tag once, or the error that names both lines. */
static int sort_read(struct service *s, const char *file, const char *what, struct err *e)
{
	char tag[TAG_TEXT_SIZE];
	size_t twice;

	if (!service_sort_entities(s, &twice))
		return 0;
	return fail_at(e, file, s->entities[twice].line, "%stag %s: already given in line %u", what,
		       format_tag(s->entities[twice].tag, s->tag_len, tag),
		       (unsigned int)s->entities[twice - 1].line);
}

/* The entities of a table file alone, in a service that has nothing else; like: settings. */
static int read_table(const char *file, const struct service *like, struct service *to,
		      struct err *e)
{
	struct lines l = {.file = file};
	int ret = open_input(file, READING_TABLE, &l.in, e);

	service_defaults(to);
	memcpy(to->name, like->name, sizeof(to->name));
	to->tag_len = like->tag_len;
	if (ret)
		return ret;
	while ((ret = next_line(&l, e)) > 0) {
		ret = read_table_line(&l, like, to, e);
		if (ret)
			break;
	}
	close_input(l.in);
	if (!ret)
		ret = sort_read(to, file, READING_TABLE, e);
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
			return fail_at(e, file, en->line,
				       READING_TABLE "tag %s: already given in %s:%u", text, known,
				       (unsigned int)old->line);
		return fail_at(e, file, en->line, READING_TABLE "tag %s: already there", text);
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

static int load_table(const char *file, struct service *s, const char *known, struct err *e)
{
	struct service table;
	int ret = read_table(file, s, &table, e);

	if (!ret)
		ret = merge_table(s, &table, file, known, e);
	service_free(&table);
	return ret;
}

int table_load(const char *file, struct service *s, struct err *e)
{
	size_t twice;

	service_sort_entities(s, &twice);
	return load_table(file, s, NULL, e);
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
};

/*
 * Gives libyaml at most one line at a time: it decodes all it was given before it asks again, so
 * an encoding error is always in line r->line.
 */
static int give(void *arg, unsigned char *buf, size_t size, size_t *given)
{
	struct reader *r = arg;
	int c = 0;

	r->line += r->line_ended;
	for (*given = 0; *given < size && c != '\n';) {
		c = getc_unlocked(r->in);
		if (c == EOF)
			break;
		if (!c) {
			r->has_nul = true;
			return 0;
		}
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

#define BAD_AT(r, at, ...) fail_at((r)->e, (r)->file, (at), READING __VA_ARGS__)
#define BAD(r, ...) BAD_AT(r, line_of(r), __VA_ARGS__)

static int bad_input(struct reader *r)
{
	if (r->read_error)
		return fail(r->e, -r->read_error, r->file, READING "%s", strerror(r->read_error));
	if (r->too_large)
		return fail(r->e, -EFBIG, r->file, READING "it is larger than 1 GiB");
	if (r->has_nul)
		return BAD_AT(r, r->line, "there is a NUL byte (this is not a text file)");
	if (r->parser.error == YAML_MEMORY_ERROR)
		return fail(r->e, -ENOMEM, r->file, READING "not enough memory");
	if (r->parser.error == YAML_READER_ERROR)
		return BAD_AT(r, r->line, "this is not UTF-8 text: %s", r->parser.problem);
	return BAD_AT(r, r->parser.problem_mark.line + 1, "this is neither YAML nor JSON: %s%s%s",
		      r->parser.problem ? r->parser.problem : "no reason given",
		      r->parser.context ? " " : "", r->parser.context ? r->parser.context : "");
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

static int next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->parser, &r->event))
		return bad_input(r);
	if (r->event.type == YAML_ALIAS_EVENT)
		return BAD(r, "alias '*" ECHO "' (write it out: aliases are not taken)",
			   (const char *)r->event.data.alias.anchor);
	if (anchor_of(&r->event))
		return BAD(r, "anchor '&" ECHO "' (anchors and aliases are not taken)",
			   anchor_of(&r->event));
	if (type_tag_of(&r->event))
		return BAD(r, "YAML type '" ECHO "' (types are not taken)", type_tag_of(&r->event));
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
	if (r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return "text in quotes";
	return r->event.data.scalar.length ? "text" : "nothing";
}

static int wrong_type(struct reader *r, const char *what, const char *wanted)
{
	return BAD(r, "%s: this is %s where %s belongs", what, event_name(r), wanted);
}

static bool is_plain(const struct reader *r)
{
	return r->event.type == YAML_SCALAR_EVENT &&
	       r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
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

static int read_bool(struct reader *r, const char *what, bool *out)
{
	const char *s;

	if (read_plain(r, what, "true or false", &s))
		return -EINVAL;
	*out = !strcmp(s, "true");
	if (!*out && strcmp(s, "false"))
		return bad_value(r, what, s, "is not true or false");
	return 0;
}

/* One of two words; *second says which. */
static int read_word(struct reader *r, const char *what, const char *first_word,
		     const char *second_word, bool *second)
{
	const char *s;

	if (read_text(r, what, &s))
		return -EINVAL;
	*second = !strcmp(s, second_word);
	if (!*second && strcmp(s, first_word))
		return BAD(r, "%s: '" ECHO "' is not %s or %s", what, s, first_word, second_word);
	return 0;
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
};

#define MAX_KEYS 20
struct mapping {
	const char *what; /* it is: "service" */
	const struct key *keys;
	unsigned int count;
};
#define MAPPING(what, keys) \
	{ \
		what, keys, sizeof(keys) / sizeof((keys)[0]) \
	}

static int unknown_key(struct reader *r, const struct mapping *map, const char *name)
{
	char known[256] = "";
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < map->count && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
					map->keys[i].name);
	return BAD(r, "unknown key '" ECHO "' (known keys: %s)", name, known);
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
		if (!strcmp(map->keys[i].name, name)) {
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
		return BAD(r, "key '%s' twice: already given in line %" PRIu64, map->keys[k].name,
			   lines[k]);
	lines[k] = line_of(r);
	if (next(r))
		return -EINVAL;
	return map->keys[k].read(r, map->keys[k].name, to);
}

static int read_mapping(struct reader *r, const char *what, const struct mapping *map, void *to)
{
	uint64_t lines[MAX_KEYS] = {0};
	uint64_t start = line_of(r);
	unsigned int k;
	int ret;

	if (r->event.type != YAML_MAPPING_START_EVENT)
		return wrong_type(r, what, "a mapping");
	while (!(ret = next(r)) && r->event.type != YAML_MAPPING_END_EVENT) {
		ret = read_pair(r, map, to, lines);
		if (ret)
			return ret;
	}
	for (k = 0; k < map->count && !ret; k++) {
		if (map->keys[k].required && !lines[k])
			ret = BAD_AT(r, start, "%s: key '%s' is missing", map->what,
				     map->keys[k].name);
	}
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
	{"min", read_min, true},
	{"max", read_max, true},
};
static const struct mapping window_map = MAPPING("size", window_keys);

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
	{"tag", read_entity_tag, true},
	{"target", read_entity_target, true},
	{"size", read_entity_size, false},
};
static const struct mapping entity_map = MAPPING("entity", entity_keys);

/* ---- a service ---------------------------------------------------------------------------- */

struct one_service {
	struct service service;
	/* The service's tag may come behind its entities: by tag length, the first line of an
	 * entity that has it. */
	uint32_t length_line[MANGLE_MAX_TAG + 1];
	uint64_t unknown_line;
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

static int read_protocol(struct reader *r, const char *what, void *to)
{
	const char *s;
	struct why why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (parse_protocol(s, &((struct one_service *)to)->service.protocols, &why))
		return bad_value(r, what, s, why.text);
	return 0;
}

static int read_port(struct reader *r, const char *what, void *to)
{
	struct service *s = to;

	if (s->port_count == MANGLE_MAX_PORTS)
		return BAD(r, "%s: there are more than %d", what, MANGLE_MAX_PORTS);
	return read_u16(r, what, 1, &s->ports[s->port_count++]);
}

static int read_ports(struct reader *r, const char *what, void *to)
{
	struct service *s = &((struct one_service *)to)->service;
	uint64_t start = line_of(r);

	if (read_list(r, what, read_port, s))
		return -EINVAL;
	if (!s->port_count)
		return BAD_AT(r, start, "%s: the list is empty", what);
	return 0;
}

static int read_prefix(struct reader *r, const char *what, struct prefix *all, unsigned int *count)
{
	const char *s;
	struct why why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (*count == MANGLE_MAX_PREFIXES)
		return BAD(r, "%s: there are more than %d", what, MANGLE_MAX_PREFIXES);
	if (parse_prefix(s, &all[*count], &why))
		return bad_value(r, what, s, why.text);
	++*count;
	return 0;
}

static int read_daddr(struct reader *r, const char *what, void *to)
{
	struct service *s = to;

	return read_prefix(r, what, s->daddr, &s->daddr_count);
}

static int read_saddr(struct reader *r, const char *what, void *to)
{
	struct service *s = to;

	return read_prefix(r, what, s->saddr, &s->saddr_count);
}

static int read_daddrs(struct reader *r, const char *what, void *to)
{
	return read_list(r, what, read_daddr, &((struct one_service *)to)->service);
}

static int read_saddrs(struct reader *r, const char *what, void *to)
{
	return read_list(r, what, read_saddr, &((struct one_service *)to)->service);
}

static int read_interface(struct reader *r, const char *what, void *to)
{
	const char *s;
	struct why why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (parse_ifname(s, ((struct one_service *)to)->service.ifname, &why))
		return bad_value(r, what, s, why.text);
	return 0;
}

static int read_tag_offset(struct reader *r, const char *what, void *to)
{
	const char *s;
	struct why why;

	if (read_plain(r, what, "a number", &s))
		return -EINVAL;
	if (parse_offset(s, &((struct service *)to)->tag_offset, &why))
		return bad_value(r, what, s, why.text);
	return 0;
}

static int read_tag_length(struct reader *r, const char *what, void *to)
{
	uint64_t value = 0;
	int ret = read_number(r, what, 1, MANGLE_MAX_TAG, &value);

	((struct service *)to)->tag_len = (uint8_t)value;
	return ret;
}

static const struct key tag_keys[] = {
	{"offset", read_tag_offset, true},
	{"length", read_tag_length, true},
};
static const struct mapping tag_map = MAPPING("tag", tag_keys);

static int read_tag_place(struct reader *r, const char *what, void *to)
{
	struct service *s = &((struct one_service *)to)->service;
	uint64_t start = line_of(r);
	const char *wrong;

	if (read_mapping(r, what, &tag_map, s))
		return -EINVAL;
	wrong = tag_place_wrong(s->tag_offset, s->tag_len);
	if (wrong)
		return BAD_AT(r, start, "%s: the service %s", what, wrong);
	return 0;
}

static int read_size(struct reader *r, const char *what, void *to)
{
	return read_window(r, what, &((struct one_service *)to)->service.size);
}

static int read_invalid(struct reader *r, const char *what, void *to)
{
	bool drop = false;
	int ret = read_word(r, what, "pass", "drop", &drop);

	((struct one_service *)to)->service.invalid = drop ? ACTION_DROP : ACTION_PASS;
	return ret;
}

static int read_unknown(struct reader *r, const char *what, void *to)
{
	struct one_service *one = to;

	one->unknown_line = line_of(r);
	return read_target(r, what, &one->service.unknown);
}

static int read_tcp(struct reader *r, const char *what, void *to)
{
	bool segment = false;
	int ret = read_word(r, what, "connection", "segment", &segment);

	((struct one_service *)to)->service.tcp_mode = segment ? TCP_MODE_SEGMENT
							       : TCP_MODE_CONNECTION;
	return ret;
}

static int read_reply(struct reader *r, const char *what, void *to)
{
	return read_bool(r, what, &((struct one_service *)to)->service.reply);
}

static int read_action(struct reader *r, const char *what, void *to)
{
	return read_word(r, what, "enforce", "observe",
			 &((struct one_service *)to)->service.observe);
}

static int read_targets(struct reader *r, const char *what, void *to)
{
	struct service *s = &((struct one_service *)to)->service;
	const char *text;
	struct why why;

	if (read_text(r, what, &text))
		return -EINVAL;
	if (parse_targets(text, &s->targets_first, &s->targets_last, &why))
		return bad_value(r, what, text, why.text);
	return 0;
}

static int read_entity(struct reader *r, const char *what, void *to)
{
	struct one_service *one = to;
	struct one_entity row = {0};

	if (read_mapping(r, what, &entity_map, &row))
		return -EINVAL;
	if (!one->length_line[row.tag.len])
		one->length_line[row.tag.len] = row.entity.line;
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
	one->table = beside(r->file, s);
	if (!one->table)
		return fail(r->e, -ENOMEM, r->file, READING "not enough memory");
	return 0;
}

static const struct key service_keys[] = {
	{"name", read_name, true},	    {"protocol", read_protocol, true},
	{"ports", read_ports, true},	    {"daddr", read_daddrs, false},
	{"saddr", read_saddrs, false},	    {"interface", read_interface, false},
	{"tag", read_tag_place, true},	    {"size", read_size, true},
	{"invalid", read_invalid, false},   {"unknown", read_unknown, false},
	{"tcp", read_tcp, false},	    {"reply", read_reply, false},
	{"action", read_action, false},	    {"targets", read_targets, false},
	{"entities", read_entities, false}, {"entities-file", read_table_name, false},
};
static const struct mapping service_map = MAPPING("service", service_keys);

/* What can only be judged once the whole service is there, but still has a line of its own. */
static int finish_entities(struct reader *r, struct one_service *one)
{
	struct service *s = &one->service;
	const char *what;
	unsigned int len;
	struct why why;
	size_t i;

	for (len = 1; len <= MANGLE_MAX_TAG; len++) {
		if (len != s->tag_len && one->length_line[len])
			return BAD_AT(r, one->length_line[len],
				      "the tag has %u bytes, the service's tags have %u", len,
				      (unsigned int)s->tag_len);
	}
	if (sort_read(s, r->file, READING, r->e))
		return -EINVAL;
	for (i = 0; i < s->entity_count; i++) {
		if (entity_fits(s, &s->entities[i], &what, &why))
			return BAD_AT(r, s->entities[i].line, "%s: %s", what, why.text);
	}
	return one->table ? load_table(one->table, s, r->file, r->e) : 0;
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
		return BAD_AT(r, s->line, "there are more than %d services", MANGLE_MAX_SERVICES);
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
		return BAD(r, "version %" PRIu64 " is not known to this mangle (1 is)", version);
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
	{"version", read_version, true},
	{"flows", read_flows, false},
	{"services", read_services, true},
};
static const struct mapping file_map = MAPPING("configuration", file_keys);

static int read_document(struct reader *r)
{
	if (next(r) || next(r)) /* the stream's start, a document's */
		return -EINVAL;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return fail(r->e, -EINVAL, r->file, READING "it is empty");
	if (next(r) || read_mapping(r, file_map.what, &file_map, NULL) || next(r) || next(r))
		return -EINVAL;
	if (r->event.type != YAML_STREAM_END_EVENT)
		return BAD(r, "a second document begins here (one is taken)");
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
		return fail(r->e, ret, r->file, READING "%s", why.text);
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
	int ret = open_input(file, READING, &r.in, e);

	if (ret)
		return ret;
	ret = read_all(&r);
	close_input(r.in);
	return ret;
}

/* ---- and back ----------------------------------------------------------------------------- */

static void save_ports(const struct service *s, FILE *out)
{
	unsigned int i;

	fputs("    ports: [", out);
	for (i = 0; i < s->port_count; i++)
		fprintf(out, "%s%u", i ? ", " : "", (unsigned int)s->ports[i]);
	fputs("]\n", out);
}

static void save_prefixes(const char *key, const struct prefix *p, unsigned int count, FILE *out)
{
	char buf[PREFIX_TEXT_SIZE];
	unsigned int i;

	if (!count)
		return;
	fprintf(out, "    %s: [", key);
	for (i = 0; i < count; i++)
		fprintf(out, "%s'%s'", i ? ", " : "", format_prefix(&p[i], buf));
	fputs("]\n", out);
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

/* Names are quoted: some, like null or -, are no text to YAML otherwise. */
static void save_service(const struct service *s, FILE *out)
{
	char target[TARGET_TEXT_SIZE];
	size_t i;

	fprintf(out, "  - name: '%s'\n    protocol: %s\n", s->name, format_protocol(s->protocols));
	save_ports(s, out);
	save_prefixes("daddr", s->daddr, s->daddr_count, out);
	save_prefixes("saddr", s->saddr, s->saddr_count, out);
	if (s->ifname[0]) {
		fputs("    interface: ", out);
		save_quoted(s->ifname, out);
		putc('\n', out);
	}
	fprintf(out, "    tag: { offset: %d, length: %u }\n", s->tag_offset,
		(unsigned int)s->tag_len);
	fprintf(out, "    size: { min: %u, max: %u }\n", (unsigned int)s->size.min,
		(unsigned int)s->size.max);
	fprintf(out, "    invalid: %s\n", s->invalid == ACTION_DROP ? "drop" : "pass");
	fprintf(out, "    unknown: %s\n", format_target(&s->unknown, target));
	if (s->protocols & MANGLE_PROTO_TCP || s->tcp_mode != TCP_MODE_CONNECTION)
		fprintf(out, "    tcp: %s\n",
			s->tcp_mode == TCP_MODE_SEGMENT ? "segment" : "connection");
	if (s->reply)
		fputs("    reply: true\n", out);
	fprintf(out, "    action: %s\n", s->observe ? "observe" : "enforce");
	if (s->targets_first)
		fprintf(out, "    targets: %u-%u\n", (unsigned int)s->targets_first,
			(unsigned int)s->targets_last);
	if (s->entity_count)
		fputs("    entities:\n", out);
	for (i = 0; i < s->entity_count; i++)
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
