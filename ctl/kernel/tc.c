/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs at tc's hooks: TCP connections on the way in, replies on the way out. They are on an
 * interface only while a service needs them, an instance for each interface, and run before the
 * programs of others. Attached by tcx links, pinned, where the kernel has those; else as
 * filters of clsact, which others use too.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "hooks.h"
#include "ifaces.h"
#include "links.h"
#include "maps.h"
#include "needs.h"
#include "netns.h"
#include "pins.h"
#include "probe.h"
#include "tc.skel.h"
#include "swap.h"
#include "tc.h"
#include "liblog.h"

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

static struct filter_sought filter_of(const struct mangle_iface *i, enum hook h)
{
	return (struct filter_sought){id_of(i, h), h == HOOK_IN ? i->tc_was_in : i->tc_was_out};
}

/* ---- loading ---- */

const void *tc_elf(size_t *size)
{
	return tc_bpf__elf_bytes(size);
}

static struct bpf_program *program_of(const struct tc_bpf *skel, enum hook h)
{
	return h == HOOK_IN ? skel->progs.tc_in : skel->progs.tc_out;
}

/* What is not wanted is not loaded either: tc_in calls what older kernels do not have. */
static struct tc_bpf *load_tc(const struct store *s, const struct mangle_iface_key *k,
			      const struct mangle_iface *i, const bool want[HOOKS], struct err *e)
{
	struct tc_bpf *skel;
	int err = 0;

	if (prog_probe_told(e))
		return NULL;
	skel = tc_bpf__open();
	if (!skel) {
		fail(e, -errno, i->name, "opening the tc programs: %s", liblog_why(-errno));
		return NULL;
	}
	skel->rodata->own_netns = (uint32_t)k->netns & ~MANGLE_FLOW_REVERSE;
	memcpy((void *)skel->rodata->own_ifname, i->name, sizeof(skel->rodata->own_ifname));
	for (enum hook h = 0; h < HOOKS && !err; h++)
		err = bpf_program__set_autoload(program_of(skel, h), want[h]);
	if (!err)
		err = maps_reuse(s, MAP_USER_TC, skel->obj);
	if (!err)
		err = tc_bpf__load(skel);
	if (!err)
		return skel;
	fail(e, err, i->name, "loading the tc programs into the kernel: %s (see doctor)",
	     liblog_why(err));
	tc_bpf__destroy(skel);
	return NULL;
}

void tc_unload(struct tc_bpf *skel)
{
	tc_bpf__destroy(skel);
}

/* ---- where they are ---- */

static enum pin_state pin_state_of(const struct mangle_iface *i, enum hook h)
{
	char path[PATH_SIZE];
	uint32_t linked;

	return link_state(link_tc_path(path, id_of(i, h)), &linked);
}

enum pin_state tc_link_state(const struct mangle_iface *i)
{
	enum pin_state state = PIN_NONE;

	for (enum hook h = 0; h < HOOKS && i->tc_kind == TC_TCX; h++)
		if (state == PIN_NONE && id_of(i, h))
			state = pin_state_of(i, h);
	return state;
}

/* To be called in the interface's network namespace, like all below: filters are found by index.
 * Returns 1, 0, or negative errno. */
static int is_on(const struct mangle_iface_key *k, const struct mangle_iface *i, enum hook h)
{
	if (!id_of(i, h))
		return 0;
	return i->tc_kind == TC_TCX ? pin_state_of(i, h) == PIN_ALIVE
				    : clsact_has(k, h, filter_of(i, h));
}

/* A device that moves takes tcx links along, not filters; then they go by the wrong namespace. */
static bool are_here(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	return i->tc_netns == (uint32_t)k->netns;
}

bool tc_needs_netns(const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct prog_needs needs)
{
	const bool want[HOOKS] = {needs.in, needs.out};
	bool needed = i->tc_kind && i->tc_kind != TC_TCX;

	for (enum hook h = 0; h < HOOKS; h++)
		needed |= want[h] && !(are_here(k, i) && is_on(k, i, h) == 1);
	return needed;
}

/* ---- on and off ---- */

static int take_off(const struct mangle_iface_key *k, struct mangle_iface *i, enum hook h)
{
	int was_on = is_on(k, i, h);
	int err = was_on < 0 ? was_on : 0;
	char path[PATH_SIZE];

	if (!err && id_of(i, h))
		err = i->tc_kind == TC_TCX ? link_unpin(link_tc_path(path, id_of(i, h)))
					   : clsact_detach(k, h, filter_of(i, h));
	if (err)
		return err;
	set_id(i, h, 0);
	if (i->tc_in || i->tc_out)
		return 0;
	/* Where ours was not, the device has moved, and its qdisc is another one. */
	if (i->tc_kind == TC_OWN_CLSACT && was_on)
		clsact_remove(k);
	i->tc_kind = i->tc_netns = 0;
	return 0;
}

/* i is the record as it is to be. */
static int put_one(const struct mangle_iface_key *k, const struct mangle_iface *i, enum hook h,
		   bool replace, int prog)
{
	if (i->tc_kind == TC_TCX)
		return replace ? tcx_replace(id_of(i, h), prog)
			       : tcx_attach(k, h, prog, id_of(i, h));
	return replace ? clsact_replace(k, h, filter_of(i, h), prog) : clsact_attach(k, h, prog);
}

static int record_new(const struct tc_bpf *skel, const struct mangle_iface_key *k,
		      struct mangle_iface *i, enum hook h, bool replace, struct err *e)
{
	struct bpf_prog_info info = {0};
	struct filters f;
	int err = program_info(bpf_program__fd(program_of(skel, h)), &info);

	/* Of the two that it may be, the one that it is. */
	if (!err && replace && i->tc_kind != TC_TCX)
		err = clsact_list(k, h, filter_of(i, h), &f);
	if (err)
		return fail(e, err, i->name, "attaching the tc programs: %s", liblog_why(err));
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
	struct tc_bpf *skel = load_tc(s, k, i, want, e);
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
			err = clsact_make(k, i, e);
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
			link_unpin(link_tc_path(path, id_of(&before, h)));
		if (want[h])
			err = put_one(k, i, h, on[h], bpf_program__fd(program_of(skel, h)));
		if (err) {
			fail(e, err, i->name, "attaching the tc programs (%s): %s (see doctor)",
			     h == HOOK_IN ? "ingress" : "egress", liblog_why(err));
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
			clsact_remove(k);
		store_iface_put(s, k, i, &ignored);
	}
	tc_bpf__destroy(skel);
	return err;
}

int tc_set(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
	   struct prog_needs needs, struct err *e)
{
	const bool want[HOOKS] = {needs.in, needs.out};
	const bool here = are_here(k, i);
	bool on[HOOKS], changed = false;
	int err = 0;

	liblog_begin();
	for (enum hook h = 0; h < HOOKS; h++) {
		int there = is_on(k, i, h);

		if (there < 0)
			return fail(e, there, i->name,
				    "looking for the tc programs: %s (see doctor)",
				    liblog_why(there));
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
			     liblog_why(err));
		changed = true;
	}
	return changed && !err ? store_iface_put(s, k, i, e) : err;
}

int tc_are_on(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	int ok = 1;

	for (enum hook h = 0; h < HOOKS && ok > 0; h++)
		if (id_of(i, h))
			ok = are_here(k, i) ? is_on(k, i, h) : 0;
	return ok;
}

int tc_clear(const struct mangle_iface_key *k, struct mangle_iface *i)
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

/* ---- upgrade ---- */

int tc_prepare(const struct store *s, const struct mangle_iface_key *k,
	       const struct mangle_iface *i, struct tc_bpf **out, struct swaps *w, struct err *e)
{
	const bool want[HOOKS] = {i->tc_in, i->tc_out};
	char path[PATH_SIZE];
	int err = 0;

	*out = NULL;
	if (!i->tc_kind)
		return 0;
	*out = load_tc(s, k, i, want, e);
	if (!*out)
		return -EIO;
	for (enum hook h = 0; h < HOOKS && !err; h++)
		if (want[h] && i->tc_kind == TC_TCX)
			err = swaps_add(w, link_tc_path(path, id_of(i, h)),
					bpf_program__fd(program_of(*out, h)), i->name, e);
	return err;
}

int tc_commit(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
	      const struct tc_bpf *skel, struct err *e)
{
	struct filters f;
	int err = 0;

	if (!skel)
		return 0;
	for (enum hook h = 0; h < HOOKS && !err; h++) {
		if (i->tc_kind == TC_TCX || !id_of(i, h))
			continue;
		err = clsact_list(k, h, filter_of(i, h), &f);
		if (err) {
			fail(e, err, i->name, "upgrading the tc programs: %s (see doctor)",
			     liblog_why(err));
			break;
		}
		if (!f.found.handle) /* another process has removed it: status says so */
			continue;
		err = record_new(skel, k, i, h, true, e);
		if (!err)
			err = store_iface_put(s, k, i, e);
		if (err)
			break;
		err = put_one(k, i, h, true, bpf_program__fd(program_of(skel, h)));
		if (err)
			fail(e, err, i->name, "upgrading the tc programs: %s (attach it again)",
			     liblog_why(err));
	}
	i->tc_netns = (uint32_t)k->netns;
	return err;
}
