/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints what has changed, or would change: in numbers, and each difference with its old value. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/diff.h"
#include "files/table_file.h"
#include "out.h"
#include "print_internal.h"

#define MAX_ENTITY_LINES 50

/* ---- numbers ---- */

/* Records "added 1, generation 8"; numbers that are 0 are left out. */
static void note_changes(struct output *out, const struct changes *c, uint64_t generation)
{
	const struct {
		const char *what;
		uint64_t n;
	} counts[] = {{"added", c->added}, {"removed", c->removed}, {"updated", c->updated}};
	char text[128];
	size_t len = 0;

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		if (counts[i].n)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %" PRIu64 ", ",
						counts[i].what, counts[i].n);
	print_made(out, "%sgeneration %" PRIu64, len ? text : "", generation);
}

static json_t *json_counts(const struct counts *n)
{
	return json_pack("{s:I,s:I,s:I}", "added", (json_int_t)n->added, "removed",
			 (json_int_t)n->removed, "updated", (json_int_t)n->updated);
}

static json_t *json_changes(const struct changes *c, bool changed, uint64_t generation)
{
	const struct counts entities = changed_entities(c);

	return json_pack("{s:b,s:I,s:I,s:I,s:I,s:o,s:o}", "changed", changed, "added",
			 (json_int_t)c->added, "removed", (json_int_t)c->removed, "updated",
			 (json_int_t)c->updated, "generation", (json_int_t)generation, "services",
			 json_counts(&c->services), "entities", json_counts(&entities));
}

/* Writes " and 2 services". */
static void text_count(struct output *out, const char **join, uint64_t n, const char *one,
		       const char *many)
{
	if (!n)
		return;
	out_text(out, "%s%" PRIu64 " %s", *join, n, n == 1 ? one : many);
	*join = " and ";
}

/* Writes "add 3 services and 5005 entities"; returns false where there is nothing to write. */
static bool text_plan(struct output *out, const char *verb, uint64_t services, uint64_t entities,
		      bool flows)
{
	const char *join = " ";

	if (!services && !entities && !flows)
		return false;
	out_text(out, "%s", verb);
	text_count(out, &join, services, "service", "services");
	text_count(out, &join, entities, "entity", "entities");
	if (flows)
		out_text(out, "%sthe flow table's size", join);
	return true;
}

/* Writes "would add 3 services and 5005 entities, remove 1 entity". */
static void text_planned(struct output *out, const struct changes *c)
{
	const struct counts entities = changed_entities(c);
	bool any;

	out_text(out, "would ");
	any = text_plan(out, "add", c->services.added, entities.added, false);
	any |= text_plan(out, any ? ", remove" : "remove", c->services.removed, entities.removed,
			 false);
	text_plan(out, any ? ", update" : "update", c->services.updated, entities.updated,
		  c->flows);
	out_end_line(out);
}

void print_changes(struct output *out, const struct changes *c, bool changed, bool planned,
		   uint64_t generation)
{
	if (changed && !planned)
		note_changes(out, c, generation);
	if (out->json)
		dump_json_line(out, json_changes(c, changed, generation));
	else if (out->quiet)
		return;
	else if (!changed)
		out_line(out, "nothing to change");
	else if (planned)
		text_planned(out, c);
	else
		out_line(out,
			 "added %" PRIu64 ", removed %" PRIu64 ", updated %" PRIu64
			 ", generation %" PRIu64,
			 c->added, c->removed, c->updated, generation);
}

/* ---- differences ---- */

#define REST_TEXT_SIZE (QUOTED_TEXT_SIZE + 24)
/* Writes what follows the target: " 20:100 name=pump". */
static const char *format_rest(const struct changed *what, char text[REST_TEXT_SIZE])
{
	const struct entity *en = what->entity;
	const char *name = names_find(&what->service->names, en->tag);
	char quoted[QUOTED_TEXT_SIZE];
	size_t len = 0;

	*text = '\0';
	if (en->has_size)
		len = (size_t)snprintf(text, REST_TEXT_SIZE, " %u:%u", en->size.min, en->size.max);
	if (*name)
		snprintf(text + len, REST_TEXT_SIZE - len, " name=%s", format_quoted(name, quoted));
	return text;
}

/* Writes "25555 20:100 -> 20002": target, window and name before and after. */
static void entity_change(struct output *out, const struct changed *old, const struct changed *new)
{
	char tag[TAG_TEXT_SIZE], was[TARGET_TEXT_SIZE], is[TARGET_TEXT_SIZE];
	char rest_was[REST_TEXT_SIZE], rest_is[REST_TEXT_SIZE];

	out_line(out, "~ %s %s  %s%s -> %s%s", new->service->name,
		 format_tag(new->entity->tag, new->service->tag_len, tag),
		 format_target(&old->entity->target, was), format_rest(old, rest_was),
		 format_target(&new->entity->target, is), format_rest(new, rest_is));
}

static void entity_line(struct output *out, char sign, const struct changed *what)
{
	out_text(out, "%c %s ", sign, what->service->name);
	table_save_line(out_raw(out), what->service, what->entity);
}

static void service_change(struct output *out, const struct service *old, const struct service *new)
{
	out_text(out, "~ service %s ", new->name);
	print_setting_changes(out, old, new);
	out_end_line(out);
}

void print_change_line(void *arg, const struct change *c)
{
	const struct changed *what = c->kind == CHANGE_REMOVED ? &c->old : &c->new;
	char sign = c->kind == CHANGE_REMOVED ? '-' : '+';
	struct change_lines *l = arg;
	struct output *out = l->out;

	if (out->json || out->quiet)
		return;
	if (what->entity && l->entities++ >= MAX_ENTITY_LINES && !l->all)
		return;
	if (!what->service)
		out_line(out, "~ flows  %" PRIu32 " -> %" PRIu32, c->old.flows, c->new.flows);
	else if (what->entity && c->kind == CHANGE_UPDATED)
		entity_change(out, &c->old, &c->new);
	else if (what->entity)
		entity_line(out, sign, what);
	else if (c->kind == CHANGE_UPDATED)
		service_change(out, c->old.service, c->new.service);
	else
		out_line(out, "%c service %s", sign, what->service->name);
}

void print_change_lines_end(const struct change_lines *l)
{
	struct output *out = l->out;

	if (out->json || out->quiet || l->all || l->entities <= MAX_ENTITY_LINES)
		return;
	out_line(out, "... and %" PRIu64 " more (--all shows them)",
		 l->entities - MAX_ENTITY_LINES);
}
