/* SPDX-License-Identifier: GPL-2.0-only */
#include "twice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/device.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"

/* ---- what is where ---- */

/* A network namespace that an interface is attached in, or is to be. */
struct place {
	uint64_t netns;
	struct devices all; /* empty where it cannot be entered; warn_about_interface says so */
	int fd;
	int err; /* it was entered, but its devices could not be read */
	struct err why;
};

struct places {
	struct place *all;
	size_t count;
};

static void read_place(struct place *p, uint64_t netns)
{
	int back;

	p->netns = netns;
	p->fd = -1;
	if (netns_enter_inode(netns, &back))
		return;
	p->err = devices_read(&p->all, &p->why);
	if (!p->err) {
		p->fd = netns_open();
		if (p->fd < 0)
			p->err = fail(&p->why, p->fd, "interfaces",
				      "opening their network namespace: %s (see doctor)",
				      netns_why(p->fd));
	}
	netns_return(back);
}

static const struct place *find_place(const struct places *p, uint64_t netns)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->all[i].netns == netns)
			return &p->all[i];
	return NULL;
}

static void free_places(struct places *p)
{
	for (size_t i = 0; i < p->count; i++) {
		devices_free(&p->all[i].all);
		if (p->all[i].fd >= 0)
			close(p->all[i].fd);
	}
	free(p->all);
}

/* Reads the thread's own namespace, and those that an interface is attached in. */
static int read_places(struct places *p, const struct attachment *a, size_t count, struct err *e)
{
	p->count = 0;
	p->all = calloc(count + 1, sizeof(*p->all));
	if (!p->all)
		return fail(e, -ENOMEM, "interfaces", "finding stacked ones: out of memory");
	read_place(&p->all[p->count++], netns_inode());
	for (size_t i = 0; i < count; i++)
		if (a[i].attached && !find_place(p, a[i].key.netns))
			read_place(&p->all[p->count++], a[i].key.netns);
	return 0;
}

/* ---- how two are placed to each other ---- */

struct spot {
	const struct place *place;
	const struct device *device; /* NULL: it is gone, or cannot be found */
};

static struct spot find_spot(const struct places *p, uint64_t netns, int ifindex)
{
	const struct place *place = find_place(p, netns);

	return (struct spot){place, place ? devices_find(&place->all, ifindex) : NULL};
}

/* Returns whether upper, in another namespace, is above lower: 1, 0, or negative errno. */
static int is_above_elsewhere(struct spot upper, struct spot lower)
{
	const struct devices *there = &upper.place->all, *here = &lower.place->all;
	int back, id, err;

	/* Hardly any device is, whatever the namespaces' ids are: so the ids are asked for last. */
	if (!device_is_above_elsewhere(there, upper.device, here, lower.device, -1))
		return 0;
	err = netns_enter_inode(upper.place->netns, &back);
	if (err)
		return err;
	err = devices_netns_id(lower.place->fd, &id);
	netns_return(back);
	if (err)
		return err;
	return id >= 0 && device_is_above_elsewhere(there, upper.device, here, lower.device, id);
}

static int is_above(struct spot upper, struct spot lower)
{
	if (upper.place != lower.place)
		return is_above_elsewhere(upper, lower);
	return device_is_above(&upper.place->all, upper.device, lower.device, true);
}

/* Sets *how to the relation of d to the other: "a port of", "below" or "above"; NULL where no
 * packet passes both. */
static int relation(struct spot other, struct spot d, const char **how)
{
	int found;

	*how = NULL;
	if (!other.device || !d.device)
		return 0;
	if (other.place == d.place && d.device->master == other.device->ifindex) {
		*how = "a port of";
		return 0;
	}
	found = is_above(other, d);
	if (found > 0)
		*how = "below";
	if (found)
		return found < 0 ? found : 0;
	found = is_above(d, other);
	if (found > 0)
		*how = "above";
	return found < 0 ? found : 0;
}

#define NAME_SIZE (MANGLE_IFNAME_SIZE + sizeof(" in ") + NETNS_TEXT_SIZE)

/* Writes "eth0", or where it is in another namespace than `than` "eth0 in network
 * namespace blue". */
static const char *name_of(const struct attachment *a, uint64_t than, char buf[NAME_SIZE])
{
	char netns[NETNS_TEXT_SIZE];

	if (a->key.netns == than)
		snprintf(buf, NAME_SIZE, "%s", a->iface.name);
	else
		snprintf(buf, NAME_SIZE, "%s in %s", a->iface.name, netns_text(a, netns));
	return buf;
}

/* ---- before attaching ---- */

static bool is_attached(const struct attachment *a, size_t count, int ifindex)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].attached && is_key(&a[i], netns_inode(), ifindex))
			return true;
	return false;
}

static int check_pair(struct spot d, struct spot other, const char *name, const char *other_is,
		      struct err *e)
{
	const char *how;
	int err = relation(other, d, &how);

	if (err)
		return fail(
			e, err, d.device->name,
			"attaching: cannot tell whether packets pass both it and %s, which is %s: %s (see doctor)",
			name, other_is, netns_why(err));
	if (!how)
		return 0;
	return fail(
		e, -EBUSY, d.device->name,
		"attaching: it is %s %s, which is %s: packets would pass both and be mangled twice (attach to one of the two)",
		how, name, other_is);
}

static int check_others(const struct places *p, const struct netdev *dev, int at,
			const struct attachment *a, size_t count, struct err *e)
{
	const struct spot d = find_spot(p, netns_inode(), dev[at].ifindex);
	char name[NAME_SIZE];
	int err = 0;

	if (!d.device || is_attached(a, count, d.device->ifindex))
		return 0;
	for (size_t i = 0; i < count && !err; i++)
		if (a[i].attached)
			err = check_pair(d, find_spot(p, a[i].key.netns, (int)a[i].key.ifindex),
					 name_of(&a[i], netns_inode(), name), "attached", e);
	for (int i = 0; i < at && !err; i++)
		err = check_pair(d, find_spot(p, netns_inode(), dev[i].ifindex), dev[i].name,
				 "named too", e);
	return err;
}

int check_twice(struct store *s, const struct netdev *dev, int devs, struct err *e)
{
	struct attachment *a;
	struct places p;
	size_t count;
	int err = read_attachments(s, &a, &count, e);

	if (err)
		return err;
	err = read_places(&p, a, count, e);
	if (!err && p.all[0].err) { /* the thread's own namespace */
		*e = p.all[0].why;
		err = p.all[0].err;
	}
	for (int i = 0; i < devs && !err; i++)
		err = check_others(&p, dev, i, a, count, e);
	free_places(&p);
	free(a);
	return err;
}

/* ---- afterwards ---- */

static void warn_about_pair(struct warnings *w, struct spot lower, struct spot upper,
			    const struct attachment *a)
{
	char name[NAME_SIZE];
	const char *how = NULL;
	int err = is_above(upper, lower);

	if (err > 0)
		err = relation(upper, lower, &how);
	name_of(a, lower.place->netns, name);
	if (err)
		add_warning(w, "%s: cannot tell whether it is below %s: %s (see doctor)",
			    lower.device->name, name, netns_why(err));
	else if (how)
		add_warning(
			w,
			"%s: it is %s %s, which is attached too: packets that pass both are mangled twice (detach one of the two)",
			lower.device->name, how, name);
}

static void warn_about_upper(struct warnings *w, const struct places *p, struct spot lower,
			     const struct attachment *a, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct spot upper = find_spot(p, a[i].key.netns, (int)a[i].key.ifindex);

		if (a[i].attached && upper.device && upper.device != lower.device)
			warn_about_pair(w, lower, upper, &a[i]);
	}
}

void warn_about_twice(struct warnings *w, const struct attachment *a, size_t count)
{
	struct places p;
	struct err why;

	if (read_places(&p, a, count, &why)) {
		add_warning(w, "%s", why.line);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct spot d = find_spot(&p, a[i].key.netns, (int)a[i].key.ifindex);

		if (!a[i].attached || !d.place)
			continue;
		if (d.place->err)
			add_warning(w, "%s: cannot tell whether one below it is attached too: %s",
				    a[i].iface.name, d.place->why.line);
		if (d.device)
			warn_about_upper(w, &p, d, a, count);
	}
	free_places(&p);
}
