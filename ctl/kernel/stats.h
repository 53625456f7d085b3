/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters of verdicts and reasons. */
#ifndef KERNEL_STATS_H
#define KERNEL_STATS_H

#include "model/model.h"

struct store;

/* Packets and bytes since the tables, or the service, were created. */
struct stats {
	uint64_t packets[MANGLE_REASON_COUNT], bytes[MANGLE_REASON_COUNT];
	uint64_t verdict[MANGLE_VERDICT_COUNT], would[MANGLE_VERDICT_COUNT];
};
/* Reads the counters of all packets (service NULL), or of one service; all 0 where it does not
 * exist. Returns 0. */
int store_stats(struct store *s, const char *service, struct stats *out, struct err *e);

/* For the files of the store. */

/* Maps the counters, until store_close. */
int stats_map(struct store *s, struct err *e);
/* Takes a slot that no running service has, and marks it as used; its earlier counts are subtracted
 * for the new service. At least one slot must be free. */
uint16_t stats_take(struct store *s, bool used[MANGLE_STATS_SLOTS]);

#endif
