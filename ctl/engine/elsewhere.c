/* SPDX-License-Identifier: GPL-2.0-only */
#include "elsewhere.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/device.h"
#include "kernel/netdev.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "advice_host.h"
#include "attachments.h"
#include "connections.h"

/* The addresses that share a warning: how many they are, and of the first the device
 * and service. */
struct affected {
	unsigned int count;
	char device[MANGLE_IFNAME_SIZE];
	char netns_name[NETNS_TEXT_SIZE];
	uint64_t netns;
	char address[INET6_ADDRSTRLEN];
	const struct service *service;
	bool forwards; /* the kernel has no route to it; false: it does not forward */
};

struct look {
	/* the interface, and the services that match there */
	const struct devices *all;
	const struct device *d;
	const char *name;
	const struct model *m;
	bool forwards4, forwards6;
	uint64_t netns;
	int netns_fd;
	struct nl_sock *routes; /* asks for routes there, whatever namespace the thread is in */

	/* the device that is looked at, in another namespace */
	const char *netns_name;
	const struct devices *there;
	const struct device *child;

	struct affected cut, not_bound;
};

/* ---- which services take what is not this host's ---- */

static bool matches_here(const struct look *l, const struct service *s)
{
	return service_has_connections(s) && (!s->ifname[0] || !strcmp(s->ifname, l->name));
}

static bool has_prefix(const struct prefix *p, const struct netdev_address *a)
{
	const unsigned int bytes = p->len / 8, bits = p->len % 8;

	return p->family == a->family && !memcmp(p->addr, a->addr, bytes) &&
	       !(bits && (p->addr[bytes] ^ a->addr[bytes]) >> (8 - bits));
}

static bool takes(const struct service *s, const struct netdev_address *a)
{
	for (unsigned int i = 0; i < s->daddr_count; i++)
		if (has_prefix(&s->daddr[i], a))
			return true;
	return !s->daddr_count;
}

/* Returns the first service that would take packets to the address; NULL: none. */
static const struct service *service_for(const struct look *l, const struct netdev_address *a)
{
	for (unsigned int i = 0; i < l->m->service_count; i++)
		if (matches_here(l, &l->m->services[i]) && takes(&l->m->services[i], a))
			return &l->m->services[i];
	return NULL;
}

/* A service whose daddr are single addresses is meant for this host's. */
static bool takes_many(const struct service *s)
{
	for (unsigned int i = 0; i < s->daddr_count; i++)
		if (s->daddr[i].len < (s->daddr[i].family == 4 ? 32 : 128))
			return true;
	return !s->daddr_count;
}

static bool any_takes_many(const struct look *l)
{
	for (unsigned int i = 0; i < l->m->service_count; i++)
		if (matches_here(l, &l->m->services[i]) && takes_many(&l->m->services[i]))
			return true;
	return false;
}

/* ---- devices in other namespaces ---- */

static void note(const struct look *l, struct affected *to, const struct service *s,
		 const struct netdev_address *a)
{
	if (to->count++)
		return;
	snprintf(to->device, sizeof(to->device), "%s", l->child->name);
	snprintf(to->netns_name, sizeof(to->netns_name), "%s", l->netns_name);
	to->netns = netns_inode();
	inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->addr, to->address, sizeof(to->address));
	to->service = s;
	to->forwards = a->family == 4 ? l->forwards4 : l->forwards6;
}

/* Returns 1 where the kernel would forward packets to the address, by which mangle knows that it is
 * not this host's; else 0, or negative errno. */
static int would_forward(const struct look *l, const struct netdev_address *a)
{
	return (a->family == 4 ? l->forwards4 : l->forwards6) ? netdev_has_route(l->routes, a) : 0;
}

/* A packet to another MAC address is never taken for this host's. Returns 1 where a warning was
 * noted. */
static int look_at_address(void *arg, const struct netdev_address *a)
{
	struct look *l = arg;
	const struct device *has = devices_find(l->there, a->ifindex);
	const struct service *s = service_for(l, a);
	int forwards;

	if (!has || !s || (has != l->child && !device_is_above(l->there, has, l->child, true)))
		return 0;
	if (memcmp(l->child->address, l->d->address, sizeof(l->d->address))) {
		note(l, &l->not_bound, s, a);
		return 1;
	}
	forwards = would_forward(l, a);
	if (forwards)
		return forwards < 0 ? forwards : 0;
	note(l, &l->cut, s, a);
	return 1;
}

static int look_at_children(struct look *l, int id)
{
	int err = 0;

	for (size_t i = 0; i < l->there->count && err >= 0; i++) {
		l->child = &l->there->all[i];
		if (device_is_on_elsewhere(l->child, l->all, l->d, id))
			err = netdev_addresses(look_at_address, l);
	}
	return err < 0 ? err : 0;
}

static bool any_child(const struct look *l)
{
	for (size_t i = 0; i < l->there->count; i++)
		if (device_is_on_elsewhere(&l->there->all[i], l->all, l->d, -1))
			return true;
	return false;
}

static int look_here(void *arg, const char *netns_name)
{
	struct look *l = arg;
	struct devices there;
	struct err why;
	int id, err = 0;

	if (netns_inode() == l->netns)
		return 0;
	err = devices_read(&there, &why);
	if (err)
		return err;
	l->netns_name = netns_name;
	l->there = &there;
	if (any_child(l)) {
		err = devices_netns_id(l->netns_fd, &id);
		if (!err && id >= 0)
			err = look_at_children(l, id);
	}
	devices_free(&there);
	return err;
}

static int look_elsewhere(struct look *l)
{
	int err;

	l->netns = netns_inode();
	l->netns_fd = netns_open();
	if (l->netns_fd < 0)
		return l->netns_fd;
	err = netlink_open(NETLINK_ROUTE, &l->routes) ? -EIO : netns_search(look_here, l);
	nl_socket_free(l->routes);
	close(l->netns_fd);
	return err;
}

/* ---- what is said of them ---- */

#define AFFECTED_SIZE (MANGLE_IFNAME_SIZE + NETNS_TEXT_SIZE + 32)

/* "eth0 in network namespace blue (and 3 more)". */
static const char *text_of(const struct affected *a, char buf[AFFECTED_SIZE])
{
	char netns[NETNS_TEXT_SIZE];
	int length = snprintf(buf, AFFECTED_SIZE, "%s in %s", a->device,
			      netns_words(a->netns_name, a->netns, netns));

	if (a->count > 1)
		snprintf(buf + length, AFFECTED_SIZE - (size_t)length, " (and %u more)",
			 a->count - 1);
	return buf;
}

static void say_affected(struct warnings *w, const struct look *l)
{
	char text[AFFECTED_SIZE];

	if (l->cut.count)
		add_warning(
			w,
			"%s: TCP connections to %s, of %s, are cut off: service %s takes them for this host's, since %s (mangle-ctl service set %s --daddr PREFIX, with this host's addresses)",
			l->d->name, l->cut.address, text_of(&l->cut, text), l->cut.service->name,
			l->cut.forwards ? "it has no route there" : "forwarding is off",
			l->cut.service->name);
	if (l->not_bound.count)
		add_warning(
			w,
			"%s: TCP connections to the MAC address of %s, which is on it, are not bound, but go to the shared port (attach to that instead, if they are to be)",
			l->d->name, text_of(&l->not_bound, text));
}

/* A run that has no right to look into other namespaces needs to do nothing: an info. A run that
 * tried and failed gives a warning. */
static void say_unknown(struct warnings *w, const char *name, int err)
{
	(err == -EACCES || err == -EPERM ? add_info : add_warning)(
		w,
		"%s: cannot tell whether containers have devices on it, whose TCP connections a service without daddr would cut off: other network namespaces: %s (see doctor)",
		name, netns_why(err));
}

static bool forwards(struct warnings *w, const struct device *d, const char *family)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/conf/%s/forwarding", family, d->name);
	return read_setting(w, d->name, path, 0) > 0;
}

void warn_about_elsewhere(struct warnings *w, const struct devices *all, const struct device *d,
			  const char *name, const struct model *m)
{
	struct look l = {.all = all, .d = d, .name = name, .m = m};
	int err;

	if (!any_takes_many(&l))
		return;
	l.forwards4 = forwards(w, d, "ipv4");
	l.forwards6 = forwards(w, d, "ipv6");
	err = look_elsewhere(&l);
	say_affected(w, &l);
	if (err < 0 && !l.cut.count)
		say_unknown(w, d->name, err);
}
