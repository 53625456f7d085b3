/* SPDX-License-Identifier: GPL-2.0-only */
#include "suggest.h"

#include <stdio.h>
#include <string.h>

#define LONGEST 24 /* words longer than this are not compared */

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Returns how many letters must be left out, inserted, exchanged, or swapped with the next, to make
 * b of a (optimal string alignment). Both have at most LONGEST letters. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int d[LONGEST + 1][LONGEST + 1];
	size_t la = strlen(a), lb = strlen(b);

	for (size_t i = 0; i <= la; i++)
		for (size_t j = 0; j <= lb; j++) {
			if (!i || !j) {
				d[i][j] = (unsigned int)(i + j);
				continue;
			}
			d[i][j] = least(d[i - 1][j], d[i][j - 1]) + 1;
			d[i][j] = least(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[la][lb];
}

static void keep(struct suggestion *s, unsigned int distance, const char *shown)
{
	if (s->count && distance > s->distance)
		return;
	if (s->count && distance < s->distance)
		s->count = 0;
	s->distance = distance;
	for (unsigned int i = 0; i < s->count; i++)
		if (!strcmp(s->word[i], shown))
			return;
	if (s->count < SUGGEST_MAX)
		snprintf(s->word[s->count++], SUGGEST_WORD_SIZE, "%s", shown);
}

void suggest(struct suggestion *s, const char *known, const char *shown)
{
	size_t typed = strlen(s->wrong), len = strlen(known);
	unsigned int distance;

	if (typed > LONGEST || len > LONGEST)
		return;
	distance = edit_distance(s->wrong, known);
	if (typed > 1 && !strncmp(s->wrong, known, typed))
		distance = least(distance, 1);
	if (distance <= (len < 3 ? 1 : len / 3))
		keep(s, distance, shown);
}

const char *suggest_text(const struct suggestion *s, char buf[SUGGEST_TEXT_SIZE])
{
	size_t len = (size_t)snprintf(buf, SUGGEST_TEXT_SIZE, "did you mean ");

	if (!s->count)
		return NULL;
	for (unsigned int i = 0; i < s->count; i++) {
		const char *before = !i ? "" : i + 1 < s->count ? ", " : " or ";

		len += (size_t)snprintf(buf + len, SUGGEST_TEXT_SIZE - len, "%s%s", before,
					s->word[i]);
	}
	snprintf(buf + len, SUGGEST_TEXT_SIZE - len, "?");
	return buf;
}
