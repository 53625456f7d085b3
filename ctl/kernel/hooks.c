/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <string.h>
#include <unistd.h>

#include "hooks.h"
#include "links.h"
#include "liblog.h"
#include "pins.h"

#define FIRST_PRIO 50 /* of a filter where there is no other */

/* Linux 6.6; not in every linux/bpf.h. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define LINK_FIRST (1U << 3) /* BPF_F_BEFORE without a program that it names: before all others */

static const enum bpf_attach_type tcx_hook[HOOKS] = {TCX_INGRESS, TCX_EGRESS};
static const enum bpf_tc_attach_point clsact_hook[HOOKS] = {BPF_TC_INGRESS, BPF_TC_EGRESS};
static const uint32_t clsact_parent[HOOKS] = {TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					      TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)};

/* ---- tcx ---- */

int tcx_attach(const struct mangle_iface_key *k, enum hook h, int prog, uint32_t id)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = LINK_FIRST);
	char path[PATH_SIZE];
	int fd = bpf_link_create(prog, (int)k->ifindex, tcx_hook[h], &o);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (bpf_obj_pin(fd, link_tc_path(path, id)))
		err = -errno;
	close(fd);
	return err;
}

/* The pin keeps its name: so there is no moment when the record and what is there differ. */
int tcx_replace(uint32_t pin, int prog)
{
	char path[PATH_SIZE];
	int fd = bpf_obj_get(link_tc_path(path, pin));
	int err = 0;

	if (fd < 0)
		return -errno;
	if (bpf_link_update(fd, prog, NULL))
		err = -errno;
	close(fd);
	return err;
}

/* ---- clsact ---- */

static int look_at_filter(void *arg, const struct netdev_tc *t)
{
	struct filters *f = arg;

	if (!f->lowest || t->prio < f->lowest)
		f->lowest = t->prio;
	if (t->prog_id && (t->prog_id == f->sought.id || t->prog_id == f->sought.was))
		f->found = *t;
	return 0;
}

int clsact_list(const struct mangle_iface_key *k, enum hook h, struct filter_sought sought,
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
int clsact_make(const struct mangle_iface_key *k, struct mangle_iface *i, struct err *e)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int err;

	/* It takes filters for egress, and has them on ingress. */
	if (netdev_tc((int)k->ifindex, 0, find_ingress, NULL) == 1)
		return fail(
			e, -EBUSY, i->name,
			"attaching the tc programs: it has an ingress qdisc, and they need a clsact qdisc (tc qdisc del dev %s ingress, then tc qdisc add dev %s clsact)",
			i->name, i->name);
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return fail(e, err, i->name, "adding a clsact qdisc: %s (see doctor)",
			    liblog_why(err));
	i->tc_kind = err ? TC_CLSACT : TC_OWN_CLSACT;
	return 0;
}

/* Removes the qdisc only while no other filter is on it. */
void clsact_remove(const struct mangle_iface_key *k)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	for (enum hook h = 0; h < HOOKS; h++) {
		struct filters f;

		if (clsact_list(k, h, (struct filter_sought){0}, &f) || f.lowest)
			return;
	}
	bpf_tc_hook_destroy(&hook);
}

/*
 * A priority of our own, so that no filter of others is replaced, and before them all, since the
 * verdict of one would end the way. Where 1 is taken the kernel chooses, and we come later.
 */
int clsact_attach(const struct mangle_iface_key *k, enum hook h, int prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex, .attach_point = clsact_hook[h]);
	LIBBPF_OPTS(bpf_tc_opts, o, .prog_fd = prog);
	struct filters f;
	int err = clsact_list(k, h, (struct filter_sought){0}, &f);

	if (err)
		return err;
	o.priority = f.lowest ? f.lowest - 1 : FIRST_PRIO;
	return bpf_tc_attach(&hook, &o);
}

int clsact_replace(const struct mangle_iface_key *k, enum hook h, struct filter_sought old,
		   int prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex, .attach_point = clsact_hook[h]);
	LIBBPF_OPTS(bpf_tc_opts, o, .prog_fd = prog, .flags = BPF_TC_F_REPLACE);
	struct filters f;
	int err = clsact_list(k, h, old, &f);

	if (err)
		return err;
	o.handle = f.found.handle;
	o.priority = f.found.prio;
	return f.found.handle ? bpf_tc_attach(&hook, &o) : -ENOENT;
}

/* 1, 0, or negative errno. */
int clsact_has(const struct mangle_iface_key *k, enum hook h, struct filter_sought id)
{
	struct filters f;
	int err = clsact_list(k, h, id, &f);

	return err ? err : f.found.handle != 0;
}

int clsact_detach(const struct mangle_iface_key *k, enum hook h, struct filter_sought id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)k->ifindex, .attach_point = clsact_hook[h]);
	LIBBPF_OPTS(bpf_tc_opts, o);
	struct filters f;
	int err = clsact_list(k, h, id, &f);

	if (err || !f.found.handle)
		return err;
	o.handle = f.found.handle;
	o.priority = f.found.prio;
	return bpf_tc_detach(&hook, &o);
}
