/* SPDX-License-Identifier: GPL-2.0-only */
/* What connections and replies ask of the host, wherever an interface is attached. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "host.h"
#include "netdev.h"

/* ---- settings ---- */

struct host_check {
	struct store *store;
	struct warnings *warn, *blocks;
	bool connections, replies; /* what the services want */
	bool shared[65536];	   /* ports of services in TCP connection mode */
	union {
		struct host_local_ports local;
		bool mptcp[65536];
	};
};

/* How many ports, and the first of them. */
struct found {
	unsigned int count, first;
};

static void find(struct found *f, unsigned int port)
{
	if (!f->count++)
		f->first = port;
}

static const char *and_more(const struct found *f, char buf[32])
{
	*buf = '\0';
	if (f->count > 1)
		snprintf(buf, 32, " and %u more", f->count - 1);
	return buf;
}

static void check_settings(const struct host_check *h, const char *who)
{
	if (!host_setting("ipv4/tcp_syncookies"))
		add_warning(
			h->blocks,
			"%s: net.ipv4.tcp_syncookies is 0: the kernel takes no TCP connection from mangle (sysctl net.ipv4.tcp_syncookies=1)",
			who);
	if (!host_setting("netfilter/nf_conntrack_tcp_loose"))
		add_warning(
			h->warn,
			"%s: net.netfilter.nf_conntrack_tcp_loose is 0: where conntrack is in use it calls TCP connections invalid whose SYN mangle answered (sysctl net.netfilter.nf_conntrack_tcp_loose=1)",
			who);
	if (host_setting("ipv4/tcp_rfc1337") > 0)
		add_warning(
			h->warn,
			"%s: net.ipv4.tcp_rfc1337 is 1: a client that uses its port again too soon waits until TIME_WAIT is over (sysctl net.ipv4.tcp_rfc1337=0)",
			who);
}

static void check_mptcp(struct host_check *h, const char *who)
{
	struct found f = {0};
	char more[32];

	host_mptcp_ports(h->mptcp);
	for (unsigned int port = 1; port < 65536; port++)
		if (h->mptcp[port] &&
		    (h->shared[port] || store_target(h->store, (uint16_t)port) & MANGLE_TARGET_TCP))
			find(&f, port);
	if (f.count)
		add_warning(
			h->warn,
			"%s: MPTCP listens on port %u%s: the kernel gives such a listener no connection of mangle's (let it listen by TCP; in Go: GODEBUG=multipathtcp=0)",
			who, f.first, and_more(&f, more));
}

static void check_local_ports(struct host_check *h, const char *who)
{
	struct found f = {0};
	char more[32];

	if (!host_local_ports(&h->local))
		return;
	for (unsigned int port = 1; port < 65536; port++)
		if (h->local.taken[port] &&
		    MANGLE_TARGET_SHARED(store_target(h->store, (uint16_t)port)))
			find(&f, port);
	if (f.count)
		add_warning(
			h->warn,
			"%s: replies come from target %u%s among the host's own ports %u-%u: what another socket sends from there carries the shared port too (choose other targets, or reserve these: sysctl net.ipv4.ip_local_reserved_ports)",
			who, f.first, and_more(&f, more), h->local.first, h->local.last);
}

/* In the thread's network namespace. */
static void check_this_host(struct host_check *h, const char *who)
{
	if (h->connections) {
		check_settings(h, who);
		check_mptcp(h, who);
	}
	if (h->replies)
		check_local_ports(h, who);
}

static void note_services(struct host_check *h, const struct model *m)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];

		h->replies |= s->reply;
		if (!service_has_connections(s))
			continue;
		h->connections = true;
		for (unsigned int k = 0; k < s->port_count; k++)
			h->shared[s->ports[k]] = true;
	}
}

/* Is one before it in the same namespace? */
static bool seen_before(const struct attachment *a, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (a[k].attached && a[k].key.netns == a[i].key.netns)
			return true;
	return false;
}

void warn_about_hosts(struct warnings *warn, struct warnings *blocks, struct store *s,
		      const struct model *m, const struct attachment *a, size_t count)
{
	struct host_check *h = calloc(1, sizeof(*h));
	bool any = false;
	int back;

	if (!h)
		return;
	h->store = s;
	h->warn = warn;
	h->blocks = blocks;
	note_services(h, m);
	for (size_t i = 0; i < count; i++) {
		if (!a[i].attached)
			continue;
		any = true;
		if (seen_before(a, i) || netns_enter_inode(a[i].key.netns, &back))
			continue;
		check_this_host(h, a[i].iface.name);
		netns_return(back);
	}
	if (!any)
		check_this_host(h, "this host");
	free(h);
}

/* ---- bound connections ---- */

struct tuple {
	uint32_t client_be[4], server_be[4];
	uint16_t client_port, server_port;
};

struct tuples {
	uint32_t netns;
	struct tuple *all;
	size_t count, room;
	unsigned int alive;
};

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tuple));
}

/* Its socket has the target as its port. One that has the shared port itself needs no mangle. */
static int add_flow(void *arg, const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	struct tuples *t = arg;
	struct tuple *to;

	if ((flow->state != FLOW_BOUND && flow->state != FLOW_LIVE) ||
	    flow->port == ntohs(key->server_port_be) ||
	    (key->netns ^ t->netns) & ~MANGLE_FLOW_REVERSE)
		return 0;
	if (t->count == t->room) {
		size_t room = t->room ? 2 * t->room : 1024;

		to = realloc(t->all, room * sizeof(*to));
		if (!to)
			return -ENOMEM;
		t->all = to;
		t->room = room;
	}
	to = &t->all[t->count++];
	memcpy(to->client_be, key->client_be, sizeof(to->client_be));
	memcpy(to->server_be, key->server_be, sizeof(to->server_be));
	to->client_port = ntohs(key->client_port_be);
	to->server_port = flow->port;
	return 0;
}

static void count_alive(void *arg, const struct host_socket *s)
{
	struct tuples *t = arg;
	struct tuple key = {.client_port = s->remote_port, .server_port = s->local_port};

	if (s->state == HOST_TCP_TIME_WAIT || s->state == HOST_TCP_CLOSE ||
	    s->state == HOST_TCP_LISTEN)
		return;
	memcpy(key.client_be, s->remote_be, sizeof(key.client_be));
	memcpy(key.server_be, s->local_be, sizeof(key.server_be));
	t->alive += bsearch(&key, t->all, t->count, sizeof(key), by_bytes) != NULL;
}

/* How many connections of the flow table have a socket in that namespace, or negative errno. */
static int count_bound(struct store *s, uint64_t netns, struct err *e)
{
	struct tuples t = {.netns = (uint32_t)netns};
	int back;
	int err = store_flows(s, add_flow, &t, e);

	if (err == -ENOMEM)
		fail(e, err, "flows", "looking for connections: out of memory");
	if (!err && t.count && !netns_enter_inode(netns, &back)) {
		qsort(t.all, t.count, sizeof(*t.all), by_bytes);
		host_sockets(count_alive, &t);
		netns_return(back);
	}
	free(t.all);
	return err ? err : (int)t.alive;
}

/* Does one that stays serve the namespace? Then its connections go on. */
static bool stays(const struct attachment *a, size_t count, const bool *chosen, uint64_t netns)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].attached && !chosen[i] && a[i].key.netns == netns)
			return true;
	return false;
}

int check_bound(struct store *s, const struct attachment *a, size_t count, const bool *chosen,
		struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		int alive;

		if (!chosen[i] || !a[i].attached || seen_before(a, i) ||
		    stays(a, count, chosen, a[i].key.netns))
			continue;
		alive = count_bound(s, a[i].key.netns, e);
		if (alive < 0)
			return alive;
		if (alive)
			return fail(
				e, -EBUSY, a[i].iface.name,
				"detaching: %d bound TCP connection%s would be cut off (close %s, or use --force)",
				alive, alive == 1 ? "" : "s", alive == 1 ? "it" : "them");
	}
	return 0;
}
