/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ctl/model/model.h"
#include "ctl/model/parse.h"
#include "unit.h"

/* ---- what every parser refuses ------------------------------------------------------------ */

static int number_1_9(const char *s, struct parse_error *why)
{
	uint64_t out;

	return parse_number(s, 1, 9, &out, why);
}

static int port(const char *s, struct parse_error *why)
{
	uint16_t out;

	return parse_port(s, &out, why);
}

static int tag(const char *s, struct parse_error *why)
{
	struct tag out;

	return parse_tag(s, &out, why);
}

static int target(const char *s, struct parse_error *why)
{
	struct target out;

	return parse_target(s, &out, why);
}

static int window(const char *s, struct parse_error *why)
{
	struct window out;

	return parse_window(s, &out, why);
}

static int targets(const char *s, struct parse_error *why)
{
	uint16_t first, last;

	return parse_targets(s, &first, &last, why);
}

static int offset(const char *s, struct parse_error *why)
{
	int32_t out;

	return parse_offset(s, &out, why);
}

static int tag_place(const char *s, struct parse_error *why)
{
	int32_t off;
	uint8_t len, ignored[MANGLE_MAX_TAG];

	return parse_tag_place(s, &off, &len, ignored, why);
}

static int prefix(const char *s, struct parse_error *why)
{
	struct prefix out;

	return parse_prefix(s, &out, why);
}

static int switch_(const char *s, struct parse_error *why)
{
	bool out;

	return parse_switch(s, &out, why);
}

static int protocol(const char *s, struct parse_error *why)
{
	uint8_t out;

	return parse_protocol(s, &out, why);
}

static int name(const char *s, struct parse_error *why)
{
	char out[MANGLE_NAME_SIZE];

	return parse_name(s, out, why);
}

static int ifname(const char *s, struct parse_error *why)
{
	char out[MANGLE_IFNAME_SIZE];

	return parse_ifname(s, out, why);
}

static int ports(const char *s, struct parse_error *why)
{
	uint16_t out[MANGLE_MAX_PORTS];
	unsigned int count;

	return parse_ports(s, out, &count, why);
}

#define NO_PORT "must be a whole number from 1 to 65535"
#define NO_TARGET "is not a port (1-65535), drop or pass"
#define NO_WINDOW "is not MIN:MAX"
#define NO_TARGETS "is not FIRST-LAST"
#define NO_OFFSET "must be a whole number from -65535 to 65535"
#define NO_PLACE "is not OFF:LEN"
#define NO_PREFIX "is not an IPv4 or IPv6 address or prefix"
#define NO_NAME "is not a name"
#define NO_IFNAME "is not an interface's name"
#define NO_PORTS "is not a port from 1 to 65535, or several"
#define NO_HEX "not a hex digit"
#define NO_ESCAPE "neither \\xNN nor \\\\"

static const struct {
	int (*parse)(const char *s, struct parse_error *why);
	const char *text;
	const char *why; /* part of it */
} refused[] = {
	{number_1_9, "", "must be a whole number from 1 to 9"},
	{number_1_9, "0", "must be a whole number from 1 to 9"},
	{number_1_9, "10", "must be a whole number from 1 to 9"},
	{number_1_9, "18446744073709551617", "must be"}, /* 2^64 + 1 */
	{number_1_9, "36893488147419103233", "must be"}, /* 2^65 + 1 */
	{port, "", NO_PORT},
	{port, "0", NO_PORT},
	{port, "00", NO_PORT},
	{port, "65536", NO_PORT},
	{port, "70536", NO_PORT},
	{port, "4294967376", NO_PORT},		 /* 2^32 + 80 */
	{port, "18446744073709551696", NO_PORT}, /* 2^64 + 80 */
	{port, "80abc", NO_PORT},
	{port, "80 ", NO_PORT},
	{port, " 80", NO_PORT},
	{port, "\t80", NO_PORT},
	{port, "80\n", NO_PORT},
	{port, "+80", NO_PORT},
	{port, "-1", NO_PORT},
	{port, "-80", NO_PORT},
	{port, "1.5", NO_PORT},
	{port, "1e3", NO_PORT},
	{port, "0x50", NO_PORT},
	{port, "8 0", NO_PORT},
	{port, "8,0", NO_PORT},
	{port, "http", NO_PORT},
	{port, "\xd9\xa3", NO_PORT}, /* an Arabic digit */

	{tag, "", "has no bytes"},
	{tag, "0x", "has no bytes"},
	{tag, "hex:", "has no bytes"},
	{tag, "text:", "has no bytes"},
	{tag, "0x4", "odd number of hex digits"},
	{tag, "0x414", "odd number of hex digits"},
	{tag, "0xg0", NO_HEX},
	{tag, "0x4g", NO_HEX},
	{tag, "0x41 ", NO_HEX},
	{tag, "0x 41", NO_HEX},
	{tag, "0x41:42", NO_HEX},
	{tag, "0x0x41", NO_HEX},
	{tag, "hex:0x41", NO_HEX},
	{tag, "hex:4", "odd number of hex digits"},
	{tag, "hex:text:A", NO_HEX},
	{tag, "0x000102030405060708090a0b0c0d0e0f10", "longer than 16 bytes"},
	{tag, "0X41424344", "begins like 0x (write 0x..., or text:0X... where it is text)"},
	{tag, "0X", "begins like 0x"},
	{tag, "0Xyz", "begins like 0x"},
	{tag, "HEX:41", "begins like hex: (write hex:..., or text:HEX:... where it is text)"},
	{tag, "Hex:zz", "begins like hex:"},
	{tag, "Text:A", "begins like text: (write text:..., or"},
	{tag, "hex:41:", "a ':' that is not between two bytes"},
	{tag, "hex::41", "a ':' that is not between two bytes"},
	{tag, "hex::", "a ':' that is not between two bytes"},
	{tag, "hex:41::42", "a ':' that is not between two bytes"},
	{tag, "hex:4:1", "a ':' that is not between two bytes"},
	{tag, "hex:41:4", "a ':' that is not between two bytes"},
	{tag, "hex:41:4g", NO_HEX},
	{tag, "hex:41-42", NO_HEX},
	{tag, "hex:00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10", "longer than 16 bytes"},
	{tag, "000102030405060708090a0b0c0d0e0f", "(hex digits are written 0x...)"},
	{tag, "hex:000102030405060708090a0b0c0d0e0f10", "longer than 16 bytes"},
	{tag, "ABCDEFGHIJKLMNOPQ", "longer than 16 bytes"},
	{tag, "text:ABCDEFGHIJKLMNOPQ", "longer than 16 bytes"},
	{tag, "ABCDEFGHIJKLMNOP\\x51", "longer than 16 bytes"},
	{tag, "ABCDEFGHIJKLMNOP\\\\", "longer than 16 bytes"},
	{tag, "\\", NO_ESCAPE},
	{tag, "A\\", NO_ESCAPE},
	{tag, "\\x", NO_ESCAPE},
	{tag, "\\x4", NO_ESCAPE},
	{tag, "\\x4g", NO_ESCAPE},
	{tag, "\\xg4", NO_ESCAPE},
	{tag, "\\X41", NO_ESCAPE},
	{tag, "\\n", NO_ESCAPE},
	{tag, "\\0", NO_ESCAPE},
	{tag, "text:\\", NO_ESCAPE},
	{tag, "\xc3\xa9t\xc3\xa9", "outside ASCII (write the bytes as hex:"},
	{tag, "text:\xc3\xa9", "outside ASCII (write the bytes as hex:"},
	{tag, "A\x80", "outside ASCII (write the bytes as hex:"},
	{tag, "A\xff", "outside ASCII (write the bytes as hex:"},
	{tag, "hex:\xff", NO_HEX},

	{target, "", NO_TARGET},
	{target, "0", NO_TARGET},
	{target, "65536", NO_TARGET},
	{target, "Drop", NO_TARGET " (write drop)"},
	{target, "PASS", NO_TARGET " (write pass)"},
	{target, "drop ", NO_TARGET},
	{target, "passed", NO_TARGET},
	{target, "none", NO_TARGET},
	{target, "6001x", NO_TARGET},
	{target, "-6001", NO_TARGET},

	{window, "", NO_WINDOW},
	{window, "5", NO_WINDOW},
	{window, ":", NO_WINDOW},
	{window, "5:", NO_WINDOW},
	{window, ":5", NO_WINDOW},
	{window, "-5", NO_WINDOW},
	{window, "1:2:3", NO_WINDOW},
	{window, "1-2-3", NO_WINDOW},
	{window, "1--3", NO_WINDOW},
	{window, "1:-3", NO_WINDOW},
	{window, "-1:3", NO_WINDOW},
	{window, "1 : 3", NO_WINDOW},
	{window, "1: 3", NO_WINDOW},
	{window, "0:65536", NO_WINDOW},
	{window, "65536:65537", NO_WINDOW},
	{window, "a:b", NO_WINDOW},
	{window, "1,2", NO_WINDOW},
	{window, "0000000000000000000000000000000001:2", NO_WINDOW},
	{window, "2:1", "minimum above its maximum"},
	{window, "65535-0", "minimum above its maximum"},

	{targets, "", NO_TARGETS},
	{targets, "6000", NO_TARGETS},
	{targets, "0-6999", NO_TARGETS},
	{targets, "6000-", NO_TARGETS},
	{targets, "-6999", NO_TARGETS},
	{targets, "6000-65536", NO_TARGETS},
	{targets, "6000..6999", NO_TARGETS},
	{targets, "drop", NO_TARGETS},
	{targets, "6999-6000", "first port above its last"},

	{offset, "", NO_OFFSET},
	{offset, "-", NO_OFFSET},
	{offset, "-0", NO_OFFSET},
	{offset, "+1", NO_OFFSET},
	{offset, "--1", NO_OFFSET},
	{offset, "65536", NO_OFFSET},
	{offset, "-65536", NO_OFFSET},
	{offset, "0x10", NO_OFFSET},

	{tag_place, "", NO_PLACE},
	{tag_place, "0", NO_PLACE},
	{tag_place, ":4", NO_PLACE},
	{tag_place, "0:", NO_PLACE},
	{tag_place, "0:0", NO_PLACE},
	{tag_place, "0:17", NO_PLACE},
	{tag_place, "0:-4", NO_PLACE},
	{tag_place, "0-4", NO_PLACE},
	{tag_place, "0:4:4", NO_PLACE},
	{tag_place, "0 :4", NO_PLACE},
	{tag_place, "-0:4", NO_PLACE},
	{tag_place, "+0:4", NO_PLACE},
	{tag_place, "65536:4", NO_PLACE},
	{tag_place, "-65536:4", NO_PLACE},
	{tag_place, "65535:1", "outside any payload"},
	{tag_place, "65532:4", "outside any payload"},
	{tag_place, "-3:4", "reaches past the payload's end"},
	{tag_place, "-1:16", "reaches past the payload's end"},
	{tag_place, "0:4/", "has a mask that is not 0x and 8 hex digits"},
	{tag_place, "0:4/fffff000", "has a mask that is not 0x and 8 hex digits"},
	{tag_place, "0:4/0xfffff0", "has a mask that is not 0x and 8 hex digits"},
	{tag_place, "0:4/0xfffff00000", "has a mask that is not 0x and 8 hex digits"},
	{tag_place, "0:4/0xfffff00g", "has a mask that is not 0x and 8 hex digits"},
	{tag_place, "0:4/0x00000000", "has a mask without a bit"},
	{tag_place, "0/4:4", NO_PLACE},
	{tag_place, "0:4 /0xfffff000", NO_PLACE},

	{prefix, "", NO_PREFIX},
	{prefix, "/", NO_PREFIX},
	{prefix, "/24", NO_PREFIX},
	{prefix, "any", NO_PREFIX},
	{prefix, "192.0.2", NO_PREFIX},
	{prefix, "192.0.2.256", NO_PREFIX},
	{prefix, "192.0.2.1.1", NO_PREFIX},
	{prefix, "192.000.002.001", NO_PREFIX},
	{prefix, " 192.0.2.0/24", NO_PREFIX},
	{prefix, "192.0.2.0 /24", NO_PREFIX},
	{prefix, "3221225984", NO_PREFIX},
	{prefix, "0xc0000200/24", NO_PREFIX},
	{prefix, "fe80::1%eth0", NO_PREFIX},
	{prefix, "2001:db8::g", NO_PREFIX},
	{prefix, "2001:db8:::/32", NO_PREFIX},
	{prefix, "[2001:db8::]/32", NO_PREFIX},
	{prefix, "2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000/32", NO_PREFIX},
	{prefix, "192.0.2.0/", "a number from 0 to 32"},
	{prefix, "192.0.2.0/33", "a number from 0 to 32"},
	{prefix, "192.0.2.0/-1", "a number from 0 to 32"},
	{prefix, "192.0.2.0/ 24", "a number from 0 to 32"},
	{prefix, "192.0.2.0/24/24", "a number from 0 to 32"},
	{prefix, "192.0.2.0/255.255.255.0", "a number from 0 to 32"},
	{prefix, "2001:db8::/129", "a number from 0 to 128"},
	{prefix, "192.0.2.1/24", "(write 192.0.2.0/24)"},
	{prefix, "192.0.2.1/31", "(write 192.0.2.0/31)"},
	{prefix, "192.0.2.1/0", "(write 0.0.0.0/0)"},
	{prefix, "128.0.0.0/0", "(write 0.0.0.0/0)"},
	{prefix, "2001:db8::1/127", "(write 2001:db8::/127)"},
	{prefix, "2001:db8:8000::/32", "(write 2001:db8::/32)"},
	{prefix, "::ffff:192.0.2.1",
	 "matches no packet: an IPv4 prefix is written as IPv4 (write 192.0.2.1/32)"},
	{prefix, "::ffff:192.0.2.0/120", "(write 192.0.2.0/24)"},
	{prefix, "::ffff:0:0/96", "(write 0.0.0.0/0)"},
	{prefix, "::ffff:192.0.2.1/120", "bits set behind the prefix"},

	{switch_, "", "must be on or off"},
	{switch_, "On", "must be on or off"},
	{switch_, "on ", "must be on or off"},
	{switch_, "1", "must be on or off"},
	{protocol, "", "is not udp, tcp or any"},
	{protocol, "UDP", "is not udp, tcp or any"},
	{protocol, "udp ", "is not udp, tcp or any"},
	{protocol, "17", "is not udp, tcp or any"},
	{protocol, "both", "is not udp, tcp or any"},

	{name, "", NO_NAME},
	{name, "a b", NO_NAME},
	{name, "a/b", NO_NAME},
	{name, "a:b", NO_NAME},
	{name, "a\nb", NO_NAME},
	{name, "caf\xc3\xa9", NO_NAME},
	{name, "12345678901234567890123456789012", NO_NAME},

	{ifname, "", NO_IFNAME},
	{ifname, ".", NO_IFNAME},
	{ifname, "..", NO_IFNAME},
	{ifname, "any", NO_IFNAME},
	{ifname, "none", NO_IFNAME},
	{ifname, "eth0:1", NO_IFNAME},
	{ifname, "a/b", NO_IFNAME},
	{ifname, "a b", NO_IFNAME},
	{ifname, "a\tb", NO_IFNAME},
	{ifname, "caf\xc3\xa9", NO_IFNAME},
	{ifname, "1234567890123456", NO_IFNAME},

	{ports, "", NO_PORTS},
	{ports, ",", NO_PORTS},
	{ports, "80,", NO_PORTS},
	{ports, ",80", NO_PORTS},
	{ports, "80,,81", NO_PORTS},
	{ports, "80, 81", NO_PORTS},
	{ports, "80;81", NO_PORTS},
	{ports, "80-81", NO_PORTS},
	{ports, "80,0", NO_PORTS},
	{ports, "80,65536", NO_PORTS},
	{ports, "000000000000000000000000000000080", NO_PORTS},
	{ports, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16 ports"},
};

START_TEST(refuses)
{
	struct parse_error why = {""};

	ck_assert_msg(refused[_i].parse(refused[_i].text, &why) == -EINVAL, "took '%s'",
		      refused[_i].text);
	ck_assert_msg(strstr(why.text, refused[_i].why) != NULL, "'%s': \"%s\" has no \"%s\"",
		      refused[_i].text, why.text, refused[_i].why);
	ck_assert_ptr_null(strchr(why.text, '\n'));
	ck_assert_uint_lt(strlen(why.text), PARSE_ERROR_SIZE - 1); /* not cut off */
}
END_TEST

/* ---- what they take ----------------------------------------------------------------------- */

static const struct {
	const char *text;
	uint64_t min, max, want;
} numbers[] = {
	{"0", 0, 0, 0},
	{"7", 0, 9, 7},
	{"0080", 1, 65535, 80}, /* decimal, whatever stands before it */
	{"000000000000000000000000000000000000080", 1, 65535, 80},
	{"18446744073709551615", 0, UINT64_MAX, UINT64_MAX},
	{"4294967296", 0, UINT64_MAX, UINT64_C(4294967296)},
};

START_TEST(takes_numbers)
{
	struct parse_error why;
	uint64_t out = 99;

	ck_assert_int_eq(
		parse_number(numbers[_i].text, numbers[_i].min, numbers[_i].max, &out, &why), 0);
	ck_assert_uint_eq(out, numbers[_i].want);
}
END_TEST

START_TEST(takes_every_port_and_no_other)
{
	struct parse_error why;
	char text[16];
	uint16_t out;

	for (unsigned int i = 0; i <= 100000; i++) {
		snprintf(text, sizeof(text), "%u", i);
		if (i < 1 || i > 65535) {
			ck_assert_int_eq(parse_port(text, &out, &why), -EINVAL);
			continue;
		}
		ck_assert_int_eq(parse_port(text, &out, &why), 0);
		ck_assert_uint_eq(out, i);
	}
}
END_TEST

static const struct {
	const char *text;
	unsigned int len;
	const char *bytes;
} tags[] = {
	{"A", 1, "A"},
	{"ABCD", 4, "ABCD"},
	{"ABCDEFGHIJKLMNOP", 16, "ABCDEFGHIJKLMNOP"},
	{"text:ABCDEFGHIJKLMNOP", 16, "ABCDEFGHIJKLMNOP"},
	{"0x41424344", 4, "ABCD"},
	{"hex:41424344", 4, "ABCD"},
	{"hex:41:42:43:44", 4, "ABCD"},
	{"hex:4142:43:44", 4, "ABCD"},
	{"hex:00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f", 16,
	 "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"},
	{"text:0X41", 4, "0X41"},
	{"text:HEX:", 4, "HEX:"},
	{"0", 1, "0"},
	{"0xdeadBEEF", 4, "\xde\xad\xbe\xef"},
	{"0x00", 1, "\0"},
	{"0x00000000", 4, "\0\0\0\0"},
	{"0x000102030405060708090a0b0c0d0e0f", 16,
	 "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"},
	{"\\x41\\x42", 2, "AB"},
	{"\\x00", 1, "\0"},
	{"\\xff\\xFF", 2, "\xff\xff"},
	{"A\\x00B", 3, "A\0B"},
	{"A\\x20B", 3, "A B"},
	{"A B", 3, "A B"},
	{" ", 1, " "},
	{"\\\\", 1, "\\"},
	{"\\\\x41", 4, "\\x41"},
	{"\\x5cx41", 4, "\\x41"},
	{"\\x414", 2, "A4"},
	{"text:0x41", 4, "0x41"},
	{"text:hex:", 4, "hex:"},
	{"text:text:", 5, "text:"},
	{"\\x30x41", 4, "0x41"},
	{"\\x41\\x42\\x43\\x44\\x45\\x46\\x47\\x48\\x49\\x4a\\x4b\\x4c\\x4d\\x4e\\x4f\\x50", 16,
	 "ABCDEFGHIJKLMNOP"},
	{"x41", 3, "x41"},
	{"X0x41", 5, "X0x41"},
	{"hex", 3, "hex"},
	{"text", 4, "text"},
	{"HEX41", 5, "HEX41"},
	{"x0X41", 5, "x0X41"},
	{"drop", 4, "drop"},
	{"#", 1, "#"},
	{"\x7f", 1, "\x7f"},
	{"a\tb", 3, "a\tb"},
};

START_TEST(takes_tags)
{
	struct tag out;
	struct parse_error why;
	unsigned int i;

	memset(&out, 0xaa, sizeof(out));
	ck_assert_int_eq(parse_tag(tags[_i].text, &out, &why), 0);
	ck_assert_uint_eq(out.len, tags[_i].len);
	ck_assert_mem_eq(out.bytes, tags[_i].bytes, tags[_i].len);
	for (i = out.len; i < MANGLE_MAX_TAG; i++)
		ck_assert_uint_eq(out.bytes[i], 0);
}
END_TEST

START_TEST(takes_targets)
{
	struct target t;
	struct parse_error why;

	ck_assert_int_eq(parse_target("drop", &t, &why), 0);
	ck_assert_uint_eq(t.action, ACTION_DROP);
	ck_assert_uint_eq(t.port, 0);
	ck_assert_int_eq(parse_target("pass", &t, &why), 0);
	ck_assert_uint_eq(t.action, ACTION_PASS);
	ck_assert_uint_eq(t.port, 0);
	ck_assert_int_eq(parse_target("65535", &t, &why), 0);
	ck_assert_uint_eq(t.action, ACTION_PORT);
	ck_assert_uint_eq(t.port, 65535);
}
END_TEST

static const struct {
	const char *text;
	unsigned int min, max;
} windows[] = {
	{"0:65535", 0, 65535}, {"0-65535", 0, 65535}, {"16:1400", 16, 1400},
	{"16-1400", 16, 1400}, {"5:5", 5, 5},	      {"0:0", 0, 0},
};

START_TEST(takes_windows)
{
	struct window out;
	struct parse_error why;

	ck_assert_int_eq(parse_window(windows[_i].text, &out, &why), 0);
	ck_assert_uint_eq(out.min, windows[_i].min);
	ck_assert_uint_eq(out.max, windows[_i].max);
}
END_TEST

START_TEST(takes_target_ranges)
{
	uint16_t first, last;
	struct parse_error why;

	ck_assert_int_eq(parse_targets("6000-6999", &first, &last, &why), 0);
	ck_assert_uint_eq(first, 6000);
	ck_assert_uint_eq(last, 6999);
	ck_assert_int_eq(parse_targets("1:65535", &first, &last, &why), 0);
	ck_assert_uint_eq(first, 1);
	ck_assert_uint_eq(last, 65535);
	ck_assert_int_eq(parse_targets("7-7", &first, &last, &why), 0);
}
END_TEST

static const struct {
	const char *text;
	int offset;
	unsigned int len;
} places[] = {
	{"0:4", 0, 4},	       {"0:16", 0, 16},		{"12:1", 12, 1},
	{"-4:4", -4, 4},       {"-16:16", -16, 16},	{"-100:2", -100, 2},
	{"65534:1", 65534, 1}, {"65519:16", 65519, 16}, {"-65535:1", -65535, 1},
};

START_TEST(takes_tag_places)
{
	struct parse_error why;
	int32_t off;
	uint8_t len, ignored[MANGLE_MAX_TAG], none[MANGLE_MAX_TAG] = {0};

	ck_assert_int_eq(parse_tag_place(places[_i].text, &off, &len, ignored, &why), 0);
	ck_assert_int_eq(off, places[_i].offset);
	ck_assert_uint_eq(len, places[_i].len);
	ck_assert_mem_eq(ignored, none, sizeof(none));
}
END_TEST

static const struct {
	const char *text, *mask; /* "": every bit counts */
	uint8_t ignored[MANGLE_MAX_TAG];
} masked[] = {
	{"0:4/0xfffff000", "0xfffff000", {0, 0, 0x0f, 0xff}},
	{"-2:2/0x0001", "0x0001", {0xff, 0xfe}},
	{"8:1/0xFf", "", {0}},
	{"0:16/0x80000000000000000000000000000000",
	 "0x80000000000000000000000000000000",
	 {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff}},
};

START_TEST(takes_masks)
{
	uint8_t len, ignored[MANGLE_MAX_TAG];
	char text[TAG_TEXT_SIZE];
	struct parse_error why;
	int32_t off;

	ck_assert_int_eq(parse_tag_place(masked[_i].text, &off, &len, ignored, &why), 0);
	ck_assert_mem_eq(ignored, masked[_i].ignored, sizeof(ignored));
	ck_assert_str_eq(format_mask(ignored, len, text), masked[_i].mask);
}
END_TEST

static const struct {
	const char *text, *canonical;
	unsigned int family, len;
} prefixes[] = {
	{"192.0.2.0/24", "192.0.2.0/24", 4, 24},
	{"192.0.2.1", "192.0.2.1/32", 4, 32},
	{"192.0.2.1/32", "192.0.2.1/32", 4, 32},
	{"192.0.2.254/31", "192.0.2.254/31", 4, 31},
	{"0.0.0.0/0", "0.0.0.0/0", 4, 0},
	{"128.0.0.0/1", "128.0.0.0/1", 4, 1},
	{"255.255.255.255", "255.255.255.255/32", 4, 32},
	{"::/0", "::/0", 6, 0},
	{"::", "::/128", 6, 128},
	{"2001:DB8::/32", "2001:db8::/32", 6, 32},
	{"2001:db8::/29", "2001:db8::/29", 6, 29},
	{"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1/128", 6, 128},
	{"::ffff:0:192.0.2.0/120", "::ffff:0:c000:200/120", 6, 120},
	{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 6, 128},
};

START_TEST(takes_prefixes)
{
	struct prefix out, again;
	char buf[PREFIX_TEXT_SIZE];
	struct parse_error why;

	ck_assert_int_eq(parse_prefix(prefixes[_i].text, &out, &why), 0);
	ck_assert_uint_eq(out.family, prefixes[_i].family);
	ck_assert_uint_eq(out.len, prefixes[_i].len);
	ck_assert_str_eq(format_prefix(&out, buf), prefixes[_i].canonical);
	ck_assert_int_eq(parse_prefix(buf, &again, &why), 0);
	ck_assert_int_eq(prefix_compare(&out, &again), 0);
}
END_TEST

static const struct {
	const char *text;
	unsigned int len;
	const char *why;
} lengths[] = {
	{"C3", 2, "has 2 bytes, those of service web have 4"},
	{"41424344", 8,
	 "has 8 bytes, those of service web have 4 (hex digits are written 0x41424344)"},
	{"4142434g", 8, "has 8 bytes, those of service web have 4"},
	{"414243", 6, "has 6 bytes, those of service web have 4"},
	{"0x4142434445464748", 8, "has 8 bytes, those of service web have 4"},
};

START_TEST(says_why_a_length_is_wrong)
{
	struct service s = {.name = "web", .tag_len = 4};
	struct parse_error why;

	tag_length_why(lengths[_i].text, lengths[_i].len, s.name, s.tag_len, &why);
	ck_assert_str_eq(why.text, lengths[_i].why);
}
END_TEST

START_TEST(takes_words)
{
	char out[MANGLE_NAME_SIZE], dev[MANGLE_IFNAME_SIZE];
	uint16_t list[MANGLE_MAX_PORTS];
	unsigned int count;
	uint8_t protocols;
	struct parse_error why;

	for (int i = 0; i < 3; i++) {
		static const char *const on[] = {"on", "true", "yes"};
		static const char *const off[] = {"off", "false", "no"};
		bool is_on = false;

		ck_assert_int_eq(parse_switch(on[i], &is_on, &why), 0);
		ck_assert(is_on);
		ck_assert_int_eq(parse_switch(off[i], &is_on, &why), 0);
		ck_assert(!is_on);
	}
	ck_assert_int_eq(parse_protocol("udp", &protocols, &why), 0);
	ck_assert_str_eq(format_protocol(protocols), "udp");
	ck_assert_int_eq(parse_protocol("tcp", &protocols, &why), 0);
	ck_assert_str_eq(format_protocol(protocols), "tcp");
	ck_assert_int_eq(parse_protocol("any", &protocols, &why), 0);
	ck_assert_uint_eq(protocols, MANGLE_PROTO_UDP | MANGLE_PROTO_TCP);
	ck_assert_str_eq(format_protocol(protocols), "any");

	ck_assert_int_eq(parse_name("1234567890123456789012345678901", out, &why), 0);
	ck_assert_str_eq(out, "1234567890123456789012345678901");
	ck_assert_int_eq(parse_name("A-z_0.9", out, &why), 0);
	ck_assert_str_eq(out, "A-z_0.9");
	ck_assert_int_eq(parse_ifname("123456789012345", dev, &why), 0);
	ck_assert_str_eq(dev, "123456789012345");
	ck_assert_int_eq(parse_ifname("eth0.100@x", dev, &why), 0);
	ck_assert_str_eq(dev, "eth0.100@x");

	ck_assert_int_eq(parse_ports("80", list, &count, &why), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(
		parse_ports("16,2,3,4,5,6,7,8,9,10,11,12,13,14,15,65535", list, &count, &why), 0);
	ck_assert_uint_eq(count, 16);
	ck_assert_uint_eq(list[0], 16);
	ck_assert_uint_eq(list[15], 65535);
}
END_TEST

/* ---- lines of a table file ---------------------------------------------------------------- */

#define LINE(s) s, sizeof(s) - 1

#define N63 "123456789012345678901234567890123456789012345678901234567890123"

static const struct {
	const char *line;
	size_t len;
	int want; /* 1 an entity, 0 nothing */
	unsigned int tag_len, port, min, max;
	const char *tag, *name;
} table_lines[] = {
	{LINE(""), 0, 0, 0, 0, 0, NULL, NULL},
	{LINE("\r"), 0, 0, 0, 0, 0, NULL, NULL},
	{LINE("  \t "), 0, 0, 0, 0, 0, NULL, NULL},
	{LINE("#"), 0, 0, 0, 0, 0, NULL, NULL},
	{LINE("# ABCD 6001"), 0, 0, 0, 0, 0, NULL, NULL},
	{LINE("\t # \xc3\xa9t\xc3\xa9 \xff"), 0, 0, 0, 0, 0, NULL, NULL},
	{LINE("ABCD 6001"), 1, 4, 6001, 0, 0, "ABCD", NULL},
	{LINE("ABCD\t6001\r"), 1, 4, 6001, 0, 0, "ABCD", NULL},
	{LINE("  ABCD \t 6001  "), 1, 4, 6001, 0, 0, "ABCD", NULL},
	{LINE("ABCD 6001 32:64"), 1, 4, 6001, 32, 64, "ABCD", NULL},
	{LINE("ABCD 6001 32-64# why"), 1, 4, 6001, 32, 64, "ABCD", NULL},
	{LINE("ABCD 6001#"), 1, 4, 6001, 0, 0, "ABCD", NULL},
	{LINE("ABCD 6001 \r"), 1, 4, 6001, 0, 0, "ABCD", NULL},
	{LINE("A\\x20B 1"), 1, 3, 1, 0, 0, "A B", NULL},
	{LINE("A\\x23B 1"), 1, 3, 1, 0, 0, "A#B", NULL},
	{LINE("0x41423a44 drop"), 1, 4, 0, 0, 0, "AB:D", NULL},
	{LINE("text:\\x41\\x42\\x43\\x44\\x45\\x46\\x47\\x48\\x49\\x4a\\x4b\\x4c\\x4d\\x4e\\x4f\\x50 "
	      "pass"),
	 1, 16, 0, 0, 0, "ABCDEFGHIJKLMNOP", NULL},
	{LINE("ABCD 6001 size=32:64"), 1, 4, 6001, 32, 64, "ABCD", NULL},
	{LINE("ABCD 6001 name=x"), 1, 4, 6001, 0, 0, "ABCD", "x"},
	{LINE("ABCD 6001 name=\xc3\xa4\\=1# why"), 1, 4, 6001, 0, 0, "ABCD", "\xc3\xa4\\=1"},
	{LINE("ABCD 6001 32:64 name=\"a # b\"# why"), 1, 4, 6001, 32, 64, "ABCD", "a # b"},
	{LINE("ABCD 6001\tname=\"\\\"\\\\\" size=32:64\r"), 1, 4, 6001, 32, 64, "ABCD", "\"\\"},
	{LINE("AB\"D 6001 name=\" \""), 1, 4, 6001, 0, 0, "AB\"D", " "},
	{LINE("A=\"D 6001 # \""), 1, 4, 6001, 0, 0, "A=\"D", NULL},
	{LINE("ABCD 1 name=" N63), 1, 4, 1, 0, 0, "ABCD", N63},
};

START_TEST(takes_table_lines)
{
	char name[MANGLE_TEXT_SIZE];
	struct entity en;
	struct tag out;
	struct bad_word bad;

	memset(&en, 0xaa, sizeof(en));
	memset(name, 0xaa, sizeof(name));
	ck_assert_int_eq(
		parse_table_line(table_lines[_i].line, table_lines[_i].len, &out, &en, name, &bad),
		table_lines[_i].want);
	if (!table_lines[_i].want)
		return;
	ck_assert_uint_eq(out.len, table_lines[_i].tag_len);
	ck_assert_mem_eq(en.tag, table_lines[_i].tag, out.len);
	ck_assert_mem_eq(en.tag, out.bytes, sizeof(en.tag));
	ck_assert_uint_eq(en.target.port, table_lines[_i].port);
	ck_assert_uint_eq(en.target.action == ACTION_PORT, table_lines[_i].port != 0);
	ck_assert_uint_eq(en.has_size, table_lines[_i].max != 0);
	ck_assert_uint_eq(en.size.min, table_lines[_i].min);
	ck_assert_uint_eq(en.size.max, table_lines[_i].max);
	ck_assert_uint_eq(en.line, 0);
	ck_assert_str_eq(name, table_lines[_i].name ? table_lines[_i].name : "");
}
END_TEST

#define AAAA_40 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define DIGITS_40 "0000000000000000000000000000000000000001"

static const struct {
	const char *line;
	size_t len;
	const char *why;
} bad_lines[] = {
	{LINE("ABCD"), "entity 'ABCD' has no target behind it"},
	{LINE("ABCD # 6001"), "entity 'ABCD' has no target"},
	{LINE("AB#CD 6001"), "entity 'AB' has no target"},
	{LINE("ABCD 6001 1:2 3"), "entity '3' is more than TAG TARGET [MIN:MAX]"},
	{LINE("ABCD 6001 1:2 3 4 5 6"), "entity '3' is more than"},
	{LINE("ABCD 6001 1:2 " AAAA_40 AAAA_40 AAAA_40 AAAA_40), "more than TAG TARGET"},
	{LINE("ABCD 0"), "target '0' is not a port"},
	{LINE("ABCD 65536"), "target '65536' is not a port"},
	{LINE("ABCD Drop"), "target 'Drop' is not a port (1-65535), drop or pass (write drop)"},
	{LINE("ABCD 6001\r 1:2"), "target '6001\r' is not a port"},
	{LINE("ABCD " DIGITS_40 DIGITS_40 DIGITS_40 DIGITS_40), "' is not a port"},
	{LINE("ABCD 6001 x"), "size 'x' is not MIN:MAX"},
	{LINE("ABCD 6001 2:1"), "size '2:1' has a minimum above"},
	{LINE("ABCD 6001 " DIGITS_40 DIGITS_40 DIGITS_40 DIGITS_40), "' is not MIN:MAX"},
	{LINE("0x414 6001"), "tag '0x414' has an odd number"},
	{LINE("\xc3\xa9 6001"), "hex:"},
	{LINE("A\\ 6001"), "tag 'A\\' has a \\"},
	{LINE("A\\\xff 6001"), "' has a \\"},
	{LINE("A\\x2 6001"), "tag 'A\\x2' has a \\"},
	{LINE(AAAA_40 " 6001"), "AAA' is longer than 16 bytes (hex digits are written 0x...)"},
	{LINE(AAAA_40 AAAA_40 AAAA_40 AAAA_40 " 6001"), "AAA' is longer than 16"},
	{LINE("ABCD,6001"),
	 "entity 'ABCD,6001' is one word: TAG and TARGET are separated by blanks"},
	{LINE("0x41424344;6001;1:2"), "is one word"},
	{LINE("ABCD\v6001"), "no target"},
	{LINE("\0"), "NUL"},
	{LINE("ABCD 6001\0"), "NUL"},
	{LINE("AB\0D 6001"), "NUL"},
	{LINE("ABCD 60\0"
	      "1"),
	 "NUL"},
	{LINE("# \0"), "NUL"},
	{LINE("ABCD 6001 name=x 1:2"), "entity '1:2' is more than TAG TARGET [MIN:MAX] [KEY=VALUE"},
	{LINE("ABCD 6001 1:2 size=1:2"), "size 'size=1:2' is a second size"},
	{LINE("ABCD 6001 size=1:2 size=1:2"), "is a second size"},
	{LINE("ABCD 6001 size="), "size '' is not MIN:MAX"},
	{LINE("ABCD 6001 size=2:1"), "size '2:1' has a minimum above"},
	{LINE("ABCD 6001 name=a name=b"), "name 'name=b' is a second name"},
	{LINE("ABCD 6001 nam=a"), "entity 'nam=a' is none of size=MIN:MAX name=TEXT"},
	{LINE("ABCD 6001 =a"), "entity '=a' is none of"},
	{LINE("ABCD 6001 name="), "name '' is not 1 to 63 bytes of printable text"},
	{LINE("ABCD 6001 name=\"\""), "is not 1 to 63 bytes"},
	{LINE("ABCD 6001 name=" N63 "4"), "is not 1 to 63 bytes"},
	{LINE("ABCD 6001 name=\"" N63 "4\""), "is not 1 to 63 bytes"},
	{LINE("ABCD 6001 name=a\x01"), "is not 1 to 63 bytes"},
	{LINE("ABCD 6001 name=a\xe2\x80\xae"), "is not 1 to 63 bytes"}, /* turns text around */
	{LINE("ABCD 6001 name=a\xef\xbf\xbf"), "is not 1 to 63 bytes"}, /* YAML has it not */
	{LINE("ABCD 6001 name=\xff"), "is not 1 to 63 bytes"},
	{LINE("ABCD 6001 name=\xc3"), "is not 1 to 63 bytes"},
	{LINE("ABCD 6001 name=\""), "has no closing \""},
	{LINE("ABCD 6001 name=\"a b"), "entity 'name=\"a b' has no closing \""},
	{LINE("ABCD 6001 name=\"a\\"), "has no closing \""},
	{LINE("ABCD 6001 name=\"a\\\""), "has no closing \""},
	{LINE("ABCD 6001 name=\"a\"b"), "goes on behind the closing \""},
	{LINE("ABCD 6001 name=\"a\\x41\""), "has a \\ that is not"},
	{LINE("ABCD 6001 name=a\"b"), "has a \" inside"},
};

START_TEST(refuses_table_lines)
{
	/* Without anything behind it, so that the sanitizer sees a read too far. */
	char *line = malloc(bad_lines[_i].len);
	struct bad_word bad;
	struct entity en;
	struct tag out;
	char said[512], name[MANGLE_TEXT_SIZE];

	memcpy(line, bad_lines[_i].line, bad_lines[_i].len);
	ck_assert_int_eq(parse_table_line(line, bad_lines[_i].len, &out, &en, name, &bad), -EINVAL);
	snprintf(said, sizeof(said), "%s '%.*s' %s", bad.what, (int)bad.len,
		 bad.text ? bad.text : "", bad.why.text);
	ck_assert_msg(strstr(said, bad_lines[_i].why) != NULL, "'%s': \"%s\" has no \"%s\"",
		      bad_lines[_i].line, said, bad_lines[_i].why);
	ck_assert(!bad.text ||
		  (bad.text >= line && bad.text + bad.len <= line + bad_lines[_i].len));
	free(line);
}
END_TEST

/* ---- there and back ----------------------------------------------------------------------- */

static void tag_comes_back(const struct tag *t)
{
	char buf[TAG_TEXT_SIZE];
	uint8_t from_key[MANGLE_MAX_TAG];
	struct tag again;
	struct parse_error why;
	uint64_t lo, hi;

	ck_assert_int_eq(parse_tag(format_tag_hex(t->bytes, t->len, buf), &again, &why), 0);
	ck_assert_mem_eq(t, &again, sizeof(again));
	ck_assert_int_eq(parse_tag(format_tag(t->bytes, t->len, buf), &again, &why), 0);
	ck_assert_mem_eq(t, &again, sizeof(again));
	ck_assert_ptr_null(strpbrk(buf, " \t#\\"));

	tag_to_key(t->bytes, t->len, &lo, &hi);
	tag_from_key(lo, hi, from_key);
	ck_assert_mem_eq(from_key, t->bytes, sizeof(from_key));
	if (t->len <= 8)
		ck_assert_uint_eq(hi, 0);
}

/* Fuzz in small: nothing may be read or written past its end, and what is taken comes back. */
START_TEST(random_tags)
{
	/* Letters that begin and end the special forms come often. */
	static const char alphabet[] = "0xhe:text\\AB41 #'\"\xc3\x7f\x01";
	uint64_t state = 7;
	unsigned int taken = 0;

	for (int i = 0; i < 300000; i++) {
		unsigned int len = (unsigned int)(draw(&state) % 24);
		char *text = malloc(len + 1);
		struct tag t;
		struct parse_error why;

		for (unsigned int j = 0; j < len; j++)
			text[j] = alphabet[draw(&state) % (sizeof(alphabet) - 1)];
		text[len] = '\0';
		if (!parse_tag(text, &t, &why)) {
			tag_comes_back(&t);
			taken++;
		}
		free(text);
	}
	ck_assert_uint_gt(taken, 10000);
}
END_TEST

START_TEST(random_bytes_as_tags)
{
	uint64_t state = 8;

	for (int i = 0; i < 100000; i++) {
		struct tag t = {.len = (uint8_t)(1 + draw(&state) % MANGLE_MAX_TAG)};

		for (unsigned int j = 0; j < t.len; j++)
			t.bytes[j] = (uint8_t)draw(&state);
		tag_comes_back(&t);
	}
}
END_TEST

START_TEST(formats_tags)
{
	char buf[TAG_TEXT_SIZE];
	const uint8_t odd[] = {'A', 0x1f};

	ck_assert_str_eq(format_tag((const uint8_t *)"ABCD", 4, buf), "ABCD");
	ck_assert_str_eq(format_tag((const uint8_t *)"a_.-", 4, buf), "a_.-");
	ck_assert_str_eq(format_tag((const uint8_t *)"A B", 3, buf), "0x412042");
	ck_assert_str_eq(format_tag((const uint8_t *)"A#", 2, buf), "0x4123");
	ck_assert_str_eq(format_tag((const uint8_t *)"0x41", 4, buf), "0x30783431");
	ck_assert_str_eq(format_tag((const uint8_t *)"0x", 2, buf), "0x3078");
	ck_assert_str_eq(format_tag((const uint8_t *)"hex:", 4, buf), "0x6865783a");
	ck_assert_str_eq(format_tag((const uint8_t *)"\\", 1, buf), "0x5c");
	ck_assert_str_eq(format_tag(odd, 2, buf), "0x411f");
	ck_assert_ptr_null(format_tag_text(odd, 2, buf));
	ck_assert_ptr_null(format_tag_text((const uint8_t *)"\x7f", 1, buf));
	ck_assert_ptr_null(format_tag_text((const uint8_t *)"\x80", 1, buf));
	ck_assert_str_eq(format_tag_text((const uint8_t *)" ~#\\", 4, buf), " ~#\\");
	ck_assert_str_eq(format_tag_text((const uint8_t *)"ABCDEFGHIJKLMNOP", 16, buf),
			 "ABCDEFGHIJKLMNOP");
	ck_assert_str_eq(format_tag_hex((const uint8_t *)"ABCDEFGHIJKLMNOP", 16, buf),
			 "0x4142434445464748494a4b4c4d4e4f50");
}
END_TEST

START_TEST(takes_hex)
{
	static const char *const bad[] = {"", " : ", "0", "123", "0x12", "1g", "12\n", "\xc3\xa9"};
	uint8_t out[8] = {0};
	struct parse_error why;
	size_t len = 0;

	ck_assert_int_eq(parse_hex(" 0:1 2\t3aB:cD", out, &len, &why), 0);
	ck_assert_uint_eq(len, 4);
	ck_assert_mem_eq(out, "\x01\x23\xab\xcd", 4);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ck_assert_int_eq(parse_hex(bad[i], out, &len, &why), -EINVAL);
}
END_TEST

START_TEST(keys_are_little_endian)
{
	uint64_t lo, hi;

	tag_to_key((const uint8_t *)"ABCD", 4, &lo, &hi);
	ck_assert_uint_eq(lo, 0x44434241);
	ck_assert_uint_eq(hi, 0);
	tag_to_key((const uint8_t *)"ABCDEFGHIJ", 10, &lo, &hi);
	ck_assert_uint_eq(lo, UINT64_C(0x4847464544434241));
	ck_assert_uint_eq(hi, 0x4a49);
	/* What lies behind the tag is none of the key. */
	tag_to_key((const uint8_t *)"ABCDEFGHIJKLMNOP", 3, &lo, &hi);
	ck_assert_uint_eq(lo, 0x434241);
	ck_assert_uint_eq(hi, 0);
}
END_TEST

START_TEST(formats_targets)
{
	const struct target port_5 = {ACTION_PORT, 5}, port_max = {ACTION_PORT, 65535};
	const struct target drop = {ACTION_DROP, 0}, pass = {ACTION_PASS, 0};
	char buf[TARGET_TEXT_SIZE];

	ck_assert_str_eq(format_target(&port_5, buf), "5");
	ck_assert_str_eq(format_target(&port_max, buf), "65535");
	ck_assert_str_eq(format_target(&drop, buf), "drop");
	ck_assert_str_eq(format_target(&pass, buf), "pass");
}
END_TEST

/* ---- errors ------------------------------------------------------------------------------- */

START_TEST(errors_are_one_line)
{
	char object[4001], text[3001];
	struct err e;

	ck_assert_int_eq(fail(&e, -ENOENT, "a\nb", "doing: \x1b[31m %s\x7f", "c\r"), -ENOENT);
	ck_assert_str_eq(e.line, "a\\x0ab: doing: \\x1b[31m c\\x0d\\x7f");
	ck_assert_int_eq(e.status, EXIT_NOT_DONE);
	ck_assert_int_eq(usage_error(&e, "eth0", "attaching: %d", 5), -EINVAL);
	ck_assert_str_eq(e.line, "eth0: attaching: 5");
	ck_assert_int_eq(e.status, EXIT_USAGE);
	fail(&e, -EIO, "caf\xc3\xa9", "x");
	ck_assert_str_eq(e.line, "caf\xc3\xa9: x");

	/* A long object leaves room for the reason, and keeps both its ends. */
	memset(object, 'o', sizeof(object));
	memcpy(object, "begin", 5);
	memcpy(object + 4000 - 3, ":17", 4);
	fail(&e, -EINVAL, object, "the reason");
	ck_assert_int_eq(strncmp(e.line, "begin", 5), 0);
	ck_assert_ptr_nonnull(strstr(e.line, "..."));
	ck_assert_ptr_nonnull(strstr(e.line, ":17: the reason"));

	/* All of it escaped, and too long. */
	memset(object, '\n', 4000);
	memset(text, '\n', 3000);
	text[3000] = '\0';
	fail(&e, -EINVAL, object, "%s", text);
	ck_assert_uint_lt(strlen(e.line), sizeof(e.line));
	ck_assert_ptr_null(strchr(e.line, '\n'));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parse");
	TCase *tc = tcase_create("parse");

	tcase_add_loop_test(tc, refuses, 0, COUNT_OF(refused));
	tcase_add_loop_test(tc, takes_numbers, 0, COUNT_OF(numbers));
	tcase_add_test(tc, takes_every_port_and_no_other);
	tcase_add_loop_test(tc, takes_tags, 0, COUNT_OF(tags));
	tcase_add_test(tc, takes_targets);
	tcase_add_loop_test(tc, takes_windows, 0, COUNT_OF(windows));
	tcase_add_test(tc, takes_target_ranges);
	tcase_add_loop_test(tc, takes_masks, 0, COUNT_OF(masked));
	tcase_add_loop_test(tc, takes_tag_places, 0, COUNT_OF(places));
	tcase_add_loop_test(tc, takes_prefixes, 0, COUNT_OF(prefixes));
	tcase_add_loop_test(tc, says_why_a_length_is_wrong, 0, COUNT_OF(lengths));
	tcase_add_test(tc, takes_words);
	tcase_add_loop_test(tc, takes_table_lines, 0, COUNT_OF(table_lines));
	tcase_add_loop_test(tc, refuses_table_lines, 0, COUNT_OF(bad_lines));
	tcase_add_test(tc, random_tags);
	tcase_add_test(tc, random_bytes_as_tags);
	tcase_add_test(tc, formats_tags);
	tcase_add_test(tc, takes_hex);
	tcase_add_test(tc, keys_are_little_endian);
	tcase_add_test(tc, formats_targets);
	tcase_add_test(tc, errors_are_one_line);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
