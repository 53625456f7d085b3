/* SPDX-License-Identifier: GPL-2.0-only */
/* "did you mean": finds the known words that are nearest to an unknown one. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stdbool.h>

#define SUGGEST_MAX 3	     /* more would not help */
#define SUGGEST_WORD_SIZE 32 /* "service list", "--exit-code" */

struct suggestion {
	const char *wrong; /* as typed */
	unsigned int distance, count;
	char word[SUGGEST_MAX][SUGGEST_WORD_SIZE];
};

/*
 * Keeps `shown` where `known` is as near to the wrong word as the nearest so far, or nearer. Near:
 * at most a third of its letters, but at least one, are left out, inserted, exchanged or swapped
 * with the next; or the wrong word is the beginning of the known one.
 */
void suggest(struct suggestion *s, const char *known, const char *shown);
/* Writes "did you mean map list or map load?". Returns buf, or NULL where no word is near. */
#define SUGGEST_TEXT_SIZE (SUGGEST_MAX * (SUGGEST_WORD_SIZE + 4) + 16)
const char *suggest_text(const struct suggestion *s, char buf[SUGGEST_TEXT_SIZE]);

#endif
