/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/flows.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/open.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "engine/advice_host.h"
#include "engine/interfaces.h"
#include "engine/twice.h"
#include "engine/drift.h"
#include "print.h"

static void swap(struct attachment *a, struct attachment *b)
{
	const struct attachment was = *a;

	*a = *b;
	*b = was;
}

/* Puts the attachments of that name first, and counts them. A device that was deleted and created
 * again is not the one that was attached. */
static size_t put_first(struct attachment *a, size_t count, const char *name,
			const struct netdev *dev)
{
	size_t chosen = 0;

	for (size_t i = 0; i < count; i++)
		if (dev ? is_key(&a[i], netns_inode(), dev->ifindex)
			: a[i].key.netns == netns_inode() && !strcmp(a[i].iface.name, name))
			swap(&a[chosen++], &a[i]);
	return chosen;
}

static void warn_about_drift(struct warnings *w, const struct drift *d, bool loaded)
{
	bool boots = !loaded || drift_is_boot_file(d->file);

	if (d->state == DRIFT_BROKEN && boots)
		add_fault(
			w,
			"the configuration file can%s be loaded, and is what the next boot loads: %s",
			loaded ? " no longer" : "not", d->why.line);
	else if (d->state == DRIFT_BROKEN)
		add_warning(w, "the configuration file can no longer be loaded: %s", d->why.line);
	else if (d->state == DRIFT_MISSING && *d->file)
		add_warning(w, "the configuration file that was applied no longer exists: %s",
			    d->file);
	else if (d->state == DRIFT_MISSING)
		add_warning(
			w,
			"what runs is in no configuration file: a reboot discards it (mangle-ctl save prints it)");
	else if (d->state == DRIFT_DIFFERS)
		add_warning(
			w,
			"what runs differs from the configuration file (mangle-ctl apply --check %s)",
			d->file);
}

/* Warns where another file was applied than the next boot loads. */
static int warn_about_boot(struct warnings *w, struct store *s, const struct drift *d,
			   struct err *e)
{
	struct drift boot;
	int err;

	if (!*d->file || drift_is_boot_file(d->file))
		return 0;
	err = drift_read_boot(s, &boot, e);
	if (err)
		return err;
	if (boot.state == DRIFT_BROKEN)
		add_fault(
			w,
			"the next boot loads another configuration file than was applied, and it cannot be loaded: %s",
			boot.why.line);
	else if (boot.differs)
		add_info(w, "the next boot loads %s, which differs from what was applied",
			 *boot.file ? boot.file : "the built-in default");
	return 0;
}

static int check_config(struct store *s, struct drift *d, struct warnings *w, struct err *e)
{
	int err = drift_read(s, d, e);

	if (err)
		return err;
	warn_about_drift(w, d, s);
	return s ? warn_about_boot(w, s, d, e) : 0;
}

static int read_services(struct store *s, struct status *st, struct model *m,
			 const struct attachment *a, size_t count, struct err *e)
{
	int err = store_read(s, m, false, e);

	for (unsigned int i = 0; i < m->service_count && !err; i++) {
		const struct service *svc = &m->services[i];
		struct table_sizes sizes = {0};

		err = store_table_sizes(s, svc->name, &sizes, e);
		st->service[i] = (struct service_status){sizes.entities, sizes.bytes,
							 service_place(svc, a, count)};
	}
	st->generation = store_generation(s);
	st->flows_size = store_flows_size(s);
	return err ? err : read_flows(s, &st->flows_used, e);
}

/* Keeps only the attachments of the named interface; returns 1 where it is attached. */
static int choose(const char *name, struct attachment *a, size_t *count, struct err *e)
{
	struct netdev dev;
	int err = netdev_get(name, &dev, e);

	*count = put_first(a, *count, name, err ? NULL : &dev);
	if (err && !*count)
		return err;
	return *count && a[0].attached;
}

/* all: every attachment; those that `st` shows come first. */
static int fill(struct store *s, struct status *st, struct model *m, struct attachment *all,
		size_t all_count, struct warnings *w, struct err *e)
{
	int err = read_services(s, st, m, all, all_count, e);

	if (err)
		return err;
	if (!m->service_count)
		add_fault(
			w,
			"no service is loaded: no packet is changed (mangle-ctl service add, or apply)");
	for (size_t i = 0; i < st->iface_count; i++)
		warn_about_attachment(w, &all[i], m);
	warn_about_twice(w, all, all_count);
	warn_about_running(w, m, all, all_count);
	warn_about_flows(w, st->flows_used, st->flows_size);
	if (st->iface_count)
		warn_about_hosts(w, s, m, all, st->iface_count);
	return 0;
}

/* Warns that the interface asked for is not attached. */
static void warn_about_not_attached(struct warnings *w, const struct attachment *a, size_t count,
				    const char *name)
{
	const struct attachment *elsewhere = attached_elsewhere(a, count, name);
	char where[NETNS_TEXT_SIZE];

	if (elsewhere)
		add_fault(w, "%s: not attached (an interface of that name is attached in %s)", name,
			  netns_text(elsewhere, where));
	else
		add_fault(w, "%s: not attached", name);
}

/* yes: the interface asked for is attached. Statuses 1 and 3 of --exit-code follow from the
 * warnings. */
static int exit_status(const struct cmd *c, const struct status *st, bool yes)
{
	enum note_level worst = NOTE_INFO;

	if (!given(c, OPT(EXIT_CODE)))
		return yes ? 0 : EXIT_ANSWER_NO;
	for (size_t i = 0; i < st->warnings->count; i++)
		if (st->warnings->note[i].level > worst)
			worst = st->warnings->note[i].level;
	if (worst == NOTE_FAULT)
		return EXIT_NOT_DONE;
	return worst == NOTE_WARNING ? EXIT_ANSWER_NO : 0;
}

/* s: NULL where nothing is loaded. */
static int status(const struct cmd *c, struct store *s, struct attachment *a, size_t count,
		  struct err *e)
{
	static struct service_status service[MANGLE_MAX_SERVICES];
	const char *name = c->argc ? c->argv[0] : NULL;
	struct warnings w = {0};
	struct drift drift;
	struct status st = {.ifaces = a,
			    .iface_count = count,
			    .service = service,
			    .drift = &drift,
			    .warnings = &w};
	struct model m;
	int yes = name ? choose(name, a, &st.iface_count, e) : 1;
	int err = yes < 0 ? yes : 0;

	model_init(&m);
	st.services = &m;
	st.not_attached = !yes;
	if (st.not_attached)
		warn_about_not_attached(&w, a, count, name);
	warn_about_nothing_attached(&w, a, count);
	if (!err && s)
		err = fill(s, &st, &m, a, count, &w, e);
	if (!err)
		err = check_config(s, &drift, &w, e);
	if (!err) {
		print_status(c->out, &st);
		err = exit_status(c, &st, yes);
	}
	model_free(&m);
	free_warnings(&w);
	return err;
}

int cmd_status(const struct cmd *c, struct err *e)
{
	struct attachment *a = NULL;
	struct store *s = NULL;
	size_t count = 0;
	int err = store_open(&s, STORE_READ, c->wait, e);

	if (err && err != -ENOENT)
		return err;
	err = s ? read_attachments(s, &a, &count, e) : 0;
	if (!err)
		err = status(c, s, a, count, e);
	free(a);
	store_close(s);
	return err;
}
