/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "dispatch.h"
#include "gate.h"
#include "ifaces.h"
#include "links.h"
#include "locate.h"
#include "netns.h"
#include "pins.h"
#include "tc.h"
#include "liblog.h"

bool locate_needs_netns(const struct mangle_iface *i)
{
	return i->dispatcher || (i->tc_kind && i->tc_kind != TC_TCX);
}

enum pin_state locate_device(const struct mangle_iface *i)
{
	char path[PATH_SIZE];
	uint32_t id;

	return i->dispatcher ? tc_link_state(i) : link_state(link_path(path, i), &id);
}

bool prog_device_gone(const struct mangle_iface *i)
{
	return locate_device(i) == PIN_DEFUNCT;
}

/* Returns whether the program is on the interface with that ifindex in the thread's namespace: 1,
 * 0, or negative errno. */
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

void locate_acting(const struct store *s, struct mangle_iface *i)
{
	uint32_t other = i->next_id;
	struct err ignored;
	uint64_t epoch;

	if (!other || store_epoch(s, &epoch, &ignored) || epoch != i->next_epoch)
		return;
	i->next_id = i->prog_id;
	i->prog_id = other;
	i->next_epoch = 0; /* it belongs to no program */
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

/* Returns whether the program is where the record says: 1, 0, or negative errno. */
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
 * Nothing was found, in the recorded namespace or in any (negative errno: some could not be
 * searched). A link knows whether its device is gone. A program in a dispatcher is certainly gone
 * where a tcx link beside it says so, or where every namespace was searched, its own included
 * unless that is gone.
 */
static bool is_gone(const struct mangle_iface *i, int there, int anywhere)
{
	enum pin_state device = locate_device(i);

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

	liblog_begin();
	if (i->dispatcher)
		locate_acting(s, i);
	else if (link_state(link_path(path, i), &i->prog_id) != PIN_ALIVE)
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
	/* Tries the same key again, where the first attempt has failed. */
	if (!store_iface_put(s, k, i, &ignored) && memcmp(k, &before, sizeof(before)))
		store_iface_del(s, &before, i, &ignored);
	return 1;
}
