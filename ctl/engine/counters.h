/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters of services at one time, what was counted between two times, and the columns of
 * lists of them. */
#ifndef ENGINE_COUNTERS_H
#define ENGINE_COUNTERS_H

#include "kernel/stats.h"

struct service_stats {
	char name[MANGLE_NAME_SIZE];
	bool takes_unknown; /* the unknown policy is a port: unknown tags are not refused */
	struct stats stats;
};

struct counters {
	struct stats all; /* includes packets of no service */
	struct service_stats *services;
	size_t count;
	uint64_t clock; /* when they were read, ns of CLOCK_MONOTONIC */
};

/* Reads the counters of the model's services, or of `only`. The caller frees *out. */
int counters_read(struct store *s, const struct model *m, const struct service *only,
		  struct counters *out, struct err *e);
/* Computes what was counted from `before` to `now`. The caller frees *out. */
int counters_since(const struct counters *before, const struct counters *now, struct counters *out,
		   struct err *e);
void counters_free(struct counters *c);

/* ---- columns ---- */

/* What a row of a list is about: one service, or all packets. */
struct stats_line {
	const struct stats *stats;
	const struct service_stats *service; /* NULL: all packets */
	bool is_would; /* what enforce would have done, instead of what was done */
};

enum stats_kind {
	STATS_SUM,     /* count: packets of all verdicts, only grows */
	STATS_VERDICT, /* count: packets, only grows */
	STATS_SHARE,   /* count of `whole`: packets */
};

struct stats_column {
	enum stats_kind kind;
	enum mangle_verdict verdict; /* for STATS_VERDICT */
	const char *json;	     /* its key; NULL: the column is in text only */
	const char *title;
	bool is_loss; /* values above 0 are losses, and highlighted */
};
#define STATS_COLUMN_COUNT (MANGLE_VERDICT_COUNT + 2)
extern const struct stats_column stats_columns[STATS_COLUMN_COUNT];

struct stats_value {
	bool is_none; /* the line has no value in this column */
	uint64_t count, whole;
};
struct stats_value stats_column_value(const struct stats_column *c, const struct stats_line *l);
/* Returns whether no packet was counted. */
bool stats_line_is_empty(const struct stats_line *l);

#endif
