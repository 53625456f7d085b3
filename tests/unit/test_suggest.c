/* SPDX-License-Identifier: GPL-2.0-only */
#include "../../ctl/cli/suggest.h"

#include <string.h>

#include "unit.h"

#define WORDS_MAX 8

static const struct {
	const char *wrong, *known[WORDS_MAX], *text; /* text: NULL where nothing is near */
} CASES[] = {
	{"map", {"map"}, "did you mean map?"},
	{"dle", {"del"}, "did you mean del?"},	  /* swapped */
	{"gett", {"get"}, "did you mean get?"},	  /* one too many */
	{"lis", {"list"}, "did you mean list?"},  /* one too few */
	{"lost", {"list"}, "did you mean list?"}, /* exchanged */
	{"los", {"list"}, NULL},		  /* two, of four letters */
	{"atahc", {"attach"}, "did you mean attach?"},
	{"atch", {"attach"}, "did you mean attach?"},
	{"ath", {"attach"}, NULL},
	{"att", {"attach"}, "did you mean attach?"}, /* its beginning */
	{"a", {"attach"}, NULL},		     /* which says too little */
	{"", {"ls", "map"}, NULL},
	{"sl", {"ls"}, "did you mean ls?"},
	{"xy", {"ls"}, NULL},
	/* the nearest ones only, each once */
	{"stat", {"save", "stats", "status", "stats"}, "did you mean stats or status?"},
	{"lisst", {"last", "list", "load"}, "did you mean list?"},
	{"ab", {"aba", "abb", "abc", "abd"}, "did you mean aba, abb or abc?"},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "map"},
	 NULL},
};

START_TEST(proposes)
{
	struct suggestion s = {.wrong = CASES[_i].wrong};
	char buf[SUGGEST_TEXT_SIZE];
	const char *text;

	for (int i = 0; i < WORDS_MAX && CASES[_i].known[i]; i++)
		suggest(&s, CASES[_i].known[i], CASES[_i].known[i]);
	text = suggest_text(&s, buf);
	if (CASES[_i].text)
		ck_assert_pstr_eq(text, CASES[_i].text);
	else
		ck_assert_ptr_null(text);
}
END_TEST

START_TEST(shows_another_word_than_it_compares)
{
	struct suggestion s = {.wrong = "prto"};
	char buf[SUGGEST_TEXT_SIZE];

	suggest(&s, "proto", "--a-name-that-is-longer-than-there-is-room-for");
	ck_assert_str_eq(suggest_text(&s, buf), "did you mean --a-name-that-is-longer-than-th?");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("suggest");
	TCase *all = tcase_create("suggest");

	tcase_add_loop_test(all, proposes, 0, sizeof(CASES) / sizeof(*CASES));
	tcase_add_test(all, shows_another_word_than_it_compares);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
