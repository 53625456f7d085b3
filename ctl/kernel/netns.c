/* SPDX-License-Identifier: GPL-2.0-only */
#include "netns.h"

#include <ctype.h>
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

/* A thread has a network namespace of its own. present: the thread's, 0 until it is asked for.
 * home: the one that it returns to. */
static _Thread_local uint64_t present, home;
/* All namespace files are on one device; /run/netns may hold ordinary files too. */
static _Thread_local dev_t nsfs;
static _Thread_local netns_lost_fn *on_lost;

static int ask_present(void)
{
	struct stat st;

	if (stat(OWN_NETNS, &st))
		return -errno;
	home = present = st.st_ino;
	nsfs = st.st_dev;
	return 0;
}

int netns_init(netns_lost_fn *lost, struct err *e)
{
	int err = ask_present();

	on_lost = lost;
	return err ? fail(e, err, OWN_NETNS, "finding out the network namespace: %s (see doctor)",
			  strerror(-err))
		   : 0;
}

uint64_t netns_inode(void)
{
	if (!present)
		ask_present();
	return present;
}

bool netns_is_hosts(uint64_t inode)
{
	struct stat st;

	return !stat("/proc/1/ns/net", &st) && st.st_ino == inode;
}

int netns_open(void)
{
	int fd = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- entering ---- */

/* inode: of the file that must still be there, 0: any. Returns 1, 0 where it is gone, or negative
 * errno. */
static int enter_path(const char *path, uint64_t inode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int ret = 1;

	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno;
	if (fstat(fd, &st) || (!(inode && st.st_ino != inode) && setns(fd, CLONE_NEWNET)))
		ret = -errno;
	else if (inode && st.st_ino != inode)
		ret = 0;
	close(fd);
	return ret;
}

int netns_enter(const char *name, struct err *e)
{
	char path[PATH_MAX];
	int ret = 0;

	if (*name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..") &&
	    snprintf(path, sizeof(path), NAMED_NETNS "/%s", name) < (int)sizeof(path))
		ret = enter_path(path, 0);
	if (ret > 0)
		return 0;
	return fail(e, ret ? ret : -ENOENT, *name ? name : "''",
		    "entering the network namespace: %s (see %s)",
		    ret ? caps_why(ret, CAPS(SYS_ADMIN)) : "no such network namespace",
		    ret == -EPERM ? "doctor" : "ip netns");
}

/* ---- finding ---- */

/* A function that is called with every path to a namespace. A result above 0 ends the search. */
typedef int path_fn(void *arg, const char *path, uint64_t inode, const char *name);

/* Returns 1 for a namespace, 0 for none: a process that has ended is in none. */
static int look_at(const char *path, uint64_t *inode)
{
	struct stat st;

	if (!stat(path, &st)) {
		*inode = st.st_ino;
		return st.st_dev == nsfs;
	}
	if (errno == ENOENT || errno == ESRCH)
		return 0;
	return errno == EPERM ? -EACCES : -errno;
}

/* Visits dir/NAME, or dir/PID/suffix. It continues after entries that cannot be read, and returns
 * the first such error where no call returns above 0. */
static int each_in(const char *dir, const char *suffix, path_fn *fn, void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[PATH_MAX];
	uint64_t inode = 0;
	int ret = 0, first = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (ret <= 0) {
		errno = 0;
		entry = readdir(d);
		if (!entry) {
			first = first ? first : -errno;
			break;
		}
		if (entry->d_name[0] == '.' ||
		    (*suffix && !isdigit((unsigned char)entry->d_name[0])) ||
		    snprintf(path, PATH_MAX, "%s/%s%s", dir, entry->d_name, suffix) >= PATH_MAX)
			continue;
		ret = look_at(path, &inode);
		if (ret > 0)
			ret = fn(arg, path, inode, *suffix ? "" : entry->d_name);
		if (ret < 0 && !first)
			first = ret;
	}
	closedir(d);
	return ret > 0 ? ret : first;
}

/* Returns whether /proc lists every process: hidepid hides those that may not be traced. */
static bool sees_all_processes(void)
{
	return caps_have(CAPS(SYS_PTRACE)) && caps_first_pid_ns() == 1;
}

static int each_netns(path_fn *fn, void *arg)
{
	int named = each_in(NAMED_NETNS, "", fn, arg), ret;

	if (named > 0)
		return named;
	ret = each_in("/proc", "/ns/net", fn, arg);
	if (ret > 0)
		return ret;
	if (named)
		return named;
	return ret || sees_all_processes() ? ret : -EACCES;
}

const char *netns_why(int err)
{
	if (err == -ENOENT)
		return "no name (ip netns) and no process leads to it";
	if (err != -EACCES)
		return caps_why(err, CAPS(SYS_ADMIN));
	if (!caps_have(CAPS(SYS_ADMIN) | CAPS(SYS_PTRACE)))
		return caps_why(err, CAPS(SYS_ADMIN) | CAPS(SYS_PTRACE));
	return caps_first_pid_ns() == 1
		       ? "it has no name (ip netns), and some processes may not be looked at"
		       : "it has no name (ip netns), and processes outside this PID namespace are not seen";
}

static int enter_if(void *arg, const char *path, uint64_t inode, const char *name)
{
	(void)name;
	return inode == *(const uint64_t *)arg ? enter_path(path, inode) : 0;
}

int netns_enter_inode(uint64_t inode, int *back)
{
	int fd, ret;

	*back = -1;
	if (netns_inode() == inode)
		return 0;
	fd = netns_open();
	if (fd < 0)
		return fd;
	ret = each_netns(enter_if, &inode);
	if (ret <= 0) {
		close(fd);
		return ret ? ret : -ENOENT;
	}
	present = inode;
	*back = fd;
	return 0;
}

static void return_to(int back, uint64_t inode)
{
	if (setns(back, CLONE_NEWNET)) {
		struct err e;

		fail(&e, -errno, OWN_NETNS,
		     "returning to the network namespace that it started in: %s (changes made so far are in force, see status; run the command again)",
		     strerror(errno));
		if (on_lost)
			on_lost(&e);
		abort();
	}
	close(back);
	present = inode;
}

void netns_return(int back)
{
	if (back >= 0)
		return_to(back, home);
}

/* ---- searching ---- */

struct search {
	uint64_t *visited;
	size_t count, room;
	int (*here)(void *arg, const char *name);
	void *arg;
};

static int note_visit(struct search *s, uint64_t inode)
{
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		uint64_t *more = realloc(s->visited, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->visited = more;
		s->room = room;
	}
	s->visited[s->count++] = inode;
	return 0;
}

static int visit(void *arg, const char *path, uint64_t inode, const char *name)
{
	struct search *s = arg;
	int ret;

	for (size_t i = 0; i < s->count; i++)
		if (s->visited[i] == inode)
			return 0;
	/* Where the thread is already there, no permission is needed. */
	ret = inode == present ? 1 : enter_path(path, inode);
	if (ret <= 0)
		return ret;
	present = inode;
	ret = note_visit(s, inode);
	return ret ? ret : s->here(s->arg, name);
}

int netns_search(int (*here)(void *arg, const char *name), void *arg)
{
	struct search s = {.here = here, .arg = arg};
	const uint64_t here_already = netns_inode();
	int back = netns_open();
	int ret;

	if (back < 0)
		return back;
	ret = each_netns(visit, &s);
	free(s.visited);
	if (present != here_already)
		return_to(back, here_already);
	else
		close(back);
	return ret;
}
