/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "netdev.h"
#include "netns.h"
#include "print.h"

/* The file that the running state is compared with, NULL for none. */
static const char *config_file(const struct store *s)
{
	if (s && *store_file(s))
		return store_file(s);
	return access(CONFIG_DEFAULT_FILE, F_OK) ? NULL : CONFIG_DEFAULT_FILE;
}

static int compare_config(struct store *s, const char *file, bool *differs, struct warnings *w,
			  struct err *e)
{
	struct model wished, running;
	struct changes d;
	struct err why;
	int err;

	model_init(&wished);
	model_init(&running);
	err = store_read(s, &running, true, e);
	if (!err && config_load(file, &wished, &why)) {
		add_warning(w, "the configuration file can no longer be loaded: %s", why.line);
		*differs = true;
	} else if (!err) {
		model_diff(&running, &wished, &d, NULL, NULL);
		*differs = d.added || d.removed || d.updated;
	}
	model_free(&wished);
	model_free(&running);
	return err;
}

/* Leaves those that the name means; a device made anew is not what was attached. */
static void filter(struct attachment *a, size_t *count, const char *name, const struct netdev *dev)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++)
		if (dev ? is_key(&a[i], netns_inode(), dev->ifindex)
			: a[i].key.netns == netns_inode() && !strcmp(a[i].iface.name, name))
			a[kept++] = a[i];
	*count = kept;
}

static int count_forward(void *arg, const struct mangle_flow_key *key,
			 const struct mangle_flow *flow)
{
	(void)key;
	*(uint64_t *)arg += flow->state != FLOW_REVERSE;
	return 0;
}

static int fill(struct store *s, struct status *st, struct model *m, uint64_t *entities,
		struct warnings *w, struct err *e)
{
	int err = store_read(s, m, false, e);

	st->flows_size = store_flows_size(s);
	if (!err)
		err = store_flows(s, count_forward, &st->flows_used, e);
	if (err)
		return err;
	/* It holds some more, until a connection's way back is gone. */
	if (st->flows_used > st->flows_size)
		st->flows_used = st->flows_size;
	for (unsigned int i = 0; i < m->service_count; i++)
		entities[i] = store_entity_count(s, m->services[i].name);
	for (size_t i = 0; i < st->iface_count; i++) {
		warn_about_interface(w, &st->ifaces[i]);
		if (!st->ifaces[i].attached)
			add_warning(
				w,
				"%s: the device that mangle was attached to is gone (mangle-ctl attach it anew, or detach it)",
				st->ifaces[i].iface.name);
	}
	warn_about_services(w, m);
	if (st->iface_count)
		warn_about_hosts(w, w, s, m, st->ifaces, st->iface_count);
	st->generation = store_generation(s);
	return st->file ? compare_config(s, st->file, &st->differs, w, e) : 0;
}

/* Only what concerns the interface named; 1 where it is attached. */
static int choose(const char *name, struct attachment *a, size_t *count, struct err *e)
{
	struct netdev dev;
	int err = netdev_get(name, &dev, e);

	filter(a, count, name, err ? NULL : &dev);
	if (err && !*count)
		return err;
	return *count && a[0].attached;
}

static void print(const struct cmd *c, const struct status *st, const char *name, bool yes)
{
	if (!yes)
		print_not_attached(name);
	if (c->json || yes)
		print_status(st);
}

int cmd_status(const struct cmd *c, struct err *e)
{
	static uint64_t entities[MANGLE_MAX_SERVICES];
	const char *name = c->argc ? c->argv[0] : NULL;
	struct attachment *a = NULL;
	struct warnings w = {0};
	struct status st = {.entities = entities, .warnings = &w};
	struct store *s = NULL;
	struct model m;
	int yes = 1;
	int err = store_open(&s, STORE_READ, c->wait, e);

	if (err && err != -ENOENT)
		return err;
	model_init(&m);
	st.services = &m;
	err = s ? read_attachments(s, &a, &st.iface_count, e) : 0;
	if (!err && name) {
		yes = choose(name, a, &st.iface_count, e);
		err = yes < 0 ? yes : 0;
	}
	st.ifaces = a;
	st.file = config_file(s);
	if (!err && s)
		err = fill(s, &st, &m, entities, &w, e);
	if (!err)
		print(c, &st, name, yes);
	model_free(&m);
	free_warnings(&w);
	free(a);
	store_close(s);
	return err ? err : yes ? 0 : EXIT_ANSWER_NO;
}
