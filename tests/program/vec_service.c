/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Row 7: which service a packet belongs to. The longest destination prefix wins, then the longest
 * source prefix, then one that names the interface, then an exact protocol over any.
 *
 * In these sets every service's table has ABCD with a target of its own, so that the port that
 * comes out tells whose table was asked.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

/* The interface that services name here, and one that is another in the last letter alone. */
#define IFACE "eth0.4094-guest"
#define IFACE_ALIKE "eth0.4094-guess"

#define BEGIN "version: 1\nservices:\n"
#define SERVICE(name, protocol, ports, where, target) \
	"  - name: " name "\n" \
	"    protocol: " protocol "\n" \
	"    ports: [" ports "]\n" where "    tag: { offset: 0, length: 4 }\n" \
	"    size: { min: 4, max: 1400 }\n" \
	"    invalid: drop\n" \
	"    unknown: drop\n" \
	"    entities:\n" \
	"      - { tag: \"ABCD\", target: " target " }\n"
#define TO(prefixes) "    daddr: [" prefixes "]\n"
#define FROM(prefixes) "    saddr: [" prefixes "]\n"
#define ON "    interface: " IFACE "\n"
#define SEGMENT "    tcp: segment\n"

/* Text of any length, for the sets that are generated. */
struct text {
	char *s;
	size_t len, room;
};

static void append(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void append(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->room < t->len + 4096) {
		t->room = 2 * t->room + 4096;
		t->s = realloc(t->s, t->room);
		if (!t->s)
			abort();
	}
	va_start(ap, fmt);
	n = vsnprintf(t->s + t->len, t->room - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->room - t->len)
		abort();
	t->len += (size_t)n;
}

/* 16 ports each; TCP's are outside the range that connections of the host itself may have. */
static const char sixteen_ports[] = BEGIN SERVICE(
	"udp16", "udp",
	"1, 53, 80, 255, 256, 4999, 5000, 5001, 32767, 32768, 40000, 49152, 61000, 65533, 65534, 65535",
	"", "6001")
	SERVICE("tcp16", "tcp",
		"65535, 65534, 65533, 65000, 61001, 61000, 32767, 32766, 5001, 5000, 4999, 256, 255, 80, 53, 1",
		SEGMENT, "6002") SERVICE("other", "any", "2", SEGMENT, "6003");

static void ports(void)
{
	static const uint16_t in[2][16] = {
		{1, 53, 80, 255, 256, 4999, 5000, 5001, 32767, 32768, 40000, 49152, 61000, 65533,
		 65534, 65535},
		{1, 53, 80, 255, 256, 4999, 5000, 5001, 32766, 32767, 61000, 61001, 65000, 65533,
		 65534, 65535},
	};
	static const uint16_t out[2][16] = {
		{0, 3, 52, 54, 79, 81, 254, 257, 4998, 5002, 6001, 32766, 32769, 61001, 65532,
		 0x8813},
		{0, 3, 52, 54, 79, 81, 254, 257, 4998, 5002, 6002, 32765, 32768, 61002, 65532,
		 0x8813},
	};

	for (int ip = 4; ip <= 6; ip += 2)
		for (int l4 = UDP; l4 <= TCP; l4++) {
			const char *name = l4 ? "tcp" : "udp";

			for (size_t i = 0; i < 16; i++) {
				struct vector v = {.set = sixteen_ports,
						   REWRITTEN(l4 ? "tcp16" : "udp16", 6001 + l4)};
				struct vector u = {.set = sixteen_ports, NOT_OURS("no_service")};

				v.f = (struct frame){.ip = (uint8_t)ip,
						     .l4 = (enum l4)l4,
						     .dport = OPT(in[l4][i])};
				vector_add(&v, "service/16 ports v%d %s: %u", ip, name, in[l4][i]);
				u.f = (struct frame){.ip = (uint8_t)ip,
						     .l4 = (enum l4)l4,
						     .sport = OPT(5000),
						     .dport = OPT(out[l4][i])};
				vector_add(&u, "service/16 ports v%d %s: not %u", ip, name,
					   out[l4][i]);
			}
			struct vector u = {.set = sixteen_ports, REWRITTEN("other", 6003)};

			u.f = (struct frame){.ip = (uint8_t)ip, .l4 = (enum l4)l4, .dport = OPT(2)};
			vector_add(&u, "service/16 ports v%d %s: 2 is another's", ip, name);
		}
}

/* One port shared by a service for each protocol, another by any and one, a third by one alone. */
static const char by_protocol[] = BEGIN SERVICE("u", "udp", "5000", "", "6001") SERVICE(
	"t", "tcp", "5000", SEGMENT, "6002") SERVICE("a-first", "any", "5001", SEGMENT, "6003")
	SERVICE("u-over-a", "udp", "5001", "", "6004")
		SERVICE("t-over-a", "tcp", "5002", SEGMENT, "6005")
			SERVICE("a-last", "any", "5002", SEGMENT, "6006")
				SERVICE("u-alone", "udp", "5003", "", "6007")
					SERVICE("t-alone", "tcp", "5004", SEGMENT, "6008")
						SERVICE("a3", "any", "5005", SEGMENT, "6009")
							SERVICE("u3", "udp", "5005", "", "6010")
								SERVICE("t3", "tcp", "5005",
									SEGMENT, "6011");

static void protocols(void)
{
	const struct vector t[] = {
		{"udp and tcp, udp", by_protocol, .f = {.dport = OPT(5000)}, REWRITTEN("u", 6001)},
		{"udp and tcp, tcp", by_protocol, .f = {.dport = OPT(5000), .l4 = TCP},
		 REWRITTEN("t", 6002)},
		{"any then udp, udp", by_protocol, .f = {.dport = OPT(5001)},
		 REWRITTEN("u-over-a", 6004)},
		{"any then udp, tcp", by_protocol, .f = {.dport = OPT(5001), .l4 = TCP},
		 REWRITTEN("a-first", 6003)},
		{"tcp then any, tcp", by_protocol, .f = {.dport = OPT(5002), .l4 = TCP},
		 REWRITTEN("t-over-a", 6005)},
		{"tcp then any, udp", by_protocol, .f = {.dport = OPT(5002)},
		 REWRITTEN("a-last", 6006)},
		{"udp alone, udp", by_protocol, .f = {.dport = OPT(5003)},
		 REWRITTEN("u-alone", 6007)},
		{"udp alone, tcp", by_protocol, .f = {.dport = OPT(5003), .l4 = TCP},
		 NOT_OURS("no_service")},
		{"udp alone, tcp without payload", by_protocol,
		 .f = {.dport = OPT(5003), .l4 = TCP, .payload = OPT(0)}, NOT_OURS("no_service")},
		{"udp alone, malformed tcp", by_protocol,
		 .f = {.dport = OPT(5003), .l4 = TCP, .doff_field = OPT(0)},
		 NOT_OURS("malformed_l4")},
		{"udp alone, malformed udp", by_protocol,
		 .f = {.dport = OPT(5003), .udp_len = OPT(0)}, DROPPED("malformed_l4", "u-alone")},
		{"tcp alone, tcp", by_protocol, .f = {.dport = OPT(5004), .l4 = TCP},
		 REWRITTEN("t-alone", 6008)},
		{"tcp alone, udp", by_protocol, .f = {.dport = OPT(5004)}, NOT_OURS("no_service")},
		{"tcp alone, malformed udp", by_protocol,
		 .f = {.dport = OPT(5004), .udp_len = OPT(0)}, NOT_OURS("malformed_l4")},
		{"tcp alone, malformed tcp", by_protocol,
		 .f = {.dport = OPT(5004), .l4 = TCP, .doff_field = OPT(0)},
		 DROPPED("malformed_l4", "t-alone")},
		{"tcp alone, a fragment of tcp", by_protocol,
		 .f = {.dport = OPT(5004),
		       .l4 = TCP,
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)}},
		 NOT_OURS("tcp_fragment")},
		{"all three, udp", by_protocol, .f = {.dport = OPT(5005)}, REWRITTEN("u3", 6010)},
		{"all three, tcp", by_protocol, .f = {.dport = OPT(5005), .l4 = TCP},
		 REWRITTEN("t3", 6011)},
		{"none", by_protocol, .f = {.dport = OPT(5006)}, NOT_OURS("no_service")},
	};

	vector_table46("service/protocol: ", t, ARRAY_SIZE(t));
}

/* One service for each prefix, each with a port of its own: 5000 + its place in this table. */
static const struct prefix {
	const char *prefix;
	int ip;
	const char *in[4], *out[4];
} prefixes[] = {
	{"0.0.0.0/0", 4, {"0.0.0.0", "127.255.255.255", "128.0.0.0", "255.255.255.255"}, {NULL}},
	{"0.0.0.0/1",
	 4,
	 {"0.0.0.1", "10.1.2.3", "127.255.255.255"},
	 {"128.0.0.0", "255.255.255.255"}},
	{"128.0.0.0/1",
	 4,
	 {"128.0.0.0", "192.0.2.9", "255.255.255.255"},
	 {"127.255.255.255", "0.0.0.128"}},
	{"10.0.0.0/8",
	 4,
	 {"10.0.0.0", "10.255.255.255"},
	 {"9.255.255.255", "11.0.0.0", "0.0.0.10"}},
	{"172.16.0.0/12", 4, {"172.16.0.0", "172.31.255.255"}, {"172.15.255.255", "172.32.0.0"}},
	{"192.0.2.0/24",
	 4,
	 {"192.0.2.0", "192.0.2.255"},
	 {"192.0.1.255", "192.0.3.0", "193.0.2.1"}},
	{"192.0.2.128/25", 4, {"192.0.2.128", "192.0.2.255"}, {"192.0.2.127", "192.0.3.128"}},
	{"192.0.2.8/31", 4, {"192.0.2.8", "192.0.2.9"}, {"192.0.2.7", "192.0.2.10"}},
	{"192.0.2.9/32", 4, {"192.0.2.9"}, {"192.0.2.8", "192.0.2.10", "9.2.0.192", "64.0.2.9"}},
	{"0.0.0.0/32", 4, {"0.0.0.0"}, {"0.0.0.1", "128.0.0.0"}},
	{"::/0",
	 6,
	 {"::", "2001:db8::9", "::ffff:192.0.2.9", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	 {NULL}},
	{"::/1", 6, {"::", "2001:db8::9", "7fff::1"}, {"8000::", "fe80::1"}},
	{"8000::/1", 6, {"8000::", "fe80::1"}, {"7fff:ffff::", "::8000"}},
	{"2001:db8::/32",
	 6,
	 {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
	 {"2001:db7:ffff::", "2001:db9::", "2002:db8::"}},
	{"2001:db8:8000::/33",
	 6,
	 {"2001:db8:8000::", "2001:db8:ffff::1"},
	 {"2001:db8:7fff::", "2001:db9:8000::"}},
	{"2001:db8:1:2::/63",
	 6,
	 {"2001:db8:1:2::", "2001:db8:1:3::"},
	 {"2001:db8:1:1::", "2001:db8:1:4::"}},
	{"2001:db8:1:2::/64",
	 6,
	 {"2001:db8:1:2::", "2001:db8:1:2:ffff:ffff:ffff:ffff"},
	 {"2001:db8:1:1:ffff::", "2001:db8:1:3::", "2001:db8:0:2::"}},
	{"2001:db8:1:2:8000::/65",
	 6,
	 {"2001:db8:1:2:8000::", "2001:db8:1:2:ffff::9"},
	 {"2001:db8:1:2:7fff::", "2001:db8:1:3:8000::"}},
	{"2001:db8::9:0:0/96",
	 6,
	 {"2001:db8::9:0:0", "2001:db8::9:ffff:ffff"},
	 {"2001:db8::8:ffff:ffff", "2001:db8::a:0:0"}},
	{"2001:db8::8/127", 6, {"2001:db8::8", "2001:db8::9"}, {"2001:db8::7", "2001:db8::a"}},
	{"2001:db8::9/128",
	 6,
	 {"2001:db8::9"},
	 {"2001:db8::8", "2001:db8::a", "a001:db8::9", "2001:db8:0:0:8000::9"}},
	{"::/128", 6, {"::"}, {"::1", "8000::"}},
};

static const char *prefix_set(const char *key)
{
	struct text t = {0};

	append(&t, BEGIN);
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		append(&t,
		       "  - name: p%zu\n"
		       "    protocol: any\n"
		       "    ports: [%zu]\n"
		       "    %s: [\"%s\"]\n"
		       "    tag: { offset: 0, length: 4 }\n"
		       "    size: { min: 4, max: 1400 }\n"
		       "    invalid: drop\n"
		       "    unknown: drop\n"
		       "    tcp: segment\n"
		       "    entities: [ { tag: \"ABCD\", target: %zu } ]\n",
		       i, 5000 + i, key, prefixes[i].prefix, 6000 + i);
	return t.s;
}

static void add_prefix(const char *set, const char *key, size_t i, int ip, const char *address,
		       int matches)
{
	static char names[ARRAY_SIZE(prefixes)][8];
	struct vector v = {.set = set,
			   .f = {.ip = (uint8_t)ip, .dport = OPT(5000 + i)},
			   NOT_OURS("no_service")};

	snprintf(names[i], sizeof(names[i]), "p%zu", i);
	if (matches) {
		v.reason = v.verdict = "rewritten";
		v.service = names[i];
		v.port = (uint16_t)(6000 + i);
	}
	for (int l4 = UDP; l4 <= TCP; l4++) {
		v.f.l4 = (enum l4)l4;
		if (key[0] == 'd')
			v.f.dst = address;
		else
			v.f.src = address;
		vector_add(&v, "service/%s %s %s: %s %s", key, prefixes[i].prefix,
			   matches ? "is" : "is not", address, l4 ? "tcp" : "udp");
	}
}

static void prefix_lengths(const char *key)
{
	const char *set = prefix_set(key);

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		const struct prefix *p = &prefixes[i];

		for (size_t j = 0; j < 4 && p->in[j]; j++)
			add_prefix(set, key, i, p->ip, p->in[j], 1);
		for (size_t j = 0; j < 4 && p->out[j]; j++)
			add_prefix(set, key, i, p->ip, p->out[j], 0);
		/* the other family's packets are in no prefix of this one, not even in the one of
		 * length 0 */
		if (p->ip == 4) {
			static char text[ARRAY_SIZE(prefixes)][3][64];

			snprintf(text[i][0], sizeof(text[i][0]), "::ffff:%s", p->in[0]);
			snprintf(text[i][1], sizeof(text[i][1]), "64:ff9b::%s", p->in[0]);
			add_prefix(set, key, i, 6, text[i][0], 0);
			add_prefix(set, key, i, 6, text[i][1], 0);
			if (!strcmp(p->prefix, "192.0.2.9/32")) /* the same 32 bits, in front */
				add_prefix(set, key, i, 6, "c000:209::", 0);
		} else {
			add_prefix(set, key, i, 4, "0.0.0.0", 0);
			add_prefix(set, key, i, 4, "32.1.13.184", 0); /* 2001:db8 */
		}
	}
	/* the address of the other direction decides nothing */
	struct vector v = {.set = set, .f = {.dport = OPT(5008)}, NOT_OURS("no_service")};

	if (key[0] == 'd') {
		v.f.src = "192.0.2.9";
		v.f.dst = "198.51.100.7";
	} else {
		v.f.dst = "192.0.2.9";
		v.f.src = "198.51.100.7";
	}
	vector_add(&v, "service/%s 192.0.2.9/32 is not: 192.0.2.9 the other way", key);
	v.f.udp_len = OPT(3);
	v.reason = "malformed_l4";
	vector_add(&v, "service/%s 192.0.2.9/32 is not: 192.0.2.9 the other way, malformed", key);
}

/* 8 prefixes of either kind, both families mixed. */
static const char eight_prefixes[] = BEGIN SERVICE(
	"eight", "any", "5000",
	TO("10.0.0.0/8, 192.0.2.1/32, 192.0.2.3/32, 203.0.113.64/26, \"2001:db8:1::/48\", \"2001:db8:2::5/128\", "
	   "\"fe80::/10\", \"ff02::/16\"")
		FROM("198.51.100.0/24, 100.64.0.0/10, 172.16.0.1/32, 172.16.0.2/31, \"2001:db8:f::/48\", \"fd00::/8\", "
		     "\"2001:db8:e::1/128\", \"2001:db8:e::2/127\"") SEGMENT,
	"6001");

static void eight(void)
{
	static const struct {
		int ip;
		const char *to[5], *from[5], *not_to[5], *not_from[5];
	} family[] = {
		{4,
		 {"10.9.8.7", "192.0.2.1", "192.0.2.3", "203.0.113.127"},
		 {"198.51.100.200", "100.127.0.1", "172.16.0.1", "172.16.0.3"},
		 {"11.9.8.7", "192.0.2.2", "203.0.113.128", "198.51.100.200"},
		 {"198.51.101.1", "100.128.0.1", "172.16.0.4", "10.9.8.7"}},
		{6,
		 {"2001:db8:1:9::9", "2001:db8:2::5", "febf::1", "ff02::1"},
		 {"2001:db8:f:1::1", "fdff::1", "2001:db8:e::1", "2001:db8:e::3"},
		 {"2001:db8:2::4", "2001:db8:3::", "fec0::1", "ff03::1"},
		 {"2001:db8:10::1", "fe00::1", "2001:db8:e::4", "::ffff:198.51.100.200"}},
	};

	for (size_t k = 0; k < ARRAY_SIZE(family); k++)
		for (size_t i = 0; i < 4; i++)
			for (size_t j = 0; j < 4; j++) {
				struct vector v = {.set = eight_prefixes,
						   .f = {.ip = (uint8_t)family[k].ip,
							 .dst = family[k].to[i],
							 .src = family[k].from[j]},
						   REWRITTEN("eight", 6001)};
				struct vector u = {
					.set = eight_prefixes, .f = v.f, NOT_OURS("no_service")};

				vector_add(&v, "service/8 prefixes: %s from %s", v.f.dst, v.f.src);
				u.f.dst = family[k].not_to[i];
				vector_add(&u, "service/8 prefixes: not %s from %s", u.f.dst,
					   u.f.src);
				u.f.dst = family[k].to[i];
				u.f.src = family[k].not_from[j];
				vector_add(&u, "service/8 prefixes: %s from not %s", u.f.dst,
					   u.f.src);
			}
}

/* Nested prefixes, written from short to long for destinations and from long to short for sources.
 */
static const char nested[] = BEGIN SERVICE("d-any", "udp", "5000", "", "6000") SERVICE(
	"d-4-8", "udp", "5000", TO("192.0.0.0/8"),
	"6008") SERVICE("d-4-24", "udp", "5000", TO("192.0.2.0/24"),
			"6024") SERVICE("d-4-31", "udp", "5000", TO("192.0.2.8/31"),
					"6031") SERVICE("d-4-32", "udp", "5000", TO("192.0.2.9/32"),
							"6032") SERVICE("d-6-32", "udp", "5000",
									TO("\"2001:db8::/32\""),
									"6132")
	SERVICE("d-6-64", "udp", "5000", TO("\"2001:db8:1:2::/64\""), "6164") SERVICE(
		"d-6-127", "udp", "5000", TO("\"2001:db8:1:2::8/127\""),
		"6227") SERVICE("d-6-128", "udp", "5000", TO("\"2001:db8:1:2::9/128\""),
				"6228") SERVICE("s-6-128", "udp", "5001",
						FROM("\"2001:db8:1:2::9/128\""), "7228")
		SERVICE("s-6-127", "udp", "5001", FROM("\"2001:db8:1:2::8/127\""), "7227") SERVICE(
			"s-6-64", "udp", "5001", FROM("\"2001:db8:1:2::/64\""),
			"7164") SERVICE("s-6-32", "udp", "5001", FROM("\"2001:db8::/32\""), "7132")
			SERVICE("s-4-32", "udp", "5001", FROM("192.0.2.9/32"), "7032") SERVICE(
				"s-4-31", "udp", "5001", FROM("192.0.2.8/31"), "7031")
				SERVICE("s-4-24", "udp", "5001", FROM("192.0.2.0/24"), "7024")
					SERVICE("s-4-8", "udp", "5001", FROM("192.0.0.0/8"), "7008")
						SERVICE("s-any", "udp", "5001", "", "7000");

static void nesting(void)
{
	static const struct {
		int ip;
		const char *address, *to, *from;
		uint16_t to_port, from_port;
	} t[] = {
		{4, "192.0.2.9", "d-4-32", "s-4-32", 6032, 7032},
		{4, "192.0.2.8", "d-4-31", "s-4-31", 6031, 7031},
		{4, "192.0.2.10", "d-4-24", "s-4-24", 6024, 7024},
		{4, "192.0.3.9", "d-4-8", "s-4-8", 6008, 7008},
		{4, "193.0.2.9", "d-any", "s-any", 6000, 7000},
		{6, "2001:db8:1:2::9", "d-6-128", "s-6-128", 6228, 7228},
		{6, "2001:db8:1:2::8", "d-6-127", "s-6-127", 6227, 7227},
		{6, "2001:db8:1:2::a", "d-6-64", "s-6-64", 6164, 7164},
		{6, "2001:db8:1:3::9", "d-6-32", "s-6-32", 6132, 7132},
		{6, "2001:db9:1:2::9", "d-any", "s-any", 6000, 7000},
		{6, "::ffff:192.0.2.9", "d-any", "s-any", 6000, 7000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct vector v = {.set = nested,
				   .f = {.ip = (uint8_t)t[i].ip, .dst = t[i].address},
				   REWRITTEN(t[i].to, t[i].to_port)};
		struct vector u = {
			.set = nested,
			.f = {.ip = (uint8_t)t[i].ip, .src = t[i].address, .dport = OPT(5001)},
			REWRITTEN(t[i].from, t[i].from_port)};

		vector_add(&v, "service/nested: to %s", t[i].address);
		vector_add(&u, "service/nested: from %s", t[i].address);
		/* the service that won decides alone: what it does not know, no other is asked for
		 */
		v.f.tag = u.f.tag = "ZZZZ";
		v.reason = u.reason = "unknown_tag";
		v.verdict = u.verdict = "dropped";
		v.port = u.port = 0;
		vector_add(&v, "service/nested: to %s, unknown tag", t[i].address);
		vector_add(&u, "service/nested: from %s, unknown tag", t[i].address);
	}
}

/*
 * Each rule against the ones after it. Ports: 5000 destination over source, 5001 source among equal
 * destinations, 5002 destination over protocol, 5003 source over protocol, 5004 the length that
 * counts is that of the prefix that matches, 5005 destination over all the rest, 5006 the winner
 * by prefix does not match otherwise.
 */
static const char precedence[] = BEGIN SERVICE(
	"dst8", "udp", "5000", TO("192.0.0.0/8"),
	"6001") SERVICE("src32", "udp", "5000", FROM("198.51.100.7/32"),
			"6002") SERVICE("d24", "udp", "5001", TO("192.0.2.0/24"),
					"6003") SERVICE("d24-s8", "udp", "5001",
							TO("192.0.2.0/24") FROM("198.0.0.0/8"),
							"6004") SERVICE("d24-s24", "udp", "5001",
									TO("192.0.2.0/24") FROM(
										"198.51.100.0/24"),
									"6005")
	SERVICE("d16-s32", "udp", "5001", TO("192.0.0.0/16") FROM("198.51.100.7/32"), "6006") SERVICE(
		"udp-all", "udp", "5002", "", "6007") SERVICE("any-dst", "any", "5002",
							      TO(
								      "192.0.0.0/8") SEGMENT,
							      "6008") SERVICE("udp-all-3",
									      "udp", "5003", "",
									      "6009") SERVICE("any-src",
											      "any", "5003",
											      FROM("198.0.0.0/8") SEGMENT,
											      "6010")
		SERVICE("8-and-32", "udp", "5004", TO("10.0.0.0/8, 192.0.2.9/32"), "6011") SERVICE(
			"one-16", "udp", "5004",
			TO("10.1.0.0/16, 192.0.2.8/31"), "6012") SERVICE("udp-d8-s32", "udp",
									 "5005",
									 TO("192.0.0.0/8") FROM(
										 "198.51.100.7/32"),
									 "6013")
			SERVICE("any-d9", "any", "5005", TO("192.0.0.0/9") SEGMENT, "6014") SERVICE(
				"d32-s32", "udp", "5006",
				TO("192.0.2.9/32") FROM("198.51.100.8/32"),
				"6015") SERVICE("d8", "udp", "5006", TO("192.0.0.0/8"), "6016")
				SERVICE("d32-tcp", "tcp", "5006", TO("192.0.2.9/32") SEGMENT, "6017") SERVICE(
					"s-8-and-32", "udp", "5007",
					FROM("198.51.101.1/32, 198.0.0.0/8"),
					"6018") SERVICE("s-16", "udp", "5007", FROM("198.51.0.0/16"), "6019")
					SERVICE("6-d32", "udp", "5008", TO("\"2001:db8::/32\""), "6020") SERVICE(
						"6-s128", "udp", "5008",
						FROM("\"2001:db8::7/128\""), "6021")
						SERVICE("6-any-d33", "any", "5008",
							TO("\"2001:db8::/33\"")
								SEGMENT,
							"6022")
							SERVICE("mixed-4-8", "udp", "5009",
								TO("192.0.0.0/8, \"2001:db8::9/128\""),
								"6023")
								SERVICE("mixed-4-16", "udp", "5009",
									TO("192.0.0.0/16, \"2001:db8::/64\""),
									"6024");

/* Each port has one service with a destination of its own: it is not looked for beyond the port. */
static const char neighbours[] = BEGIN SERVICE("one", "udp", "5000", TO("192.0.2.0/24"), "6001")
	SERVICE("two", "udp", "5001", TO("193.0.2.0/24"), "6002")
		SERVICE("three", "udp", "5002", FROM("198.51.100.0/24") TO("194.0.2.0/24"), "6003");

static void beside(void)
{
	static const struct {
		const char *dst, *service;
	} of[] = {{"192.0.2.9", "one"}, {"193.0.2.9", "two"}, {"194.0.2.9", "three"}};

	for (uint16_t port = 0; port < 3; port++)
		for (uint16_t dst = 0; dst < 3; dst++) {
			struct vector v = {.set = neighbours,
					   .f = {.dport = OPT(5000 + port), .dst = of[dst].dst},
					   NOT_OURS("no_service")};

			if (port == dst) {
				v.reason = v.verdict = "rewritten";
				v.service = of[port].service;
				v.port = 6001 + port;
			}
			vector_add(&v, "service/beside: port of %s, destination of %s",
				   of[port].service, of[dst].service);
		}
}

/* 64 prefixes of one length, which differ in one place, among 8 services: every one is found. */
#define CROWD 8
static const struct crowd {
	const char *name, *key, *prefix, *address; /* by number, 0 to 63 */
	int ip;
} crowds[] = {
	{"v4 destinations", "daddr", "10.0.%u.0/24", "10.0.%u.9", 4},
	{"v4 sources", "saddr", "10.0.%u.0/24", "10.0.%u.9", 4},
	{"v6 /64 destinations", "daddr", "'2001:db8:0:%x::/64'", "2001:db8:0:%x::9", 6},
	{"v6 /64 sources", "saddr", "'2001:db8:0:%x::/64'", "2001:db8:0:%x::9", 6},
	{"v6 /128 destinations", "daddr", "'2001:db8::%x/128'", "2001:db8::%x", 6},
	{"v6 /128 sources", "saddr", "'2001:db8::%x/128'", "2001:db8::%x", 6},
};

static char *numbered(const char *fmt, unsigned n) __attribute__((format(printf, 1, 0)));
static char *numbered(const char *fmt, unsigned n)
{
	struct text t = {0};

	append(&t, fmt, n);
	return t.s;
}

static void crowded(const struct crowd *c)
{
	static const char *const services[CROWD] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};
	struct text t = {0};

	append(&t, BEGIN);
	for (unsigned s = 0; s < CROWD; s++) {
		append(&t, "  - name: %s\n    protocol: udp\n    ports: [5000]\n    %s: [",
		       services[s], c->key);
		for (unsigned i = 0; i < 8; i++)
			append(&t, "%s%s", numbered(c->prefix, 8 * i + s), i < 7 ? ", " : "]\n");
		append(&t,
		       "    tag: { offset: 0, length: 4 }\n    size: { min: 4, max: 1400 }\n"
		       "    entities: [ { tag: \"ABCD\", target: %u } ]\n",
		       6001 + s);
	}
	for (unsigned i = 0; i < 8 * CROWD; i++) {
		struct vector v = {.set = t.s,
				   .f.ip = (uint8_t)c->ip,
				   REWRITTEN(services[i % CROWD], 6001 + i % CROWD)};

		*(c->key[0] == 'd' ? &v.f.dst : &v.f.src) = numbered(c->address, i);
		vector_add(&v, "service/crowd of %s: %u", c->name, i);
	}
}

/* The same with interfaces, which differ at either end of their names. A load for each that is
 * tried. */
static void crowded_interfaces(const char *what, const char *fmt)
{
	static const unsigned some[] = {0, 3, 5, 7};
	static const char *const services[CROWD] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};
	struct text t = {0};

	append(&t, BEGIN);
	for (unsigned s = 0; s < CROWD; s++)
		append(&t,
		       "  - name: %s\n    protocol: udp\n    ports: [5000]\n    interface: %s\n"
		       "    tag: { offset: 0, length: 4 }\n    size: { min: 4, max: 1400 }\n"
		       "    entities: [ { tag: \"ABCD\", target: %u } ]\n",
		       services[s], numbered(fmt, s), 6001 + s);
	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		struct vector v = {.set = t.s,
				   .ifname = numbered(fmt, some[i]),
				   REWRITTEN(services[some[i]], 6001 + some[i])};

		vector_add(&v, "service/crowd of interfaces, %s: %u", what, some[i]);
	}
}

static void rules(void)
{
	const struct vector t[] = {
		{"destination /8 over source /32", precedence, .f.dport = OPT(5000),
		 REWRITTEN("dst8", 6001)},
		{"source /32 where the destination is outside", precedence,
		 .f = {.dport = OPT(5000), .dst = "193.0.2.9"}, REWRITTEN("src32", 6002)},
		{"neither destination nor source", precedence,
		 .f = {.dport = OPT(5000), .dst = "193.0.2.9", .src = "198.51.100.8"},
		 NOT_OURS("no_service")},
		{"equal destinations, source /24", precedence, .f.dport = OPT(5001),
		 REWRITTEN("d24-s24", 6005)},
		{"equal destinations, source /8", precedence,
		 .f = {.dport = OPT(5001), .src = "198.51.101.7"}, REWRITTEN("d24-s8", 6004)},
		{"equal destinations, source of none", precedence,
		 .f = {.dport = OPT(5001), .src = "199.51.100.7"}, REWRITTEN("d24", 6003)},
		{"shorter destination with the source", precedence,
		 .f = {.dport = OPT(5001), .dst = "192.0.3.9"}, REWRITTEN("d16-s32", 6006)},
		{"shorter destination without the source", precedence,
		 .f = {.dport = OPT(5001), .dst = "192.0.3.9", .src = "198.51.100.8"},
		 NOT_OURS("no_service")},
		{"destination over exact protocol", precedence, .f.dport = OPT(5002),
		 REWRITTEN("any-dst", 6008)},
		{"exact protocol outside the destination", precedence,
		 .f = {.dport = OPT(5002), .dst = "193.0.2.9"}, REWRITTEN("udp-all", 6007)},
		{"tcp outside the destination", precedence,
		 .f = {.l4 = TCP, .dport = OPT(5002), .dst = "193.0.2.9"}, NOT_OURS("no_service")},
		{"tcp in the destination", precedence, .f = {.l4 = TCP, .dport = OPT(5002)},
		 REWRITTEN("any-dst", 6008)},
		{"source over exact protocol", precedence, .f.dport = OPT(5003),
		 REWRITTEN("any-src", 6010)},
		{"exact protocol outside the source", precedence,
		 .f = {.dport = OPT(5003), .src = "199.51.100.7"}, REWRITTEN("udp-all-3", 6009)},
		{"the /16 that matches over the /8 that does, in spite of a /32", precedence,
		 .f = {.dport = OPT(5004), .dst = "10.1.2.3"}, REWRITTEN("one-16", 6012)},
		{"the /8 outside the /16", precedence, .f = {.dport = OPT(5004), .dst = "10.2.2.3"},
		 REWRITTEN("8-and-32", 6011)},
		{"the /32 over the /31", precedence, .f.dport = OPT(5004),
		 REWRITTEN("8-and-32", 6011)},
		{"the /31 beside the /32", precedence,
		 .f = {.dport = OPT(5004), .dst = "192.0.2.8"}, REWRITTEN("one-16", 6012)},
		{"none of four prefixes", precedence, .f = {.dport = OPT(5004), .dst = "192.0.2.7"},
		 NOT_OURS("no_service")},
		{"destination /9 over /8 with source /32 and protocol", precedence,
		 .f.dport = OPT(5005), REWRITTEN("any-d9", 6014)},
		{"outside the /9 the /8", precedence,
		 .f = {.dport = OPT(5005), .dst = "192.128.0.1"}, REWRITTEN("udp-d8-s32", 6013)},
		{"outside the /9, another source", precedence,
		 .f = {.dport = OPT(5005), .dst = "192.128.0.1", .src = "198.51.100.8"},
		 NOT_OURS("no_service")},
		{"a /32 with another source, and of another protocol, is no match", precedence,
		 .f.dport = OPT(5006), REWRITTEN("d8", 6016)},
		{"the /32 with its source", precedence,
		 .f = {.dport = OPT(5006), .src = "198.51.100.8"}, REWRITTEN("d32-s32", 6015)},
		{"the /32 of its protocol", precedence, .f = {.l4 = TCP, .dport = OPT(5006)},
		 REWRITTEN("d32-tcp", 6017)},
		{"tcp outside the /32", precedence,
		 .f = {.l4 = TCP, .dport = OPT(5006), .dst = "192.0.2.8"}, NOT_OURS("no_service")},
		{"source /16 over /8, in spite of a /32", precedence, .f.dport = OPT(5007),
		 REWRITTEN("s-16", 6019)},
		{"source /8 outside the /16", precedence,
		 .f = {.dport = OPT(5007), .src = "198.52.0.1"}, REWRITTEN("s-8-and-32", 6018)},
		{"source /32 over /16", precedence,
		 .f = {.dport = OPT(5007), .src = "198.51.101.1"}, REWRITTEN("s-8-and-32", 6018)},
		{"IPv6: destination /33 of any over /32 and source /128 of udp", precedence,
		 .f = {.ip = 6, .dport = OPT(5008)}, REWRITTEN("6-any-d33", 6022)},
		{"IPv6: destination /32 over source /128", precedence,
		 .f = {.ip = 6, .dport = OPT(5008), .dst = "2001:db8:8000::9"},
		 REWRITTEN("6-d32", 6020)},
		{"IPv6: source /128 outside the destination", precedence,
		 .f = {.ip = 6, .dport = OPT(5008), .dst = "2001:db9::9"},
		 REWRITTEN("6-s128", 6021)},
		{"IPv6: none", precedence,
		 .f = {.ip = 6, .dport = OPT(5008), .dst = "2001:db9::9", .src = "2001:db8::8"},
		 NOT_OURS("no_service")},
		{"IPv6 prefixes do not match IPv4", precedence, .f.dport = OPT(5008),
		 NOT_OURS("no_service")},
		{"mixed families: IPv4 /16 over /8, in spite of a /128", precedence,
		 .f.dport = OPT(5009), REWRITTEN("mixed-4-16", 6024)},
		{"mixed families: IPv6 /128 over /64", precedence,
		 .f = {.ip = 6, .dport = OPT(5009)}, REWRITTEN("mixed-4-8", 6023)},
		{"mixed families: IPv6 /64", precedence,
		 .f = {.ip = 6, .dport = OPT(5009), .dst = "2001:db8::8"},
		 REWRITTEN("mixed-4-16", 6024)},
		{"malformed: the same service decides", precedence,
		 .f = {.dport = OPT(5004), .udp_len = OPT(0)}, DROPPED("malformed_l4", "8-and-32")},
		{"malformed: none decides", precedence,
		 .f = {.dport = OPT(5004), .dst = "192.0.2.7", .udp_len = OPT(0)},
		 NOT_OURS("malformed_l4")},
		{"first fragment: the same service decides", precedence,
		 .f = {.dport = OPT(5004), .frag = OPT(IP4_MF), .keep = OPT(24)},
		 REWRITTEN("8-and-32", 6011)},
	};

	vector_table("service/precedence: ", t, ARRAY_SIZE(t));
}

/*
 * Interfaces. 5000: one that names it, alone; 5001: over one that does not, in spite of the
 * protocol; 5002: a source prefix over it; 5003: a destination prefix over it; 5004: among equal
 * prefixes; 5005: among equal protocols.
 */
static const char interfaces[] = BEGIN SERVICE("alone", "any", "5000", ON SEGMENT, "6001") SERVICE(
	"udp-any-if", "udp", "5001", "", "6002") SERVICE("any-on-if", "any", "5001", ON SEGMENT,
							 "6003") SERVICE("on-if-2", "udp", "5002",
									 ON, "6004")
	SERVICE("any-src1", "any", "5002", FROM("128.0.0.0/1, \"::/1\"") SEGMENT, "6005") SERVICE(
		"on-if-3", "udp", "5003", ON FROM("198.51.100.7/32, \"2001:db8::7/128\""), "6006")
		SERVICE("any-dst1", "any", "5003", TO("128.0.0.0/1, \"::/1\"") SEGMENT, "6007")
			SERVICE("prefix", "udp", "5004", TO("192.0.2.0/24, \"2001:db8::/64\""),
				"6008") SERVICE("prefix-on-if", "udp", "5004",
						TO("192.0.2.0/24, \"2001:db8::/64\"") ON, "6009")
				SERVICE("plain", "udp", "5005", "", "6010")
					SERVICE("plain-on-if", "udp", "5005", ON, "6011");

static void by_interface(void)
{
	static const struct {
		const char *name, *ifname;
		int is_it;
	} ifaces[] = {
		{"on it", IFACE, 1}, {"on another", NULL, 0}, {"on one alike", IFACE_ALIKE, 0}};
	static const struct {
		const char *name;
		uint16_t dport;
		enum l4 l4;
		const char *on, *off; /* the service on the interface, and on another */
		uint16_t on_port, off_port;
	} t[] = {
		{"alone, udp", 5000, UDP, "alone", NULL, 6001, 0},
		{"alone, tcp", 5000, TCP, "alone", NULL, 6001, 0},
		{"interface over protocol, udp", 5001, UDP, "any-on-if", "udp-any-if", 6003, 6002},
		{"interface over protocol, tcp", 5001, TCP, "any-on-if", NULL, 6003, 0},
		{"source /1 over interface and protocol, udp", 5002, UDP, "any-src1", "any-src1",
		 6005, 6005},
		{"source /1 over interface and protocol, tcp", 5002, TCP, "any-src1", "any-src1",
		 6005, 6005},
		{"destination /1 over source and interface and protocol, udp", 5003, UDP,
		 "any-dst1", "any-dst1", 6007, 6007},
		{"destination /1 over source and interface and protocol, tcp", 5003, TCP,
		 "any-dst1", "any-dst1", 6007, 6007},
		{"equal prefixes", 5004, UDP, "prefix-on-if", "prefix", 6009, 6008},
		{"equal protocols", 5005, UDP, "plain-on-if", "plain", 6011, 6010},
		{"equal protocols, not tcp", 5005, TCP, NULL, NULL, 0, 0},
		{"no service", 5006, UDP, NULL, NULL, 0, 0},
	};

	/* all on the one, then all on the next: a change costs a load */
	for (size_t n = 0; n < ARRAY_SIZE(ifaces); n++)
		for (int ip = 4; ip <= 6; ip += 2)
			for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
				int on = ifaces[n].is_it;
				struct vector v = {.set = interfaces,
						   .ifname = ifaces[n].ifname,
						   NOT_OURS("no_service")};

				v.f.ip = (uint8_t)ip;
				v.f.l4 = t[i].l4;
				v.f.dport = OPT(t[i].dport);
				v.service = on ? t[i].on : t[i].off;
				if (v.service) {
					v.reason = v.verdict = "rewritten";
					v.port = on ? t[i].on_port : t[i].off_port;
				}
				vector_add(&v, "service/interface v%d %s: %s", ip, ifaces[n].name,
					   t[i].name);

				struct vector bad = v;

				bad.f.udp_len = OPT(7);
				bad.f.doff_field = OPT(4);
				bad.reason = "malformed_l4";
				bad.verdict = v.service ? "dropped" : "passed";
				bad.port = 0;
				vector_add(&bad, "service/interface v%d %s: %s, malformed", ip,
					   ifaces[n].name, t[i].name);
			}
}

/* The same tag in two tables, a tag only in one, sizes and policies of their own. */
static const char own_tables[] =
	"version: 1\n"
	"services:\n"
	"  - name: one\n"
	"    protocol: udp\n"
	"    ports: [5000]\n"
	"    tag: { offset: 0, length: 4 }\n"
	"    size: { min: 4, max: 40 }\n"
	"    invalid: drop\n"
	"    unknown: 6999\n"
	"    entities:\n"
	"      - { tag: \"ABCD\", target: 6001 }\n"
	"      - { tag: \"ONE1\", target: 6002 }\n"
	"      - { tag: \"MIXD\", target: drop }\n"
	"  - name: two\n"
	"    protocol: udp\n"
	"    ports: [5001]\n"
	"    tag: { offset: 4, length: 4 }\n"
	"    size: { min: 8, max: 80 }\n"
	"    invalid: pass\n"
	"    unknown: pass\n"
	"    entities:\n"
	"      - { tag: \"ABCD\", target: 7001 }\n"
	"      - { tag: \"TWO2\", target: 7002 }\n"
	"      - { tag: \"MIXD\", target: 7003, size: { min: 50, max: 60 } }\n"
	"  - name: three\n"
	"    protocol: udp\n"
	"    ports: [5002]\n"
	"    tag: { offset: 0, length: 8 }\n"
	"    size: { min: 1, max: 80 }\n"
	"    invalid: drop\n"
	"    unknown: drop\n"
	"    action: observe\n"
	"    entities:\n"
	"      - { tag: \"ABCDEFGH\", target: 8001 }\n"
	"      - { tag: \"DROPPING\", target: drop }\n";

static void tables(void)
{
#define TWO .f.dport = OPT(5001), .f.at = OPT(4)
#define THREE .f.dport = OPT(5002)
	const struct vector t[] = {
		{"one knows ABCD", own_tables, REWRITTEN("one", 6001)},
		{"two knows ABCD", own_tables, TWO, REWRITTEN("two", 7001)},
		{"two looks at 4, not at 0", own_tables, .f.dport = OPT(5001),
		 PASSED("unknown_tag", "two")},
		{"one looks at 0, not at 4", own_tables, .f.at = OPT(4), GIVEN("one", 6999)},
		{"one knows ONE1", own_tables, .f.tag = "ONE1", REWRITTEN("one", 6002)},
		{"two does not know ONE1", own_tables, TWO, .f.tag = "ONE1",
		 PASSED("unknown_tag", "two")},
		{"two knows TWO2", own_tables, TWO, .f.tag = "TWO2", REWRITTEN("two", 7002)},
		{"one does not know TWO2", own_tables, .f.tag = "TWO2", GIVEN("one", 6999)},
		{"one drops MIXD", own_tables, .f.tag = "MIXD", DROPPED("entity_drop", "one")},
		{"two passes MIXD of 49", own_tables, TWO, .f.tag = "MIXD", .f.payload = OPT(49),
		 PASSED("too_short", "two")},
		{"two rewrites MIXD of 50", own_tables, TWO, .f.tag = "MIXD", .f.payload = OPT(50),
		 REWRITTEN("two", 7003)},
		{"one drops 41 bytes", own_tables, .f.payload = OPT(41),
		 DROPPED("too_long", "one")},
		{"two rewrites 41 bytes", own_tables, TWO, .f.payload = OPT(41),
		 REWRITTEN("two", 7001)},
		{"two passes 81 bytes", own_tables, TWO, .f.payload = OPT(81),
		 PASSED("too_long", "two")},
		{"three observes its 8 bytes", own_tables, THREE, .f.tag = "ABCDEFGH",
		 OBSERVED("rewritten", "rewritten", "three")},
		{"three would drop", own_tables, THREE, .f.tag = "DROPPING",
		 OBSERVED("entity_drop", "dropped", "three")},
		{"three does not know four bytes of eight", own_tables, THREE, .f.tag = "ABCD",
		 OBSERVED("unknown_tag", "dropped", "three")},
		{"three wants eight bytes", own_tables, THREE, .f.tag = "ABCDEFGH",
		 .f.payload = OPT(7), OBSERVED("no_tag", "dropped", "three")},
		{"no fourth", own_tables, .f.dport = OPT(5003), NOT_OURS("no_service")},
	};

	vector_table46("service/tables: ", t, ARRAY_SIZE(t));
}

void vectors_service(void)
{
	ports();
	protocols();
	prefix_lengths("daddr");
	prefix_lengths("saddr");
	eight();
	nesting();
	rules();
	beside();
	for (size_t i = 0; i < ARRAY_SIZE(crowds); i++)
		crowded(&crowds[i]);
	crowded_interfaces("first letter", "%u-interface");
	crowded_interfaces("last letter", "interface-%u");
	tables();
	by_interface();
}

/* 1,024 services: each with a port of its own, and all on one port with a destination each. */
static const char *many(int one_port)
{
	struct text t = {0};

	append(&t, BEGIN);
	for (unsigned i = 0; i < 1024; i++) {
		append(&t, "  - name: m%u\n    protocol: udp\n", i);
		if (one_port)
			append(&t, "    ports: [5000]\n    daddr: [10.0.%u.%u/32]\n", i >> 8,
			       i & 255);
		else
			append(&t, "    ports: [%u]\n", 20000 + i);
		append(&t,
		       "    tag: { offset: 0, length: 4 }\n"
		       "    size: { min: 4, max: 1400 }\n"
		       "    invalid: drop\n"
		       "    unknown: drop\n"
		       "    entities: [ { tag: \"ABCD\", target: %u } ]\n",
		       30000 + i);
	}
	return t.s;
}

/* A service that is disabled is as if it was not there, and may have what another one has. */
static void disabled(void)
{
	static const char set[] = "version: 1\n"
				  "services:\n"
				  "  - name: alone\n"
				  "    enabled: false\n"
				  "    protocol: any\n"
				  "    ports: [5000]\n"
				  "    tag: { offset: 0, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    unknown: drop\n"
				  "    entities: [ { tag: ABCD, target: 6001 } ]\n"
				  "  - name: before\n"
				  "    enabled: false\n"
				  "    protocol: udp\n"
				  "    ports: [5001]\n"
				  "    daddr: [10.9.2.2]\n"
				  "    tag: { offset: 0, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    reply: true\n"
				  "    entities: [ { tag: ABCD, target: 6001 } ]\n"
				  "  - name: enabled\n"
				  "    enabled: true\n"
				  "    protocol: udp\n"
				  "    ports: [5001]\n"
				  "    tag: { offset: 0, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    entities: [ { tag: ABCD, target: 6002 } ]\n"
				  "  - name: same\n"
				  "    enabled: false\n"
				  "    protocol: udp\n"
				  "    ports: [5001]\n"
				  "    tag: { offset: 0, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    entities: [ { tag: ABCD, target: 6003 } ]\n";
	const struct vector t[] = {
		{"nothing else", set, NOT_OURS("no_service")},
		{"nothing else, tcp", set, .f.l4 = TCP, NOT_OURS("no_service")},
		{"beside another", set, .f.dport = OPT(5001), REWRITTEN("enabled", 6002)},
		{"beside another that it comes before", set,
		 .f = {.dport = OPT(5001), .dst = "10.9.2.2"}, REWRITTEN("enabled", 6002)},
	};

	vector_table("service/disabled, ", t, ARRAY_SIZE(t));
}

void vectors_many(void)
{
	/* 999 is the last by name */
	static const unsigned some[] = {0,   1,	  2,   15,  16,	 63,  64,   127,  128,
					255, 256, 500, 511, 512, 999, 1000, 1022, 1023};
	static char names[ARRAY_SIZE(some)][8], to[ARRAY_SIZE(some)][24];
	const char *ports = many(0), *addresses = many(1);

	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		struct vector v = {.set = ports, .f.dport = OPT(20000 + some[i])};

		snprintf(names[i], sizeof(names[i]), "m%u", some[i]);
		v.reason = v.verdict = "rewritten";
		v.service = names[i];
		v.port = (uint16_t)(30000 + some[i]);
		vector_add(&v, "many/1024 by port: %u", some[i]);
	}
	const struct vector beside[] = {
		{"port before the first", ports, .f.dport = OPT(19999), NOT_OURS("no_service")},
		{"port behind the last", ports, .f.dport = OPT(21024), NOT_OURS("no_service")},
		{"unknown tag at the last", ports, .f = {.dport = OPT(21023), .tag = "ZZZZ"},
		 DROPPED("unknown_tag", "m1023")},
	};
	vector_table("many/1024 by port: ", beside, ARRAY_SIZE(beside));

	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		struct vector v = {.set = addresses, .service = names[i]};

		snprintf(to[i], sizeof(to[i]), "10.0.%u.%u", some[i] >> 8, some[i] & 255);
		v.f.dst = to[i];
		v.reason = v.verdict = "rewritten";
		v.port = (uint16_t)(30000 + some[i]);
		vector_add(&v, "many/1024 by destination: %u", some[i]);
	}
	const struct vector outside[] = {
		{"before the first", addresses, .f.dst = "9.255.255.255", NOT_OURS("no_service")},
		{"behind the last", addresses, .f.dst = "10.0.4.0", NOT_OURS("no_service")},
		{"IPv6", addresses, .f.ip = 6, NOT_OURS("no_service")},
		{"tcp", addresses, .f = {.l4 = TCP, .dst = "10.0.0.1"}, NOT_OURS("no_service")},
		{"unknown tag at the last", addresses, .f = {.dst = "10.0.3.255", .tag = "ZZZZ"},
		 DROPPED("unknown_tag", "m1023")},
	};
	vector_table("many/1024 by destination: ", outside, ARRAY_SIZE(outside));
	disabled();
}
