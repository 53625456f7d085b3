/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames larger than one buffer. BPF_PROG_RUN puts about 3,520 bytes into the linear part (a page
 * of 4 KiB less headroom and skb_shared_info) and a page into each part after it, so that parts
 * meet at about 3,520 and 7,616: sweeps go over both by single bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

#define SERVICE(name, port, offset, length, tag, target) \
	"  - name: " name "\n" \
	"    protocol: any\n" \
	"    ports: [" port "]\n" \
	"    tag: { offset: " offset ", length: " length " }\n" \
	"    size: { min: 4, max: 65507 }\n" \
	"    invalid: drop\n" \
	"    unknown: drop\n" \
	"    tcp: segment\n" \
	"    entities:\n" \
	"      - { tag: \"" tag "\", target: " target " }\n"

#define TAG16 "Q#7xK!2vZ@9pM&5w"

static const char set[] = "version: 1\n"
			  "services:\n" /* the first service's table goes on at the end */
	SERVICE("first-part", "5001", "3462", "16", TAG16, "6001") SERVICE(
		"second-part", "5002", "7558", "16", TAG16,
		"6002") SERVICE("last16", "5003", "-16", "16", TAG16,
				"6003") SERVICE("last4", "5004", "-4", "4", "ABCD",
						"6004") SERVICE("last1", "5005", "-1", "1", "Q",
								"6005") SERVICE("from-end", "5006",
										"-5000", "8",
										"8OCTETS!", "6006")
		SERVICE("third", "5007", "8000", "8", "8OCTETS!", "6007") SERVICE(
			"middle", "5008", "5000", "3", "MID",
			"6008") "  - name: front\n"
				"    protocol: any\n"
				"    ports: [5000]\n"
				"    tag: { offset: 0, length: 4 }\n"
				"    size: { min: 4, max: 9000 }\n"
				"    invalid: drop\n"
				"    unknown: drop\n"
				"    tcp: segment\n"
				"    entities:\n"
				"      - { tag: \"ABCD\", target: 6000 }\n"
				"      - { tag: \"SAME\", target: 5000 }\n"
				"      - { tag: \"DROP\", target: drop }\n"
				"      - { tag: \"PASS\", target: pass }\n"
				"      - { tag: \"SIZE\", target: 6009, size: { min: 8000, max: 8100 } }\n";

static const struct transport {
	const char *name;
	uint8_t ip;
	enum l4 l4;
	uint32_t headers;
} transports[] = {{"v4 udp", 4, UDP, 42},
		  {"v4 tcp", 4, TCP, 54},
		  {"v6 udp", 6, UDP, 62},
		  {"v6 tcp", 6, TCP, 74}};

/* The tag at the end of frames of every length around the places where parts meet. */
static void sweep_ends(void)
{
	static const struct {
		const char *service, *tag, *other; /* other: the last byte differs */
		uint16_t port, target;
		uint32_t around; /* bytes to either side */
	} s[] = {
		{"last16", TAG16, "Q#7xK!2vZ@9pM&5v", 5003, 6003, 20},
		{"last4", "ABCD", "ABCE", 5004, 6004, 8},
		{"last1", "Q", "R", 5005, 6005, 4},
	};
	static const uint32_t meet[] = {3520, 7616};

	for (size_t k = 0; k < ARRAY_SIZE(transports); k++)
		for (size_t i = 0; i < ARRAY_SIZE(s); i++)
			for (size_t m = 0; m < ARRAY_SIZE(meet); m++)
				for (uint32_t len = meet[m] - s[i].around;
				     len <= meet[m] + s[i].around; len++) {
					struct vector v = {.set = set,
							   REWRITTEN(s[i].service, s[i].target)};

					v.f.ip = transports[k].ip;
					v.f.l4 = transports[k].l4;
					v.f.dport = OPT(s[i].port);
					v.f.payload = OPT(len - transports[k].headers);
					v.f.tag = s[i].tag;
					v.f.at = OPT(-(int)strlen(s[i].tag));
					vector_add(&v, "jumbo/%s %s, frame of %u",
						   transports[k].name, s[i].service, len);
					v.f.tag = s[i].other;
					v.reason = "unknown_tag";
					v.verdict = "dropped";
					v.port = 0;
					vector_add(&v,
						   "jumbo/%s %s, frame of %u, last byte unknown",
						   transports[k].name, s[i].service, len);
				}
}

/* A tag at a fixed offset, pushed over the place by IPv4 options, VLAN tags and longer headers. */
static void sweep_headers(void)
{
	static const struct {
		const char *service;
		uint16_t port, target;
		uint32_t at;
	} s[] = {{"first-part", 5001, 6001, 3462}, {"second-part", 5002, 6002, 7558}};
	static const char *const wrong[] = {"Z#7xK!2vZ@9pM&5w", "Q#7xK!2vz@9pM&5w",
					    "Q#7xK!2vZ@9pM&5W"};

	for (size_t i = 0; i < ARRAY_SIZE(s); i++)
		for (int l4 = UDP; l4 <= TCP; l4++)
			for (unsigned tags = 0; tags < 3; tags++)
				for (uint8_t ihl = 5; ihl <= 11; ihl++) {
					struct vector v = {.set = set,
							   REWRITTEN(s[i].service, s[i].target)};

					v.f.l4 = (enum l4)l4;
					v.f.ihl = ihl;
					for (unsigned t = 0; t < tags; t++)
						v.f.vlan[t] = 0x8100;
					v.f.dport = OPT(s[i].port);
					v.f.payload = OPT(s[i].at + 300);
					v.f.tag = TAG16;
					v.f.at = OPT(s[i].at);
					vector_add(&v, "jumbo/%s, %s, IHL %u, %u VLAN tags",
						   s[i].service, l4 ? "tcp" : "udp", ihl, tags);
					v.f.tag = wrong[ihl % 3];
					v.reason = "unknown_tag";
					v.verdict = "dropped";
					v.port = 0;
					vector_add(&v,
						   "jumbo/%s, %s, IHL %u, %u VLAN tags, unknown",
						   s[i].service, l4 ? "tcp" : "udp", ihl, tags);
					v.f.tag = TAG16;
					v.f.payload = OPT(s[i].at + 15);
					v.reason = "no_tag";
					vector_add(
						&v,
						"jumbo/%s, %s, IHL %u, %u VLAN tags, one byte missing",
						s[i].service, l4 ? "tcp" : "udp", ihl, tags);
				}
}

static void checksums(void)
{
	static const uint32_t payloads[] = {3470, 3477, 3478, 3479, 3480,
					    7573, 7574, 7575, 8900, 8901};
	static const struct {
		const char *name;
		struct frame f;
		int port_only, udp_only;
	} kinds[] = {
		{"good", {.ip = 0}, 0, 0},
		{"wrong by 1", {.csum = CSUM_OFF_BY, .csum_arg = 1}, 0, 0},
		{"wrong by 0x1357", {.csum = CSUM_OFF_BY, .csum_arg = 0x1357}, 0, 0},
		{"none", {.csum = CSUM_FIELD}, 1, 1},
		{"partial", {.csum = CSUM_PSEUDO}, 1, 0},
		{"one over partial", {.csum = CSUM_PSEUDO, .csum_arg = 1}, 0, 0},
		{"verifies by chance",
		 {.csum = CSUM_PSEUDO, .fix = {.used = 1, .at = 3400, .pseudo = 1, .port = 5000}},
		 0,
		 0},
		{"partial, one over verifying",
		 {.csum = CSUM_PSEUDO,
		  .fix = {.used = 1, .at = 3400, .pseudo = 1, .port = 5000, .value = 1}},
		 1,
		 0},
		{"verifies by chance, 100 bytes trail",
		 {.trail = 100,
		  .csum = CSUM_PSEUDO,
		  .fix = {.used = 1, .at = 3468, .pseudo = 1, .port = 5000}},
		 0,
		 0},
		{"partial, bytes trail", {.trail = 101, .csum = CSUM_PSEUDO}, 1, 0},
		{"result 0", {.fix = {.used = 1, .at = 3460, .port = 6000}}, 0, 0},
		{"arrives with sum 0", {.fix = {.used = 1, .at = 3460, .port = 5000}}, 0, 0},
	};

	for (size_t k = 0; k < ARRAY_SIZE(transports); k++)
		for (size_t c = 0; c < ARRAY_SIZE(kinds); c++)
			for (size_t p = 0; p < ARRAY_SIZE(payloads); p++) {
				struct vector v = {
					.set = set, .f = kinds[c].f, REWRITTEN("front", 6000)};

				if (kinds[c].udp_only && transports[k].l4 != UDP)
					continue;
				v.f.ip = transports[k].ip;
				v.f.l4 = transports[k].l4;
				v.f.payload = OPT(payloads[p]);
				v.port_only = (uint8_t)kinds[c].port_only;
				vector_add(&v, "jumbo/%s %s, payload %u", transports[k].name,
					   kinds[c].name, payloads[p]);
				v.f.tag = "else";
				v.reason = "unknown_tag";
				v.verdict = "dropped";
				v.port = v.port_only = 0;
				vector_add(&v, "jumbo/%s %s, payload %u, unknown tag",
					   transports[k].name, kinds[c].name, payloads[p]);
			}
}

/* Every row has a jumbo frame. */
static void rows(void)
{
#define BIG .payload = OPT(8900)
	const struct vector t[] = {
		{"front", set, .f = {BIG}, REWRITTEN("front", 6000)},
		{"front, tcp", set, .f = {.l4 = TCP, BIG}, REWRITTEN("front", 6000)},
		{"front, the largest frame", set, .f.payload = OPT(9000), REWRITTEN("front", 6000)},
		{"front, same port", set, .f = {.tag = "SAME", BIG}, REWRITTEN("front", 5000)},
		{"front, same port, tcp, partial", set,
		 .f = {.l4 = TCP, .tag = "SAME", BIG, .csum = CSUM_PSEUDO},
		 REWRITTEN("front", 5000)},
		{"two VLAN tags", set, .f = {.vlan = {0x88a8, 0x8100}, BIG},
		 REWRITTEN("front", 6000)},
		{"middle", set, .f = {.dport = OPT(5008), .tag = "MID", .at = OPT(5000), BIG},
		 REWRITTEN("middle", 6008)},
		{"middle, the payload just holds it", set,
		 .f = {.dport = OPT(5008), .tag = "MID", .at = OPT(5000), .payload = OPT(5003)},
		 REWRITTEN("middle", 6008)},
		{"middle, one byte missing", set,
		 .f = {.dport = OPT(5008), .tag = "MID", .at = OPT(5000), .payload = OPT(5002)},
		 DROPPED("no_tag", "middle")},
		{"middle, one byte missing, it trails", set,
		 .f = {.dport = OPT(5008),
		       .tag = "MID",
		       .at = OPT(5000),
		       .payload = OPT(5002),
		       .trail_text = "D"},
		 DROPPED("no_tag", "middle")},
		{"middle, one beside", set,
		 .f = {.dport = OPT(5008), .tag = "MID", .at = OPT(5001), BIG},
		 DROPPED("unknown_tag", "middle")},
		{"third", set, .f = {.dport = OPT(5007), .tag = "8OCTETS!", .at = OPT(8000), BIG},
		 REWRITTEN("third", 6007)},
		{"third, the payload just holds it", set,
		 .f = {.dport = OPT(5007),
		       .tag = "8OCTETS!",
		       .at = OPT(8000),
		       .payload = OPT(8008)},
		 REWRITTEN("third", 6007)},
		{"third, one byte missing", set,
		 .f = {.dport = OPT(5007),
		       .tag = "8OCTETS!",
		       .at = OPT(8000),
		       .payload = OPT(8007)},
		 DROPPED("no_tag", "third")},
		{"third, all missing", set,
		 .f = {.dport = OPT(5007),
		       .tag = "8OCTETS!",
		       .at = OPT(7992),
		       .payload = OPT(8000)},
		 DROPPED("no_tag", "third")},
		{"third, first byte unknown", set,
		 .f = {.dport = OPT(5007), .tag = "9OCTETS!", .at = OPT(8000), BIG},
		 DROPPED("unknown_tag", "third")},
		{"third, last byte unknown", set,
		 .f = {.dport = OPT(5007), .tag = "8OCTETS?", .at = OPT(8000), BIG},
		 DROPPED("unknown_tag", "third")},
		{"from end", set,
		 .f = {.dport = OPT(5006), .tag = "8OCTETS!", .at = OPT(-5000), BIG},
		 REWRITTEN("from-end", 6006)},
		{"from end, it begins the payload", set,
		 .f = {.dport = OPT(5006), .tag = "8OCTETS!", .payload = OPT(5000)},
		 REWRITTEN("from-end", 6006)},
		{"from end, it would begin before the payload", set,
		 .f = {.dport = OPT(5006), .tag = "8OCTETS!", .payload = OPT(4999)},
		 DROPPED("no_tag", "from-end")},
		{"from end, bytes trail", set,
		 .f = {.dport = OPT(5006),
		       .tag = "8OCTETS!",
		       .at = OPT(-5000),
		       .payload = OPT(6000),
		       .trail = 2000},
		 REWRITTEN("from-end", 6006)},
		{"a small packet in a large frame", set, .f = {.trail = 8900},
		 REWRITTEN("front", 6000)},
		{"a small packet in a large frame, tcp", set, .f = {.l4 = TCP, .trail = 8900},
		 REWRITTEN("front", 6000)},
		{"a small packet in a large frame, its last four", set,
		 .f = {.dport = OPT(5004), .at = OPT(-4), .trail = 8900}, REWRITTEN("last4", 6004)},
		{"a small packet in a large frame, not the frame's last four", set,
		 .f = {.dport = OPT(5004), .no_tag = 1, .trail = 8900},
		 DROPPED("unknown_tag", "last4")},
		{"a small packet in a large frame, partial", set,
		 .f = {.csum = CSUM_PSEUDO, .trail = 8900}, REWRITTEN("front", 6000),
		 .port_only = 1},
		{"a small packet in a large frame, verifies by chance", set,
		 .f = {.csum = CSUM_PSEUDO,
		       .fix = {.used = 1, .at = 6, .pseudo = 1, .port = 5000},
		       .trail = 8900},
		 REWRITTEN("front", 6000)},
		{"a small packet in a large frame, no payload", set,
		 .f = {.l4 = TCP, .payload = OPT(0), .trail = 8900}, PASSED("no_payload", "front")},
		{"a small packet in a large frame, too short", set,
		 .f = {.payload = OPT(3), .trail = 8900}, DROPPED("too_short", "front")},
		{"payload 9001", set, .f.payload = OPT(9001), DROPPED("too_long", "front")},
		{"payload 9001, tcp", set, .f = {.l4 = TCP, .payload = OPT(9001)},
		 DROPPED("too_long", "front")},
		{"UDP length 9008 of 9058", set, .f = {.payload = OPT(9050), .udp_len = OPT(9008)},
		 REWRITTEN("front", 6000)},
		{"UDP length 9009 of 9058", set, .f = {.payload = OPT(9050), .udp_len = OPT(9009)},
		 DROPPED("too_long", "front")},
		{"UDP length 40 of 8908", set, .f = {BIG, .udp_len = OPT(40)},
		 REWRITTEN("front", 6000)},
		{"UDP length 40 of 8908, its last four", set,
		 .f = {.dport = OPT(5004), BIG, .udp_len = OPT(40), .at = OPT(28)},
		 REWRITTEN("last4", 6004)},
		{"UDP length 40 of 8908, the packet's last four", set,
		 .f = {.dport = OPT(5004), BIG, .udp_len = OPT(40), .at = OPT(-4)},
		 DROPPED("unknown_tag", "last4")},
		{"UDP length 4508 of 8908, partial", set,
		 .f = {BIG, .udp_len = OPT(4508), .csum = CSUM_PSEUDO}, REWRITTEN("front", 6000),
		 .port_only = 1},
		{"UDP length 4507 of 8908, verifies by chance", set,
		 .f = {BIG, .udp_len = OPT(4507), .csum = CSUM_PSEUDO,
		       .fix = {.used = 1, .at = 4000, .pseudo = 1, .port = 5000}},
		 REWRITTEN("front", 6000)},
		{"entity window, 7999", set, .f = {.tag = "SIZE", .payload = OPT(7999)},
		 DROPPED("too_short", "front")},
		{"entity window, 8000", set, .f = {.tag = "SIZE", .payload = OPT(8000)},
		 REWRITTEN("front", 6009)},
		{"entity window, 8100", set, .f = {.tag = "SIZE", .payload = OPT(8100)},
		 REWRITTEN("front", 6009)},
		{"entity window, 8101", set, .f = {.tag = "SIZE", .payload = OPT(8101)},
		 DROPPED("too_long", "front")},
		{"entity drop", set, .f = {.tag = "DROP", BIG}, DROPPED("entity_drop", "front")},
		{"entity pass", set, .f = {.tag = "PASS", BIG}, PASSED("entity_pass", "front")},
		{"entity drop, tcp", set, .f = {.l4 = TCP, .tag = "DROP", BIG},
		 DROPPED("entity_drop", "front")},
		{"no service", set, .f = {.dport = OPT(9), BIG}, NOT_OURS("no_service")},
		{"ARP", set, .f = {.ethertype = OPT(0x0806), BIG}, NOT_OURS("not_ip")},
		{"three VLAN tags", set, .f = {.vlan = {0x88a8, 0x8100, 0x8100}, BIG},
		 NOT_OURS("not_ip")},
		{"IP length one over the frame", set, .f = {BIG, .cut = OPT(8900)},
		 NOT_OURS("malformed_ip")},
		{"cut at 4000", set, .f = {BIG, .cut = OPT(4000)}, NOT_OURS("malformed_ip")},
		{"ICMP", set, .f = {.proto = OPT(1), BIG}, NOT_OURS("not_udp_tcp")},
		{"UDP length one over", set, .f = {BIG, .udp_len = OPT(8909)},
		 DROPPED("malformed_l4", "front")},
		{"UDP length one over, the frame has it", set,
		 .f = {BIG, .udp_len = OPT(8909), .trail = 10}, DROPPED("malformed_l4", "front")},
		{"UDP length 7", set, .f = {BIG, .udp_len = OPT(7)},
		 DROPPED("malformed_l4", "front")},
		{"data offset 4", set, .f = {.l4 = TCP, BIG, .doff_field = OPT(4)},
		 DROPPED("malformed_l4", "front")},
		{"UDP length 7, no service", set, .f = {.dport = OPT(9), BIG, .udp_len = OPT(7)},
		 NOT_OURS("malformed_l4")},
		{"later fragment", set, .f = {.frag = OPT(7), .ext = {FRAG(FRAG_AT(7))}, BIG},
		 NOT_OURS("later_fragment")},
		{"first fragment of TCP", set,
		 .f = {.l4 = TCP, .frag = OPT(IP4_MF), .ext = {FRAG(FRAG_MORE)}, BIG},
		 NOT_OURS("tcp_fragment")},
		{"first fragment", set,
		 .f = {.frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(9000),
		       .keep = OPT(8000)},
		 REWRITTEN("front", 6000)},
		{"first fragment, the tag in a later part", set,
		 .f = {.dport = OPT(5008),
		       .tag = "MID",
		       .at = OPT(5000),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(20000),
		       .keep = OPT(8000)},
		 REWRITTEN("middle", 6008)},
		{"first fragment, the tag's last byte in the next fragment", set,
		 .f = {.dport = OPT(5008),
		       .tag = "MID",
		       .at = OPT(5000),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(20000),
		       .keep = OPT(8 + 5002)},
		 DROPPED("no_tag", "middle")},
		{"first fragment, the tag in the next fragment", set,
		 .f = {.dport = OPT(5007),
		       .tag = "8OCTETS!",
		       .at = OPT(8000),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(20000),
		       .keep = OPT(8000)},
		 DROPPED("no_tag", "third")},
		{"first fragment, the field is the pseudo-header's sum", set,
		 .f = {.frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(9000),
		       .keep = OPT(8000),
		       .csum = CSUM_PSEUDO},
		 REWRITTEN("front", 6000)},
		{"first fragment, the datagram is too long", set,
		 .f = {.frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(9001),
		       .keep = OPT(8000)},
		 DROPPED("too_long", "front")},
	};

	vector_table46("jumbo/", t, ARRAY_SIZE(t));

	/* Extension headers so long that the transport header is not in the linear part, or half in
	 * it: 54 + 3464 = 3518 */
	const struct vector far[] = {
		{"2,048 bytes of extension headers", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255)}, .payload = OPT(3000)},
		 REWRITTEN("front", 6000)},
		{"UDP header in the second part", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(255)}, .payload = OPT(3000)},
		 REWRITTEN("front", 6000)},
		{"UDP header in the second part, small payload", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(255)}}, REWRITTEN("front", 6000)},
		{"UDP header in two parts", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(176)}}, REWRITTEN("front", 6000)},
		{"UDP header in two parts, partial", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(176)}, .csum = CSUM_PSEUDO},
		 REWRITTEN("front", 6000), .port_only = 1},
		{"UDP header in two parts, unknown tag", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(176)}, .tag = "else"},
		 DROPPED("unknown_tag", "front")},
		{"UDP header in two parts, UDP length 7", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(176)}, .udp_len = OPT(7)},
		 DROPPED("malformed_l4", "front")},
		{"UDP header in two parts, no service", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(176)}, .dport = OPT(9)},
		 NOT_OURS("no_service")},
		{"TCP header in the second part", set,
		 .f = {.ip = 6, .l4 = TCP, .ext = {DST_UNITS(255), DST_UNITS(255)}},
		 REWRITTEN("front", 6000)},
		{"TCP header in two parts", set,
		 .f = {.ip = 6, .l4 = TCP, .ext = {DST_UNITS(255), DST_UNITS(175)}},
		 REWRITTEN("front", 6000)},
		{"TCP header in two parts, no payload", set,
		 .f = {.ip = 6,
		       .l4 = TCP,
		       .ext = {DST_UNITS(255), DST_UNITS(175)},
		       .payload = OPT(0)},
		 PASSED("no_payload", "front")},
		{"UDP header in the third part", set,
		 .f = {.ip = 6,
		       .ext = {DST_UNITS(255), DST_UNITS(255), DST_UNITS(255), DST_UNITS(255)}},
		 REWRITTEN("front", 6000)},
		{"extension header in two parts", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(176), DST}},
		 REWRITTEN("front", 6000)},
		{"later fragment, its header in two parts", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(176), FRAG(FRAG_AT(3))}},
		 NOT_OURS("later_fragment")},
		{"routing header with one left in two parts", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(176), ROUTE(1)}},
		 NOT_OURS("routing_header")},
		{"routing header with one left in the second part", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(255), ROUTE(1)}},
		 NOT_OURS("routing_header")},
		{"first fragment of TCP, its header in the second part", set,
		 .f = {.ip = 6,
		       .l4 = TCP,
		       .ext = {DST_UNITS(255), DST_UNITS(255), FRAG(FRAG_MORE)}},
		 NOT_OURS("tcp_fragment")},
		{"ICMPv6 behind 4,096 bytes", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(255)}, .proto = OPT(58)},
		 NOT_OURS("not_udp_tcp")},
		{"extension header in the second part does not fit", set,
		 .f = {.ip = 6, .ext = {DST_UNITS(255), DST_UNITS(255), DST_LIES(100)}},
		 NOT_OURS("malformed_ip")},
		{"routing header, jumbo", set, .f = {.ip = 6, .ext = {ROUTE(1)}, BIG},
		 NOT_OURS("routing_header")},
		{"atomic fragment, partial", set,
		 .f = {.ip = 6, .ext = {FRAG(0)}, BIG, .csum = CSUM_PSEUDO},
		 REWRITTEN("front", 6000), .port_only = 1},
	};
	vector_table("jumbo/", far, ARRAY_SIZE(far));
}

void vectors_jumbo(void)
{
	sweep_ends();
	sweep_headers();
	checksums();
	rows();
}
