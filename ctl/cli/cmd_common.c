/* SPDX-License-Identifier: GPL-2.0-only */
/* What several verbs need: words to values, the service meant, the way to a new state, warnings. */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/host.h"
#include "kernel/ifaces.h"
#include "kernel/journal.h"
#include "kernel/locate.h"
#include "kernel/needs.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/open.h"
#include "kernel/publish.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "kernel/sessions.h"
#include "print.h"
#include "verbs.h"

/* ---- words ---- */

int bad_option(const struct cmd *c, enum option_id o, const char *why, struct err *e)
{
	return usage_error(e, c->name, "--%s %.100s: %s", option_name(o),
			   *c->value[o] ? c->value[o] : "''", why);
}

int bad_argument(const struct cmd *c, const char *what, const char *word, const char *why,
		 struct err *e)
{
	return usage_error(e, c->name, "%s %.100s: %s", what, *word ? word : "''", why);
}

int option_word(const struct cmd *c, enum option_id o, const char *const *words, struct err *e)
{
	char why[WHY_SIZE] = "must be";
	size_t len = strlen(why);

	for (int i = 0; words[i]; i++) {
		const char *before = !i ? "" : words[i + 1] ? "," : " or";

		if (!strcmp(words[i], c->value[o]))
			return i;
		len += (size_t)snprintf(why + len, sizeof(why) - len, "%s %s", before, words[i]);
	}
	return bad_option(c, o, why, e);
}

int option_number(const struct cmd *c, enum option_id o, uint64_t max, uint64_t *out, struct err *e)
{
	struct why why;

	if (parse_number(c->value[o], 0, max, out, &why))
		return bad_option(c, o, why.text, e);
	return 0;
}

/* ---- the store ---- */

int open_loaded(const struct cmd *c, enum store_access access, struct store **s, struct err *e)
{
	int err = store_open(s, access, c->wait, e);

	if (err == -ENOENT)
		return fail(
			e, err, "tables",
			"opening them: nothing is loaded (attach an interface, or apply a configuration)");
	return err;
}

int close_created(struct store *s, int ret)
{
	struct err ignored;

	if (ret < 0 && store_is_fresh(s))
		store_purge(s, &ignored);
	store_close(s);
	return ret;
}

/* ---- services ---- */

int no_such_service(const char *name, struct err *e)
{
	return fail(
		e, -ENOENT, *name ? name : "''",
		"looking for the service: there is none of that name (see mangle-ctl service list)");
}

/* As many names as fit into buf, which has room for a dozen. */
static const char *name_services(const struct model *m, char *buf, size_t size)
{
	size_t len = 0;

	for (unsigned int i = 0; i < m->service_count; i++) {
		const char *before = i ? ", " : "", *name = m->services[i].name;

		if (len + strlen(before) + strlen(name) + sizeof(", ...") > size) {
			snprintf(buf + len, size - len, ", ...");
			break;
		}
		len += (size_t)snprintf(buf + len, size - len, "%s%s", before, name);
	}
	return buf;
}

int pick_service(const struct cmd *c, const struct model *m, struct service **out, struct err *e)
{
	const char *name = c->value[OPT_SERVICE];
	char names[240] = "";

	if (name) {
		*out = model_find(m, name);
		return *out ? 0 : no_such_service(name, e);
	}
	if (m->service_count > 1)
		return fail(e, -EINVAL, c->name,
			    "choosing a service: there are %u: %s (--service NAME%s)",
			    m->service_count, name_services(m, names, sizeof(names)),
			    c->verb->run == cmd_map_flush ? ", or --all" : "");
	if (!m->service_count)
		return fail(
			e, -ENOENT, c->name,
			"choosing a service: there is none (see mangle-ctl service add --help)");
	*out = m->services;
	return 0;
}

int read_entities_of(struct store *s, struct service *svc, struct err *e)
{
	struct service full;
	int err = store_read_service(s, svc->name, &full, e);

	if (err)
		return err;
	service_free(svc);
	*svc = full;
	return 0;
}

int read_picked(const struct cmd *c, struct store *s, struct model *m, struct service **out,
		struct err *e)
{
	int err = store_read(s, m, false, e);

	if (!err)
		err = pick_service(c, m, out, e);
	if (!err)
		err = read_entities_of(s, *out, e);
	return err;
}

/* ---- guards ---- */

int cannot_tell(const char *object, int err, const char *what, const char *why, struct err *e)
{
	return fail(e, err, object, "%s: %s (see doctor, or use --force)", what, why);
}

/* Established connections to ports that a service is about to take: those of the first such port.
 */
struct established {
	const struct service *taker[65536]; /* NULL: nobody takes it */
	unsigned int port, count;
};

static int count_connection(void *arg, const struct host_socket *socket)
{
	struct established *found = arg;

	if (socket->state != HOST_TCP_ESTABLISHED || !found->taker[socket->local_port] ||
	    (found->count && found->port != socket->local_port))
		return 0;
	found->port = socket->local_port;
	found->count++;
	return 0;
}

/* Whether there are such ports. */
static bool mark_taken(const struct model *from, const struct model *to, struct established *found)
{
	bool any = false;

	for (unsigned int i = 0; i < to->service_count; i++) {
		const struct service *s = &to->services[i];
		const struct service *old = model_find(from, s->name);

		if (!(s->protocols & MANGLE_PROTO_TCP) || (old && service_same_settings(old, s)))
			continue;
		for (unsigned int k = 0; k < s->port_count; k++)
			found->taker[s->ports[k]] = s;
		any |= s->port_count;
	}
	return any;
}

/* In the thread's network namespace. */
static int check_here(struct established *found, const char *who, struct err *e)
{
	struct err why;
	int err = host_sockets(count_connection, found, &why);

	if (err)
		return cannot_tell(
			who, err,
			"taking TCP ports: cannot tell whether clients are connected to them",
			why.line, e);
	if (!found->count)
		return 0;
	return fail(
		e, -EBUSY, found->taker[found->port]->name,
		"taking TCP port %u: it has %u established connection%s, which could be cut off (close them, or use --force)",
		found->port, found->count, found->count == 1 ? "" : "s");
}

static int check_there(struct established *found, const struct attachment *a, struct err *e)
{
	const char *name = a->iface.name;
	char why[256];
	int back, err = netns_enter_inode(a->key.netns, &back);

	if (err) {
		snprintf(why, sizeof(why), "its network namespace: %s", netns_why(err));
		return cannot_tell(
			name, err,
			"taking TCP ports: cannot tell whether clients are connected to them", why,
			e);
	}
	if (back >= 0) /* else it is this one, and has been looked at */
		err = check_here(found, name, e);
	netns_return(back);
	return err;
}

/* Here, and wherever packets would be mangled. */
static int check_everywhere(struct store *s, struct established *found, struct err *e)
{
	struct attachment *a;
	size_t count;
	int err = check_here(found, "this host", e);

	if (!err)
		err = read_attachments(s, &a, &count, e);
	if (err)
		return err;
	for (size_t i = 0; i < count && !err; i++)
		if (a[i].attached && !netns_seen_before(a, i))
			err = check_there(found, &a[i], e);
	free(a);
	return err;
}

int check_connections(const struct cmd *c, struct store *s, const struct model *from,
		      const struct model *to, struct err *e)
{
	struct established *found;
	int err = 0;

	if (given(c, OPT(FORCE)))
		return 0;
	found = calloc(1, sizeof(*found));
	if (!found)
		return fail(e, -ENOMEM, c->name, "looking for connections: out of memory");
	if (mark_taken(from, to, found))
		err = check_everywhere(s, found, e);
	free(found);
	return err;
}

/* ---- a new state ---- */

static bool any_change(const struct changes *d)
{
	return d->added || d->removed || d->updated;
}

static void print_lines(const struct cmd *c, const struct model *from, const struct model *to)
{
	struct change_lines lines = {.all = given(c, OPT(ALL))};
	struct changes ignored;

	model_diff(from, to, &ignored, print_change_line, &lines);
	print_change_lines_end(&lines);
}

static int carry_out(const struct cmd *c, struct store *s, const struct model *from,
		     struct model *to, bool lines, struct err *e)
{
	const struct prog_needs were = prog_needs(from), are = prog_needs(to);
	uint64_t before = s ? store_generation(s) : 0;
	struct err ignored;
	struct changes d;
	int err = s ? store_check(s, to, e) : model_check(to, e);

	if (!err && !were.in)
		err = prog_can(to, e);
	/* A file about to be loaded where nothing is has no store to ask. */
	if (!err && s)
		err = check_connections(c, s, from, to, e);
	if (!err && s && !given(c, OPT(FORCE)))
		err = check_cut(s, from, to, e);
	if (err)
		return err;
	if (given(c, OPT(CHECK))) {
		model_diff(from, to, &d, NULL, NULL);
		print_lines(c, from, to);
		print_changes(&d, any_change(&d), true, before);
		return given(c, OPT(EXIT_CODE)) && any_change(&d) ? EXIT_ANSWER_NO : 0;
	}
	err = prune_for_change(c, s, from, to, e);
	if (err)
		return err;
	/* Whom old or new services need is there before the change, and goes after it. */
	err = prog_sessions(s, (struct prog_needs){were.in || are.in, were.out || are.out}, e);
	if (err)
		return err;
	store_describe(s, "%s%s%s%s", c->name, c->argc ? " " : "", c->argc ? c->argv[0] : "",
		       c->argc > 1 ? " ..." : "");
	err = store_publish(s, to, &d, e);
	if (err) {
		prog_sessions(s, were, &ignored);
		return err;
	}
	/* One that stays on finds nothing to do, and the next change takes it off. */
	prog_sessions(s, are, &ignored);
	if (lines)
		print_lines(c, from, to);
	print_changes(&d, store_generation(s) != before, false, store_generation(s));
	return 0;
}

/* A conflict is the fault of what comes to what was there. */
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

int make_so(const struct cmd *c, struct store *s, const struct model *from, struct model *to,
	    bool lines, struct err *e)
{
	struct warnings w = {0};
	int ret;

	mark_changed(from, to);
	warn_about_change(&w, s, from, to);
	ret = carry_out(c, s, from, to, lines, e);
	if (ret >= 0)
		print_warnings(&w);
	free_warnings(&w);
	return ret;
}

/* ---- attachments ---- */

static int by_name(const void *x, const void *y)
{
	const struct attachment *a = x, *b = y;
	int order = strcmp(a->iface.name, b->iface.name);

	if (!order)
		order = (a->key.netns > b->key.netns) - (a->key.netns < b->key.netns);
	return order ? order
		     : (a->key.ifindex > b->key.ifindex) - (a->key.ifindex < b->key.ifindex);
}

/* A device may have been renamed since. */
static void read_name(struct attachment *a)
{
	char name[IF_NAMESIZE];
	int back, err = netns_enter_inode(a->key.netns, &back);

	if (err) {
		snprintf(a->unseen, sizeof(a->unseen), "its network namespace: %s", netns_why(err));
		return;
	}
	if (if_indextoname(a->key.ifindex, name))
		snprintf(a->iface.name, sizeof(a->iface.name), "%s", name);
	else if (errno != ENXIO && errno != ENODEV) /* it has just gone */
		snprintf(a->unseen, sizeof(a->unseen), "its name: %s", strerror(errno));
	netns_return(back);
}

static void refresh(struct store *s, struct attachment *a)
{
	struct err why;
	int attached = prog_locate(s, &a->key, &a->iface, &why);

	a->attached = attached != 0;
	memcpy(a->attached_as, a->iface.name, sizeof(a->attached_as));
	if (attached < 0)
		snprintf(a->unseen, sizeof(a->unseen), "%.159s", why.line);
	else if (attached)
		read_name(a);
}

int read_attachments(struct store *s, struct attachment **out, size_t *count, struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	int err = store_ifaces(s, &keys, &ifaces, count, e);

	if (err)
		return err;
	*out = calloc(*count + 1, sizeof(**out));
	for (size_t i = 0; i < *count && *out; i++) {
		(*out)[i].key = keys[i];
		(*out)[i].iface = ifaces[i];
		refresh(s, &(*out)[i]);
	}
	free(keys);
	free(ifaces);
	if (!*out)
		return fail(e, -ENOMEM, "interfaces", "listing them: out of memory");
	qsort(*out, *count, sizeof(**out), by_name);
	return 0;
}

bool netns_seen_before(const struct attachment *a, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (a[k].attached && a[k].key.netns == a[i].key.netns)
			return true;
	return false;
}

bool is_key(const struct attachment *a, uint64_t netns, int ifindex)
{
	return a->key.netns == netns && a->key.ifindex == (uint32_t)ifindex;
}

/* ---- warnings ---- */

static void __attribute__((format(printf, 3, 0)))
add_note(struct warnings *w, enum note_level level, const char *fmt, va_list ap)
{
	struct note *more = realloc(w->note, (w->count + 1) * sizeof(*more));

	if (!more)
		return;
	w->note = more;
	w->note[w->count].level = level;
	if (vasprintf(&w->note[w->count].text, fmt, ap) >= 0)
		w->count++;
}

void add_info(struct warnings *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(w, NOTE_INFO, fmt, ap);
	va_end(ap);
}

void add_fault(struct warnings *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(w, NOTE_FAULT, fmt, ap);
	va_end(ap);
}

void add_warning(struct warnings *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(w, NOTE_WARNING, fmt, ap);
	va_end(ap);
}

void warn_about_services(struct warnings *w, const struct model *m)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];

		if (s->protocols & MANGLE_PROTO_TCP && s->tcp_mode == TCP_MODE_SEGMENT)
			add_warning(
				w,
				"service %s: TCP in segment mode breaks connections to local sockets (for one-way and mirrored streams only)",
				s->name);
	}
}

void free_warnings(struct warnings *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->note[i].text);
	free(w->note);
}
