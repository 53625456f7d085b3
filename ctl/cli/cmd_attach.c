/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/attach.h"
#include "kernel/detach.h"
#include "kernel/ifaces.h"
#include "kernel/needs.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/open.h"
#include "kernel/orphans.h"
#include "kernel/pins.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "model/diff.h"
#include "engine/attachments.h"
#include "engine/stale.h"
#include "engine/connections.h"
#include "engine/advice_change.h"
#include "engine/advice_host.h"
#include "engine/interfaces.h"
#include "engine/twice.h"
#include "files/config.h"
#include "print.h"
#include "engine/unit.h"

/* ---- attach ---- */

static int parse_mode(const struct cmd *c, int *mode, struct err *e)
{
	static const char *const words[] = {"auto", "native", "generic", NULL};
	static const int modes[] = {0, MODE_NATIVE, MODE_GENERIC};
	int word = given(c, OPT(MODE)) ? option_word(c, OPT_MODE, words, e) : 0;

	if (word < 0)
		return word;
	*mode = modes[word];
	return 0;
}

/* All names first, so that a wrong one is found before anything is done. */
static int find_devices(const struct cmd *c, struct netdev **out, struct err *e)
{
	struct netdev *dev = calloc((size_t)c->argc + 1, sizeof(*dev));
	int err = 0;

	if (!dev)
		return fail(e, -ENOMEM, c->name, "looking for interfaces: out of memory");
	for (int i = 0; i < c->argc && !err; i++)
		err = netdev_get(c->argv[i], &dev[i], e);
	if (!err)
		err = check_devices(dev, c->argc, e);
	if (err) {
		free(dev);
		return err;
	}
	*out = dev;
	return 0;
}

/* What --config says, or where nothing is loaded what is to be loaded then. */
static int load_desired(const struct cmd *c, struct model *m, struct err *e)
{
	if (given(c, OPT(CONFIG)))
		return config_load(c->value[OPT_CONFIG], m, e);
	/* One that cannot be looked at is not taken for missing: loading it says why. */
	if (!access(CONFIG_DEFAULT_FILE, F_OK) || errno != ENOENT)
		return config_load(CONFIG_DEFAULT_FILE, m, e);
	return model_default(m, e);
}

static int check_same(const struct cmd *c, struct store *s, const struct model *desired,
		      struct err *e)
{
	const char *file = c->value[OPT_CONFIG];
	struct model running;
	struct changes d = {0};
	int err;

	model_init(&running);
	err = store_read(s, &running, true, e);
	if (!err)
		model_diff(&running, desired, &d, NULL, NULL);
	model_free(&running);
	if (!err && (d.added || d.removed || d.updated))
		err = fail(e, -EEXIST, c->name,
			   "loading %s: what is loaded already differs from it (use apply %s)",
			   file, file);
	return err;
}

/* Services and entities into tables that are new, or a look whether they are those desired. */
static int load_tables(const struct cmd *c, struct store *s, struct model *desired,
		       struct changes *d, struct err *e)
{
	const struct change_options o = change_options(c);
	struct change_result r;
	struct model nothing;
	int err = 0;

	memset(d, 0, sizeof(*d));
	if (!store_is_fresh(s))
		return given(c, OPT(CONFIG)) ? check_same(c, s, desired, e) : 0;
	if (!given(c, OPT(CONFIG)))
		err = load_desired(c, desired, e);
	if (err)
		return err;
	model_init(&nothing);
	err = change_apply(s, &nothing, desired, &o, &r, e);
	*d = r.changes;
	change_result_free(&r); /* report_attached warns of what is attached too */
	return err;
}

static int detach_device(struct store *s, int ifindex, struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	size_t count;
	int err = store_ifaces(s, &keys, &ifaces, &count, e);

	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		if (keys[i].netns == netns_inode() && keys[i].ifindex == (uint32_t)ifindex)
			err = prog_detach(s, &keys[i], &ifaces[i], e);
	free(keys);
	free(ifaces);
	return err;
}

static int read_needs(struct store *s, struct prog_needs *needs, struct err *e)
{
	struct model m;
	int err;

	model_init(&m);
	err = store_read(s, &m, false, e);
	*needs = prog_needs(&m);
	model_free(&m);
	return err;
}

/* All of them or none; changed tells which were not attached before. */
static int attach_devices(const struct cmd *c, struct store *s, const struct netdev *dev, int mode,
			  bool *changed, struct err *e)
{
	struct prog_needs needs;
	struct err ignored;
	int err = read_needs(s, &needs, e), got, done;

	for (done = 0; done < c->argc && !err; done++) {
		err = prog_attach(s, dev[done].name, c->netns, mode, needs, &got, &changed[done],
				  e);
		if (err)
			break;
	}
	while (err && done-- > 0)
		if (changed[done])
			detach_device(s, dev[done].ifindex, &ignored);
	return err;
}

/* A device that was deleted and made anew leaves a record behind that means nothing any more. */
static int forget_gone(struct store *s, const struct attachment *a, size_t count, struct err *e)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		for (size_t k = 0; k < count && !a[i].attached; k++)
			if (a[k].attached && a[k].key.netns == a[i].key.netns &&
			    !strcmp(a[k].iface.name, a[i].iface.name)) {
				err = prog_detach(s, &a[i].key, &a[i].iface, e);
				break;
			}
	return err;
}

/* The first of those named, in *first: what concerns the host concerns all of them. */
static void say_attached(const struct cmd *c, const struct netdev *dev, const bool *changed,
			 const struct attachment *a, size_t count, const struct model *m,
			 struct warnings *w, const struct attachment **first)
{
	*first = NULL;
	for (int i = 0; i < c->argc; i++)
		for (size_t k = 0; k < count; k++)
			if (is_key(&a[k], netns_inode(), dev[i].ifindex)) {
				print_attached(c->out, &a[k], changed[i]);
				warn_about_interface(w, &a[k], m);
				*first = *first ? *first : &a[k];
			}
}

static int report_attached(const struct cmd *c, struct store *s, const struct netdev *dev,
			   const bool *changed, const struct changes *d, const struct model *loaded,
			   struct err *e)
{
	const struct attachment *first;
	struct warnings w = {0};
	struct attachment *a;
	struct model m;
	size_t count;
	int err = read_attachments(s, &a, &count, e);
	bool any = loaded != NULL;

	if (err)
		return err;
	for (int i = 0; i < c->argc; i++)
		any |= changed[i];
	model_init(&m);
	err = forget_gone(s, a, count, e);
	if (!err)
		err = store_read(s, &m, false, e);
	if (!err) {
		say_attached(c, dev, changed, a, count, &m, &w, &first);
		if (first)
			warn_about_hosts(&w, s, &m, first, 1);
		warn_about_twice(&w, a, count);
		warn_about_services(&w, &m);
		if (loaded)
			warn_about_tables(&w, loaded);
		if (c->out->json)
			print_changes(c->out, d, any, false, store_generation(s));
		print_warnings(c->out, &w);
	}
	model_free(&m);
	free_warnings(&w);
	free(a);
	return err;
}

static int attach(const struct cmd *c, const struct netdev *dev, int mode, struct model *desired,
		  struct err *e)
{
	bool *changed = calloc((size_t)c->argc + 1, sizeof(*changed));
	struct changes d;
	struct store *s;
	bool fresh;
	int err;

	if (!changed)
		return fail(e, -ENOMEM, c->name, "attaching: out of memory");
	err = store_open(&s, STORE_CREATE, c->wait, e);
	if (err) {
		free(changed);
		return err;
	}
	fresh = store_is_fresh(s);
	err = check_twice(s, dev, c->argc, e);
	if (!err)
		err = load_tables(c, s, desired, &d, e);
	if (!err)
		err = prune_for_attach(s, dev, c->argc, given(c, OPT(FORCE)), e);
	if (!err)
		err = attach_devices(c, s, dev, mode, changed, e);
	if (!err)
		err = report_attached(c, s, dev, changed, &d, fresh ? desired : NULL, e);
	else if (fresh) {
		struct err ignored;

		store_purge(s, &ignored);
	}
	store_close(s);
	free(changed);
	return err;
}

int cmd_attach(const struct cmd *c, struct err *e)
{
	struct netdev *dev = NULL;
	struct model desired;
	int mode;
	int err = parse_mode(c, &mode, e);

	if (err)
		return err;
	err = find_devices(c, &dev, e);
	if (err)
		return err;
	model_init(&desired);
	/* Files are read before the lock is taken, where it is known that they are needed. */
	if (given(c, OPT(CONFIG)))
		err = load_desired(c, &desired, e);
	if (!err)
		err = attach(c, dev, mode, &desired, e);
	model_free(&desired);
	free(dev);
	return err;
}

/* ---- detach ---- */

/* By its present name, or by the recorded one where the device is gone. */
static const struct attachment *find_attachment(const struct attachment *a, size_t count,
						const char *name, const struct netdev *dev)
{
	const struct attachment *gone = NULL;

	/* One that moved may have come to the index of one that has gone. */
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
		"looking for the interface: no such interface here; one of that name is attached in %s (mangle-ctl %sdetach %s)",
		text, *option ? option : "-n NAME ", name);
}

static bool is_named(const struct cmd *c, const char *name)
{
	for (int i = 0; i < c->argc; i++)
		if (!strcmp(c->argv[i], name))
			return true;
	return !c->argc;
}

/* Marks records whose device or network namespace is gone, wherever that was. */
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

/* Marks what is meant; a name that nothing has is an error. */
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

/* By whatever name of the device. */
static bool is_recorded(const struct attachment *a, size_t count, const char *name)
{
	struct netdev dev;
	struct err ignored;
	bool here = !netdev_get(name, &dev, &ignored);

	return find_attachment(a, count, name, here ? &dev : NULL);
}

/* What was named, is here, and was not attached. */
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
			add_warning(&w, "%s: it is attached in %s too, and stays so (use -n NAME)",
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

/* What goes with the tables. Those that cannot be read go all the same. */
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
		chosen[i] |= purge; /* records of what is gone do not outlive the tables */
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

/* Nothing is loaded: nothing is attached, but names must be those of interfaces. */
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
			    "%s: stopping it failed: it is active, and nothing is attached "
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

/* No unit stays active that has nothing attached. Units are for systemd's own namespace. */
static void stop_units(const struct cmd *c)
{
	struct stat init;

	if (given(c, OPT(GONE)))
		return;
	if (given(c, OPT(ALL)))
		stop_unit(c, NULL);
	else if (!stat("/proc/1/ns/net", &init) && init.st_ino == netns_inode())
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
			"arguments: interfaces, --all, or --gone without --purge, one of them (see mangle-ctl %s --help)",
			c->name);
	err = store_open(&s, STORE_WRITE, c->wait, e);
	/* What a killed run has begun is purged too. */
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
