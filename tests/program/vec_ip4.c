/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows 2 to 5 over IPv4: version, header length, total length, options, fragments, protocols. */
#include "vectors.h"

#define S .set = set_base

static void versions(void)
{
	for (uint32_t version = 0; version < 16; version++) {
		struct vector v = {S, .f = {.version = OPT(version)}, NOT_OURS("malformed_ip")};

		if (version == 4)
			continue;
		vector_add(&v, "ip4/version %u", version);
	}
}

static void header_lengths(void)
{
	for (int l4 = UDP; l4 <= TCP; l4++) {
		const char *name = l4 ? "tcp" : "udp";

		/* below its smallest: malformed, whatever follows */
		for (uint32_t ihl = 0; ihl < 5; ihl++) {
			struct vector v = {S, .f = {.l4 = (enum l4)l4, .ihl_field = OPT(ihl)},
					   NOT_OURS("malformed_ip")};

			vector_add(&v, "ip4/%s IHL %u", name, ihl);
		}
		/* options are walked over */
		for (uint8_t ihl = 5; ihl <= 15; ihl++) {
			struct vector ok = {S, .f = {.l4 = (enum l4)l4, .ihl = ihl},
					    REWRITTEN("base", 6001)};
			struct vector drop = {S,
					      .f = {.l4 = (enum l4)l4, .ihl = ihl, .tag = "DROP"},
					      DROPPED("entity_drop", "base")};
			struct vector none = {
				S, .f = {.l4 = (enum l4)l4, .ihl = ihl, .dport = OPT(5001)},
				NOT_OURS("no_service")};
			struct vector shorter = {
				S, .f = {.l4 = (enum l4)l4, .ihl = ihl, .payload = OPT(1)},
				DROPPED("too_short", "base")};
			struct vector under = {
				S, .f = {.l4 = (enum l4)l4, .ihl = ihl, .ip_len = OPT(4 * ihl - 1)},
				NOT_OURS("malformed_ip")};
			struct vector bare = {
				S, .f = {.l4 = (enum l4)l4, .ihl = ihl, .ip_len = OPT(4 * ihl)},
				NOT_OURS("malformed_l4")};

			vector_add(&ok, "ip4/%s IHL %u", name, ihl);
			vector_add(&drop, "ip4/%s IHL %u, entity drop", name, ihl);
			vector_add(&none, "ip4/%s IHL %u, no service", name, ihl);
			vector_add(&shorter, "ip4/%s IHL %u, too short", name, ihl);
			vector_add(&under, "ip4/%s IHL %u, total length one under it", name, ihl);
			vector_add(&bare, "ip4/%s IHL %u, total length equal to it", name, ihl);
		}
	}

	const struct vector t[] = {
		{"IHL 15 over a packet of 59", S, .f = {.payload = OPT(31), .ihl_field = OPT(15)},
		 NOT_OURS("malformed_ip")},
		{"IHL 15 over a packet of 60 leaves no transport header", S,
		 .f = {.payload = OPT(32), .ihl_field = OPT(15)}, NOT_OURS("malformed_l4")},
		{"IHL 6 in a frame that ends one byte before", S,
		 .f = {.ihl = 6, .ip_len = OPT(23), .cut = OPT(14 + 23)}, NOT_OURS("malformed_ip")},
		{"IHL 15 in a frame of 20 header bytes, total length 20", S,
		 .f = {.ihl_field = OPT(15), .ip_len = OPT(20), .cut = OPT(14 + 20)},
		 NOT_OURS("malformed_ip")},
		{"IHL 15, total length 20, but the frame is long enough", S,
		 .f = {.ihl = 15, .ip_len = OPT(20)}, NOT_OURS("malformed_ip")},
		{"IHL 4, later fragment, not UDP: still malformed", S,
		 .f = {.ihl_field = OPT(4), .frag = OPT(1), .proto = OPT(1)},
		 NOT_OURS("malformed_ip")},
	};
	vector_table("ip4/", t, ARRAY_SIZE(t));
}

/* The packet is 20 + 8 + 32 bytes for UDP, 20 + 20 + 32 for TCP, and the frame has no more. */
static void total_lengths(void)
{
	for (int l4 = UDP; l4 <= TCP; l4++) {
		uint32_t whole = l4 == TCP ? 72 : 60;
		static const uint32_t under[] = {0, 1, 4, 8, 14, 18, 19};
		static const uint32_t over[] = {1, 2, 4, 14, 100, 1440, 65535 - 72};

		for (size_t i = 0; i < ARRAY_SIZE(under); i++) {
			struct vector v = {S, .f = {.l4 = (enum l4)l4, .ip_len = OPT(under[i])},
					   NOT_OURS("malformed_ip")};

			vector_add(&v, "ip4/%s total length %u", l4 ? "tcp" : "udp", under[i]);
		}
		for (size_t i = 0; i < ARRAY_SIZE(over); i++) {
			struct vector v = {S,
					   .f = {.l4 = (enum l4)l4, .ip_len = OPT(whole + over[i])},
					   NOT_OURS("malformed_ip")};

			vector_add(&v, "ip4/%s total length %u over the frame's",
				   l4 ? "tcp" : "udp", over[i]);
		}
	}

	const struct vector t[] = {
		{"udp total length one over, in a tagged frame", S,
		 .f = {.vlan = {0x88a8, 0x8100}, .ip_len = OPT(61)}, NOT_OURS("malformed_ip")},
		{"udp total length 65535", S, .f = {.ip_len = OPT(65535)},
		 NOT_OURS("malformed_ip")},
		{"udp total length 4096 over the frame's (one bit)", S,
		 .f = {.ip_len = OPT(60 + 4096)}, NOT_OURS("malformed_ip")},
		{"udp total length byte-swapped", S, .f = {.ip_len = OPT(60 << 8)},
		 NOT_OURS("malformed_ip")},
		{"udp total length over its header, one under the UDP length", S,
		 .f = {.ip_len = OPT(59)}, DROPPED("malformed_l4", "base")},
		{"udp total length over the UDP length, the frame has it", S,
		 .f = {.ip_len = OPT(64), .trail = 4}, REWRITTEN("base", 6001)},
		{"udp total length over the UDP length and the frame's", S,
		 .f = {.ip_len = OPT(65), .trail = 4}, NOT_OURS("malformed_ip")},
		{"tcp total length decides the payload: bytes behind it are not in it", S,
		 .f = {.l4 = TCP, .payload = OPT(1), .trail = 40}, DROPPED("too_short", "base")},
		{"malformed before not_udp_tcp", S, .f = {.proto = OPT(1), .ip_len = OPT(0)},
		 NOT_OURS("malformed_ip")},
		{"malformed before later_fragment", S, .f = {.frag = OPT(5), .ip_len = OPT(0)},
		 NOT_OURS("malformed_ip")},
		{"malformed before tcp_fragment", S,
		 .f = {.l4 = TCP, .frag = OPT(IP4_MF), .ip_len = OPT(19)},
		 NOT_OURS("malformed_ip")},
		{"malformed before no_service", S, .f = {.dport = OPT(9), .ip_len = OPT(61)},
		 NOT_OURS("malformed_ip")},
	};
	vector_table("ip4/", t, ARRAY_SIZE(t));
}

/* Frames are padded to 60 bytes and trail bytes: none of them is payload. */
static void padding(void)
{
	const struct vector t[] = {
		{"udp payload 4 padded to 60", S, .f = {.payload = OPT(4), .pad_to = 60},
		 REWRITTEN("base", 6001)},
		{"udp payload 17 padded to 60", S, .f = {.payload = OPT(17), .pad_to = 60},
		 REWRITTEN("base", 6001)},
		{"udp payload 4 in a frame of 64 with tag", S,
		 .f = {.vlan = {0x8100}, .payload = OPT(4), .pad_to = 64}, REWRITTEN("base", 6001)},
		{"tcp payload 4 padded to 60", S, .f = {.l4 = TCP, .payload = OPT(4), .pad_to = 60},
		 REWRITTEN("base", 6001)},
		{"udp payload 0 padded to 60", S, .f = {.payload = OPT(0), .pad_to = 60},
		 DROPPED("too_short", "base")},
		{"udp payload 1 padded to 60", S, .f = {.payload = OPT(1), .pad_to = 60},
		 DROPPED("too_short", "base")},
		{"udp payload 2 padded to 60", S, .f = {.payload = OPT(2), .pad_to = 60},
		 DROPPED("no_tag", "base")},
		{"udp payload 3 padded to 60", S, .f = {.payload = OPT(3), .pad_to = 60},
		 DROPPED("no_tag", "base")},
		{"tcp payload 0 padded to 60", S, .f = {.l4 = TCP, .payload = OPT(0), .pad_to = 60},
		 PASSED("no_payload", "base")},
		{"tcp payload 3 padded to 60", S, .f = {.l4 = TCP, .payload = OPT(3), .pad_to = 60},
		 DROPPED("no_tag", "base")},
		{"udp payload 64 with 1 trailing", S, .f = {.payload = OPT(64), .trail = 1},
		 REWRITTEN("base", 6001)},
		{"udp payload 64 with 4 trailing", S, .f = {.payload = OPT(64), .trail = 4},
		 REWRITTEN("base", 6001)},
		{"udp payload 33 with 3 trailing", S, .f = {.payload = OPT(33), .trail = 3},
		 REWRITTEN("base", 6001)},
		{"udp payload 32 with 1000 trailing", S, .f = {.trail = 1000},
		 REWRITTEN("base", 6001)},
		{"tcp payload 32 with 1000 trailing", S, .f = {.l4 = TCP, .trail = 1000},
		 REWRITTEN("base", 6001)},
		{"tcp payload 64 with 1 trailing", S,
		 .f = {.l4 = TCP, .payload = OPT(64), .trail = 1}, REWRITTEN("base", 6001)},
		{"udp payload 65 with 1 trailing", S, .f = {.payload = OPT(65), .trail = 1},
		 DROPPED("too_long", "base")},
		{"udp payload 0, the tag trails", S, .f = {.payload = OPT(0), .trail_text = "ABCD"},
		 DROPPED("too_short", "base")},
		{"udp payload 3, the tag's last byte trails", S,
		 .f = {.payload = OPT(3), .trail_text = "D"}, DROPPED("no_tag", "base")},
		{"udp payload 2, the tag's last two trail", S,
		 .f = {.payload = OPT(2), .trail_text = "CD"}, DROPPED("no_tag", "base")},
		{"tcp payload 0, the tag trails", S,
		 .f = {.l4 = TCP, .payload = OPT(0), .trail_text = "ABCD"},
		 PASSED("no_payload", "base")},
		{"tcp payload 3, the tag's last byte trails", S,
		 .f = {.l4 = TCP, .payload = OPT(3), .trail_text = "D"}, DROPPED("no_tag", "base")},
		{"udp entity window 16, payload 15 with 1 trailing", S,
		 .f = {.tag = "SIZE", .payload = OPT(15), .trail = 1},
		 DROPPED("too_short", "base")},
		{"udp entity window 32, payload 32 with 1 trailing", S,
		 .f = {.tag = "SIZE", .payload = OPT(32), .trail = 1}, REWRITTEN("base", 6002)},
	};

	vector_table("ip4/padding: ", t, ARRAY_SIZE(t));
}

/* Bits that decide nothing. */
static void not_judged(void)
{
	const struct vector t[] = {
		{"header checksum 0", S, .f = {.ip_csum = OPT(0)}, REWRITTEN("base", 6001)},
		{"header checksum ffff", S, .f = {.ip_csum = OPT(0xffff)}, REWRITTEN("base", 6001)},
		{"header checksum wrong, tcp", S, .f = {.l4 = TCP, .ip_csum = OPT(0xdead)},
		 REWRITTEN("base", 6001)},
		{"header checksum wrong, entity drop", S,
		 .f = {.tag = "DROP", .ip_csum = OPT(0xdead)}, DROPPED("entity_drop", "base")},
		{"TOS ff", S, .f = {.tos = OPT(0xff)}, REWRITTEN("base", 6001)},
		{"do not fragment", S, .f = {.frag = OPT(IP4_DF)}, REWRITTEN("base", 6001)},
		{"do not fragment, tcp", S, .f = {.l4 = TCP, .frag = OPT(IP4_DF)},
		 REWRITTEN("base", 6001)},
		{"the reserved flag", S, .f = {.frag = OPT(IP4_EVIL)}, REWRITTEN("base", 6001)},
		{"the reserved flag, tcp", S, .f = {.l4 = TCP, .frag = OPT(IP4_EVIL | IP4_DF)},
		 REWRITTEN("base", 6001)},
		{"to a multicast address", S, .f = {.dst = "239.1.2.3"}, REWRITTEN("base", 6001)},
		{"to the broadcast address", S, .f = {.dst = "255.255.255.255"},
		 REWRITTEN("base", 6001)},
		{"from 0.0.0.0", S, .f = {.src = "0.0.0.0"}, REWRITTEN("base", 6001)},
		{"source port 0", S, .f = {.sport = OPT(0)}, REWRITTEN("base", 6001)},
		{"source port 5000 does not make it ours", S,
		 .f = {.sport = OPT(5000), .dport = OPT(40000)}, NOT_OURS("no_service")},
		{"destination port 0", S, .f = {.dport = OPT(0)}, NOT_OURS("no_service")},
		{"destination port byte-swapped", S, .f = {.dport = OPT(0x8813)},
		 NOT_OURS("no_service")},
	};

	vector_table("ip4/not judged: ", t, ARRAY_SIZE(t));
}

static void fragments(void)
{
	static const uint32_t offsets[] = {1, 2, 8, 31, 32, 185, 255, 256, 0x1000, 0x1ffe, 0x1fff};
	static const struct {
		const char *name;
		uint32_t bits;
	} flags[] = {{"", 0}, {" MF", IP4_MF}, {" DF", IP4_DF}, {" evil", IP4_EVIL}};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		for (size_t j = 0; j < ARRAY_SIZE(flags); j++)
			for (int l4 = UDP; l4 <= TCP; l4++) {
				struct vector v = {S,
						   .f = {.l4 = (enum l4)l4,
							 .frag = OPT(offsets[i] | flags[j].bits)},
						   NOT_OURS("later_fragment")};

				vector_add(&v, "ip4/fragment at %u%s %s", offsets[i], flags[j].name,
					   l4 ? "tcp" : "udp");
			}

	const struct vector t[] = {
		/* row 3 before rows 4, 5 and 6 */
		{"later, of ICMP", S, .f = {.frag = OPT(3), .proto = OPT(1)},
		 NOT_OURS("later_fragment")},
		{"later, of ESP, more to come", S, .f = {.frag = OPT(3 | IP4_MF), .proto = OPT(50)},
		 NOT_OURS("later_fragment")},
		{"later, of two bytes", S, .f = {.frag = OPT(3), .keep = OPT(2)},
		 NOT_OURS("later_fragment")},
		{"later, empty", S, .f = {.frag = OPT(3), .keep = OPT(0)},
		 NOT_OURS("later_fragment")},
		{"later, UDP length 0", S, .f = {.frag = OPT(3), .udp_len = OPT(0)},
		 NOT_OURS("later_fragment")},
		{"later, data offset 0", S, .f = {.l4 = TCP, .frag = OPT(3), .doff_field = OPT(0)},
		 NOT_OURS("later_fragment")},
		{"later, with options", S, .f = {.frag = OPT(3), .ihl = 15},
		 NOT_OURS("later_fragment")},
		{"later, to a port of no service", S, .f = {.frag = OPT(3), .dport = OPT(9)},
		 NOT_OURS("later_fragment")},
		{"later, payload too long", S, .f = {.frag = OPT(3), .payload = OPT(65)},
		 NOT_OURS("later_fragment")},
		/* row 4 before rows 5 and 6 */
		{"first, of ICMP", S, .f = {.frag = OPT(IP4_MF), .proto = OPT(1)},
		 NOT_OURS("not_udp_tcp")},
		{"first, of SCTP", S, .f = {.frag = OPT(IP4_MF), .proto = OPT(132)},
		 NOT_OURS("not_udp_tcp")},
		/* row 5 before rows 6, 7 and 8 */
		{"first, of TCP", S, .f = {.l4 = TCP, .frag = OPT(IP4_MF)},
		 NOT_OURS("tcp_fragment")},
		{"first, of TCP, DF too", S, .f = {.l4 = TCP, .frag = OPT(IP4_MF | IP4_DF)},
		 NOT_OURS("tcp_fragment")},
		{"first, of TCP, with options", S, .f = {.l4 = TCP, .ihl = 7, .frag = OPT(IP4_MF)},
		 NOT_OURS("tcp_fragment")},
		{"first, of TCP, of 8 bytes", S,
		 .f = {.l4 = TCP, .frag = OPT(IP4_MF), .keep = OPT(8)}, NOT_OURS("tcp_fragment")},
		{"first, of TCP, empty", S, .f = {.l4 = TCP, .frag = OPT(IP4_MF), .keep = OPT(0)},
		 NOT_OURS("tcp_fragment")},
		{"first, of TCP, data offset 4", S,
		 .f = {.l4 = TCP, .frag = OPT(IP4_MF), .doff_field = OPT(4)},
		 NOT_OURS("tcp_fragment")},
		{"first, of TCP, to a port of no service", S,
		 .f = {.l4 = TCP, .frag = OPT(IP4_MF), .dport = OPT(9)}, NOT_OURS("tcp_fragment")},
		{"first, of TCP, without payload", S,
		 .f = {.l4 = TCP, .frag = OPT(IP4_MF), .payload = OPT(0)},
		 NOT_OURS("tcp_fragment")},
		{"first, of TCP, unknown tag", S,
		 .f = {.l4 = TCP, .frag = OPT(IP4_MF), .tag = "ZZZZ"}, NOT_OURS("tcp_fragment")},
	};
	vector_table("ip4/fragment ", t, ARRAY_SIZE(t));
}

static void protocols(void)
{
	/* 0, 43, 44, 59, 60: extension headers of IPv6 are none in IPv4 */
	static const uint8_t protocols[] = {0,	1,   2,	  4,   5,   7,	 8,   16,  18, 33,
					    41, 43,  44,  46,  47,  50,	 51,  58,  59, 60,
					    89, 103, 112, 115, 132, 136, 137, 254, 255};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		struct vector v = {S, .f = {.proto = OPT(protocols[i])}, NOT_OURS("not_udp_tcp")};

		vector_add(&v, "ip4/protocol %u", protocols[i]);
	}

	const struct vector t[] = {
		{"ICMP, empty", S, .f = {.proto = OPT(1), .keep = OPT(0)}, NOT_OURS("not_udp_tcp")},
		{"SCTP, 4 bytes", S, .f = {.proto = OPT(132), .keep = OPT(4)},
		 NOT_OURS("not_udp_tcp")},
		{"UDP-Lite, coverage 0", S, .f = {.proto = OPT(136), .udp_len = OPT(0)},
		 NOT_OURS("not_udp_tcp")},
		{"UDP-Lite, to a port of no service", S, .f = {.proto = OPT(136), .dport = OPT(9)},
		 NOT_OURS("not_udp_tcp")},
		{"ESP behind options and two tags", S,
		 .f = {.vlan = {0x88a8, 0x8100}, .ihl = 8, .proto = OPT(50)},
		 NOT_OURS("not_udp_tcp")},
	};
	vector_table("ip4/", t, ARRAY_SIZE(t));
}

void vectors_ip4(void)
{
	versions();
	header_lengths();
	total_lengths();
	padding();
	not_judged();
	fragments();
	protocols();
}
