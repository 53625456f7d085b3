/* SPDX-License-Identifier: GPL-2.0-only */
#include "service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SORT_BY_BYTES 100 /* entities; fewer are sorted faster by comparing them */

void service_free(struct service *s)
{
	free(s->entities);
	s->entities = NULL;
	s->entity_count = 0;
	s->entity_room = 0;
	names_free(&s->names);
}

int service_copy(struct service *to, const struct service *from, struct err *e)
{
	int err;

	*to = *from;
	to->entities = NULL;
	to->entity_count = to->entity_room = 0;
	err = names_copy(&to->names, &from->names, e);
	if (err || !from->entity_count)
		return err;
	to->entity_room = to->entity_count = from->entity_count;
	to->entities = malloc(from->entity_count * sizeof(*to->entities));
	if (!to->entities)
		return fail(e, -ENOMEM, from->name, "storing it: out of memory");
	memcpy(to->entities, from->entities, from->entity_count * sizeof(*to->entities));
	return 0;
}

void service_move_entities(struct service *to, struct service *from)
{
	service_free(to);
	to->entities = from->entities;
	to->entity_count = from->entity_count;
	to->entity_room = from->entity_room;
	to->names = from->names;
	from->entities = NULL;
	from->names = (struct entity_names){0};
	service_free(from);
}

int service_add_entity(struct service *s, const struct entity *en, struct err *e)
{
	size_t room = s->entity_room ? 2 * s->entity_room : 16;
	struct entity *entities;

	if (s->entity_count == s->entity_room) {
		entities = realloc(s->entities, room * sizeof(*entities));
		if (!entities)
			return fail(e, -ENOMEM, s->name, "storing it: out of memory");
		s->entities = entities;
		s->entity_room = room;
	}
	s->entities[s->entity_count++] = *en;
	return 0;
}

static int compare_tags(const void *a, const void *b)
{
	return memcmp(((const struct entity *)a)->tag, ((const struct entity *)b)->tag,
		      MANGLE_MAX_TAG);
}

static int compare_entities(const void *a, const void *b)
{
	const struct entity *x = a, *y = b;
	int order = compare_tags(x, y);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

/*
 * By one byte after the other, the last first, each time in the order they have. Bytes that all
 * tags have in common cost nothing. A million takes a third of qsort's time.
 */
static void sort_by_bytes(struct entity *entities, struct entity *spare, size_t n)
{
	uint32_t count[MANGLE_MAX_TAG][256] = {0};
	struct entity *from = entities, *to = spare, *other;

	for (size_t i = 0; i < n; i++)
		for (int byte = 0; byte < MANGLE_MAX_TAG; byte++)
			count[byte][entities[i].tag[byte]]++;
	for (int byte = MANGLE_MAX_TAG - 1; byte >= 0; byte--) {
		size_t place[256], sum = 0;

		if (count[byte][entities[0].tag[byte]] == n)
			continue;
		for (int value = 0; value < 256; value++) {
			place[value] = sum;
			sum += count[byte][value];
		}
		for (size_t i = 0; i < n; i++)
			to[place[from[i].tag[byte]]++] = from[i];
		other = from;
		from = to;
		to = other;
	}
	if (from != entities)
		memcpy(entities, from, n * sizeof(*entities));
}

int service_sort_entities(struct service *s, size_t *twice)
{
	struct entity *spare = NULL;

	names_sort(&s->names);
	if (s->entity_count < 2)
		return 0;
	if (s->entity_count >= SORT_BY_BYTES)
		spare = malloc(s->entity_count * sizeof(*spare));
	if (spare)
		sort_by_bytes(s->entities, spare, s->entity_count);
	else
		qsort(s->entities, s->entity_count, sizeof(*s->entities), compare_tags);
	free(spare);
	for (size_t i = 1; i < s->entity_count; i++) {
		if (compare_tags(&s->entities[i - 1], &s->entities[i]))
			continue;
		/* Only now their lines matter. */
		qsort(s->entities, s->entity_count, sizeof(*s->entities), compare_entities);
		*twice = i;
		return -EEXIST;
	}
	return 0;
}

struct entity *service_find_entity(const struct service *s, const struct tag *tag)
{
	struct entity key = {0};

	if (!s->entity_count || tag->len != s->tag_len)
		return NULL;
	memcpy(key.tag, tag->bytes, sizeof(key.tag));
	return bsearch(&key, s->entities, s->entity_count, sizeof(key), compare_tags);
}

bool service_has_connections(const struct service *s)
{
	return !s->disabled && s->protocols & MANGLE_PROTO_TCP &&
	       s->tcp_mode == TCP_MODE_CONNECTION;
}

bool service_has_replies(const struct service *s)
{
	return !s->disabled && s->reply;
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(a->addr, b->addr, sizeof(a->addr));
	return order ? order : (a->len > b->len) - (a->len < b->len);
}
