/* SPDX-License-Identifier: GPL-2.0-only */
/* The fields of an entity, as entity_fields.def describes them: what they are called, their value
 * in a row, the order of rows by one of them. */
#ifndef MODEL_ENTITY_FIELD_H
#define MODEL_ENTITY_FIELD_H

#include "service.h"

/* An entity of a service with what it has counted. */
struct row {
	struct entity entity;
	uint64_t packets, bytes;
	int64_t last_seen; /* seconds since 1970 UTC, -1 never */
};

/* A row and whose it is, as it stands in lists. */
struct listed {
	const struct service *service;
	const struct row *row;
};

enum entity_field_id {
#define ENTITY_FIELD(id, ...) ENTITY_##id,
#include "entity_fields.def"
#undef ENTITY_FIELD
	ENTITY_FIELD_COUNT
};

/* What a value is; the member of struct field_value that has it. */
enum field_kind {
	FIELD_TEXT,	/* text; none where it is empty */
	FIELD_NAME,	/* text, of the entity with this tag; none where it has none */
	FIELD_TAG,	/* tag */
	FIELD_TAG_TEXT, /* tag, where all of it can be written as text */
	FIELD_TARGET,	/* target */
	FIELD_WINDOW,	/* window, payload bytes, or none */
	FIELD_COUNT,	/* count, which only grows: packets or bytes, as the field is called */
	FIELD_TIME,	/* time, seconds since 1970 UTC, or none: never */
};

enum field_align { ALIGN_LEFT, ALIGN_RIGHT, ALIGN_BRIEF_RIGHT };

struct entity_field {
	enum entity_field_id id;
	enum field_kind kind;
	size_t at; /* of the member that has the value */
	const char *json, *column, *title, *brief;
	size_t width;
	enum field_align align;
	bool of_service; /* the member is the service's, else the row's */
	bool configured, sorts;
};
extern const struct entity_field entity_fields[ENTITY_FIELD_COUNT];

struct field_value {
	enum field_kind kind;
	bool is_none;
	union {
		const char *text;
		struct tag tag;
		struct target target;
		struct window window;
		uint64_t count;
		int64_t time;
	};
};
struct field_value entity_field_value(const struct entity_field *f, const struct listed *l);

/* By the words of --columns; NULL: no column is called so. */
const struct entity_field *entity_field_find(const char *column, size_t len);

/* Order of lists, as for qsort: counters begin with the greatest and times with the latest; what is
 * equal stands by service, then by tag. */
int entity_field_compare(const struct entity_field *by, const struct listed *a,
			 const struct listed *b);

#endif
