/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading, attaching, running. Attached through libxdp's dispatcher where the kernel has what that
 * needs, so that others can share the interface; else by a BPF link of our own, pinned. Every
 * interface has an instance of its own, which knows the interface's name.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "caps.h"
#include "device.h"
#include "gateway.skel.h"
#include "host.h"
#include "mangle.skel.h"
#include "netdev.h"
#include "netns.h"
#include "prog_internal.h"

#define LINK_PREFIX "link-"

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

/* ---- loading ---- */

/*
 * Not in generic mode: since 6.9 the kernel copies a frame for programs that have them, and the
 * copy comes to tc without the length of its link layer header, which tc's programs then do not
 * see. Without them it makes one buffer of the frame in place.
 */
bool prog_frags(uint32_t mode)
{
	return prog_probe()->frags && mode != MODE_GENERIC;
}

/* Is the program to ask conntrack, in the thread's network namespace? In doubt whether it
 * masquerades it is. */
bool prog_wants_conntrack(void)
{
	return host_forwards() && host_masquerades() && prog_probe()->conntrack;
}

#define SAME_PLACE(field) \
	_Static_assert(offsetof(struct gateway_bpf__rodata, field) == \
			       offsetof(struct mangle_bpf__rodata, field), \
		       "gateway.bpf.o has all that mangle.bpf.o has")
SAME_PLACE(have_load_bytes);
SAME_PLACE(explaining);
SAME_PLACE(own_ifname);
SAME_PLACE(gated);
SAME_PLACE(own_epoch);
_Static_assert(sizeof(struct gateway_bpf) == sizeof(struct mangle_bpf), "and no more");

/* The skeleton of the one fits the other, which is the same program with one stage more. */
static struct mangle_bpf *open_object(bool conntrack)
{
	struct mangle_bpf *skel = calloc(1, sizeof(*skel));
	int err = skel ? mangle_bpf__create_skeleton(skel) : -ENOMEM;

	if (!err && conntrack)
		skel->skeleton->data = gateway_bpf__elf_bytes(&skel->skeleton->data_sz);
	if (!err)
		err = bpf_object__open_skeleton(skel->skeleton, NULL);
	if (!err)
		return skel;
	mangle_bpf__destroy(skel);
	errno = -err;
	return NULL;
}

/*
 * Opens an instance for that interface on the store's maps; what is left is to load it. epoch:
 * struct mangle_gate; 0: it has no gate.
 */
static struct mangle_bpf *open_instance(const struct store *s, const struct mangle_iface *i,
					bool explaining, uint64_t epoch, struct err *e)
{
	const struct store_fds fds = store_fds(s);
	struct mangle_bpf *skel;
	int err = 0;

	if (prog_probe_told(e))
		return NULL;
	skel = open_object(i->conntrack);
	if (!skel) {
		fail(e, -errno, i->name, "opening the program: %s", prog_why(-errno));
		return NULL;
	}
	skel->rodata->have_load_bytes = prog_probe()->load_bytes;
	skel->rodata->explaining = explaining;
	skel->rodata->gated = epoch != 0;
	skel->rodata->own_epoch = epoch;
	memcpy((void *)skel->rodata->own_ifname, i->name, sizeof(skel->rodata->own_ifname));
	if (prog_frags(i->mode))
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
		fail(e, err, i->name, "preparing the program: %s", prog_why(err));
		mangle_bpf__destroy(skel);
		return NULL;
	}
	return skel;
}

static struct mangle_bpf *load_instance(const struct store *s, const struct mangle_iface *i,
					bool explaining, struct err *e)
{
	struct mangle_bpf *skel = open_instance(s, i, explaining, 0, e);
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

/* One that is attached to nothing. */
static struct mangle_bpf *load_detached(const struct store *s, const char *ifname, bool explaining,
					struct err *e)
{
	struct mangle_iface i = {.mode = MODE_NATIVE};

	strncpy(i.name, ifname, sizeof(i.name) - 1);
	return load_instance(s, &i, explaining, e);
}

struct mangle_bpf *prog_load(const struct store *s, struct mangle_iface *i, struct err *e)
{
	struct mangle_bpf *skel;

	i->conntrack = prog_wants_conntrack();
	skel = load_instance(s, i, false, e);
	if (skel || !i->conntrack)
		return skel;
	i->conntrack = 0;
	return load_instance(s, i, false, e);
}

struct mangle_bpf *prog_open(const struct store *s, const struct mangle_iface *i, uint64_t epoch,
			     struct err *e)
{
	return open_instance(s, i, false, epoch, e);
}

struct bpf_object *prog_object(const struct mangle_bpf *skel)
{
	return skel->obj;
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
	size_t size, gateway_size, session_size;
	const void *bytes = mangle_bpf__elf_bytes(&size);
	const void *gateway = gateway_bpf__elf_bytes(&gateway_size);
	const void *session = session_elf(&session_size);
	uint64_t hash = hash_bytes(0xcbf29ce484222325ULL, bytes, size);

	hash = hash_bytes(hash, gateway, gateway_size);
	hash = hash_bytes(hash, session, session_size);
	memcpy(build, &hash, sizeof(hash));
}

const char *prog_build_text(const uint8_t build[8], char buf[BUILD_TEXT_SIZE])
{
	snprintf(buf, BUILD_TEXT_SIZE, "%02x%02x%02x%02x", build[0], build[1], build[2], build[3]);
	return buf;
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

/* The XDP program on an interface: its id, 0 for none, and its name. */
static uint32_t program_on(int ifindex, char name[BPF_OBJ_NAME_LEN])
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	struct bpf_prog_info info = {0};
	uint32_t id = 0;
	int fd;

	if (!bpf_xdp_query(ifindex, 0, &q))
		id = q.prog_id ? q.prog_id : q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id;
	fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (fd >= 0) {
		prog_info(fd, &info);
		close(fd);
	}
	snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name[0] ? info.name : "unknown");
	return id;
}

/* An interface above that one which has a program; the kernel takes none below it then. */
static const struct device *find_upper(const struct devices *all, unsigned int ifindex,
				       uint32_t *id, char name[BPF_OBJ_NAME_LEN])
{
	const struct device *lower = devices_find(all, (int)ifindex);

	for (size_t i = 0; i < all->count && lower; i++) {
		if (!device_is_above(all, &all->all[i], lower, false))
			continue;
		*id = program_on(all->all[i].ifindex, name);
		if (*id)
			return &all->all[i];
	}
	return NULL;
}

/* What is on the interface already, or on one above it, for the error line. */
static int say_busy(const char *ifname, unsigned int ifindex, int err, struct err *e)
{
	char name[BPF_OBJ_NAME_LEN];
	uint32_t id = program_on((int)ifindex, name);
	const struct device *upper;
	struct devices all;

	if (id)
		return fail(
			e, -EBUSY, ifname,
			"attaching: another XDP program is on it (id %u, name %s), which cannot be shared with on this kernel or in this mode (detach it first, for instance: ip link set dev %s xdp off)",
			id, name, ifname);
	if (devices_read(&all, e))
		return -EBUSY;
	upper = find_upper(&all, ifindex, &id, name);
	if (upper)
		fail(e, -EBUSY, ifname,
		     "attaching: %s, which is above it, has an XDP program (id %u, name %s), and the kernel takes none below that (detach it, attach to %s, then attach it again)",
		     upper->name, id, name, ifname);
	else
		fail(e, -EBUSY, ifname, "attaching: %s (see ip link)", prog_why(err));
	devices_free(&all);
	return -EBUSY;
}

static bool other_mode_may_do(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ERANGE || err == -E2BIG;
}

int prog_say_refused(const char *ifname, unsigned int ifindex, int mode, int err, struct err *e)
{
	if (err == -EBUSY || err == -EEXIST)
		return say_busy(ifname, ifindex, err, e);
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
			struct err *e)
{
	struct mangle_bpf *skel = prog_load(s, i, e);
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
		prog_say_refused(i->name, k->ifindex, (int)i->mode, err, e);
out:
	mangle_bpf__destroy(skel);
	return err;
}

static int attach_dispatcher(struct store *s, const struct mangle_iface_key *k,
			     struct mangle_iface *i, struct err *e)
{
	uint64_t epoch;
	int err = store_epoch(s, &epoch, e);

	if (err)
		return err;
	prog_undispatch_strays(s, k->ifindex);
	i->dispatcher = 1;
	return prog_dispatch(s, k, i, epoch, &i->prog_id, e);
}

static int attach_in(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		     uint32_t mode, struct err *e)
{
	int err = prog_probe_told(e);

	if (err)
		return err;
	err = DISPATCHER_UNFIT;
	i->mode = mode;
	if (prog_probe()->dispatcher)
		err = attach_dispatcher(s, k, i, e);
	prog_quiet(); /* what was said till now is not why this one fails */
	return err == DISPATCHER_UNFIT || err == -EOPNOTSUPP ? attach_plain(s, k, i, e) : err;
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
		struct err why;
		int attached = prog_locate(s, &keys[i], &ifaces[i], &why);

		if (keys[i].netns != k->netns || keys[i].ifindex != k->ifindex)
			continue;
		if (attached < 0) {
			err = fail(
				e, attached, ifaces[i].name,
				"attaching: cannot tell whether it is attached already: %s (see doctor; or detach it first)",
				why.line);
		} else if (attached) {
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
	struct netdev dev;
	struct err ignored;
	int err = netdev_get(ifname, &dev, e);

	*changed = false;
	if (err)
		return err;
	prog_quiet();
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
		return session_set(s, &k, &i, needs, e);
	}
	memset(&i, 0, sizeof(i));
	prog_build(i.build);
	snprintf(i.name, sizeof(i.name), "%s", ifname);
	snprintf(i.netns_name, sizeof(i.netns_name), "%s", netns_name ? netns_name : "");
	/* tc first: what XDP leaves to it is dealt with from the first packet on. */
	err = session_set(s, &k, &i, needs, e);
	if (!err) {
		err = attach_in(s, &k, &i, mode ? (uint32_t)mode : MODE_NATIVE, e);
		if (!mode && other_mode_may_do(err))
			err = attach_in(s, &k, &i, MODE_GENERIC, e);
	}
	if (err) {
		session_clear(&k, &i);
		store_iface_del(s, &k, NULL, &ignored);
		return err;
	}
	err = store_iface_put(s, &k, &i, e);
	if (err) {
		prog_detach(s, &k, &i, &ignored);
		store_iface_del(s, &k, NULL, &ignored);
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

/* What is not found there is forgotten: prog_may_detach has seen to it that it has gone. */
static int detach_dispatcher(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	int back, err = netns_enter_inode(k->netns, &back);

	if (err) {
		prog_forget_dispatcher(0, i->prog_id);
		return 0;
	}
	err = prog_undispatch(k->ifindex, i->next_id);
	if (!err)
		err = prog_undispatch(k->ifindex, i->prog_id);
	if (!err)
		prog_forget_dispatcher(k->ifindex, i->prog_id);
	netns_return(back);
	return err;
}

bool prog_needs_netns(const struct mangle_iface *i)
{
	return i->dispatcher || (i->tc_kind && i->tc_kind != TC_TCX);
}

/* What its links say of the device, whatever namespace that is in. */
static enum pin_state device_state(const struct mangle_iface *i)
{
	char path[PATH_SIZE];
	uint32_t id;

	return i->dispatcher ? session_link(i) : prog_pin_state(prog_link_path(path, i), &id);
}

bool prog_device_gone(const struct mangle_iface *i)
{
	return device_state(i) == PIN_DEFUNCT;
}

int prog_may_detach(const struct mangle_iface_key *k, const struct mangle_iface *i, bool forced,
		    struct err *e)
{
	enum pin_state device = device_state(i);
	int back, err;

	if (!prog_needs_netns(i) || device == PIN_DEFUNCT || (!i->dispatcher && !device))
		return 0;
	err = netns_enter_inode(k->netns, &back);
	if (!err)
		netns_return(back);
	/* Where nobody is in it any more, and no link says otherwise, it has gone. */
	if (!err || (forced && i->dispatcher) || (err == -ENOENT && device == PIN_NONE))
		return 0;
	return fail(e, err, i->name, "detaching: entering its network namespace: %s (see doctor%s)",
		    netns_why(err), i->dispatcher ? "; --force takes the interface for gone" : "");
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
	return store_iface_del(s, k, i, e);
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

void prog_sweep_dispatchers(struct store *s)
{
	struct if_nameindex *all = store_is_changing_layout() ? NULL : if_nameindex();

	prog_quiet();
	for (struct if_nameindex *at = all; at && at->if_index; at++)
		prog_undispatch_strays(s, at->if_index);
	if (all)
		if_freenameindex(all);
}

enum pin_state prog_pin_state(const char *path, uint32_t *id)
{
	enum pin_state state = PIN_ALIVE;
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return errno == ENOENT ? PIN_NONE : PIN_ALIVE;
	if (!is_link(fd)) {
		state = PIN_NONE;
	} else if (!bpf_obj_get_info_by_fd(fd, &info, &size)) {
		/* tcx's member lies where xdp's does, and is not in every linux/bpf.h. */
		state = info.xdp.ifindex ? PIN_ALIVE : PIN_DEFUNCT;
		*id = info.prog_id;
	}
	close(fd);
	return state;
}

/* Is the program on the interface of that index in the thread's namespace? 1, 0, or negative errno.
 */
static int is_on(uint32_t ifindex, const struct mangle_iface *i)
{
	uint32_t id = 0;
	int err;

	if (i->dispatcher)
		return prog_dispatched(ifindex, i->prog_id);
	err = bpf_xdp_query_id((int)ifindex, 0, &id);
	if (err)
		return err == -ENODEV ? 0 : err;
	return id == i->prog_id;
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
	int found = 0, err = 0;

	if (!all)
		return -errno;
	for (struct if_nameindex *at = all; at->if_index && found <= 0; at++) {
		found = is_on(at->if_index, s->iface);
		err = found < 0 ? found : err;
		if (found <= 0)
			continue;
		s->key->netns = netns_inode();
		s->key->ifindex = at->if_index;
		snprintf(s->iface->netns_name, sizeof(s->iface->netns_name), "%s", netns_name);
	}
	if_freenameindex(all);
	return found > 0 ? 1 : err;
}

/* Is it where the record says? 1, 0, or negative errno. */
static int is_there(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	int back, ret = netns_enter_inode(k->netns, &back);

	if (ret)
		return ret;
	ret = is_on(k->ifindex, i);
	netns_return(back);
	return ret;
}

/*
 * Nothing was found, there or anywhere (negative errno: that could be looked into). A link knows
 * whether its device has gone. Of what is in a dispatcher that is certain where a tcx link beside
 * it says so, or where everything was looked into, its own namespace too unless that has gone.
 */
static bool is_gone(const struct mangle_iface *i, int there, int anywhere)
{
	enum pin_state device = device_state(i);

	if (!i->dispatcher || device == PIN_DEFUNCT)
		return device != PIN_ALIVE;
	return !anywhere && (!there || (there == -ENOENT && device == PIN_NONE));
}

int prog_locate(struct store *s, struct mangle_iface_key *k, struct mangle_iface *i,
		struct err *why)
{
	const struct mangle_iface_key before = *k;
	struct sought sought = {k, i};
	int there, found;
	char path[PATH_SIZE];
	struct err ignored;

	prog_quiet();
	if (i->dispatcher)
		turn(s, i);
	else if (prog_pin_state(prog_link_path(path, i), &i->prog_id) != PIN_ALIVE)
		i->prog_id = 0;
	if (!i->prog_id)
		return 0;
	there = is_there(k, i);
	if (there > 0)
		return 1;
	found = netns_search(search_here, &sought);
	if (found <= 0 && is_gone(i, there, found))
		return 0;
	if (found <= 0) {
		found = found ? found : there ? there : -ENOENT;
		return fail(why, found, "its network namespace", "%s", netns_why(found));
	}
	/* The same key, where the first look has failed. */
	if (!store_iface_put(s, k, i, &ignored) && memcmp(k, &before, sizeof(before)))
		store_iface_del(s, &before, i, &ignored);
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
	struct err why;
	size_t n;
	int err = store_ifaces(s, &keys, &ifaces, &n, e);

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		if (!prog_is_own(&ifaces[i]) && prog_locate(s, &keys[i], &ifaces[i], &why))
			err = fail(
				e, -EBADF, ifaces[i].name,
				"explaining: the program on it is of another build than this mangle-ctl (use mangle-ctl upgrade, or the mangle-ctl that attached it)");
	free(keys);
	free(ifaces);
	return err;
}

int explainer_open(struct explainer **out, struct store *s, const char *ifname, struct err *e)
{
	struct explainer *x;
	int err = check_builds(s, e);

	*out = NULL;
	if (err)
		return err;
	prog_quiet();
	x = calloc(1, sizeof(*x));
	if (!x)
		return fail(e, -ENOMEM, "explain", "loading the program: out of memory");
	x->skel = load_detached(s, ifname ? ifname : "", true, e);
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

	*out = NULL;
	if (!r)
		return fail(e, -ENOMEM, "program", "loading it: out of memory");
	prog_quiet();
	r->skel = load_detached(s, ifname, false, e);
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
