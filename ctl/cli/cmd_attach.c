/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/attach.h"
#include "kernel/detach.h"
#include "kernel/ifaces.h"
#include "kernel/needs.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/open.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "engine/advice_change.h"
#include "engine/advice_host.h"
#include "engine/attachments.h"
#include "engine/interfaces.h"
#include "engine/stale.h"
#include "engine/twice.h"
#include "files/config.h"
#include "model/diff.h"
#include "print.h"

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

/* All names are looked up first, so that a wrong one is found before anything is done. */
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

/* Reads the configuration to load: that of --config, else the default file, else the built-in. */
static int load_desired(const struct cmd *c, struct model *m, struct err *e)
{
	if (given(c, OPT(CONFIG)))
		return config_load(c->value[OPT_CONFIG], m, e);
	/* A file that cannot be looked at is not taken for missing: loading it reports why. */
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

/* Loads services and entities into new tables, or compares existing tables with the file. */
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
	change_result_free(&r); /* report_attached repeats these warnings */
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

/* Attaches to all of the devices or to none; changed: which were not attached before. */
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

/* A device that was deleted and created again leaves a record behind that has no meaning
 * any more. */
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

/* Sets *first to the first device named, since warnings about the host are the same for all. */
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
	/* Files that are certainly needed are read before the lock is taken. */
	if (given(c, OPT(CONFIG)))
		err = load_desired(c, &desired, e);
	if (!err)
		err = attach(c, dev, mode, &desired, e);
	model_free(&desired);
	free(dev);
	return err;
}
