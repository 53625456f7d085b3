/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#include "kernel/build_id.h"
#include "kernel/ifaces.h"
#include "kernel/journal.h"
#include "kernel/migrate.h"
#include "kernel/open.h"
#include "kernel/running.h"
#include "kernel/upgrade.h"
#include "model/diff.h"
#include "print.h"

/* The attachments as they were recorded before. */
struct records {
	struct mangle_iface_key *key;
	struct mangle_iface *iface;
	size_t count;
};

/* Returns the record of the attachment; NULL: there was none. */
static const struct mangle_iface *record_before(const struct records *r, const struct attachment *a)
{
	for (size_t i = 0; i < r->count; i++)
		if (is_key(a, r->key[i].netns, (int)r->key[i].ifindex))
			return &r->iface[i];
	return NULL;
}

/* Programs of this build are attached again too, which completes what a killed run has begun. */
static int upgrade(const struct cmd *c, struct store *s, const struct records *before,
		   bool *changed, struct err *e)
{
	const struct changes none = {0};
	const bool migrates = store_is_migrating(s);
	struct attachment *a;
	size_t count;
	int err = prog_upgrade(s, &count, e);

	if (!err)
		err = store_migrated(s, e);
	if (!err)
		err = read_attachments(s, &a, &count, e);
	if (err)
		return err;
	*changed = migrates;
	for (size_t i = 0; i < count; i++)
		if (a[i].attached)
			*changed |= print_upgraded(c->out, &a[i], record_before(before, &a[i]));
	if (*changed)
		store_log(s, &none, "upgrade");
	free(a);
	return 0;
}

static int upgrade_all(const struct cmd *c, struct store *s, bool *changed, struct err *e)
{
	struct records before = {0};
	int err = store_ifaces(s, &before.key, &before.iface, &before.count, e);

	if (!err)
		err = upgrade(c, s, &before, changed, e);
	free(before.key);
	free(before.iface);
	return err;
}

/* Returns 1 where tables or an attached program are not of this build; 0 where all are, which it
 * prints; or negative errno. */
static int is_needed(const struct cmd *c, struct store *s, struct err *e)
{
	struct attachment *a;
	size_t count;
	bool needed = store_is_migrating(s);
	int err = read_attachments(s, &a, &count, e);

	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		needed |= a[i].attached && !prog_is_own(&a[i].iface);
	for (size_t i = 0; i < count && !needed; i++)
		if (a[i].attached)
			print_upgraded(c->out, &a[i], &a[i].iface);
	free(a);
	return needed;
}

int cmd_upgrade(const struct cmd *c, struct err *e)
{
	const struct changes none = {0};
	bool changed = false;
	struct store *s;
	int err = open_loaded(c, STORE_UPGRADE, &s, e);
	int needed = 1;

	if (err)
		return err;
	if (given(c, OPT(IF_NEEDED)))
		needed = is_needed(c, s, e);
	err = needed > 0 ? upgrade_all(c, s, &changed, e) : needed;
	if (!err && (c->out->json || !changed))
		print_changes(c->out, &none, changed, false, store_generation(s));
	store_close(s);
	return err;
}
