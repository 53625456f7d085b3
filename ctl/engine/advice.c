/* SPDX-License-Identifier: GPL-2.0-only */
/* What status and doctor say about attachments, services and the flow table, beside their lists. */
#include "advice.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/flows.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "interfaces.h"

/* ---- attachments ---- */

static void warn_about_gone(struct warnings *w, const struct attachment *a)
{
	const char *name = a->iface.name;
	char text[NETNS_TEXT_SIZE], option[NETNS_TEXT_SIZE];

	netns_text(a, text);
	netns_option(a, option);
	switch (attachment_gone(a)) {
	case GONE_NOT: return;
	case GONE_DEVICE:
		add_warning(
			w,
			"%s: the device that mangle was attached to in %s is gone (once it is back: mangle-ctl %sattach %s; else: mangle-ctl detach --gone)",
			name, text, option, name);
		return;
	case GONE_NETNS:
		add_warning(
			w,
			"%s: %s, which it was attached in, is gone (mangle-ctl detach --gone removes the record)",
			name, text);
		return;
	case GONE_PROGRAM:
		add_fault(
			w,
			"%s: the interface exists in %s, and mangle's program is no longer attached to it (mangle-ctl %sattach %s)",
			name, text, option, name);
		return;
	case GONE_UNKNOWN:
		add_warning(
			w,
			"%s: cannot tell whether it is attached: %s cannot be entered (see doctor)",
			name, text);
	}
}

/* A link's state is read in the link's own network namespace, by the name that the link has now. */
static enum link_state read_link_state(const struct attachment *a)
{
	enum link_state state = LINK_UNKNOWN;
	struct netdev dev;
	struct err ignored;
	int back;

	if (!a->attached || netns_enter_inode(a->key.netns, &back))
		return LINK_UNKNOWN;
	if (!netdev_get(a->iface.name, &dev, &ignored))
		state = !dev.up ? LINK_DOWN : dev.carrier ? LINK_UP : LINK_NO_CARRIER;
	netns_return(back);
	return state;
}

static void warn_about_link(struct warnings *w, const struct attachment *a)
{
	const char *name = a->iface.name;
	char option[NETNS_TEXT_SIZE];

	if (a->link == LINK_DOWN)
		add_warning(w, "%s: down: nothing is received (ip %slink set %s up)", name,
			    netns_option(a, option), name);
	else if (a->link == LINK_NO_CARRIER)
		add_warning(
			w,
			"%s: no carrier: nothing is received (check cable, switch port and peer)",
			name);
}

void warn_about_attachment(struct warnings *w, struct attachment *a, const struct model *m)
{
	a->link = read_link_state(a);
	warn_about_gone(w, a);
	warn_about_link(w, a);
	warn_about_interface(w, a, m);
}

void warn_about_nothing_attached(struct warnings *w, const struct attachment *a, size_t count)
{
	if (any_attached(a, count))
		return;
	add_fault(
		w,
		"nothing is attached: packets reach the shared ports unchanged (mangle-ctl attach IFACE)");
}

/* ---- services ---- */

void warn_about_services(struct warnings *w, const struct model *m)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];

		if (s->protocols & MANGLE_PROTO_TCP && s->tcp_mode == TCP_MODE_SEGMENT)
			add_warning(
				w,
				"service %s: TCP in segment mode breaks connections to local sockets (for one-way and mirrored streams only)",
				s->name);
	}
}

/* Names of services for one line: "service a", "services a, b, c and 5 more". */
#define NAMES_SHOWN 3
struct names {
	char text[NAMES_SHOWN * (MANGLE_NAME_SIZE + 2)];
	size_t len;
	unsigned int count;
};

static void add_name(struct names *n, const char *name)
{
	if (n->count++ < NAMES_SHOWN)
		n->len += (size_t)snprintf(n->text + n->len, sizeof(n->text) - n->len, "%s%s",
					   n->count > 1 ? ", " : "", name);
}

#define NAMES_TEXT_SIZE (sizeof(struct names) + 40)
static const char *names_text(const struct names *n, char buf[NAMES_TEXT_SIZE])
{
	char more[24] = "";

	if (n->count > NAMES_SHOWN)
		snprintf(more, sizeof(more), " and %u more", n->count - NAMES_SHOWN);
	snprintf(buf, NAMES_TEXT_SIZE, "service%s %s%s", n->count > 1 ? "s" : "", n->text, more);
	return buf;
}

/* Returns 1 where the thread's network namespace has an interface of that name, 0 where it has
 * none, or negative errno. */
static int is_there(const char *name)
{
	struct netdev dev;
	struct err ignored;
	int err = netdev_get(name, &dev, &ignored);

	return !err ? 1 : err == -ENODEV ? 0 : err;
}

/* The same in the network namespace of the attachment. */
static int is_there_in(const struct attachment *a, const char *name)
{
	int back, there;

	if (netns_enter_inode(a->key.netns, &back))
		return -EIO;
	there = is_there(name);
	netns_return(back);
	return there;
}

/* An attached program matches services by the name that its interface had when it was attached. */
static enum service_place find_place(const char *name, const struct attachment *a, size_t count)
{
	int there = is_there(name);
	bool unknown = there < 0, any = false;

	for (size_t i = 0; i < count; i++)
		if (a[i].attached && !strcmp(a[i].attached_as, name))
			return PLACE_ATTACHED;
	for (size_t i = 0; i < count && there <= 0; i++) {
		if (!a[i].attached)
			continue;
		any = true;
		there = is_there_in(&a[i], name);
		unknown |= there < 0;
	}
	/* With nothing attached, the interface may be in any other network namespace. */
	if (there > 0 || !any)
		return PLACE_NOT_ATTACHED;
	return unknown ? PLACE_UNKNOWN : PLACE_MISSING;
}

enum service_place service_place(const struct service *s, const struct attachment *a, size_t count)
{
	return *s->ifname ? find_place(s->ifname, a, count) : PLACE_ANY;
}

/* Returns the attachment whose interface was renamed since, and has that name now; NULL: none. */
static const struct attachment *find_renamed(const char *name, const struct attachment *a,
					     size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].attached && !strcmp(a[i].iface.name, name))
			return &a[i];
	return NULL;
}

static void warn_about_place(struct warnings *w, const char *who, const char *name,
			     enum service_place place, const struct attachment *renamed)
{
	if (place == PLACE_UNKNOWN)
		add_warning(w, "%s: cannot tell whether interface %s exists (see doctor)", who,
			    name);
	else if (place == PLACE_MISSING)
		add_warning(
			w,
			"%s: interface %s does not exist here, nor in any network namespace that mangle is attached in: no packet matches (mangle-ctl service set NAME --interface IF)",
			who, name);
	else if (renamed)
		add_warning(
			w,
			"%s: interface %s was attached under the name %s, by which services match it until it is attached again: no packet matches (mangle-ctl detach %s, then attach)",
			who, name, renamed->attached_as, name);
	else
		add_warning(
			w,
			"%s: interface %s is not attached: no packet matches (mangle-ctl attach %s)",
			who, name, name);
}

/* Each interface that services name is reported once, with all services that name it. */
void warn_about_places(struct warnings *w, const struct model *m, const struct attachment *a,
		       size_t count)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		const char *name = m->services[i].ifname;
		struct names names = {0};
		char who[NAMES_TEXT_SIZE];
		enum service_place place;
		bool first = true;

		for (unsigned int k = 0; k < i; k++)
			first &= !!strcmp(m->services[k].ifname, name);
		place = first ? service_place(&m->services[i], a, count) : PLACE_ANY;
		if (place == PLACE_ANY || place == PLACE_ATTACHED)
			continue;
		for (unsigned int k = i; k < m->service_count; k++)
			if (!strcmp(m->services[k].ifname, name))
				add_name(&names, m->services[k].name);
		warn_about_place(w, names_text(&names, who), name, place,
				 find_renamed(name, a, count));
	}
}

static void warn_about_disabled(struct warnings *w, const struct model *m)
{
	struct names names = {0};
	char who[NAMES_TEXT_SIZE];

	for (unsigned int i = 0; i < m->service_count; i++)
		if (m->services[i].disabled)
			add_name(&names, m->services[i].name);
	if (names.count)
		add_info(
			w,
			"%s: disabled: no packet matches (mangle-ctl service set NAME --enabled true)",
			names_text(&names, who));
}

void warn_about_running(struct warnings *w, const struct model *m, const struct attachment *a,
			size_t count)
{
	struct names names = {0};
	char who[NAMES_TEXT_SIZE];

	warn_about_services(w, m);
	if (any_attached(a, count))
		warn_about_places(w, m, a, count);
	for (unsigned int i = 0; i < m->service_count; i++)
		if (m->services[i].observe && !m->services[i].disabled)
			add_name(&names, m->services[i].name);
	if (names.count)
		add_warning(
			w,
			"%s: observe: packets are counted, and none is changed (mangle-ctl service set NAME --action enforce)",
			names_text(&names, who));
	warn_about_disabled(w, m);
}

/* ---- the flow table ---- */

#define NEARLY_FULL 90 /* percent */

static int count_connection(void *arg, const struct mangle_flow_key *key,
			    const struct mangle_flow *flow)
{
	(void)key;
	*(uint64_t *)arg += flow->state != FLOW_REVERSE;
	return 0;
}

int read_flows(struct store *s, uint64_t *used, struct err *e)
{
	uint32_t size = store_flows_size(s);
	int err;

	*used = 0;
	err = store_flows(s, count_connection, used, e);
	/* The table holds more entries than its size for a while: a connection's reverse entry goes
	 * last. */
	if (*used > size)
		*used = size;
	return err;
}

void warn_about_flows(struct warnings *w, uint64_t used, uint32_t size)
{
	if (!size || used * 100 < (uint64_t)size * NEARLY_FULL)
		return;
	if (used < size)
		add_warning(
			w,
			"flows: %llu of %u: nearly full; once it is full, idle connections are evicted, and reset when they send again (raise flows in the configuration file)",
			(unsigned long long)used, size);
	else
		add_warning(
			w,
			"flows: %u of %u: full: idle connections are evicted, and reset when they send again (raise flows in the configuration file)",
			size, size);
}
