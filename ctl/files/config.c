/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/check.h"
#include "model/parse.h"
#include "model/setting.h"
#include "table_file.h"
#include "yaml_reader.h"

/* ---- entities ---- */

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
	uint64_t start = yaml_line(r);

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
	char name[MANGLE_TEXT_SIZE];
};

static int read_entity_tag(struct reader *r, const char *what, void *to)
{
	struct one_entity *one = to;
	const char *s;
	struct parse_error why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (parse_tag(s, &one->tag, &why))
		return yaml_bad_value(r, what, s, why.text);
	memcpy(one->entity.tag, one->tag.bytes, sizeof(one->entity.tag));
	one->entity.line = (uint32_t)yaml_line(r);
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

static int read_entity_name(struct reader *r, const char *what, void *to)
{
	const char *s;
	struct parse_error why;

	if (read_text(r, what, &s))
		return -EINVAL;
	return parse_text(s, ((struct one_entity *)to)->name, &why)
		       ? yaml_bad_value(r, what, s, why.text)
		       : 0;
}

static const struct key entity_keys[] = {
	{.name = "tag", .read = read_entity_tag, .required = true},
	{.name = "target", .read = read_entity_target, .required = true},
	{.name = "size", .read = read_entity_size},
	{.name = "name", .read = read_entity_name},
};
static const struct mapping entity_map = MAPPING(
	"entity", "a mapping like { tag: ABCD, target: 6001 }", entity_keys);

/* ---- a service ---- */

struct one_service {
	struct service service;
	/* The service's tag may follow its entities: for each tag length, the first entity that has
	 * it. */
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
	struct parse_error why;

	if (read_text(r, what, &s))
		return -EINVAL;
	if (parse_name(s, one->service.name, &why))
		return yaml_bad_value(r, what, s, why.text);
	one->service.line = (uint32_t)yaml_line(r);
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
	uint64_t start = yaml_line(r);

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
	unsigned int count;
	const char *text;
	struct parse_error why;

	if (read_text(r, what, &text))
		return -EINVAL;
	setting_prefixes(list->setting, list->service, &count);
	if (count == MANGLE_MAX_PREFIXES)
		return BAD(r, "%s: there are more than %d", what, MANGLE_MAX_PREFIXES);
	if (setting_parse(list->setting, list->service, text, &why))
		return yaml_bad_value(r, what, text, why.text);
	return 0;
}

static int read_prefixes(struct reader *r, const struct setting *t, struct service *s)
{
	struct prefix_list list = {t, s};

	return read_list_or_one(r, t->name, read_prefix, &list);
}

/* The `tag` mapping that is being read. */
struct tag_place {
	struct service *service;
	char mask[2 * TAG_TEXT_SIZE]; /* as text, since the length may follow it; "": none */
	uint64_t mask_line;
};

static int read_tag_offset(struct reader *r, const char *what, void *to)
{
	const char *s;
	struct parse_error why;

	if (read_plain(r, what, "a number", &s))
		return -EINVAL;
	if (parse_offset(s, &((struct tag_place *)to)->service->tag_offset, &why))
		return yaml_bad_value(r, what, s, why.text);
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
	place->mask_line = yaml_line(r);
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
	uint64_t start = yaml_line(r);
	const char *wrong;
	struct parse_error why;

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
	struct parse_error why;

	if (read_text(r, t->name, &text))
		return -EINVAL;
	if (setting_parse(t, s, text, &why))
		return yaml_bad_value(r, t->name, text, why.text);
	return 0;
}

static int read_switch(struct reader *r, const struct setting *t, struct service *s)
{
	const char *text;
	struct parse_error why;

	if (read_plain(r, t->name, "on or off", &text))
		return -EINVAL;
	if (setting_parse(t, s, text, &why))
		return yaml_bad_value(r, t->name, text, why.text);
	return 0;
}

static int read_setting(struct reader *r, const void *by, void *to)
{
	const struct setting *t = by;
	struct one_service *one = to;
	struct service *s = &one->service;
	void *member = (char *)s + t->at;

	if (t->id == SETTING_UNKNOWN)
		one->unknown_line = yaml_line(r);
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
	int ret;

	if (read_mapping(r, what, &entity_map, &row))
		return -EINVAL;
	if (!one->of_length[row.tag.len].line) {
		one->of_length[row.tag.len].line = row.entity.line;
		memcpy(one->of_length[row.tag.len].tag, row.tag.bytes, sizeof(row.tag.bytes));
	}
	ret = service_add_entity(&one->service, &row.entity, r->e);
	return ret ? ret : names_add(&one->service.names, row.entity.tag, row.name, r->e);
}

static int read_entities(struct reader *r, const char *what, void *to)
{
	return read_list(r, what, read_entity, to);
}

/* Relative names are relative to the configuration file's directory; never "-", which is standard
 * input. */
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
	one->table_line = yaml_line(r);
	one->table = beside(r->file, s);
	if (!one->table)
		return fail(r->e, -ENOMEM, r->file, READING "out of memory");
	return 0;
}

static const struct key service_keys[] = {
	{.name = "name", .read = read_name, .required = true},
#define SETTING(id, kind, member, word, older, ...) \
	{.name = word, .alias = older, .read_by = read_setting, .by = &settings[SETTING_##id]},
#include "model/settings.def"
#undef SETTING
	{.name = "entities", .read = read_entities},
	{.name = "entities-file", .read = read_table_name},
};
static bool has_no_default(const void *by)
{
	return !((const struct setting *)by)->usual;
}

static const struct mapping service_map = {
	.what = "service",
	.form = "a mapping",
	.keys = service_keys,
	.count = sizeof(service_keys) / sizeof(*service_keys),
	.is_required = has_no_default,
};

static int finish_tags(struct reader *r, const struct one_service *one)
{
	char tag[TAG_TEXT_SIZE];
	unsigned int len;
	struct parse_error why;

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
	return table_merge(in, one->table, &one->service, r->file, r->e);
}

/* These checks need the whole service, but report the line of their own key. */
static int finish_entities(struct reader *r, struct one_service *one)
{
	struct service *s = &one->service;
	const char *what;
	struct parse_error why;
	size_t i;

	if (finish_tags(r, one))
		return -EINVAL;
	if (table_sort(s, r->file, r->e))
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

/* ---- the file ---- */

static int read_version(struct reader *r, const char *what, void *to)
{
	uint64_t version = 0;

	(void)to;
	if (read_number(r, what, 0, UINT32_MAX, &version))
		return -EINVAL;
	if (version != 1)
		return BAD(r, "version: %" PRIu64 " is unknown to this version of mangle (write 1)",
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
	if (yaml_next(r) || yaml_next(r)) /* the start of the stream, and of a document */
		return -EINVAL;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return fail(r->e, -EINVAL, file_name(r->file),
			    READING "it is empty (see " CONFIG_PAGE ")");
	if (yaml_next(r) || read_mapping(r, file_map.what, &file_map, NULL) || yaml_next(r) ||
	    yaml_next(r))
		return -EINVAL;
	if (r->event.type != YAML_STREAM_END_EVENT)
		return BAD(r, "document: a second document begins here (only one is allowed)");
	return 0;
}

static int validate(struct reader *r)
{
	const struct service *at;
	struct parse_error why;
	int ret = model_validate(r->m, &at, &why);

	if (!ret)
		return 0;
	if (!at)
		return fail(r->e, ret, file_name(r->file), READING "%s", why.text);
	return BAD_AT(r, at->line, "service '%s': %s", at->name, why.text);
}

/* Pipes and the like have no name by which they are found later. */
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
	ret = yaml_begin(r);
	if (ret)
		return ret;
	ret = read_document(r);
	if (!ret)
		ret = validate(r);
	yaml_end(r);
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
