/* SPDX-License-Identifier: GPL-2.0-only */
#include "diff.h"

#include <string.h>

#include "setting.h"

static bool same_target(const struct target *a, const struct target *b)
{
	return a->action == b->action && a->port == b->port;
}

static bool same_window(const struct window *a, const struct window *b)
{
	return a->min == b->min && a->max == b->max;
}

bool entity_same(const struct entity *a, const struct entity *b)
{
	return !memcmp(a->tag, b->tag, sizeof(a->tag)) && same_target(&a->target, &b->target) &&
	       a->has_size == b->has_size && (!a->has_size || same_window(&a->size, &b->size));
}

/* Of the entities that a has, and b too. */
static bool same_names(const struct service *a, const struct service *b)
{
	size_t at = 0, bt = 0;

	if (!a->names.count && !b->names.count)
		return true;
	for (size_t i = 0; i < a->entity_count; i++) {
		const uint8_t *tag = a->entities[i].tag;

		if (strcmp(names_next(&a->names, &at, tag), names_next(&b->names, &bt, tag)))
			return false;
	}
	return true;
}

bool service_same_entities(const struct service *a, const struct service *b)
{
	if (a->keep_entities || b->keep_entities)
		return true;
	if (a->entity_count != b->entity_count)
		return false;
	for (size_t i = 0; i < a->entity_count; i++)
		if (memcmp(a->entities[i].tag, b->entities[i].tag, MANGLE_MAX_TAG) ||
		    !entity_same(&a->entities[i], &b->entities[i]))
			return false;
	return same_names(a, b);
}

struct diff {
	struct changes *c;
	change_fn each;
	void *arg;
};

static void count(struct counts *c, enum change_kind kind)
{
	switch (kind) {
	case CHANGE_ADDED: c->added++; break;
	case CHANGE_REMOVED: c->removed++; break;
	case CHANGE_UPDATED: c->updated++; break;
	}
}

static void tell(struct diff *d, struct changed old, struct changed new)
{
	const struct change change = {
		.kind = old.service   ? new.service ? CHANGE_UPDATED : CHANGE_REMOVED
			: new.service ? CHANGE_ADDED
				      : CHANGE_UPDATED,
		.old = old,
		.new = new,
	};
	struct counts all = {d->c->added, d->c->removed, d->c->updated};

	count(&all, change.kind);
	d->c->added = all.added;
	d->c->removed = all.removed;
	d->c->updated = all.updated;
	if ((old.service || new.service) && !old.entity && !new.entity)
		count(&d->c->services, change.kind);
	if (d->each)
		d->each(d->arg, &change);
}

struct counts changed_entities(const struct changes *c)
{
	return (struct counts){
		.added = c->added - c->services.added,
		.removed = c->removed - c->services.removed,
		.updated = c->updated - c->services.updated - c->flows,
	};
}

/* A service, and an entity where one is meant; NULL: neither. */
static struct changed thing(const struct service *s, const struct entity *en)
{
	return (struct changed){.service = s, .entity = en};
}

/* The service and its entities have come, or have gone. */
static void diff_all(struct diff *d, const struct service *s, bool come)
{
	const struct changed none = thing(NULL, NULL);

	for (size_t i = 0; i <= s->entity_count; i++) {
		struct changed it = thing(s, i ? &s->entities[i - 1] : NULL);

		tell(d, come ? none : it, come ? it : none);
	}
}

static void diff_entities(struct diff *d, const struct service *from, const struct service *to)
{
	/* Tags of another length are other tags, also where the bytes behind them are 0. */
	bool other_tags = from->tag_len != to->tag_len;
	const struct changed none = thing(NULL, NULL);
	size_t i = 0, j = 0, at = 0, bt = 0;

	while (i < from->entity_count || j < to->entity_count) {
		const struct entity *old = i < from->entity_count ? &from->entities[i] : NULL;
		const struct entity *new = j < to->entity_count ? &to->entities[j] : NULL;
		int order = !old ? 1 : !new ? -1 : memcmp(old->tag, new->tag, MANGLE_MAX_TAG);

		if (!order && other_tags)
			order = -1;
		if (order < 0)
			tell(d, thing(from, old), none);
		else if (order > 0)
			tell(d, none, thing(to, new));
		else if (!entity_same(old, new) || strcmp(names_next(&from->names, &at, old->tag),
							  names_next(&to->names, &bt, new->tag)))
			tell(d, thing(from, old), thing(to, new));
		i += order <= 0;
		j += order >= 0;
	}
}

static void diff_service(struct diff *d, const struct service *from, const struct service *to)
{
	if (!service_same_settings(from, to))
		tell(d, thing(from, NULL), thing(to, NULL));
	if (!from->keep_entities && !to->keep_entities)
		diff_entities(d, from, to);
}

void model_diff(const struct model *from, const struct model *to, struct changes *c, change_fn each,
		void *arg)
{
	const struct changed old_flows = {.flows = model_flows(from)};
	const struct changed new_flows = {.flows = model_flows(to)};
	struct diff d = {.c = c, .each = each, .arg = arg};
	unsigned int i = 0, j = 0;

	memset(c, 0, sizeof(*c));
	c->flows = old_flows.flows != new_flows.flows;
	if (c->flows)
		tell(&d, old_flows, new_flows);
	while (i < from->service_count || j < to->service_count) {
		const struct service *old = i < from->service_count ? &from->services[i] : NULL;
		const struct service *new = j < to->service_count ? &to->services[j] : NULL;
		int order = !old ? 1 : !new ? -1 : strcmp(old->name, new->name);

		if (order < 0)
			diff_all(&d, old, false);
		else if (order > 0)
			diff_all(&d, new, true);
		else
			diff_service(&d, old, new);
		i += order <= 0;
		j += order >= 0;
	}
}
