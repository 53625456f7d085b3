/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of the kernel, of the permissions of this process, and of what mangle builds on. */
#include "check_machine.h"

#include <errno.h>
#include <glob.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel/bpffs.h"
#include "kernel/caps.h"
#include "kernel/host.h"

#define KERNEL(major, minor) ((major) << 8 | (minor))

static void check_kernel(struct findings *f, struct machine *m)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	m->release = KERNEL(major, minor);
	if (m->release < KERNEL(5, 10))
		add_finding(f, "kernel", CHECK_BAD, "%s is too old (5.10 or later is needed)",
			    name.release);
	else
		add_finding(f, "kernel", CHECK_OK, "%s", name.release);
}

/* The remedy for a missing capability: root has all of them, unless they were taken away. */
static const char *more_rights(void)
{
	return geteuid() == 0 ? "give this process the capability: see Permissions in mangle-ctl(8)"
			      : "run as root";
}

/* Returns whether programs can be loaded. */
static bool check_permissions(struct findings *f)
{
	static const struct {
		uint64_t caps;
		enum check_state state;
		const char *may, *may_not;
	} features[] = {
		{CAPS(BPF), CHECK_BAD, "tables can be changed",
		 "tables cannot be changed, and entities cannot be listed"},
		{CAPS_PROGRAM, CHECK_BAD, "programs can be loaded",
		 "programs cannot be loaded: no attach, no explain, no first service with connections or replies"},
		{CAPS(SYS_ADMIN), CHECK_WARN, "all network namespaces can be entered",
		 "no upgrade, other network namespaces cannot be entered or looked into, bpffs cannot be mounted"},
	};

	if (geteuid() != 0)
		add_finding(f, "permissions", CHECK_BAD,
			    "only root can open the tables (run as root)");
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++) {
		const char *missing = caps_missing(features[i].caps);

		if (missing)
			add_finding(f, "permissions", features[i].state, "%s: %s (%s)", missing,
				    features[i].may_not, more_rights());
		else
			add_finding(f, "permissions", CHECK_OK, "%s", features[i].may);
	}
	if (caps_have(CAPS(BPF)) && probe_maps() == -EPERM) {
		add_finding(
			f, "permissions", CHECK_BAD,
			"bpf(2) is refused despite the capabilities (allow it in the seccomp profile of the container or unit)");
		return false;
	}
	return caps_have(CAPS_PROGRAM);
}

static void check_memlock(struct findings *f, const struct machine *m)
{
	struct rlimit limit;

	if (m->release >= KERNEL(5, 11) || getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_max == RLIM_INFINITY || caps_have(CAPS(SYS_RESOURCE)))
		return;
	add_finding(
		f, "locked memory", CHECK_WARN,
		"limited to %llu bytes, and this kernel charges tables to it (ulimit -l unlimited)",
		(unsigned long long)limit.rlim_max);
}

static void check_frames(struct findings *f, struct machine *m)
{
	struct err why;

	if (!m->may_probe)
		return;
	m->features = *prog_probe();
	if (prog_probe_told(&why))
		add_finding(f, "kernel", CHECK_BAD, "%s", why.line);
	else if (m->features.frags && m->features.load_bytes)
		add_finding(f, "large frames", CHECK_OK,
			    "frames of more than one buffer are handled");
	else
		add_finding(
			f, "large frames", CHECK_WARN,
			"this kernel does not give programs frames of more than one buffer, as jumbo frames are (5.18 or later does)");
}

static void check_connection(struct findings *f, const struct machine *m)
{
	if (!m->may_probe)
		return;
	if (m->features.connection)
		add_finding(f, "TCP connection mode", CHECK_OK, "this kernel can");
	else if (m->features.types_unread)
		add_finding(
			f, "TCP connection mode", CHECK_BAD,
			"cannot tell: the kernel's types cannot be read (see /sys/kernel/btf/vmlinux)");
	else
		add_finding(
			f, "TCP connection mode", CHECK_WARN,
			"the kernel has no bpf_sk_assign_tcp_reqsk: TCP in segment mode only (Linux 6.9 or later can)");
}

static void check_dispatcher(struct findings *f, const struct machine *m)
{
	static const char *const places[] = {
		"/usr/lib/bpf/xdp-dispatcher.o", "/usr/lib/*/bpf/xdp-dispatcher.o",
		"/usr/lib64/bpf/xdp-dispatcher.o", "/usr/local/lib*/bpf/xdp-dispatcher.o"};
	const char *missing = caps_missing(CAPS_PROGRAM | CAPS(SYS_ADMIN));
	bool found = getenv("LIBXDP_OBJECT_PATH");

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !found; i++) {
		glob_t g;

		found = !glob(places[i], 0, NULL, &g);
		globfree(&g);
	}
	if (missing)
		add_finding(f, "dispatcher", CHECK_WARN, "%s: mangle attaches alone (%s)", missing,
			    more_rights());
	else if (!m->features.dispatcher)
		add_finding(
			f, "dispatcher", CHECK_INFO,
			"this kernel does not let programs share an interface: mangle attaches alone, and not where another XDP program is");
	else if (!found)
		add_finding(
			f, "dispatcher", CHECK_WARN,
			"libxdp's xdp-dispatcher.o is not found: mangle attaches alone (install all of libxdp)");
	else
		add_finding(f, "dispatcher", CHECK_OK,
			    "other XDP programs can share the interface");
}

/* Where it cannot be mounted by this process, the check of the tables reports that. */
static void check_bpffs(struct findings *f)
{
	const char *missing = caps_missing(CAPS(SYS_ADMIN));

	if (bpffs_is_mounted() > 0)
		add_finding(f, "bpffs", CHECK_OK, "mounted on " BPFFS);
	else if (access(BPFFS, F_OK))
		add_finding(f, "bpffs", CHECK_BAD,
			    "there is no " BPFFS
			    " (mount sysfs; the kernel needs CONFIG_BPF_SYSCALL)");
	else if (!bpffs_may_mount())
		return;
	else if (missing)
		add_finding(
			f, "bpffs", CHECK_BAD,
			"not mounted, and mangle-ctl cannot mount it: %s (mount -t bpf bpf " BPFFS
			")",
			missing);
	else
		add_finding(f, "bpffs", CHECK_OK,
			    "not mounted yet: mangle-ctl mounts it on " BPFFS " when it is needed");
}

static void check_jit(struct findings *f)
{
	int on, err = host_setting("core/bpf_jit_enable", &on);

	if (err)
		add_finding(f, "JIT", CHECK_INFO,
			    "cannot read /proc/sys/net/core/bpf_jit_enable: %s",
			    err == -ENOENT ? "it exists in the initial network namespace only"
					   : strerror(-err));
	else if (on)
		add_finding(f, "JIT", CHECK_OK, "programs are compiled");
	else
		add_finding(
			f, "JIT", CHECK_WARN,
			"programs are interpreted, which is slow (sysctl net.core.bpf_jit_enable=1)");
}

void check_machine(struct findings *f, struct machine *m)
{
	*m = (struct machine){.release = 0};
	check_kernel(f, m);
	m->may_probe = check_permissions(f);
	check_memlock(f, m);
	check_frames(f, m);
	check_connection(f, m);
	check_dispatcher(f, m);
	check_bpffs(f);
	check_jit(f);
}
