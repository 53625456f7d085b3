/* SPDX-License-Identifier: GPL-2.0-only */
/* Paired measurement on a machine that changes its speed: slices alternate reference, variant,
 * reference, a round counts only when its two reference readings agree, and what is told is the
 * median of the ratios within rounds. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <linux/types.h>
#include <stdbool.h>

/* Something that can be run for a slice of frames and says how many nanoseconds a frame took. */
struct side {
	const char *name;
	int (*read)(const struct side *side, double *ns); /* 0, or -1 and it has said why */
	void *bench;					  /* for read to make of it what it likes */
	int what;
	__u16 port;
};

struct duel {
	const char *what;
	const struct side *variant, *reference;
	const struct side *floor; /* its time is taken off both; NULL: nothing is */
	bool inverse;		  /* reference / variant: a ratio of speeds, not of costs */
	double bar;		  /* at most; at least where inverse; 0: none */
};

struct outcome {
	const struct duel *duel;
	int counted, tried;
	double variant, reference, floor; /* medians, ns a frame */
	double ratio, low, high;	  /* median and quartiles of the rounds' ratios */
	enum verdict { VERDICT_OK, VERDICT_MISSED, VERDICT_NOISY } verdict;
};

enum { ROUNDS_MIN = 15, ROUNDS_WANTED = 101, ROUNDS_TRIED = 600 };

/* Runs N duels, a round of each in turn. 0, or -1 where a reading failed. */
int rounds_run(const struct duel *duels, struct outcome *outcomes, int n);

#endif
