/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What connections and replies ask of the host, wherever an interface is attached, and which of its
 * sockets belong to connections that the flow table knows.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "kernel/flows.h"
#include "kernel/host.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/probe.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "kernel/sessions.h"

/* ---- settings ---- */

struct host_check {
	struct store *store;
	struct warnings *warn;
	bool connections, replies;		   /* what the services want */
	bool shared[65536];			   /* ports of services in TCP connection mode */
	const struct service *any, *any_connected; /* that name no destination */
	bool asks_conntrack;
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

int read_setting(struct warnings *w, const char *who, const char *path, int none)
{
	int value, err = host_setting(path, &value);

	if (err && err != -ENOENT)
		add_warning(w, "%s: cannot tell what /proc/sys/net/%s is: %s (see doctor)", who,
			    path, strerror(-err));
	return err ? none : value;
}

static void check_settings(const struct host_check *h, const char *who)
{
	if (!read_setting(h->warn, who, "ipv4/tcp_syncookies", 1))
		add_fault(
			h->warn,
			"%s: net.ipv4.tcp_syncookies is 0: the kernel takes no TCP connection from mangle (sysctl net.ipv4.tcp_syncookies=1)",
			who);
	if (!read_setting(h->warn, who, "netfilter/nf_conntrack_tcp_loose", 1))
		add_warning(
			h->warn,
			"%s: net.netfilter.nf_conntrack_tcp_loose is 0: where conntrack is in use it calls TCP connections invalid whose SYN mangle answered (sysctl net.netfilter.nf_conntrack_tcp_loose=1)",
			who);
	if (read_setting(h->warn, who, "ipv4/tcp_rfc1337", 0) > 0)
		add_warning(
			h->warn,
			"%s: net.ipv4.tcp_rfc1337 is 1: a client that uses its port again too soon waits until TIME_WAIT is over (sysctl net.ipv4.tcp_rfc1337=0)",
			who);
}

static void check_mptcp(struct host_check *h, const char *who)
{
	struct found f = {0};
	char more[32];
	struct err why;

	if (host_mptcp_ports(h->mptcp, &why)) {
		add_warning(h->warn,
			    "%s: cannot tell which ports MPTCP listens on: %s (see doctor)", who,
			    why.line);
		return;
	}
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

	int err = host_local_ports(&h->local);

	if (err) {
		add_warning(
			h->warn,
			"%s: cannot tell which ports the host gives to its own sockets: %s (see doctor)",
			who, strerror(-err));
		return;
	}
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

/* What comes back for the clients of a gateway has the gateway's own address. */
static void check_gateway(const struct host_check *h, const char *who)
{
	const struct service *s = h->asks_conntrack ? h->any_connected : h->any;
	int masquerades = s ? host_forwards() : 0;
	bool can_ask;

	if (masquerades > 0)
		masquerades = host_masquerades();
	if (!masquerades)
		return;
	can_ask = prog_probe()->conntrack && !service_has_connections(s);
	add_warning(
		h->warn,
		"%s: this host forwards and %s: what comes back to port %u for a client behind it is taken for service %s's (%sgive the service daddr, or masquerade to a range of ports without this one; see GATEWAYS in mangle-ctl(8))",
		who,
		masquerades > 0 ? "masquerades"
				: "whether it masquerades cannot be told (see doctor)",
		s->ports[0], s->name,
		can_ask ? "mangle-ctl upgrade makes it ask conntrack; or " : "");
}

/* Does the program ask, on every interface of the namespace? */
static bool ask_conntrack(const struct attachment *a, size_t count, uint64_t netns)
{
	bool all = true;

	for (size_t i = 0; i < count; i++)
		if (a[i].attached && a[i].key.netns == netns)
			all &= a[i].iface.conntrack;
	return all;
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
	check_gateway(h, who);
}

static void note_services(struct host_check *h, const struct model *m)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];

		h->replies |= s->reply;
		if (!h->any && !s->daddr_count)
			h->any = s;
		if (!h->any_connected && !s->daddr_count && service_has_connections(s))
			h->any_connected = s;
		if (!service_has_connections(s))
			continue;
		h->connections = true;
		for (unsigned int k = 0; k < s->port_count; k++)
			h->shared[s->ports[k]] = true;
	}
}

static void check_host_of(struct host_check *h, const struct attachment *a)
{
	int back, err = netns_enter_inode(a->key.netns, &back);

	if (err) {
		add_warning(
			h->warn,
			"%s: cannot tell what the host allows: its network namespace: %s (see doctor)",
			a->iface.name, netns_why(err));
		return;
	}
	check_this_host(h, a->iface.name);
	netns_return(back);
}

void warn_about_hosts(struct warnings *warn, struct store *s, const struct model *m,
		      const struct attachment *a, size_t count)
{
	struct host_check *h = calloc(1, sizeof(*h));
	bool any = false;

	if (!h) {
		add_warning(warn, "cannot tell what the host allows: out of memory");
		return;
	}
	h->store = s;
	h->warn = warn;
	note_services(h, m);
	for (size_t i = 0; i < count; i++) {
		if (!a[i].attached)
			continue;
		any = true;
		if (netns_seen_before(a, i))
			continue;
		h->asks_conntrack = ask_conntrack(a, count, a[i].key.netns);
		check_host_of(h, &a[i]);
	}
	h->asks_conntrack = prog_probe()->conntrack;
	if (!any)
		check_this_host(h, "this host");
	free(h);
}

/* ---- TCP sockets ---- */

struct tuple {
	uint32_t client_be[4], server_be[4];
	uint16_t client_port, server_port;
};

/* Those of a network namespace that live, read when the first is asked for: whoever asks for none
 * need not be able to look there. */
struct sockets {
	uint64_t netns;
	struct tuple *all;
	size_t count, room;
	bool read;
	int err; /* they could not be read, and why */
	struct err why;
};

static int add_socket(void *arg, const struct host_socket *s)
{
	struct sockets *to = arg;
	struct tuple *t;

	if (s->state == HOST_TCP_TIME_WAIT || s->state == HOST_TCP_CLOSE ||
	    s->state == HOST_TCP_LISTEN)
		return 0;
	if (to->count == to->room) {
		size_t room = to->room ? 2 * to->room : 1024;

		t = realloc(to->all, room * sizeof(*t));
		if (!t)
			return -ENOMEM;
		to->all = t;
		to->room = room;
	}
	t = &to->all[to->count++];
	memcpy(t->client_be, s->remote_be, sizeof(t->client_be));
	memcpy(t->server_be, s->local_be, sizeof(t->server_be));
	t->client_port = s->remote_port;
	t->server_port = s->local_port;
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tuple));
}

static int read_sockets(struct sockets *s)
{
	int back, err = netns_enter_inode(s->netns, &back);

	s->read = true;
	if (err)
		return fail(&s->why, err, "its network namespace", "%s", netns_why(err));
	err = host_sockets(add_socket, s, &s->why);
	netns_return(back);
	if (s->count)
		qsort(s->all, s->count, sizeof(*s->all), by_bytes);
	return err;
}

/* Does the flow's client have a connection to that port of this host? 1, 0, or negative errno: it
 * cannot be told, and s says why. */
static int is_alive(struct sockets *s, const struct mangle_flow_key *key, uint16_t port)
{
	struct tuple t = {.client_port = ntohs(key->client_port_be), .server_port = port};

	if (!s->read)
		s->err = read_sockets(s);
	if (s->err)
		return s->err;
	memcpy(t.client_be, key->client_be, sizeof(t.client_be));
	memcpy(t.server_be, key->server_be, sizeof(t.server_be));
	return s->count && bsearch(&t, s->all, s->count, sizeof(t), by_bytes) ? 1 : 0;
}

/* ---- the flow table ---- */

static bool is_of(const struct mangle_flow_key *key, uint64_t netns)
{
	return !((key->netns ^ (uint32_t)netns) & ~MANGLE_FLOW_REVERSE);
}

/* The port that its socket has; 0: it has none yet. */
static uint16_t socket_port(const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	if (flow->state == FLOW_REVERSE)
		return ntohs(key->server_port_be);
	return flow->state == FLOW_BOUND || flow->state == FLOW_LIVE ? flow->port : 0;
}

/* Calls here for every network namespace that something is attached in, each once, with one of the
 * interfaces there. */
static int in_each_netns(struct store *s,
			 int (*here)(void *arg, const struct attachment *a, struct err *e),
			 void *arg, struct err *e)
{
	struct attachment *a;
	size_t count;
	int err = read_attachments(s, &a, &count, e);

	if (err)
		return err;
	for (size_t i = 0; i < count && !err; i++)
		if (a[i].attached && !netns_seen_before(a, i))
			err = here(arg, &a[i], e);
	free(a);
	return err;
}

/* ---- bound connections ---- */

struct bound {
	struct store *store;
	bool shared[65536]; /* ports whose connections count */
	struct sockets sockets;
	struct found found; /* connections, and the shared port of the first */
	bool one_port;	    /* count only those of that port */
};

/* One that has the shared port itself needs no mangle. */
static int count_alive(void *arg, const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	struct bound *b = arg;
	uint16_t shared = ntohs(key->server_port_be);
	int alive;

	if ((flow->state != FLOW_BOUND && flow->state != FLOW_LIVE) || flow->port == shared ||
	    !b->shared[shared] || !is_of(key, b->sockets.netns))
		return 0;
	if (b->one_port && b->found.count && b->found.first != shared)
		return 0;
	alive = is_alive(&b->sockets, key, flow->port);
	if (alive > 0)
		find(&b->found, shared);
	return alive < 0 ? alive : 0;
}

static int count_bound(void *arg, const struct attachment *a, struct err *e)
{
	struct bound *b = arg;
	int err;

	b->sockets = (struct sockets){.netns = a->key.netns};
	err = store_flows(b->store, count_alive, b, e);
	free(b->sockets.all);
	if (b->sockets.err)
		return cannot_tell(
			a->iface.name, err,
			"looking for bound connections: cannot tell whether any would be cut off",
			b->sockets.why.line, e);
	return err;
}

/* Does one that stays serve the namespace? Then its connections go on. */
static bool stays(const struct attachment *a, size_t count, const bool *chosen, uint64_t netns)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].attached && !chosen[i] && a[i].key.netns == netns)
			return true;
	return false;
}

static struct bound *new_bound(struct store *s, struct err *e)
{
	struct bound *b = calloc(1, sizeof(*b));

	if (!b)
		fail(e, -ENOMEM, "flows", "looking for connections: out of memory");
	else
		b->store = s;
	return b;
}

static const char *plural(unsigned int count)
{
	return count == 1 ? "" : "s";
}

static const char *them(unsigned int count)
{
	return count == 1 ? "it" : "them";
}

int check_bound(struct store *s, const struct attachment *a, size_t count, const bool *chosen,
		struct err *e)
{
	struct bound *b = new_bound(s, e);
	int err = 0;

	if (!b)
		return -ENOMEM;
	memset(b->shared, true, sizeof(b->shared));
	for (size_t i = 0; i < count && !err; i++) {
		if (!chosen[i] || !a[i].attached || netns_seen_before(a, i) ||
		    stays(a, count, chosen, a[i].key.netns))
			continue;
		err = count_bound(b, &a[i], e);
		if (!err && b->found.count)
			err = fail(
				e, -EBUSY, a[i].iface.name,
				"detaching: %u bound TCP connection%s would be cut off (close %s, or use --force)",
				b->found.count, plural(b->found.count), them(b->found.count));
	}
	free(b);
	return err;
}

/* A service of the model that has connections on the port. */
static const struct service *connections_on(const struct model *m, uint16_t port)
{
	for (unsigned int i = 0; i < m->service_count; i++)
		for (unsigned int k = 0; k < m->services[i].port_count; k++)
			if (m->services[i].ports[k] == port &&
			    service_has_connections(&m->services[i]))
				return &m->services[i];
	return NULL;
}

/* Marks the ports that `of` has connections on, and `not_of` has not; whether there is one. */
static bool mark_ports(const struct model *of, const struct model *not_of, bool ports[65536])
{
	bool any = false;

	for (unsigned int i = 0; i < of->service_count; i++)
		for (unsigned int k = 0; k < of->services[i].port_count; k++)
			if (service_has_connections(&of->services[i]))
				ports[of->services[i].ports[k]] = true;
	for (unsigned int i = 0; i < not_of->service_count; i++)
		for (unsigned int k = 0; k < not_of->services[i].port_count; k++)
			if (service_has_connections(&not_of->services[i]))
				ports[not_of->services[i].ports[k]] = false;
	for (unsigned int port = 0; port < 65536; port++)
		any |= ports[port];
	return any;
}

int check_cut(struct store *s, const struct model *from, const struct model *to, struct err *e)
{
	struct bound *b = new_bound(s, e);
	unsigned int count;
	uint16_t port;
	int err = 0;

	if (!b)
		return -ENOMEM;
	b->one_port = true;
	if (mark_ports(from, to, b->shared))
		err = in_each_netns(s, count_bound, b, e);
	count = b->found.count;
	port = (uint16_t)b->found.first;
	free(b);
	if (err || !count)
		return err;
	return fail(
		e, -EBUSY, connections_on(from, port)->name,
		"taking TCP port %u away: %u bound connection%s would be cut off (close %s, or use --force)",
		port, count, plural(count), them(count));
}

/* ---- connections that are over ---- */

/* What of a shared port's entries goes. */
enum stale {
	STALE_NONE,
	STALE_TAKEN, /* those whose client is connected to the shared port itself */
	STALE_DEAD,  /* those too that no socket belongs to; while nobody makes new ones */
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
	uint16_t own = socket_port(key, flow);
	int alive;

	if (p->shared[shared] == STALE_NONE || !is_of(key, p->sockets.netns))
		return 0;
	alive = own == shared ? 0 : is_alive(&p->sockets, key, shared);
	if (alive || p->shared[shared] == STALE_TAKEN)
		return alive;
	alive = own ? is_alive(&p->sockets, key, own) : 0;
	return alive < 0 ? alive : !alive;
}

static int prune_here(struct prune *p, const char *who, uint64_t netns, struct err *e)
{
	int err;

	p->sockets = (struct sockets){.netns = netns};
	err = store_flows_prune(p->store, judge_flow, p, e);
	free(p->sockets.all);
	if (!p->sockets.err)
		return err;
	/* None was removed: the list is read before the first is judged. */
	if (p->forced)
		return 0;
	return cannot_tell(
		who, err,
		"looking for connections that are over: cannot tell which of those known are",
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

static struct prune *new_prune(const struct cmd *c, struct store *s, struct err *e)
{
	struct prune *p = calloc(1, sizeof(*p));

	if (!p)
		fail(e, -ENOMEM, "flows", "looking for connections: out of memory");
	else
		*p = (struct prune){.store = s, .forced = given(c, OPT(FORCE))};
	return p;
}

int prune_for_change(const struct cmd *c, struct store *s, const struct model *from,
		     const struct model *to, struct err *e)
{
	struct prune *p;
	bool any = false;
	int err = 0;

	if (!store_flows_size(s))
		return 0;
	p = new_prune(c, s, e);
	if (!p)
		return -ENOMEM;
	for (unsigned int i = 0; i < to->service_count; i++) {
		const struct service *svc = &to->services[i];
		const struct service *old = model_find(from, svc->name);

		if (!old || !service_same_settings(old, svc))
			any |= mark_stale(p, svc, STALE_DEAD);
	}
	/* Where connections come in by another service's ways, they are made meanwhile. */
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

/* 1, 0, or negative errno. */
static int has_sessions(const struct attachment *a)
{
	return a->attached && a->iface.tc_in ? prog_sessions_ok(&a->key, &a->iface) : 0;
}

/* Is an interface of this namespace about to get the program that acts on flows; is it not the
 * first? 1, 0, or negative errno with e set. */
static int needs_sessions(const struct attachment *a, size_t count, const struct netdev *dev,
			  int devs, bool *first, struct err *e)
{
	int have = 0;

	*first = true;
	for (size_t i = 0; i < count; i++) {
		int has = a[i].key.netns == netns_inode() ? has_sessions(&a[i]) : 0;

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

int prune_for_attach(const struct cmd *c, struct store *s, const struct netdev *dev, struct err *e)
{
	struct attachment *a = NULL;
	struct prune *p;
	struct model m;
	size_t count;
	bool first = true, any = false;
	int err;

	if (!store_flows_size(s))
		return 0;
	p = new_prune(c, s, e);
	if (!p)
		return -ENOMEM;
	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err)
		err = read_attachments(s, &a, &count, e);
	if (!err)
		err = needs_sessions(a, count, dev, c->argc, &first, e);
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
