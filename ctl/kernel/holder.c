/* SPDX-License-Identifier: GPL-2.0-only */
#include "holder.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Returns the first process in /proc/locks that holds a flock on that file; 0: none is visible. */
static int find_holder(const struct stat *file)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256];
	int found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned int major, minor;
		unsigned long inode;
		int pid;

		/* A line is "1: FLOCK ADVISORY WRITE 3312 00:1b:17 0 EOF"; a waiting process has
		 * "->" before FLOCK. */
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &major, &minor, &inode) ==
			    4 &&
		    major == major(file->st_dev) && minor == minor(file->st_dev) &&
		    inode == file->st_ino && pid > 0 && pid != getpid())
			found = pid;
	}
	if (f)
		fclose(f);
	return found;
}

/* Reads the command line, without the directory of the program. */
static bool read_command(int pid, char *out, size_t size)
{
	char path[64], words[HOLDER_TEXT_SIZE / 2];
	const char *name;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	len = fread(words, 1, sizeof(words) - 1, f);
	fclose(f);
	while (len && !words[len - 1])
		len--;
	words[len] = '\0';
	name = strrchr(words, '/') ? strrchr(words, '/') + 1 : words;
	for (char *at = words; at < words + len; at++)
		*at = *at ? *at : ' ';
	snprintf(out, size, "%s", name);
	return len;
}

/* Returns the name of the user who logged in, whatever user the process runs as now, or NULL. */
static const char *login_name(int pid)
{
	const struct passwd *user;
	char path[64];
	unsigned int uid;
	FILE *f;
	int got;

	snprintf(path, sizeof(path), "/proc/%d/loginuid", pid);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	got = fscanf(f, "%u", &uid);
	fclose(f);
	user = got == 1 && uid != (unsigned int)-1 ? getpwuid(uid) : NULL;
	return user ? user->pw_name : NULL;
}

bool holder_text(int fd, char out[HOLDER_TEXT_SIZE])
{
	char command[HOLDER_TEXT_SIZE / 2];
	const char *user;
	struct stat file;
	int pid;

	if (fstat(fd, &file))
		return false;
	pid = find_holder(&file);
	if (!pid || !read_command(pid, command, sizeof(command)))
		return false;
	user = login_name(pid);
	snprintf(out, HOLDER_TEXT_SIZE, "%s (pid %d%s%s)", command, pid, user ? ", " : "",
		 user ? user : "");
	return true;
}
