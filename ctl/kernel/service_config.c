/* SPDX-License-Identifier: GPL-2.0-only */
#include "service_config.h"

#include <string.h>

#include "model/parse.h"

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
