/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#include "print.h"
#include "prog.h"

static int upgrade(struct store *s, bool *changed, struct err *e)
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
		if (a[i].attached) {
			print_upgraded(&a[i]);
			*changed = true;
		}
	if (*changed)
		store_log(s, &none, "upgrade");
	free(a);
	return 0;
}

int cmd_upgrade(const struct cmd *c, struct err *e)
{
	const struct changes none = {0};
	bool changed = false;
	struct store *s;
	int err = open_loaded(c, STORE_UPGRADE, &s, e);

	if (err)
		return err;
	err = upgrade(s, &changed, e);
	if (!err && (c->json || !changed))
		print_changes(&none, changed, false, store_generation(s));
	store_close(s);
	return err;
}
