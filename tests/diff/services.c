// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "services.h"

const char *const ifnames[IFNAMES] = {"", "mgl0", "mgl00"};

static const uint8_t addresses4[][4] = {
	{10, 1, 2, 3}, {10, 1, 2, 4}, {10, 129, 2, 3}, {192, 0, 2, 255}, {0, 0, 0, 0}};
static const uint8_t addresses6[][16] = {
	{0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3},
	{0x20, 0x01, 0x0d, 0xb8, 0, 1, 0x80, 2, 0, 0, 0, 0, 10, 1, 2, 3},
	{0x20, 0x01, 0x0d, 0xb8, 0, 0xf0, 0, 2, 0xff, 0, 0, 0, 0, 0, 0, 4},
	{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3}, /* an IPv4 address is none */
};

void draw_address(struct chance *c, unsigned int family, uint8_t *addr)
{
	unsigned int size = family == 4 ? 4 : 16, bit;

	if (family == 4)
		memcpy(addr, addresses4[below(c, sizeof(addresses4) / sizeof(*addresses4))], 4);
	else
		memcpy(addr, addresses6[below(c, sizeof(addresses6) / sizeof(*addresses6))], 16);
	if (mille(c, 400)) {
		bit = below(c, size * 8);
		addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	if (mille(c, 50))
		draw_bytes(c, addr, size);
}

uint16_t draw_port(struct chance *c)
{
	if (mille(c, 950))
		return (uint16_t)ONE_OF(c, 5000, 5000, 5001, 5002, 5003, 5256, 5001 ^ 0x8000, 1,
					65535, 53, 255, 256);
	return (uint16_t)between(c, 1, 65535);
}

static unsigned int draw_prefixes(struct chance *c, struct prefix *p)
{
	unsigned int n = mille(c, 600) ? 0 : mille(c, 900) ? 1 + below(c, 3) : MANGLE_MAX_PREFIXES;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int bits;

		memset(&p[i], 0, sizeof(p[i]));
		p[i].family = mille(c, 500) ? 4 : 6;
		bits = p[i].family == 4 ? 32 : 128;
		draw_address(c, p[i].family, p[i].addr);
		p[i].len = (uint8_t)(p[i].family == 4
					     ? ONE_OF(c, 0, 1, 8, 9, 24, 31, 32)
					     : ONE_OF(c, 0, 1, 32, 48, 63, 64, 65, 127, 128));
		if (mille(c, 100))
			p[i].len = (uint8_t)below(c, bits + 1);
		for (unsigned int bit = p[i].len; bit < bits; bit++)
			p[i].addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	}
	return n;
}

static void draw_tag_place(struct chance *c, struct service *s)
{
	s->tag_len = (uint8_t)(mille(c, 500) ? ONE_OF(c, 1, 2, 4, 8) : between(c, 1, 16));
	if (mille(c, 300)) {
		draw_bytes(c, s->tag_ignored, s->tag_len);
		s->tag_ignored[below(c, s->tag_len)] &= 0x7f; /* one bit counts at least */
	}
	if (mille(c, 400))
		s->tag_offset = 0;
	else if (mille(c, 500))
		s->tag_offset = mille(c, 900) ? between(c, 1, 40)
					      : ONE_OF(c, 1000, 1400, 3470, 8000);
	else
		s->tag_offset = -s->tag_len - (mille(c, 500)   ? 0
					       : mille(c, 900) ? between(c, 0, 40)
							       : ONE_OF(c, 1000, 4000, 65000));
}

static struct window draw_window(struct chance *c, const struct service *s)
{
	int32_t end = s->tag_offset < 0 ? -s->tag_offset : s->tag_offset + s->tag_len;
	int32_t min = mille(c, 400) ? 0 : mille(c, 500) ? end : between(c, 0, 100);
	int32_t max = mille(c, 500) ? 65535 : min + ONE_OF(c, 0, 1, 10, 100, 1400);

	return (struct window){(uint16_t)min, (uint16_t)(max > 65535 ? 65535 : max)};
}

static struct target draw_target(struct chance *c, const struct service *s)
{
	struct target t = {.action = ACTION_PORT};

	if (mille(c, 200))
		t.action = mille(c, 500) ? ACTION_DROP : ACTION_PASS;
	else
		t.port = (uint16_t)(mille(c, 850)   ? between(c, 1, 65535)
				    : mille(c, 500) ? s->ports[below(c, s->port_count)]
						    : draw_port(c));
	return t;
}

static bool has_port(const struct service *s, uint16_t port)
{
	for (unsigned int i = 0; i < s->port_count; i++) {
		if (s->ports[i] == port)
			return true;
	}
	return false;
}

static void draw_entities(struct chance *c, struct service *s)
{
	uint32_t n = mille(c, 100)  ? 0
		     : mille(c, 50) ? 3000
		     : mille(c, 50) ? 256
				    : 1 + below(c, 40);
	struct err e;
	size_t twice, kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct entity en = {.target = draw_target(c, s), .has_size = mille(c, 300)};

		if (i >= 2 && i % 2 && n < 256)
			memcpy(en.tag, s->entities[i - 1].tag, s->tag_len);
		else
			draw_bytes(c, en.tag, s->tag_len);
		if (i >= 2 && i % 2) /* one bit from the one before */
			en.tag[below(c, s->tag_len)] ^= (uint8_t)(1 << below(c, 8));
		if (i == 0 && mille(c, 500))
			memset(en.tag, 0, s->tag_len);
		if (i == 1 && mille(c, 300))
			memset(en.tag, 0xff, s->tag_len);
		for (unsigned int k = 0; k < s->tag_len; k++)
			en.tag[k] &= (uint8_t)~s->tag_ignored[k];
		if (en.has_size)
			en.size = draw_window(c, s);
		if (service_add_entity(s, &en, &e))
			abort();
	}
	/* Sorted in any case; each tag once. */
	(void)service_sort_entities(s, &twice);
	for (size_t i = 0; i < s->entity_count; i++) {
		if (!kept || memcmp(s->entities[kept - 1].tag, s->entities[i].tag, MANGLE_MAX_TAG))
			s->entities[kept++] = s->entities[i];
	}
	s->entity_count = kept;
}

static void draw_service(struct chance *c, struct service *s)
{
	unsigned int n = mille(c, 600) ? 1 : mille(c, 900) ? 1 + below(c, 4) : MANGLE_MAX_PORTS;

	service_defaults(s);
	s->protocols = (uint8_t)ONE_OF(c, MANGLE_PROTO_UDP, MANGLE_PROTO_UDP, MANGLE_PROTO_TCP,
				       MANGLE_PROTO_UDP | MANGLE_PROTO_TCP);
	s->tcp_mode = TCP_MODE_SEGMENT;
	while (n) {
		uint16_t port = draw_port(c);

		if (has_port(s, port))
			port = (uint16_t)between(c, 1, 65535);
		s->ports[s->port_count++] = port;
		n--;
	}
	s->daddr_count = draw_prefixes(c, s->daddr);
	s->saddr_count = draw_prefixes(c, s->saddr);
	if (mille(c, 250))
		snprintf(s->ifname, sizeof(s->ifname), "%s", ifnames[1 + below(c, IFNAMES - 1)]);
	draw_tag_place(c, s);
	s->size = draw_window(c, s);
	s->invalid = mille(c, 500) ? ACTION_DROP : ACTION_PASS;
	s->unknown = draw_target(c, s);
	s->observe = mille(c, 150);
	draw_entities(c, s);
}

/* Makes it match what another one matches, but for one thing or two: precedence decides. */
static void make_sibling(struct chance *c, struct service *s, const struct service *of)
{
	uint32_t other = below(c, 5); /* 4: both kinds of prefixes */

	s->port_count = of->port_count;
	memcpy(s->ports, of->ports, sizeof(s->ports));
	if (other != 0)
		s->protocols = of->protocols;
	if (other != 1 || mille(c, 300))
		memcpy(s->ifname, of->ifname, sizeof(s->ifname));
	if (other != 2 && other != 4) {
		s->daddr_count = of->daddr_count;
		memcpy(s->daddr, of->daddr, sizeof(s->daddr));
	}
	if (other != 3 && other != 4) {
		s->saddr_count = of->saddr_count;
		memcpy(s->saddr, of->saddr, sizeof(s->saddr));
	}
	/* One more exact, the other by interface: which of the two is first? */
	if (other == 0 && mille(c, 500))
		snprintf(s->ifname, sizeof(s->ifname), "%s",
			 of->ifname[0] ? "" : ifnames[1 + below(c, IFNAMES - 1)]);
}

/* Every frame that has a tag of its table gets another port. */
static void make_rewriting(struct service *s)
{
	s->size = (struct window){0, 65535};
	s->observe = false;
	for (size_t i = 0; i < s->entity_count; i++) {
		struct entity *en = &s->entities[i];

		en->has_size = false;
		en->size = (struct window){0, 0};
		en->target.action = ACTION_PORT;
		if (!en->target.port || has_port(s, en->target.port))
			en->target.port = (uint16_t)(20000 + i);
	}
}

void draw_services(struct chance *c, struct model *m, bool rewriting)
{
	unsigned int n = mille(c, 950) ? 1 + below(c, 8) : 40;

	model_init(m);
	for (; n || !m->service_count; n -= n > 0) {
		char name[MANGLE_NAME_SIZE];
		struct service s;
		struct err e;

		/* One at least has what frames can be made for. */
		do {
			draw_service(c, &s);
		} while (!m->service_count && !s.entity_count);
		if (m->service_count && mille(c, 400))
			make_sibling(c, &s, &m->services[below(c, m->service_count)]);
		if (rewriting)
			make_rewriting(&s);
		snprintf(s.name, sizeof(s.name), "s%02u", m->service_count);
		memcpy(name, s.name, sizeof(name));
		if (model_add(m, &s, &e))
			abort();
		if (model_check(m, &e)) /* one that matches the same as another */
			model_remove(m, name);
	}
}
