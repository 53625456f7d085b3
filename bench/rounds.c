// SPDX-License-Identifier: GPL-2.0-only
#include "rounds.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AGREE 0.05 /* how far the two readings of one side in a round may differ */

struct round {
	double variant, reference, floor, added, ratio;
};

static int read_side(const struct side *side, double *ns)
{
	*ns = 0;
	return side ? side->read(side, ns) : 0;
}

static bool agree(double a, double b)
{
	return fabs(a - b) <= AGREE * fmin(a, b);
}

/* reference, floor, variant, floor, reference. 1: counts, 0: does not, -1: failed. */
static int one_round(const struct duel *duel, struct round *round)
{
	double reference[2], floor[2];
	double own, other;

	if (read_side(duel->reference, &reference[0]) || read_side(duel->floor, &floor[0]) ||
	    read_side(duel->variant, &round->variant) || read_side(duel->floor, &floor[1]) ||
	    read_side(duel->reference, &reference[1]))
		return -1;
	if (!agree(reference[0], reference[1]) || !agree(floor[0], floor[1]))
		return 0;
	round->reference = (reference[0] + reference[1]) / 2;
	round->floor = (floor[0] + floor[1]) / 2;
	own = round->variant - round->floor;
	round->added = round->variant - (duel->floor ? round->floor : round->reference);
	other = round->reference - round->floor;
	if (own <= 0 || other <= 0)
		return 0;
	round->ratio = duel->inverse ? other / own : own / other;
	return 1;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The quantile Q of the field at OFFSET of the first N rounds. */
static double quantile(const struct round *rounds, int n, size_t offset, double q)
{
	double values[ROUNDS_MOST], at = q * (n - 1);
	int below = at;

	if (!n)
		return 0;
	for (int i = 0; i < n; i++)
		memcpy(&values[i], (const char *)&rounds[i] + offset, sizeof(double));
	qsort(values, n, sizeof(double), ascending);
	return values[below] +
	       (below + 1 < n ? (at - below) * (values[below + 1] - values[below]) : 0);
}

static void judge(struct outcome *o, const struct round *rounds, int wanted)
{
	const double bar = o->duel->bar;

	o->variant = quantile(rounds, o->counted, offsetof(struct round, variant), 0.5);
	o->reference = quantile(rounds, o->counted, offsetof(struct round, reference), 0.5);
	o->floor = quantile(rounds, o->counted, offsetof(struct round, floor), 0.5);
	o->added = quantile(rounds, o->counted, offsetof(struct round, added), 0.5);
	o->ratio = quantile(rounds, o->counted, offsetof(struct round, ratio), 0.5);
	o->low = quantile(rounds, o->counted, offsetof(struct round, ratio), 0.25);
	o->high = quantile(rounds, o->counted, offsetof(struct round, ratio), 0.75);
	if (o->counted < 5 || o->counted < wanted / 3)
		o->verdict = VERDICT_NOISY;
	else if (!bar || (o->duel->inverse ? o->ratio >= bar : o->ratio <= bar))
		o->verdict = VERDICT_OK;
	else
		o->verdict = VERDICT_MISSED;
}

int rounds_run(const struct duel *duels, struct outcome *outcomes, int n, int wanted)
{
	struct round(*rounds)[ROUNDS_MOST] = calloc(n, sizeof(*rounds));
	int ret = rounds ? 0 : -1;

	memset(outcomes, 0, n * sizeof(*outcomes));
	for (int i = 0; i < n; i++)
		outcomes[i].duel = &duels[i];
	for (int tried = 0, waiting = n; !ret && waiting && tried < 6 * wanted; tried++) {
		waiting = 0;
		for (int i = 0; !ret && i < n; i++) {
			struct outcome *o = &outcomes[i];
			int counts;

			if (o->counted == wanted)
				continue;
			counts = one_round(&duels[i], &rounds[i][o->counted]);
			ret = counts < 0 ? -1 : 0;
			o->counted += counts > 0;
			o->tried++;
			waiting++;
		}
	}
	for (int i = 0; !ret && i < n; i++)
		judge(&outcomes[i], rounds[i], wanted);
	free(rounds);
	return ret;
}
