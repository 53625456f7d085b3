/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "model/parse.h"
#include "caps.h"
#include "clock.h"
#include "inner.h"
#include "pins.h"
#include "running.h"
#include "state.h"

int running_create(struct store *s, struct err *e)
{
	struct inner in = {.fd = -1};
	struct mangle_config *c;
	uint32_t hz;
	int err;

	if (!s->private && mkdir(INNER_DIR, 0700) && errno != EEXIST)
		return fail(e, -errno, INNER_DIR, "creating it: %s", strerror(errno));
	err = clock_measure_hz(&hz);
	if (err)
		return fail(e, err, "clock", "measuring the kernel's ticks: %s (see doctor)",
			    caps_why(err, CAPS(BPF)));
	err = inner_create(s, 0, &in, e);
	if (err)
		return err;
	c = in.memory;
	c->magic = MANGLE_CONFIG_MAGIC;
	c->layout = MANGLE_LAYOUT_VERSION;
	c->classifier = MANGLE_NO_TABLE;
	c->hz = hz;
	err = outer_set(s->map[MAP_CONFIG], 0, &in, e);
	inner_close(&in);
	return err;
}

int running_open(struct store *s, struct err *e)
{
	const struct mangle_config *c;
	struct stat st;
	uint32_t id;
	int err = outer_get(s->map[MAP_CONFIG], 0, &id, e);

	if (err)
		return err;
	if (!id)
		return fail(e, -EBADF, STORE_DIR "/config",
			    "reading it: it has no configuration (detach --all --purge)");
	if (!s->private && !lstat(INNER_DIR, &st))
		err = pin_check_owner(INNER_DIR, &st, e);
	else if (!s->private && errno != ENOENT) /* else there is no pin either, which is said */
		err = fail(e, -errno, INNER_DIR, "opening it: %s (try again)", strerror(errno));
	if (!err)
		err = inner_open(s, id, &s->config_inner, e);
	if (!err)
		err = inner_map(&s->config_inner, 0, s->config_inner.size, e);
	if (err)
		return err;
	c = store_config(s);
	if (s->config_inner.size < sizeof(*c) || c->magic != MANGLE_CONFIG_MAGIC ||
	    c->layout != MANGLE_LAYOUT_VERSION)
		return fail(e, -EBADF, STORE_DIR "/config", "reading it: it is damaged");
	return 0;
}

void running_set_dirty(struct store *s, bool dirty)
{
	__atomic_store_n(&store_config(s)->dirty, dirty, __ATOMIC_RELEASE);
}

int store_is_fresh(const struct store *s)
{
	return store_config(s)->generation == 0;
}

uint64_t store_generation(const struct store *s)
{
	return store_config(s)->generation;
}

const char *store_file(const struct store *s)
{
	return store_config(s)->file;
}

uint32_t store_target(const struct store *s, uint16_t port)
{
	return store_config(s)->target[port];
}

int running_index(const struct store *s, const char *name)
{
	const struct mangle_config *c = store_config(s);

	for (uint32_t i = 0; i < c->service_count && i < MANGLE_MAX_SERVICES; i++)
		if (!strncmp(c->info[i].name, name, MANGLE_NAME_SIZE))
			return (int)i;
	return -1;
}

int running_no_service(const char *name, struct err *e)
{
	return fail(e, -ENOENT, name,
		    "looking for the service: no such service (see service list)");
}

/* ---- services from and to the configuration ---- */

static void prefixes_from(const struct mangle_prefix *from, unsigned int n, struct prefix *to)
{
	for (unsigned int i = 0; i < n; i++) {
		memcpy(to[i].addr, from[i].addr, sizeof(to[i].addr));
		to[i].family = from[i].family;
		to[i].len = from[i].len;
	}
}

void service_from_config(const struct mangle_config *c, uint32_t index, struct service *out)
{
	const struct mangle_service *s = &c->service[index];
	const struct mangle_service_info *info = &c->info[index];

	memset(out, 0, sizeof(*out));
	memcpy(out->name, info->name, sizeof(out->name));
	memcpy(out->description, info->description, sizeof(out->description));
	out->disabled = info->disabled;
	memcpy(out->ifname, info->ifname, sizeof(out->ifname));
	out->protocols = s->protocols;
	out->port_count = info->port_count;
	memcpy(out->ports, info->ports, sizeof(out->ports));
	out->daddr_count = info->daddr_count;
	prefixes_from(info->daddr, info->daddr_count, out->daddr);
	out->saddr_count = info->saddr_count;
	prefixes_from(info->saddr, info->saddr_count, out->saddr);
	out->tag_offset = s->tag_offset;
	out->tag_len = s->tag_len;
	tag_from_key(s->tag_ignored[0], s->tag_ignored[1], out->tag_ignored);
	out->size = (struct window){s->size_min, s->size_max};
	out->invalid = s->invalid;
	out->unknown = (struct target){s->unknown, s->unknown_port};
	out->tcp_mode = info->tcp_mode;
	out->reply = info->reply;
	out->observe = s->observe;
	out->targets_first = info->targets_first;
	out->targets_last = info->targets_last;
}

static void prefixes_to(const struct prefix *from, unsigned int n, struct mangle_prefix *to)
{
	for (unsigned int i = 0; i < n; i++) {
		memcpy(to[i].addr, from[i].addr, sizeof(to[i].addr));
		to[i].family = from[i].family;
		to[i].len = from[i].len;
	}
}

void service_to_config(const struct service *svc, struct mangle_config *c, uint32_t index)
{
	struct mangle_service *s = &c->service[index];
	struct mangle_service_info *info = &c->info[index];
	uint64_t lo, hi;

	s->tag_offset = svc->tag_offset;
	s->tag_len = svc->tag_len;
	tag_to_key(svc->tag_ignored, MANGLE_MAX_TAG, &lo, &hi);
	s->tag_ignored[0] = lo;
	s->tag_ignored[1] = hi;
	s->size_min = svc->size.min;
	s->size_max = svc->size.max;
	s->protocols = svc->protocols;
	s->invalid = svc->invalid;
	s->unknown = svc->unknown.action;
	s->unknown_port = svc->unknown.port;
	s->observe = svc->observe;
	s->connection = service_has_connections(svc);
	s->reply = service_has_replies(svc);
	memcpy(info->name, svc->name, sizeof(info->name));
	memcpy(info->description, svc->description, sizeof(info->description));
	info->disabled = svc->disabled;
	memcpy(info->ifname, svc->ifname, sizeof(info->ifname));
	memcpy(info->ports, svc->ports, sizeof(info->ports));
	info->port_count = (uint8_t)svc->port_count;
	info->daddr_count = (uint8_t)svc->daddr_count;
	prefixes_to(svc->daddr, svc->daddr_count, info->daddr);
	info->saddr_count = (uint8_t)svc->saddr_count;
	prefixes_to(svc->saddr, svc->saddr_count, info->saddr);
	info->tcp_mode = svc->tcp_mode;
	info->reply = svc->reply;
	info->targets_first = svc->targets_first;
	info->targets_last = svc->targets_last;
}
