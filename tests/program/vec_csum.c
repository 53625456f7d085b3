/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksums: RFC 1624 eqn. 3, UDP's two zeros, wrong ones that stay wrong by as much, and frames
 * whose sender left the checksum to hardware. What the field must hold is worked out in frame.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vectors.h"

static const char set[] = "version: 1\n"
			  "services:\n"
			  "  - name: csum\n"
			  "    protocol: any\n"
			  "    ports: [5000]\n"
			  "    tag: { offset: 0, length: 4 }\n"
			  "    size: { min: 4, max: 1400 }\n"
			  "    invalid: drop\n"
			  "    unknown: 6999\n"
			  "    tcp: segment\n"
			  "    entities:\n"
			  "      - { tag: \"ABCD\", target: 6001 }\n"
			  "      - { tag: \"SAME\", target: 5000 }\n"
			  "      - { tag: \"ONE1\", target: 1 }\n"
			  "      - { tag: \"HIGH\", target: 65535 }\n"
			  "      - { tag: \"NEXT\", target: 5001 }\n"
			  "      - { tag: \"PREV\", target: 4999 }\n"
			  "      - { tag: \"SWAP\", target: 34835 }\n"
			  "      - { tag: \"DROP\", target: drop }\n"
			  "      - { tag: \"PASS\", target: pass }\n"
			  "  - name: edges\n"
			  "    protocol: any\n"
			  "    ports: [1, 65535]\n"
			  "    tag: { offset: 0, length: 4 }\n"
			  "    size: { min: 4, max: 1400 }\n"
			  "    invalid: drop\n"
			  "    unknown: drop\n"
			  "    tcp: segment\n"
			  "    entities:\n"
			  "      - { tag: \"ABCD\", target: 6002 }\n"
			  "      - { tag: \"ONE1\", target: 1 }\n"
			  "      - { tag: \"HIGH\", target: 65535 }\n";

static const struct transport {
	const char *name;
	uint8_t ip;
	enum l4 l4;
} transports[] = {{"v4 udp", 4, UDP}, {"v4 tcp", 4, TCP}, {"v6 udp", 6, UDP}, {"v6 tcp", 6, TCP}};

static const struct target {
	const char *tag, *reason;
	uint16_t port;
} targets[] = {
	{"ABCD", "rewritten", 6001},  {"SAME", "rewritten", 5000},   {"ONE1", "rewritten", 1},
	{"HIGH", "rewritten", 65535}, {"NEXT", "rewritten", 5001},   {"PREV", "rewritten", 4999},
	{"SWAP", "rewritten", 34835}, {"else", "unknown_tag", 6999},
};

/* PARTIAL_1.. are wrong in the field by what would be a slip in the pseudo-header. */
static const struct kind {
	const char *name;
	enum csum csum;
	uint16_t arg;
	int port_only, udp_only;
} kinds[] = {
	{"good", CSUM_GOOD, 0, 0, 0},
	{"wrong by 1", CSUM_OFF_BY, 1, 0, 0},
	{"wrong by -1", CSUM_OFF_BY, 0xfffe, 0, 0},
	{"wrong by 0x8000", CSUM_OFF_BY, 0x8000, 0, 0},
	{"wrong by 0x1357", CSUM_OFF_BY, 0x1357, 0, 0},
	{"field ffff", CSUM_FIELD, 0xffff, 0, 0},
	{"field 0001", CSUM_FIELD, 0x0001, 0, 0},
	{"field fffe", CSUM_FIELD, 0xfffe, 0, 0},
	{"field 1388, the old port", CSUM_FIELD, 0x1388, 0, 0},
	{"none", CSUM_FIELD, 0, 1, 1},
	{"partial", CSUM_PSEUDO, 0, 1, 0},
	{"one over partial", CSUM_PSEUDO, 1, 0, 0},
	{"one under partial", CSUM_PSEUDO, 0xfffe, 0, 0},
	{"byte order off partial", CSUM_PSEUDO, 0x0100, 0, 0},
};

static void kinds_by_targets(void)
{
	static const uint32_t payloads[] = {32, 33};

	for (size_t t = 0; t < ARRAY_SIZE(transports); t++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (size_t g = 0; g < ARRAY_SIZE(targets); g++)
				for (size_t p = 0; p < ARRAY_SIZE(payloads); p++) {
					struct vector v = {.set = set,
							   .service = "csum",
							   .verdict = "rewritten"};

					if (kinds[k].udp_only && transports[t].l4 != UDP)
						continue;
					v.f.ip = transports[t].ip;
					v.f.l4 = transports[t].l4;
					v.f.payload = OPT(payloads[p]);
					v.f.tag = targets[g].tag;
					v.f.csum = kinds[k].csum;
					v.f.csum_arg = kinds[k].arg;
					v.reason = targets[g].reason;
					v.port = targets[g].port;
					v.port_only = (uint8_t)kinds[k].port_only;
					vector_add(&v, "csum/%s %s, payload %u, to %u",
						   transports[t].name, kinds[k].name, payloads[p],
						   targets[g].port);
				}
	/* TCP has no "none": a field of 0 is a checksum like any other */
	for (size_t t = 1; t < ARRAY_SIZE(transports); t += 2) {
		struct vector v = {.set = set, REWRITTEN("csum", 6001)};

		v.f.ip = transports[t].ip;
		v.f.l4 = TCP;
		v.f.csum = CSUM_FIELD;
		vector_add(&v, "csum/%s field 0, wrong", transports[t].name);
		v.f.tag = "DROP";
		v.reason = "entity_drop";
		v.verdict = "dropped";
		v.port = 0;
		vector_add(&v, "csum/%s field 0, wrong, entity drop", transports[t].name);
	}
	for (size_t t = 0; t < ARRAY_SIZE(transports); t++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			struct vector v = {.set = set, PASSED("entity_pass", "csum")};

			v.f.ip = transports[t].ip;
			v.f.l4 = transports[t].l4;
			v.f.tag = "PASS";
			v.f.csum = kinds[k].csum;
			v.f.csum_arg = kinds[k].arg;
			vector_add(&v, "csum/%s %s, entity pass", transports[t].name,
				   kinds[k].name);
		}
}

/* The ends of the range of ports, where one's complement is at its most treacherous. */
static void edges(void)
{
	static const struct {
		uint16_t from, to;
		const char *tag;
	} e[] = {
		{1, 6002, "ABCD"},     {1, 1, "ONE1"},	       {1, 65535, "HIGH"},
		{65535, 6002, "ABCD"}, {65535, 65535, "HIGH"}, {65535, 1, "ONE1"},
	};

	for (size_t t = 0; t < ARRAY_SIZE(transports); t++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
				struct vector v = {.set = set, REWRITTEN("edges", e[i].to)};

				if (kinds[k].udp_only && transports[t].l4 != UDP)
					continue;
				v.f.ip = transports[t].ip;
				v.f.l4 = transports[t].l4;
				v.f.tag = e[i].tag;
				v.f.dport = OPT(e[i].from);
				v.f.csum = kinds[k].csum;
				v.f.csum_arg = kinds[k].arg;
				v.port_only = (uint8_t)kinds[k].port_only;
				vector_add(&v, "csum/%s %s, from %u to %u", transports[t].name,
					   kinds[k].name, e[i].from, e[i].to);
			}
}

/* Checksums made to measure: the payload's 16 bits at 6 are chosen so that the sum is what it has
 * to be. */
static void directed(void)
{
#define SUM(at_port, to) .fix = {.used = 1, .at = 6, .port = (at_port), .value = (to) }
#define SUM_PSEUDO(plus) .fix = {.used = 1, .at = 6, .pseudo = 1, .port = 5000, .value = (plus)}
	const struct vector t[] = {
		/* the result: UDP's 0 becomes 0xffff, TCP's stays */
		{"result 0", set, .f = {SUM(6001, 0)}, REWRITTEN("csum", 6001)},
		{"result 0, odd payload", set, .f = {.payload = OPT(33), SUM(6001, 0)},
		 REWRITTEN("csum", 6001)},
		{"result 0, payload 8", set, .f = {.payload = OPT(8), SUM(6001, 0)},
		 REWRITTEN("csum", 6001)},
		{"result 0, two VLAN tags", set, .f = {.vlan = {0x88a8, 0x8100}, SUM(6001, 0)},
		 REWRITTEN("csum", 6001)},
		{"result 0, bytes trail", set, .f = {.trail = 7, SUM(6001, 0)},
		 REWRITTEN("csum", 6001)},
		{"result 0, options and extension headers", set,
		 .f = {.ihl = 9, .ext = {HBH, DST}, SUM(6001, 0)}, REWRITTEN("csum", 6001)},
		{"result 0, to port 1", set, .f = {.tag = "ONE1", SUM(1, 0)}, REWRITTEN("csum", 1)},
		{"result 0, to port 65535", set, .f = {.tag = "HIGH", SUM(65535, 0)},
		 REWRITTEN("csum", 65535)},
		{"result 0, to the next port", set, .f = {.tag = "NEXT", SUM(5001, 0)},
		 REWRITTEN("csum", 5001)},
		{"result 0, unknown to 6999", set, .f = {.tag = "else", SUM(6999, 0)},
		 GIVEN("csum", 6999)},
		{"result 0 of a wrong one", set,
		 .f = {.csum = CSUM_OFF_BY, .csum_arg = 0x1234, SUM(6001, 0xffff - 0x1234)},
		 REWRITTEN("csum", 6001)},
		{"result 0 of one wrong by 1", set,
		 .f = {.csum = CSUM_OFF_BY, .csum_arg = 1, SUM(6001, 0xfffe)},
		 REWRITTEN("csum", 6001)},
		{"result 0 of one wrong by -1", set,
		 .f = {.csum = CSUM_OFF_BY, .csum_arg = 0xfffe, SUM(6001, 1)},
		 REWRITTEN("csum", 6001)},
		{"result would be 0 if it were right", set,
		 .f = {.csum = CSUM_OFF_BY, .csum_arg = 0x1234, SUM(6001, 0)},
		 REWRITTEN("csum", 6001)},
		{"result 0, first fragment", set,
		 .f = {.payload = OPT(60),
		       .keep = OPT(24),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       SUM(6001, 0)},
		 REWRITTEN("csum", 6001)},
		{"result 1", set, .f = {SUM(6001, 1)}, REWRITTEN("csum", 6001)},
		{"result fffe", set, .f = {SUM(6001, 0xfffe)}, REWRITTEN("csum", 6001)},
		{"result 0100", set, .f = {SUM(6001, 0x0100)}, REWRITTEN("csum", 6001)},
		{"result 00ff", set, .f = {SUM(6001, 0x00ff)}, REWRITTEN("csum", 6001)},
		{"result ff00", set, .f = {SUM(6001, 0xff00)}, REWRITTEN("csum", 6001)},
		{"result 8000", set, .f = {SUM(6001, 0x8000)}, REWRITTEN("csum", 6001)},
		{"result 7fff", set, .f = {SUM(6001, 0x7fff)}, REWRITTEN("csum", 6001)},
		/* what arrives: UDP's field is 0xffff here, TCP's 0 */
		{"arrives with sum 0", set, .f = {SUM(5000, 0)}, REWRITTEN("csum", 6001)},
		{"arrives with sum 0, odd payload", set, .f = {.payload = OPT(33), SUM(5000, 0)},
		 REWRITTEN("csum", 6001)},
		{"arrives with sum 0, same port", set, .f = {.tag = "SAME", SUM(5000, 0)},
		 REWRITTEN("csum", 5000)},
		{"arrives with sum 0, to 65535", set, .f = {.tag = "HIGH", SUM(5000, 0)},
		 REWRITTEN("csum", 65535)},
		{"arrives with sum 0, field ffff", set,
		 .f = {.csum = CSUM_FIELD, .csum_arg = 0xffff, SUM(5000, 0)},
		 REWRITTEN("csum", 6001)},
		{"arrives with sum 0, field ffff, same port", set,
		 .f = {.tag = "SAME", .csum = CSUM_FIELD, .csum_arg = 0xffff, SUM(5000, 0)},
		 REWRITTEN("csum", 5000)},
		{"arrives with sum 1", set, .f = {SUM(5000, 1)}, REWRITTEN("csum", 6001)},
		{"arrives with sum fffe", set, .f = {SUM(5000, 0xfffe)}, REWRITTEN("csum", 6001)},
		/* the change of port, 6001 - 5000 = 0x03e9, is the checksum that arrives: its
		   neighbours too */
		{"arrives with sum 03e8", set, .f = {SUM(5000, 0x03e8)}, REWRITTEN("csum", 6001)},
		{"arrives with sum 03e9", set, .f = {SUM(5000, 0x03e9)}, REWRITTEN("csum", 6001)},
		{"arrives with sum 03ea", set, .f = {SUM(5000, 0x03ea)}, REWRITTEN("csum", 6001)},
		/* the field equals the pseudo-header's sum, and the whole verifies: by chance, so
		   RFC 1624 */
		{"verifies by chance", set, .f = {.csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"verifies by chance, odd payload", set,
		 .f = {.payload = OPT(33), .csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"verifies by chance, payload 9", set,
		 .f = {.payload = OPT(9), .csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"verifies by chance, payload 1400", set,
		 .f = {.payload = OPT(1400), .csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"verifies by chance, payload 1399", set,
		 .f = {.payload = OPT(1399), .csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"verifies by chance, 2 bytes trail", set,
		 .f = {.trail = 2, .csum = CSUM_PSEUDO, SUM_PSEUDO(0)}, REWRITTEN("csum", 6001)},
		{"verifies by chance, odd payload, 1 byte trails", set,
		 .f = {.payload = OPT(33), .trail = 1, .csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"verifies by chance, 101 bytes trail", set,
		 .f = {.trail = 101, .csum = CSUM_PSEUDO, SUM_PSEUDO(0)}, REWRITTEN("csum", 6001)},
		{"verifies by chance, options and extension headers", set,
		 .f = {.ihl = 15,
		       .ext = {HBH, ROUTE(0), DST_UNITS(3)},
		       .csum = CSUM_PSEUDO,
		       SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"verifies by chance, two VLAN tags", set,
		 .f = {.vlan = {0x8100, 0x8100}, .csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"verifies by chance, same port", set,
		 .f = {.tag = "SAME", .csum = CSUM_PSEUDO, SUM_PSEUDO(0)}, REWRITTEN("csum", 5000)},
		{"verifies by chance, unknown to 6999", set,
		 .f = {.tag = "else", .csum = CSUM_PSEUDO, SUM_PSEUDO(0)}, GIVEN("csum", 6999)},
		/* and is one off: not by chance */
		{"partial, one over verifying", set, .f = {.csum = CSUM_PSEUDO, SUM_PSEUDO(1)},
		 REWRITTEN("csum", 6001), .port_only = 1},
		{"partial, one under verifying", set,
		 .f = {.csum = CSUM_PSEUDO, SUM_PSEUDO(0xfffe)}, REWRITTEN("csum", 6001),
		 .port_only = 1},
		{"partial, would verify on the new port", set,
		 .f = {.csum = CSUM_PSEUDO, .fix = {.used = 1, .at = 6, .pseudo = 1, .port = 6001}},
		 REWRITTEN("csum", 6001), .port_only = 1},
		{"partial, odd payload, one over verifying", set,
		 .f = {.payload = OPT(33), .csum = CSUM_PSEUDO, SUM_PSEUDO(1)},
		 REWRITTEN("csum", 6001), .port_only = 1},
		{"partial, would verify with the 2 bytes that trail", set,
		 .f = {.trail = 2, .csum = CSUM_PSEUDO, SUM_PSEUDO(0xeeee)},
		 REWRITTEN("csum", 6001), .port_only = 1},
		{"partial, would verify with the byte that trails", set,
		 .f = {.payload = OPT(33), .trail = 1, .csum = CSUM_PSEUDO, SUM_PSEUDO(0x00ee)},
		 REWRITTEN("csum", 6001), .port_only = 1},
	};

	for (int l4 = UDP; l4 <= TCP; l4++)
		for (int ip = 4; ip <= 6; ip += 2)
			for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
				struct vector v = t[i];

				if (v.f.keep.set && l4 == TCP)
					continue; /* first fragments of TCP are not rewritten */
				v.f.ip = (uint8_t)ip;
				v.f.l4 = (enum l4)l4;
				vector_add(&v, "csum/v%d %s %s", ip, l4 ? "tcp" : "udp", v.name);
			}
}

/* CHECKSUM_PARTIAL in every surrounding. */
static void partial(void)
{
	const struct vector t[] = {
		{"payload 4", set, .f.payload = OPT(4)},
		{"payload 5", set, .f.payload = OPT(5)},
		{"payload 7", set, .f.payload = OPT(7)},
		{"payload 1399", set, .f.payload = OPT(1399)},
		{"payload 1400", set, .f.payload = OPT(1400)},
		{"802.1Q", set, .f.vlan = {0x8100}},
		{"ad+Q", set, .f.vlan = {0x88a8, 0x8100}},
		{"1 byte trails", set, .f.trail = 1},
		{"padded", set, .f = {.payload = OPT(4), .pad_to = 100}},
		{"odd payload, 3 bytes trail", set, .f = {.payload = OPT(33), .trail = 3}},
		{"options, destination options", set, .f = {.ihl = 6, .ext = {DST}}},
		{"40 bytes of options, 4 headers", set,
		 .f = {.ihl = 15, .ext = {HBH, DST, ROUTE(0), DST}}},
		{"8 headers", set, .f.ext = {HBH, DST, DST, DST, DST, DST, DST, DST}},
		{"do not fragment, an atomic fragment", set,
		 .f = {.frag = OPT(IP4_DF), .ext = {FRAG(0)}}},
		{"header of 60 bytes", set, .f.doff = 15},
		{"from port 0", set, .f.sport = OPT(0)},
	};

	for (size_t k = 0; k < ARRAY_SIZE(transports); k++)
		for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
			struct vector v = t[i];

			v.f.ip = transports[k].ip;
			v.f.l4 = transports[k].l4;
			v.f.csum = CSUM_PSEUDO;
			v.reason = v.verdict = "rewritten";
			v.service = "csum";
			v.port = 6001;
			v.port_only = 1;
			vector_add(&v, "csum/%s partial: %s", transports[k].name, v.name);
			v.f.tag = "DROP";
			v.reason = "entity_drop";
			v.verdict = "dropped";
			v.port = v.port_only = 0;
			vector_add(&v, "csum/%s partial, entity drop: %s", transports[k].name,
				   t[i].name);
		}

	/* the pseudo-header has the UDP length, and the checksum covers it, not the IP payload */
	const struct vector shorter[] = {
		{"UDP length 28 of 40", set, .f = {.udp_len = OPT(28), .csum = CSUM_PSEUDO},
		 REWRITTEN("csum", 6001), .port_only = 1},
		{"UDP length 27 of 40", set, .f = {.udp_len = OPT(27), .csum = CSUM_PSEUDO},
		 REWRITTEN("csum", 6001), .port_only = 1},
		{"UDP length 28 of 40, verifies by chance", set,
		 .f = {.udp_len = OPT(28), .csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"UDP length 27 of 40, verifies by chance", set,
		 .f = {.udp_len = OPT(27), .csum = CSUM_PSEUDO, SUM_PSEUDO(0)},
		 REWRITTEN("csum", 6001)},
		{"UDP length 28 of 40, the sum with the IP payload's", set,
		 .f = {.udp_len = OPT(28), .csum = CSUM_PSEUDO, .csum_arg = 12},
		 REWRITTEN("csum", 6001)},
		{"UDP length 28 of 40, good", set, .f = {.udp_len = OPT(28)},
		 REWRITTEN("csum", 6001)},
		{"UDP length 27 of 40, good", set, .f = {.udp_len = OPT(27)},
		 REWRITTEN("csum", 6001)},
		{"UDP length 28 of 40, none", set, .f = {.udp_len = OPT(28), .csum = CSUM_FIELD},
		 REWRITTEN("csum", 6001), .port_only = 1},
		{"UDP length 28 of 40, result 0", set, .f = {.udp_len = OPT(28), SUM(6001, 0)},
		 REWRITTEN("csum", 6001)},
		/* a fragment is never PARTIAL, whatever its field holds */
		{"first fragment, the field is the pseudo-header's sum", set,
		 .f = {.payload = OPT(60),
		       .keep = OPT(24),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .csum = CSUM_PSEUDO},
		 REWRITTEN("csum", 6001)},
		{"first fragment that has the whole, the field is the pseudo-header's sum", set,
		 .f = {.keep = OPT(40),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .csum = CSUM_PSEUDO},
		 REWRITTEN("csum", 6001)},
		{"first fragment, the sum of the pseudo-header with the fragment's length", set,
		 .f = {.payload = OPT(60),
		       .keep = OPT(24),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .csum = CSUM_PSEUDO,
		       .csum_arg = 0xffff - 44},
		 REWRITTEN("csum", 6001)},
		{"first fragment, none", set,
		 .f = {.payload = OPT(60),
		       .keep = OPT(24),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .csum = CSUM_FIELD},
		 REWRITTEN("csum", 6001), .port_only = 1},
		{"first fragment, wrong by 7", set,
		 .f = {.payload = OPT(60),
		       .keep = OPT(24),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .csum = CSUM_OFF_BY,
		       .csum_arg = 7},
		 REWRITTEN("csum", 6001)},
		{"first fragment, same port, the field is the pseudo-header's sum", set,
		 .f = {.tag = "SAME",
		       .payload = OPT(60),
		       .keep = OPT(24),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .csum = CSUM_PSEUDO},
		 REWRITTEN("csum", 5000)},
	};
	vector_table46("csum/udp: ", shorter, ARRAY_SIZE(shorter));
}

/* A source address with which the pseudo-header's sum is 0xffff, one's complement's other zero. */
static const char *source_of_ffff(struct frame f)
{
	char *text = malloc(32);
	struct frame_sums s;

	if (!text)
		abort();
	for (unsigned i = 0; i < 0x10000; i++) {
		if (f.ip == 6)
			snprintf(text, 32, "2001:db8::%x", i);
		else
			snprintf(text, 32, "198.51.%u.%u", i >> 8, i & 255);
		f.src = text;
		frame_sums(&f, &s);
		if (s.pseudo == 0xffff)
			return text;
	}
	abort();
}

static void pseudo_ffff(void)
{
	for (size_t k = 0; k < ARRAY_SIZE(transports); k++) {
		struct vector v = {.set = set, REWRITTEN("csum", 6001)};

		v.f.ip = transports[k].ip;
		v.f.l4 = transports[k].l4;
		v.f.src = source_of_ffff(v.f);

		struct vector good = v, chance = v, none = v;

		v.f.csum = CSUM_PSEUDO;
		v.port_only = 1;
		vector_add(&v, "csum/%s pseudo-header ffff: partial", transports[k].name);
		vector_add(&good, "csum/%s pseudo-header ffff: good", transports[k].name);
		chance.f.csum = CSUM_PSEUDO;
		chance.f.fix = (struct fix){.used = 1, .at = 6, .pseudo = 1, .port = 5000};
		vector_add(&chance, "csum/%s pseudo-header ffff: verifies by chance",
			   transports[k].name);
		/* UDP: no checksum. TCP: the field is congruent to the pseudo-header's sum, and is
		 * not it */
		none.f.csum = CSUM_FIELD;
		none.port_only = transports[k].l4 == UDP;
		vector_add(&none, "csum/%s pseudo-header ffff: field 0", transports[k].name);
	}
}

/* Many ordinary packets, each different in addresses, ports, size and error. */
static void ordinary(void)
{
	for (size_t k = 0; k < ARRAY_SIZE(transports); k++)
		for (unsigned i = 0; i < 24; i++) {
			struct vector v = {.set = set, .service = "csum", .verdict = "rewritten"};
			const struct target *to = &targets[i % ARRAY_SIZE(targets)];
			char *src = malloc(48), *dst = malloc(48);

			if (!src || !dst)
				abort();
			v.f.ip = transports[k].ip;
			v.f.l4 = transports[k].l4;
			if (v.f.ip == 6) {
				snprintf(src, 48, "2001:db8:%x:%x::%x", i * 2654u & 0xffff,
					 i * 40503u & 0xffff, i);
				snprintf(dst, 48, "fe80::%x:ff:fe%02x:%x", i * 977u & 0xffff, i,
					 0xffff - i * 31);
			} else {
				snprintf(src, 48, "%u.%u.%u.%u", 1 + i * 9, i * 37 % 256,
					 i * 101 % 256, 255 - i);
				snprintf(dst, 48, "192.%u.%u.%u", i, i * 53 % 256, i * 11 % 256);
			}
			v.f.src = src;
			v.f.dst = dst;
			v.f.sport = OPT((i * 2729 + 1) & 0xffff);
			v.f.payload = OPT(4 + i * 57);
			v.f.tag = to->tag;
			v.f.vlan[0] = i & 1 ? 0x8100 : 0;
			v.reason = to->reason;
			v.port = to->port;
			if (i % 3 == 2) {
				v.f.csum = CSUM_OFF_BY;
				v.f.csum_arg = (uint16_t)(i * 2731);
			}
			vector_add(&v, "csum/%s ordinary %u", transports[k].name, i);
		}
}

void vectors_csum(void)
{
	kinds_by_targets();
	edges();
	directed();
	partial();
	pseudo_ffff();
	ordinary();
}
