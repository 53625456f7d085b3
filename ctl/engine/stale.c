/* SPDX-License-Identifier: GPL-2.0-only */
#include "stale.h"
#include "model/setting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/flows.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/services.h"
#include "kernel/tc_programs.h"
#include "attachments.h"
#include "connections.h"
#include "sockets.h"

/* Which entries of a shared port are removed. */
enum stale {
	STALE_NONE,
	STALE_TAKEN, /* those whose client is connected to the shared port itself */
	STALE_DEAD,  /* those too that have no socket; only while no new ones are made */
};

struct prune {
	struct store *store;
	uint8_t shared[65536]; /* enum stale */
	bool forced;
	struct sockets sockets;
};

static int judge_flow(void *arg, const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	struct prune *p = arg;
	uint16_t shared = flow->state == FLOW_REVERSE ? flow->port : ntohs(key->server_port_be);
	uint16_t own = flow_socket_port(key, flow);
	int alive;

	if (p->shared[shared] == STALE_NONE || !flow_is_of(key, p->sockets.netns))
		return 0;
	alive = own == shared ? 0 : sockets_alive(&p->sockets, key, shared);
	if (alive || p->shared[shared] == STALE_TAKEN)
		return alive;
	alive = own ? sockets_alive(&p->sockets, key, own) : 0;
	return alive < 0 ? alive : !alive;
}

static int prune_here(struct prune *p, const char *who, uint64_t netns, struct err *e)
{
	int err;

	p->sockets = (struct sockets){.netns = netns};
	err = store_flows_prune(p->store, judge_flow, p, e);
	sockets_free(&p->sockets);
	if (!p->sockets.err)
		return err;
	/* Nothing was removed: the list is read before the first entry is judged. */
	if (p->forced)
		return 0;
	return cannot_tell(who, err,
			   "looking for connections that are over: cannot tell which ones are",
			   p->sockets.why.line, e);
}

static int prune_there(void *arg, const struct attachment *a, struct err *e)
{
	return prune_here(arg, a->iface.name, a->key.netns, e);
}

static bool mark_stale(struct prune *p, const struct service *svc, enum stale how)
{
	if (!service_has_connections(svc))
		return false;
	for (unsigned int i = 0; i < svc->port_count; i++)
		p->shared[svc->ports[i]] = (uint8_t)how;
	return true;
}

static struct prune *new_prune(struct store *s, bool force, struct err *e)
{
	struct prune *p = calloc(1, sizeof(*p));

	if (!p)
		fail(e, -ENOMEM, "flows", "looking for connections: out of memory");
	else
		*p = (struct prune){.store = s, .forced = force};
	return p;
}

int prune_for_change(struct store *s, const struct model *from, const struct model *to, bool force,
		     struct err *e)
{
	struct prune *p;
	bool any = false;
	int err = 0;

	if (!store_flows_size(s))
		return 0;
	p = new_prune(s, force, e);
	if (!p)
		return -ENOMEM;
	for (unsigned int i = 0; i < to->service_count; i++) {
		const struct service *svc = &to->services[i];
		const struct service *old = model_find(from, svc->name);

		if (!old || !service_same_settings(old, svc))
			any |= mark_stale(p, svc, STALE_DEAD);
	}
	/* Where the old services already have connections on the port, new entries are made
	 * meanwhile. */
	for (unsigned int i = 0; i < from->service_count; i++)
		for (unsigned int k = 0; k < from->services[i].port_count; k++)
			if (p->shared[from->services[i].ports[k]] &&
			    service_has_connections(&from->services[i]))
				p->shared[from->services[i].ports[k]] = STALE_TAKEN;
	if (any)
		err = in_each_netns(s, prune_there, p, e);
	free(p);
	return err;
}

/* Returns 1, 0, or negative errno. */
static int has_tc_programs(const struct attachment *a)
{
	return a->attached && a->iface.tc_in ? tc_programs_attached(&a->key, &a->iface) : 0;
}

/* Returns 1 where an interface of this namespace is about to get the program that acts on flows,
 * else 0, or negative errno with e set; *first: no interface there has it yet. */
static int needs_tc_programs(const struct attachment *a, size_t count, const struct netdev *dev,
			     int devs, bool *first, struct err *e)
{
	int have = 0;

	*first = true;
	for (size_t i = 0; i < count; i++) {
		int has = a[i].key.netns == netns_inode() ? has_tc_programs(&a[i]) : 0;

		if (has < 0)
			return fail(e, has, a[i].iface.name,
				    "looking for the tc programs: %s (see doctor)", strerror(-has));
		if (!has)
			continue;
		*first = false;
		for (int k = 0; k < devs; k++)
			have += a[i].key.ifindex == (uint32_t)dev[k].ifindex;
	}
	return have < devs;
}

int prune_for_attach(struct store *s, const struct netdev *dev, int devs, bool force, struct err *e)
{
	struct attachment *a = NULL;
	struct prune *p;
	struct model m;
	size_t count;
	bool first = true, any = false;
	int err;

	if (!store_flows_size(s))
		return 0;
	p = new_prune(s, force, e);
	if (!p)
		return -ENOMEM;
	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err)
		err = read_attachments(s, &a, &count, e);
	if (!err)
		err = needs_tc_programs(a, count, dev, devs, &first, e);
	if (err > 0) {
		err = 0;
		for (unsigned int i = 0; i < m.service_count; i++)
			any |= mark_stale(p, &m.services[i], first ? STALE_DEAD : STALE_TAKEN);
		if (any)
			err = prune_here(p, dev[0].name, netns_inode(), e);
	}
	model_free(&m);
	free(a);
	free(p);
	return err;
}
