/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading, attaching, running. Attached through libxdp's dispatcher where the kernel has what that
 * needs, so that others can share the interface; else by a BPF link of our own, pinned. Every
 * interface has an instance of its own, which knows the interface's name.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "caps.h"
#include "mangle.skel.h"
#include "netdev.h"
#include "prog_internal.h"

#define LINK_PREFIX "link-"
#define LIBXDP_DIR "/sys/fs/bpf/xdp"
#define TCX_INGRESS 46	   /* BPF_TCX_INGRESS, Linux 6.6; not in every linux/bpf.h */
#define DISPATCHER_PRIO 50 /* libxdp's default; xdp-filter (10) comes before */

/* ---- what the libraries say ---- */

/* Their last warning, for the one line that an error is. */
static char last_warning[256];

static void keep_warning(const char *fmt, va_list ap)
{
	char line[sizeof(last_warning)];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (line[0])
		memcpy(last_warning, line, sizeof(line));
}

static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN)
		keep_warning(fmt, ap);
	return 0;
}

static int on_libxdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBXDP_WARN)
		keep_warning(fmt, ap);
	return 0;
}

void prog_quiet(void)
{
	libbpf_set_print(on_libbpf);
	libxdp_set_print(on_libxdp);
	last_warning[0] = '\0';
}

static const char *why(int err, uint64_t wanted)
{
	static char text[sizeof(last_warning) + 128];
	const char *refused = caps_refused(err, wanted);

	if (refused)
		return refused;
	snprintf(text, sizeof(text), "%s%s%s", strerror(-err), last_warning[0] ? "; " : "",
		 last_warning);
	return text;
}

const char *prog_why(int err)
{
	return why(err, CAPS_PROGRAM);
}

/* ---- probing ---- */

static bool probe_frags(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, o, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "mangle_probe", "GPL", insns, 2, &o);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Of the type, the interface is looked for last. */
static bool probe_tcx(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_UNSPEC},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "mangle_probe", "GPL", insns, 2, NULL);
	bool found;

	if (fd < 0)
		return false;
	/* Who does not know it says EINVAL; any other trouble shows again when it is used. */
	found = bpf_link_create(fd, -1, TCX_INGRESS, NULL) < 0 && errno != EINVAL;
	close(fd);
	return found;
}

/* By what the kernel says that it has: some have it in a version earlier than others. */
static bool probe_connection(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool found;

	if (libbpf_get_error(btf))
		return false;
	found = btf__find_by_name_kind(btf, "bpf_sk_assign_tcp_reqsk", BTF_KIND_FUNC) > 0 &&
		btf__find_by_name_kind(btf, "bpf_tcp_req_attrs", BTF_KIND_STRUCT) > 0;
	btf__free(btf);
	return found;
}

/* Asked once: reading the kernel's types takes longer than most commands. */
void prog_probe(struct prog_features *f)
{
	static struct prog_features found;
	static bool probed;

	prog_quiet();
	if (!probed) {
		found.frags = probe_frags();
		found.load_bytes = libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP,
							   BPF_FUNC_xdp_load_bytes, NULL) == 1;
		/* libxdp opens programs by their ids */
		found.dispatcher = caps_have(CAPS(SYS_ADMIN)) &&
				   libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1;
		found.tcx = probe_tcx();
		found.connection = probe_connection();
		probed = true;
	}
	*f = found;
}

/* ---- loading ---- */

/* Opens an instance on the store's maps; what is left is to load it. */
/* epoch: struct mangle_gate; 0: it has no gate. */
static struct mangle_bpf *open_instance(const struct store *s, const char *ifname, bool explaining,
					uint64_t epoch, const struct prog_features *f,
					struct err *e)
{
	const struct store_fds fds = store_fds(s);
	struct mangle_bpf *skel = mangle_bpf__open();
	int err = 0;

	if (!skel) {
		fail(e, -errno, ifname, "opening the program: %s", prog_why(-errno));
		return NULL;
	}
	skel->rodata->have_load_bytes = f->load_bytes;
	skel->rodata->explaining = explaining;
	skel->rodata->gated = epoch != 0;
	skel->rodata->own_epoch = epoch;
	memset((void *)skel->rodata->own_ifname, 0, sizeof(skel->rodata->own_ifname));
	strncpy((char *)skel->rodata->own_ifname, ifname, MANGLE_IFNAME_SIZE - 1);
	if (f->frags)
		bpf_program__set_flags(skel->progs.mangle, BPF_F_XDP_HAS_FRAGS);
	if (!explaining)
		err = bpf_map__set_autocreate(skel->maps.explained, false);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.config, fds.config);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.tables, fds.tables);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.stats, fds.stats);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.gate, fds.gate);
	if (err) {
		fail(e, err, ifname, "preparing the program: %s", prog_why(err));
		mangle_bpf__destroy(skel);
		return NULL;
	}
	return skel;
}

/*
 * In generic mode without frags: since 6.9 the kernel copies a frame for programs that have them,
 * and the copy comes to tc without the length of its link layer header, which tc's programs then do
 * not see. Without them it makes one buffer of the frame in place.
 */
static struct prog_features in_mode(const struct prog_features *f, uint32_t mode)
{
	struct prog_features can = *f;

	can.frags &= mode != MODE_GENERIC;
	return can;
}

static struct mangle_bpf *load_instance(const struct store *s, const char *ifname, bool explaining,
					const struct prog_features *f, struct err *e)
{
	struct mangle_bpf *skel = open_instance(s, ifname, explaining, 0, f, e);
	int err;

	if (!skel)
		return NULL;
	err = mangle_bpf__load(skel);
	if (err) {
		fail(e, err, "program", "loading it into the kernel: %s (see doctor)",
		     prog_why(err));
		mangle_bpf__destroy(skel);
		return NULL;
	}
	return skel;
}

struct mangle_bpf *prog_load(const struct store *s, const struct mangle_iface *i,
			     const struct prog_features *f, struct err *e)
{
	struct prog_features can = in_mode(f, i->mode);

	return load_instance(s, i->name, false, &can, e);
}

int prog_fd(const struct mangle_bpf *skel)
{
	return bpf_program__fd(skel->progs.mangle);
}

void prog_unload(struct mangle_bpf *skel)
{
	mangle_bpf__destroy(skel);
}

int prog_info(int fd, struct bpf_prog_info *info)
{
	uint32_t size = sizeof(*info);

	memset(info, 0, size);
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

/* Which programs' text this is: FNV-1a (RFC 9923) of the embedded objects. */
void prog_build(uint8_t build[8])
{
	size_t size, session_size;
	const void *bytes = mangle_bpf__elf_bytes(&size);
	const void *session = session_elf(&session_size);
	uint64_t hash = hash_bytes(0xcbf29ce484222325ULL, bytes, size);

	hash = hash_bytes(hash, session, session_size);
	memcpy(build, &hash, sizeof(hash));
}

bool prog_is_own(const struct mangle_iface *i)
{
	uint8_t build[8];

	prog_build(build);
	return !memcmp(i->build, build, sizeof(build));
}

/* ---- attaching ---- */

const char *prog_link_path(char buf[PATH_SIZE], const struct mangle_iface *i)
{
	snprintf(buf, PATH_SIZE, STORE_DIR "/" LINK_PREFIX "%u", i->pin);
	return buf;
}

/* Who is on the interface already, for the error line. */
static int say_busy(const char *ifname, unsigned int ifindex, struct err *e)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	struct bpf_prog_info info = {0};
	int fd = -1;

	if (!bpf_xdp_query((int)ifindex, 0, &q) && q.prog_id)
		fd = bpf_prog_get_fd_by_id(q.prog_id);
	if (fd >= 0) {
		prog_info(fd, &info);
		close(fd);
	}
	return fail(
		e, -EBUSY, ifname,
		"attaching: another XDP program is on it (id %u, name %s), which cannot be shared with on this kernel or in this mode (detach it first, for instance: ip link set dev %s xdp off)",
		q.prog_id, info.name[0] ? info.name : "unknown", ifname);
}

static bool other_mode_may_do(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ERANGE || err == -E2BIG;
}

static int say_attach_error(const char *ifname, unsigned int ifindex, int mode, int err,
			    struct err *e)
{
	if (err == -EBUSY || err == -EEXIST)
		return say_busy(ifname, ifindex, e);
	return fail(e, err, ifname, "attaching (%s): %s%s",
		    mode == MODE_GENERIC ? "generic" : "native", prog_why(err),
		    mode != MODE_GENERIC && other_mode_may_do(err) ? " (try --mode generic)"
								   : " (see doctor)");
}

static int attach_link(const struct mangle_iface_key *k, const struct mangle_iface *i, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, o,
		    .flags = i->mode == MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	char path[PATH_SIZE];
	int err = 0;
	int fd = bpf_link_create(prog_fd, (int)k->ifindex, BPF_XDP, &o);

	if (fd < 0)
		return -errno;
	if (bpf_obj_pin(fd, prog_link_path(path, i)))
		err = -errno;
	close(fd);
	return err;
}

/* 0 attached by the pinned link; the program's instance is loaded here. */
static int attach_plain(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
			const struct prog_features *f, struct err *e)
{
	struct mangle_bpf *skel = prog_load(s, i, f, e);
	struct bpf_prog_info info;
	int err;

	if (!skel)
		return -EIO;
	i->dispatcher = 0;
	err = prog_info(prog_fd(skel), &info);
	if (err) {
		fail(e, err, i->name, "attaching: %s (see doctor)", prog_why(err));
		goto out;
	}
	i->prog_id = i->pin = info.id;
	err = attach_link(k, i, prog_fd(skel));
	if (err)
		say_attach_error(i->name, k->ifindex, (int)i->mode, err, e);
out:
	mangle_bpf__destroy(skel);
	return err;
}

static struct xdp_program *find_program(struct xdp_multiprog *mp, uint32_t id)
{
	struct xdp_program *p = NULL;

	while ((p = xdp_multiprog__next_prog(p, mp)))
		if (xdp_program__id(p) == id)
			break;
	return p;
}

static int attach_xdp_program(struct xdp_program *p, unsigned int ifindex, uint32_t mode)
{
	return xdp_program__attach(p, (int)ifindex,
				   mode == MODE_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
}

static void detach_xdp_program(struct xdp_program *p, unsigned int ifindex, uint32_t mode)
{
	xdp_program__detach(p, (int)ifindex, mode == MODE_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE,
			    0);
}

/*
 * 0 attached through the dispatcher, -EOPNOTSUPP where libxdp could not use one (nothing is
 * attached then), or another error with e set.
 */
int prog_dispatch(const struct store *s, const struct mangle_iface_key *k,
		  const struct mangle_iface *i, const struct prog_features *f, uint64_t epoch,
		  uint32_t *id, struct err *e)
{
	struct prog_features can = in_mode(f, i->mode);
	struct mangle_bpf *skel = open_instance(s, i->name, false, epoch, &can, e);
	DECLARE_LIBXDP_OPTS(xdp_program_opts, o, .prog_name = "mangle");
	struct xdp_multiprog *mp;
	struct bpf_prog_info info;
	struct xdp_program *p;
	bool shared;
	int err;

	if (!skel)
		return -EIO;
	o.obj = skel->obj;
	p = xdp_program__create(&o);
	err = (int)libxdp_get_error(p);
	if (err) {
		fail(e, err, i->name, "preparing the program for libxdp: %s", prog_why(err));
		goto out;
	}
	if (can.frags)
		xdp_program__set_xdp_frags_support(p, true);
	xdp_program__set_run_prio(p, DISPATCHER_PRIO);
	err = attach_xdp_program(p, k->ifindex, i->mode);
	if (err) {
		say_attach_error(i->name, k->ifindex, (int)i->mode, err, e);
		goto out;
	}
	/* libxdp falls back to attaching the bare program; then a link of our own is better. */
	mp = xdp_multiprog__get_from_ifindex((int)k->ifindex);
	shared = !libxdp_get_error(mp) && !xdp_multiprog__is_legacy(mp);
	if (!libxdp_get_error(mp))
		xdp_multiprog__close(mp);
	err = prog_info(xdp_program__fd(p), &info);
	*id = info.id;
	if (!shared) {
		detach_xdp_program(p, k->ifindex, i->mode);
		err = -EOPNOTSUPP;
	}
out:
	if (!libxdp_get_error(p))
		xdp_program__close(p);
	mangle_bpf__destroy(skel);
	return err;
}

/* Is it one of ours that no record names? A run was killed between attaching and recording. */
static bool is_stray(const struct store *s, const struct mangle_iface *ifaces, size_t n,
		     struct xdp_program *p)
{
	uint32_t id = xdp_program__id(p), maps[64], gate = store_gate_id(s);
	struct bpf_prog_info info = {.nr_map_ids = 64, .map_ids = (uintptr_t)maps};
	uint32_t size = sizeof(info);

	for (size_t i = 0; i < n; i++)
		if (ifaces[i].dispatcher && (ifaces[i].prog_id == id || ifaces[i].next_id == id))
			return false;
	if (bpf_obj_get_info_by_fd(xdp_program__fd(p), &info, &size))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++)
		if (gate && maps[i] == gate)
			return true;
	return false;
}

void prog_undispatch_strays(struct store *s, uint32_t ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	uint32_t strays[16];
	struct xdp_program *p = NULL;
	struct err ignored;
	size_t n, found = 0;

	if (libxdp_get_error(mp))
		return;
	if (!xdp_multiprog__is_legacy(mp) && !store_ifaces(s, &keys, &ifaces, &n, &ignored)) {
		while ((p = xdp_multiprog__next_prog(p, mp)) && found < 16)
			if (is_stray(s, ifaces, n, p))
				strays[found++] = xdp_program__id(p);
		free(keys);
		free(ifaces);
	}
	xdp_multiprog__close(mp);
	while (found)
		prog_undispatch(ifindex, strays[--found]);
}

static int attach_dispatcher(struct store *s, const struct mangle_iface_key *k,
			     struct mangle_iface *i, const struct prog_features *f, struct err *e)
{
	uint64_t epoch;
	int err = store_epoch(s, &epoch, e);

	if (err)
		return err;
	prog_undispatch_strays(s, k->ifindex);
	i->dispatcher = 1;
	return prog_dispatch(s, k, i, f, epoch, &i->prog_id, e);
}

static int attach_in(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		     uint32_t mode, const struct prog_features *f, struct err *e)
{
	int err = -EOPNOTSUPP;

	i->mode = mode;
	if (f->dispatcher)
		err = attach_dispatcher(s, k, i, f, e);
	return err == -EOPNOTSUPP ? attach_plain(s, k, i, f, e) : err;
}

/* 1 found and attached, 0 there is none, or negative errno. A record of what is gone goes too. */
static int find_record(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *out,
		       struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	size_t n;
	int err = store_ifaces(s, &keys, &ifaces, &n, e);
	int found = 0;

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++) {
		bool attached = prog_locate(s, &keys[i], &ifaces[i]);

		if (keys[i].netns != k->netns || keys[i].ifindex != k->ifindex)
			continue;
		if (attached) {
			*out = ifaces[i];
			found = 1;
		} else { /* the device went, and came back under the same index */
			err = prog_detach(s, &keys[i], &ifaces[i], e);
		}
	}
	free(keys);
	free(ifaces);
	return err ? err : found;
}

int prog_attach(struct store *s, const char *ifname, const char *netns_name, int mode,
		struct prog_needs needs, int *got, bool *changed, struct err *e)
{
	struct mangle_iface_key k = {.netns = netns_inode()};
	struct mangle_iface i = {0};
	struct prog_features f;
	struct netdev dev;
	struct err ignored;
	int err = netdev_get(ifname, &dev, e);

	*changed = false;
	if (err)
		return err;
	k.ifindex = (uint32_t)dev.ifindex;
	prog_sweep(s); /* what a killed run left would be in the way */
	err = find_record(s, &k, &i, e);
	if (err < 0)
		return err;
	if (err) {
		*got = (int)i.mode;
		if (mode && (uint32_t)mode != i.mode)
			return fail(
				e, -EEXIST, ifname,
				"attaching: it is attached in %s mode already (detach it first)",
				i.mode == MODE_GENERIC ? "generic" : "native");
		return session_set(s, &k, &i, needs, NULL, e);
	}
	memset(&i, 0, sizeof(i));
	prog_build(i.build);
	snprintf(i.name, sizeof(i.name), "%s", ifname);
	snprintf(i.netns_name, sizeof(i.netns_name), "%s", netns_name ? netns_name : "");
	prog_probe(&f);
	/* tc first: what XDP leaves to it is dealt with from the first packet on. */
	err = session_set(s, &k, &i, needs, &f, e);
	if (!err) {
		err = attach_in(s, &k, &i, mode ? (uint32_t)mode : MODE_NATIVE, &f, e);
		if (!mode && other_mode_may_do(err))
			err = attach_in(s, &k, &i, MODE_GENERIC, &f, e);
	}
	if (err) {
		session_clear(&k, &i);
		store_iface_del(s, &k, &ignored);
		return err;
	}
	err = store_iface_put(s, &k, &i, e);
	if (err) {
		prog_detach(s, &k, &i, &ignored);
		return err;
	}
	*got = (int)i.mode;
	*changed = true;
	return 0;
}

/* ---- detaching ---- */

/* Maps and programs are refused as such; of a link it is the program that is none. */
static bool is_link(int fd)
{
	return !bpf_link_update(fd, -1, NULL) || errno != EINVAL;
}

/* At once, where closing and unpinning would leave it to a worker. Done already where its device
 * has gone. */
static int link_detach(int fd)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	int err = bpf_link_detach(fd) ? -errno : 0;

	/* tcx's member lies where xdp's does, and is not in every linux/bpf.h. */
	return err && !bpf_obj_get_info_by_fd(fd, &info, &size) && !info.xdp.ifindex ? 0 : err;
}

int prog_unpin(const char *path)
{
	int fd = bpf_obj_get(path), err;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!is_link(fd)) {
		close(fd);
		snprintf(last_warning, sizeof(last_warning), "%s is no link of mangle's", path);
		return -EBADF;
	}
	err = link_detach(fd);
	close(fd);
	return err ? err : unlink(path) ? -errno : 0;
}

static int detach_link(const struct mangle_iface *i)
{
	char path[PATH_SIZE];

	return prog_unpin(prog_link_path(path, i));
}

int prog_undispatch(uint32_t ifindex, uint32_t id)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *p;
	int err = (int)libxdp_get_error(mp);

	if (err)
		return err == -EPERM ? err : 0;
	p = id ? find_program(mp, id) : NULL;
	if (p)
		err = xdp_program__detach(p, (int)ifindex, xdp_multiprog__attach_mode(mp), 0);
	xdp_multiprog__close(mp);
	return err;
}

/* Is that dispatcher on the interface of that index in the thread's namespace? In doubt it is. */
static bool has_dispatcher(uint32_t ifindex, uint32_t dispatcher)
{
	uint32_t id = 0;
	int err = bpf_xdp_query_id((int)ifindex, 0, &id);

	return err ? err != -ENODEV : id == dispatcher;
}

/* Does that directory of libxdp's hold the program? */
static bool holds(const char *path, uint32_t prog)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char pin[sizeof(LIBXDP_DIR) + 2 * (size_t)(NAME_MAX + 1)];
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		struct bpf_prog_info info = {0};
		size_t length = strlen(entry->d_name);
		int fd;

		if (length < 5 || strcmp(entry->d_name + length - 5, "-prog"))
			continue;
		snprintf(pin, sizeof(pin), "%s/%s", path, entry->d_name);
		fd = bpf_obj_get(pin);
		if (fd < 0)
			continue;
		found = !prog_info(fd, &info) && info.id == prog;
		close(fd);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void remove_pins(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

/*
 * Of a device that has gone, or been made anew, libxdp's pins stay and hold all programs of its
 * dispatcher. libxdp_clean_references() goes by the index alone, which an interface of another
 * namespace may have too, so this goes by the program. ifindex: in the thread's namespace; 0 where
 * the device's has gone.
 */
static void forget_dispatcher(uint32_t ifindex, uint32_t prog)
{
	DIR *dir = opendir(LIBXDP_DIR);
	struct dirent *entry;

	if (!dir)
		return;
	flock(dirfd(dir), LOCK_EX); /* as libxdp does */
	while ((entry = readdir(dir))) {
		char path[NAME_MAX + sizeof(LIBXDP_DIR) + 1];
		uint32_t index, dispatcher;

		if (sscanf(entry->d_name, "dispatch-%u-%u", &index, &dispatcher) != 2)
			continue;
		snprintf(path, sizeof(path), LIBXDP_DIR "/%s", entry->d_name);
		if (!(ifindex && has_dispatcher(ifindex, dispatcher)) && holds(path, prog))
			remove_pins(path);
	}
	closedir(dir);
}

static int detach_dispatcher(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	int back, err = netns_enter_inode(k->netns, &back);

	if (err && err != -ENOENT)
		return err;
	if (err) {
		forget_dispatcher(0, i->prog_id);
		return 0;
	}
	err = prog_undispatch(k->ifindex, i->next_id);
	if (!err)
		err = prog_undispatch(k->ifindex, i->prog_id);
	if (!err)
		forget_dispatcher(k->ifindex, i->prog_id);
	netns_return(back);
	return err;
}

int prog_detach(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		struct err *e)
{
	struct mangle_iface left = *i;
	int err;

	prog_quiet();
	err = i->dispatcher ? detach_dispatcher(k, i) : detach_link(i);
	if (!err)
		err = session_clear(k, &left);
	if (err)
		return fail(e, err, i->name, "detaching: %s (see doctor)",
			    why(err, CAPS(NET_ADMIN) | (i->dispatcher ? CAPS(SYS_ADMIN) : 0)));
	return store_iface_del(s, k, e);
}

static bool is_recorded(const struct mangle_iface *ifaces, size_t n, const char *pin)
{
	uint32_t id;

	if (sscanf(pin, LINK_PREFIX "%u", &id) != 1 && sscanf(pin, TC_LINK_PREFIX "%u", &id) != 1)
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
				prog_unpin(path);
		free(keys);
		free(ifaces);
	}
	closedir(dir);
}

bool prog_linked(const char *path, uint32_t *id)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_obj_get(path);
	bool linked;

	/* In doubt it is: what is taken for gone is cleared away. */
	if (fd < 0)
		return errno != ENOENT;
	if (!is_link(fd)) {
		linked = false;
	} else if (bpf_obj_get_info_by_fd(fd, &info, &size)) {
		linked = true;
	} else {
		/* tcx's member lies where xdp's does, and is not in every linux/bpf.h. */
		linked = info.xdp.ifindex;
		*id = info.prog_id;
	}
	close(fd);
	return linked;
}

/* Is the program on the interface of that index in the thread's namespace? */
static bool is_on(uint32_t ifindex, const struct mangle_iface *i)
{
	struct xdp_multiprog *mp;
	uint32_t id = 0;
	bool on = false;

	if (!i->dispatcher)
		return !bpf_xdp_query_id((int)ifindex, 0, &id) && id == i->prog_id;
	mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	if (libxdp_get_error(mp) == -EPERM) { /* and who may not ask */
		on = true;
	} else if (!libxdp_get_error(mp)) {
		on = find_program(mp, i->prog_id) != NULL;
		xdp_multiprog__close(mp);
	}
	return on;
}

/* Of two in the dispatcher the one that acts is prog_id afterwards, the other one next_id. */
static void turn(const struct store *s, struct mangle_iface *i)
{
	uint32_t other = i->next_id;
	struct err ignored;
	uint64_t epoch;

	if (!other || store_epoch(s, &epoch, &ignored) || epoch != i->next_epoch)
		return;
	i->next_id = i->prog_id;
	i->prog_id = other;
	i->next_epoch = 0; /* nobody's */
}

int prog_settle(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		struct err *e)
{
	int err;

	turn(s, i);
	if (!i->next_id)
		return 0;
	err = prog_undispatch(k->ifindex, i->next_id);
	if (err)
		return fail(e, err, i->name, "taking off the program that was replaced: %s",
			    prog_why(err));
	i->next_id = 0;
	return store_iface_put(s, k, i, e);
}

struct sought {
	struct mangle_iface_key *key;
	struct mangle_iface *iface;
};

static int search_here(void *arg, const char *netns_name)
{
	struct if_nameindex *all = if_nameindex();
	struct sought *s = arg;
	int found = 0;

	for (struct if_nameindex *at = all; at && at->if_index && !found; at++) {
		if (!is_on(at->if_index, s->iface))
			continue;
		s->key->netns = netns_inode();
		s->key->ifindex = at->if_index;
		snprintf(s->iface->netns_name, sizeof(s->iface->netns_name), "%s", netns_name);
		found = 1;
	}
	if (all)
		if_freenameindex(all);
	return found;
}

int prog_locate(struct store *s, struct mangle_iface_key *k, struct mangle_iface *i)
{
	const struct mangle_iface_key before = *k;
	struct sought sought = {k, i};
	char path[PATH_SIZE];
	struct err ignored;
	int back, err;

	prog_quiet();
	if (i->dispatcher)
		turn(s, i);
	else if (!prog_linked(prog_link_path(path, i), &i->prog_id))
		i->prog_id = 0;
	if (!i->prog_id)
		return 0;
	err = netns_enter_inode(k->netns, &back);
	if (err == -EPERM) /* who may not look takes it to be there still */
		return 1;
	if (!err) {
		bool on = is_on(k->ifindex, i);

		netns_return(back);
		if (on)
			return 1;
	}
	/* A link is attached, even where we cannot see to what. */
	if (!netns_search(search_here, &sought))
		return !i->dispatcher;
	/* The same key, where the first look has failed. */
	if (!store_iface_put(s, k, i, &ignored) && memcmp(k, &before, sizeof(before)))
		store_iface_del(s, &before, &ignored);
	return 1;
}

/* ---- running ---- */

struct explainer {
	struct mangle_bpf *skel;
	int explained; /* map */
};

/* Does every attached program come from this build? */
static int check_builds(struct store *s, struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	size_t n;
	int err = store_ifaces(s, &keys, &ifaces, &n, e);

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		if (!prog_is_own(&ifaces[i]))
			err = fail(
				e, -EBADF, ifaces[i].name,
				"explaining: the program on it is of another build than this mangle-ctl (use mangle-ctl upgrade, or the mangle-ctl that attached it)");
	free(keys);
	free(ifaces);
	return err;
}

int explainer_open(struct explainer **out, struct store *s, const char *ifname, struct err *e)
{
	struct prog_features f;
	struct explainer *x;
	int err = check_builds(s, e);

	*out = NULL;
	if (err)
		return err;
	x = calloc(1, sizeof(*x));
	if (!x)
		return fail(e, -ENOMEM, "explain", "loading the program: out of memory");
	prog_probe(&f);
	x->skel = load_instance(s, ifname ? ifname : "", true, &f, e);
	if (!x->skel) {
		free(x);
		return -EIO;
	}
	x->explained = bpf_map__fd(x->skel->maps.explained);
	*out = x;
	return 0;
}

void explainer_close(struct explainer *x)
{
	if (!x)
		return;
	mangle_bpf__destroy(x->skel);
	free(x);
}

static int run_once(int fd, const void *frame, size_t len, void *out, size_t *out_len,
		    struct err *e)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len,
		    .data_out = out, .data_size_out = (uint32_t)len);
	int err = bpf_prog_test_run_opts(fd, &run);

	if (err == -EINVAL || err == -E2BIG || err == -ENOMEM)
		return fail(e, -EMSGSIZE, "explain",
			    "running a frame of %zu bytes: this kernel cannot run one of that size",
			    len);
	if (err)
		return fail(e, err, "explain", "running a frame of %zu bytes: %s", len,
			    strerror(-err));
	if (out_len)
		*out_len = run.data_size_out;
	return (int)run.retval;
}

int explainer_run(struct explainer *x, const void *frame, size_t len, void *out,
		  struct mangle_explained *said, struct err *e)
{
	const uint32_t zero = 0;
	int err = run_once(prog_fd(x->skel), frame, len, out, NULL, e);

	if (err < 0)
		return err;
	if (bpf_map_lookup_elem(x->explained, &zero, said))
		return fail(e, -errno, "explain", "reading what the program said: %s",
			    strerror(errno));
	return 0;
}

struct runner {
	struct mangle_bpf *skel;
};

int runner_open(struct runner **out, struct store *s, const char *ifname, struct err *e)
{
	struct runner *r = calloc(1, sizeof(*r));
	struct prog_features f;

	*out = NULL;
	if (!r)
		return fail(e, -ENOMEM, "program", "loading it: out of memory");
	prog_probe(&f);
	r->skel = load_instance(s, ifname, false, &f, e);
	if (!r->skel) {
		free(r);
		return -EIO;
	}
	*out = r;
	return 0;
}

void runner_close(struct runner *r)
{
	if (!r)
		return;
	mangle_bpf__destroy(r->skel);
	free(r);
}

int runner_run(struct runner *r, const void *frame, size_t len, void *out, size_t *out_len,
	       struct err *e)
{
	return run_once(prog_fd(r->skel), frame, len, out, out_len, e);
}
