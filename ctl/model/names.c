/* SPDX-License-Identifier: GPL-2.0-only */
#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
	return memcmp(((const struct entity_name *)a)->tag, ((const struct entity_name *)b)->tag,
		      MANGLE_MAX_TAG);
}

void names_free(struct entity_names *n)
{
	free(n->name);
	*n = (struct entity_names){0};
}

static int reserve(struct entity_names *n, size_t more, struct err *e)
{
	size_t room = n->room ? n->room : 16;
	struct entity_name *name;

	while (room < n->count + more)
		room *= 2;
	if (room == n->room)
		return 0;
	name = realloc(n->name, room * sizeof(*name));
	if (!name)
		return fail(e, -ENOMEM, "names", "holding them: not enough memory");
	n->name = name;
	n->room = room;
	return 0;
}

int names_copy(struct entity_names *to, const struct entity_names *from, struct err *e)
{
	*to = (struct entity_names){0};
	return names_append(to, from, e);
}

int names_append(struct entity_names *to, const struct entity_names *from, struct err *e)
{
	int err = from->count ? reserve(to, from->count, e) : 0;

	if (err || !from->count)
		return err;
	memcpy(&to->name[to->count], from->name, from->count * sizeof(*from->name));
	to->count += from->count;
	return 0;
}

static void fill(struct entity_name *name, const uint8_t *tag, const char *text)
{
	memset(name, 0, sizeof(*name));
	memcpy(name->tag, tag, sizeof(name->tag));
	memcpy(name->text, text, strnlen(text, sizeof(name->text) - 1));
}

int names_add(struct entity_names *n, const uint8_t *tag, const char *text, struct err *e)
{
	int err = *text ? reserve(n, 1, e) : 0;

	if (!err && *text)
		fill(&n->name[n->count++], tag, text);
	return err;
}

void names_sort(struct entity_names *n)
{
	size_t i = 1;

	while (i < n->count && compare_names(&n->name[i - 1], &n->name[i]) < 0)
		i++;
	if (i < n->count)
		qsort(n->name, n->count, sizeof(*n->name), compare_names);
}

/* Returns the place of the first name whose tag is not before this one, from `low` on. */
static size_t place_of(const struct entity_names *n, size_t low, const uint8_t *tag)
{
	size_t high = n->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(n->name[middle].tag, tag, MANGLE_MAX_TAG) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct entity_names *n, size_t at, const uint8_t *tag)
{
	return at < n->count && !memcmp(n->name[at].tag, tag, MANGLE_MAX_TAG);
}

int names_set(struct entity_names *n, const uint8_t *tag, const char *text, struct err *e)
{
	size_t at = place_of(n, 0, tag);
	bool there = is_at(n, at, tag);
	struct entity_name *name;
	int err;

	if (!there && !*text)
		return 0;
	err = there ? 0 : reserve(n, 1, e);
	if (err)
		return err;
	name = &n->name[at];
	if (!*text) {
		n->count--;
		memmove(name, name + 1, (n->count - at) * sizeof(*name));
		return 0;
	}
	if (!there)
		memmove(name + 1, name, (n->count++ - at) * sizeof(*name));
	fill(name, tag, text);
	return 0;
}

const char *names_find(const struct entity_names *n, const uint8_t *tag)
{
	size_t at = place_of(n, 0, tag);

	return is_at(n, at, tag) ? n->name[at].text : "";
}

const char *names_next(const struct entity_names *n, size_t *at, const uint8_t *tag)
{
	while (*at < n->count && memcmp(n->name[*at].tag, tag, MANGLE_MAX_TAG) < 0)
		++*at;
	return is_at(n, *at, tag) ? n->name[*at].text : "";
}
