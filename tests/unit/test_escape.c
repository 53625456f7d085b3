/* SPDX-License-Identifier: GPL-2.0-only */
#include "../../ctl/model/escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../../ctl/model/err.h"
#include "unit.h"

/* All of a string, as it is shown. */
static const char *escape(const char *text, size_t len, char *shown)
{
	char one[ESCAPED_SIZE];

	*shown = '\0';
	while (len) {
		size_t n = escape_char(text, len, one);

		ck_assert_uint_ge(n, 1);
		ck_assert_uint_le(n, len);
		strcat(shown, one);
		text += n;
		len -= n;
	}
	return shown;
}

static const struct {
	const char *text, *shown;
} TEXTS[] = {
	{"eth0", "eth0"},
	{" ~", " ~"},
	{"\x1b[2J\x1b[31mok", "\\x1b[2J\\x1b[31mok"},
	{"a\nb\tc\rd\x7f", "a\\x0ab\\x09c\\x0dd\\x7f"},
	/* valid UTF-8 of each length */
	{"\xc3\xbc", "\xc3\xbc"},
	{"\xe2\x82\xac", "\xe2\x82\xac"},
	{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	/* C1: CSI, as UTF-8 and as a byte */
	{"\xc2\x9b"
	 "31m",
	 "\\xc2\\x9b31m"},
	{"\x9b"
	 "31m",
	 "\\x9b31m"},
	{"\xc2\xa0", "\xc2\xa0"},
	/* direction of writing, no width, separators */
	{"\xe2\x80\xae", "\\xe2\\x80\\xae"},
	{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
	{"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
	{"\xd8\x9c", "\\xd8\\x9c"},
	{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},
	{"\xf3\xa0\x80\xa0", "\\xf3\\xa0\\x80\\xa0"},
	/* not UTF-8: overlong, a surrogate, too great, alone, cut */
	{"\xc0\x80", "\\xc0\\x80"},
	{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	{"\xff\xfe", "\\xff\\xfe"},
	{"a\xc3", "a\\xc3"},
	{"\xe2\x82z", "\\xe2\\x82z"},
};

START_TEST(test_texts)
{
	for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
		char shown[256], again[1024];

		escape(TEXTS[i].text, strlen(TEXTS[i].text), shown);
		ck_assert_str_eq(shown, TEXTS[i].shown);
		/* What was escaped stays as it is. */
		ck_assert_str_eq(escape(shown, strlen(shown), again), shown);
	}
}
END_TEST

/* What comes out is UTF-8 without a control character, whatever goes in. */
START_TEST(test_random)
{
	uint64_t state = 7;

	for (int round = 0; round < 20000; round++) {
		char text[16], shown[16 * ESCAPED_SIZE], again[16 * ESCAPED_SIZE];
		size_t len = 1 + draw(&state) % sizeof(text);

		for (size_t i = 0; i < len; i++)
			text[i] = (char)(draw(&state) >> 32);
		escape(text, len, shown);
		ck_assert_str_eq(escape(shown, strlen(shown), again), shown);
		for (size_t i = 0; shown[i]; i++)
			ck_assert((unsigned char)shown[i] >= 0x20 && shown[i] != 0x7f);
	}
}
END_TEST

START_TEST(test_span)
{
	ck_assert_uint_eq(escape_span("eth0\x1b", 5), 4);
	ck_assert_uint_eq(escape_span("\x7f", 1), 0);
	ck_assert_uint_eq(escape_span("abc", 2), 2);
	ck_assert_uint_eq(escape_span("\xc3\xbc", 2), 0);
}
END_TEST

/* An error's line is escaped, and where it is full it does not end within an escape. */
START_TEST(test_error)
{
	char longer[2000];
	struct err e;

	fail(&e, -1, "\x1b[2J", "naming \xc2\x9b: it is %s", "\xe2\x80\xae");
	ck_assert_str_eq(e.line, "\\x1b[2J: naming \\xc2\\x9b: it is \\xe2\\x80\\xae");
	for (int i = 0; i < 8; i++) {
		memset(longer, '\x01', sizeof(longer));
		memset(longer, 'a', (size_t)i);
		longer[sizeof(longer) - 1] = '\0';
		fail(&e, -1, "x", "%s", longer);
		ck_assert_str_eq(e.line + strlen(e.line) - 4, "\\x01");
		ck_assert_uint_gt(strlen(e.line), sizeof(e.line) - 6);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("escape");
	TCase *all = tcase_create("escape");

	tcase_add_test(all, test_texts);
	tcase_add_test(all, test_random);
	tcase_add_test(all, test_span);
	tcase_add_test(all, test_error);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
