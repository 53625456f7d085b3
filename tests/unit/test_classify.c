/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ctl/model/setting.h"
#include "ctl/model/check.h"
#include "ctl/kernel/classify.h"
#include "ctl/model/parse.h"
#include "maps/hash.h"
#include "unit.h"

/* All of them on one port and UDP; the first one is to be found. Prefixes: NULL: none. */
struct wish {
	const char *daddr, *saddr, *ifname;
};
static const struct {
	const char *name;
	struct wish wishes[4];
	unsigned int count;
} sets[] = {
	{"all of IPv4 to it, before all of IPv4 from it",
	 {{.daddr = "0.0.0.0/0"}, {.saddr = "0.0.0.0/0"}},
	 2},
	{"both, before one",
	 {{.daddr = "0.0.0.0/0", .saddr = "0.0.0.0/0"}, {.daddr = "0.0.0.0/0"}},
	 2},
	{"all three",
	 {{.daddr = "0.0.0.0/0", .saddr = "0.0.0.0/0"},
	  {.daddr = "0.0.0.0/0"},
	  {.saddr = "0.0.0.0/0"}},
	 3},
	{"the same with an interface, and without",
	 {{.daddr = "0.0.0.0/0", .saddr = "0.0.0.0/0", .ifname = "eth0"},
	  {.daddr = "0.0.0.0/0", .ifname = "eth0"},
	  {.daddr = "0.0.0.0/0"},
	  {.daddr = NULL}},
	 4},
	{"a longer one",
	 {{.daddr = "10.0.0.0/8", .saddr = "0.0.0.0/0"},
	  {.daddr = "10.0.0.0/8"},
	  {.daddr = "0.0.0.0/0"},
	  {.daddr = NULL}},
	 4},
};

static unsigned int add_prefix(const char *text, struct prefix *out)
{
	struct parse_error why;

	if (!text)
		return 0;
	ck_assert_int_eq(parse_prefix(text, out, &why), 0);
	return 1;
}

static void add(struct model *m, const struct wish *w, unsigned int number)
{
	struct service s;
	struct err e;

	service_defaults(&s);
	snprintf(s.name, sizeof(s.name), "s%u", number);
	s.protocols = MANGLE_PROTO_UDP;
	s.ports[s.port_count++] = 5000;
	s.daddr_count = add_prefix(w->daddr, s.daddr);
	s.saddr_count = add_prefix(w->saddr, s.saddr);
	if (w->ifname)
		snprintf(s.ifname, sizeof(s.ifname), "%s", w->ifname);
	s.size = (struct window){.min = 4, .max = 1400};
	s.tag_len = 4;
	ck_assert_int_eq(model_add(m, &s, &e), 0);
}

static struct mangle_match masked(const struct mangle_match *m, const struct mangle_match *mask)
{
	struct mangle_match out;

	for (unsigned int i = 0; i < MANGLE_MATCH_WORDS; i++)
		((uint64_t *)&out)[i] = ((const uint64_t *)m)[i] & ((const uint64_t *)mask)[i];
	return out;
}

/* As schema.h describes it: index + 1 of the service, 0: none. Each key is in a tuple once. */
static uint32_t find(const struct mangle_config *c, const union classifier_cell *cells,
		     const struct mangle_match *packet)
{
	uint32_t at = c->port[5000] & ~MANGLE_PORT_TUPLES;

	ck_assert(c->port[5000] & MANGLE_PORT_TUPLES);
	for (;; at++) {
		const struct mangle_tuple *tuple = &cells[at].tuple;
		uint32_t rules = tuple->rules & ~MANGLE_TUPLE_LAST, service = 0;
		struct mangle_match key = masked(packet, &tuple->mask);

		for (uint32_t i = 0; i < rules; i++) {
			const struct mangle_rule *r = &cells[tuple->first + i].rule;
			uint64_t hash = mangle_match_hash(&key);

			if (!r->service || memcmp(&r->key, &key, sizeof(key)) != 0)
				continue;
			ck_assert(i == mangle_match_cell(hash, 0, rules) ||
				  i == mangle_match_cell(hash, 1, rules));
			ck_assert_uint_eq(service, 0);
			service = r->service;
		}
		if (service || tuple->rules & MANGLE_TUPLE_LAST)
			return service;
	}
}

START_TEST(precedence)
{
	const uint8_t addr[16] = {[12] = 10, [15] = 1};
	struct mangle_match packet = {.kind = MANGLE_KIND(4, MANGLE_PROTO_UDP)};
	struct mangle_config *config = calloc(1, sizeof(*config));

	ck_assert_ptr_nonnull(config);
	memcpy(packet.daddr, addr, sizeof(addr));
	memcpy(packet.saddr, addr, sizeof(addr));
	memcpy(packet.ifname, "eth0", 5);
	/* Whichever comes first in the model. */
	for (unsigned int back = 0; back < 2; back++) {
		union classifier_cell *cells = NULL;
		unsigned int n = sets[_i].count;
		uint32_t count;
		struct model m;
		struct err e;

		model_init(&m);
		for (unsigned int i = 0; i < n; i++)
			add(&m, &sets[_i].wishes[back ? n - 1 - i : i], i);
		ck_assert_int_eq(model_check(&m, &e), 0);
		ck_assert_int_eq(classify(&m, config, &cells, &count, &e), 0);
		ck_assert_msg(find(config, cells, &packet) == (back ? n : 1), "%s", sets[_i].name);
		free(cells);
		model_free(&m);
	}
	free(config);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("classify");
	TCase *tc = tcase_create("classify");

	tcase_add_loop_test(tc, precedence, 0, COUNT_OF(sets));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
