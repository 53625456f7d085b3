/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "bpffs.h"
#include "caps.h"

int bpffs_is_mounted(void)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs))
		return errno == ENOENT ? 0 : -errno;
	return (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/*
 * Returns whether this is the mount namespace of init. Where that may not be read, or init is a
 * container's (perhaps this very process), it compares with the kernel's first mount namespace,
 * whose number is fixed or the first one given out. Returns 1, 0, or negative errno; 1 where there
 * is no /proc.
 */
static int in_initial_mount_ns(void)
{
	struct stat own, init;
	int first;

	if (stat("/proc/self/ns/mnt", &own))
		return errno == ENOENT ? 1 : -errno;
	first = caps_first_pid_ns();
	if (first < 0)
		return first;
	if (first && !stat("/proc/1/ns/mnt", &init))
		return own.st_ino == init.st_ino && own.st_dev == init.st_dev;
	if (first && errno != EACCES && errno != EPERM && errno != ENOENT)
		return -errno;
	return own.st_ino <= 0xf0000001UL;
}

bool bpffs_may_mount(void)
{
	return in_initial_mount_ns() > 0;
}

int bpffs_need(bool mount_it, struct err *e)
{
	int here = bpffs_is_mounted();

	if (here > 0)
		return 0;
	if (!here) {
		here = in_initial_mount_ns();
		if (!here)
			return fail(
				e, -ENOTSUP, BPFFS,
				"looking for bpffs: not mounted in this mount namespace, and what is mounted here vanishes with it (run mangle-ctl outside and name the network namespace: mangle-ctl -n NAME; in a container, bind the host's /sys/fs/bpf)");
	}
	if (here < 0)
		return fail(e, here, BPFFS, "looking for bpffs: %s (try again)", strerror(-here));
	if (!mount_it)
		return -ENOENT;
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=0700"))
		return fail(e, -errno, BPFFS, "mounting bpffs: %s (see doctor)",
			    caps_why(-errno, CAPS(SYS_ADMIN)));
	return 0;
}
