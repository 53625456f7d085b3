/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/diff.h"
#include "inner.h"
#include "journal.h"
#include "model/parse.h"
#include "plan.h"
#include "publish.h"
#include "row_change.h"
#include "running.h"
#include "services.h"
#include "state.h"
#include "table.h"
#include "table_map.h"

static const char *format_row(const struct entity *en, char text[32])
{
	char target[TARGET_TEXT_SIZE];
	size_t len = (size_t)snprintf(text, 32, "%s", format_target(&en->target, target));

	if (en->has_size)
		snprintf(text + len, 32 - len, " %u:%u", en->size.min, en->size.max);
	return text;
}

/* "map set telemetry ABCD -> 6002 (was 6001)"; old and new: NULL where there is none. */
static void describe_row(struct store *s, uint32_t index, const struct entity *old,
			 const struct entity *new)
{
	const struct mangle_config *c = store_config(s);
	const struct entity *en = new ? new : old;
	char tag[TAG_TEXT_SIZE], was[32], is[32];

	store_describe(s, "map %s %s %s%s%s%s%s%s", new ? "set" : "del", c->info[index].name,
		       format_tag(en->tag, c->service[index].tag_len, tag), new ? " -> " : "",
		       new ? format_row(new, is) : "", old ? " (was " : "",
		       old ? format_row(old, was) : "", old ? ")" : "");
}

/* The running state with all entities of one service, which is *svc. */
static int read_to_change(struct store *s, uint32_t index, struct model *m, struct service **svc,
			  struct err *e)
{
	int err = store_read(s, m, false, e);

	if (err)
		return err;
	*svc = &m->services[index];
	service_free(*svc);
	err = store_read_service(s, store_config(s)->info[index].name, *svc, e);
	(*svc)->changed = true;
	return err;
}

/* The table has no room for it: build it anew, with the row in it. */
static int grow(struct store *s, uint32_t index, const struct entity *en, struct err *e)
{
	struct plan *plans = NULL;
	struct service *svc;
	struct model m;
	size_t twice;
	int err;

	model_init(&m);
	err = read_to_change(s, index, &m, &svc, e);
	if (!err)
		err = service_add_entity(svc, en, e);
	if (err)
		goto out;
	service_sort_entities(svc, &twice);
	plans = calloc(m.service_count, sizeof(*plans));
	if (!plans) {
		err = fail(e, -ENOMEM, svc->name, "building its table: out of memory");
		goto out;
	}
	for (uint32_t i = 0; i < m.service_count; i++)
		plans[i] = (struct plan){.before = (int)i, .new_table = i == index, .table.fd = -1};
	err = publish_plans(s, &m, plans, e);
out:
	free(plans);
	model_free(&m);
	return err;
}

/* Do targets of this service, or of others the one desired, have a part in replies? */
static bool replies_depend(const struct store *s, uint32_t index, const struct target *desired)
{
	const struct mangle_config *c = store_config(s);
	const struct mangle_service *svc = &c->service[index];

	if (svc->connection || svc->reply)
		return true;
	return svc->protocols & MANGLE_PROTO_UDP && desired && desired->action == ACTION_PORT &&
	       MANGLE_TARGET_SHARED(c->target[desired->port]);
}

static int publish_checked(struct store *s, struct model *m, struct changes *c, struct err *e)
{
	int err = store_check(s, m, e);

	return err ? err : store_publish(s, m, c, e);
}

/* Not in place: config.target changes with the row, and has to be judged. */
static int set_row_anew(struct store *s, uint32_t index, const struct entity *en, bool set_size,
			struct changes *c, struct err *e)
{
	struct tag tag = {.len = store_config(s)->service[index].tag_len};
	struct service *svc;
	struct entity *now;
	struct model m;
	size_t twice;
	int err;

	memcpy(tag.bytes, en->tag, sizeof(tag.bytes));
	model_init(&m);
	err = read_to_change(s, index, &m, &svc, e);
	now = err ? NULL : service_find_entity(svc, &tag);
	if (now) {
		const struct entity old = *now;

		now->target = en->target;
		if (set_size) {
			now->has_size = en->has_size;
			now->size = en->size;
		}
		describe_row(s, index, &old, now);
	} else if (!err) {
		struct entity added = *en;

		added.has_size &= set_size;
		if (!added.has_size)
			added.size = (struct window){0, 0};
		describe_row(s, index, NULL, &added);
		err = service_add_entity(svc, &added, e);
		if (!err)
			service_sort_entities(svc, &twice);
	}
	if (!err)
		err = publish_checked(s, &m, c, e);
	model_free(&m);
	return err;
}

/* 1 deleted, 0 was not there. */
static int del_row_anew(struct store *s, uint32_t index, const struct tag *tag, struct err *e)
{
	struct entity *now = NULL;
	struct service *svc;
	struct changes c;
	struct model m;
	int ret;

	model_init(&m);
	ret = read_to_change(s, index, &m, &svc, e);
	if (!ret)
		now = service_find_entity(svc, tag);
	if (now) {
		size_t behind = (size_t)(svc->entities + svc->entity_count - (now + 1));

		describe_row(s, index, now, NULL);
		memmove(now, now + 1, behind * sizeof(*now));
		svc->entity_count--;
		ret = publish_checked(s, &m, &c, e);
		ret = ret ? ret : 1;
	}
	model_free(&m);
	return ret;
}

static void done_in_place(struct store *s)
{
	store_config(s)->generation++;
	running_set_dirty(s, false);
}

int store_set_row(struct store *s, const char *service, const struct entity *en, bool set_size,
		  struct changes *c, struct err *e)
{
	struct inner in = {.fd = -1};
	struct entity desired = *en, now = {0};
	struct table_place at;
	struct table t;
	uint32_t index;
	bool found;
	int err;

	memset(c, 0, sizeof(*c));
	err = store_table_row(s, service, en->tag, &index, &in, &t, e);
	if (err)
		return err;
	if (replies_depend(s, index, &en->target)) {
		inner_close(&in);
		return set_row_anew(s, index, en, set_size, c, e);
	}
	found = table_find(&t, en->tag, &at);
	if (found && table_value(&t, at)) {
		memcpy(now.tag, en->tag, sizeof(now.tag));
		entity_from_value(table_value(&t, at), &now);
		if (!set_size) {
			desired.has_size = now.has_size;
			desired.size = now.size;
		}
		if (entity_value(&desired) == table_value(&t, at)) {
			inner_close(&in);
			return 0;
		}
		c->updated = 1;
	} else {
		c->added = 1;
	}
	if (!set_size && c->added) {
		desired.has_size = false;
		desired.size = (struct window){0, 0};
	}
	describe_row(s, index, c->updated ? &now : NULL, &desired);
	running_set_dirty(s, true);
	if (!found)
		err = table_claim(&t, desired.tag, &at);
	if (err == -ENOSPC) {
		inner_close(&in);
		err = grow(s, index, &desired, e);
	} else {
		table_store(&t, at, entity_value(&desired));
		inner_close(&in);
		done_in_place(s);
	}
	if (!err)
		store_log(s, c, "map set");
	return err;
}

int store_del_row(struct store *s, const char *service, const struct tag *tag, struct err *e)
{
	const struct changes c = {.removed = 1};
	struct inner in = {.fd = -1};
	struct table_place at;
	struct table t;
	uint32_t index;
	int found;
	int err;

	err = store_table_row(s, service, tag->bytes, &index, &in, &t, e);
	if (err)
		return err;
	found = table_find(&t, tag->bytes, &at) && table_value(&t, at);
	if (found && replies_depend(s, index, NULL)) {
		inner_close(&in);
		return del_row_anew(s, index, tag, e);
	}
	if (found) {
		struct entity old = {0};

		memcpy(old.tag, tag->bytes, sizeof(old.tag));
		entity_from_value(table_value(&t, at), &old);
		describe_row(s, index, &old, NULL);
		running_set_dirty(s, true);
		table_store(&t, at, 0);
		done_in_place(s);
	}
	inner_close(&in);
	if (found)
		store_log(s, &c, "map del");
	return found;
}
