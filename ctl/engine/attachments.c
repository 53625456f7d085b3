/* SPDX-License-Identifier: GPL-2.0-only */
#include "attachments.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/ifaces.h"
#include "kernel/locate.h"
#include "kernel/netns.h"

static int by_name(const void *x, const void *y)
{
	const struct attachment *a = x, *b = y;
	int order = strcmp(a->iface.name, b->iface.name);

	if (!order)
		order = (a->key.netns > b->key.netns) - (a->key.netns < b->key.netns);
	return order ? order
		     : (a->key.ifindex > b->key.ifindex) - (a->key.ifindex < b->key.ifindex);
}

/* The device may have been renamed since it was attached. */
static void read_name(struct attachment *a)
{
	char name[IF_NAMESIZE];
	int back, err = netns_enter_inode(a->key.netns, &back);

	if (err) {
		snprintf(a->unseen, sizeof(a->unseen), "its network namespace: %s", netns_why(err));
		return;
	}
	if (if_indextoname(a->key.ifindex, name))
		snprintf(a->iface.name, sizeof(a->iface.name), "%s", name);
	else if (errno != ENXIO && errno != ENODEV) /* the device has just gone */
		snprintf(a->unseen, sizeof(a->unseen), "its name: %s", strerror(errno));
	netns_return(back);
}

static void refresh(struct store *s, struct attachment *a)
{
	struct err why;
	int attached = prog_locate(s, &a->key, &a->iface, &why);

	a->attached = attached != 0;
	memcpy(a->attached_as, a->iface.name, sizeof(a->attached_as));
	if (attached < 0)
		snprintf(a->unseen, sizeof(a->unseen), "%.159s", why.line);
	else if (attached)
		read_name(a);
}

int read_attachments(struct store *s, struct attachment **out, size_t *count, struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	int err = store_ifaces(s, &keys, &ifaces, count, e);

	if (err)
		return err;
	*out = calloc(*count + 1, sizeof(**out));
	for (size_t i = 0; i < *count && *out; i++) {
		(*out)[i].key = keys[i];
		(*out)[i].iface = ifaces[i];
		refresh(s, &(*out)[i]);
	}
	free(keys);
	free(ifaces);
	if (!*out)
		return fail(e, -ENOMEM, "interfaces", "listing them: out of memory");
	qsort(*out, *count, sizeof(**out), by_name);
	return 0;
}

bool netns_seen_before(const struct attachment *a, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (a[k].attached && a[k].key.netns == a[i].key.netns)
			return true;
	return false;
}

int in_each_netns(struct store *s,
		  int (*here)(void *arg, const struct attachment *a, struct err *e), void *arg,
		  struct err *e)
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

bool is_key(const struct attachment *a, uint64_t netns, int ifindex)
{
	return a->key.netns == netns && a->key.ifindex == (uint32_t)ifindex;
}

/* ---- in words ---- */

const char *netns_words(const char *name, uint64_t netns, char buf[NETNS_TEXT_SIZE])
{
	if (*name)
		snprintf(buf, NETNS_TEXT_SIZE, "network namespace %s", name);
	else if (netns == netns_inode())
		snprintf(buf, NETNS_TEXT_SIZE, "this network namespace");
	else if (netns_is_hosts(netns))
		snprintf(buf, NETNS_TEXT_SIZE, "the host's network namespace");
	else
		snprintf(buf, NETNS_TEXT_SIZE, "network namespace %llu, which has no name",
			 (unsigned long long)netns);
	return buf;
}

const char *netns_text(const struct attachment *a, char buf[NETNS_TEXT_SIZE])
{
	return netns_words(a->iface.netns_name, a->key.netns, buf);
}

const char *netns_option(const struct attachment *a, char buf[NETNS_TEXT_SIZE])
{
	*buf = '\0';
	if (*a->iface.netns_name)
		snprintf(buf, NETNS_TEXT_SIZE, "-n %s ", a->iface.netns_name);
	return buf;
}

enum gone attachment_gone(const struct attachment *a)
{
	char name[IF_NAMESIZE];
	bool there;
	int back, err;

	if (a->attached)
		return GONE_NOT;
	err = netns_enter_inode(a->key.netns, &back);
	if (err == -ENOENT)
		return GONE_NETNS;
	if (err)
		return prog_device_gone(&a->iface) ? GONE_DEVICE : GONE_UNKNOWN;
	there = if_indextoname(a->key.ifindex, name);
	netns_return(back);
	return there ? GONE_PROGRAM : GONE_DEVICE;
}

bool any_attached(const struct attachment *a, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].attached)
			return true;
	return false;
}

const struct attachment *attached_elsewhere(const struct attachment *a, size_t count,
					    const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].attached && a[i].key.netns != netns_inode() &&
		    !strcmp(a[i].iface.name, name))
			return &a[i];
	return NULL;
}
