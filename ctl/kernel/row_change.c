/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/diff.h"
#include "entity_names.h"
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

/* A row with its name. */
struct named_row {
	struct entity entity;
	char name[MANGLE_TEXT_SIZE]; /* "": none */
};

#define ROW_TEXT_SIZE (TARGET_TEXT_SIZE + QUOTED_TEXT_SIZE + 24)
static const char *format_row(const struct named_row *row, char text[ROW_TEXT_SIZE])
{
	const struct entity *en = &row->entity;
	char target[TARGET_TEXT_SIZE], name[QUOTED_TEXT_SIZE];
	size_t len = (size_t)snprintf(text, ROW_TEXT_SIZE, "%s",
				      format_target(&en->target, target));

	if (en->has_size)
		len += (size_t)snprintf(text + len, ROW_TEXT_SIZE - len, " %u:%u", en->size.min,
					en->size.max);
	if (*row->name)
		snprintf(text + len, ROW_TEXT_SIZE - len, " name=%s",
			 format_quoted(row->name, name));
	return text;
}

/* Writes "map set telemetry ABCD -> 6002 (was 6001)"; old and new: NULL where there is no row. */
static void describe_row(struct store *s, uint32_t index, const struct named_row *old,
			 const struct named_row *new)
{
	const struct mangle_config *c = store_config(s);
	const struct named_row *row = new ? new : old;
	char tag[TAG_TEXT_SIZE], was[ROW_TEXT_SIZE], is[ROW_TEXT_SIZE];

	store_describe(s, "map %s %s %s%s%s%s%s%s", new ? "set" : "del", c->info[index].name,
		       format_tag(row->entity.tag, c->service[index].tag_len, tag),
		       new ? " -> " : "", new ? format_row(new, is) : "", old ? " (was " : "",
		       old ? format_row(old, was) : "", old ? ")" : "");
}

/* Applies `to` to a row, which is the present one, or empty except for its tag. */
static void set_row(struct named_row *row, const struct row_setting *to)
{
	row->entity.target = to->entity.target;
	if (to->set_size) {
		row->entity.has_size = to->entity.has_size;
		row->entity.size = to->entity.size;
	}
	if (to->name)
		snprintf(row->name, sizeof(row->name), "%s", to->name);
}

static bool same_row(const struct named_row *a, const struct named_row *b)
{
	return entity_same(&a->entity, &b->entity) && !strcmp(a->name, b->name);
}

/* Reads the running state with all entities of one service, which is *svc. */
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

static int add_row(struct service *svc, const struct named_row *row, struct err *e)
{
	size_t twice;
	int err = service_add_entity(svc, &row->entity, e);

	service_sort_entities(svc, &twice);
	return err ? err : names_set(&svc->names, row->entity.tag, row->name, e);
}

/* The table has no room for the row, so it is rebuilt with the row in it. */
static int grow(struct store *s, uint32_t index, const struct named_row *row, struct err *e)
{
	struct plan *plans = NULL;
	struct service *svc;
	struct model m;
	int err;

	model_init(&m);
	err = read_to_change(s, index, &m, &svc, e);
	if (!err)
		err = add_row(svc, row, e);
	if (err)
		goto out;
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

/* Returns whether targets of this service, or the new target in others, take part in replies. */
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

/* Finds a row of a model. Returns it, or NULL where there is none; *row has its tag in any case. */
static struct entity *find_row(const struct service *svc, const uint8_t *tag, struct named_row *row)
{
	struct tag key = {.len = svc->tag_len};
	struct entity *en;

	memcpy(key.bytes, tag, sizeof(key.bytes));
	*row = (struct named_row){0};
	memcpy(row->entity.tag, tag, sizeof(row->entity.tag));
	en = service_find_entity(svc, &key);
	if (!en)
		return NULL;
	row->entity = *en;
	snprintf(row->name, sizeof(row->name), "%s", names_find(&svc->names, tag));
	return en;
}

/* Not in place: config.target changes with the row, and must be validated. */
static int set_row_anew(struct store *s, uint32_t index, const struct row_setting *to,
			struct changes *c, struct err *e)
{
	struct named_row old, new;
	struct service *svc;
	struct entity *now;
	struct model m;
	int err;

	model_init(&m);
	err = read_to_change(s, index, &m, &svc, e);
	if (err)
		goto out;
	now = find_row(svc, to->entity.tag, &old);
	new = old;
	set_row(&new, to);
	describe_row(s, index, now ? &old : NULL, &new);
	if (now) {
		*now = new.entity;
		err = names_set(&svc->names, to->entity.tag, new.name, e);
	} else {
		err = add_row(svc, &new, e);
	}
	if (!err)
		err = publish_checked(s, &m, c, e);
out:
	model_free(&m);
	return err;
}

/* Returns 1 deleted, 0 there was none. */
static int del_row_anew(struct store *s, uint32_t index, const struct tag *tag, struct err *e)
{
	struct entity *now = NULL;
	struct named_row old;
	struct service *svc;
	struct changes c;
	struct model m;
	int ret;

	model_init(&m);
	ret = read_to_change(s, index, &m, &svc, e);
	if (!ret)
		now = find_row(svc, tag->bytes, &old);
	if (now) {
		size_t behind = (size_t)(svc->entities + svc->entity_count - (now + 1));

		describe_row(s, index, &old, NULL);
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

/* A row that is changed in place. */
struct in_place {
	uint32_t index;
	struct inner in;
	struct table t;
	struct table_place at;
	bool claimed; /* the tag has a slot, with or without a row */
	bool there;
	struct named_row old;
};

static int open_in_place(struct store *s, const char *service, const uint8_t *tag,
			 struct in_place *p, struct err *e)
{
	int err;

	*p = (struct in_place){.in.fd = -1};
	memcpy(p->old.entity.tag, tag, sizeof(p->old.entity.tag));
	err = store_table_row(s, service, tag, &p->index, &p->in, &p->t, e);
	if (err)
		return err;
	p->claimed = table_find(&p->t, tag, &p->at);
	p->there = p->claimed && table_value(&p->t, p->at);
	if (!p->there)
		return 0;
	entity_from_value(table_value(&p->t, p->at), &p->old.entity);
	err = entity_names_get(s, p->index, tag, p->old.name, e);
	if (err)
		inner_close(&p->in);
	return err;
}

/* The name is written before the row: see entity_names.h. A new row takes over no name that was
 * left. */
static int write_row(struct store *s, struct in_place *p, const struct named_row *new,
		     struct err *e)
{
	const uint8_t *tag = new->entity.tag;
	int err = 0;

	running_set_dirty(s, true);
	if (!p->claimed && table_claim(&p->t, tag, &p->at))
		return grow(s, p->index, new, e);
	if (!p->there || strcmp(p->old.name, new->name))
		err = entity_names_set(s, p->index, tag, new->name, e);
	if (err) {
		running_set_dirty(s, false);
		return err;
	}
	table_store(&p->t, p->at, entity_value(&new->entity));
	done_in_place(s);
	return 0;
}

int store_set_row(struct store *s, const char *service, const struct row_setting *to,
		  struct changes *c, struct err *e)
{
	struct named_row new;
	struct in_place p;
	int err;

	memset(c, 0, sizeof(*c));
	err = open_in_place(s, service, to->entity.tag, &p, e);
	if (err)
		return err;
	if (replies_depend(s, p.index, &to->entity.target)) {
		inner_close(&p.in);
		return set_row_anew(s, p.index, to, c, e);
	}
	new = p.old;
	set_row(&new, to);
	if (!p.there || !same_row(&p.old, &new)) {
		c->updated = p.there;
		c->added = !p.there;
		describe_row(s, p.index, p.there ? &p.old : NULL, &new);
		err = write_row(s, &p, &new, e);
		if (!err)
			store_log(s, c, "map set");
	}
	inner_close(&p.in);
	return err;
}

int store_del_row(struct store *s, const char *service, const struct tag *tag, struct err *e)
{
	const struct changes c = {.removed = 1};
	struct err ignored;
	struct in_place p;
	int err = open_in_place(s, service, tag->bytes, &p, e);

	if (err)
		return err;
	if (p.there && replies_depend(s, p.index, NULL)) {
		inner_close(&p.in);
		return del_row_anew(s, p.index, tag, e);
	}
	if (p.there) {
		describe_row(s, p.index, &p.old, NULL);
		running_set_dirty(s, true);
		table_store(&p.t, p.at, 0);
		/* A name that stays does no harm, and is removed when its row is added again. */
		entity_names_set(s, p.index, tag->bytes, "", &ignored);
		done_in_place(s);
		store_log(s, &c, "map del");
	}
	inner_close(&p.in);
	return p.there;
}
