/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <dirent.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "holder.h"
#include "store_internal.h"

#define BPFFS "/sys/fs/bpf"

/* The pinned maps. CPUs multiply the entries of stats, and add to those of gate. */
const struct map_spec STATS = {
	"stats",       BPF_MAP_TYPE_ARRAY, 4, sizeof(struct mangle_stats), MANGLE_STATS_SLOTS,
	BPF_F_MMAPABLE};
const struct map_spec IFACES = {"ifaces",
				BPF_MAP_TYPE_HASH,
				sizeof(struct mangle_iface_key),
				sizeof(struct mangle_iface),
				MANGLE_MAX_IFACES,
				0};
const struct map_spec TABLES = {"tables", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, MANGLE_TABLE_SLOTS, 0};
const struct map_spec FLOWS = {"flows", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0};
const struct map_spec GATE = {"gate", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct mangle_gate),
			      1,      BPF_F_MMAPABLE};
const struct map_spec LAYOUT = {"layout", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct mangle_layout), 1,
				0};
const struct map_spec CONFIG = {"config", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0};

/* ---- CPUs ---- */

/* One more than the greatest number in a list like "0-3,8". */
static unsigned int cpu_count(const char *path)
{
	char text[256] = "";
	FILE *f = fopen(path, "re");
	char *at;

	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	at = text + strlen(text);
	while (at > text && at[-1] != '-' && at[-1] != ',')
		at--;
	return *at ? (unsigned int)strtoul(at, NULL, 10) + 1 : 0;
}

static int count_cpus(struct store *s, struct err *e)
{
	unsigned int online = cpu_count("/sys/devices/system/cpu/online");

	s->possible = cpu_count("/sys/devices/system/cpu/possible");
	if (!s->possible)
		return fail(e, -EIO, "/sys/devices/system/cpu/possible",
			    "counting CPUs: cannot be read (mount /sys)");
	if (!online || online > s->possible)
		online = s->possible;
	s->cpus.own = online;
	s->cpus.regions = online < s->possible ? online + 1 : online;
	return 0;
}

/* ---- the clock of last_seen ---- */

/* What bpf_jiffies64() >> shift is now, in its low 32 bits. */
static int read_jiffies(unsigned int shift, uint32_t *out)
{
	struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = (int)shift},
		{.code = BPF_JMP | BPF_EXIT},
	};
	uint8_t frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame));
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "mangle_clock", "GPL", insns, 3, NULL);
	int err;

	if (fd < 0)
		return fd;
	err = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	*out = run.retval;
	return err;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* HZ is in no interface: count ticks for a while and take the usual value that is nearest. */
static uint32_t measure_hz(void)
{
	static const uint32_t usual[] = {100, 250, 300, 1000};
	const struct timespec nap = {.tv_nsec = 60000000};
	uint32_t from, to, best = 250;
	double best_gap = 1e9, hz;
	uint64_t start;

	if (read_jiffies(0, &from))
		return best;
	start = now_ns(CLOCK_MONOTONIC);
	nanosleep(&nap, NULL);
	if (read_jiffies(0, &to))
		return best;
	hz = (double)(to - from) * 1e9 / (double)(now_ns(CLOCK_MONOTONIC) - start);
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		double gap = hz > usual[i] ? hz / usual[i] : usual[i] / (hz > 1 ? hz : 1);

		if (gap < best_gap) {
			best_gap = gap;
			best = usual[i];
		}
	}
	return best;
}

/* ---- maps ---- */

const char *pin_path(char buf[PATH_SIZE], const char *dir, const char *name)
{
	snprintf(buf, PATH_SIZE, "%s/%s", dir, name);
	return buf;
}

const char *inner_path(char buf[PATH_SIZE], uint32_t id)
{
	snprintf(buf, PATH_SIZE, INNER_DIR "/%u", id);
	return buf;
}

/* bpf(2) itself, so that a map can be made on kernels that count memory by RLIMIT_MEMLOCK (< 5.11).
 */
static void raise_memlock(void)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &all); /* where it is refused it is mostly not needed */
}

int store_try(void)
{
	int fd;

	raise_memlock();
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mangle_try", 4, 8, 1, NULL);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int create_config_inner(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "mangle_config", 4, sizeof(struct mangle_config),
			      1, &o);
}

static int create_table_inner(uint32_t entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "mangle_table", 4, MANGLE_CELL, entries, &o);
}

static int create_flows_inner(uint32_t entries)
{
	return bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "mangle_flows", sizeof(struct mangle_flow_key),
			      sizeof(struct mangle_flow), entries, NULL);
}

static uint32_t spec_entries(const struct store *s, const struct map_spec *m)
{
	return m == &STATS  ? m->entries * (s->possible + MANGLE_STATS_OWN)
	       : m == &GATE ? m->entries + s->possible
			    : m->entries;
}

static int create_map(const struct store *s, const struct map_spec *m)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = m->flags);
	int inner = -1, fd;

	if (m == &TABLES)
		inner = create_table_inner(1);
	else if (m == &CONFIG)
		inner = create_config_inner();
	else if (m == &FLOWS)
		inner = create_flows_inner(1);
	if (m->type == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
		if (inner < 0)
			return inner;
		o.inner_map_fd = (uint32_t)inner;
	}
	fd = bpf_map_create(m->type, m->name, m->key_size, m->value_size, spec_entries(s, m), &o);
	if (inner >= 0)
		close(inner);
	return fd;
}

/* Is it what this version would have made? */
static bool map_fits(const struct store *s, const struct map_spec *m,
		     const struct bpf_map_info *info)
{
	return info->type == m->type && info->key_size == m->key_size &&
	       info->value_size == m->value_size && info->max_entries == spec_entries(s, m) &&
	       info->map_flags == m->flags;
}

int open_map(const char *path, uint32_t id, int *fd, struct bpf_map_info *info, struct err *e)
{
	uint32_t size = sizeof(*info);
	int err;

	memset(info, 0, size);
	*fd = id ? bpf_map_get_fd_by_id(id) : bpf_obj_get(path);
	if (*fd >= 0 && !bpf_obj_get_info_by_fd(*fd, info, &size))
		return 0;
	err = -errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	/* -ENOENT would be "nothing is loaded". */
	return fail(e, err == -ENOENT ? -EBADF : err, path, "opening the pin: %s (%s)",
		    caps_why(err, CAPS(BPF)),
		    err == -EPERM || err == -EACCES ? "see doctor" : "try again");
}

static int check_owner(const char *path, const struct stat *st, struct err *e)
{
	if (st->st_uid == 0)
		return 0;
	return fail(e, -EPERM, path,
		    "opening it: it belongs to user %u, not to root (remove it if nobody needs it)",
		    st->st_uid);
}

int open_pin(const struct store *s, const char *dir, const struct map_spec *m, int *fd,
	     struct err *e)
{
	struct bpf_map_info info;
	char path[PATH_SIZE];
	struct stat st;
	int err;

	if (lstat(pin_path(path, dir, m->name), &st))
		return errno == ENOENT
			       ? -ENOENT
			       : fail(e, -errno, path, "opening the pin: %s", strerror(errno));
	err = check_owner(path, &st, e);
	if (err)
		return err;
	err = open_map(path, 0, fd, &info, e);
	if (err || map_fits(s, m, &info))
		return err;
	close(*fd);
	*fd = -1;
	return fail(
		e, -EBADF, path,
		"opening the pin: it is not mangle's, or of another version, or damaged (remove it if nobody needs it)");
}

/* A map that others may find has to be complete before. */
static int fill_new(const struct map_spec *m, int fd, struct err *e)
{
	const struct mangle_gate first = {.epoch = 1};
	const uint32_t zero = 0;
	struct mangle_layout *own;
	int err = 0;

	if (m == &GATE && bpf_map_update_elem(fd, &zero, &first, BPF_ANY))
		return fail(e, -errno, m->name, "creating the map: %s", strerror(errno));
	if (m != &LAYOUT)
		return 0;
	own = malloc(sizeof(*own));
	if (!own)
		return fail(e, -ENOMEM, m->name, "creating the map: out of memory");
	err = layout_own(own, e);
	if (!err && bpf_map_update_elem(fd, &zero, own, BPF_ANY))
		err = fail(e, -errno, m->name, "creating the map: %s", strerror(errno));
	free(own);
	return err;
}

int open_or_create(const struct store *s, const char *dir, const struct map_spec *m, int *fd,
		   struct err *e)
{
	char path[PATH_SIZE];
	int err = s->private ? -ENOENT : open_pin(s, dir, m, fd, e);

	if (err != -ENOENT)
		return err;
	*fd = create_map(s, m);
	if (*fd < 0)
		return fail(e, -errno, m->name, "creating the map: %s (see doctor)",
			    caps_why(-errno, CAPS(BPF)));
	err = fill_new(m, *fd, e);
	if (!err && !s->private && bpf_obj_pin(*fd, pin_path(path, dir, m->name)))
		return fail(e, -errno, path, "pinning the map: %s", strerror(errno));
	return err;
}

int inner_create(const struct store *s, uint32_t entries, struct inner *in, struct err *e)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	char path[PATH_SIZE];

	in->fd = entries ? create_table_inner(entries) : create_config_inner();
	if (in->fd < 0)
		return fail(e, -errno, "tables", "creating a map of %zu bytes: %s (see doctor)",
			    entries ? (size_t)entries * MANGLE_CELL : sizeof(struct mangle_config),
			    caps_why(-errno, CAPS(BPF)));
	in->memory = MAP_FAILED;
	if (bpf_obj_get_info_by_fd(in->fd, &info, &size))
		goto bad;
	in->id = info.id;
	in->size = entries ? (size_t)entries * MANGLE_CELL : sizeof(struct mangle_config);
	in->memory = mmap(NULL, in->size, PROT_READ | PROT_WRITE, MAP_SHARED, in->fd, 0);
	if (in->memory == MAP_FAILED)
		goto bad;
	if (!s->private && bpf_obj_pin(in->fd, inner_path(path, in->id)))
		goto bad;
	return 0;
bad:
	fail(e, -errno, "tables", "creating a map: %s", strerror(errno));
	inner_close(in);
	return -EIO;
}

int inner_open(const struct store *s, uint32_t id, struct inner *in, struct err *e)
{
	struct bpf_map_info info;
	char path[PATH_SIZE];
	int err;

	*in = (struct inner){.id = id, .fd = -1, .memory = MAP_FAILED};
	inner_path(path, id);
	err = open_map(path, s->private ? id : 0, &in->fd, &info, e);
	if (err)
		return err;
	if (info.id != id || info.type != BPF_MAP_TYPE_ARRAY ||
	    !(info.map_flags & BPF_F_MMAPABLE)) {
		inner_close(in);
		return fail(e, -EBADF, path, "opening the pin: it is not mangle's, or damaged");
	}
	in->size = (size_t)info.max_entries * info.value_size;
	in->memory = mmap(NULL, in->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (in->memory == MAP_FAILED) {
		err = fail(e, -errno, path, "mapping it: %s", strerror(errno));
		inner_close(in);
	}
	return err;
}

int inner_map(const struct inner *in, size_t from, size_t size, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t first = from / page * page;

	if (mmap((char *)in->memory + first, from + size - first, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, in->fd, (off_t)first) == MAP_FAILED)
		return fail(e, -errno, INNER_DIR, "mapping %u: %s", in->id, strerror(errno));
	return 0;
}

int flows_create(const struct store *s, uint32_t flows, struct inner *in, struct err *e)
{
	uint32_t entries = MANGLE_FLOW_ENTRIES(flows, s->possible);
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	char path[PATH_SIZE];
	int err;

	*in = (struct inner){.fd = create_flows_inner(entries)};
	if (in->fd < 0)
		return fail(e, -errno, "flows",
			    "creating the table of %u connections: %s (see doctor)", flows,
			    caps_why(-errno, CAPS(BPF)));
	err = bpf_obj_get_info_by_fd(in->fd, &info, &size);
	in->id = info.id;
	if (!err && !s->private)
		err = bpf_obj_pin(in->fd, inner_path(path, in->id));
	if (!err)
		return 0;
	err = fail(e, -errno, "flows", "creating a map: %s", strerror(errno));
	inner_close(in);
	return err;
}

int flows_open(const struct store *s, uint32_t id, struct inner *in, struct err *e)
{
	struct bpf_map_info info;
	char path[PATH_SIZE];
	int err;

	*in = (struct inner){.id = id, .fd = -1};
	inner_path(path, id);
	err = open_map(path, s->private ? id : 0, &in->fd, &info, e);
	if (err)
		return err;
	if (info.id == id && info.type == BPF_MAP_TYPE_LRU_HASH &&
	    info.key_size == sizeof(struct mangle_flow_key) &&
	    info.value_size == sizeof(struct mangle_flow))
		return 0;
	inner_close(in);
	return fail(e, -EBADF, path, "opening the pin: it is not mangle's, or damaged");
}

/* Many at once: a system call for each of millions takes seconds. */
#define FLOWS_BATCH 4096
struct flows_batch {
	struct mangle_flow_key key[FLOWS_BATCH];
	struct mangle_flow flow[FLOWS_BATCH];
};

int flows_each(const struct inner *in, flow_fn each, void *arg, struct err *e)
{
	struct flows_batch *b = malloc(sizeof(*b));
	uint32_t at = 0, count;
	bool first = true;
	int err = 0, ret = 0;

	if (!b)
		return fail(e, -ENOMEM, "flows", "reading the table: out of memory");
	while (!err && !ret) {
		count = FLOWS_BATCH;
		err = bpf_map_lookup_batch(in->fd, first ? NULL : &at, &at, b->key, b->flow, &count,
					   NULL);
		if (err && errno != ENOENT) /* which is the end */
			ret = fail(e, -errno, "flows", "reading the table: %s", strerror(errno));
		for (uint32_t i = 0; i < count && !ret; i++)
			ret = each(arg, &b->key[i], &b->flow[i]);
		first = false;
	}
	free(b);
	return ret;
}

void flows_put(const struct inner *to, const struct mangle_flow_key *key,
	       const struct mangle_flow *flow)
{
	struct mangle_flow there;

	/* What fails here is an entry lost, as LRU may lose any. */
	if (!bpf_map_update_elem(to->fd, key, flow, BPF_NOEXIST) || errno != EEXIST)
		return;
	if (!bpf_map_lookup_elem(to->fd, key, &there) && there.isn == flow->isn &&
	    there.cookie == flow->cookie && there.state < flow->state)
		bpf_map_update_elem(to->fd, key, flow, BPF_EXIST);
}

void inner_close(struct inner *in)
{
	if (in->memory && in->memory != MAP_FAILED)
		munmap(in->memory, in->size);
	if (in->fd >= 0)
		close(in->fd);
	*in = (struct inner){.fd = -1};
}

bool inner_unpin(const struct store *s, uint32_t id)
{
	char path[PATH_SIZE];

	return s->private || !unlink(inner_path(path, id)) || errno == ENOENT;
}

int outer_set(int outer, uint32_t place, const struct inner *in, struct err *e)
{
	/* The kernel returns from this once no program can still be using what was there. */
	if (bpf_map_update_elem(outer, &place, &in->fd, BPF_ANY))
		return fail(e, -errno, "tables", "putting a map into place %u: %s", place,
			    strerror(errno));
	return 0;
}

int outer_fill(int outer, const uint32_t *places, const int *fds, uint32_t n, struct err *e)
{
	uint32_t done = n;

	/* One by one each would wait until no program is running. */
	if (!n || !bpf_map_update_batch(outer, places, fds, &done, NULL))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(outer, &places[i], &fds[i], BPF_ANY))
			return fail(e, -errno, "tables", "putting a map into place %u: %s",
				    places[i], strerror(errno));
	return 0;
}

void outer_clear(int outer, const uint32_t *places, uint32_t n)
{
	int nothing = n > 1 ? create_table_inner(1) : -1;
	int *fds = nothing >= 0 ? calloc(n, sizeof(*fds)) : NULL;
	uint32_t done = n;
	int err = -1;

	/* There is no deleting in one go, but a place can be given the smallest table there is. */
	for (uint32_t i = 0; fds && i < n; i++)
		fds[i] = nothing;
	if (fds)
		err = bpf_map_update_batch(outer, places, fds, &done, NULL);
	for (uint32_t i = 0; err && i < n; i++)
		bpf_map_delete_elem(outer, &places[i]);
	free(fds);
	if (nothing >= 0)
		close(nothing);
}

int outer_get(int outer, uint32_t place, uint32_t *id, struct err *e)
{
	*id = 0;
	if (bpf_map_lookup_elem(outer, &place, id) && errno != ENOENT)
		return fail(e, -errno, "tables", "looking into place %u: %s", place,
			    strerror(errno));
	return 0;
}

/* ---- bpffs and the lock ---- */

/* 1, 0, or negative errno. */
static int is_bpffs(void)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs))
		return errno == ENOENT ? 0 : -errno;
	return (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/*
 * In the mount namespace of init, or (where that may not be asked, or init is a container's,
 * perhaps this very process) in the kernel's first one, whose number is fixed or the first that is
 * given out. 1, 0, or negative errno; 1 where there is no /proc.
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

bool store_may_mount(void)
{
	return in_initial_mount_ns();
}

static int need_bpffs(bool mount_it, struct err *e)
{
	int here = is_bpffs();

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

static uint64_t deadline(double wait)
{
	return now_ns(CLOCK_MONOTONIC) + (uint64_t)(wait * 1e9);
}

static int take_lock(int fd, int how, uint64_t until)
{
	const struct timespec nap = {.tv_nsec = 10000000};

	while (flock(fd, how | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (now_ns(CLOCK_MONOTONIC) >= until)
			return -EBUSY;
		nanosleep(&nap, NULL);
	}
	return 0;
}

/*
 * flock lets readers in while there are readers, so those that overlap would keep a writer out for
 * ever. So whoever comes goes past `inner` first: readers at once, a writer stops there until those
 * before it have ended, and who comes meanwhile comes after it. It is only an order, and the lock
 * is the lock without it: where nothing is loaded yet there is no such directory.
 */
static int take_in_turn(int dir, bool write, uint64_t until)
{
	int turnstile = openat(dir, "inner", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int how = write ? LOCK_EX : LOCK_SH;
	int err = 0;

	if (turnstile < 0 && errno != ENOENT)
		return -errno;
	if (turnstile >= 0)
		err = take_lock(turnstile, how, until);
	if (turnstile >= 0 && !write)
		close(turnstile);
	if (!err)
		err = take_lock(dir, how, until);
	if (turnstile >= 0 && write)
		close(turnstile);
	return err;
}

static int say_locked(int dir, double wait, struct err *e)
{
	char holder[HOLDER_TEXT_SIZE] = "another mangle-ctl";

	holder_text(dir, holder);
	fail(e, -EBUSY, STORE_DIR,
	     "taking the lock: held for more than %g s by %s (try again, or wait longer: --wait SECONDS)",
	     wait, holder);
	e->status = EXIT_LOCK_BUSY;
	return -EBUSY;
}

/* The lock is on the directory; it counts only if the directory is still there once it is held. */
static int lock_dir(struct store *s, enum store_access access, double wait, struct err *e)
{
	const uint64_t until = deadline(wait);

	/* What others make is theirs, and then refused. */
	if (access != STORE_READ && geteuid() != 0)
		return fail(e, -EPERM, STORE_DIR,
			    "changing what is in it: that is for root alone (root is needed)");
	for (;;) {
		struct stat held, there;
		int err;

		if (access == STORE_CREATE && mkdir(STORE_DIR, 0700) && errno != EEXIST)
			return fail(e, -errno, STORE_DIR, "creating it: %s", strerror(errno));
		s->dir = open(STORE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->dir < 0 && errno == ENOENT)
			return -ENOENT;
		if (s->dir < 0)
			return fail(e, -errno, STORE_DIR, "opening it: %s%s", strerror(errno),
				    errno == EACCES ? " (root is needed)" : "");
		err = take_in_turn(s->dir, access != STORE_READ, until);
		if (err == -EBUSY)
			return say_locked(s->dir, wait, e);
		if (err)
			return fail(e, err, STORE_DIR, "taking the lock: %s", strerror(-err));
		if (fstat(s->dir, &held))
			return fail(e, -errno, STORE_DIR, "looking at it: %s", strerror(errno));
		err = check_owner(STORE_DIR, &held, e);
		if (err)
			return err;
		if (!stat(STORE_DIR, &there) && there.st_ino == held.st_ino)
			return 0;
		close(s->dir); /* purged while we waited */
		s->dir = -1;
	}
}

/* ---- open and close ---- */

/* An empty configuration, so that a program always finds one. */
static int first_config(struct store *s, struct err *e)
{
	struct inner in = {.fd = -1};
	struct mangle_config *c;
	int err;

	if (!s->private && mkdir(INNER_DIR, 0700) && errno != EEXIST)
		return fail(e, -errno, INNER_DIR, "creating it: %s", strerror(errno));
	err = inner_create(s, 0, &in, e);
	if (err)
		return err;
	c = in.memory;
	c->magic = MANGLE_CONFIG_MAGIC;
	c->layout = MANGLE_LAYOUT_VERSION;
	c->classifier = MANGLE_NO_TABLE;
	c->hz = measure_hz();
	err = outer_set(s->config, 0, &in, e);
	inner_close(&in);
	return err;
}

static int open_config(struct store *s, struct err *e)
{
	const struct mangle_config *c;
	struct stat st;
	uint32_t id;
	int err = outer_get(s->config, 0, &id, e);

	if (err)
		return err;
	if (!id)
		return fail(e, -EBADF, STORE_DIR "/config",
			    "reading it: there is no configuration in it (detach --all --purge)");
	if (!s->private && !lstat(INNER_DIR, &st))
		err = check_owner(INNER_DIR, &st, e);
	else if (!s->private && errno != ENOENT) /* else there is no pin either, which is said */
		err = fail(e, -errno, INNER_DIR, "opening it: %s (try again)", strerror(errno));
	if (!err)
		err = inner_open(s, id, &s->config_inner, e);
	if (!err)
		err = inner_map(&s->config_inner, 0, s->config_inner.size, e);
	if (err)
		return err;
	c = store_config(s);
	if (s->config_inner.size < sizeof(*c) || c->magic != MANGLE_CONFIG_MAGIC ||
	    c->layout != MANGLE_LAYOUT_VERSION)
		return fail(e, -EBADF, STORE_DIR "/config", "reading it: it is damaged");
	return 0;
}

static int map_stats(struct store *s, struct err *e)
{
	s->stats_size = (size_t)spec_entries(s, &STATS) * sizeof(struct mangle_stats);
	s->stats_memory = mmap(NULL, s->stats_size, PROT_READ | PROT_WRITE, MAP_SHARED, s->stats,
			       0);
	if (s->stats_memory == MAP_FAILED) {
		s->stats_memory = NULL;
		return fail(e, -errno, STORE_DIR "/stats", "mapping it: %s", strerror(errno));
	}
	return 0;
}

static bool is_pinned(const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	return !lstat(pin_path(path, STORE_DIR, name), &st) || errno != ENOENT;
}

/* Before anything else: maps of another version are not what is looked for. */
static int open_layout(struct store *s, struct mangle_layout *theirs, struct err *e)
{
	const uint32_t zero = 0;
	int err = open_pin(s, STORE_DIR, &LAYOUT, &s->layout, e);

	if (err == -ENOENT)
		return fail(
			e, -EBADF, STORE_DIR,
			"reading it: layout version 3 or older, this mangle-ctl has version %d (detach --all --purge with the mangle-ctl that made it, then attach)",
			MANGLE_LAYOUT_VERSION);
	if (!err && bpf_map_lookup_elem(s->layout, &zero, theirs))
		err = fail(e, errno == ENOENT ? -EBADF : -errno, STORE_DIR "/layout",
			   "reading it: %s (see doctor)", caps_why(-errno, CAPS(BPF)));
	else if (!err && theirs->magic != MANGLE_LAYOUT_MAGIC)
		err = fail(e, -EBADF, STORE_DIR "/layout", "reading it: it is damaged");
	return err;
}

static int check_layout(struct store *s, enum store_access access, bool *older, struct err *e)
{
	struct mangle_layout *theirs = malloc(sizeof(*theirs));
	int err = theirs ? open_layout(s, theirs, e)
			 : fail(e, -ENOMEM, STORE_DIR, "opening it: out of memory");

	*older = !err && theirs->version < MANGLE_LAYOUT_VERSION;
	if (!err &&
	    (theirs->version > MANGLE_LAYOUT_VERSION || (*older && access != STORE_UPGRADE)))
		err = fail(
			e, -EBADF, STORE_DIR,
			"reading it: layout version %u, this mangle-ctl has version %d (%s)",
			theirs->version, MANGLE_LAYOUT_VERSION,
			*older ? "use mangle-ctl upgrade"
			       : "use the mangle-ctl that made it, or detach --all --purge with that");
	free(theirs);
	return err;
}

static int create_all(struct store *s, struct err *e)
{
	uint32_t id;
	bool older;
	int err = 0;

	/* `layout` comes first and `config` last: where that is, all are. */
	if (!s->private && is_pinned(CONFIG.name))
		err = check_layout(s, STORE_CREATE, &older, e);
	else
		err = open_or_create(s, STORE_DIR, &LAYOUT, &s->layout, e);
	/* A run of another version may have been interrupted before there was a configuration. */
	if (!err && (s->private || !is_pinned(CONFIG.name)))
		err = fill_new(&LAYOUT, s->layout, e);
	if (!err)
		err = open_or_create(s, STORE_DIR, &GATE, &s->gate, e);
	if (!err)
		err = open_or_create(s, STORE_DIR, &STATS, &s->stats, e);
	if (!err)
		err = open_or_create(s, STORE_DIR, &IFACES, &s->ifaces, e);
	if (!err)
		err = open_or_create(s, STORE_DIR, &TABLES, &s->tables, e);
	if (!err)
		err = open_or_create(s, STORE_DIR, &FLOWS, &s->flows, e);
	if (!err)
		err = open_or_create(s, STORE_DIR, &CONFIG, &s->config, e);
	if (!err)
		err = outer_get(s->config, 0, &id, e);
	if (!err && !id)
		err = first_config(s, e);
	return err;
}

static int missing(int err, struct err *e)
{
	return err != -ENOENT
		       ? err
		       : fail(e, -EBADF, STORE_DIR,
			      "opening the pins: one of config, stats, ifaces, tables, flows, gate is missing (detach what is attached and remove the directory)");
}

/* Those that layout versions share, as long as they fit. */
static int open_shared(struct store *s, struct err *e)
{
	int err = open_pin(s, STORE_DIR, &TABLES, &s->tables, e);

	if (!err)
		err = open_pin(s, STORE_DIR, &FLOWS, &s->flows, e);
	if (!err)
		err = open_pin(s, STORE_DIR, &GATE, &s->gate, e);
	return missing(err, e);
}

static int open_all(struct store *s, enum store_access access, struct err *e)
{
	uint32_t id;
	bool older;
	int err;

	if (!is_pinned(CONFIG.name))
		return -ENOENT;
	err = check_layout(s, access, &older, e);
	if (!err)
		err = open_shared(s, e);
	if (!err && older)
		return migrate_begin(s, e);
	if (!err)
		err = missing(open_pin(s, STORE_DIR, &CONFIG, &s->config, e), e);
	if (!err)
		err = missing(open_pin(s, STORE_DIR, &STATS, &s->stats, e), e);
	if (!err)
		err = missing(open_pin(s, STORE_DIR, &IFACES, &s->ifaces, e), e);
	if (!err)
		err = outer_get(s->config, 0, &id, e);
	if (!err && !id)
		err = -ENOENT; /* its making was interrupted: as if nothing was loaded */
	return err;
}

static struct store *new_store(void)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s) {
		s->dir = s->config = s->tables = s->stats = s->ifaces = s->flows = -1;
		s->gate = s->layout = -1;
		s->config_inner.fd = -1;
	}
	return s;
}

static int finish_open(struct store *s, enum store_access access, double wait, struct err *e)
{
	int err = open_config(s, e);

	if (!err)
		err = map_stats(s, e);
	/* What was begun in another layout version is finished in this one, see store_migrated. */
	if (!err && store_config(s)->dirty && !s->migration) {
		if (access == STORE_READ && take_lock(s->dir, LOCK_EX, deadline(wait)))
			return fail(
				e, -EBUSY, STORE_DIR,
				"finishing an interrupted change: the lock is busy (try again)");
		err = store_recover(s, e);
	}
	return err;
}

int store_open(struct store **out, enum store_access access, double wait, struct err *e)
{
	struct store *s;
	int err = need_bpffs(access == STORE_CREATE, e);

	*out = NULL;
	if (err)
		return err;
	libbpf_set_print(NULL); /* the error says it */
	s = new_store();
	if (!s)
		return fail(e, -ENOMEM, STORE_DIR, "opening it: out of memory");
	raise_memlock();
	err = count_cpus(s, e);
	if (!err)
		err = lock_dir(s, access, wait, e);
	if (!err && access == STORE_UPGRADE)
		err = migrate_resume(e);
	if (!err)
		err = access == STORE_CREATE ? create_all(s, e) : open_all(s, access, e);
	if (!err)
		err = finish_open(s, access, wait, e);
	if (err) {
		/* Leave no trace of what could not even be made. */
		if (access == STORE_CREATE && s->dir >= 0 && s->config < 0)
			rmdir(STORE_DIR);
		store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

int store_open_private(struct store **out, struct err *e)
{
	struct store *s = new_store();
	int err;

	*out = NULL;
	if (!s)
		return fail(e, -ENOMEM, "tables", "making them: out of memory");
	s->private = true;
	raise_memlock();
	err = count_cpus(s, e);
	if (!err)
		err = create_all(s, e);
	if (!err)
		err = finish_open(s, STORE_CREATE, 0, e);
	if (err) {
		store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	const int *fds[] = {&s->config, &s->tables, &s->stats,	&s->ifaces,
			    &s->flows,	&s->gate,   &s->layout, &s->dir};

	if (!s)
		return;
	migrate_close(s);
	inner_close(&s->config_inner);
	if (s->stats_memory)
		munmap(s->stats_memory, s->stats_size);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (*fds[i] >= 0)
			close(*fds[i]); /* the directory last: it is the lock */
	free(s);
}

void store_remove_pins(const char *dir)
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

int store_purge(struct store *s, struct err *e)
{
	const struct map_spec *maps[] = {&CONFIG, &STATS, &IFACES, &TABLES, &FLOWS, &GATE, &LAYOUT};
	char path[PATH_SIZE];

	(void)s;
	/* `config` first: from then on nothing counts as loaded. */
	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		unlink(pin_path(path, STORE_DIR, maps[i]->name));
	store_remove_pins(INNER_DIR);
	store_remove_pins(NEXT_DIR);
	store_remove_pins(DONE_DIR);
	if (rmdir(STORE_DIR) && errno != ENOENT)
		return fail(e, -errno, STORE_DIR, "removing it: %s (see what is in it)",
			    strerror(errno));
	return 0;
}

/* ---- reading ---- */

int store_is_fresh(const struct store *s)
{
	return store_config(s)->generation == 0;
}

uint64_t store_generation(const struct store *s)
{
	return store_config(s)->generation;
}

const char *store_file(const struct store *s)
{
	return store_config(s)->file;
}

struct store_fds store_fds(const struct store *s)
{
	return (struct store_fds){
		.config = s->config,
		.tables = s->tables,
		.stats = s->stats,
		.flows = s->flows,
		.gate = s->gate,
	};
}

int store_index(const struct store *s, const char *name)
{
	const struct mangle_config *c = store_config(s);

	for (uint32_t i = 0; i < c->service_count && i < MANGLE_MAX_SERVICES; i++)
		if (!strncmp(c->info[i].name, name, MANGLE_NAME_SIZE))
			return (int)i;
	return -1;
}

static void prefixes_from(const struct mangle_prefix *from, unsigned int n, struct prefix *to)
{
	for (unsigned int i = 0; i < n; i++) {
		memcpy(to[i].addr, from[i].addr, sizeof(to[i].addr));
		to[i].family = from[i].family;
		to[i].len = from[i].len;
	}
}

void service_from_config(const struct mangle_config *c, uint32_t index, struct service *out)
{
	const struct mangle_service *s = &c->service[index];
	const struct mangle_service_info *info = &c->info[index];

	memset(out, 0, sizeof(*out));
	memcpy(out->name, info->name, sizeof(out->name));
	memcpy(out->ifname, info->ifname, sizeof(out->ifname));
	out->protocols = s->protocols;
	out->port_count = info->port_count;
	memcpy(out->ports, info->ports, sizeof(out->ports));
	out->daddr_count = info->daddr_count;
	prefixes_from(info->daddr, info->daddr_count, out->daddr);
	out->saddr_count = info->saddr_count;
	prefixes_from(info->saddr, info->saddr_count, out->saddr);
	out->tag_offset = s->tag_offset;
	out->tag_len = s->tag_len;
	out->size = (struct window){s->size_min, s->size_max};
	out->invalid = s->invalid;
	out->unknown = (struct target){s->unknown, s->unknown_port};
	out->tcp_mode = info->tcp_mode;
	out->reply = info->reply;
	out->observe = s->observe;
	out->targets_first = info->targets_first;
	out->targets_last = info->targets_last;
}

static int map_buckets(const struct inner *in, const struct table *t, unsigned int region,
		       uint32_t bucket, uint32_t count, struct err *e)
{
	struct table_range r = table_range(t, region, bucket, count);

	return inner_map(in, r.cell * MANGLE_CELL, r.count * MANGLE_CELL, e);
}

int table_open(const struct store *s, uint32_t id, unsigned int tag_len, enum table_part part,
	       struct inner *in, struct table *t, struct err *e)
{
	int err = inner_open(s, id, in, e);

	if (err)
		return err;
	t->cells = in->memory;
	err = inner_map(in, 0, part == TABLE_ALL ? in->size : MANGLE_CELL, e);
	if (!err && !table_valid(t, in->size / MANGLE_CELL, tag_len))
		err = fail(e, -EBADF, INNER_DIR, "reading table %u: it is damaged", id);
	if (!err && (part == TABLE_ENTITIES || part == TABLE_CARRIED))
		err = map_buckets(in, t, 0, 0, table_stride(t), e);
	if (!err && part == TABLE_CARRIED)
		err = map_buckets(in, t, t->cells->header.regions, 0, table_stride(t), e);
	if (err)
		inner_close(in);
	return err;
}

int store_table(const struct store *s, uint32_t index, enum table_part part, struct inner *in,
		struct table *t, struct err *e)
{
	const struct mangle_config *c = store_config(s);

	return table_open(s, c->info[index].table_id, c->service[index].tag_len, part, in, t, e);
}

static int no_service(const char *name, struct err *e)
{
	return fail(e, -ENOENT, name,
		    "looking for the service: there is none of that name (see service list)");
}

int store_table_row(const struct store *s, const char *service, const uint8_t *tag, uint32_t *index,
		    struct inner *in, struct table *t, struct err *e)
{
	int found = store_index(s, service);
	int err;

	if (found < 0)
		return no_service(service, e);
	*index = (uint32_t)found;
	err = store_table(s, *index, TABLE_HEADER, in, t, e);
	if (err)
		return err;
	for (unsigned int region = 0; region <= t->cells->header.regions && !err; region++)
		err = map_buckets(in, t, region, table_home(t, tag), MANGLE_MAX_REACH + 1, e);
	if (err)
		inner_close(in);
	return err;
}

struct rows {
	const struct table *t;
	struct row *row;
	size_t count;
	uint64_t jiffies; /* now */
	uint32_t hz;
	double origin; /* seconds since 1970 when jiffies were 0 */
};

/* Seconds since 1970 in the middle of that step of the clock. */
static int64_t seen_time(const struct rows *r, uint32_t seen)
{
	uint64_t now = r->jiffies >> MANGLE_SEEN_SHIFT;
	uint64_t step = now - (uint64_t)(int64_t)(int32_t)((uint32_t)now - seen);
	uint64_t jiffies = (step << MANGLE_SEEN_SHIFT) + (1U << (MANGLE_SEEN_SHIFT - 1));

	return llround(r->origin + (double)jiffies / r->hz);
}

static void fill_row(const struct rows *r, struct table_place at, const struct entity *en,
		     struct row *row)
{
	struct table_sums sum = table_sum(r->t, at);

	row->entity = *en;
	row->packets = sum.packets;
	row->bytes = sum.bytes;
	row->last_seen = sum.packets ? seen_time(r, sum.last_seen) : -1;
}

static int add_row(void *arg, struct table_place at, const struct entity *en)
{
	struct rows *r = arg;

	fill_row(r, at, en, &r->row[r->count++]);
	return 0;
}

/*
 * Jiffies tick with the clock, but from when is not said, so it is measured; and rounded to more
 * than a tick, so that the time of a packet comes out the same whenever it is asked for.
 */
static int rows_init(const struct store *s, const struct table *t, struct rows *r, struct err *e)
{
	const double step = 20; /* 1/20 s */
	uint32_t low, high;
	int err = read_jiffies(32, &high);

	if (!err)
		err = read_jiffies(0, &low);
	if (err)
		return fail(e, err, "tables", "reading the kernel's clock: %s (see doctor)",
			    caps_why(err, CAPS(BPF)));
	r->t = t;
	r->hz = store_config(s)->hz ? store_config(s)->hz : 250;
	r->jiffies = (uint64_t)high << 32 | low;
	r->origin = (double)now_ns(CLOCK_REALTIME) / 1e9 - (double)r->jiffies / r->hz;
	r->origin = (double)llround(r->origin * step) / step;
	return 0;
}

static int by_tag(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return memcmp(x->entity.tag, y->entity.tag, MANGLE_MAX_TAG);
}

int store_rows(struct store *s, const char *service, struct row **rows, size_t *count,
	       struct err *e)
{
	struct inner in = {.fd = -1};
	int index = store_index(s, service);
	struct rows r = {0};
	struct table t;
	int err;

	if (index < 0)
		return no_service(service, e);
	err = store_table(s, (uint32_t)index, TABLE_ALL, &in, &t, e);
	if (err)
		return err;
	r.row = malloc((t.cells->header.entities + 1) * sizeof(*r.row));
	err = r.row ? rows_init(s, &t, &r, e)
		    : fail(e, -ENOMEM, service, "reading its table: out of memory");
	if (!err)
		table_each(&t, add_row, &r);
	inner_close(&in);
	if (err) {
		free(r.row);
		return err;
	}
	qsort(r.row, r.count, sizeof(*r.row), by_tag);
	*rows = r.row;
	*count = r.count;
	return 0;
}

int store_get_row(struct store *s, const char *service, const struct tag *tag, struct row *out,
		  struct err *e)
{
	struct inner in = {.fd = -1};
	struct entity en = {0};
	struct table_place at;
	struct rows r = {0};
	struct table t;
	uint32_t index;
	int found = 0;
	int err;

	err = store_table_row(s, service, tag->bytes, &index, &in, &t, e);
	if (err)
		return err;
	if (table_find(&t, tag->bytes, &at) && table_value(&t, at)) {
		err = rows_init(s, &t, &r, e);
		memcpy(en.tag, tag->bytes, sizeof(en.tag));
		entity_from_value(table_value(&t, at), &en);
		if (!err)
			fill_row(&r, at, &en, out);
		found = 1;
	}
	inner_close(&in);
	return err ? err : found;
}

struct same_target {
	const struct entity *as;
	struct entity *out;
};

static int find_same_target(void *arg, struct table_place at, const struct entity *en)
{
	const struct same_target *find = arg;

	(void)at;
	if (en->target.port != find->as->target.port ||
	    !memcmp(en->tag, find->as->tag, sizeof(en->tag)))
		return 0;
	*find->out = *en;
	return 1;
}

int store_same_target(struct store *s, const char *service, const struct entity *as,
		      struct entity *out, struct err *e)
{
	struct same_target find = {as, out};
	int index = store_index(s, service);
	struct inner in = {.fd = -1};
	struct table t;
	int ret;

	if (index < 0)
		return no_service(service, e);
	if (as->target.action != ACTION_PORT)
		return 0;
	ret = store_table(s, (uint32_t)index, TABLE_ENTITIES, &in, &t, e);
	if (ret)
		return ret;
	ret = table_each(&t, find_same_target, &find);
	inner_close(&in);
	return ret;
}

static int add_entity(void *arg, struct table_place at, const struct entity *en)
{
	struct service *s = arg;

	(void)at;
	s->entities[s->entity_count++] = *en;
	return 0;
}

static int read_entities(struct store *s, uint32_t index, struct service *out, struct err *e)
{
	struct inner in = {.fd = -1};
	struct table t;
	size_t twice;
	int err = store_table(s, index, TABLE_ENTITIES, &in, &t, e);

	if (err)
		return err;
	out->entity_room = t.cells->header.entities;
	out->entities = malloc((out->entity_room + 1) * sizeof(*out->entities));
	if (out->entities) {
		table_each(&t, add_entity, out);
		service_sort_entities(out, &twice);
	} else {
		err = fail(e, -ENOMEM, out->name, "reading its table: out of memory");
	}
	inner_close(&in);
	return err;
}

int store_read_service(struct store *s, const char *name, struct service *out, struct err *e)
{
	int index = store_index(s, name);

	if (index < 0)
		return no_service(name, e);
	service_from_config(store_config(s), (uint32_t)index, out);
	return read_entities(s, (uint32_t)index, out, e);
}

int store_read(struct store *s, struct model *m, bool with_entities, struct err *e)
{
	const struct mangle_config *c = store_config(s);

	for (uint32_t i = 0; i < c->service_count && i < MANGLE_MAX_SERVICES; i++) {
		struct service svc;
		int err = 0;

		service_from_config(c, i, &svc);
		svc.keep_entities = !with_entities;
		if (with_entities)
			err = read_entities(s, i, &svc, e);
		if (!err)
			err = model_add(m, &svc, e);
		if (err) {
			service_free(&svc);
			return err;
		}
	}
	m->flows = c->flows;
	snprintf(m->file, sizeof(m->file), "%s", c->file);
	return 0;
}

struct table_sizes store_table_sizes(const struct store *s, const char *service)
{
	int index = store_index(s, service);
	struct inner in = {.fd = -1};
	struct table_sizes sizes = {0};
	struct err ignored;
	struct table t;

	if (index < 0 || store_table(s, (uint32_t)index, TABLE_HEADER, &in, &t, &ignored))
		return sizes;
	sizes = (struct table_sizes){.entities = t.cells->header.entities, .bytes = in.size};
	inner_close(&in);
	return sizes;
}

size_t store_entity_count(const struct store *s, const char *service)
{
	return store_table_sizes(s, service).entities;
}

/*
 * One CPU's cells of a slot. A packet that is being counted meanwhile can be in its reason's cell
 * and not yet in its verdict's; such a copy is taken again.
 */
static struct mangle_stats copy_stats(const struct mangle_stats *from)
{
	struct mangle_stats st = {0};

	for (int attempt = 0; attempt < 1000; attempt++) {
		uint64_t reasons = 0, verdicts = 0;

		for (size_t i = 0; i < sizeof(st) / sizeof(uint64_t); i++)
			((uint64_t *)&st)[i] = __atomic_load_n((const uint64_t *)from + i,
							       __ATOMIC_RELAXED);
		for (unsigned int i = 0; i < MANGLE_REASON_CELLS; i++)
			reasons += st.packets[i];
		for (unsigned int i = 0; i < MANGLE_VERDICT_COUNT; i++)
			verdicts += st.verdict[i];
		if (reasons == verdicts)
			break;
	}
	return st;
}

static void add_stats(const struct store *s, uint32_t slot, struct stats *out)
{
	for (unsigned int region = 0; region < s->possible + MANGLE_STATS_OWN; region++) {
		struct mangle_stats st;

		if (region == s->possible + MANGLE_STATS_BEFORE)
			continue;
		st = copy_stats(store_stats_cell(s, region, slot));

		for (unsigned int i = 0; i < MANGLE_REASON_COUNT; i++) {
			out->packets[i] += st.packets[i];
			out->bytes[i] += st.bytes[i];
		}
		for (unsigned int i = 0; i < MANGLE_VERDICT_COUNT; i++) {
			out->verdict[i] += st.verdict[i];
			out->would[i] += st.would[i];
		}
	}
}

int store_stats(struct store *s, const char *service, struct stats *out, struct err *e)
{
	const struct mangle_stats *before;
	uint32_t slot;
	int index;

	(void)e;
	memset(out, 0, sizeof(*out));
	if (!service) {
		for (slot = 0; slot <= store_config(s)->stats_high && slot < MANGLE_STATS_SLOTS;
		     slot++)
			add_stats(s, slot, out);
		return 0;
	}
	index = store_index(s, service);
	if (index < 0)
		return 0;
	slot = store_config(s)->service[index].stats;
	add_stats(s, slot, out);
	before = store_stats_cell(s, s->possible + MANGLE_STATS_BEFORE, slot);
	for (unsigned int i = 0; i < MANGLE_REASON_COUNT; i++) {
		out->packets[i] -= before->packets[i];
		out->bytes[i] -= before->bytes[i];
	}
	for (unsigned int i = 0; i < MANGLE_VERDICT_COUNT; i++) {
		out->verdict[i] -= before->verdict[i];
		out->would[i] -= before->would[i];
	}
	return 0;
}

/* ---- who acts ---- */

static struct mangle_gate *map_gate(const struct store *s, size_t *size, struct err *e)
{
	struct mangle_gate *g;

	*size = spec_entries(s, &GATE) * sizeof(*g);
	g = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, s->gate, 0);
	if (g != MAP_FAILED)
		return g;
	fail(e, -errno, STORE_DIR "/gate", "mapping it: %s", strerror(errno));
	return NULL;
}

int store_epoch(const struct store *s, uint64_t *epoch, struct err *e)
{
	size_t size;
	struct mangle_gate *g = map_gate(s, &size, e);

	if (!g)
		return -EIO;
	*epoch = __atomic_load_n(&g->epoch, __ATOMIC_ACQUIRE);
	munmap(g, size);
	return 0;
}

int store_set_epoch(struct store *s, uint64_t epoch, struct err *e)
{
	size_t size;
	struct mangle_gate *g = map_gate(s, &size, e);
	int err;

	if (!g)
		return -EIO;
	__atomic_store_n(&g->epoch, epoch, __ATOMIC_RELEASE);
	err = store_wait(s, e);
	for (unsigned int cpu = 0; cpu < s->possible && !err; cpu++)
		__atomic_store_n(&g[1 + cpu].epoch, 0, __ATOMIC_RELEASE);
	munmap(g, size);
	return err;
}

int store_wait(struct store *s, struct err *e)
{
	return outer_set(s->config, 0, &s->config_inner, e);
}

uint32_t store_gate_id(const struct store *s)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(s->gate, &info, &size) ? 0 : info.id;
}

/* ---- connections ---- */

uint32_t store_target(const struct store *s, uint16_t port)
{
	return store_config(s)->target[port];
}

uint32_t store_flows_size(const struct store *s)
{
	return store_config(s)->flows_id ? store_config(s)->flows : 0;
}

int store_flows(const struct store *s, flow_fn each, void *arg, struct err *e)
{
	struct inner in = {.fd = -1};
	int ret;

	if (!store_config(s)->flows_id)
		return 0;
	ret = flows_open(s, store_config(s)->flows_id, &in, e);
	if (!ret)
		ret = flows_each(&in, each, arg, e);
	inner_close(&in);
	return ret;
}

struct flows_prune {
	const struct inner *in;
	flow_fn judge;
	void *arg;
};

static int prune_flow(void *arg, const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	const struct flows_prune *p = arg;
	int ret = p->judge(p->arg, key, flow);

	if (ret > 0)
		bpf_map_delete_elem(p->in->fd, key);
	return ret < 0 ? ret : 0;
}

int store_flows_prune(const struct store *s, flow_fn judge, void *arg, struct err *e)
{
	struct inner in = {.fd = -1};
	struct flows_prune p = {&in, judge, arg};
	int ret;

	if (!store_config(s)->flows_id)
		return 0;
	ret = flows_open(s, store_config(s)->flows_id, &in, e);
	if (!ret)
		ret = flows_each(&in, prune_flow, &p, e);
	inner_close(&in);
	return ret;
}

/* ---- attachments ---- */

int store_ifaces(struct store *s, struct mangle_iface_key **keys, struct mangle_iface **ifaces,
		 size_t *count, struct err *e)
{
	struct mangle_iface_key *key = calloc(MANGLE_MAX_IFACES, sizeof(*key));
	struct mangle_iface *iface = calloc(MANGLE_MAX_IFACES, sizeof(*iface));
	const void *before = NULL;

	if (!key || !iface) {
		free(key);
		free(iface);
		return fail(e, -ENOMEM, "interfaces", "listing them: out of memory");
	}
	*count = 0;
	errno = 0;
	while (*count < MANGLE_MAX_IFACES &&
	       !bpf_map_get_next_key(s->ifaces, before, &key[*count])) {
		before = &key[*count];
		if (!bpf_map_lookup_elem(s->ifaces, before, &iface[*count]))
			(*count)++;
		else if (errno != ENOENT)
			break;
	}
	/* Half a list would have what is attached taken for what a killed run left. */
	if (*count < MANGLE_MAX_IFACES && errno != ENOENT) {
		fail(e, -errno, "interfaces", "listing them: %s", strerror(errno));
		free(key);
		free(iface);
		return -EIO;
	}
	*keys = key;
	*ifaces = iface;
	return 0;
}

int store_iface_put(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e)
{
	if (bpf_map_update_elem(s->ifaces, k, i, BPF_ANY))
		return fail(e, -errno, i->name, "recording the attachment: %s", strerror(errno));
	return 0;
}

bool store_iface_same(const struct mangle_iface *a, const struct mangle_iface *b)
{
	if (a->dispatcher != b->dispatcher)
		return false;
	if (!a->dispatcher)
		return a->pin == b->pin;
	return a->prog_id == b->prog_id || a->prog_id == b->next_id ||
	       (a->next_id && (a->next_id == b->prog_id || a->next_id == b->next_id));
}

int store_iface_del(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e)
{
	struct mangle_iface recorded;

	if (i && !bpf_map_lookup_elem(s->ifaces, k, &recorded) && !store_iface_same(i, &recorded))
		return 0;
	if (bpf_map_delete_elem(s->ifaces, k) && errno != ENOENT)
		return fail(e, -errno, "interfaces", "forgetting the attachment: %s",
			    strerror(errno));
	return 0;
}
