/* SPDX-License-Identifier: GPL-2.0-only */
#include "netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"

#define OWN_NETNS "/proc/thread-self/ns/net"
#define NAMED_NETNS "/run/netns"

/* The thread's namespace, 0 as long as nobody has asked, and the one it comes back to. */
static uint64_t present, home;

static uint64_t ask_inode(void)
{
	struct stat st;

	return stat(OWN_NETNS, &st) ? 0 : st.st_ino;
}

int netns_init(struct err *e)
{
	home = present = ask_inode();
	return home ? 0
		    : fail(e, -errno, OWN_NETNS,
			   "asking which network namespace this is: %s (see doctor)",
			   strerror(errno));
}

uint64_t netns_inode(void)
{
	if (!present)
		home = present = ask_inode();
	return present;
}

static bool is_netns(const char *path, uint64_t inode)
{
	struct stat own, st;

	/* The device too: in /run/netns may also lie ordinary files. */
	return !stat(OWN_NETNS, &own) && !stat(path, &st) && st.st_ino == inode &&
	       st.st_dev == own.st_dev;
}

static int enter_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		err = -errno;
	close(fd);
	return err;
}

int netns_enter(const char *name, struct err *e)
{
	char path[PATH_MAX];
	int err = -ENOENT;

	if (*name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..") &&
	    snprintf(path, sizeof(path), NAMED_NETNS "/%s", name) < (int)sizeof(path))
		err = enter_path(path);
	if (!err)
		return 0;
	return fail(e, err, *name ? name : "''", "entering the network namespace: %s (see %s)",
		    err == -ENOENT ? "there is none of that name" : caps_why(err, CAPS(SYS_ADMIN)),
		    err == -EPERM ? "doctor" : "ip netns");
}

/* The first name/suffix in dir that leads to a namespace of that inode. */
static bool find_in(const char *dir, const char *suffix, uint64_t inode, char path[PATH_MAX])
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool found = false;

	if (!d)
		return false;
	while (!found && (entry = readdir(d)))
		if (entry->d_name[0] != '.' &&
		    snprintf(path, PATH_MAX, "%s/%s%s", dir, entry->d_name, suffix) < PATH_MAX)
			found = is_netns(path, inode);
	closedir(d);
	return found;
}

int netns_enter_inode(uint64_t inode, int *back)
{
	char path[PATH_MAX];
	int err;

	*back = -1;
	if (netns_inode() == inode)
		return 0;
	if (!find_in(NAMED_NETNS, "", inode, path) && !find_in("/proc", "/ns/net", inode, path))
		return -ENOENT;
	*back = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	if (*back < 0)
		return -errno;
	err = enter_path(path);
	if (err) {
		close(*back);
		*back = -1;
	} else {
		present = inode;
	}
	return err;
}

void netns_return(int back)
{
	if (back < 0)
		return;
	setns(back, CLONE_NEWNET);
	close(back);
	present = home;
}

/* Namespaces that a search has been in. */
struct visited {
	uint64_t inode[1024];
	size_t count;
};

static bool is_new(struct visited *v)
{
	uint64_t inode = present = ask_inode();

	for (size_t i = 0; i < v->count; i++)
		if (v->inode[i] == inode)
			return false;
	if (v->count == sizeof(v->inode) / sizeof(*v->inode))
		return false;
	v->inode[v->count++] = inode;
	return true;
}

static int search_in(const char *dir, const char *suffix, struct visited *v,
		     int (*here)(void *arg, const char *name), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[PATH_MAX];
	int found = 0;

	while (d && !found && (entry = readdir(d))) {
		if (entry->d_name[0] == '.' ||
		    snprintf(path, PATH_MAX, "%s/%s%s", dir, entry->d_name, suffix) >= PATH_MAX)
			continue;
		if (!enter_path(path) && is_new(v))
			found = here(arg, *suffix ? "" : entry->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

int netns_search(int (*here)(void *arg, const char *name), void *arg)
{
	struct visited *v = calloc(1, sizeof(*v));
	int back = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	int found = 0;

	if (v && back >= 0)
		found = search_in(NAMED_NETNS, "", v, here, arg);
	if (v && back >= 0 && !found)
		found = search_in("/proc", "/ns/net", v, here, arg);
	free(v);
	netns_return(back);
	return found;
}
