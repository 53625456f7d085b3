/* SPDX-License-Identifier: GPL-2.0-only */
/* Row 1, and what comes before the network header: VLAN tags, ethertypes, frames cut short. */
#include "vectors.h"

#define Q 0x8100
#define AD 0x88a8

static const struct stack {
	const char *name;
	uint16_t vlan[3];
} stacks[] = {
	{"untagged", {0}}, {"802.1Q", {Q}},   {"802.1ad", {AD}},   {"ad+Q", {AD, Q}},
	{"Q+Q", {Q, Q}},   {"Q+ad", {Q, AD}}, {"ad+ad", {AD, AD}},
};

static void set_stack(struct frame *f, const uint16_t vlan[3])
{
	for (int i = 0; i < 3; i++)
		f->vlan[i] = vlan[i];
}

/* Up to two tags of either kind are looked behind, for both families and both protocols. */
static void stacks_times_outcomes(void)
{
	const struct vector outcomes[] = {
		{"rewritten", REWRITTEN("base", 6001)},
		{"unknown tag", .f = {.tag = "ZZZZ"}, DROPPED("unknown_tag", "base")},
		{"too short", .f = {.payload = OPT(1)}, DROPPED("too_short", "base")},
		{"too long", .f = {.payload = OPT(65)}, DROPPED("too_long", "base")},
		{"no tag", .f = {.payload = OPT(3)}, DROPPED("no_tag", "base")},
		{"entity drop", .f = {.tag = "DROP"}, DROPPED("entity_drop", "base")},
		{"entity pass", .f = {.tag = "PASS"}, PASSED("entity_pass", "base")},
		{"no service", .f = {.dport = OPT(5001)}, NOT_OURS("no_service")},
	};

	for (size_t s = 0; s < ARRAY_SIZE(stacks); s++)
		for (int ip = 4; ip <= 6; ip += 2)
			for (int l4 = UDP; l4 <= TCP; l4++)
				for (size_t o = 0; o < ARRAY_SIZE(outcomes); o++) {
					struct vector v = outcomes[o];

					v.set = set_base;
					v.f.ip = (uint8_t)ip;
					v.f.l4 = (enum l4)l4;
					set_stack(&v.f, stacks[s].vlan);
					vector_add(&v, "link/%s v%d %s: %s", stacks[s].name, ip,
						   l4 ? "tcp" : "udp", outcomes[o].name);
				}
}

static void three_tags(void)
{
	for (int kinds = 0; kinds < 8; kinds++)
		for (int ip = 4; ip <= 6; ip += 2)
			for (int l4 = UDP; l4 <= TCP; l4++) {
				struct vector v = {.set = set_base,
						   .f = {.ip = (uint8_t)ip, .l4 = (enum l4)l4},
						   NOT_OURS("not_ip")};

				for (int i = 0; i < 3; i++)
					v.f.vlan[i] = kinds >> i & 1 ? AD : Q;
				vector_add(&v, "link/three tags %04x %04x %04x v%d %s", v.f.vlan[0],
					   v.f.vlan[1], v.f.vlan[2], ip, l4 ? "tcp" : "udp");
			}
}

/* An IPv4 packet that would be rewritten, under every ethertype but its own. */
static void ethertypes(void)
{
	static const struct {
		uint16_t type;
		const char *name;
	} types[] = {
		{0x0000, "length 0"},
		{0x002e, "802.3 length 46"},
		{0x05dc, "802.3 length 1500"},
		{0x0008, "IPv4 swapped"},
		{0xdd86, "IPv6 swapped"},
		{0x0081, "802.1Q swapped"},
		{0xa888, "802.1ad swapped"},
		{0x0801, "X.75"},
		{0x0806, "ARP"},
		{0x8035, "RARP"},
		{0x8847, "MPLS"},
		{0x8863, "PPPoE discovery"},
		{0x8864, "PPPoE session"},
		{0x88cc, "LLDP"},
		{0x88e5, "MACsec"},
		{0x88e7, "802.1ah"},
		{0x9100, "old QinQ"},
		{0x9200, "older QinQ"},
		{0xffff, "reserved"},
	};

	for (size_t s = 0; s < 4; s++)
		for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
			struct vector v = {.set = set_base,
					   .f = {.ethertype = OPT(types[t].type)},
					   NOT_OURS("not_ip")};

			set_stack(&v.f, stacks[s].vlan);
			vector_add(&v, "link/ethertype %04x (%s) %s", types[t].type, types[t].name,
				   stacks[s].name);
		}
}

/* Priority, drop eligibility and VLAN number are nobody's business. */
static void tag_control(void)
{
	static const uint16_t tci[] = {0x0000, 0x0001, 0x0fff, 0x1000, 0xe000,
				       0xffff, 0x0800, 0x86dd, 0x8100};

	for (size_t i = 0; i < ARRAY_SIZE(tci); i++) {
		struct vector v = {.set = set_base,
				   .f = {.vlan = {Q}, .tci = OPT(tci[i])},
				   REWRITTEN("base", 6001)};

		vector_add(&v, "link/802.1Q tag control %04x", tci[i]);
		v.f.vlan[0] = AD;
		v.f.vlan[1] = Q;
		vector_add(&v, "link/ad+Q tag control %04x", tci[i]);
	}
}

/*
 * A frame cut at every byte from the Ethernet header's end on. What ends in the tags is not known
 * to be IP; what ends later has an IP header that does not fit, or lengths over the frame's.
 */
static void cut(const char *name, const struct frame *whole)
{
	struct vector v = {.set = set_base, .f = *whole};
	uint8_t buf[FRAME_MAX];
	size_t tags = 0, len;

	while (tags < 3 && whole->vlan[tags])
		tags++;
	len = frame_build(whole, buf);
	for (size_t at = 14; at < len; at++) {
		struct vector u = {.set = v.set,
				   .f = *whole,
				   .reason = at < 14 + 4 * tags ? "not_ip" : "malformed_ip",
				   .verdict = "passed"};

		u.f.cut = OPT(at);
		vector_add(&u, "link/%s cut at %zu of %zu", name, at, len);
	}
	v.reason = v.verdict = "rewritten";
	v.service = "base";
	v.port = 6001;
	vector_add(&v, "link/%s whole, %zu bytes", name, len);
}

static void cuts(void)
{
	/* the smallest frames that are rewritten: the payload is the tag */
	const struct vector t[] = {
		{"v4 udp", .f = {.ip = 4, .l4 = UDP, .payload = OPT(4)}},
		{"v4 tcp", .f = {.ip = 4, .l4 = TCP, .payload = OPT(4)}},
		{"v6 udp", .f = {.ip = 6, .l4 = UDP, .payload = OPT(4)}},
		{"v6 tcp", .f = {.ip = 6, .l4 = TCP, .payload = OPT(4)}},
		{"v4 options udp", .f = {.ip = 4, .ihl = 15, .l4 = UDP, .payload = OPT(4)}},
		{"v6 hop-by-hop udp", .f = {.ip = 6, .ext = {HBH}, .l4 = UDP, .payload = OPT(4)}},
		{"v4 udp 802.1Q", .f = {.vlan = {Q}, .ip = 4, .l4 = UDP, .payload = OPT(4)}},
		{"v6 udp ad+Q", .f = {.vlan = {AD, Q}, .ip = 6, .l4 = UDP, .payload = OPT(4)}},
		{"v4 tcp ad+Q", .f = {.vlan = {AD, Q}, .ip = 4, .l4 = TCP, .payload = OPT(4)}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		cut(t[i].name, &t[i].f);
}

void vectors_link(void)
{
	stacks_times_outcomes();
	three_tags();
	ethertypes();
	tag_control();
	cuts();
}
