/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows 7 to 14: every outcome under every policy, enforced and observed; and all the size windows.
 */
#include <stdio.h>
#include <string.h>

#include "vectors.h"

static const char drop_port[] = BASE_SET("drop", "6999", "enforce");
static const char pass_drop[] = BASE_SET("pass", "drop", "enforce");
static const char drop_pass[] = BASE_SET("drop", "pass", "enforce");
static const char observe_drop_drop[] = BASE_SET("drop", "drop", "observe");
static const char observe_pass_pass[] = BASE_SET("pass", "pass", "observe");
static const char observe_drop_port[] = BASE_SET("drop", "6999", "observe");

enum becomes { PASSES, DROPS, BY_INVALID, BY_UNKNOWN, TO_PORT };

static const struct policy {
	const char *name, *set;
	enum becomes invalid, unknown; /* PASSES, DROPS, and for unknown TO_PORT: 6999 */
	int observe;
} policies[] = {
	{"invalid drop, unknown drop", set_base, DROPS, DROPS, 0},
	{"invalid pass, unknown pass", set_pass, PASSES, PASSES, 0},
	{"invalid drop, unknown 6999", drop_port, DROPS, TO_PORT, 0},
	{"invalid pass, unknown drop", pass_drop, PASSES, DROPS, 0},
	{"invalid drop, unknown pass", drop_pass, DROPS, PASSES, 0},
	{"observe, invalid drop, unknown drop", observe_drop_drop, DROPS, DROPS, 1},
	{"observe, invalid pass, unknown pass", observe_pass_pass, PASSES, PASSES, 1},
	{"observe, invalid drop, unknown 6999", observe_drop_port, DROPS, TO_PORT, 1},
};

/* An entity's window is 16 to 32, the service's is 2 to 64. */
static const struct outcome {
	const char *name;
	const char *tag;
	int payload;
	const char *reason;
	enum becomes becomes;
	uint16_t port; /* TO_PORT */
} outcomes[] = {
	{"payload 1", "ABCD", 1, "too_short", BY_INVALID, 0},
	{"payload 2", "ABCD", 2, "no_tag", BY_INVALID, 0},
	{"payload 3", "ABCD", 3, "no_tag", BY_INVALID, 0},
	{"payload 4", "ABCD", 4, "rewritten", TO_PORT, 6001},
	{"payload 5", "ABCD", 5, "rewritten", TO_PORT, 6001},
	{"payload 63", "ABCD", 63, "rewritten", TO_PORT, 6001},
	{"payload 64", "ABCD", 64, "rewritten", TO_PORT, 6001},
	{"payload 65", "ABCD", 65, "too_long", BY_INVALID, 0},
	{"payload 1000", "ABCD", 1000, "too_long", BY_INVALID, 0},
	{"payload 65, unknown tag", "ZZZZ", 65, "too_long", BY_INVALID, 0},
	{"payload 65, entity drop", "DROP", 65, "too_long", BY_INVALID, 0},
	{"payload 65, entity pass", "PASS", 65, "too_long", BY_INVALID, 0},
	{"unknown tag", "ZZZZ", 32, "unknown_tag", BY_UNKNOWN, 0},
	{"unknown tag, payload 4", "ZZZZ", 4, "unknown_tag", BY_UNKNOWN, 0},
	{"unknown tag, payload 64", "ZZZZ", 64, "unknown_tag", BY_UNKNOWN, 0},
	{"unknown tag in lower case", "abcd", 32, "unknown_tag", BY_UNKNOWN, 0},
	{"unknown tag backwards", "DCBA", 32, "unknown_tag", BY_UNKNOWN, 0},
	{"entity drop", "DROP", 32, "entity_drop", DROPS, 0},
	{"entity pass", "PASS", 32, "entity_pass", PASSES, 0},
	{"entity window, payload 4", "SIZE", 4, "too_short", BY_INVALID, 0},
	{"entity window, payload 15", "SIZE", 15, "too_short", BY_INVALID, 0},
	{"entity window, payload 16", "SIZE", 16, "rewritten", TO_PORT, 6002},
	{"entity window, payload 24", "SIZE", 24, "rewritten", TO_PORT, 6002},
	{"entity window, payload 32", "SIZE", 32, "rewritten", TO_PORT, 6002},
	{"entity window, payload 33", "SIZE", 33, "too_long", BY_INVALID, 0},
	{"entity window, payload 64", "SIZE", 64, "too_long", BY_INVALID, 0},
	/* row 12 before row 13 */
	{"entity drop with a window, payload 15", "DSIZ", 15, "too_short", BY_INVALID, 0},
	{"entity drop with a window, payload 16", "DSIZ", 16, "entity_drop", DROPS, 0},
	{"entity drop with a window, payload 32", "DSIZ", 32, "entity_drop", DROPS, 0},
	{"entity drop with a window, payload 33", "DSIZ", 33, "too_long", BY_INVALID, 0},
	{"entity pass with a window, payload 15", "PSIZ", 15, "too_short", BY_INVALID, 0},
	{"entity pass with a window, payload 16", "PSIZ", 16, "entity_pass", PASSES, 0},
	{"entity pass with a window, payload 32", "PSIZ", 32, "entity_pass", PASSES, 0},
	{"entity pass with a window, payload 33", "PSIZ", 33, "too_long", BY_INVALID, 0},
};

static void settle(struct vector *v, const struct policy *p, const char *reason,
		   enum becomes becomes, uint16_t port)
{
	const char *verdict;

	if (becomes == BY_INVALID)
		becomes = p->invalid;
	if (becomes == BY_UNKNOWN) {
		becomes = p->unknown;
		port = 6999;
	}
	verdict = becomes == TO_PORT ? "rewritten" : becomes == DROPS ? "dropped" : "passed";
	v->reason = reason;
	v->service = "base";
	v->verdict = p->observe ? "passed" : verdict;
	v->would = p->observe ? verdict : NULL;
	v->port = becomes == TO_PORT && !p->observe ? port : 0;
}

static void outcomes_by_policies(void)
{
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++)
		for (int ip = 4; ip <= 6; ip += 2)
			for (int l4 = UDP; l4 <= TCP; l4++) {
				struct frame f = {.ip = (uint8_t)ip, .l4 = (enum l4)l4};
				const char *l4_name = l4 ? "tcp" : "udp";

				for (size_t o = 0; o < ARRAY_SIZE(outcomes); o++) {
					struct vector v = {.set = policies[p].set, .f = f};

					v.f.tag = outcomes[o].tag;
					v.f.payload = OPT(outcomes[o].payload);
					settle(&v, &policies[p], outcomes[o].reason,
					       outcomes[o].becomes, outcomes[o].port);
					vector_add(&v, "policy/v%d %s %s: %s", ip, l4_name,
						   policies[p].name, outcomes[o].name);
				}

				struct vector none = {.set = policies[p].set, .f = f};
				struct vector bad = none, empty = none;

				bad.f.udp_len = OPT(7);
				bad.f.doff_field = OPT(4);
				settle(&bad, &policies[p], "malformed_l4", BY_INVALID, 0);
				vector_add(&bad, "policy/v%d %s %s: malformed", ip, l4_name,
					   policies[p].name);

				/* a datagram without payload is too short, a segment without
				 * payload passes */
				empty.f.payload = OPT(0);
				settle(&empty, &policies[p], l4 ? "no_payload" : "too_short",
				       l4 ? PASSES : BY_INVALID, 0);
				vector_add(&empty, "policy/v%d %s %s: no payload", ip, l4_name,
					   policies[p].name);

				none.f.dport = OPT(5001);
				none.reason = "no_service";
				none.verdict = "passed";
				vector_add(&none, "policy/v%d %s %s: no service", ip, l4_name,
					   policies[p].name);
			}
}

/* Under observe no checksum is touched either. */
static void observed_checksums(void)
{
	const struct vector t[] = {
		{"udp without a checksum", observe_drop_port, .f = {.csum = CSUM_FIELD},
		 OBSERVED("rewritten", "rewritten", "base")},
		{"udp with a wrong checksum", observe_drop_port,
		 .f = {.csum = CSUM_OFF_BY, .csum_arg = 5},
		 OBSERVED("rewritten", "rewritten", "base")},
		{"udp CHECKSUM_PARTIAL", observe_drop_port, .f = {.csum = CSUM_PSEUDO},
		 OBSERVED("rewritten", "rewritten", "base")},
		{"tcp CHECKSUM_PARTIAL", observe_drop_port, .f = {.l4 = TCP, .csum = CSUM_PSEUDO},
		 OBSERVED("rewritten", "rewritten", "base")},
		{"udp unknown tag, CHECKSUM_PARTIAL", observe_drop_port,
		 .f = {.tag = "ZZZZ", .csum = CSUM_PSEUDO},
		 OBSERVED("unknown_tag", "rewritten", "base")},
		{"udp with two VLAN tags", observe_drop_port, .f = {.vlan = {0x88a8, 0x8100}},
		 OBSERVED("rewritten", "rewritten", "base")},
		{"udp with trailing bytes", observe_drop_port, .f = {.trail = 11},
		 OBSERVED("rewritten", "rewritten", "base")},
	};

	vector_table46("policy/observe: ", t, ARRAY_SIZE(t));
}

/* Fragments and the rest of what is not ours does not become ours by being observed. */
static void observed_not_ours(void)
{
	const struct vector t[] = {
		{"ARP", observe_drop_drop, .f.ethertype = OPT(0x0806), NOT_OURS("not_ip")},
		{"total length 0", observe_drop_drop, .f.ip_len = OPT(0), NOT_OURS("malformed_ip")},
		{"later fragment", observe_drop_drop, .f.frag = OPT(9), NOT_OURS("later_fragment")},
		{"ICMP", observe_drop_drop, .f.proto = OPT(1), NOT_OURS("not_udp_tcp")},
		{"routing header", observe_drop_drop, .f.ip = 6, .f.ext = {ROUTE(1)},
		 NOT_OURS("routing_header")},
		{"first fragment of TCP", observe_drop_drop, .f.l4 = TCP, .f.frag = OPT(IP4_MF),
		 NOT_OURS("tcp_fragment")},
		{"three bytes of UDP", observe_drop_drop, .f.keep = OPT(3),
		 NOT_OURS("malformed_l4")},
		{"four bytes of UDP", observe_drop_drop, .f.keep = OPT(4),
		 OBSERVED("malformed_l4", "dropped", "base")},
		{"first fragment of UDP", observe_drop_drop, .f.frag = OPT(IP4_MF),
		 OBSERVED("rewritten", "rewritten", "base")},
		{"first fragment of UDP without the tag", observe_drop_drop, .f.frag = OPT(IP4_MF),
		 .f.keep = OPT(8), OBSERVED("no_tag", "dropped", "base")},
	};

	vector_table("policy/observe: ", t, ARRAY_SIZE(t));
}

/* What is left out has its default: invalid pass, unknown pass, enforce. */
static const char defaults[] = "version: 1\n"
			       "services:\n"
			       "  - name: bare\n"
			       "    protocol: udp\n"
			       "    ports: [5000]\n"
			       "    tag: { offset: 0, length: 4 }\n"
			       "    size: { min: 2, max: 64 }\n"
			       "    entities:\n"
			       "      - { tag: \"ABCD\", target: 6001 }\n";

/* The built-in default, and what `make install` installs. */
static const char built_in[] = "version: 1\n"
			       "services:\n"
			       "  - name: default\n"
			       "    protocol: udp\n"
			       "    ports: [5000]\n"
			       "    tag: { offset: 0, length: 4 }\n"
			       "    size: { min: 4, max: 65507 }\n"
			       "    invalid: pass\n"
			       "    unknown: pass\n"
			       "    entities: []\n";

static const char nothing[] = "version: 1\n"
			      "services: []\n";

static void default_sets(void)
{
	const struct vector t[] = {
		{"known tag", defaults, REWRITTEN("bare", 6001)},
		{"too short", defaults, .f.payload = OPT(1), PASSED("too_short", "bare")},
		{"too long", defaults, .f.payload = OPT(65), PASSED("too_long", "bare")},
		{"no tag", defaults, .f.payload = OPT(3), PASSED("no_tag", "bare")},
		{"unknown tag", defaults, .f.tag = "ZZZZ", PASSED("unknown_tag", "bare")},
		{"malformed", defaults, .f.udp_len = OPT(7), PASSED("malformed_l4", "bare")},
		{"tcp is not udp", defaults, .f.l4 = TCP, NOT_OURS("no_service")},
		{"malformed tcp is not udp", defaults, .f.l4 = TCP, .f.doff_field = OPT(2),
		 NOT_OURS("malformed_l4")},
		{"built-in: any tag is unknown", built_in, PASSED("unknown_tag", "default")},
		{"built-in: tag of zeros is unknown", built_in, .f.tag = "\0\0\0\0", .f.tag_len = 4,
		 PASSED("unknown_tag", "default")},
		{"built-in: payload 3", built_in, .f.payload = OPT(3),
		 PASSED("too_short", "default")},
		{"built-in: payload 4", built_in, .f.payload = OPT(4),
		 PASSED("unknown_tag", "default")},
		{"built-in: payload 1472", built_in, .f.payload = OPT(1472),
		 PASSED("unknown_tag", "default")},
		{"built-in: another port", built_in, .f.dport = OPT(5001), NOT_OURS("no_service")},
		{"built-in: tcp", built_in, .f.l4 = TCP, NOT_OURS("no_service")},
		{"no services: udp", nothing, NOT_OURS("no_service")},
		{"no services: tcp", nothing, .f.l4 = TCP, NOT_OURS("no_service")},
		{"no services: tcp without payload", nothing, .f.l4 = TCP, .f.payload = OPT(0),
		 NOT_OURS("no_service")},
		{"no services: udp without payload", nothing, .f.payload = OPT(0),
		 NOT_OURS("no_service")},
		{"no services: malformed", nothing, .f.udp_len = OPT(7), NOT_OURS("malformed_l4")},
	};

	vector_table46("policy/defaults: ", t, ARRAY_SIZE(t));
}

/* Windows of services: one for each port. */
#define WINDOW(port, min, max) \
	"  - name: from" min "to" max "\n" \
	"    protocol: any\n" \
	"    ports: [" port "]\n" \
	"    tag: { offset: 0, length: 4 }\n" \
	"    size: { min: " min ", max: " max " }\n" \
	"    invalid: drop\n" \
	"    unknown: drop\n" \
	"    tcp: segment\n" \
	"    entities:\n" \
	"      - { tag: \"ABCD\", target: 6001 }\n"

static const char windows[] = "version: 1\n"
			      "services:\n" WINDOW("5001", "4", "4") WINDOW("5002", "100", "101")
				      WINDOW("5003", "16", "1400") WINDOW("5004", "1", "255")
					      WINDOW("5005", "256", "65507")
						      WINDOW("5006", "5", "256");

static void service_windows(void)
{
	static const struct {
		const char *name;
		uint16_t port;
		int min, max;
	} w[] = {
		{"from4to4", 5001, 4, 4},
		{"from100to101", 5002, 100, 101},
		{"from16to1400", 5003, 16, 1400},
		{"from1to255", 5004, 1, 255},
		{"from256to65507", 5005, 256, 65507},
		{"from5to256", 5006, 5, 256},
	};

	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		for (int ip = 4; ip <= 6; ip += 2)
			for (int l4 = UDP; l4 <= TCP; l4++) {
				int sizes[] = {w[i].min - 1, w[i].min, w[i].max,
					       w[i].max + 1, 0,	       1450};

				for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
					int size = sizes[s];
					struct vector v = {.set = windows,
							   .f = {.ip = (uint8_t)ip,
								 .l4 = (enum l4)l4,
								 .dport = OPT(w[i].port),
								 .payload = OPT(size)},
							   REWRITTEN(w[i].name, 6001)};

					if (size > 1450 || (!size && s != 4) ||
					    (s == 2 && w[i].min == w[i].max))
						continue;
					if (size < w[i].min || size > w[i].max || size < 4) {
						v.reason = size < w[i].min   ? "too_short"
							   : size > w[i].max ? "too_long"
									     : "no_tag";
						v.verdict = "dropped";
						v.port = 0;
					}
					if (!size && l4 == TCP) {
						v.reason = "no_payload";
						v.verdict = "passed";
					}
					vector_add(&v, "policy/window %s v%d %s: payload %d",
						   w[i].name + 4, ip, l4 ? "tcp" : "udp", size);
				}
			}
}

/* A service from 0, and entities whose windows are narrower, wider and single sizes. */
static const char entity_set[] =
	"version: 1\n"
	"services:\n"
	"  - name: entities\n"
	"    protocol: any\n"
	"    ports: [5000]\n"
	"    tag: { offset: 0, length: 4 }\n"
	"    size: { min: 0, max: 100 }\n"
	"    invalid: drop\n"
	"    unknown: 6999\n"
	"    tcp: segment\n"
	"    entities:\n"
	"      - { tag: \"NONE\", target: 6001 }\n"
	"      - { tag: \"ONLY\", target: 6002, size: { min: 20, max: 20 } }\n"
	"      - { tag: \"WIDE\", target: 6003, size: { min: 0, max: 1000 } }\n"
	"      - { tag: \"FULL\", target: 6004, size: { min: 0, max: 100 } }\n"
	"      - { tag: \"LOW0\", target: 6005, size: { min: 4, max: 10 } }\n"
	"      - { tag: \"HIGH\", target: 6006, size: { min: 90, max: 65507 } }\n"
	"      - { tag: \"DONE\", target: drop, size: { min: 20, max: 20 } }\n"
	"      - { tag: \"PONE\", target: pass, size: { min: 20, max: 20 } }\n";

static void entity_windows(void)
{
	static const struct {
		const char *tag;
		int payload;
		const char *reason, *verdict;
		uint16_t port;
	} t[] = {
		{"NONE", 4, "rewritten", "rewritten", 6001},
		{"NONE", 100, "rewritten", "rewritten", 6001},
		{"NONE", 101, "too_long", "dropped", 0},
		{"NONE", 3, "no_tag", "dropped", 0},
		{"NONE", 1, "no_tag", "dropped", 0},
		{"ONLY", 19, "too_short", "dropped", 0},
		{"ONLY", 20, "rewritten", "rewritten", 6002},
		{"ONLY", 21, "too_long", "dropped", 0},
		{"WIDE", 4, "rewritten", "rewritten", 6003},
		{"WIDE", 100, "rewritten", "rewritten", 6003},
		{"WIDE", 101, "too_long", "dropped", 0}, /* the service's window holds too: row 9 */
		{"FULL", 4, "rewritten", "rewritten", 6004},
		{"FULL", 100, "rewritten", "rewritten", 6004},
		{"FULL", 101, "too_long", "dropped", 0},
		{"LOW0", 4, "rewritten", "rewritten", 6005},
		{"LOW0", 10, "rewritten", "rewritten", 6005},
		{"LOW0", 11, "too_long", "dropped", 0},
		{"HIGH", 89, "too_short", "dropped", 0},
		{"HIGH", 90, "rewritten", "rewritten", 6006},
		{"HIGH", 100, "rewritten", "rewritten", 6006},
		{"HIGH", 101, "too_long", "dropped", 0},
		{"DONE", 19, "too_short", "dropped", 0},
		{"DONE", 20, "entity_drop", "dropped", 0},
		{"DONE", 21, "too_long", "dropped", 0},
		{"PONE", 19, "too_short", "dropped", 0},
		{"PONE", 20, "entity_pass", "passed", 0},
		{"PONE", 21, "too_long", "dropped", 0},
		{"else", 4, "unknown_tag", "rewritten", 6999},
		{"else", 100, "unknown_tag", "rewritten", 6999},
		{"else", 101, "too_long", "dropped", 0},
	};

	for (int ip = 4; ip <= 6; ip += 2)
		for (int l4 = UDP; l4 <= TCP; l4++) {
			struct vector v = {.set = entity_set, .service = "entities"};

			v.f.ip = (uint8_t)ip;
			v.f.l4 = (enum l4)l4;
			for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
				v.f.tag = t[i].tag;
				v.f.payload = OPT(t[i].payload);
				v.reason = t[i].reason;
				v.verdict = t[i].verdict;
				v.port = t[i].port;
				vector_add(&v, "policy/entity %s v%d %s: payload %d", t[i].tag, ip,
					   l4 ? "tcp" : "udp", t[i].payload);
			}
			v.f.payload = OPT(0);
			v.port = 0;
			v.reason = l4 ? "no_payload" : "no_tag"; /* 0 bytes are enough for size
								    0:100, not for a tag */
			v.verdict = l4 ? "passed" : "dropped";
			vector_add(&v, "policy/entity none v%d %s: payload 0", ip,
				   l4 ? "tcp" : "udp");
		}
}

/* A row whose word is of a kind that the program does not know: the tag is unknown, whatever window
 * the word seems to have, and the row does not count. */
static void unknown_kinds(void)
{
	static const char *const of[] = {"drop", "pass", "6999"};
	static const char *const sets[] = {BASE_SET("drop", "drop", "enforce"),
					   BASE_SET("drop", "pass", "enforce"),
					   BASE_SET("drop", "6999", "enforce")};
	static const char long_set[] = "version: 1\n"
				       "services:\n"
				       "  - name: base\n"
				       "    protocol: udp\n"
				       "    ports: [5000]\n"
				       "    tag: { offset: 0, length: 10 }\n"
				       "    size: { min: 2, max: 64 }\n"
				       "    unknown: drop\n"
				       "    entities:\n"
				       "      - { tag: \"ABCDEFGHIJ\", target: 6001 }\n"
				       "      - { tag: \"ABCDEFGHIK\", target: 6002 }\n";
	static const struct vector longer[] = {
		{"of 10 bytes", .set = long_set, .f.tag = "ABCDEFGHIJ",
		 .unknown_kind = "ABCDEFGHIJ", DROPPED("unknown_tag", "base")},
		{"of 10 bytes, beside it", .set = long_set, .f.tag = "ABCDEFGHIK",
		 .unknown_kind = "ABCDEFGHIJ", REWRITTEN("base", 6002)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		const struct vector v[] = {
			{"itself", .set = sets[i], .f.tag = "ABCD", .unknown_kind = "ABCD",
			 DROPPED("unknown_tag", "base")},
			{"beside it", .set = sets[i], .f.tag = "PASS", .unknown_kind = "ABCD",
			 PASSED("entity_pass", "base")},
		};
		struct vector itself = v[0];

		itself.verdict = i == 0 ? "dropped" : i == 1 ? "passed" : "rewritten";
		itself.port = i == 2 ? 6999 : 0;
		vector_add(&itself, "policy/word of unknown kind, unknown %s: %s", of[i],
			   v[0].name);
		vector_add(&v[1], "policy/word of unknown kind, unknown %s: %s", of[i], v[1].name);
	}
	vector_table("policy/word of unknown kind ", longer, ARRAY_SIZE(longer));
}

void vectors_policy(void)
{
	unknown_kinds();
	outcomes_by_policies();
	observed_checksums();
	observed_not_ours();
	default_sets();
	service_windows();
	entity_windows();
}
