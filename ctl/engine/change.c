/* SPDX-License-Identifier: GPL-2.0-only */
#include "change.h"
#include "model/setting.h"
#include "model/diff.h"
#include "model/check.h"

#include <errno.h>
#include <string.h>

#include "kernel/journal.h"
#include "kernel/needs.h"
#include "kernel/publish.h"
#include "kernel/row_change.h"
#include "kernel/rows.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "kernel/tc_programs.h"
#include "advice_change.h"
#include "connections.h"
#include "stale.h"

/* ---- before ---- */

static void begin(const struct store *s, struct change_result *r)
{
	*r = (struct change_result){.generation = s ? store_generation(s) : 0};
}

static int check_generation(const struct change_options *o, const struct change_result *r,
			    struct err *e)
{
	if (!o->expect || o->expect == r->generation)
		return 0;
	return fail(
		e, -ESTALE, o->name,
		"changing generation %llu: the running generation is %llu now (read the state again, see status)",
		(unsigned long long)o->expect, (unsigned long long)r->generation);
}

static bool any_change(const struct changes *c)
{
	return c->added || c->removed || c->updated;
}

/* A conflict is reported at the services that the change brings, not at those that run already. */
static void mark_changed(const struct model *from, struct model *to)
{
	for (unsigned int i = 0; i < to->service_count; i++) {
		struct service *s = &to->services[i];
		const struct service *old = model_find(from, s->name);

		s->changed = !old || !service_same_settings(old, s) ||
			     (old->keep_entities && !s->keep_entities) ||
			     !service_same_entities(old, s);
	}
}

static int validate(struct store *s, const struct model *from, struct model *to, struct err *e)
{
	int err = s ? store_check(s, to, e) : model_check(to, e);

	/* The kernel has proved already that it can do what runs. */
	if (!err && !prog_needs(from).in)
		err = prog_can(to, e);
	return err;
}

/* Where nothing is loaded there are no connections, and no store to search for them. */
static int guard(struct store *s, const struct model *from, const struct model *to,
		 const struct change_options *o, struct err *e)
{
	int err;

	if (!s || o->force)
		return 0;
	err = check_taken(s, from, to, e);
	return err ? err : check_cut(s, from, to, e);
}

/* ---- a whole state ---- */

static void describe(struct store *s, const struct change_options *o)
{
	store_describe(s, "%s%s%s%s", o->name, o->argument ? " " : "",
		       o->argument ? o->argument : "", o->more ? " ..." : "");
}

static int publish(struct store *s, const struct model *from, const struct model *to,
		   const struct change_options *o, struct changes *c, struct err *e)
{
	const struct prog_needs were = prog_needs(from), are = prog_needs(to);
	struct err ignored;
	int err = prune_for_change(s, from, to, o->force, e);

	/* The tc programs that old or new services need are attached before the change; those that
	 * only the old ones needed are detached after it. */
	if (!err)
		err = tc_programs_set(
			s, (struct prog_needs){were.in || are.in, were.out || are.out}, e);
	if (err)
		return err;
	describe(s, o);
	err = store_publish(s, to, c, e);
	/* A program that could not be detached finds nothing to do, and the next change
	 * detaches it. */
	tc_programs_set(s, err ? were : are, &ignored);
	return err;
}

int change_apply(struct store *s, const struct model *from, struct model *to,
		 const struct change_options *o, struct change_result *r, struct err *e)
{
	uint64_t before;
	int err;

	begin(s, r);
	before = r->generation;
	mark_changed(from, to);
	warn_about_change(&r->warnings, s, from, to);
	err = check_generation(o, r, e);
	if (!err)
		err = validate(s, from, to, e);
	if (!err)
		err = guard(s, from, to, o, e);
	if (err)
		return err;
	if (o->check) {
		model_diff(from, to, &r->changes, NULL, NULL);
		r->changed = any_change(&r->changes);
		return 0;
	}
	err = publish(s, from, to, o, &r->changes, e);
	r->generation = store_generation(s);
	r->changed = r->generation != before;
	return err;
}

/* ---- one entity ---- */

static void warn_about_set(struct warnings *w, struct store *s, const struct model *m,
			   const struct service *svc, const struct entity *en)
{
	struct table_sizes sizes;
	struct entity other;
	struct err why;
	int twice = store_table_sizes(s, svc->name, &sizes, &why);

	if (!twice && sizes.entities <= MANY_TARGETS)
		twice = store_same_target(s, svc->name, en, &other, &why);
	if (twice < 0)
		add_warning(w, "%s: cannot tell whether another entity has the same target: %s",
			    svc->name, why.line);
	warn_about_row(w, m, svc, en, twice > 0 ? &other : NULL);
}

static void end(struct store *s, struct change_result *r)
{
	r->changed = any_change(&r->changes);
	r->generation = store_generation(s);
}

int change_set_entity(struct store *s, const struct model *m, const struct service *svc,
		      const struct row_setting *to, const struct change_options *o,
		      struct change_result *r, struct err *e)
{
	int err;

	begin(s, r);
	err = check_generation(o, r, e);
	if (!err)
		err = store_set_row(s, svc->name, to, &r->changes, e);
	if (err)
		return err;
	end(s, r);
	if (r->changed)
		warn_about_set(&r->warnings, s, m, svc, &to->entity);
	return 0;
}

int change_del_entity(struct store *s, const struct service *svc, const struct tag *tag,
		      const struct change_options *o, struct change_result *r, struct err *e)
{
	int found;

	begin(s, r);
	found = check_generation(o, r, e);
	if (!found)
		found = store_del_row(s, svc->name, tag, e);
	if (found < 0)
		return found;
	r->changes.removed = (uint64_t)found;
	end(s, r);
	return found;
}

void change_result_free(struct change_result *r)
{
	free_warnings(&r->warnings);
}
