/* SPDX-License-Identifier: GPL-2.0-only */
#include "connections.h"
#include "model/setting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/flows.h"
#include "kernel/host.h"
#include "kernel/netns.h"
#include "sockets.h"

int cannot_tell(const char *object, int err, const char *what, const char *why, struct err *e)
{
	return fail(e, err, object, "%s: %s (see doctor, or use --force)", what, why);
}

/* ---- connections of others to ports that are to be taken ---- */

/* The established connections to ports that a service is about to take: those to the first such
 * port. */
struct established {
	const struct service *taker[65536]; /* NULL: no service takes it */
	unsigned int port, count;
};

static int count_connection(void *arg, const struct host_socket *socket)
{
	struct established *found = arg;

	if (socket->state != HOST_TCP_ESTABLISHED || !found->taker[socket->local_port] ||
	    (found->count && found->port != socket->local_port))
		return 0;
	found->port = socket->local_port;
	found->count++;
	return 0;
}

/* Marks the ports that new or changed services take; returns whether there are any. */
static bool mark_taken(const struct model *from, const struct model *to, struct established *found)
{
	bool any = false;

	for (unsigned int i = 0; i < to->service_count; i++) {
		const struct service *s = &to->services[i];
		const struct service *old = model_find(from, s->name);

		if (s->disabled || !(s->protocols & MANGLE_PROTO_TCP) ||
		    (old && service_same_settings(old, s)))
			continue;
		for (unsigned int k = 0; k < s->port_count; k++)
			found->taker[s->ports[k]] = s;
		any |= s->port_count;
	}
	return any;
}

/* Checks the thread's network namespace. */
static int check_here(struct established *found, const char *who, struct err *e)
{
	struct err why;
	int err = host_sockets(count_connection, found, &why);

	if (err)
		return cannot_tell(
			who, err,
			"taking TCP ports: cannot tell whether clients are connected to them",
			why.line, e);
	if (!found->count)
		return 0;
	return fail(
		e, -EBUSY, found->taker[found->port]->name,
		"taking TCP port %u: it has %u established connection%s, which could be cut off (close them, or use --force)",
		found->port, found->count, found->count == 1 ? "" : "s");
}

static int check_there(struct established *found, const struct attachment *a, struct err *e)
{
	const char *name = a->iface.name;
	char why[256];
	int back, err = netns_enter_inode(a->key.netns, &back);

	if (err) {
		snprintf(why, sizeof(why), "its network namespace: %s", netns_why(err));
		return cannot_tell(
			name, err,
			"taking TCP ports: cannot tell whether clients are connected to them", why,
			e);
	}
	if (back >= 0) /* else it is the thread's own, which has been checked */
		err = check_here(found, name, e);
	netns_return(back);
	return err;
}

/* Checks this namespace, and each that an interface is attached in. */
static int check_everywhere(struct store *s, struct established *found, struct err *e)
{
	struct attachment *a;
	size_t count;
	int err = check_here(found, "this host", e);

	if (!err)
		err = read_attachments(s, &a, &count, e);
	if (err)
		return err;
	for (size_t i = 0; i < count && !err; i++)
		if (a[i].attached && !netns_seen_before(a, i))
			err = check_there(found, &a[i], e);
	free(a);
	return err;
}

int check_taken(struct store *s, const struct model *from, const struct model *to, struct err *e)
{
	struct established *found;
	int err = 0;

	found = calloc(1, sizeof(*found));
	if (!found)
		return fail(e, -ENOMEM, "services", "looking for connections: out of memory");
	if (mark_taken(from, to, found))
		err = check_everywhere(s, found, e);
	free(found);
	return err;
}

/* ---- bound connections ---- */

struct bound {
	struct store *store;
	bool shared[65536]; /* ports whose connections are counted */
	struct sockets sockets;
	unsigned int count;
	uint16_t port; /* the shared port of the first one counted */
	bool one_port; /* count only those of that port */
};

/* Counts a live connection, unless its socket has the shared port itself: that needs no mangle. */
static int count_alive(void *arg, const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	struct bound *b = arg;
	uint16_t shared = ntohs(key->server_port_be);
	int alive;

	if ((flow->state != FLOW_BOUND && flow->state != FLOW_LIVE) || flow->port == shared ||
	    !b->shared[shared] || !flow_is_of(key, b->sockets.netns))
		return 0;
	if (b->one_port && b->count && b->port != shared)
		return 0;
	alive = sockets_alive(&b->sockets, key, flow->port);
	if (alive > 0 && !b->count++)
		b->port = shared;
	return alive < 0 ? alive : 0;
}

static int count_bound(void *arg, const struct attachment *a, struct err *e)
{
	struct bound *b = arg;
	int err;

	b->sockets = (struct sockets){.netns = a->key.netns};
	err = store_flows(b->store, count_alive, b, e);
	sockets_free(&b->sockets);
	if (b->sockets.err)
		return cannot_tell(
			a->iface.name, err,
			"looking for bound connections: cannot tell whether any would be cut off",
			b->sockets.why.line, e);
	return err;
}

/* Returns whether an interface that stays attached serves the namespace: its connections go on. */
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
		if (!err && b->count)
			err = fail(
				e, -EBUSY, a[i].iface.name,
				"detaching: %u bound TCP connection%s would be cut off (close %s, or use --force)",
				b->count, plural(b->count), them(b->count));
	}
	free(b);
	return err;
}

/* Returns a service of the model that has TCP in connection mode on the port; NULL: none. */
static const struct service *connections_on(const struct model *m, uint16_t port)
{
	for (unsigned int i = 0; i < m->service_count; i++)
		for (unsigned int k = 0; k < m->services[i].port_count; k++)
			if (m->services[i].ports[k] == port &&
			    service_has_connections(&m->services[i]))
				return &m->services[i];
	return NULL;
}

/* Marks the ports on which `of` has TCP in connection mode and `not_of` has not; returns whether
 * there are any. */
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
	count = b->count;
	port = b->port;
	free(b);
	if (err || !count)
		return err;
	return fail(
		e, -EBUSY, connections_on(from, port)->name,
		"taking TCP port %u away: %u bound connection%s would be cut off (close %s, or use --force)",
		port, count, plural(count), them(count));
}
