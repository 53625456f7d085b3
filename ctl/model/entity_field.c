/* SPDX-License-Identifier: GPL-2.0-only */
#include "entity_field.h"

#include <string.h>

#include "parse.h"

const struct entity_field entity_fields[ENTITY_FIELD_COUNT] = {
#define OF_service true
#define OF_row false
#define ENTITY_FIELD(id, kind, of, member, json, column, title, brief, width, align, configured, \
		     sorts) \
	{ENTITY_##id, FIELD_##kind, offsetof(struct of, member), \
	 json,	      column,	    title, \
	 brief,	      width,	    ALIGN_##align, \
	 OF_##of,     configured,   sorts},
#include "entity_fields.def"
#undef ENTITY_FIELD
#undef OF_row
#undef OF_service
};

static struct field_value tag_value(const struct listed *l, bool as_text)
{
	struct field_value v = {.tag = {.len = l->service->tag_len}};
	char text[TAG_TEXT_SIZE];

	memcpy(v.tag.bytes, l->row->entity.tag, sizeof(v.tag.bytes));
	v.is_none = as_text && !format_tag_text(v.tag.bytes, v.tag.len, text);
	return v;
}

struct field_value entity_field_value(const struct entity_field *f, const struct listed *l)
{
	const void *base = f->of_service ? (const void *)l->service : (const void *)l->row;
	const void *at = (const char *)base + f->at;
	struct field_value v = {.text = NULL};

	switch (f->kind) {
	case FIELD_TEXT:
		v.text = at;
		v.is_none = !*v.text;
		break;
	case FIELD_NAME:
		v.text = names_find(&l->service->names, at);
		v.is_none = !*v.text;
		break;
	case FIELD_TAG:
	case FIELD_TAG_TEXT: v = tag_value(l, f->kind == FIELD_TAG_TEXT); break;
	case FIELD_TARGET: v.target = *(const struct target *)at; break;
	case FIELD_WINDOW:
		v.window = *(const struct window *)at;
		v.is_none = !l->row->entity.has_size;
		break;
	case FIELD_COUNT: v.count = *(const uint64_t *)at; break;
	case FIELD_TIME:
		v.time = *(const int64_t *)at;
		v.is_none = v.time < 0;
		break;
	}
	v.kind = f->kind;
	return v;
}

const struct entity_field *entity_field_find(const char *column, size_t len)
{
	for (const struct entity_field *f = entity_fields; f < entity_fields + ENTITY_FIELD_COUNT;
	     f++)
		if (f->column && strlen(f->column) == len && !strncmp(f->column, column, len))
			return f;
	return NULL;
}

/* ---- order ---- */

/* Ports, then drop and pass. */
static int compare_targets(const struct target *a, const struct target *b)
{
	if (a->action != b->action)
		return a->action == ACTION_PORT ? -1
		       : b->action == ACTION_PORT
			       ? 1
			       : (a->action > b->action) - (a->action < b->action);
	return (a->port > b->port) - (a->port < b->port);
}

static int compare_values(const struct field_value *a, const struct field_value *b)
{
	switch (a->kind) {
	case FIELD_TARGET: return compare_targets(&a->target, &b->target);
	case FIELD_COUNT: return (a->count < b->count) - (a->count > b->count);
	case FIELD_TIME: return (a->time < b->time) - (a->time > b->time);
	default: return 0; /* by service and tag alone */
	}
}

int entity_field_compare(const struct entity_field *by, const struct listed *a,
			 const struct listed *b)
{
	const struct field_value x = entity_field_value(by, a), y = entity_field_value(by, b);
	int order = compare_values(&x, &y);

	if (!order)
		order = strcmp(a->service->name, b->service->name);
	return order ? order
		     : memcmp(a->row->entity.tag, b->row->entity.tag, sizeof(a->row->entity.tag));
}
