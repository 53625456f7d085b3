/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs in the place of programs, while packets go on.
 *
 * By a link (plain, and tcx): the kernel exchanges the link's program, one store of a pointer. A
 * filter of clsact likewise. Under libxdp's dispatcher the new one is put behind the old one, where
 * it does nothing until the gate (struct mangle_gate) says that its epoch is the one that acts;
 * then the old one goes.
 *
 * First everything is loaded, so that what cannot be loaded changes nothing. Then links, the gate,
 * filters. The old programs of links are kept until then, to be put back where one fails.
 */
#include <errno.h>
#include <stdlib.h>

#include "build_id.h"
#include "dispatch.h"
#include "gate.h"
#include "ifaces.h"
#include "instance.h"
#include "links.h"
#include "locate.h"
#include "migrate.h"
#include "netns.h"
#include "orphans.h"
#include "pins.h"
#include "swap.h"
#include "tc.h"
#include "upgrade.h"
#include "liblog.h"

struct job {
	struct mangle_iface_key key;
	struct mangle_iface iface;
	struct mangle_bpf *xdp; /* plain: loaded */
	struct tc_bpf *tc;	/* loaded; NULL: it has none */
	uint32_t fresh;		/* dispatcher: the new program; 0: not there yet */
};

struct upgrade {
	struct store *s;
	struct job *job;
	size_t count;
	struct swaps swaps;
	uint64_t epoch; /* of the new ones under the dispatcher */
	bool dispatcher;
};

typedef int act_fn(struct upgrade *u, struct job *j, struct err *e);

static int in_netns(struct upgrade *u, struct job *j, act_fn *act, struct err *e)
{
	int back, err = netns_enter_inode(j->key.netns, &back);

	if (err && locate_needs_netns(&j->iface))
		return fail(e, err, j->iface.name,
			    "upgrading: entering its network namespace: %s (see doctor)",
			    netns_why(err));
	back = err ? -1 : back;
	err = act(u, j, e);
	netns_return(back);
	return err;
}

/* Calls the function in the network namespace of each job's interface, until one call fails. */
static int each(struct upgrade *u, act_fn *act, struct err *e)
{
	int err = 0;

	for (size_t i = 0; i < u->count && !err; i++)
		err = in_netns(u, &u->job[i], act, e);
	return err;
}

/* The same for all jobs, whichever fails, for steps that cannot be undone. e: the first failure. */
static int each_of_all(struct upgrade *u, act_fn *act, struct err *e)
{
	struct err ignored;
	int first = 0;

	for (size_t i = 0; i < u->count; i++) {
		int err = in_netns(u, &u->job[i], act, first ? &ignored : e);

		first = first ? first : err;
	}
	return first;
}

static int load(struct upgrade *u, struct job *j, struct err *e)
{
	char path[PATH_SIZE];
	int err = 0;

	if (!j->iface.dispatcher) {
		j->xdp = instance_load(u->s, &j->iface, e);
		err = j->xdp ? swaps_add(&u->swaps, link_path(path, &j->iface), instance_fd(j->xdp),
					 j->iface.name, e)
			     : -EIO;
	}
	return err ? err : tc_prepare(u->s, &j->key, &j->iface, &j->tc, &u->swaps, e);
}

/* The program is recorded before it can act. */
static int dispatch(struct upgrade *u, struct job *j, struct err *e)
{
	int err;

	if (!j->iface.dispatcher)
		return 0;
	u->dispatcher = true;
	prog_undispatch_orphans(u->s, j->key.ifindex);
	err = prog_dispatch(u->s, &j->key, &j->iface, u->epoch, &j->fresh, e);
	if (err == DISPATCHER_UNFIT)
		err = fail(
			e, -EOPNOTSUPP, j->iface.name,
			"upgrading: libxdp could not add a program to the dispatcher (see doctor)");
	if (err)
		return err;
	j->iface.next_id = j->fresh;
	j->iface.next_epoch = u->epoch;
	return store_iface_put(u->s, &j->key, &j->iface, e);
}

/* Completes the takeover between two programs in a dispatcher, whichever is active by now. */
static int finish_takeover(struct store *s, const struct mangle_iface_key *k,
			   struct mangle_iface *i, struct err *e)
{
	int err;

	locate_acting(s, i);
	if (!i->next_id)
		return 0;
	err = prog_undispatch(k->ifindex, i->next_id);
	if (err)
		return fail(e, err, i->name, "detaching the program that was replaced: %s",
			    liblog_why(err));
	i->next_id = 0;
	return store_iface_put(s, k, i, e);
}

static int finish(struct upgrade *u, struct job *j, struct err *e)
{
	return j->iface.dispatcher ? finish_takeover(u->s, &j->key, &j->iface, e) : 0;
}

static int complete(struct upgrade *u, struct job *j, struct err *e)
{
	struct bpf_prog_info info;
	int err = tc_commit(u->s, &j->key, &j->iface, j->tc, e);

	if (err)
		return err;
	if (j->xdp && !program_info(instance_fd(j->xdp), &info))
		j->iface.prog_id = info.id;
	prog_build(j->iface.build);
	return store_iface_put(u->s, &j->key, &j->iface, e);
}

/* Collects the attachments that are recorded and not gone. */
static int list(struct upgrade *u, struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	struct err ignored;
	size_t n;
	int err = store_ifaces(u->s, &keys, &ifaces, &n, e);

	if (err)
		return err;
	u->job = calloc(n + 1, sizeof(*u->job));
	for (size_t i = 0; i < n && u->job; i++)
		if (prog_locate(u->s, &keys[i], &ifaces[i], &ignored)) /* in doubt, too */
			u->job[u->count++] = (struct job){.key = keys[i], .iface = ifaces[i]};
	free(keys);
	free(ifaces);
	return u->job ? 0 : fail(e, -ENOMEM, "upgrade", "listing interfaces: out of memory");
}

int prog_upgrade(struct store *s, size_t *count, struct err *e)
{
	struct upgrade u = {.s = s};
	bool swapped = false, mixed = false;
	struct err ignored;
	int err;

	liblog_begin();
	prog_sweep(s);
	err = list(&u, e);
	if (!err)
		err = each(&u, finish, e); /* completes an interrupted upgrade */
	if (!err)
		err = store_epoch(s, &u.epoch, e);
	u.epoch++;
	if (!err)
		err = each(&u, load, e);
	if (!err)
		err = each(&u, dispatch, e);
	if (!err) {
		err = swaps_do(&u.swaps, &mixed, e);
		swapped = !err || mixed;
	}
	if (!err && u.dispatcher) {
		uint64_t acting;

		err = store_set_epoch(s, u.epoch, e);
		if (err && !store_epoch(s, &acting, &ignored) && acting != u.epoch)
			swapped = !swaps_undo(&u.swaps, u.swaps.count);
	}
	if (err) { /* the active ones stay */
		each_of_all(&u, finish, &ignored);
	} else {
		int late = each_of_all(&u, finish, e);

		err = each_of_all(&u, complete, late ? &ignored : e);
		err = late ? late : err;
	}
	if (err && !swapped)
		store_not_migrated(s);
	*count = u.count;
	for (size_t i = 0; i < u.count; i++) {
		instance_unload(u.job[i].xdp);
		tc_unload(u.job[i].tc);
	}
	swaps_close(&u.swaps);
	free(u.job);
	return err;
}
