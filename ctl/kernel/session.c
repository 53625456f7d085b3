/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The session programs, which tc has: TCP connections on the way in, replies on the way out. They
 * are on an interface only while a service needs them, an instance for each interface, and come
 * before everybody else's. Attached by tcx links, pinned, where the kernel has those; else as
 * filters of clsact, which others use too.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netdev.h"
#include "netns.h"
#include "prog_internal.h"
#include "tc.skel.h"

#define FIRST_PRIO 50 /* of a filter where there is no other */

/* Linux 6.6; not in every linux/bpf.h. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define LINK_FIRST (1U << 3) /* BPF_F_BEFORE, and before nobody in particular: before all */

enum hook { HOOK_IN, HOOK_OUT, HOOKS };

static const enum bpf_attach_type tcx_hook[HOOKS] = {TCX_INGRESS, TCX_EGRESS};
static const enum bpf_tc_attach_point clsact_hook[HOOKS] = {BPF_TC_INGRESS, BPF_TC_EGRESS};
static const uint32_t clsact_parent[HOOKS] = {TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					      TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)};

static uint32_t id_of(const struct mangle_iface *i, enum hook h)
{
	return h == HOOK_IN ? i->tc_in : i->tc_out;
}

static void set_id(struct mangle_iface *i, enum hook h, uint32_t id)
{
	*(h == HOOK_IN ? &i->tc_in : &i->tc_out) = id;
	*(h == HOOK_IN ? &i->tc_was_in : &i->tc_was_out) = 0;
}

/* A filter's program is replaced after it is recorded; until it is known that it was, it may be
 * either. */
static void replace_id(struct mangle_iface *i, enum hook h, uint32_t id, uint32_t was)
{
	set_id(i, h, id);
	*(h == HOOK_IN ? &i->tc_was_in : &i->tc_was_out) = was;
}

const void *session_elf(size_t *size)
{
	return tc_bpf__elf_bytes(size);
}

/* ---- loading ---- */

static struct bpf_program *program_of(const struct tc_bpf *skel, enum hook h)
{
	return h == HOOK_IN ? skel->progs.tc_in : skel->progs.tc_out;
}

/* What is not wanted is not loaded either: tc_in calls what older kernels do not have. */
static struct tc_bpf *load_session(const struct store *s, const struct mangle_iface_key *k,
				   const struct mangle_iface *i, const bool want[HOOKS],
				   struct err *e)
{
	const struct store_fds fds = store_fds(s);
	struct tc_bpf *skel;
	int err = 0;

	if (prog_probe_told(e))
		return NULL;
	skel = tc_bpf__open();
	if (!skel) {
		fail(e, -errno, i->name, "opening the tc programs: %s", prog_why(-errno));
		return NULL;
	}
	skel->rodata->own_netns = (uint32_t)k->netns & ~MANGLE_FLOW_REVERSE;
	memcpy((void *)skel->rodata->own_ifname, i->name, sizeof(skel->rodata->own_ifname));
	for (enum hook h = 0; h < HOOKS && !err; h++)
		err = bpf_program__set_autoload(program_of(skel, h), want[h]);
	if (!err)
		err = bpf_map__set_autocreate(skel->maps.explained, false);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.config, fds.config);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.tables, fds.tables);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.stats, fds.stats);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.flows, fds.flows);
	if (!err)
		err = tc_bpf__load(skel);
	if (!err)
		return skel;
	fail(e, err, i->name, "loading the tc programs into the kernel: %s (see doctor)",
	     prog_why(err));
	tc_bpf__destroy(skel);
	return NULL;
}

/* ---- tcx ---- */

static const char *pin_path(char buf[PATH_SIZE], uint32_t id)
{
	snprintf(buf, PATH_SIZE, STORE_DIR "/" TC_LINK_PREFIX "%u", id);
	return buf;
}

static int attach_tcx(const struct mangle_iface_key *k, enum hook h, int prog, uint32_t id)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = LINK_FIRST);
	char path[PATH_SIZE];
	int fd = bpf_link_create(prog, (int)k->ifindex, tcx_hook[h], &o);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (bpf_obj_pin(fd, pin_path(path, id)))
		err = -errno;
	close(fd);
	return err;
}

/* The pin keeps its name: so there is no moment when the record and what is there differ. */
static int replace_tcx(uint32_t pin, int prog)
{
	char path[PATH_SIZE];
	int fd = bpf_obj_get(pin_path(path, pin));
	int err = 0;

	if (fd < 0)
		return -errno;
	if (bpf_link_update(fd, prog, NULL))
		err = -errno;
	close(fd);
	return err;
}

/* ---- clsact ---- */

/* Programs that a filter may be of: the one recorded, or the one whose place it was taking. */
struct sought {
	uint32_t id, was; /* 0: none */
};

struct filters {
	struct sought sought;
	struct netdev_tc found; /* its filter; handle 0: it is not there */
	uint32_t lowest;	/* priority; 0: there is no filter */
};

static int look_at_filter(void *arg, const struct netdev_tc *t)
{
	struct filters *f = arg;

	if (!f->lowest || t->prio < f->lowest)
		f->lowest = t->prio;
	if (t->prog_id && (t->prog_id == f->sought.id || t->prog_id == f->sought.was))
		f->found = *t;
	return 0;
}

static int list_filters(const struct mangle_iface_key *k, enum hook h, struct sought sought,
			struct filters *out)
{
	*out = (struct filters){.sought = sought};
	return netdev_tc((int)k->ifindex, clsact_parent[h], look_at_filter, out);
}

static int find_ingress(void *arg, const struct netdev_tc *t)
{
	(void)arg;
	return !strcmp(t->kind, "ingress");
}

/* Both hooks hang on one qdisc. */
static int make_clsact(const struct mangle_iface_key *k, struct mangle_iface *i, struct err *e)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int err;

	/* It takes filters for egress, and has them on ingress. */
	if (netdev_tc((int)k->ifindex, 0, find_ingress, NULL) == 1)
		return fail(
			e, -EBUSY, i->name,
			"attaching the tc programs: it has an ingress qdisc where they want clsact (tc qdisc del dev %s ingress, then tc qdisc add dev %s clsact)",
			i->name, i->name);
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return fail(e, err, i->name, "adding a clsact qdisc: %s (see doctor)",
			    prog_why(err));
	i->tc_kind = err ? TC_CLSACT : TC_OWN_CLSACT;
	return 0;
}

/* Only while nobody else uses it. */
static void remove_own_clsact(const struct mangle_iface_key *k)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	for (enum hook h = 0; h < HOOKS; h++) {
		struct filters f;

		if (list_filters(k, h, (struct sought){0}, &f) || f.lowest)
			return;
	}
	bpf_tc_hook_destroy(&hook);
}

/*
 * A priority of our own, so that no filter of others is replaced, and before them all, since the
 * verdict of one would end the way. Where 1 is taken the kernel chooses, and we come later.
 */
static int attach_clsact(const struct mangle_iface_key *k, enum hook h, int prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex, .attach_point = clsact_hook[h]);
	LIBBPF_OPTS(bpf_tc_opts, o, .prog_fd = prog);
	struct filters f;
	int err = list_filters(k, h, (struct sought){0}, &f);

	if (err)
		return err;
	o.priority = f.lowest ? f.lowest - 1 : FIRST_PRIO;
	return bpf_tc_attach(&hook, &o);
}

static int replace_clsact(const struct mangle_iface_key *k, enum hook h, struct sought old,
			  int prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex, .attach_point = clsact_hook[h]);
	LIBBPF_OPTS(bpf_tc_opts, o, .prog_fd = prog, .flags = BPF_TC_F_REPLACE);
	struct filters f;
	int err = list_filters(k, h, old, &f);

	if (err)
		return err;
	o.handle = f.found.handle;
	o.priority = f.found.prio;
	return f.found.handle ? bpf_tc_attach(&hook, &o) : -ENOENT;
}

/* 1, 0, or negative errno. */
static int is_on_clsact(const struct mangle_iface_key *k, enum hook h, struct sought id)
{
	struct filters f;
	int err = list_filters(k, h, id, &f);

	return err ? err : f.found.handle != 0;
}

static int detach_clsact(const struct mangle_iface_key *k, enum hook h, struct sought id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex, .attach_point = clsact_hook[h]);
	LIBBPF_OPTS(bpf_tc_opts, o);
	struct filters f;
	int err = list_filters(k, h, id, &f);

	if (err || !f.found.handle)
		return err;
	o.handle = f.found.handle;
	o.priority = f.found.prio;
	return bpf_tc_detach(&hook, &o);
}

/* ---- either ---- */

static struct sought filter_of(const struct mangle_iface *i, enum hook h)
{
	return (struct sought){id_of(i, h), h == HOOK_IN ? i->tc_was_in : i->tc_was_out};
}

static enum pin_state pin_state_of(const struct mangle_iface *i, enum hook h)
{
	char path[PATH_SIZE];
	uint32_t linked;

	return prog_pin_state(pin_path(path, id_of(i, h)), &linked);
}

enum pin_state session_link(const struct mangle_iface *i)
{
	enum pin_state state = PIN_NONE;

	for (enum hook h = 0; h < HOOKS && i->tc_kind == TC_TCX; h++)
		if (state == PIN_NONE && id_of(i, h))
			state = pin_state_of(i, h);
	return state;
}

/* In the interface's namespace, and so are those below: filters are found by index. 1, 0, or
 * negative errno. */
static int is_on(const struct mangle_iface_key *k, const struct mangle_iface *i, enum hook h)
{
	if (!id_of(i, h))
		return 0;
	return i->tc_kind == TC_TCX ? pin_state_of(i, h) == PIN_ALIVE
				    : is_on_clsact(k, h, filter_of(i, h));
}

/* A device that moves takes tcx links along, not filters; then they go by the wrong namespace. */
static bool are_here(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	return i->tc_netns == (uint32_t)k->netns;
}

static int take_off(const struct mangle_iface_key *k, struct mangle_iface *i, enum hook h)
{
	int was_on = is_on(k, i, h);
	int err = was_on < 0 ? was_on : 0;
	char path[PATH_SIZE];

	if (!err && id_of(i, h))
		err = i->tc_kind == TC_TCX ? prog_unpin(pin_path(path, id_of(i, h)))
					   : detach_clsact(k, h, filter_of(i, h));
	if (err)
		return err;
	set_id(i, h, 0);
	if (i->tc_in || i->tc_out)
		return 0;
	/* Where ours was not, the device has moved, and its qdisc is another one. */
	if (i->tc_kind == TC_OWN_CLSACT && was_on)
		remove_own_clsact(k);
	i->tc_kind = i->tc_netns = 0;
	return 0;
}

/* i is the record as it is to be. */
static int put_one(const struct mangle_iface_key *k, const struct mangle_iface *i, enum hook h,
		   bool replace, int prog)
{
	if (i->tc_kind == TC_TCX)
		return replace ? replace_tcx(id_of(i, h), prog)
			       : attach_tcx(k, h, prog, id_of(i, h));
	return replace ? replace_clsact(k, h, filter_of(i, h), prog) : attach_clsact(k, h, prog);
}

static int record_new(const struct tc_bpf *skel, const struct mangle_iface_key *k,
		      struct mangle_iface *i, enum hook h, bool replace, struct err *e)
{
	struct bpf_prog_info info = {0};
	struct filters f;
	int err = prog_info(bpf_program__fd(program_of(skel, h)), &info);

	/* Of the two that it may be, the one that it is. */
	if (!err && replace && i->tc_kind != TC_TCX)
		err = list_filters(k, h, filter_of(i, h), &f);
	if (err)
		return fail(e, err, i->name, "attaching the tc programs: %s", prog_why(err));
	if (!replace)
		set_id(i, h, info.id);
	else if (i->tc_kind != TC_TCX)
		replace_id(i, h, info.id, f.found.prog_id);
	return 0;
}

/*
 * Loads what is wanted as one instance, and puts it on or in the place of what is there. It is
 * recorded first: a run that is killed leaves nothing that the next one does not know of.
 */
static int put_on(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		  const bool want[HOOKS], const bool on[HOOKS], struct err *e)
{
	struct tc_bpf *skel = load_session(s, k, i, want, e);
	const struct mangle_iface before = *i;
	char path[PATH_SIZE];
	struct err ignored;
	int err = 0;

	if (!skel)
		return -EIO;
	if (!on[HOOK_IN] && !on[HOOK_OUT]) {
		if (prog_probe()->tcx)
			i->tc_kind = TC_TCX;
		else
			err = make_clsact(k, i, e);
	}
	for (enum hook h = 0; h < HOOKS && !err; h++)
		if (want[h])
			err = record_new(skel, k, i, h, on[h], e);
	i->tc_netns = (uint32_t)k->netns;
	if (!err)
		err = store_iface_put(s, k, i, e);
	/* Egress first: what ingress answers and binds is nothing to the client without it. */
	for (enum hook h = HOOKS; h-- > 0 && !err;) {
		if (!on[h] && id_of(&before, h)) /* its pin, where there is one, leads nowhere */
			prog_unpin(pin_path(path, id_of(&before, h)));
		if (want[h])
			err = put_one(k, i, h, on[h], bpf_program__fd(program_of(skel, h)));
		if (err) {
			fail(e, err, i->name, "attaching the tc programs (%s): %s (see doctor)",
			     h == HOOK_IN ? "ingress" : "egress", prog_why(err));
			if (on[h])
				replace_id(i, h, id_of(&before, h), filter_of(&before, h).was);
			else
				set_id(i, h, 0);
		}
	}
	if (err) { /* what took another's place does the same work, and stays */
		bool own = i->tc_kind == TC_OWN_CLSACT;

		for (enum hook h = 0; h < HOOKS; h++)
			if (!on[h])
				take_off(k, i, h);
		if (own && !i->tc_kind)
			remove_own_clsact(k);
		store_iface_put(s, k, i, &ignored);
	}
	tc_bpf__destroy(skel);
	return err;
}

int session_set(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		struct prog_needs needs, struct err *e)
{
	const bool want[HOOKS] = {needs.in, needs.out};
	const bool here = are_here(k, i);
	bool on[HOOKS], changed = false;
	int err = 0;

	prog_quiet();
	for (enum hook h = 0; h < HOOKS; h++) {
		int there = is_on(k, i, h);

		if (there < 0)
			return fail(e, there, i->name,
				    "looking for the tc programs: %s (see doctor)",
				    prog_why(there));
		on[h] = there;
	}
	if ((want[HOOK_IN] && !(on[HOOK_IN] && here)) ||
	    (want[HOOK_OUT] && !(on[HOOK_OUT] && here))) {
		err = put_on(s, k, i, want, on, e);
		if (err)
			return err;
	}
	for (enum hook h = 0; h < HOOKS && !err; h++) {
		if (want[h] || !id_of(i, h))
			continue;
		err = take_off(k, i, h);
		if (err)
			fail(e, err, i->name, "detaching a tc program: %s (see doctor)",
			     prog_why(err));
		changed = true;
	}
	return changed && !err ? store_iface_put(s, k, i, e) : err;
}

/* ---- upgrade ---- */

int session_prepare(const struct store *s, const struct mangle_iface_key *k,
		    const struct mangle_iface *i, struct tc_bpf **out, struct swaps *w,
		    struct err *e)
{
	const bool want[HOOKS] = {i->tc_in, i->tc_out};
	char path[PATH_SIZE];
	int err = 0;

	*out = NULL;
	if (!i->tc_kind)
		return 0;
	*out = load_session(s, k, i, want, e);
	if (!*out)
		return -EIO;
	for (enum hook h = 0; h < HOOKS && !err; h++)
		if (want[h] && i->tc_kind == TC_TCX)
			err = swaps_add(w, pin_path(path, id_of(i, h)),
					bpf_program__fd(program_of(*out, h)), i->name, e);
	return err;
}

int session_commit(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		   const struct tc_bpf *skel, struct err *e)
{
	struct filters f;
	int err = 0;

	if (!skel)
		return 0;
	for (enum hook h = 0; h < HOOKS && !err; h++) {
		if (i->tc_kind == TC_TCX || !id_of(i, h))
			continue;
		err = list_filters(k, h, filter_of(i, h), &f);
		if (err) {
			fail(e, err, i->name, "upgrading the tc programs: %s (see doctor)",
			     prog_why(err));
			break;
		}
		if (!f.found.handle) /* somebody has removed it: status says so */
			continue;
		err = record_new(skel, k, i, h, true, e);
		if (!err)
			err = store_iface_put(s, k, i, e);
		if (err)
			break;
		err = put_one(k, i, h, true, bpf_program__fd(program_of(skel, h)));
		if (err)
			fail(e, err, i->name, "upgrading the tc programs: %s (attach it again)",
			     prog_why(err));
	}
	i->tc_netns = (uint32_t)k->netns;
	return err;
}

void session_unload(struct tc_bpf *skel)
{
	tc_bpf__destroy(skel);
}

int session_clear(const struct mangle_iface_key *k, struct mangle_iface *i)
{
	int back = -1, err = 0;

	if (!i->tc_kind)
		return 0;
	if (i->tc_kind != TC_TCX)
		err = netns_enter_inode(k->netns, &back);
	if (err) /* filters go with their namespace: prog_may_detach has seen to it that it has gone
		  */
		return err == -ENOENT || err == -EACCES ? 0 : err;
	/* Ingress first, and egress stays with it: alone it would reset every connection. */
	for (enum hook h = 0; h < HOOKS && !err; h++)
		err = take_off(k, i, h);
	netns_return(back);
	return err == -ENOENT ? 0 : err;
}

/* ---- all interfaces ---- */

/* Is something to be attached, or a filter found? What else there is to do is done by pins. */
static bool needs_entering(const struct mangle_iface_key *k, const struct mangle_iface *i,
			   struct prog_needs needs)
{
	const bool want[HOOKS] = {needs.in, needs.out};
	bool needed = i->tc_kind && i->tc_kind != TC_TCX;

	for (enum hook h = 0; h < HOOKS; h++)
		needed |= want[h] && !(are_here(k, i) && is_on(k, i, h) == 1);
	return needed;
}

/* What is gone is left alone. */
static int set_there(struct store *s, struct mangle_iface_key *k, struct mangle_iface *i,
		     struct prog_needs needs, struct err *e)
{
	struct err ignored;
	int back, err;

	if ((!needs.in && !needs.out && !i->tc_kind) || !prog_locate(s, k, i, &ignored))
		return 0;
	err = netns_enter_inode(k->netns, &back);
	if (err && needs_entering(k, i, needs))
		return fail(
			e, err, i->name,
			"attaching the tc programs: entering its network namespace: %s (see doctor, or detach it)",
			netns_why(err));
	err = session_set(s, k, i, needs, e);
	netns_return(back);
	return err;
}

int prog_sessions(struct store *s, struct prog_needs needs, struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	struct prog_needs *before;
	struct err ignored;
	size_t n, done = 0;
	int err = store_ifaces(s, &keys, &ifaces, &n, e);

	if (err)
		return err;
	before = calloc(n + 1, sizeof(*before));
	if (!before)
		err = fail(e, -ENOMEM, "interfaces", "attaching the tc programs: out of memory");
	for (; done < n && !err; done++) {
		before[done] = (struct prog_needs){ifaces[done].tc_in, ifaces[done].tc_out};
		err = set_there(s, &keys[done], &ifaces[done], needs, e);
	}
	while (err && done-- > 0)
		set_there(s, &keys[done], &ifaces[done], before[done], &ignored);
	prog_sweep(s);
	free(before);
	free(keys);
	free(ifaces);
	return err;
}

int prog_sessions_ok(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	int back = -1, err = 0, ok = 1;

	if (!i->tc_kind)
		return 1;
	if (i->tc_kind != TC_TCX)
		err = netns_enter_inode(k->netns, &back);
	if (err)
		return err;
	prog_quiet();
	for (enum hook h = 0; h < HOOKS && ok > 0; h++)
		if (id_of(i, h))
			ok = are_here(k, i) ? is_on(k, i, h) : 0;
	netns_return(back);
	return ok;
}

/* ---- who needs them ---- */

static bool needs_connection(const struct service *s)
{
	return s->protocols & MANGLE_PROTO_TCP && s->tcp_mode == TCP_MODE_CONNECTION;
}

struct prog_needs prog_needs(const struct model *m)
{
	struct prog_needs needs = {0};

	for (unsigned int i = 0; i < m->service_count; i++) {
		needs.in |= needs_connection(&m->services[i]);
		needs.out |= m->services[i].reply;
	}
	needs.out |= needs.in;
	return needs;
}

int prog_can(const struct model *m, struct err *e)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		if (!needs_connection(&m->services[i]))
			continue;
		if (prog_probe()->connection)
			return 0;
		if (prog_probe()->types_unread)
			return fail(
				e, -EIO, m->services[i].name,
				"tcp connection mode: cannot tell whether the kernel can: its types cannot be read (see /sys/kernel/btf/vmlinux)");
		return fail(
			e, -EOPNOTSUPP, m->services[i].name,
			"tcp connection mode: the kernel has no bpf_sk_assign_tcp_reqsk (needs Linux 6.9 or later; for Debian 12 from bookworm-backports)");
	}
	return 0;
}
