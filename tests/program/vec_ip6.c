/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows 2 to 5 over IPv6. Extension headers are walked in their order: the first that decides,
 * decides. */
#include "vectors.h"

#define S .set = set_base, .f.ip = 6

static void versions(void)
{
	for (uint32_t version = 0; version < 16; version++) {
		struct vector v = {S, .f.version = OPT(version), NOT_OURS("malformed_ip")};

		if (version == 6)
			continue;
		vector_add(&v, "ip6/version %u", version);
	}
}

/* The packet is 40 + 8 + 32 bytes for UDP, 40 + 20 + 32 for TCP, and the frame has no more. */
static void payload_lengths(void)
{
	for (int l4 = UDP; l4 <= TCP; l4++) {
		uint32_t whole = l4 == TCP ? 52 : 40;
		static const uint32_t over[] = {1, 2, 8, 40, 54, 1400, 65535 - 52};

		for (size_t i = 0; i < ARRAY_SIZE(over); i++) {
			struct vector v = {S, .f.l4 = (enum l4)l4, .f.ip_len = OPT(whole + over[i]),
					   NOT_OURS("malformed_ip")};

			vector_add(&v, "ip6/%s payload length %u over the frame's",
				   l4 ? "tcp" : "udp", over[i]);
		}
	}

	const struct vector t[] = {
		{"udp payload length 0", S, .f.ip_len = OPT(0), NOT_OURS("malformed_ip")},
		{"tcp payload length 0", S, .f.l4 = TCP, .f.ip_len = OPT(0),
		 NOT_OURS("malformed_ip")},
		{"payload length 0, hop-by-hop (a jumbogram)", S, .f.ext = {HBH},
		 .f.ip_len = OPT(0), NOT_OURS("malformed_ip")},
		{"payload length 0, no next header", S, .f.proto = OPT(59), .f.ip_len = OPT(0),
		 NOT_OURS("malformed_ip")},
		{"payload length 0, nothing there, no next header", S, .f.proto = OPT(59),
		 .f.keep = OPT(0), NOT_OURS("malformed_ip")},
		{"payload length 0, ICMPv6", S, .f.proto = OPT(58), .f.ip_len = OPT(0),
		 NOT_OURS("malformed_ip")},
		{"payload length 0, later fragment", S, .f.ext = {FRAG(FRAG_AT(4))},
		 .f.ip_len = OPT(0), NOT_OURS("malformed_ip")},
		{"payload length 0, routing header", S, .f.ext = {ROUTE(1)}, .f.ip_len = OPT(0),
		 NOT_OURS("malformed_ip")},
		{"payload length over, ICMPv6", S, .f.proto = OPT(58), .f.ip_len = OPT(41),
		 NOT_OURS("malformed_ip")},
		{"payload length over, later fragment", S, .f.ext = {FRAG(FRAG_AT(4))},
		 .f.ip_len = OPT(49), NOT_OURS("malformed_ip")},
		{"payload length over, routing header", S, .f.ext = {ROUTE(1)}, .f.ip_len = OPT(65),
		 NOT_OURS("malformed_ip")},
		{"payload length 65535", S, .f.ip_len = OPT(65535), NOT_OURS("malformed_ip")},
		{"payload length byte-swapped", S, .f.ip_len = OPT(40 << 8),
		 NOT_OURS("malformed_ip")},
		{"payload length counts the IPv6 header", S, .f.ip_len = OPT(80),
		 NOT_OURS("malformed_ip")},
		{"udp payload length one under the UDP length", S, .f.ip_len = OPT(39),
		 DROPPED("malformed_l4", "base")},
		{"udp payload length over the UDP length, the frame has it", S, .f.ip_len = OPT(44),
		 .f.trail = 4, REWRITTEN("base", 6001)},
		{"udp payload length over the UDP length and the frame's", S, .f.ip_len = OPT(45),
		 .f.trail = 4, NOT_OURS("malformed_ip")},
		{"traffic class and flow label", S, .f.tos = OPT(0x0fffffff),
		 REWRITTEN("base", 6001)},
		{"flow label, tcp", S, .f.l4 = TCP, .f.tos = OPT(0x0004a3f1),
		 REWRITTEN("base", 6001)},
		{"to a multicast address", S, .f.dst = "ff02::1:3", REWRITTEN("base", 6001)},
		{"from the unspecified address", S, .f.src = "::", REWRITTEN("base", 6001)},
		{"to a mapped IPv4 address", S, .f.dst = "::ffff:192.0.2.9",
		 REWRITTEN("base", 6001)},
	};
	vector_table("ip6/", t, ARRAY_SIZE(t));
}

static void padding(void)
{
	const struct vector t[] = {
		{"udp payload 4 with 6 trailing", S, .f.payload = OPT(4), .f.trail = 6,
		 REWRITTEN("base", 6001)},
		{"udp payload 64 with 1 trailing", S, .f.payload = OPT(64), .f.trail = 1,
		 REWRITTEN("base", 6001)},
		{"udp payload 33 with 1000 trailing", S, .f.payload = OPT(33), .f.trail = 1000,
		 REWRITTEN("base", 6001)},
		{"tcp payload 64 with 1 trailing", S, .f.l4 = TCP, .f.payload = OPT(64),
		 .f.trail = 1, REWRITTEN("base", 6001)},
		{"tcp payload 0, the tag trails", S, .f.l4 = TCP, .f.payload = OPT(0),
		 .f.trail_text = "ABCD", PASSED("no_payload", "base")},
		{"udp payload 0, the tag trails", S, .f.payload = OPT(0), .f.trail_text = "ABCD",
		 DROPPED("too_short", "base")},
		{"udp payload 3, the tag's last byte trails", S, .f.payload = OPT(3),
		 .f.trail_text = "D", DROPPED("no_tag", "base")},
		{"tcp payload 2, the tag's last two trail", S, .f.l4 = TCP, .f.payload = OPT(2),
		 .f.trail_text = "CD", DROPPED("no_tag", "base")},
		{"udp payload 1 with 63 trailing", S, .f.payload = OPT(1), .f.trail = 63,
		 DROPPED("too_short", "base")},
		{"udp payload 65 with 1 trailing", S, .f.payload = OPT(65), .f.trail = 1,
		 DROPPED("too_long", "base")},
	};

	vector_table("ip6/padding: ", t, ARRAY_SIZE(t));
}

/* What is walked over, alone and in company, for UDP and TCP. */
static void walked_over(void)
{
	const struct {
		const char *name;
		struct ext ext[12];
	} chains[] = {
		{"hop-by-hop", {HBH}},
		{"destination options", {DST}},
		{"destination options of 16 bytes", {DST_UNITS(1)}},
		{"destination options of 40 bytes", {DST_UNITS(4)}},
		{"destination options of 264 bytes", {DST_UNITS(32)}},
		{"destination options of 2048 bytes", {DST_UNITS(255)}},
		{"routing, none left", {ROUTE(0)}},
		{"atomic fragment", {FRAG(0)}},
		{"atomic fragment, reserved bits set", {FRAG(6)}},
		{"hop-by-hop, destination options", {HBH, DST}},
		{"hop-by-hop, routing, atomic fragment, destination options",
		 {HBH, ROUTE(0), FRAG(0), DST}},
		{"hop-by-hop, destination, routing, atomic fragment, destination",
		 {HBH, DST_UNITS(2), ROUTE(0), FRAG(0), DST_UNITS(3)}},
		{"destination options, hop-by-hop", {DST, HBH}},
		{"atomic fragment, routing, none left", {FRAG(0), ROUTE(0)}},
		{"routing twice, none left", {ROUTE(0), ROUTE(0)}},
		{"2 headers", {DST, DST}},
		{"3 headers", {DST, DST, DST}},
		{"4 headers", {DST, DST, DST, DST}},
		{"5 headers", {DST, DST, DST, DST, DST}},
		{"6 headers", {DST, DST, DST, DST, DST, DST}},
		{"7 headers", {DST, DST, DST, DST, DST, DST, DST}},
		{"8 headers", {DST, DST, DST, DST, DST, DST, DST, DST}},
		{"8 headers, an atomic fragment first",
		 {FRAG(0), DST, DST, DST, DST, DST, DST, DST}},
		{"8 headers, an atomic fragment last",
		 {DST, DST, DST, DST, DST, DST, DST, FRAG(0)}},
		{"8 headers, routing last", {DST, DST, DST, DST, DST, DST, DST, ROUTE(0)}},
		{"8 headers of all kinds", {HBH, DST, ROUTE(0), FRAG(0), DST, ROUTE(0), DST, DST}},
		{"8 headers, each longer than the one before",
		 {HBH, DST_UNITS(1), DST_UNITS(2), DST_UNITS(3), DST_UNITS(4), DST_UNITS(5),
		  DST_UNITS(6), DST_UNITS(7)}},
	};
	const struct vector outcomes[] = {
		{"", S, REWRITTEN("base", 6001)},
		{", entity drop", S, .f.tag = "DROP", DROPPED("entity_drop", "base")},
		{", too short", S, .f.payload = OPT(1), DROPPED("too_short", "base")},
		{", no service", S, .f.dport = OPT(9), NOT_OURS("no_service")},
	};

	for (size_t c = 0; c < ARRAY_SIZE(chains); c++)
		for (int l4 = UDP; l4 <= TCP; l4++)
			for (size_t o = 0; o < ARRAY_SIZE(outcomes); o++) {
				struct vector v = outcomes[o];

				v.f.l4 = (enum l4)l4;
				for (size_t i = 0; i < ARRAY_SIZE(v.f.ext); i++)
					v.f.ext[i] = chains[c].ext[i];
				vector_add(&v, "ip6/%s, %s%s", chains[c].name, l4 ? "tcp" : "udp",
					   v.name);
			}
}

static void too_many(void)
{
	const struct vector t[] = {
		{"9 headers, udp", S, .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST, DST},
		 NOT_OURS("not_udp_tcp")},
		{"9 headers, tcp", S, .f.l4 = TCP,
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST, DST}, NOT_OURS("not_udp_tcp")},
		{"10 headers", S, .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST, DST, DST},
		 NOT_OURS("not_udp_tcp")},
		{"11 headers", S, .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST, DST, DST, DST},
		 NOT_OURS("not_udp_tcp")},
		{"9 headers, hop-by-hop first", S,
		 .f.ext = {HBH, DST, DST, DST, DST, DST, DST, DST, DST}, NOT_OURS("not_udp_tcp")},
		{"9 headers, the atomic fragment first", S,
		 .f.ext = {FRAG(0), DST, DST, DST, DST, DST, DST, DST, DST},
		 NOT_OURS("not_udp_tcp")},
		{"9 headers, the atomic fragment in the middle", S,
		 .f.ext = {DST, DST, DST, DST, FRAG(0), DST, DST, DST, DST},
		 NOT_OURS("not_udp_tcp")},
		{"9 headers, the atomic fragment last", S,
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST, FRAG(0)},
		 NOT_OURS("not_udp_tcp")},
		{"9 headers, routing with none left among them", S,
		 .f.ext = {DST, DST, ROUTE(0), DST, DST, DST, DST, DST, DST},
		 NOT_OURS("not_udp_tcp")},
		{"9 headers and a first fragment of TCP", S, .f.l4 = TCP,
		 .f.ext = {FRAG(FRAG_MORE), DST, DST, DST, DST, DST, DST, DST, DST},
		 NOT_OURS("not_udp_tcp")},
		{"9 headers and an UDP length of 0", S, .f.udp_len = OPT(0),
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST, DST}, NOT_OURS("not_udp_tcp")},
		{"8 headers, then ICMPv6", S, .f.proto = OPT(58),
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST}, NOT_OURS("not_udp_tcp")},
		{"8 headers, then no next header", S, .f.proto = OPT(59),
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST}, NOT_OURS("not_udp_tcp")},
		{"the 8th is a later fragment", S,
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, FRAG(FRAG_AT(1))},
		 NOT_OURS("later_fragment")},
		{"the 8th is a routing header with one left", S,
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, ROUTE(1)},
		 NOT_OURS("routing_header")},
		{"the 8th does not fit", S,
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, DST_LIES(200)},
		 NOT_OURS("malformed_ip")},
		{"the 8th is a first fragment of TCP", S, .f.l4 = TCP,
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, FRAG(FRAG_MORE)},
		 NOT_OURS("tcp_fragment")},
		{"the 8th is a first fragment of UDP", S,
		 .f.ext = {DST, DST, DST, DST, DST, DST, DST, FRAG(FRAG_MORE)},
		 REWRITTEN("base", 6001)},
		/* what decided before the ninth */
		{"9 headers, the first a later fragment", S,
		 .f.ext = {FRAG(FRAG_AT(9)), DST, DST, DST, DST, DST, DST, DST, DST},
		 NOT_OURS("later_fragment")},
		{"9 headers, the third a later fragment", S,
		 .f.ext = {DST, DST, FRAG(FRAG_AT(9)), DST, DST, DST, DST, DST, DST},
		 NOT_OURS("later_fragment")},
		{"9 headers, the first a routing header with one left", S,
		 .f.ext = {ROUTE(1), DST, DST, DST, DST, DST, DST, DST, DST},
		 NOT_OURS("routing_header")},
		{"9 headers, the fifth a routing header with one left", S,
		 .f.ext = {DST, DST, DST, DST, ROUTE(1), DST, DST, DST, DST},
		 NOT_OURS("routing_header")},
		{"9 headers, the second does not fit", S,
		 .f.ext = {DST, DST_LIES(200), DST, DST, DST, DST, DST, DST, DST},
		 NOT_OURS("malformed_ip")},
	};

	vector_table("ip6/", t, ARRAY_SIZE(t));
}

static void fragments(void)
{
	static const uint16_t offsets[] = {1, 2, 31, 32, 181, 0x1000, 0x1ffe, 0x1fff};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		for (unsigned more = 0; more < 2; more++)
			for (int l4 = UDP; l4 <= TCP; l4++) {
				struct vector v = {
					S, .f.l4 = (enum l4)l4,
					.f.ext = {FRAG((uint16_t)(FRAG_AT(offsets[i]) | more))},
					NOT_OURS("later_fragment")};

				vector_add(&v, "ip6/fragment at %u%s %s", offsets[i],
					   more ? " more" : "", l4 ? "tcp" : "udp");
			}

	const struct vector t[] = {
		{"later, of ICMPv6", S, .f.ext = {FRAG(FRAG_AT(4))}, .f.proto = OPT(58),
		 NOT_OURS("later_fragment")},
		{"later, of no next header", S, .f.ext = {FRAG(FRAG_AT(4))}, .f.proto = OPT(59),
		 NOT_OURS("later_fragment")},
		{"later, of two bytes", S, .f.ext = {FRAG(FRAG_AT(4))}, .f.keep = OPT(2),
		 NOT_OURS("later_fragment")},
		{"later, empty", S, .f.ext = {FRAG(FRAG_AT(4))}, .f.keep = OPT(0),
		 NOT_OURS("later_fragment")},
		{"later, UDP length 0", S, .f.ext = {FRAG(FRAG_AT(4))}, .f.udp_len = OPT(0),
		 NOT_OURS("later_fragment")},
		{"later, data offset 0", S, .f.l4 = TCP, .f.ext = {FRAG(FRAG_AT(4))},
		 .f.doff_field = OPT(0), NOT_OURS("later_fragment")},
		{"later, reserved bits set", S, .f.ext = {FRAG(FRAG_AT(4) | 6)},
		 NOT_OURS("later_fragment")},
		{"later, behind hop-by-hop", S, .f.ext = {HBH, FRAG(FRAG_AT(4))},
		 NOT_OURS("later_fragment")},
		{"later, before destination options", S, .f.ext = {FRAG(FRAG_AT(4)), DST},
		 NOT_OURS("later_fragment")},
		{"first, of TCP", S, .f.l4 = TCP, .f.ext = {FRAG(FRAG_MORE)},
		 NOT_OURS("tcp_fragment")},
		{"first, of TCP, reserved bits set", S, .f.l4 = TCP, .f.ext = {FRAG(FRAG_MORE | 6)},
		 NOT_OURS("tcp_fragment")},
		{"first, of TCP, of 8 bytes", S, .f.l4 = TCP, .f.ext = {FRAG(FRAG_MORE)},
		 .f.keep = OPT(8), NOT_OURS("tcp_fragment")},
		{"first, of TCP, empty", S, .f.l4 = TCP, .f.ext = {FRAG(FRAG_MORE)},
		 .f.keep = OPT(0), NOT_OURS("tcp_fragment")},
		{"first, of TCP, data offset 4", S, .f.l4 = TCP, .f.ext = {FRAG(FRAG_MORE)},
		 .f.doff_field = OPT(4), NOT_OURS("tcp_fragment")},
		{"first, of TCP, behind hop-by-hop", S, .f.l4 = TCP,
		 .f.ext = {HBH, FRAG(FRAG_MORE)}, NOT_OURS("tcp_fragment")},
		{"first, of TCP, before destination options", S, .f.l4 = TCP,
		 .f.ext = {FRAG(FRAG_MORE), DST}, NOT_OURS("tcp_fragment")},
		{"first, of TCP, before routing with none left", S, .f.l4 = TCP,
		 .f.ext = {FRAG(FRAG_MORE), ROUTE(0)}, NOT_OURS("tcp_fragment")},
		{"first, of TCP, to a port of no service", S, .f.l4 = TCP,
		 .f.ext = {FRAG(FRAG_MORE)}, .f.dport = OPT(9), NOT_OURS("tcp_fragment")},
		{"first, of ICMPv6", S, .f.ext = {FRAG(FRAG_MORE)}, .f.proto = OPT(58),
		 NOT_OURS("not_udp_tcp")},
		{"atomic, of TCP, without payload", S, .f.l4 = TCP, .f.ext = {FRAG(0)},
		 .f.payload = OPT(0), PASSED("no_payload", "base")},
		{"atomic, of UDP, UDP length over", S, .f.ext = {FRAG(0)}, .f.udp_len = OPT(41),
		 DROPPED("malformed_l4", "base")},
		{"atomic, of UDP, payload 65", S, .f.ext = {FRAG(0)}, .f.payload = OPT(65),
		 DROPPED("too_long", "base")},
		{"atomic, then later", S, .f.ext = {FRAG(0), FRAG(FRAG_AT(2))},
		 NOT_OURS("later_fragment")},
		{"atomic, then first, of TCP", S, .f.l4 = TCP, .f.ext = {FRAG(0), FRAG(FRAG_MORE)},
		 NOT_OURS("tcp_fragment")},
		{"first, then later", S, .f.ext = {FRAG(FRAG_MORE), FRAG(FRAG_AT(2))},
		 NOT_OURS("later_fragment")},
	};
	vector_table("ip6/fragment ", t, ARRAY_SIZE(t));
}

/* The first that decides, decides. */
static void order(void)
{
	const struct vector t[] = {
		{"one left", S, .f.ext = {ROUTE(1)}, NOT_OURS("routing_header")},
		{"one left, tcp", S, .f.l4 = TCP, .f.ext = {ROUTE(1)}, NOT_OURS("routing_header")},
		{"2 left", S, .f.ext = {ROUTE(2)}, NOT_OURS("routing_header")},
		{"128 left", S, .f.ext = {ROUTE(128)}, NOT_OURS("routing_header")},
		{"255 left", S, .f.ext = {ROUTE(255)}, NOT_OURS("routing_header")},
		{"one left, behind hop-by-hop", S, .f.ext = {HBH, ROUTE(1)},
		 NOT_OURS("routing_header")},
		{"one left, behind one with none left", S, .f.ext = {ROUTE(0), ROUTE(1)},
		 NOT_OURS("routing_header")},
		{"one left, to a port of no service", S, .f.ext = {ROUTE(1)}, .f.dport = OPT(9),
		 NOT_OURS("routing_header")},
		{"one left, then a later fragment", S, .f.ext = {ROUTE(1), FRAG(FRAG_AT(5))},
		 NOT_OURS("routing_header")},
		{"a later fragment, then one left", S, .f.ext = {FRAG(FRAG_AT(5)), ROUTE(1)},
		 NOT_OURS("later_fragment")},
		{"a first fragment, then one left", S, .f.ext = {FRAG(FRAG_MORE), ROUTE(1)},
		 NOT_OURS("routing_header")},
		{"a first fragment of TCP, then one left", S, .f.l4 = TCP,
		 .f.ext = {FRAG(FRAG_MORE), ROUTE(1)}, NOT_OURS("routing_header")},
		{"one left, then a first fragment of TCP", S, .f.l4 = TCP,
		 .f.ext = {ROUTE(1), FRAG(FRAG_MORE)}, NOT_OURS("routing_header")},
		{"an atomic fragment, then one left", S, .f.ext = {FRAG(0), ROUTE(1)},
		 NOT_OURS("routing_header")},
		{"none left, then a later fragment", S, .f.ext = {ROUTE(0), FRAG(FRAG_AT(5))},
		 NOT_OURS("later_fragment")},
		{"one left, then ICMPv6", S, .f.ext = {ROUTE(1)}, .f.proto = OPT(58),
		 NOT_OURS("routing_header")},
		{"one left, then no next header", S, .f.ext = {ROUTE(1)}, .f.proto = OPT(59),
		 NOT_OURS("routing_header")},
		{"none left, then ICMPv6", S, .f.ext = {ROUTE(0)}, .f.proto = OPT(58),
		 NOT_OURS("not_udp_tcp")},
		{"one left, then one that does not fit", S, .f.ext = {ROUTE(1), DST_LIES(100)},
		 NOT_OURS("routing_header")},
		{"one that does not fit, then one left", S, .f.ext = {DST_LIES(100), ROUTE(1)},
		 NOT_OURS("malformed_ip")},
		{"one left in a header that does not fit itself", S, .f.ext = {ROUTE_LIES(1, 100)},
		 NOT_OURS("malformed_ip")},
		{"a later fragment, then one that does not fit", S,
		 .f.ext = {FRAG(FRAG_AT(5)), DST_LIES(100)}, NOT_OURS("later_fragment")},
		{"one that does not fit, then a later fragment", S,
		 .f.ext = {DST_LIES(100), FRAG(FRAG_AT(5))}, NOT_OURS("malformed_ip")},
		{"a first fragment, then one that does not fit", S,
		 .f.ext = {FRAG(FRAG_MORE), DST_LIES(100)}, NOT_OURS("malformed_ip")},
		{"one left and an UDP length of 0", S, .f.ext = {ROUTE(1)}, .f.udp_len = OPT(0),
		 NOT_OURS("routing_header")},
		{"one left and data offset 0", S, .f.l4 = TCP, .f.ext = {ROUTE(1)},
		 .f.doff_field = OPT(0), NOT_OURS("routing_header")},
		{"one left and no transport header", S, .f.ext = {ROUTE(1)}, .f.keep = OPT(0),
		 NOT_OURS("routing_header")},
		{"ESP, then what would be one left", S, .f.ext = {OTHER(50), ROUTE(1)},
		 NOT_OURS("not_udp_tcp")},
		{"AH, then a later fragment", S, .f.ext = {OTHER(51), FRAG(FRAG_AT(5))},
		 NOT_OURS("not_udp_tcp")},
	};

	vector_table("ip6/routing header: ", t, ARRAY_SIZE(t));
}

/* A header of n octets more than the IP payload has, for every kind that has a length. */
static void does_not_fit(void)
{
	const struct vector t[] = {
		/* 8 octets of header, 40 of UDP: units up to 5 fit */
		{"destination options end with the packet", S, .f.ext = {DST_LIES(5)},
		 NOT_OURS("malformed_l4")},
		{"destination options one unit over the packet", S, .f.ext = {DST_LIES(6)},
		 NOT_OURS("malformed_ip")},
		{"hop-by-hop ends with the packet", S, .f.ext = {HBH_LIES(5)},
		 NOT_OURS("malformed_l4")},
		{"hop-by-hop one unit over the packet", S, .f.ext = {HBH_LIES(6)},
		 NOT_OURS("malformed_ip")},
		{"routing ends with the packet", S, .f.ext = {ROUTE_LIES(0, 5)},
		 NOT_OURS("malformed_l4")},
		{"routing one unit over the packet", S, .f.ext = {ROUTE_LIES(0, 6)},
		 NOT_OURS("malformed_ip")},
		{"destination options of 255 units", S, .f.ext = {DST_LIES(255)},
		 NOT_OURS("malformed_ip")},
		{"hop-by-hop of 255 units", S, .f.ext = {HBH_LIES(255)}, NOT_OURS("malformed_ip")},
		{"destination options over the packet, the frame has it", S, .f.ext = {DST_LIES(6)},
		 .f.trail = 100, NOT_OURS("malformed_ip")},
		{"second header over the packet", S, .f.ext = {HBH, DST_LIES(6)},
		 NOT_OURS("malformed_ip")},
		{"second header ends with the packet", S, .f.ext = {HBH, DST_LIES(5)},
		 NOT_OURS("malformed_l4")},
		{"then ICMPv6", S, .f.ext = {DST_LIES(6)}, .f.proto = OPT(58),
		 NOT_OURS("malformed_ip")},
		{"tcp, destination options over the packet", S, .f.l4 = TCP, .f.ext = {DST_LIES(7)},
		 NOT_OURS("malformed_ip")},
	};
	const struct {
		const char *name;
		struct ext ext;
		struct vector then; /* where the header fits and nothing follows */
	} kinds[] = {
		{"hop-by-hop", HBH, {NOT_OURS("malformed_l4")}},
		{"destination options", DST, {NOT_OURS("malformed_l4")}},
		{"routing", {.used = 1, .type = EXT_ROUTING}, {NOT_OURS("malformed_l4")}},
		{"atomic fragment", FRAG(0), {NOT_OURS("malformed_l4")}},
		{"later fragment", FRAG(FRAG_AT(5)), {NOT_OURS("later_fragment")}},
		{"first fragment", FRAG(FRAG_MORE), {NOT_OURS("malformed_l4")}},
	};

	vector_table("ip6/does not fit: ", t, ARRAY_SIZE(t));
	/* the header itself cut at every byte by the payload length; the frame goes on */
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (uint32_t at = 1; at <= 8; at++) {
			struct vector v = {S, .f.ext = {kinds[k].ext}, .f.ip_len = OPT(at),
					   NOT_OURS("malformed_ip")};

			if (at == 8)
				v.reason = kinds[k].then.reason;
			vector_add(&v, "ip6/does not fit: %s cut at %u of 8", kinds[k].name, at);
			v.f.ext[1] = v.f.ext[0];
			v.f.ext[0] = DST;
			v.f.ip_len = OPT(8 + at);
			vector_add(&v, "ip6/does not fit: second, %s cut at %u of 8", kinds[k].name,
				   at);
		}
}

static void protocols(void)
{
	/* 59 no next header; 135, 139, 140 mobility, HIP, shim6: neither UDP nor TCP, and not
	 * walked over */
	static const uint8_t protocols[] = {1,	2,   4,	  41,  46,  47,	 50,  51,  58,	59,  61, 89,
					    97, 103, 112, 115, 132, 135, 136, 139, 140, 254, 255};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		struct vector v = {S, .f.proto = OPT(protocols[i]), NOT_OURS("not_udp_tcp")};

		vector_add(&v, "ip6/next header %u", protocols[i]);
		v.f.ext[0] = HBH;
		vector_add(&v, "ip6/hop-by-hop, next header %u", protocols[i]);
	}

	const struct vector t[] = {
		{"AH, then UDP", S, .f.ext = {OTHER(51)}, NOT_OURS("not_udp_tcp")},
		{"mobility, then UDP", S, .f.ext = {OTHER(135)}, NOT_OURS("not_udp_tcp")},
		{"HIP, then TCP", S, .f.l4 = TCP, .f.ext = {OTHER(139)}, NOT_OURS("not_udp_tcp")},
		{"destination options, AH, then UDP", S, .f.ext = {DST, OTHER(51)},
		 NOT_OURS("not_udp_tcp")},
		{"ICMPv6, one byte", S, .f.proto = OPT(58), .f.keep = OPT(1),
		 NOT_OURS("not_udp_tcp")},
		{"no next header, bytes behind it", S, .f.proto = OPT(59), .f.ext = {DST},
		 NOT_OURS("not_udp_tcp")},
	};
	vector_table("ip6/", t, ARRAY_SIZE(t));
}

void vectors_ip6(void)
{
	versions();
	payload_lengths();
	padding();
	walked_over();
	too_many();
	fragments();
	order();
	does_not_fit();
	protocols();
}
