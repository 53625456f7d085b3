/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ctl/model/setting.h"
#include "ctl/model/diff.h"
#include "ctl/model/check.h"
#include "ctl/model/model.h"
#include "ctl/model/parse.h"
#include "unit.h"

/* A service in one line: the texts are what the command line takes, NULL: none. */
struct wish {
	const char *name, *protocol, *ports, *daddr, *saddr, *ifname;
};

static unsigned int prefixes(const char *text, struct prefix *out)
{
	char copy[256], *save = NULL, *one;
	unsigned int count = 0;
	struct parse_error why;

	if (!text)
		return 0;
	snprintf(copy, sizeof(copy), "%s", text);
	for (one = strtok_r(copy, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
		ck_assert_uint_lt(count, MANGLE_MAX_PREFIXES);
		ck_assert_int_eq(parse_prefix(one, &out[count++], &why), 0);
	}
	return count;
}

static struct service make(const struct wish *w)
{
	struct service s;
	struct parse_error why;

	service_defaults(&s);
	ck_assert_int_eq(parse_name(w->name, s.name, &why), 0);
	ck_assert_int_eq(parse_protocol(w->protocol ? w->protocol : "udp", &s.protocols, &why), 0);
	ck_assert_int_eq(parse_ports(w->ports ? w->ports : "5000", s.ports, &s.port_count, &why),
			 0);
	s.daddr_count = prefixes(w->daddr, s.daddr);
	s.saddr_count = prefixes(w->saddr, s.saddr);
	if (w->ifname)
		ck_assert_int_eq(parse_ifname(w->ifname, s.ifname, &why), 0);
	s.tag_len = 4;
	s.size = (struct window){.min = 4, .max = 1400};
	s.tcp_mode = TCP_MODE_SEGMENT;
	return s;
}

static void add(struct model *m, const struct wish *w)
{
	struct service s = make(w);
	struct err e;

	ck_assert_int_eq(model_add(m, &s, &e), 0);
}

static void add_entity(struct service *s, const char *tag, const char *target)
{
	struct entity en = {0};
	struct tag t;
	struct parse_error why;
	struct err e;

	ck_assert_int_eq(parse_tag(tag, &t, &why), 0);
	memcpy(en.tag, t.bytes, sizeof(en.tag));
	ck_assert_int_eq(parse_target(target, &en.target, &why), 0);
	ck_assert_int_eq(service_add_entity(s, &en, &e), 0);
}

static struct entity *find(const struct service *s, const char *tag)
{
	struct tag t;
	struct parse_error why;

	ck_assert_int_eq(parse_tag(tag, &t, &why), 0);
	return service_find_entity(s, &t);
}

/* ---- which services may live side by side ------------------------------------------------- */

static const struct {
	const char *name;
	struct wish a, b;
	unsigned int port; /* the one they clash on, 0: they do not */
} pairs[] = {
	{"alike", {.name = "a"}, {.name = "b"}, 5000},
	{"other port", {.name = "a"}, {.name = "b", .ports = "5001"}, 0},
	{"one port of many",
	 {.name = "a", .ports = "1,2,3,700"},
	 {.name = "b", .ports = "4,700,5"},
	 700},
	{"no port of many", {.name = "a", .ports = "1,2,3"}, {.name = "b", .ports = "4,5,6"}, 0},
	{"udp and tcp", {.name = "a", .protocol = "udp"}, {.name = "b", .protocol = "tcp"}, 0},
	{"udp beats any", {.name = "a", .protocol = "udp"}, {.name = "b", .protocol = "any"}, 0},
	{"tcp beats any", {.name = "a", .protocol = "any"}, {.name = "b", .protocol = "tcp"}, 0},
	{"tcp twice", {.name = "a", .protocol = "tcp"}, {.name = "b", .protocol = "tcp"}, 5000},
	{"any twice", {.name = "a", .protocol = "any"}, {.name = "b", .protocol = "any"}, 5000},
	{"an interface beats none", {.name = "a"}, {.name = "b", .ifname = "eth0"}, 0},
	{"other interfaces", {.name = "a", .ifname = "eth1"}, {.name = "b", .ifname = "eth0"}, 0},
	{"one interface", {.name = "a", .ifname = "eth0"}, {.name = "b", .ifname = "eth0"}, 5000},
	{"a daddr beats none", {.name = "a"}, {.name = "b", .daddr = "192.0.2.0/24"}, 0},
	{"all of IPv4 beats none", {.name = "a"}, {.name = "b", .daddr = "0.0.0.0/0"}, 0},
	{"all of IPv4 and of IPv6",
	 {.name = "a", .daddr = "0.0.0.0/0"},
	 {.name = "b", .daddr = "::/0"},
	 0},
	{"longer daddr beats shorter",
	 {.name = "a", .daddr = "192.0.2.0/24"},
	 {.name = "b", .daddr = "192.0.2.0/25"},
	 0},
	{"same daddr",
	 {.name = "a", .daddr = "192.0.2.0/24"},
	 {.name = "b", .daddr = "192.0.2.0/24"},
	 5000},
	{"same IPv6 daddr in other letters",
	 {.name = "a", .daddr = "2001:DB8::/32"},
	 {.name = "b", .daddr = "2001:db8:0:0::/32"},
	 5000},
	{"one daddr of many",
	 {.name = "a", .daddr = "192.0.2.1 192.0.2.2 192.0.2.3"},
	 {.name = "b", .daddr = "192.0.2.9 2001:db8::1 192.0.2.2/32"},
	 5000},
	{"no daddr of many",
	 {.name = "a", .daddr = "192.0.2.1 192.0.2.2"},
	 {.name = "b", .daddr = "192.0.2.3 192.0.2.4"},
	 0},
	{"same daddr, a saddr beats none",
	 {.name = "a", .daddr = "192.0.2.0/24"},
	 {.name = "b", .daddr = "192.0.2.0/24", .saddr = "198.51.100.0/24"},
	 0},
	{"same daddr, other saddrs",
	 {.name = "a", .daddr = "192.0.2.0/24", .saddr = "198.51.100.0/25"},
	 {.name = "b", .daddr = "192.0.2.0/24", .saddr = "198.51.100.0/24"},
	 0},
	{"same daddr and saddr",
	 {.name = "a", .daddr = "192.0.2.0/24", .saddr = "198.51.100.0/24"},
	 {.name = "b", .daddr = "192.0.2.0/24", .saddr = "198.51.100.0/24"},
	 5000},
	{"same prefix, once daddr and once saddr",
	 {.name = "a", .daddr = "192.0.2.0/24"},
	 {.name = "b", .saddr = "192.0.2.0/24"},
	 0},
	{"the pair must be the same, not each half of another pair",
	 {.name = "a", .daddr = "192.0.2.1", .saddr = "198.51.100.1"},
	 {.name = "b", .daddr = "192.0.2.1 192.0.2.2", .saddr = "198.51.100.2"},
	 0},
	/* The only common pairs are of IPv4 and IPv6: no packet has such addresses. */
	{"pairs of two families match nothing",
	 {.name = "a", .daddr = "192.0.2.1 ::1", .saddr = "2001:db8::1"},
	 {.name = "b", .daddr = "192.0.2.1 ::2", .saddr = "2001:db8::1"},
	 0},
	{"both families in both",
	 {.name = "a", .daddr = "192.0.2.1 2001:db8::1", .saddr = "2001:db8::2"},
	 {.name = "b", .daddr = "2001:db8::1", .saddr = "198.51.100.1 2001:db8::2"},
	 5000},
	{"all of it the same but the interface",
	 {"a", "any", "1,2", "192.0.2.0/24", "198.51.100.0/24", "eth0"},
	 {"b", "any", "1,2", "192.0.2.0/24", "198.51.100.0/24", "eth1"},
	 0},
	{"all of it the same",
	 {"a", "any", "1", "192.0.2.0/24", "198.51.100.0/24", "eth0"},
	 {"b", "any", "1", "192.0.2.0/24", "198.51.100.0/24", "eth0"},
	 1},
};

static void judge_pair(const struct wish *first, const struct wish *second, int i)
{
	char want[256];
	struct model m;
	struct err e;
	int ret;

	model_init(&m);
	add(&m, first);
	add(&m, second);
	ret = model_check(&m, &e);
	ck_assert_msg(!ret == !pairs[i].port, "%s: %d %s", pairs[i].name, ret, ret ? e.line : "");
	if (ret) {
		snprintf(want, sizeof(want),
			 "b: checking the service: matches the same packets as service 'a' on port "
			 "%u (give one of them another port, prefix, interface or protocol)",
			 pairs[i].port);
		ck_assert_str_eq(e.line, want);
		ck_assert_int_eq(ret, -EINVAL);
		ck_assert_int_eq(e.status, EXIT_NOT_DONE);
	}
	model_free(&m);
}

START_TEST(overlap)
{
	judge_pair(&pairs[_i].a, &pairs[_i].b, _i);
	judge_pair(&pairs[_i].b, &pairs[_i].a, _i);
}
END_TEST

/* Whose fault it is: of what is changed, else of what is later in a file, else of the later name.
 */
static const struct {
	bool a_changed, b_changed;
	unsigned int a_line, b_line;
	const char *at;
} faults[] = {
	{false, false, 0, 0, "b"}, {true, false, 0, 0, "a"}, {false, true, 0, 0, "b"},
	{true, true, 0, 0, "b"},   {true, true, 9, 3, "a"},  {true, true, 3, 9, "b"},
	{false, true, 9, 3, "b"},  {true, false, 9, 0, "a"}, {false, false, 9, 0, "b"},
};

START_TEST(blames)
{
	const struct wish a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c", .ports = "7"};
	char want[64];
	struct model m;
	struct err e;

	for (int targets = 0; targets < 2; targets++) {
		model_init(&m);
		add(&m, &a);
		add(&m, targets ? &c : &b);
		strcpy(m.services[1].name, "b");
		for (int i = 0; i < 2; i++) {
			m.services[i].reply = targets;
			m.services[i].unknown = (struct target){ACTION_PORT, 9};
		}
		m.services[0].changed = faults[_i].a_changed;
		m.services[1].changed = faults[_i].b_changed;
		m.services[0].line = faults[_i].a_line;
		m.services[1].line = faults[_i].b_line;
		ck_assert_int_eq(model_check(&m, &e), -EINVAL);
		snprintf(want, sizeof(want), "%s: checking the service: %s", faults[_i].at,
			 targets ? "has target 9 like service" : "matches the same packets as");
		ck_assert_msg(!strncmp(e.line, want, strlen(want)), "%s", e.line);
		ck_assert_ptr_nonnull(
			strstr(e.line, *faults[_i].at == 'a' ? "service 'b'" : "service 'a'"));
		model_free(&m);
	}
}
END_TEST

/* 1,024 services, each with everything it may have, and none like another. */
static void add_many(struct model *m, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		char name[MANGLE_NAME_SIZE];
		struct wish w = {.name = name, .ports = "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"};
		struct service s;
		struct err e;

		snprintf(name, sizeof(name), "s%04u", i);
		s = make(&w);
		for (unsigned int j = 0; j < MANGLE_MAX_PREFIXES; j++) {
			s.daddr[j] = (struct prefix){
				.addr = {10, (uint8_t)(i / 256), (uint8_t)i, (uint8_t)j},
				.family = 4,
				.len = 32};
			s.saddr[j] = (struct prefix){
				.addr = {172, 16, 0, (uint8_t)j}, .family = 4, .len = 32};
		}
		s.daddr_count = s.saddr_count = MANGLE_MAX_PREFIXES;
		ck_assert_int_eq(model_add(m, &s, &e), 0);
	}
}

START_TEST(most_services)
{
	struct model m;
	struct err e;

	model_init(&m);
	add_many(&m, MANGLE_MAX_SERVICES);
	ck_assert_int_eq(model_check(&m, &e), 0);

	/* One prefix of the last is one of the first: found among a million rules. */
	m.services[1023].daddr[7] = m.services[0].daddr[3];
	ck_assert_int_eq(model_check(&m, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.line, "s1023: "));
	ck_assert_ptr_nonnull(strstr(e.line, "as service 's0000' on port "));
	model_free(&m);
}
END_TEST

START_TEST(too_many_services)
{
	struct model m;
	struct err e;

	model_init(&m);
	add_many(&m, MANGLE_MAX_SERVICES + 1);
	ck_assert_int_eq(model_check(&m, &e), -EINVAL);
	ck_assert_str_eq(e.line, "s1024: checking the service: is one more than the 1024 services "
				 "that are allowed");
	model_free(&m);
}
END_TEST

/* ---- one service -------------------------------------------------------------------------- */

static void no_name(struct service *s)
{
	s->name[0] = '\0';
}
static void bad_name(struct service *s)
{
	strcpy(s->name, "a b");
}
static void no_protocol(struct service *s)
{
	s->protocols = 0;
}
static void bad_protocol(struct service *s)
{
	s->protocols = 4;
}
static void no_port(struct service *s)
{
	s->port_count = 0;
}
static void many_ports(struct service *s)
{
	s->port_count = MANGLE_MAX_PORTS + 1;
}
static void port_0(struct service *s)
{
	s->ports[0] = 0;
}
static void port_twice(struct service *s)
{
	s->ports[0] = s->ports[2] = 7;
	s->ports[1] = 9;
	s->port_count = 3;
}
static void daddr_twice(struct service *s)
{
	s->daddr_count = prefixes("::1 1.2.3.4 ::1", s->daddr);
}
static void saddr_twice(struct service *s)
{
	s->saddr_count = prefixes("1.2.3.4 1.2.3.4/32", s->saddr);
}
static void many_daddrs(struct service *s)
{
	s->daddr_count = MANGLE_MAX_PREFIXES + 1;
}
static void many_saddrs(struct service *s)
{
	s->saddr_count = MANGLE_MAX_PREFIXES + 1;
}
static void no_tag(struct service *s)
{
	s->tag_len = 0;
}
static void long_tag(struct service *s)
{
	s->tag_len = 17;
}
static void tag_past_end(struct service *s)
{
	s->tag_offset = -3;
}
static void tag_too_far(struct service *s)
{
	s->tag_offset = 65532;
}
static void tag_far_too_far(struct service *s)
{
	s->tag_offset = INT32_MAX;
}
static void tag_before(struct service *s)
{
	s->tag_offset = -65536;
}
static void tag_far_before(struct service *s)
{
	s->tag_offset = INT32_MIN;
}
static void size_turned(struct service *s)
{
	s->size = (struct window){.min = 5, .max = 4};
}
static void no_such_size(struct service *s)
{
	s->size = (struct window){.min = 65528, .max = 65535};
}
static void tag_over_size(struct service *s)
{
	s->tag_offset = 96;
	s->tag_len = 8;
	s->size = (struct window){.min = 4, .max = 103};
}
static void tag_before_size(struct service *s)
{
	s->tag_offset = -1401;
}
static void size_under_tag(struct service *s)
{
	s->size = (struct window){.min = 0, .max = 2};
}
static void tag_over_any_size(struct service *s)
{
	s->tag_offset = 65524;
	s->size.max = 65535;
}
static void families_apart(struct service *s)
{
	s->daddr_count = prefixes("10.0.0.0/8 192.0.2.1", s->daddr);
	s->saddr_count = prefixes("::1 2001:db8::/32", s->saddr);
}
static void families_apart_turned(struct service *s)
{
	s->daddr_count = prefixes("::/0", s->daddr);
	s->saddr_count = prefixes("0.0.0.0/0", s->saddr);
}
static void window(struct service *s, unsigned int min, unsigned int max)
{
	add_entity(s, "ABCD", "1");
	s->entities[0].has_size = true;
	s->entities[0].size = (struct window){.min = (uint16_t)min, .max = (uint16_t)max};
}
static void window_over(struct service *s)
{
	window(s, 1401, 2000);
}
static void window_under(struct service *s)
{
	window(s, 0, 3);
}
static void window_under_tag(struct service *s)
{
	s->tag_offset = 96;
	window(s, 4, 99);
}
static void invalid_none(struct service *s)
{
	s->invalid = ACTION_NONE;
}
static void invalid_port(struct service *s)
{
	s->invalid = ACTION_PORT;
}
static void unknown_none(struct service *s)
{
	s->unknown = (struct target){ACTION_NONE, 0};
}
static void unknown_port_0(struct service *s)
{
	s->unknown = (struct target){ACTION_PORT, 0};
}
static void set_targets(struct service *s)
{
	s->targets_first = 6000, s->targets_last = 6999;
}
static void targets_turned(struct service *s)
{
	s->targets_first = 2, s->targets_last = 1;
}
static void targets_from_0(struct service *s)
{
	s->targets_last = 1;
}
static void unknown_under(struct service *s)
{
	set_targets(s);
	s->unknown = (struct target){ACTION_PORT, 5999};
}
static void unknown_over(struct service *s)
{
	set_targets(s);
	s->unknown = (struct target){ACTION_PORT, 7000};
}
static void entity_outside(struct service *s)
{
	set_targets(s);
	add_entity(s, "ABCD", "6999");
	add_entity(s, "ABCE", "7000");
}
static void entity_none(struct service *s)
{
	add_entity(s, "ABCD", "drop");
	s->entities[0].target.action = ACTION_NONE;
}
static void entity_port_0(struct service *s)
{
	add_entity(s, "A #D", "1");
	s->entities[0].target.port = 0;
}
static void entity_size_turned(struct service *s)
{
	add_entity(s, "ABCD", "1");
	s->entities[0].has_size = true;
	s->entities[0].size = (struct window){.min = 2, .max = 1};
}
static void reply(struct service *s)
{
	s->reply = true;
}
static void tcp_reply(struct service *s)
{
	s->protocols = MANGLE_PROTO_TCP;
	s->reply = true;
}
static void reply_of_two_ports(struct service *s)
{
	s->reply = true;
	s->ports[s->port_count++] = 5001;
}
static void reply_of_all_ports(struct service *s)
{
	s->reply = true;
	for (s->port_count = 0; s->port_count < MANGLE_MAX_PORTS; s->port_count++)
		s->ports[s->port_count] = (uint16_t)(60000 + s->port_count);
}

static const struct {
	void (*spoil)(struct service *s);
	const char *why; /* parts of it, both */
	const char *also;
} bad[] = {
	{no_name, "is not a name", ""},
	{bad_name, "is not a name", "a b: "},
	{no_protocol, "not udp, tcp or any", ""},
	{bad_protocol, "not udp, tcp or any", ""},
	{no_port, "has no port", ""},
	{many_ports, "more than 16 ports", ""},
	{port_0, "has port 0", ""},
	{port_twice, "has port 7 twice", ""},
	{daddr_twice, "has daddr ::1/128 twice", ""},
	{saddr_twice, "has saddr 1.2.3.4/32 twice", ""},
	{many_daddrs, "more than 8 daddr", ""},
	{many_saddrs, "more than 8 saddr", ""},
	{no_tag, "tag length", "1 to 16"},
	{long_tag, "tag length", "1 to 16"},
	{tag_past_end, "past the payload's end", ""},
	{tag_too_far, "outside any payload", ""},
	{tag_far_too_far, "outside any payload", ""},
	{tag_before, "outside any payload", ""},
	{tag_far_before, "outside any payload", ""},
	{size_turned, "size.min above its size.max", ""},
	{no_such_size, "sizes from 65528 that no payload has", "has 65527 bytes"},
	{tag_over_size, "its tag at 96:8, which takes a payload of 104 bytes", "of 103 at most"},
	{tag_before_size, "its tag at -1401:4, which takes a payload of 1401 bytes", "of 1400"},
	{size_under_tag, "its tag at 0:4", "sizes of 2 at most: no packet can match"},
	{tag_over_any_size, "its tag at 65524:4", "sizes of 65527 at most"},
	{families_apart, "has daddr of IPv4 alone and saddr of IPv6 alone", "no packet has both"},
	{families_apart_turned, "has daddr of IPv6 alone and saddr of IPv4 alone", ""},
	{window_over, "tag ABCD: size 1401:2000 is outside of 4:1400", "of service web"},
	{window_under, "tag ABCD: size 0:3 is outside of 4:1400", "of service web"},
	{window_under_tag, "tag ABCD: size 4:99 is too short for the tag at 96:4",
	 "of service web"},
	{invalid_none, "invalid policy", ""},
	{invalid_port, "invalid policy", ""},
	{unknown_none, "unknown policy", ""},
	{unknown_port_0, "unknown policy", ""},
	{targets_turned, "FIRST-LAST", ""},
	{targets_from_0, "FIRST-LAST", ""},
	{unknown_under, "unknown port 5999 outside", "6000-6999"},
	{unknown_over, "unknown port 7000 outside", "6000-6999"},
	{entity_outside, "tag ABCE: target 7000",
	 "is outside of 6000-6999, the targets of service web"},
	{entity_none, "tag ABCD", "neither a port, drop nor pass"},
	{entity_port_0, "tag 0x41202344", "neither a port, drop nor pass"},
	{entity_size_turned, "tag ABCD", "size.min above its size.max"},
	{tcp_reply, "has reply, and covers TCP alone: reply is for UDP", "(leave reply off)"},
	{reply_of_two_ports, "has reply and 2 ports", "or leave reply off)"},
	{reply_of_all_ports, "has reply and 16 ports", "or leave reply off)"},
};

START_TEST(refuses)
{
	const struct wish w = {.name = "web"};
	struct service s = make(&w);
	struct model m;
	struct err e;

	bad[_i].spoil(&s);
	model_init(&m);
	ck_assert_int_eq(model_add(&m, &s, &e), 0);
	ck_assert_msg(model_check(&m, &e) == -EINVAL, "took what %s", bad[_i].why);
	ck_assert_msg(strstr(e.line, bad[_i].why) && strstr(e.line, bad[_i].also),
		      "\"%s\" has no \"%s\" or \"%s\"", e.line, bad[_i].why, bad[_i].also);
	if (s.name[0])
		ck_assert_ptr_nonnull(strstr(e.line, ": checking the service: "));
	model_free(&m);
}
END_TEST

/* ---- whose replies come from where -------------------------------------------------------- */

#define UDP MANGLE_PROTO_UDP
#define TCP MANGLE_PROTO_TCP
#define ANY (UDP | TCP)

/* Entities lead to targets; behind a ? is the unknown policy. */
struct leads {
	uint8_t protocols;
	bool reply, segment;
	const char *ports, *targets;
};

static const struct {
	const char *name;
	struct leads a, b;
	unsigned int port; /* the target they clash on, 0: they do not */
} shared[] = {
	{"no replies", {UDP, 0, 0, "1", "6000"}, {UDP, 0, 0, "2", "6000"}, 0},
	{"reply twice", {UDP, 1, 0, "1", "6000"}, {UDP, 1, 0, "2", "6000"}, 6000},
	{"reply once", {UDP, 1, 0, "1", "6000"}, {UDP, 0, 0, "2", "6000"}, 6000},
	{"other targets", {UDP, 1, 0, "1", "6000 6001"}, {UDP, 1, 0, "2", "6002 6003"}, 0},
	{"one of many",
	 {UDP, 1, 0, "1", "6000 6001 6002"},
	 {UDP, 0, 0, "2", "7000 6002 65535"},
	 6002},
	{"the greatest port", {UDP, 1, 0, "1", "65535"}, {UDP, 0, 0, "2", "65535"}, 65535},
	{"drop and pass are no ports",
	 {UDP, 1, 0, "1", "drop pass 6000"},
	 {UDP, 1, 0, "2", "drop pass 6001"},
	 0},
	{"unknown is a target", {UDP, 1, 0, "1", "?6000"}, {UDP, 0, 0, "2", "6000"}, 6000},
	{"unknown twice", {UDP, 1, 0, "1", "?6000"}, {UDP, 1, 0, "2", "?6000"}, 6000},
	{"unknown drop", {UDP, 1, 0, "1", "?drop"}, {UDP, 1, 0, "2", "?drop"}, 0},
	{"some of the ports are the same",
	 {UDP, 1, 0, "1", "6000"},
	 {UDP, 0, 0, "2,3", "6000"},
	 6000},
	{"UDP and TCP are two worlds", {UDP, 1, 0, "1", "6000"}, {TCP, 0, 0, "2", "6000"}, 0},
	{"UDP and TCP segments", {UDP, 1, 0, "1", "6000"}, {TCP, 0, 1, "2", "6000"}, 0},
	{"any has UDP in it", {UDP, 1, 0, "1", "6000"}, {ANY, 0, 1, "2", "6000"}, 6000},
	{"connections", {TCP, 0, 0, "1", "6000"}, {TCP, 0, 0, "2", "6000"}, 6000},
	{"connections, any", {TCP, 0, 0, "1", "6000"}, {ANY, 0, 0, "2", "?6000"}, 6000},
	{"connections and segments", {TCP, 0, 0, "1", "6000"}, {TCP, 0, 1, "2", "6000"}, 0},
	{"segments", {TCP, 0, 1, "1", "6000"}, {TCP, 0, 1, "2", "6000"}, 0},
	{"connections of many ports",
	 {TCP, 0, 0, "1,2,3", "6000"},
	 {TCP, 0, 0, "1,2,4", "6000"},
	 6000},
};

static void add_leads(struct model *m, const char *name, const char *saddr, const struct leads *l)
{
	const struct wish w = {.name = name, .ports = l->ports, .saddr = saddr};
	struct service s = make(&w);
	char tag[8], copy[64], *save = NULL, *one;
	struct parse_error why;
	struct err e;
	int n = 0;

	s.protocols = l->protocols;
	s.reply = l->reply;
	s.tcp_mode = l->segment ? TCP_MODE_SEGMENT : TCP_MODE_CONNECTION;
	snprintf(copy, sizeof(copy), "%s", l->targets);
	for (one = strtok_r(copy, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
		snprintf(tag, sizeof(tag), "AB%02d", n++);
		if (*one == '?')
			ck_assert_int_eq(parse_target(one + 1, &s.unknown, &why), 0);
		else
			add_entity(&s, tag, one);
	}
	ck_assert_int_eq(model_add(m, &s, &e), 0);
}

static void judge_leads(const struct leads *a, const struct leads *b, int i)
{
	char want[256];
	struct model m;
	struct err e;
	int ret;

	model_init(&m);
	add_leads(&m, "a", "10.0.0.1", a);
	add_leads(&m, "b", "10.0.0.2", b);
	ret = model_check(&m, &e);
	ck_assert_msg(!ret == !shared[i].port, "%s: %d %s", shared[i].name, ret, ret ? e.line : "");
	if (ret) {
		snprintf(want, sizeof(want),
			 "b: checking the service: has target %u like service 'a', on another "
			 "shared port: replies would not tell them apart (give one another target)",
			 shared[i].port);
		ck_assert_str_eq(e.line, want);
	}
	model_free(&m);
	if (!shared[i].port)
		return;
	/* The same shared port cannot be mistaken. */
	model_init(&m);
	add_leads(&m, "a", "10.0.0.1", a);
	add_leads(&m, "b", "10.0.0.2", b);
	memcpy(m.services[0].ports, m.services[1].ports, sizeof(m.services[0].ports));
	m.services[0].port_count = m.services[1].port_count;
	m.services[0].reply &= m.services[0].port_count == 1;
	ck_assert_msg(!model_check(&m, &e), "%s: %s", shared[i].name, e.line);
	model_free(&m);
}

START_TEST(same_targets)
{
	judge_leads(&shared[_i].a, &shared[_i].b, _i);
	judge_leads(&shared[_i].b, &shared[_i].a, _i);
}
END_TEST

/* A long name of both, and every number at its longest: the reason still fits whole. */
START_TEST(same_targets_in_one_line)
{
	const struct leads l = {UDP, 1, 0, "1", "65535"}, k = {UDP, 1, 0, "2", "65535"};
	struct model m;
	struct err e;

	model_init(&m);
	add_leads(&m, "abcdefghijklmnopqrstuvwxyz01234", "10.0.0.1", &l);
	add_leads(&m, "abcdefghijklmnopqrstuvwxyz01235", "10.0.0.2", &k);
	ck_assert_int_eq(model_check(&m, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.line, "01234', on another shared port"));
	ck_assert_ptr_nonnull(strstr(e.line, "(give one another target)"));
	model_free(&m);
}
END_TEST

START_TEST(who_needs_targets)
{
	const struct leads udp = {UDP, 0, 0, "1", "1"}, segment = {TCP, 0, 1, "2", "1"};
	const struct leads tcp = {TCP, 0, 0, "3", "1"}, replies = {UDP, 1, 0, "4", "2"};
	struct model m;

	model_init(&m);
	add_leads(&m, "a", NULL, &udp);
	add_leads(&m, "b", NULL, &segment);
	add_leads(&m, "c", NULL, &tcp);
	ck_assert(!model_needs_targets(&m, &m.services[0]));
	ck_assert(!model_needs_targets(&m, &m.services[1]));
	ck_assert(model_needs_targets(&m, &m.services[2]));
	add_leads(&m, "d", NULL, &replies);
	ck_assert(model_needs_targets(&m, &m.services[0]));
	ck_assert(!model_needs_targets(&m, &m.services[1]));
	ck_assert(model_needs_targets(&m, &m.services[3]));
	model_free(&m);
}
END_TEST

START_TEST(flows_in_bounds)
{
	static const uint32_t wrong[] = {1, MANGLE_FLOWS_MIN - 1, MANGLE_FLOWS_MAX + 1, UINT32_MAX};
	static const uint32_t right[] = {0, MANGLE_FLOWS_MIN, 65535, MANGLE_FLOWS_MAX};
	struct model m;
	struct err e;

	ck_assert_int_eq(model_default(&m, &e), 0);
	for (size_t i = 0; i < COUNT_OF(right); i++) {
		m.flows = right[i];
		ck_assert_int_eq(model_check(&m, &e), 0);
		ck_assert_uint_eq(model_flows(&m), right[i] ? right[i] : MANGLE_FLOWS_DEFAULT);
	}
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		m.flows = wrong[i];
		ck_assert_int_eq(model_check(&m, &e), -EINVAL);
		ck_assert_ptr_nonnull(strstr(e.line, "is not a number from 1024 to 4194304"));
	}
	model_free(&m);
}
END_TEST

/* ---- what may run ------------------------------------------------------------------------- */

static void as_it_is(struct service *s)
{
	(void)s;
}
static void last_bytes(struct service *s)
{
	s->tag_offset = -4;
}
static void deepest(struct service *s)
{
	s->tag_offset = 65523;
	s->size.max = 65535;
}
static void last_in_size(struct service *s)
{
	s->tag_offset = 1396;
}
static void first_from_end(struct service *s)
{
	s->tag_offset = -1400;
}
static void windows_at_the_edges(struct service *s)
{
	window(s, 1400, 65535);
	add_entity(s, "ABCE", "drop");
	s->entities[1].has_size = true;
	s->entities[1].size = (struct window){.min = 0, .max = 4};
}
static void families_in_common(struct service *s)
{
	s->daddr_count = prefixes("10.0.0.0/8 ::1", s->daddr);
	s->saddr_count = prefixes("2001:db8::/32", s->saddr);
}
static void one_size(struct service *s)
{
	s->size = (struct window){.min = 4, .max = 4};
}
static void udp_connection(struct service *s)
{
	s->tcp_mode = TCP_MODE_CONNECTION;
}
static void connection(struct service *s)
{
	s->protocols = MANGLE_PROTO_TCP;
	s->tcp_mode = TCP_MODE_CONNECTION;
}
static void connection_of_two_ports(struct service *s)
{
	connection(s);
	s->ports[s->port_count++] = 5001;
}
static void any_connection_reply(struct service *s)
{
	s->protocols = MANGLE_PROTO_TCP | MANGLE_PROTO_UDP;
	s->tcp_mode = TCP_MODE_CONNECTION;
	s->reply = true;
}
static void any_segment(struct service *s)
{
	s->protocols = MANGLE_PROTO_UDP | MANGLE_PROTO_TCP;
}
static void observing(struct service *s)
{
	s->observe = true;
}
static void unknown_inside(struct service *s)
{
	set_targets(s);
	s->unknown = (struct target){ACTION_PORT, 6000};
	add_entity(s, "ABCD", "6999");
	add_entity(s, "ABCE", "drop");
	add_entity(s, "ABCF", "pass");
}

static void (*const good[])(struct service *s) = {
	as_it_is,
	last_bytes,
	deepest,
	one_size,
	last_in_size,
	first_from_end,
	windows_at_the_edges,
	families_in_common,
	udp_connection,
	any_segment,
	observing,
	set_targets,
	unknown_inside,
	reply,
	connection,
	connection_of_two_ports,
	any_connection_reply,
};

START_TEST(takes)
{
	const struct wish w = {.name = "web"};
	struct service s = make(&w);
	struct model m;
	struct err e = {0};

	good[_i](&s);
	model_init(&m);
	ck_assert_int_eq(model_add(&m, &s, &e), 0);
	ck_assert_msg(!model_check(&m, &e), "%s", e.line);
	model_free(&m);
}
END_TEST

START_TEST(names_twice)
{
	const struct wish a = {.name = "web"}, b = {.name = "web", .ports = "1"};
	struct model m;
	struct err e;

	model_init(&m);
	add(&m, &a);
	add(&m, &b);
	ck_assert_int_eq(model_check(&m, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.line, "web: checking the service: is given twice"));
	model_free(&m);
}
END_TEST

START_TEST(check_sorts)
{
	const struct wish z = {
		.name = "z", .ports = "9,3,65535,1", .daddr = "::1 10.0.0.0/8 9.0.0.0/9"};
	const struct wish a = {.name = "Z", .ports = "80"};
	struct model m;
	char buf[PREFIX_TEXT_SIZE];
	struct err e;

	model_init(&m);
	add(&m, &z);
	add(&m, &a);
	ck_assert_int_eq(model_check(&m, &e), 0);
	ck_assert_str_eq(m.services[0].name, "Z");
	ck_assert_str_eq(m.services[1].name, "z");
	ck_assert_uint_eq(m.services[1].ports[0], 1);
	ck_assert_uint_eq(m.services[1].ports[1], 3);
	ck_assert_uint_eq(m.services[1].ports[2], 9);
	ck_assert_uint_eq(m.services[1].ports[3], 65535);
	ck_assert_str_eq(format_prefix(&m.services[1].daddr[0], buf), "9.0.0.0/9");
	ck_assert_str_eq(format_prefix(&m.services[1].daddr[1], buf), "10.0.0.0/8");
	ck_assert_str_eq(format_prefix(&m.services[1].daddr[2], buf), "::1/128");
	model_free(&m);
}
END_TEST

START_TEST(judge_names_the_service)
{
	const struct wish a = {.name = "a"}, b = {.name = "b"};
	const struct service *at = NULL;
	struct model m;
	struct parse_error why;

	model_init(&m);
	ck_assert_int_eq(model_validate(&m, &at, &why), 0);
	add(&m, &b);
	add(&m, &a);
	ck_assert_int_eq(model_validate(&m, &at, &why), -EINVAL);
	ck_assert_ptr_eq(at, &m.services[1]);
	ck_assert_str_eq(at->name, "b");
	model_free(&m);
}
END_TEST

/* ---- the model as a value ----------------------------------------------------------------- */

START_TEST(the_default)
{
	struct model m;
	struct err e;
	const struct service *s;

	ck_assert_int_eq(model_default(&m, &e), 0);
	ck_assert_int_eq(model_check(&m, &e), 0);
	ck_assert_uint_eq(m.service_count, 1);
	s = model_find(&m, "default");
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->protocols, MANGLE_PROTO_UDP);
	ck_assert_uint_eq(s->port_count, 1);
	ck_assert_uint_eq(s->ports[0], 5000);
	ck_assert_uint_eq(s->tag_len, 4);
	ck_assert_int_eq(s->tag_offset, 0);
	ck_assert_uint_eq(s->size.min, 4);
	ck_assert_uint_eq(s->size.max, 65507);
	ck_assert_uint_eq(s->invalid, ACTION_PASS);
	ck_assert_uint_eq(s->unknown.action, ACTION_PASS);
	ck_assert_uint_eq(s->entity_count, 0);
	ck_assert(!s->observe && !s->reply && !s->targets_first);
	model_free(&m);
}
END_TEST

START_TEST(copies_are_deep)
{
	struct model m, copy;
	struct changes c;
	struct err e;

	ck_assert_int_eq(model_default(&m, &e), 0);
	strcpy(m.file, "/etc/x");
	add_entity(&m.services[0], "ABCD", "1");
	ck_assert_int_eq(model_copy(&copy, &m, &e), 0);
	m.services[0].entities[0].target.port = 2;
	ck_assert_uint_eq(copy.services[0].entities[0].target.port, 1);
	ck_assert_str_eq(copy.file, "/etc/x");
	model_diff(&m, &copy, &c, NULL, NULL);
	ck_assert_uint_eq(c.updated, 1);
	model_free(&m);
	add_entity(&copy.services[0], "ABCE", "1");
	ck_assert_uint_eq(copy.services[0].entity_count, 2);
	model_free(&copy);
}
END_TEST

START_TEST(removes)
{
	const struct wish a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};
	struct model m;

	model_init(&m);
	add(&m, &a);
	add(&m, &b);
	add(&m, &c);
	add_entity(&m.services[1], "ABCD", "1");
	add_entity(&m.services[2], "ABCD", "3");
	model_remove(&m, "nobody");
	ck_assert_uint_eq(m.service_count, 3);
	model_remove(&m, "b");
	ck_assert_uint_eq(m.service_count, 2);
	ck_assert_ptr_null(model_find(&m, "b"));
	ck_assert_uint_eq(find(model_find(&m, "c"), "ABCD")->target.port, 3);
	model_remove(&m, "c");
	model_remove(&m, "a");
	ck_assert_uint_eq(m.service_count, 0);
	model_free(&m);
}
END_TEST

START_TEST(entities_are_sorted_and_found)
{
	struct service s;
	uint64_t state = 5;
	struct err e;
	size_t twice = 0;
	char text[16];

	service_defaults(&s);
	s.tag_len = 4;
	ck_assert_int_eq(service_sort_entities(&s, &twice), 0);
	ck_assert_ptr_null(find(&s, "ABCD"));
	for (uint32_t i = 0; i < 5000; i++) {
		struct entity en = {.target = {ACTION_PORT, (uint16_t)(i + 1)}, .line = i};
		/* An odd factor: each number once, out of order. */
		uint32_t tag = i * 2654435761U;

		memcpy(en.tag, &tag, sizeof(tag));
		ck_assert_int_eq(service_add_entity(&s, &en, &e), 0);
	}
	ck_assert_int_eq(service_sort_entities(&s, &twice), 0);
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t tag = __builtin_bswap32(i * 2654435761U);

		snprintf(text, sizeof(text), "0x%08x", tag);
		ck_assert_uint_eq(find(&s, text)->target.port, i + 1);
		if (i)
			ck_assert_int_lt(memcmp(s.entities[i - 1].tag, s.entities[i].tag, 16), 0);
	}
	/* Same bytes, another length: another tag. */
	ck_assert_ptr_nonnull(find(&s, "0x00000000"));
	ck_assert_ptr_null(find(&s, "0x000000"));
	ck_assert_ptr_null(find(&s, "0x0000000000"));

	for (int i = 0; i < 3; i++) {
		struct entity en = s.entities[1234];

		en.line = 9000 + (uint32_t)(draw(&state) % 100);
		ck_assert_int_eq(service_add_entity(&s, &en, &e), 0);
	}
	ck_assert_int_eq(service_sort_entities(&s, &twice), -EEXIST);
	ck_assert_uint_eq(twice, 1235);
	ck_assert_uint_le(s.entities[1234].line, s.entities[1235].line);
	ck_assert_uint_le(s.entities[1235].line, s.entities[1236].line);
	service_free(&s);
}
END_TEST

/* ---- differences -------------------------------------------------------------------------- */

struct story {
	char text[1024];
};

static void tell(void *arg, const struct change *c)
{
	static const char sign[] = {
		[CHANGE_ADDED] = '+', [CHANGE_REMOVED] = '-', [CHANGE_UPDATED] = '*'};
	const struct changed *what = c->kind == CHANGE_REMOVED ? &c->old : &c->new;
	const struct service *s = what->service;
	const struct entity *en = what->entity;
	struct story *story = arg;
	size_t len = strlen(story->text);
	char tag[TAG_TEXT_SIZE] = "";

	/* What was there before, and what is there now. */
	ck_assert_int_eq(s && c->kind != CHANGE_ADDED, !!c->old.service);
	ck_assert_int_eq(s && c->kind != CHANGE_REMOVED, !!c->new.service);
	ck_assert_int_eq(en && c->kind != CHANGE_ADDED, !!c->old.entity);
	ck_assert_int_eq(en && c->kind != CHANGE_REMOVED, !!c->new.entity);
	ck_assert_int_eq(!s, c->old.flows != c->new.flows);
	if (en)
		format_tag(en->tag, s->tag_len, tag);
	snprintf(story->text + len, sizeof(story->text) - len, "%c%s%s%s ", sign[c->kind],
		 s ? s->name : "=", en ? "/" : "", tag);
}

static void differs(const struct model *from, const struct model *to, const char *want)
{
	struct story story = {""};
	struct changes c, again;
	const char *at;
	uint64_t counted[3] = {0}, entities = 0;

	model_diff(from, to, &c, tell, &story);
	ck_assert_str_eq(story.text, want);
	for (at = want; *at; at++) {
		counted[0] += *at == '+';
		counted[1] += *at == '-';
		counted[2] += *at == '*';
		entities += *at == '/';
	}
	ck_assert_uint_eq(changed_entities(&c).added + changed_entities(&c).removed +
				  changed_entities(&c).updated,
			  entities);
	ck_assert_uint_eq(c.services.added + c.services.removed + c.services.updated + c.flows,
			  counted[0] + counted[1] + counted[2] - entities);
	ck_assert_uint_eq(c.added, counted[0]);
	ck_assert_uint_eq(c.removed, counted[1]);
	ck_assert_uint_eq(c.updated, counted[2]);
	model_diff(from, to, &again, NULL, NULL);
	ck_assert_mem_eq(&c, &again, sizeof(c));
}

static void checked(struct model *m)
{
	struct err e = {0};
	size_t twice;

	for (unsigned int i = 0; i < m->service_count; i++)
		ck_assert_int_eq(service_sort_entities(&m->services[i], &twice), 0);
	ck_assert_msg(!model_check(m, &e), "%s", e.line);
}

START_TEST(differences)
{
	const struct wish a = {.name = "a", .ports = "1"}, b = {.name = "b", .ports = "2"};
	const struct wish c = {.name = "c", .ports = "3"};
	struct model none, from, to;
	struct err e;

	model_init(&none);
	model_init(&from);
	add(&from, &c);
	add(&from, &a);
	checked(&from);
	add_entity(&from.services[0], "BBBB", "1");
	add_entity(&from.services[0], "AAAA", "1");
	add_entity(&from.services[0], "CCCC", "1");
	add_entity(&from.services[1], "AAAA", "1");
	checked(&from);
	differs(&none, &none, "");
	differs(&from, &from, "");
	differs(&none, &from, "+a +a/AAAA +a/BBBB +a/CCCC +c +c/AAAA ");
	differs(&from, &none, "-a -a/AAAA -a/BBBB -a/CCCC -c -c/AAAA ");

	ck_assert_int_eq(model_copy(&to, &from, &e), 0);
	find(&to.services[0], "AAAA")->line = 99; /* where it was read is no difference */
	to.services[0].line = 98;
	strcpy(to.file, "/x");
	differs(&from, &to, "");
	find(&to.services[0], "AAAA")->target.port = 2;
	memcpy(find(&to.services[0], "BBBB")->tag, "BBBC", 4);
	find(&to.services[0], "CCCC")->has_size = true;
	find(&to.services[0], "CCCC")->size = (struct window){4, 9};
	differs(&from, &to, "*a/AAAA -a/BBBB +a/BBBC *a/CCCC ");
	differs(&to, &from, "*a/AAAA +a/BBBB -a/BBBC *a/CCCC ");

	/* The flow table's size; to say the default is no other one than to say nothing. */
	to.flows = MANGLE_FLOWS_DEFAULT;
	differs(&from, &to, "*a/AAAA -a/BBBB +a/BBBC *a/CCCC ");
	to.flows++;
	differs(&from, &to, "*= *a/AAAA -a/BBBB +a/BBBC *a/CCCC ");
	differs(&to, &from, "*= *a/AAAA +a/BBBB -a/BBBC *a/CCCC ");
	to.flows = 0;

	model_remove(&to, "c");
	add(&to, &b);
	checked(&to);
	to.services[0].observe = true;
	differs(&from, &to, "*a *a/AAAA -a/BBBB +a/BBBC *a/CCCC +b -c -c/AAAA ");

	/* Whose entities are kept has none that differ. */
	service_free(&to.services[0]);
	to.services[0].keep_entities = true;
	differs(&from, &to, "*a +b -c -c/AAAA ");
	model_free(&from);
	model_free(&to);
}
END_TEST

static void name(struct service *s, const char *tag, const char *text)
{
	struct err e;

	ck_assert_int_eq(names_set(&s->names, find(s, tag)->tag, text, &e), 0);
}

START_TEST(names_differ)
{
	const struct wish a = {.name = "a"};
	struct model from, to;
	struct service *s, *t;
	struct err e;

	model_init(&from);
	add(&from, &a);
	s = &from.services[0];
	add_entity(s, "AAAA", "1");
	add_entity(s, "BBBB", "1");
	add_entity(s, "CCCC", "1");
	checked(&from);
	name(s, "BBBB", "pump");
	ck_assert_int_eq(model_copy(&to, &from, &e), 0);
	t = &to.services[0];
	differs(&from, &to, "");
	ck_assert(service_same_entities(s, t));
	name(t, "BBBB", "Pump");
	differs(&from, &to, "*a/BBBB ");
	ck_assert_str_eq(names_find(&s->names, find(s, "BBBB")->tag), "pump"); /* a deep copy */
	ck_assert(!service_same_entities(s, t));
	name(t, "CCCC", "valve");
	name(t, "BBBB", "");
	differs(&from, &to, "*a/BBBB *a/CCCC ");
	differs(&to, &from, "*a/BBBB *a/CCCC ");

	/* That of a tag which no entity has says nothing. */
	name(t, "CCCC", "");
	name(t, "BBBB", "pump");
	ck_assert_int_eq(names_set(&t->names, (const uint8_t[MANGLE_MAX_TAG]){"ABCD"}, "x", &e), 0);
	differs(&from, &to, "");
	ck_assert(service_same_entities(s, t));

	/* They move with the entities. */
	name(t, "CCCC", "valve");
	service_move_entities(s, t);
	ck_assert_str_eq(names_find(&s->names, find(s, "CCCC")->tag), "valve");
	ck_assert_uint_eq(t->names.count, 0);
	model_free(&from);
	model_free(&to);
}
END_TEST

/* As a table that is kept beside them says. */
START_TEST(names_are_found)
{
	enum { TAGS = 100 };
	struct entity_names n = {0}, m = {0};
	char have[TAGS][8] = {{0}};
	uint64_t state = 5;
	struct err e;
	size_t at = 0, count = 0;

	for (int i = 0; i < 2000; i++) {
		uint8_t tag[MANGLE_MAX_TAG] = {[3] = (uint8_t)(draw(&state) % TAGS)};
		char *text = have[tag[3]];

		*text = '\0';
		if (draw(&state) % 3)
			snprintf(text, sizeof(*have), "n%d", (int)(draw(&state) % 1000));
		ck_assert_int_eq(names_set(&n, tag, text, &e), 0);
	}
	for (uint8_t i = 0; i < TAGS; i++) {
		uint8_t tag[MANGLE_MAX_TAG] = {[3] = (uint8_t)(TAGS - 1 - i)};

		ck_assert_int_eq(names_add(&m, tag, have[TAGS - 1 - i], &e), 0);
		tag[3] = i;
		ck_assert_str_eq(names_find(&n, tag), have[i]);
		ck_assert_str_eq(names_next(&n, &at, tag), have[i]);
		count += *have[i] != '\0';
	}
	ck_assert_uint_eq(n.count, count);
	names_sort(&m);
	ck_assert_uint_eq(m.count, count);
	ck_assert_mem_eq(n.name, m.name, count * sizeof(*n.name));
	names_free(&n);
	names_free(&m);
}
END_TEST

/* "AB" and "AB\0" are padded to the same bytes. */
START_TEST(another_tag_length_is_other_tags)
{
	const struct wish a = {.name = "a"};
	struct model from, to;
	struct err e;

	model_init(&from);
	add(&from, &a);
	from.services[0].tag_len = 2;
	add_entity(&from.services[0], "AB", "1");
	add_entity(&from.services[0], "AC", "1");
	checked(&from);
	ck_assert_int_eq(model_copy(&to, &from, &e), 0);
	to.services[0].tag_len = 3;
	differs(&from, &to, "*a -a/AB +a/0x414200 -a/AC +a/0x414300 ");
	model_free(&from);
	model_free(&to);
}
END_TEST

/* Each setting by itself makes a difference, and each setting makes two services differ. */
static void other_port(struct service *s)
{
	s->ports[0]++;
}
static void more_ports(struct service *s)
{
	s->ports[s->port_count++] = 60000;
}
static void other_protocol(struct service *s)
{
	s->protocols = MANGLE_PROTO_TCP;
}
static void a_daddr(struct service *s)
{
	s->daddr_count = prefixes("10.0.0.0/8", s->daddr);
}
static void a_saddr(struct service *s)
{
	s->saddr_count = prefixes("10.0.0.0/8", s->saddr);
}
static void an_ifname(struct service *s)
{
	strcpy(s->ifname, "eth0");
}
static void other_offset(struct service *s)
{
	s->tag_offset = -4;
}
static void other_length(struct service *s)
{
	s->tag_len = 3;
}
static void other_min(struct service *s)
{
	s->size.min++;
}
static void other_max(struct service *s)
{
	s->size.max++;
}
static void other_invalid(struct service *s)
{
	s->invalid = ACTION_DROP;
}
static void unknown_drop(struct service *s)
{
	s->unknown.action = ACTION_DROP;
}
static void unknown_port(struct service *s)
{
	s->unknown = (struct target){ACTION_PORT, 9};
}
static void other_first(struct service *s)
{
	s->targets_first = 1;
}
static void other_last(struct service *s)
{
	s->targets_last = 9;
}
static void a_mask(struct service *s)
{
	s->tag_ignored[3] = 1;
}
static void a_description(struct service *s)
{
	strcpy(s->description, "for people");
}
static void disabled(struct service *s)
{
	s->disabled = true;
}
static void other_name(struct service *s)
{
	strcpy(s->name, "y");
}

static void (*const changes[])(struct service *s) = {
	other_port,   more_ports,   other_protocol, a_daddr,	    a_saddr,	   an_ifname,
	other_offset, other_length, other_min,	    other_max,	    other_invalid, unknown_drop,
	unknown_port, other_first,  other_last,	    udp_connection, reply,	   observing,
	other_name,   a_mask,	    a_description,  disabled,
};

START_TEST(settings_differ)
{
	const struct wish w = {.name = "x"};
	struct service a = make(&w), b = make(&w);

	ck_assert(service_same_settings(&a, &b));
	changes[_i](&b);
	ck_assert(!service_same_settings(&a, &b));
	ck_assert(!service_same_settings(&b, &a));
	changes[_i](&a);
	ck_assert(service_same_settings(&a, &b));
}
END_TEST

START_TEST(prefixes_differ_in_each_part)
{
	struct prefix p[5];

	ck_assert_uint_eq(prefixes("10.0.0.0/8 10.0.0.0/9 11.0.0.0/8 a00::/8 a00::/9", p), 5);
	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < 5; j++) {
			int order = prefix_compare(&p[i], &p[j]);

			ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model");
	TCase *tc = tcase_create("model");

	tcase_add_loop_test(tc, overlap, 0, COUNT_OF(pairs));
	tcase_add_loop_test(tc, blames, 0, COUNT_OF(faults));
	tcase_add_test(tc, most_services);
	tcase_add_test(tc, too_many_services);
	tcase_add_loop_test(tc, refuses, 0, COUNT_OF(bad));
	tcase_add_loop_test(tc, takes, 0, COUNT_OF(good));
	tcase_add_loop_test(tc, same_targets, 0, COUNT_OF(shared));
	tcase_add_test(tc, same_targets_in_one_line);
	tcase_add_test(tc, who_needs_targets);
	tcase_add_test(tc, flows_in_bounds);
	tcase_add_test(tc, names_twice);
	tcase_add_test(tc, check_sorts);
	tcase_add_test(tc, judge_names_the_service);
	tcase_add_test(tc, the_default);
	tcase_add_test(tc, copies_are_deep);
	tcase_add_test(tc, removes);
	tcase_add_test(tc, entities_are_sorted_and_found);
	tcase_add_test(tc, differences);
	tcase_add_test(tc, names_differ);
	tcase_add_test(tc, names_are_found);
	tcase_add_test(tc, another_tag_length_is_other_tags);
	tcase_add_loop_test(tc, settings_differ, 0, COUNT_OF(changes));
	tcase_add_test(tc, prefixes_differ_in_each_part);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
