/* SPDX-License-Identifier: GPL-2.0-only */
/* "did you mean": the known words that are nearest to one that is not known. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stdbool.h>

#define SUGGEST_MAX 3	     /* more would be no help */
#define SUGGEST_WORD_SIZE 32 /* "service list", "--exit-code" */

struct suggestion {
	const char *wrong; /* as typed */
	unsigned int distance, count;
	char word[SUGGEST_MAX][SUGGEST_WORD_SIZE];
};

/*
 * Keeps `shown` where `known` is as near to the wrong word as the nearest so far, or nearer. Near
 * is what a third of its letters make, at least one: left out, put in, exchanged or swapped with
 * the next; or where the wrong word is its beginning.
 */
void suggest(struct suggestion *s, const char *known, const char *shown);
/* "did you mean map list or map load?", or NULL where nothing is near. Returns buf. */
#define SUGGEST_TEXT_SIZE (SUGGEST_MAX * (SUGGEST_WORD_SIZE + 4) + 16)
const char *suggest_text(const struct suggestion *s, char buf[SUGGEST_TEXT_SIZE]);

#endif
