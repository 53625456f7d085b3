/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatch.h"
#include "ifaces.h"
#include "links.h"
#include "migrate.h"
#include "orphans.h"
#include "liblog.h"
#include "pins.h"

static bool is_recorded(const struct mangle_iface *ifaces, size_t n, const char *pin)
{
	uint32_t id;

	if (!link_parse_name(pin, &id))
		return true; /* something else */
	for (size_t i = 0; i < n; i++)
		if (ifaces[i].pin == id || ifaces[i].tc_in == id || ifaces[i].tc_out == id)
			return true;
	return false;
}

void prog_sweep(struct store *s)
{
	DIR *dir = opendir(STORE_DIR);
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	struct dirent *entry;
	char path[PATH_SIZE];
	struct err ignored;
	size_t n;

	if (!dir)
		return;
	if (!store_ifaces(s, &keys, &ifaces, &n, &ignored)) {
		while ((entry = readdir(dir)))
			if (!is_recorded(ifaces, n, entry->d_name) &&
			    snprintf(path, sizeof(path), STORE_DIR "/%s", entry->d_name) <
				    (int)sizeof(path))
				link_unpin(path);
		free(keys);
		free(ifaces);
	}
	closedir(dir);
}

void prog_sweep_dispatchers(struct store *s)
{
	struct if_nameindex *all = store_is_changing_layout() ? NULL : if_nameindex();

	liblog_begin();
	for (struct if_nameindex *at = all; at && at->if_index; at++)
		prog_undispatch_orphans(s, at->if_index);
	if (all)
		if_freenameindex(all);
}
