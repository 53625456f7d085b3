/* SPDX-License-Identifier: GPL-2.0-only */
#include "advice_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/host.h"
#include "kernel/netns.h"
#include "kernel/probe.h"
#include "kernel/running.h"

struct host_check {
	struct store *store;
	struct warnings *warn;
	bool connections, replies;		   /* some service has them */
	bool shared[65536];			   /* ports of services in TCP connection mode */
	const struct service *any, *any_connected; /* without daddr; the latter with connections */
	bool asks_conntrack;
	union {
		struct host_local_ports local;
		bool mptcp[65536];
	};
};

/* The ports that share a warning: how many, and the first of them. */
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
		add_warning(w, "%s: cannot read /proc/sys/net/%s: %s (see doctor)", who, path,
			    strerror(-err));
	return err ? none : value;
}

static void check_settings(const struct host_check *h, const char *who)
{
	if (!read_setting(h->warn, who, "ipv4/tcp_syncookies", 1))
		add_fault(
			h->warn,
			"%s: net.ipv4.tcp_syncookies is 0: the kernel accepts no TCP connection from mangle (sysctl net.ipv4.tcp_syncookies=1)",
			who);
	if (!read_setting(h->warn, who, "netfilter/nf_conntrack_tcp_loose", 1))
		add_warning(
			h->warn,
			"%s: net.netfilter.nf_conntrack_tcp_loose is 0: where conntrack is in use, it marks TCP connections as invalid whose SYN mangle answered (sysctl net.netfilter.nf_conntrack_tcp_loose=1)",
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
			"%s: MPTCP listens on port %u%s: the kernel gives such a listener no connection of mangle's (let it listen on TCP; in Go: GODEBUG=multipathtcp=0)",
			who, f.first, and_more(&f, more));
}

static void check_local_ports(struct host_check *h, const char *who)
{
	struct found f = {0};
	char more[32];

	int err = host_local_ports(&h->local);

	if (err) {
		add_warning(h->warn, "%s: cannot tell the host's ephemeral ports: %s (see doctor)",
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
			"%s: target %u%s, from which replies come, is among the host's ephemeral ports %u-%u: datagrams that another socket sends from it get the shared port too (choose other targets, or reserve these: sysctl net.ipv4.ip_local_reserved_ports)",
			who, f.first, and_more(&f, more), h->local.first, h->local.last);
}

/* Packets that come back to the clients of a masquerading gateway have its own address. */
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
		"%s: this host forwards and %s: packets that come back to port %u for a client behind it match service %s (%sgive the service daddr, or masquerade to a range of ports without this one; see GATEWAYS in mangle-ctl(8))",
		who,
		masquerades > 0 ? "masquerades"
				: "whether it masquerades cannot be told (see doctor)",
		s->ports[0], s->name,
		can_ask ? "mangle-ctl upgrade makes it ask conntrack; or " : "");
}

/* Returns whether the program asks conntrack on every interface of the namespace. */
static bool ask_conntrack(const struct attachment *a, size_t count, uint64_t netns)
{
	bool all = true;

	for (size_t i = 0; i < count; i++)
		if (a[i].attached && a[i].key.netns == netns)
			all &= a[i].iface.conntrack;
	return all;
}

/* Checks the thread's network namespace. */
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

		h->replies |= service_has_replies(s);
		if (!h->any && !s->disabled && !s->daddr_count)
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
