/* SPDX-License-Identifier: GPL-2.0-only */
/* Row 6 and row 8: UDP and TCP headers, segments cut at every byte, first fragments. */
#include <stdio.h>
#include <string.h>

#include "vectors.h"

/* Who decides about a packet that is malformed: the service's policy, where there is a service. */
static const struct owner {
	const char *name, *set;
	struct opt dport;
	const char *verdict, *service;
} owners[] = {
	{"invalid drop", set_base, {0}, "dropped", "base"},
	{"invalid pass", set_pass, {0}, "passed", "base"},
	{"no service", set_base, {1, 5001}, "passed", 0},
};

/* Adds v as malformed_l4, once for each owner. */
static void malformed(struct vector v, int ports_read, const char *name)
{
	v.reason = "malformed_l4";
	for (size_t o = 0; o < ARRAY_SIZE(owners); o++) {
		v.set = owners[o].set;
		v.verdict = ports_read ? owners[o].verdict : "passed";
		v.service = ports_read ? owners[o].service : 0;
		v.f.dport = owners[o].dport;
		vector_add(&v, "l4/v%d %s, %s", v.f.ip, name, owners[o].name);
	}
}

static const char *naming(const char *fmt, unsigned n) __attribute__((format(printf, 1, 0)));
static const char *naming(const char *fmt, unsigned n)
{
	static char text[80];

	snprintf(text, sizeof(text), fmt, n);
	return text;
}

/* The IP packet ends after every byte of the segment, and says so. Four bytes hold both ports. */
static void cut_segments(int ip)
{
	/* IPv6 says payload length 0 of a packet that ends before the segment: row 2, not row 6 */
	for (uint32_t kept = ip == 6; kept < 8 + 4; kept++) {
		struct vector v = {.f = {.ip = (uint8_t)ip, .payload = OPT(4), .keep = OPT(kept)}};

		malformed(v, kept >= 4, naming("udp of 12 bytes ends after %u", kept));
	}
	for (uint32_t kept = ip == 6; kept < 20; kept++) {
		struct vector v = {
			.f = {.ip = (uint8_t)ip, .l4 = TCP, .payload = OPT(4), .keep = OPT(kept)}};

		malformed(v, kept >= 4, naming("tcp of 24 bytes ends after %u", kept));
	}
	/* what is behind the IP packet would make the port whole */
	for (int l4 = UDP; l4 <= TCP; l4++) {
		struct vector v = {.f = {.ip = (uint8_t)ip,
					 .l4 = (enum l4)l4,
					 .payload = OPT(4),
					 .keep = OPT(3),
					 .trail_text = "\x88"}};

		malformed(v, 0,
			  l4 ? "tcp ends in the port, its last byte behind"
			     : "udp ends in the port, its last byte behind");
	}
	for (uint32_t kept = 20; kept < 24; kept++) {
		struct vector v = {.f = {.ip = (uint8_t)ip,
					 .l4 = TCP,
					 .doff = 6,
					 .payload = OPT(4),
					 .keep = OPT(kept)}};

		malformed(v, 1, naming("tcp with 4 bytes of options ends after %u", kept));
	}

	const struct vector t[] = {
		{"tcp of 24 bytes ends after 20", .f.keep = OPT(20), PASSED("no_payload", "base")},
		{"tcp of 24 bytes ends after 21", .f.keep = OPT(21), DROPPED("too_short", "base")},
		{"tcp of 24 bytes ends after 22", .f.keep = OPT(22), DROPPED("no_tag", "base")},
		{"tcp of 24 bytes ends after 23", .f.keep = OPT(23), DROPPED("no_tag", "base")},
		{"tcp of 24 bytes whole", REWRITTEN("base", 6001)},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct vector v = t[i];

		v.set = set_base;
		v.f.ip = (uint8_t)ip;
		v.f.l4 = TCP;
		v.f.payload = OPT(4);
		vector_add(&v, "l4/v%d %s", ip, v.name);
	}
	/* behind a header that is not cut, the IPv6 segment may be empty too */
	if (ip == 6)
		for (uint32_t kept = 0; kept < 8; kept++) {
			struct vector v = {
				.f = {.ip = 6, .ext = {DST}, .payload = OPT(4), .keep = OPT(kept)}};

			malformed(v, kept >= 4,
				  naming("destination options, udp ends after %u", kept));
		}
}

/* The UDP length, over an IP payload of 40 bytes. */
static void udp_lengths(int ip)
{
	static const uint32_t over[] = {41, 42, 48, 60, 74, 1500, 0x2800, 65535};

	for (uint32_t len = 0; len < 8; len++) {
		struct vector v = {.f = {.ip = (uint8_t)ip, .udp_len = OPT(len)}};

		malformed(v, 1, naming("UDP length %u", len));
	}
	for (size_t i = 0; i < ARRAY_SIZE(over); i++) {
		struct vector v = {.f = {.ip = (uint8_t)ip, .udp_len = OPT(over[i])}};

		malformed(v, 1, naming("UDP length %u over 40", over[i]));
		v.f.trail = 100; /* bytes behind the IP packet do not make it fit */
		malformed(v, 1, naming("UDP length %u over 40, the frame has more", over[i]));
	}
	/* shorter than the IP payload is valid, and is the payload's size */
	for (uint32_t len = 8; len <= 40; len++) {
		struct vector v = {.set = set_base,
				   .f = {.ip = (uint8_t)ip, .udp_len = OPT(len)},
				   REWRITTEN("base", 6001)};
		struct vector none = {
			.set = set_base,
			.f = {.ip = (uint8_t)ip, .udp_len = OPT(len), .dport = OPT(9)},
			NOT_OURS("no_service")};

		if (len < 8 + 4) {
			v.reason = len < 8 + 2 ? "too_short" : "no_tag";
			v.verdict = "dropped";
			v.port = 0;
		}
		vector_add(&v, "l4/v%d UDP length %u of 40", ip, len);
		vector_add(&none, "l4/v%d UDP length %u of 40, no service", ip, len);
	}

	const struct vector t[] = {
		{"UDP length 72 of 108", .f = {.payload = OPT(100), .udp_len = OPT(72)},
		 REWRITTEN("base", 6001)},
		{"UDP length 73 of 108", .f = {.payload = OPT(100), .udp_len = OPT(73)},
		 DROPPED("too_long", "base")},
		{"UDP length 40 of 108, entity window to 32",
		 .f = {.payload = OPT(100), .udp_len = OPT(40), .tag = "SIZE"},
		 REWRITTEN("base", 6002)},
		{"UDP length 41 of 108, entity window to 32",
		 .f = {.payload = OPT(100), .udp_len = OPT(41), .tag = "SIZE"},
		 DROPPED("too_long", "base")},
		{"UDP length 23 of 108, entity window from 16",
		 .f = {.payload = OPT(100), .udp_len = OPT(23), .tag = "SIZE"},
		 DROPPED("too_short", "base")},
		{"UDP length 40 of 108, entity drop",
		 .f = {.payload = OPT(100), .udp_len = OPT(40), .tag = "DROP"},
		 DROPPED("entity_drop", "base")},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct vector v = t[i];

		v.set = set_base;
		v.f.ip = (uint8_t)ip;
		vector_add(&v, "l4/v%d %s", ip, v.name);
	}
}

/* The data offset, over a segment of 20 + 32 bytes. */
static void data_offsets(int ip)
{
	for (uint32_t doff = 0; doff < 5; doff++) {
		struct vector v = {.f = {.ip = (uint8_t)ip, .l4 = TCP, .doff_field = OPT(doff)}};

		malformed(v, 1, naming("data offset %u", doff));
	}
	for (uint32_t doff = 14; doff < 16; doff++) {
		struct vector v = {.f = {.ip = (uint8_t)ip, .l4 = TCP, .doff_field = OPT(doff)}};

		malformed(v, 1, naming("data offset %u in a segment of 52", doff));
		v.f.trail = 100;
		malformed(v, 1,
			  naming("data offset %u in a segment of 52, the frame has more", doff));
	}
	for (uint32_t doff = 6; doff < 14; doff++) {
		struct vector v = {.set = set_base,
				   .f = {.ip = (uint8_t)ip, .l4 = TCP, .doff_field = OPT(doff)},
				   DROPPED("unknown_tag", "base")};

		/* what the offset takes away is header, and with 13 nothing is left */
		if (doff == 13) {
			v.reason = "no_payload";
			v.verdict = "passed";
		}
		vector_add(&v, "l4/v%d data offset %u leaves %u of 32", ip, doff, 52 - 4 * doff);
	}
	for (uint8_t doff = 5; doff <= 15; doff++) {
		struct vector v = {.set = set_base,
				   .f = {.ip = (uint8_t)ip, .l4 = TCP, .doff = doff},
				   REWRITTEN("base", 6001)};
		struct vector drop = {
			.set = set_base,
			.f = {.ip = (uint8_t)ip, .l4 = TCP, .doff = doff, .tag = "DROP"},
			DROPPED("entity_drop", "base")};
		struct vector none = {
			.set = set_base,
			.f = {.ip = (uint8_t)ip, .l4 = TCP, .doff = doff, .payload = OPT(0)},
			PASSED("no_payload", "base")};
		struct vector small = {
			.set = set_base,
			.f = {.ip = (uint8_t)ip, .l4 = TCP, .doff = doff, .payload = OPT(1)},
			DROPPED("too_short", "base")};

		vector_add(&v, "l4/v%d %d bytes of TCP options", ip, 4 * (doff - 5));
		vector_add(&drop, "l4/v%d %d bytes of TCP options, entity drop", ip,
			   4 * (doff - 5));
		vector_add(&none, "l4/v%d %d bytes of TCP options, no payload", ip, 4 * (doff - 5));
		vector_add(&small, "l4/v%d %d bytes of TCP options, too short", ip, 4 * (doff - 5));
	}
}

/* Segments without payload pass whatever the policy says, and flags decide nothing else. */
static void tcp_flags(int ip)
{
	static const struct {
		const char *name;
		uint8_t bits;
	} flags[] = {
		{"SYN", FLAG_SYN},   {"SYN ACK", FLAG_SYN | FLAG_ACK},
		{"ACK", FLAG_ACK},   {"FIN ACK", FLAG_FIN | FLAG_ACK},
		{"RST", FLAG_RST},   {"RST ACK", FLAG_RST | FLAG_ACK},
		{"no flag", 0},	     {"ECN SYN", 0xc0 | FLAG_SYN},
		{"all flags", 0xff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct vector v = {.set = set_base,
				   .f = {.ip = (uint8_t)ip,
					 .l4 = TCP,
					 .payload = OPT(0),
					 .flags = OPT(flags[i].bits)},
				   PASSED("no_payload", "base")};

		vector_add(&v, "l4/v%d no payload, %s", ip, flags[i].name);
		v.f.dport = OPT(9);
		v.reason = "no_service";
		v.service = NULL;
		vector_add(&v, "l4/v%d no payload, %s, no service", ip, flags[i].name);
		if (flags[i].bits & FLAG_SYN)
			continue; /* what a SYN with payload is, the manual does not say */
		v = (struct vector){
			.set = set_base,
			.f = {.ip = (uint8_t)ip, .l4 = TCP, .flags = OPT(flags[i].bits)},
			REWRITTEN("base", 6001)};
		vector_add(&v, "l4/v%d payload, %s", ip, flags[i].name);
	}
}

/* A datagram of payload bytes, of which the first fragment has so many (UDP header included). */
static void first_fragments(int ip)
{
	const struct vector t[] = {
		{"24 of 68", .f = {.payload = OPT(60), .keep = OPT(24)}, REWRITTEN("base", 6001)},
		{"24 of 67", .f = {.payload = OPT(59), .keep = OPT(24)}, REWRITTEN("base", 6001)},
		{"the tag is the fragment's end", .f = {.payload = OPT(60), .keep = OPT(12)},
		 REWRITTEN("base", 6001)},
		{"the tag's last byte is in the next", .f = {.payload = OPT(60), .keep = OPT(11)},
		 DROPPED("no_tag", "base")},
		{"two bytes of the tag", .f = {.payload = OPT(60), .keep = OPT(10)},
		 DROPPED("no_tag", "base")},
		{"one byte of the tag", .f = {.payload = OPT(60), .keep = OPT(9)},
		 DROPPED("no_tag", "base")},
		{"the UDP header alone", .f = {.payload = OPT(60), .keep = OPT(8)},
		 DROPPED("no_tag", "base")},
		{"the UDP header alone, the tag trails",
		 .f = {.payload = OPT(60), .keep = OPT(8), .trail_text = "ABCD"},
		 DROPPED("no_tag", "base")},
		{"two bytes of the tag, two trail",
		 .f = {.payload = OPT(60), .keep = OPT(10), .trail_text = "CD"},
		 DROPPED("no_tag", "base")},
		{"the whole datagram, more announced", .f = {.payload = OPT(32)},
		 REWRITTEN("base", 6001)},
		{"the datagram is 64", .f = {.payload = OPT(64), .keep = OPT(24)},
		 REWRITTEN("base", 6001)},
		{"the datagram is 65", .f = {.payload = OPT(65), .keep = OPT(24)},
		 DROPPED("too_long", "base")},
		{"the datagram is 1400", .f = {.payload = OPT(1400), .keep = OPT(24)},
		 DROPPED("too_long", "base")},
		{"the datagram is 65507", .f = {.payload = OPT(65507), .keep = OPT(1480)},
		 DROPPED("too_long", "base")},
		{"UDP length 65535",
		 .f = {.payload = OPT(60), .keep = OPT(24), .udp_len = OPT(65535)},
		 DROPPED("too_long", "base")},
		{"the datagram is 2", .f = {.payload = OPT(2), .keep = OPT(10)},
		 DROPPED("no_tag", "base")},
		{"the datagram is 1", .f = {.payload = OPT(1), .keep = OPT(9)},
		 DROPPED("too_short", "base")},
		{"the datagram is 1, in the next", .f = {.payload = OPT(1), .keep = OPT(8)},
		 DROPPED("too_short", "base")},
		{"the datagram is 0", .f = {.payload = OPT(0)}, DROPPED("too_short", "base")},
		{"UDP length 12, 40 there", .f = {.udp_len = OPT(12)}, REWRITTEN("base", 6001)},
		{"UDP length 11, 40 there", .f = {.udp_len = OPT(11)}, DROPPED("no_tag", "base")},
		{"UDP length 9, 40 there", .f = {.udp_len = OPT(9)}, DROPPED("too_short", "base")},
		{"UDP length 8, 40 there", .f = {.udp_len = OPT(8)}, DROPPED("too_short", "base")},
		{"unknown tag", .f = {.payload = OPT(60), .keep = OPT(24), .tag = "ZZZZ"},
		 DROPPED("unknown_tag", "base")},
		{"entity drop", .f = {.payload = OPT(60), .keep = OPT(24), .tag = "DROP"},
		 DROPPED("entity_drop", "base")},
		{"entity pass", .f = {.payload = OPT(60), .keep = OPT(24), .tag = "PASS"},
		 PASSED("entity_pass", "base")},
		{"entity window, the datagram is 32",
		 .f = {.payload = OPT(32), .keep = OPT(16), .tag = "SIZE"},
		 REWRITTEN("base", 6002)},
		{"entity window, the datagram is 33",
		 .f = {.payload = OPT(33), .keep = OPT(16), .tag = "SIZE"},
		 DROPPED("too_long", "base")},
		{"entity window, the datagram is 16",
		 .f = {.payload = OPT(16), .keep = OPT(16), .tag = "SIZE"},
		 REWRITTEN("base", 6002)},
		{"entity window, the datagram is 15",
		 .f = {.payload = OPT(15), .keep = OPT(16), .tag = "SIZE"},
		 DROPPED("too_short", "base")},
		{"no service", .f = {.payload = OPT(60), .keep = OPT(24), .dport = OPT(9)},
		 NOT_OURS("no_service")},
		{"without a checksum",
		 .f = {.payload = OPT(60), .keep = OPT(24), .csum = CSUM_FIELD},
		 REWRITTEN("base", 6001), .port_only = 1},
		{"with a wrong checksum",
		 .f = {.payload = OPT(60),
		       .keep = OPT(24),
		       .csum = CSUM_OFF_BY,
		       .csum_arg = 0x1357},
		 REWRITTEN("base", 6001)},
		{"two VLAN tags",
		 .f = {.vlan = {0x88a8, 0x8100}, .payload = OPT(60), .keep = OPT(24)},
		 REWRITTEN("base", 6001)},
		{"two VLAN tags, no tag",
		 .f = {.vlan = {0x88a8, 0x8100}, .payload = OPT(60), .keep = OPT(8)},
		 DROPPED("no_tag", "base")},
		{"payload padded to 60", .f = {.payload = OPT(60), .keep = OPT(12), .pad_to = 60},
		 REWRITTEN("base", 6001)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct vector v = t[i];

		v.set = set_base;
		v.f.ip = (uint8_t)ip;
		v.f.frag = OPT(IP4_MF);
		v.f.ext[0] = FRAG(FRAG_MORE);
		vector_add(&v, "l4/v%d first fragment: %s", ip, v.name);
		if (!strcmp(v.verdict, "dropped") && strcmp(v.reason, "entity_drop")) {
			v.set = set_pass;
			v.verdict = "passed";
			vector_add(&v, "l4/v%d first fragment: %s, policy pass", ip, v.name);
		}
	}
	for (uint32_t kept = 0; kept < 8; kept++) {
		struct vector v = {.f = {.ip = (uint8_t)ip,
					 .frag = OPT(IP4_MF),
					 .ext = {FRAG(FRAG_MORE)},
					 .payload = OPT(60),
					 .keep = OPT(kept)}};

		malformed(v, kept >= 4, naming("first fragment: %u bytes of the UDP header", kept));
		v.f.trail = 16; /* what is behind the IP packet is none of it */
		malformed(
			v, kept >= 4,
			naming("first fragment: %u bytes of the UDP header, others behind", kept));
	}
	for (uint32_t len = 0; len < 8; len++) {
		struct vector v = {.f = {.ip = (uint8_t)ip,
					 .frag = OPT(IP4_MF),
					 .ext = {FRAG(FRAG_MORE)},
					 .payload = OPT(60),
					 .keep = OPT(24),
					 .udp_len = OPT(len)}};

		malformed(v, 1, naming("first fragment: UDP length %u", len));
	}
}

/* Row 6 before rows 8 to 14: what is malformed is never judged by its size or tag. */
static void order(void)
{
	const struct vector t[] = {
		{"data offset 4 before no_payload", set_base,
		 .f = {.l4 = TCP, .payload = OPT(0), .doff_field = OPT(4)},
		 DROPPED("malformed_l4", "base")},
		{"data offset 6 of 20 bytes before no_payload", set_base,
		 .f = {.l4 = TCP, .payload = OPT(0), .doff_field = OPT(6)},
		 DROPPED("malformed_l4", "base")},
		{"UDP length over before too_long", set_base,
		 .f = {.payload = OPT(100), .udp_len = OPT(200)}, DROPPED("malformed_l4", "base")},
		{"UDP length under 8 before too_short", set_base,
		 .f = {.payload = OPT(0), .udp_len = OPT(7)}, DROPPED("malformed_l4", "base")},
		{"UDP length over before unknown_tag", set_base,
		 .f = {.tag = "ZZZZ", .udp_len = OPT(41)}, DROPPED("malformed_l4", "base")},
		{"UDP length over before entity_pass", set_base,
		 .f = {.tag = "PASS", .udp_len = OPT(41)}, DROPPED("malformed_l4", "base")},
		{"UDP length over before entity_drop", set_pass,
		 .f = {.tag = "DROP", .udp_len = OPT(41)}, PASSED("malformed_l4", "base")},
		{"data offset 15 before entity_drop", set_pass,
		 .f = {.l4 = TCP, .tag = "DROP", .doff_field = OPT(15)},
		 PASSED("malformed_l4", "base")},
		{"malformed, to port 0", set_base, .f = {.dport = OPT(0), .udp_len = OPT(41)},
		 NOT_OURS("malformed_l4")},
		{"malformed, from port 5000", set_base,
		 .f = {.sport = OPT(5000), .dport = OPT(9), .udp_len = OPT(41)},
		 NOT_OURS("malformed_l4")},
	};

	vector_table46("l4/order: ", t, ARRAY_SIZE(t));
}

void vectors_l4(void)
{
	for (int ip = 4; ip <= 6; ip += 2) {
		cut_segments(ip);
		udp_lengths(ip);
		data_offsets(ip);
		tcp_flags(ip);
		first_fragments(ip);
	}
	order();
}
