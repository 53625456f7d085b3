/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks, and says what to do; creates and changes nothing. */
#include <errno.h>
#include <glob.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/bpffs.h"
#include "kernel/caps.h"
#include "kernel/flows.h"
#include "kernel/host.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/open.h"
#include "kernel/probe.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "engine/advice_change.h"
#include "engine/advice_host.h"
#include "engine/interfaces.h"
#include "engine/twice.h"
#include "files/config.h"
#include "engine/drift.h"
#include "print.h"

#define BPFFS "/sys/fs/bpf"
#define LINEAR_MTU 3498 /* of a frame in one page, less headroom and tail */

struct doctor {
	struct output *out;
	struct prog_features features;
	struct utsname uname;
	unsigned int release; /* KERNEL(major, minor) */
	bool blocked;
};
#define KERNEL(major, minor) ((major) << 8 | (minor))

/* A text of others may begin with what it is about. */
static const char *without_name(const char *text, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(text, name, len) && !strncmp(text + len, ": ", 2) ? text + len + 2 : text;
}

static void __attribute__((format(printf, 4, 5)))
say(struct doctor *d, const char *name, enum check_state state, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_check(d->out, name, state, without_name(text, name));
	d->blocked |= state == CHECK_BAD;
}

/* ---- the machine ---- */

static void check_kernel(struct doctor *d)
{
	unsigned int major = 0, minor = 0;

	uname(&d->uname);
	sscanf(d->uname.release, "%u.%u", &major, &minor);
	d->release = KERNEL(major, minor);
	if (d->release < KERNEL(5, 10))
		say(d, "kernel", CHECK_BAD, "%s is too old (5.10 or later is needed)",
		    d->uname.release);
	else
		say(d, "kernel", CHECK_OK, "%s", d->uname.release);
}

/* What to do about a capability that is missing: root has them all, unless they were taken. */
static const char *more_rights(void)
{
	return geteuid() == 0 ? "give this process the capability: see Permissions in mangle-ctl(8)"
			      : "run as root";
}

/* Whether programs may be loaded. */
static bool check_permissions(struct doctor *d)
{
	static const struct {
		uint64_t caps;
		enum check_state state;
		const char *may, *may_not;
	} features[] = {
		{CAPS(BPF), CHECK_BAD, "tables can be changed",
		 "tables cannot be changed, rows not be listed"},
		{CAPS_PROGRAM, CHECK_BAD, "programs can be loaded",
		 "programs cannot be loaded: no attach, no explain, no first service with connections or replies"},
		{CAPS(SYS_ADMIN), CHECK_WARN, "all network namespaces can be entered",
		 "no upgrade, other network namespaces cannot be entered or looked into, bpffs cannot be mounted"},
	};

	if (geteuid() != 0)
		say(d, "permissions", CHECK_BAD, "only root can open the tables (run as root)");
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++) {
		const char *missing = caps_missing(features[i].caps);

		if (missing)
			say(d, "permissions", features[i].state, "%s: %s (%s)", missing,
			    features[i].may_not, more_rights());
		else
			say(d, "permissions", CHECK_OK, "%s", features[i].may);
	}
	if (caps_have(CAPS(BPF)) && probe_maps() == -EPERM) {
		say(d, "permissions", CHECK_BAD,
		    "bpf(2) is refused in spite of the capabilities (let it through in the seccomp profile of the container or unit)");
		return false;
	}
	return caps_have(CAPS_PROGRAM);
}

static void check_memlock(struct doctor *d)
{
	struct rlimit limit;

	if (d->release >= KERNEL(5, 11) || getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_max == RLIM_INFINITY || caps_have(CAPS(SYS_RESOURCE)))
		return;
	say(d, "locked memory", CHECK_WARN,
	    "limited to %llu bytes, which this kernel counts tables by (ulimit -l unlimited)",
	    (unsigned long long)limit.rlim_max);
}

static void check_frames(struct doctor *d, bool may_probe)
{
	struct err why;

	if (!may_probe)
		return;
	d->features = *prog_probe();
	if (prog_probe_told(&why))
		say(d, "kernel", CHECK_BAD, "%s", why.line);
	else if (d->features.frags && d->features.load_bytes)
		say(d, "large frames", CHECK_OK, "frames of more than one buffer are handled");
	else
		say(d, "large frames", CHECK_WARN,
		    "this kernel cannot show programs frames of more than one buffer: jumbo frames (5.18 or later can)");
}

static void check_connection(struct doctor *d, bool may_probe)
{
	if (!may_probe)
		return;
	if (d->features.connection)
		say(d, "TCP connection mode", CHECK_OK, "this kernel can");
	else if (d->features.types_unread)
		say(d, "TCP connection mode", CHECK_BAD,
		    "cannot tell: the kernel's types cannot be read (see /sys/kernel/btf/vmlinux)");
	else
		say(d, "TCP connection mode", CHECK_WARN,
		    "the kernel has no bpf_sk_assign_tcp_reqsk: TCP in segment mode only (Linux 6.9 or later can)");
}

static void check_dispatcher(struct doctor *d)
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
		say(d, "dispatcher", CHECK_WARN, "%s: mangle attaches alone (%s)", missing,
		    more_rights());
	else if (!d->features.dispatcher)
		say(d, "dispatcher", CHECK_INFO,
		    "this kernel does not let programs share an interface: mangle attaches alone, and not where another XDP program is");
	else if (!found)
		say(d, "dispatcher", CHECK_WARN,
		    "libxdp's xdp-dispatcher.o is not found: mangle attaches alone (install libxdp whole)");
	else
		say(d, "dispatcher", CHECK_OK, "other XDP programs can share the interface");
}

/* Where it cannot be mounted here check_tables says so. */
static void check_bpffs(struct doctor *d)
{
	const char *missing = caps_missing(CAPS(SYS_ADMIN));
	struct statfs fs;

	if (!statfs(BPFFS, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC)
		say(d, "bpffs", CHECK_OK, "mounted on " BPFFS);
	else if (access(BPFFS, F_OK))
		say(d, "bpffs", CHECK_BAD,
		    "there is no " BPFFS " (mount sysfs; the kernel needs CONFIG_BPF_SYSCALL)");
	else if (!bpffs_may_mount())
		return;
	else if (missing)
		say(d, "bpffs", CHECK_BAD,
		    "not mounted, and mangle-ctl cannot mount it: %s (mount -t bpf bpf " BPFFS ")",
		    missing);
	else
		say(d, "bpffs", CHECK_OK,
		    "not mounted yet: mangle-ctl mounts it on " BPFFS " when it is needed");
}

static void check_jit(struct doctor *d)
{
	int on, err = host_setting("core/bpf_jit_enable", &on);

	if (err)
		say(d, "JIT", CHECK_INFO,
		    "cannot tell what /proc/sys/net/core/bpf_jit_enable is: %s",
		    err == -ENOENT ? "it is in the initial network namespace alone"
				   : strerror(-err));
	else if (on)
		say(d, "JIT", CHECK_OK, "programs are compiled");
	else
		say(d, "JIT", CHECK_WARN,
		    "programs are interpreted, which is slow (sysctl net.core.bpf_jit_enable=1)");
}

/* ---- what is loaded ---- */

static void say_all(struct doctor *d, const char *name, const struct warnings *w)
{
	static const enum check_state states[] = {
		[NOTE_INFO] = CHECK_INFO, [NOTE_WARNING] = CHECK_WARN, [NOTE_FAULT] = CHECK_BAD};

	for (size_t i = 0; i < w->count; i++)
		say(d, name, states[w->note[i].level], "%s", w->note[i].text);
}

static void check_hosts(struct doctor *d, struct store *s, const struct model *m,
			const struct attachment *a, size_t count)
{
	struct warnings w = {0};

	warn_about_hosts(&w, s, m, a, count);
	say_all(d, "connections", &w);
	free_warnings(&w);
}

static void check_services(struct doctor *d, struct store *s, const struct model *m,
			   const struct attachment *a, size_t count)
{
	struct warnings w = {0};

	say(d, "tables", CHECK_OK, "%u service%s loaded, generation %llu", m->service_count,
	    m->service_count == 1 ? "" : "s", (unsigned long long)store_generation(s));
	warn_about_running(&w, m, a, count);
	say_all(d, "services", &w);
	free_warnings(&w);
}

static int check_flows(struct doctor *d, struct store *s, struct err *e)
{
	struct warnings w = {0};
	uint64_t used;
	int err = read_flows(s, &used, e);

	if (!err)
		warn_about_flows(&w, used, store_flows_size(s));
	say_all(d, "flows", &w);
	free_warnings(&w);
	return err;
}

static void check_attachments(struct doctor *d, const struct model *m, struct attachment *a,
			      size_t count)
{
	struct warnings twice = {0};
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		struct warnings w = {0};

		any |= a[i].attached;
		if (a[i].attached)
			say(d, a[i].iface.name, CHECK_OK, "attached, %s mode",
			    a[i].iface.mode == MODE_GENERIC ? "generic" : "native");
		warn_about_attachment(&w, &a[i], m);
		say_all(d, a[i].iface.name, &w);
		free_warnings(&w);
	}
	warn_about_twice(&twice, a, count);
	say_all(d, "interfaces", &twice);
	free_warnings(&twice);
	if (!any)
		say(d, "interfaces", CHECK_WARN,
		    "nothing is attached: packets reach the shared ports unchanged (mangle-ctl attach IFACE)");
}

/* What the next boot loads, and whether it is what runs. s: NULL where nothing does, or nobody can
 * tell. */
static int check_config(struct doctor *d, struct store *s, struct err *e)
{
	struct drift drift;
	int err = drift_read_boot(s, &drift, e);
	const char *file = *drift.file ? drift.file
				       : "the built-in default (there is no " CONFIG_DEFAULT_FILE
					 ")";

	if (err)
		return err;
	if (drift.state == DRIFT_BROKEN)
		/* To another user the file may only be hidden. */
		say(d, "configuration", geteuid() == 0 ? CHECK_BAD : CHECK_WARN,
		    "%s cannot load it: %s", geteuid() == 0 ? "the next boot" : "this user",
		    drift.why.line);
	else if (s && drift.differs)
		say(d, "configuration", CHECK_WARN,
		    "%s: what runs differs from it, and goes with a reboot (mangle-ctl apply, or keep what runs: mangle-ctl save)",
		    file);
	else
		say(d, "configuration", CHECK_OK, "%s: %u service%s, %llu entit%s%s", file,
		    drift.services, drift.services == 1 ? "" : "s",
		    (unsigned long long)drift.entities, drift.entities == 1 ? "y" : "ies",
		    s ? ", as it runs" : ", can be loaded");
	return 0;
}

static int check_loaded(struct doctor *d, struct store *s, struct err *e)
{
	struct attachment *a = NULL;
	struct model m;
	size_t count;
	int err;

	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err)
		err = read_attachments(s, &a, &count, e);
	if (!err) {
		check_services(d, s, &m, a, count);
		err = check_flows(d, s, e);
	}
	if (!err)
		err = check_config(d, s, e);
	if (!err) {
		check_attachments(d, &m, a, count);
		check_hosts(d, s, &m, a, count);
	}
	model_free(&m);
	free(a);
	return err;
}

static void check_tables(const struct cmd *c, struct doctor *d)
{
	struct store *s = NULL;
	struct err why, ignored;
	int err = store_open(&s, STORE_READ, c->wait, &why);

	if (err == -ENOENT)
		say(d, "tables", CHECK_OK, "nothing is loaded");
	else if (!err)
		err = check_loaded(d, s, &why);
	if (err && err != -ENOENT)
		say(d, "tables", why.status == EXIT_LOCK_BUSY ? CHECK_WARN : CHECK_BAD, "%s",
		    why.line);
	/* The file can be judged by itself. */
	if (err)
		check_config(d, NULL, &ignored);
	store_close(s);
}

/* ---- the interface ---- */

/* feature: what ethtool calls it; NULL where it does no harm. */
static void check_offload(struct doctor *d, const char *name, const char *what, int value,
			  const char *feature, const char *bad)
{
	if (value == 1 && !feature)
		say(d, name, CHECK_INFO, "%s is on: %s", what, bad);
	else if (value == 1)
		say(d, name, CHECK_WARN, "%s is on: %s (ethtool -K %s %s off)", what, bad, name,
		    feature);
	else
		say(d, name, CHECK_OK, "%s is %s", what, value ? "not known to it" : "off");
}

static void check_offloads(struct doctor *d, const char *name)
{
	struct netdev_features f;
	struct err why;

	if (netdev_features(name, &f, &why)) {
		say(d, name, CHECK_WARN, "its offloads cannot be asked for: %s", why.line);
		return;
	}
	check_offload(
		d, name, "LRO", f.lro, "lro",
		"frames are merged before mangle sees them, and some drivers refuse to attach");
	check_offload(d, name, "hardware GRO", f.gro_hw, "rx-gro-hw",
		      "frames are merged before mangle sees them");
	check_offload(
		d, name, "VLAN stripping", f.rxvlan, NULL,
		"mangle does not see the VLAN tags that the hardware takes off, and does not match by them");
	say(d, name, CHECK_OK,
	    "checksum offload: receive %s, transmit %s; frames whose checksum is left to hardware are recognised",
	    f.rx_checksum == 1 ? "on" : "off", f.tx_checksum == 1 ? "on" : "off");
}

/* Is mangle attached to it, and with what services is it or would it be? What cannot be read is
 * told by the check of the tables. */
static bool look_up(const struct cmd *c, const struct netdev *dev, struct model *m)
{
	struct attachment *a = NULL;
	struct store *s = NULL;
	struct err ignored;
	bool attached = false;
	size_t count = 0;

	if (store_open(&s, STORE_READ, c->wait, &ignored)) {
		config_load(CONFIG_DEFAULT_FILE, m, &ignored);
		return false;
	}
	store_read(s, m, false, &ignored);
	if (!read_attachments(s, &a, &count, &ignored))
		for (size_t i = 0; i < count; i++)
			attached |= a[i].attached && is_key(&a[i], netns_inode(), dev->ifindex);
	free(a);
	store_close(s);
	return attached;
}

static void check_mode(struct doctor *d, const char *name, const struct netdev_xdp *xdp)
{
	if (!xdp->known)
		say(d, name, CHECK_INFO,
		    "whether its driver has native mode shows when it is attached: this kernel does not tell before (Linux 6.3 does)");
	else if (xdp->native)
		say(d, name, CHECK_OK, "its driver has native mode");
	else
		say(d, name, CHECK_WARN,
		    "its driver has no native mode: mangle attaches in generic mode, where segmentation offload can make one frame of many datagrams, and one tag decides for all");
}

static void check_mtu(struct doctor *d, const struct netdev *dev, const struct netdev_xdp *xdp,
		      bool may_probe)
{
	bool large = dev->mtu > LINEAR_MTU && may_probe;

	if (large && !(d->features.frags && d->features.load_bytes))
		say(d, dev->name, CHECK_WARN,
		    "MTU %u: this kernel may refuse native mode, and large frames are not looked into (ip link set %s mtu 1500)",
		    dev->mtu, dev->name);
	else if (large && xdp->native && !xdp->several_buffers)
		say(d, dev->name, CHECK_WARN,
		    "MTU %u: its driver takes no frames of several buffers in native mode, and may refuse it (ip link set %s mtu 1500)",
		    dev->mtu, dev->name);
	else
		say(d, dev->name, CHECK_OK, "MTU %u", dev->mtu);
}

/* Whether mangle can work on it. */
static bool check_device(struct doctor *d, const struct netdev *dev)
{
	struct netdev copy = *dev;
	struct err why;

	if (!check_devices(&copy, 1, &why))
		return true;
	say(d, dev->name, CHECK_BAD, "%s", why.line);
	return false;
}

static void check_interface(const struct cmd *c, struct doctor *d, const char *name, bool may_probe)
{
	struct warnings w = {0};
	struct netdev_xdp xdp;
	struct netdev dev;
	struct model m;
	struct err why;

	if (netdev_get(name, &dev, &why)) {
		say(d, name, CHECK_BAD, "%s", why.line);
		return;
	}
	if (!check_device(d, &dev))
		return;
	if (dev.up)
		say(d, dev.name, CHECK_OK, "up, ifindex %d", dev.ifindex);
	else
		say(d, dev.name, CHECK_WARN, "down: nothing is received (ip link set %s up)",
		    dev.name);
	xdp = netdev_xdp(dev.ifindex);
	check_mtu(d, &dev, &xdp, may_probe);
	check_offloads(d, dev.name);
	model_init(&m);
	if (!look_up(c, &dev, &m)) {
		check_mode(d, dev.name, &xdp);
		warn_about_device(&w, dev.ifindex, dev.name, xdp.known && !xdp.native, &m);
		say_all(d, dev.name, &w);
	}
	free_warnings(&w);
	model_free(&m);
}

int cmd_doctor(const struct cmd *c, struct err *e)
{
	struct doctor d = {.out = c->out};
	bool may_probe;

	(void)e;
	print_checks_begin(c->out);
	check_kernel(&d);
	may_probe = check_permissions(&d);
	check_memlock(&d);
	check_frames(&d, may_probe);
	check_connection(&d, may_probe);
	check_dispatcher(&d);
	check_bpffs(&d);
	check_jit(&d);
	check_tables(c, &d);
	if (c->argc)
		check_interface(c, &d, c->argv[0], may_probe);
	print_checks_end(c->out);
	return d.blocked ? EXIT_NOT_DONE : 0;
}
