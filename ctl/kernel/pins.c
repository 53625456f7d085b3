/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "pins.h"

const char *pin_path(char buf[PATH_SIZE], const char *dir, const char *name)
{
	snprintf(buf, PATH_SIZE, "%s/%s", dir, name);
	return buf;
}

const char *pin_inner_path(char buf[PATH_SIZE], uint32_t id)
{
	snprintf(buf, PATH_SIZE, INNER_DIR "/%u", id);
	return buf;
}

bool pin_exists(const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	return !lstat(pin_path(path, STORE_DIR, name), &st) || errno != ENOENT;
}

int pin_check_owner(const char *path, const struct stat *st, struct err *e)
{
	if (st->st_uid == 0)
		return 0;
	return fail(
		e, -EPERM, path,
		"opening it: it belongs to user %u, not to root (remove it if it is not needed)",
		st->st_uid);
}

void pins_remove(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return;
	while ((entry = readdir(d)))
		if (entry->d_type != DT_DIR)
			unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	rmdir(dir);
}
