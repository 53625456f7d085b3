/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows 10, 11 and 14: tags of 1 to 16 bytes, where they lie, and how they compare. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

/* Every length takes its tag from here; at no place are two neighbours equal. */
static const unsigned char letters[17] = "Q#7xK!2vZ@9pM&5w";

/* Sets for each place: services "tag1" to "tag16", four to a set, on port 5000 + length. */
static const struct place {
	const char *name;
	int offset;	   /* < 0: so many bytes between the tag's end and the payload's, less 1 */
	int zero_and_ones; /* the tags of all zero and all one bits are entities */
} places[] = {
	{"at 0", 0, 1},	    {"at 7", 7, 0},	  {"at 100", 100, 0},
	{"at -LEN", -1, 1}, {"at -LEN-3", -4, 0}, {"at -LEN-50", -51, 0},
};

#define T_WHOLE 6000 /* targets, + length: the tag */
#define T_LAST 6100  /* another last byte, from 2 bytes on */
#define T_NINTH 6200 /* the same first 8 bytes, another ninth, from 10 on */
#define T_FIRST 6300 /* another first byte, from 2 on */
#define T_ZERO 6400
#define T_ONES 6500

static char *names[17];

static int offset_of(const struct place *p, int len)
{
	return p->offset < 0 ? -len + p->offset + 1 : p->offset;
}

/* The tag of a length, with one byte at changed (none where at < 0). */
static const char *tag(int len, int at, int change)
{
	char *t = malloc(16);

	if (!t)
		abort();
	memcpy(t, letters, 16);
	if (at >= 0 && at < len)
		t[at] = (char)(t[at] ^ change);
	return t;
}

static const char *all(int byte)
{
	char *t = malloc(16);

	if (!t)
		abort();
	memset(t, byte, 16);
	return t;
}

static size_t entity(char *out, size_t room, const char *bytes, int len, int target)
{
	size_t n = (size_t)snprintf(out, room, "      - { tag: \"0x");

	for (int i = 0; i < len; i++)
		n += (size_t)snprintf(out + n, room - n, "%02x", (unsigned char)bytes[i]);
	return n + (size_t)snprintf(out + n, room - n, "\", target: %d }\n", target);
}

static const char *place_set(const struct place *p, int first, int last)
{
	size_t room = 32768, n = 0;
	char *s = malloc(room);

	if (!s)
		abort();
	n += (size_t)snprintf(s, room, "version: 1\nservices:\n");
	for (int len = first; len <= last; len++) {
		n += (size_t)snprintf(s + n, room - n,
				      "  - name: tag%d\n"
				      "    protocol: any\n"
				      "    ports: [%d]\n"
				      "    tag: { offset: %d, length: %d }\n"
				      "    size: { min: 1, max: 1400 }\n"
				      "    invalid: drop\n"
				      "    unknown: drop\n"
				      "    tcp: segment\n"
				      "    entities:\n",
				      len, 5000 + len, offset_of(p, len), len);
		n += entity(s + n, room - n, tag(len, -1, 0), len, T_WHOLE + len);
		if (len >= 2) {
			n += entity(s + n, room - n, tag(len, len - 1, 1), len, T_LAST + len);
			n += entity(s + n, room - n, tag(len, 0, 1), len, T_FIRST + len);
		}
		if (len >= 10)
			n += entity(s + n, room - n, tag(len, 8, 1), len, T_NINTH + len);
		if (p->zero_and_ones) {
			n += entity(s + n, room - n, all(0), len, T_ZERO + len);
			n += entity(s + n, room - n, all(0xff), len, T_ONES + len);
		}
	}
	if (n >= room)
		abort();
	return s;
}

/* The payload's size such that the tag ends with it (offset ≥ 0) or begins with it (offset < 0). */
static int tight(const struct place *p, int len)
{
	return p->offset < 0 ? -offset_of(p, len) : p->offset + len;
}

static void add(const struct place *p, const char *set, int ip, enum l4 l4, int len, int payload,
		const char *bytes, int target, const char *what)
{
	struct vector v = {
		.set = set, .service = names[len], .reason = "unknown_tag", .verdict = "dropped"};

	if (target) {
		v.reason = v.verdict = "rewritten";
		v.port = (uint16_t)(target + len);
	}
	v.f.ip = (uint8_t)ip;
	v.f.l4 = l4;
	v.f.dport = OPT(5000 + len);
	v.f.payload = OPT(payload);
	v.f.tag = bytes;
	v.f.tag_len = (uint8_t)len;
	v.f.at = OPT(offset_of(p, len));
	vector_add(&v, "tag/%s v%d %s length %d: %s", p->name, ip, l4 == TCP ? "tcp" : "udp", len,
		   what);
}

/* The tag lies partly or wholly outside: what there is of it is there, the rest is not asked for.
 */
static void add_outside(const struct place *p, const char *set, int ip, enum l4 l4, int len,
			int payload, const char *trail, const char *what)
{
	struct vector v = {
		.set = set, .service = names[len], .reason = "no_tag", .verdict = "dropped"};

	v.f.ip = (uint8_t)ip;
	v.f.l4 = l4;
	v.f.dport = OPT(5000 + len);
	v.f.payload = OPT(payload);
	v.f.tag = tag(len, -1, 0);
	v.f.tag_len = (uint8_t)len;
	v.f.at = OPT(offset_of(p, len));
	v.f.trail_text = trail;
	if (payload == 0) {
		v.reason = l4 == TCP ? "no_payload" : "too_short";
		v.verdict = l4 == TCP ? "passed" : "dropped";
	}
	vector_add(&v, "tag/%s v%d %s length %d: %s", p->name, ip, l4 == TCP ? "tcp" : "udp", len,
		   what);
}

static void lengths(const struct place *p, const char *set, int first, int last_len, int ip,
		    enum l4 l4)
{
	for (int len = first; len <= last_len; len++) {
		int fits = tight(p, len), room = fits + 60;
		char *last = malloc(2);

		if (!last)
			abort();
		last[0] = (char)letters[len - 1];
		last[1] = 0;

		add(p, set, ip, l4, len, room, tag(len, -1, 0), T_WHOLE, "known");
		add(p, set, ip, l4, len, fits, tag(len, -1, 0), T_WHOLE,
		    "known, the payload just holds it");
		add(p, set, ip, l4, len, fits + 1, tag(len, -1, 0), T_WHOLE,
		    "known, the payload is one longer");
		if (len >= 2) {
			add(p, set, ip, l4, len, room, tag(len, len - 1, 1), T_LAST,
			    "another last byte, known");
			add(p, set, ip, l4, len, room, tag(len, 0, 1), T_FIRST,
			    "another first byte, known");
		}
		if (len >= 10)
			add(p, set, ip, l4, len, room, tag(len, 8, 1), T_NINTH,
			    "another ninth byte, known");

		add(p, set, ip, l4, len, room, tag(len, 0, 0x40), 0, "another first byte");
		add(p, set, ip, l4, len, fits, tag(len, len - 1, 0x80), 0,
		    "another last byte, the payload just holds it");
		if (len >= 3)
			add(p, set, ip, l4, len, room, tag(len, len / 2, 0x02), 0,
			    "another byte in the middle");
		if (len >= 9) {
			add(p, set, ip, l4, len, room, tag(len, 7, 0x04), 0, "another eighth byte");
			add(p, set, ip, l4, len, room, tag(len, 8, 0x04), 0, "another ninth byte");
		}
		add(p, set, ip, l4, len, room, all(0), p->zero_and_ones ? T_ZERO : 0, "all zero");
		add(p, set, ip, l4, len, room, all(0xff), p->zero_and_ones ? T_ONES : 0,
		    "all ones");
		if (len >= 2) {
			char *nearly = malloc(16);

			if (!nearly)
				abort();
			memset(nearly, 0, 16);
			nearly[len - 1] = 1;
			add(p, set, ip, l4, len, room, nearly, 0, "all zero but the last bit");
		}

		add_outside(p, set, ip, l4, len, fits - 1, NULL, "the payload is one too short");
		if (p->offset >= 0)
			add_outside(p, set, ip, l4, len, fits - 1, last, "its last byte trails");
		if (fits - len > 0)
			add_outside(p, set, ip, l4, len, fits - len, NULL,
				    "the payload is shorter by the tag");
		if (fits > 2)
			add_outside(p, set, ip, l4, len, 1, NULL, "the payload is one byte");
	}
}

/* Bits outside the mask may be anything; each bit inside it counts. */
static void masks(void)
{
	static const char set[] =
		"version: 1\n"
		"services:\n"
		"  - name: short\n"
		"    protocol: any\n"
		"    ports: [5000]\n"
		"    tag: { offset: 0, length: 4, mask: '0xfffff000' }\n"
		"    size: { min: 4, max: 1400 }\n"
		"    unknown: drop\n"
		"    tcp: segment\n"
		"    entities: [ { tag: '0x41424000', target: 6001 }, { tag: '0x41425000', target: 6002 } ]\n"
		"  - name: middle\n"
		"    protocol: any\n"
		"    ports: [5001]\n"
		"    tag: { offset: 0, length: 6, mask: '0x00ff0000ff01' }\n"
		"    size: { min: 4, max: 1400 }\n"
		"    unknown: drop\n"
		"    tcp: segment\n"
		"    entities: [ { tag: '0x004200004501', target: 6003 } ]\n"
		"  - name: long\n"
		"    protocol: any\n"
		"    ports: [5002]\n"
		"    tag: { offset: 0, length: 12, mask: '0xf00000000000000000f0000f' }\n"
		"    size: { min: 4, max: 1400 }\n"
		"    unknown: drop\n"
		"    tcp: segment\n"
		"    entities: [ { tag: '0x400000000000000000400001', target: 6004 } ]\n";
	const struct {
		const char *name;
		int port;
		const char *tag;
		int target; /* 0: unknown */
	} t[] = {
		{"short", 5000, "AB\x40\x00", 6001},
		{"short", 5000, "AB\x4f\xff", 6001},
		{"short", 5000, "AB\x40\x01", 6001},
		{"short", 5000, "AB\x48\x00", 6001},
		{"short", 5000, "AB\x50\x00", 6002},
		{"short", 5000, "AB\x5a\xa5", 6002},
		{"short", 5000, "AB\x60\x00", 0},
		{"short", 5000, "ABC@", 6001},
		{"short", 5000, "AC\x40\x00", 0},
		{"short", 5000,
		 "\x40"
		 "B\x40\x00",
		 0},
		{"middle", 5001, "xBxxE\x01", 6003},
		{"middle", 5001,
		 "\xff"
		 "B\xff\xff"
		 "E\xff",
		 6003},
		{"middle", 5001, "xBxxE\x02", 0},
		{"middle", 5001, "xCxxE\x01", 0},
		{"middle", 5001, "xBxxF\x01", 0},
		{"long", 5002, "Abcdefghi@kA", 6004},
		{"long", 5002, "OOOOOOOOOOOA", 6004},
		{"long", 5002, "Pbcdefghi@kA", 0},
		{"long", 5002, "Abcdefghi0kA", 0},
		{"long", 5002, "Abcdefghi@kB", 0},
		{"long", 5002, "Abcdefghi@k\xf1", 6004},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		for (int version = 4; version <= 6; version += 2)
			for (int l4 = UDP; l4 <= TCP; l4++) {
				struct vector v = {.set = set,
						   .service = t[i].name,
						   .reason = "unknown_tag",
						   .verdict = "dropped"};

				if (t[i].target) {
					v.reason = v.verdict = "rewritten";
					v.port = (uint16_t)t[i].target;
				}
				v.f.ip = (uint8_t)version;
				v.f.l4 = (enum l4)l4;
				v.f.dport = OPT(t[i].port);
				v.f.tag = t[i].tag;
				v.f.tag_len = (uint8_t)(t[i].port == 5000   ? 4
							: t[i].port == 5001 ? 6
									    : 12);
				vector_add(&v, "tag/mask v%d %s %s %zu", version,
					   l4 == TCP ? "tcp" : "udp", t[i].name, i);
			}
}

/* The tag is also elsewhere in the payload: only its place counts. */
static void elsewhere(void)
{
	static const char set[] = "version: 1\n"
				  "services:\n"
				  "  - name: first\n"
				  "    protocol: udp\n"
				  "    ports: [5000]\n"
				  "    tag: { offset: 0, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    unknown: drop\n"
				  "    entities: [ { tag: \"ABCD\", target: 6001 } ]\n"
				  "  - name: last\n"
				  "    protocol: udp\n"
				  "    ports: [5001]\n"
				  "    tag: { offset: -4, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    unknown: drop\n"
				  "    entities: [ { tag: \"ABCD\", target: 6002 } ]\n"
				  "  - name: far\n"
				  "    protocol: udp\n"
				  "    ports: [5002]\n"
				  "    tag: { offset: 1396, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    unknown: drop\n"
				  "    entities: [ { tag: \"ABCD\", target: 6003 } ]\n"
				  "  - name: far-back\n"
				  "    protocol: udp\n"
				  "    ports: [5003]\n"
				  "    tag: { offset: -1400, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    unknown: drop\n"
				  "    entities: [ { tag: \"ABCD\", target: 6004 } ]\n"
				  "  - name: inside\n"
				  "    protocol: udp\n"
				  "    ports: [5004]\n"
				  "    tag: { offset: -9, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    unknown: drop\n"
				  "    entities: [ { tag: \"ABCD\", target: 6005 } ]\n";
	const struct vector t[] = {
		{"first: at 1", set, .f.at = OPT(1), DROPPED("unknown_tag", "first")},
		{"first: at the end", set, .f.at = OPT(-4), DROPPED("unknown_tag", "first")},
		{"first: in a payload of 4", set, .f.payload = OPT(4), REWRITTEN("first", 6001)},
		{"last: at the end", set, .f = {.dport = OPT(5001), .at = OPT(-4)},
		 REWRITTEN("last", 6002)},
		{"last: one before the end", set, .f = {.dport = OPT(5001), .at = OPT(-5)},
		 DROPPED("unknown_tag", "last")},
		{"last: at 0", set, .f.dport = OPT(5001), DROPPED("unknown_tag", "last")},
		{"last: in a payload of 4", set, .f = {.dport = OPT(5001), .payload = OPT(4)},
		 REWRITTEN("last", 6002)},
		{"last: odd payload", set,
		 .f = {.dport = OPT(5001), .payload = OPT(33), .at = OPT(-4)},
		 REWRITTEN("last", 6002)},
		{"last: bytes trail", set, .f = {.dport = OPT(5001), .at = OPT(-4), .trail = 9},
		 REWRITTEN("last", 6002)},
		{"last: the tag trails", set,
		 .f = {.dport = OPT(5001), .at = OPT(0), .trail_text = "ABCD"},
		 DROPPED("unknown_tag", "last")},
		{"last: the end is that of the UDP length", set,
		 .f = {.dport = OPT(5001), .udp_len = OPT(8 + 20), .at = OPT(16)},
		 REWRITTEN("last", 6002)},
		{"last: the end is not that of the IP length", set,
		 .f = {.dport = OPT(5001), .udp_len = OPT(8 + 20), .at = OPT(-4)},
		 DROPPED("unknown_tag", "last")},
		{"last: the end of a payload of 1400", set,
		 .f = {.dport = OPT(5001), .payload = OPT(1400), .at = OPT(-4)},
		 REWRITTEN("last", 6002)},
		{"last: first fragment", set,
		 .f = {.dport = OPT(5001),
		       .at = OPT(-4),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(60),
		       .keep = OPT(40)},
		 PASSED("no_tag", "last")},
		{"last: first fragment, its end is not the datagram's", set,
		 .f = {.dport = OPT(5001),
		       .at = OPT(28),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(60),
		       .keep = OPT(40)},
		 PASSED("no_tag", "last")},
		{"last: first fragment, all but the last byte", set,
		 .f = {.dport = OPT(5001),
		       .at = OPT(-4),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(60),
		       .keep = OPT(67)},
		 PASSED("no_tag", "last")},
		{"last: first fragment that has the whole", set,
		 .f = {.dport = OPT(5001),
		       .at = OPT(-4),
		       .frag = OPT(IP4_MF),
		       .ext = {FRAG(FRAG_MORE)},
		       .payload = OPT(60)},
		 REWRITTEN("last", 6002)},
		{"far: the last four of 1400", set,
		 .f = {.dport = OPT(5002), .payload = OPT(1400), .at = OPT(1396)},
		 REWRITTEN("far", 6003)},
		{"far: 1399", set, .f = {.dport = OPT(5002), .payload = OPT(1399), .at = OPT(1396)},
		 PASSED("no_tag", "far")},
		{"far: 1396", set, .f = {.dport = OPT(5002), .payload = OPT(1396), .at = OPT(1392)},
		 PASSED("no_tag", "far")},
		{"far: 4", set, .f = {.dport = OPT(5002), .payload = OPT(4)},
		 PASSED("no_tag", "far")},
		{"far: one byte beside it", set,
		 .f = {.dport = OPT(5002), .payload = OPT(1400), .at = OPT(1395)},
		 DROPPED("unknown_tag", "far")},
		{"far: 1401", set, .f = {.dport = OPT(5002), .payload = OPT(1401), .at = OPT(1396)},
		 PASSED("too_long", "far")},
		{"far back: 1400", set, .f = {.dport = OPT(5003), .payload = OPT(1400)},
		 REWRITTEN("far-back", 6004)},
		{"far back: 1399, the tag would begin before the payload", set,
		 .f = {.dport = OPT(5003), .payload = OPT(1399)}, PASSED("no_tag", "far-back")},
		{"far back: 1396", set, .f = {.dport = OPT(5003), .payload = OPT(1396)},
		 PASSED("no_tag", "far-back")},
		{"far back: 4", set, .f = {.dport = OPT(5003), .payload = OPT(4)},
		 PASSED("no_tag", "far-back")},
		{"inside: 9", set, .f = {.dport = OPT(5004), .payload = OPT(9)},
		 REWRITTEN("inside", 6005)},
		{"inside: 8", set, .f = {.dport = OPT(5004), .payload = OPT(8)},
		 PASSED("no_tag", "inside")},
		{"inside: 10", set, .f = {.dport = OPT(5004), .payload = OPT(10), .at = OPT(1)},
		 REWRITTEN("inside", 6005)},
		{"inside: 10, the tag at 0", set, .f = {.dport = OPT(5004), .payload = OPT(10)},
		 DROPPED("unknown_tag", "inside")},
	};

	vector_table46("tag/place, ", t, ARRAY_SIZE(t));
}

/* Every one-byte tag: the even ones are entities. */
static void bytes(void)
{
	size_t room = 16384, n = 0;
	char *s = malloc(room);

	if (!s)
		abort();
	n += (size_t)snprintf(s, room,
			      "version: 1\n"
			      "services:\n"
			      "  - name: even\n"
			      "    protocol: udp\n"
			      "    ports: [5000]\n"
			      "    tag: { offset: 3, length: 1 }\n"
			      "    size: { min: 1, max: 1400 }\n"
			      "    invalid: drop\n"
			      "    unknown: drop\n"
			      "    entities:\n");
	for (int b = 0; b < 256; b += 2)
		n += (size_t)snprintf(s + n, room - n, "      - { tag: \"0x%02x\", target: %d }\n",
				      b, 6000 + b);
	for (int b = 0; b < 256; b++) {
		struct vector v = {.set = s, .service = "even"};

		v.f.tag = all(b);
		v.f.tag_len = 1;
		v.f.at = OPT(3);
		if (b & 1) {
			v.reason = "unknown_tag";
			v.verdict = "dropped";
		} else {
			v.reason = v.verdict = "rewritten";
			v.port = (uint16_t)(6000 + b);
		}
		vector_add(&v, "tag/one byte %02x", b);
	}
}

/* A table of 1,000 numbers, most significant byte first: neighbours, and what is none of them. */
static void numbers(void)
{
	static const unsigned known[] = {0,   1,   2,	3,   4,	  7,   8,   15,	 16,
					 63,  64,  127, 128, 254, 255, 256, 257, 500,
					 511, 512, 513, 767, 768, 998, 999};
	static const unsigned unknown[] = {
		1000,	    1001,	1023,	    0x01000000, 0x02000000, 0x00010000,
		0x00ff0000, 0xff000000, 0xffffffff, 0xfffffffe, 0x80000000, 0x00000400,
		0x10000001, 0x00100001, 0x01010101, 0xe7030000, 0x0000ffff, 0xffff0000,
		0x7fffffff, 0x80000001, 0x55555555, 0xaaaaaaaa, 0x00002710};
	size_t room = 65536, n = 0;
	char *s = malloc(room);

	if (!s)
		abort();
	n += (size_t)snprintf(s, room,
			      "version: 1\n"
			      "services:\n"
			      "  - name: numbers\n"
			      "    protocol: any\n"
			      "    ports: [5000]\n"
			      "    tag: { offset: 2, length: 4 }\n"
			      "    size: { min: 1, max: 1400 }\n"
			      "    invalid: drop\n"
			      "    unknown: drop\n"
			      "    tcp: segment\n"
			      "    entities:\n");
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(s + n, room - n, "      - { tag: \"0x%08x\", target: %d }\n",
				      i, 10000 + i);
	if (n >= room)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(known) + ARRAY_SIZE(unknown); i++) {
		int is_known = i < ARRAY_SIZE(known);
		unsigned number = is_known ? known[i] : unknown[i - ARRAY_SIZE(known)];
		struct vector v = {.set = s,
				   .service = "numbers",
				   .reason = "unknown_tag",
				   .verdict = "dropped"};
		char *bytes = malloc(4);

		if (!bytes)
			abort();
		for (int b = 0; b < 4; b++)
			bytes[b] = (char)(number >> (24 - 8 * b));
		v.f.tag = bytes;
		v.f.tag_len = 4;
		v.f.at = OPT(2);
		if (is_known) {
			v.reason = v.verdict = "rewritten";
			v.port = (uint16_t)(10000 + number);
		}
		vector_add(&v, "tag/of a thousand: %08x udp", number);
		v.f.ip = 6;
		v.f.l4 = TCP;
		vector_add(&v, "tag/of a thousand: %08x v6 tcp", number);
	}
}

/* How tags are written decides what they are. */
static void notations(void)
{
	static const char set[] = "version: 1\n"
				  "services:\n"
				  "  - name: text\n"
				  "    protocol: udp\n"
				  "    ports: [5000]\n"
				  "    tag: { offset: 0, length: 4 }\n"
				  "    size: { min: 4, max: 1400 }\n"
				  "    unknown: drop\n"
				  "    entities:\n"
				  "      - { tag: 'A\\x00B\\xff', target: 6001 }\n"
				  "      - { tag: \"hex:cafe0001\", target: 6002 }\n"
				  "      - { tag: \"text:0xab\", target: 6003 }\n"
				  "      - { tag: \"0x0a0D0020\", target: 6004 }\n"
				  "      - { tag: 'a\\x20b\\x5c', target: 6005 }\n";
	static const struct {
		const char *name, *bytes;
		uint16_t port;
	} t[] = {
		{"escapes", "A\0B\xff", 6001},
		{"hex:", "\xca\xfe\0\x01", 6002},
		{"text: of what looks like hex", "0xab", 6003},
		{"0x in either case", "\x0a\x0d\0\x20", 6004},
		{"an escaped blank and backslash", "a b\\", 6005},
		{"what an escape's text would be", "A\\x0", 0},
		{"hex as text", "cafe", 0},
		{"a string that ends early", "A\0\0\0", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct vector v = {.set = set,
				   .service = "text",
				   .reason = "unknown_tag",
				   .verdict = "dropped"};

		v.f.tag = t[i].bytes;
		v.f.tag_len = 4;
		if (t[i].port) {
			v.reason = v.verdict = "rewritten";
			v.port = t[i].port;
		}
		vector_add(&v, "tag/written as %s", t[i].name);
	}
}

/* A row that was deleted is unknown, and those beside it are as they were. */
static const char rows[] = "version: 1\nservices:\n"
#define ROWS(len, tags) \
	"  - name: t" #len "\n    protocol: udp\n    ports: [50" #len "]\n" \
	"    tag: { offset: 0, length: " #len " }\n    size: { min: 4, max: 1400 }\n" \
	"    unknown: drop\n    entities:\n" tags
#define ROW(tag, target) "      - { tag: \"" tag "\", target: " target " }\n"
	ROWS(04, ROW("ABCD", "6001") ROW("EFGH", "6002"))
		ROWS(08, ROW("ABCDEFGH", "6001") ROW("ABCDEFGI", "6002"))
			ROWS(16, ROW("ABCDEFGHIJKLMNOP", "6001") ROW("ABCDEFGHIJKLMNOQ", "6002"));

static void deleted(void)
{
	static const struct {
		const char *service, *one, *two;
		uint16_t port;
	} of[] = {{"t04", "ABCD", "EFGH", 5004},
		  {"t08", "ABCDEFGH", "ABCDEFGI", 5008},
		  {"t16", "ABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOQ", 5016}};

	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		const struct vector t[] = {
			{"the first", .f.tag = of[i].one, .deleted = of[i].one,
			 DROPPED("unknown_tag", of[i].service)},
			{"the second, to the first", .f.tag = of[i].one, .deleted = of[i].two,
			 REWRITTEN(of[i].service, 6001)},
			{"the first, to the second", .f.tag = of[i].two, .deleted = of[i].one,
			 REWRITTEN(of[i].service, 6002)},
			{"the second", .f.tag = of[i].two, .deleted = of[i].two,
			 DROPPED("unknown_tag", of[i].service)},
		};

		for (size_t n = 0; n < ARRAY_SIZE(t); n++) {
			struct vector v = t[n];

			v.set = rows;
			v.f.dport = OPT(of[i].port);
			vector_add(&v, "tag/deleted, %s: %s", of[i].service, v.name);
		}
	}
}

void vectors_tag(void)
{
	for (int len = 1; len <= 16; len++) {
		names[len] = malloc(8);
		if (!names[len])
			abort();
		snprintf(names[len], 8, "tag%d", len);
	}
	for (size_t p = 0; p < ARRAY_SIZE(places); p++)
		for (int first = 1; first <= 16; first += 4) {
			const char *set = place_set(&places[p], first, first + 3);

			lengths(&places[p], set, first, first + 3, 4, UDP);
			lengths(&places[p], set, first, first + 3, 6, TCP);
		}
	elsewhere();
	masks();
	bytes();
	numbers();
	notations();
	deleted();
}
