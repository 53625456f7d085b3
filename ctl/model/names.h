/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names that people give to entities, beside the entities: most have none, and a table of a
 * million is not to grow for that. A name of a tag that no entity has says nothing.
 */
#ifndef MODEL_NAMES_H
#define MODEL_NAMES_H

#include "err.h"
#include "values.h"

struct entity_name {
	uint8_t tag[MANGLE_MAX_TAG]; /* wire order, the rest 0 */
	char text[MANGLE_TEXT_SIZE]; /* 1 to 63 bytes of printable UTF-8, and NULs */
};

struct entity_names {
	struct entity_name *name; /* ascending by tag, but while names_add fills it */
	size_t count, room;
};

void names_free(struct entity_names *n);
/* Deep copy, and both end in one; -ENOMEM with e set. */
int names_copy(struct entity_names *to, const struct entity_names *from, struct err *e);
int names_append(struct entity_names *to, const struct entity_names *from, struct err *e);
/* Adds one, in any order; names_sort must follow. text "": adds none. */
int names_add(struct entity_names *n, const uint8_t *tag, const char *text, struct err *e);
void names_sort(struct entity_names *n);

/* All below want them sorted. Gives the tag this name in place of the one it had; "": none. */
int names_set(struct entity_names *n, const uint8_t *tag, const char *text, struct err *e);
/* Returns the name, or "". */
const char *names_find(const struct entity_names *n, const uint8_t *tag);
/* The same for tags that are asked for in ascending order; *at begins with 0. */
const char *names_next(const struct entity_names *n, size_t *at, const uint8_t *tag);

#endif
