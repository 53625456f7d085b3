/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/detach.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/open.h"
#include "kernel/orphans.h"
#include "kernel/pins.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "engine/attachments.h"
#include "engine/connections.h"
#include "engine/unit.h"
#include "model/diff.h"
#include "print.h"

/* Finds an attachment by the interface's present name, or by its recorded one where it is gone. */
static const struct attachment *find_attachment(const struct attachment *a, size_t count,
						const char *name, const struct netdev *dev)
{
	const struct attachment *gone = NULL;

	/* An interface that moved here may have got the ifindex of one that is gone. */
	for (size_t i = 0; dev && i < count; i++) {
		if (!is_key(&a[i], netns_inode(), dev->ifindex))
			continue;
		if (a[i].attached)
			return &a[i];
		gone = &a[i];
	}
	if (gone)
		return gone;
	for (size_t i = 0; i < count; i++)
		if (!a[i].attached && a[i].key.netns == netns_inode() &&
		    !strcmp(a[i].iface.name, name))
			return &a[i];
	return NULL;
}

static int no_such_device(const char *name, const struct attachment *elsewhere, struct err *e)
{
	char text[NETNS_TEXT_SIZE], option[NETNS_TEXT_SIZE];

	netns_text(elsewhere, text);
	netns_option(elsewhere, option);
	return fail(
		e, -ENODEV, name,
		"looking for the interface: no such interface here; an interface of that name is attached in %s (mangle-ctl %sdetach %s)",
		text, *option ? option : "-n NAME ", name);
}

static bool is_named(const struct cmd *c, const char *name)
{
	for (int i = 0; i < c->argc; i++)
		if (!strcmp(c->argv[i], name))
			return true;
	return !c->argc;
}

/* Marks records whose device or network namespace is gone, in all namespaces. */
static int choose_gone(const struct cmd *c, const struct attachment *a, size_t count, bool *chosen,
		       struct err *e)
{
	char text[NETNS_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		enum gone gone = attachment_gone(&a[i]);

		if (!is_named(c, a[i].iface.name) ||
		    (c->netns && strcmp(c->netns, a[i].iface.netns_name)))
			continue;
		if (gone == GONE_UNKNOWN)
			return fail(
				e, -EPERM, a[i].iface.name,
				"checking whether it is gone: %s cannot be entered (see doctor)",
				netns_text(&a[i], text));
		chosen[i] = gone == GONE_DEVICE || gone == GONE_NETNS;
	}
	return 0;
}

/* Marks what the command line names; a name without an attachment or interface is an error. */
static int choose(const struct cmd *c, struct attachment *a, size_t count, bool *chosen,
		  struct err *e)
{
	if (given(c, OPT(GONE)))
		return choose_gone(c, a, count, chosen, e);
	if (given(c, OPT(ALL)))
		memset(chosen, true, count * sizeof(*chosen));
	for (int i = 0; i < c->argc; i++) {
		const struct attachment *elsewhere = attached_elsewhere(a, count, c->argv[i]);
		struct netdev dev;
		const struct attachment *found;
		int err = netdev_get(c->argv[i], &dev, e);

		found = find_attachment(a, count, c->argv[i], err ? NULL : &dev);
		if (found)
			chosen[found - a] = true;
		else if (err == -ENODEV && elsewhere)
			return no_such_device(c->argv[i], elsewhere, e);
		else if (err)
			return err;
	}
	return 0;
}

/* Returns whether the device is recorded, by any of its names. */
static bool is_recorded(const struct attachment *a, size_t count, const char *name)
{
	struct netdev dev;
	struct err ignored;
	bool here = !netdev_get(name, &dev, &ignored);

	return find_attachment(a, count, name, here ? &dev : NULL);
}

/* Reports the named interfaces that exist here and were not attached. */
static void say_not_attached(const struct cmd *c, const struct attachment *a, size_t count)
{
	struct warnings w = {0};
	char text[NETNS_TEXT_SIZE];

	for (int i = 0; i < c->argc && !given(c, OPT(GONE)); i++) {
		const struct attachment *elsewhere = attached_elsewhere(a, count, c->argv[i]);

		if (is_recorded(a, count, c->argv[i]))
			continue;
		if (!c->out->quiet)
			print_not_attached(c->out, c->argv[i]);
		if (elsewhere)
			add_warning(
				&w,
				"%s: it is also attached in %s, and stays attached there (use -n NAME)",
				c->argv[i], netns_text(elsewhere, text));
	}
	print_warnings(c->out, &w);
	free_warnings(&w);
}

static int check_purge(const struct cmd *c, const struct attachment *a, size_t count,
		       const bool *chosen, struct err *e)
{
	char text[NETNS_TEXT_SIZE];

	for (size_t i = 0; i < count && given(c, OPT(PURGE)); i++)
		if (!chosen[i] && a[i].attached)
			return fail(
				e, -EBUSY, a[i].iface.name,
				"removing the tables: it is still attached, in %s (use detach --all --purge)",
				netns_text(&a[i], text));
	return 0;
}

/* Counts what is removed with the tables. Tables that cannot be read are removed all the same. */
static struct changes count_loaded(const struct cmd *c, struct store *s)
{
	struct table_sizes sizes;
	struct warnings w = {0};
	struct changes d = {0};
	struct model m;
	struct err why;
	int err;

	model_init(&m);
	err = store_read(s, &m, false, &why);
	d.removed = d.services.removed = m.service_count;
	for (unsigned int i = 0; i < m.service_count && !err; i++) {
		err = store_table_sizes(s, m.services[i].name, &sizes, &why);
		if (!err)
			d.removed += sizes.entities;
	}
	if (err)
		add_warning(&w, "cannot tell how many entities are removed: %s", why.line);
	print_warnings(c->out, &w);
	free_warnings(&w);
	model_free(&m);
	return d;
}

static int detach(const struct cmd *c, struct store *s, struct attachment *a, size_t count,
		  bool *chosen, struct err *e)
{
	bool purge = given(c, OPT(PURGE));
	const struct changes none = {0}, d = purge ? count_loaded(c, s) : none;
	uint64_t generation;
	bool changed = purge;
	int err = choose(c, a, count, chosen, e);

	if (!err)
		err = check_purge(c, a, count, chosen, e);
	if (!err && !given(c, OPT(FORCE)))
		err = check_bound(s, a, count, chosen, e);
	for (size_t i = 0; i < count && !err; i++) {
		chosen[i] |= purge; /* records of gone interfaces are removed with the tables */
		if (chosen[i])
			err = prog_may_detach(&a[i].key, &a[i].iface, given(c, OPT(FORCE)), e);
	}
	for (size_t i = 0; i < count && !err; i++) {
		if (!chosen[i])
			continue;
		err = prog_detach(s, &a[i].key, &a[i].iface, e);
		changed = true;
	}
	prog_sweep(s);
	prog_sweep_dispatchers(s);
	generation = purge ? 0 : store_generation(s);
	if (!err && purge)
		err = store_purge(s, e);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		if (chosen[i])
			print_detached(c->out, a[i].iface.name);
	say_not_attached(c, a, count);
	if (c->out->json || !changed)
		print_changes(c->out, &d, changed, false, generation);
	return 0;
}

/* Nothing is loaded, so nothing is attached; the names must be those of interfaces all the same. */
static int detach_nothing(const struct cmd *c, struct err *e)
{
	const struct changes d = {0};
	struct netdev dev;

	for (int i = 0; i < c->argc; i++) {
		int err = netdev_get(c->argv[i], &dev, e);

		if (err && !given(c, OPT(GONE)))
			return err;
	}
	say_not_attached(c, NULL, 0);
	print_changes(c->out, &d, false, false, 0);
	return 0;
}

static void stop_unit(const struct cmd *c, const char *iface)
{
	struct warnings w = {0};
	char unit[96];

	unit_name(iface, unit, sizeof(unit));
	switch (unit_stop(unit)) {
	case UNIT_INACTIVE: break;
	case UNIT_STOPPED: print_stopped(c->out, unit); break;
	case UNIT_ACTIVE:
		add_warning(&w,
			    "%s: could not be stopped: it is active, and nothing is attached "
			    "(systemctl stop '%s')",
			    unit, unit);
		break;
	case UNIT_UNKNOWN:
		add_warning(&w,
			    "%s: cannot tell whether it is active, with nothing attached: "
			    "systemctl does not answer (systemctl stop '%s')",
			    unit, unit);
	}
	print_warnings(c->out, &w);
	free_warnings(&w);
}

/* No unit stays active whose interface is not attached. Units belong to the network namespace of
 * systemd. */
static void stop_units(const struct cmd *c)
{
	if (given(c, OPT(GONE)))
		return;
	if (given(c, OPT(ALL)))
		stop_unit(c, NULL);
	else if (netns_is_hosts(netns_inode()))
		for (int i = 0; i < c->argc; i++)
			stop_unit(c, c->argv[i]);
}

int cmd_detach(const struct cmd *c, struct err *e)
{
	struct attachment *a = NULL;
	struct store *s;
	bool *chosen;
	size_t count;
	int err;

	if (!given(c, OPT(GONE)) ? given(c, OPT(ALL)) == (c->argc > 0)
				 : given(c, OPT(ALL) | OPT(PURGE)))
		return usage_error(
			e, c->name,
			"arguments: give either interfaces, --all, or --gone without --purge (see mangle-ctl %s --help)",
			c->name);
	err = store_open(&s, STORE_WRITE, c->wait, e);
	/* Remains of a killed run are purged too. */
	if (err == -ENOENT && given(c, OPT(PURGE)) && (!access(STORE_DIR, F_OK) || errno != ENOENT))
		err = store_open(&s, STORE_CREATE, c->wait, e);
	if (err == -ENOENT) {
		err = detach_nothing(c, e);
		if (!err)
			stop_units(c);
		return err;
	}
	if (err)
		return err;
	err = read_attachments(s, &a, &count, e);
	chosen = calloc(MANGLE_MAX_IFACES + 1, sizeof(*chosen));
	if (!err && !chosen)
		err = fail(e, -ENOMEM, c->name, "detaching: out of memory");
	if (!err)
		err = detach(c, s, a, count, chosen, e);
	free(chosen);
	free(a);
	store_close(s);
	if (!err)
		stop_units(c);
	return err;
}
