/* SPDX-License-Identifier: GPL-2.0-only */
#include "advice_change.h"
#include "kernel/rows.h"
#include "model/parse.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is odd in the tables ---- */

/* The entities of one service that share a warning: the first of them, and how many they are. */
struct odd {
	const struct entity *first;
	size_t count;
};

static void add_odd(struct odd *o, const struct entity *en)
{
	if (!o->count++)
		o->first = en;
}

#define MORE_TEXT_SIZE 48
static const char *more_text(size_t count, char buf[MORE_TEXT_SIZE])
{
	*buf = '\0';
	if (count > 1)
		snprintf(buf, MORE_TEXT_SIZE, " (and %zu more like it)", count - 1);
	return buf;
}

static bool sticks_out(const struct service *s, const struct entity *en)
{
	return en->has_size && (en->size.min < s->size.min || en->size.max > s->size.max);
}

static void warn_about_windows(struct warnings *w, const struct service *s)
{
	char tag[TAG_TEXT_SIZE], more[MORE_TEXT_SIZE];
	struct odd o = {0};

	for (size_t i = 0; i < s->entity_count; i++)
		if (sticks_out(s, &s->entities[i]))
			add_odd(&o, &s->entities[i]);
	if (o.count)
		add_warning(
			w,
			"service %s: size %u:%u of %s is partly outside the service's %u:%u: packets outside that are invalid%s",
			s->name, o.first->size.min, o.first->size.max,
			format_tag(o.first->tag, s->tag_len, tag), s->size.min, s->size.max,
			more_text(o.count, more));
}

static bool has_port(const struct service *s, uint16_t port)
{
	for (unsigned int i = 0; i < s->port_count; i++)
		if (s->ports[i] == port)
			return true;
	return false;
}

/* The shared ports of all services, indexed by port: a table may have a million targets to
 * look up. */
struct shared {
	const struct model *m;
	uint8_t protocols[65536]; /* by port */
};

static void note_shared(struct shared *shared, const struct model *m)
{
	memset(shared, 0, sizeof(*shared));
	shared->m = m;
	for (unsigned int i = 0; i < m->service_count; i++)
		for (unsigned int k = 0; k < m->services[i].port_count; k++)
			shared->protocols[m->services[i].ports[k]] |= m->services[i].protocols;
}

/* Returns the service whose shared port the target is, s before any other; NULL where none
 * has it. */
static const struct service *shared_by(const struct shared *shared, const struct service *s,
				       const struct target *t)
{
	const struct model *m = shared->m;

	if (t->action != ACTION_PORT || !(shared->protocols[t->port] & s->protocols))
		return NULL;
	if (has_port(s, t->port))
		return s;
	for (unsigned int i = 0; i < m->service_count; i++)
		if (m->services[i].protocols & s->protocols && has_port(&m->services[i], t->port))
			return &m->services[i];
	return NULL;
}

/* whose: what has the target, "ABCD" or "unknown tags". */
static void say_shared(struct warnings *w, const struct service *s, const struct service *by,
		       uint16_t port, const char *whose, size_t count)
{
	char more[MORE_TEXT_SIZE];

	if (by == s)
		add_warning(
			w,
			"service %s: target %u of %s is its own shared port: packets stay there as with pass, and count as rewritten%s",
			s->name, port, whose, more_text(count, more));
	else
		add_warning(
			w,
			"service %s: target %u of %s is the shared port of service %s, which does not match these packets%s%s",
			s->name, port, whose, by->name,
			s->reply && by->protocols & MANGLE_PROTO_UDP
				? "; datagrams sent from it get another shared port"
				: "",
			more_text(count, more));
}

/* own: warn of targets that are the service's own shared port, else of those of another's. */
static void warn_about_shared(struct warnings *w, const struct shared *shared,
			      const struct service *s, bool own)
{
	const struct service *first = NULL;
	char tag[TAG_TEXT_SIZE];
	struct odd o = {0};

	for (size_t i = 0; i < s->entity_count; i++) {
		const struct service *by = shared_by(shared, s, &s->entities[i].target);

		if (!by || (by == s) != own)
			continue;
		add_odd(&o, &s->entities[i]);
		first = first ? first : by;
	}
	if (first)
		say_shared(w, s, first, o.first->target.port,
			   format_tag(o.first->tag, s->tag_len, tag), o.count);
}

static void warn_about_unknown(struct warnings *w, const struct shared *shared,
			       const struct service *s)
{
	const struct service *by = shared_by(shared, s, &s->unknown);

	if (by)
		say_shared(w, s, by, s->unknown.port, "unknown tags", 1);
}

static void say_twice(struct warnings *w, const struct service *s, const struct entity *a,
		      const struct entity *b, size_t count)
{
	char one[TAG_TEXT_SIZE], other[TAG_TEXT_SIZE], more[MORE_TEXT_SIZE];

	add_warning(w, "service %s: %s has target %u, which %s has too%s", s->name,
		    format_tag(b->tag, s->tag_len, one), a->target.port,
		    format_tag(a->tag, s->tag_len, other), more_text(count, more));
}

static void warn_about_twice_used(struct warnings *w, const struct service *s)
{
	const struct entity **owner = calloc(65536, sizeof(*owner));
	const struct entity *a = NULL;
	struct odd o = {0};

	for (size_t i = 0; i < s->entity_count && owner; i++) {
		const struct entity *en = &s->entities[i];

		/* Targets that are the service's own shared port have a warning already. */
		if (en->target.action != ACTION_PORT || has_port(s, en->target.port))
			continue;
		if (!owner[en->target.port]) {
			owner[en->target.port] = en;
			continue;
		}
		a = a ? a : owner[en->target.port];
		add_odd(&o, en);
	}
	if (a)
		say_twice(w, s, a, o.first, o.count);
	free(owner);
}

void warn_about_tables(struct warnings *w, const struct model *m)
{
	struct shared shared;

	note_shared(&shared, m);
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];

		warn_about_windows(w, s);
		warn_about_unknown(w, &shared, s);
		warn_about_shared(w, &shared, s, true);
		warn_about_shared(w, &shared, s, false);
		if (s->entity_count <= MANY_TARGETS)
			warn_about_twice_used(w, s);
	}
}

/* ---- what a change brings ---- */

static bool names_interface(const struct model *m)
{
	for (unsigned int i = 0; i < m->service_count; i++)
		if (*m->services[i].ifname)
			return true;
	return false;
}

static void warn_about_all(struct warnings *w, const struct model *m, const struct attachment *a,
			   size_t count)
{
	warn_about_services(w, m);
	warn_about_tables(w, m);
	if (any_attached(a, count)) {
		warn_about_places(w, m, a, count);
		return;
	}
	for (unsigned int i = 0; i < m->service_count; i++)
		if (*m->services[i].ifname && !if_nametoindex(m->services[i].ifname))
			add_warning(
				w,
				"service %s: interface %s does not exist here: no packet matches until mangle is attached to an interface of that name",
				m->services[i].name, m->services[i].ifname);
}

static bool says(const struct warnings *w, const char *text)
{
	for (size_t i = 0; i < w->count; i++)
		if (!strcmp(w->note[i].text, text))
			return true;
	return false;
}

void warn_about_change(struct warnings *w, struct store *s, const struct model *from,
		       const struct model *to)
{
	struct warnings before = {0}, after = {0};
	struct attachment *a = NULL;
	struct err ignored;
	size_t count = 0;

	if (s && names_interface(to) && read_attachments(s, &a, &count, &ignored))
		count = 0;
	warn_about_all(&before, from, a, count);
	warn_about_all(&after, to, a, count);
	for (size_t i = 0; i < after.count; i++)
		if (!says(&before, after.note[i].text))
			add_warning(w, "%s", after.note[i].text);
	free_warnings(&before);
	free_warnings(&after);
	free(a);
}

void warn_about_row(struct warnings *w, const struct model *m, const struct service *s,
		    const struct entity *en, const struct entity *same)
{
	char tag[TAG_TEXT_SIZE];
	const struct service *by;
	struct service one = *s;
	struct entity row = *en;
	struct shared shared;

	note_shared(&shared, m);
	by = shared_by(&shared, s, &en->target);
	one.entities = &row;
	one.entity_count = 1;
	warn_about_windows(w, &one);
	if (by)
		say_shared(w, s, by, en->target.port, format_tag(en->tag, s->tag_len, tag), 1);
	else if (same)
		say_twice(w, s, same, en, 1);
}
