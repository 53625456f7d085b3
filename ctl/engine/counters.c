/* SPDX-License-Identifier: GPL-2.0-only */
#include "counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/clock.h"

/* ---- at one time ---- */

static int allocate(struct counters *c, size_t count, struct err *e)
{
	*c = (struct counters){.services = calloc(count + 1, sizeof(*c->services))};
	return c->services ? 0 : fail(e, -ENOMEM, "counters", "reading them: out of memory");
}

static int read_service(struct store *s, const struct service *of, struct counters *c,
			struct err *e)
{
	struct service_stats *to = &c->services[c->count++];

	memcpy(to->name, of->name, sizeof(to->name));
	to->takes_unknown = of->unknown.action == ACTION_PORT;
	return store_stats(s, to->name, &to->stats, e);
}

int counters_read(struct store *s, const struct model *m, const struct service *only,
		  struct counters *out, struct err *e)
{
	int err = allocate(out, m->service_count, e);

	if (!err)
		err = store_stats(s, NULL, &out->all, e);
	for (unsigned int i = 0; i < m->service_count && !err; i++)
		if (!only || only == &m->services[i])
			err = read_service(s, &m->services[i], out, e);
	if (err) {
		counters_free(out);
		return err;
	}
	out->clock = clock_ns(CLOCK_MONOTONIC);
	return 0;
}

void counters_free(struct counters *c)
{
	free(c->services);
	*c = (struct counters){.services = NULL};
}

/* ---- from one time to another ---- */

/* The counters of a service that was replaced meanwhile have begun at 0 again. */
static uint64_t since(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

static struct stats stats_since(const struct stats *before, const struct stats *now)
{
	struct stats d;

	for (int i = 0; i < MANGLE_REASON_COUNT; i++) {
		d.packets[i] = since(before->packets[i], now->packets[i]);
		d.bytes[i] = since(before->bytes[i], now->bytes[i]);
	}
	for (int i = 0; i < MANGLE_VERDICT_COUNT; i++) {
		d.verdict[i] = since(before->verdict[i], now->verdict[i]);
		d.would[i] = since(before->would[i], now->would[i]);
	}
	return d;
}

static const struct stats *find_stats(const struct counters *in, const char *name)
{
	static const struct stats none;

	for (size_t i = 0; i < in->count; i++)
		if (!strcmp(in->services[i].name, name))
			return &in->services[i].stats;
	return &none;
}

int counters_since(const struct counters *before, const struct counters *now, struct counters *out,
		   struct err *e)
{
	int err = allocate(out, now->count, e);

	if (err)
		return err;
	out->all = stats_since(&before->all, &now->all);
	out->count = now->count;
	out->clock = now->clock;
	for (size_t i = 0; i < now->count; i++) {
		const struct service_stats *of = &now->services[i];

		out->services[i] = *of;
		out->services[i].stats = stats_since(find_stats(before, of->name), &of->stats);
	}
	return 0;
}

/* ---- columns ---- */

const struct stats_column stats_columns[STATS_COLUMN_COUNT] = {
	{.kind = STATS_SUM, .json = "seen", .title = "SEEN"},
#define VERDICT_COLUMN(upper, lower) \
	{.kind = STATS_VERDICT, \
	 .verdict = VERDICT_##upper, \
	 .json = #lower, \
	 .title = #upper, \
	 .is_loss = VERDICT_##upper == VERDICT_DROPPED},
	MANGLE_VERDICTS(VERDICT_COLUMN)
#undef VERDICT_COLUMN
		{.kind = STATS_SHARE, .title = "REFUSED"},
};

static const uint64_t *verdicts(const struct stats_line *l)
{
	return l->is_would ? l->stats->would : l->stats->verdict;
}

static uint64_t seen(const struct stats_line *l)
{
	uint64_t sum = 0;

	for (int i = 0; i < MANGLE_VERDICT_COUNT; i++)
		sum += verdicts(l)[i];
	return sum;
}

bool stats_line_is_empty(const struct stats_line *l)
{
	return !seen(l);
}

/* Returns how many packets the service found invalid, or had no port for. */
static uint64_t refused(const struct service_stats *s)
{
	static const enum mangle_reason all[] = {REASON_MALFORMED_L4, REASON_TOO_SHORT,
						 REASON_TOO_LONG, REASON_NO_TAG, REASON_TCP_RESET};
	uint64_t sum = s->takes_unknown ? 0 : s->stats.packets[REASON_UNKNOWN_TAG];

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		sum += s->stats.packets[all[i]];
	return sum;
}

/* There is no share of all packets, most of which belong to no service, nor under observe, where
 * verdicts are not counted by reason. */
static struct stats_value refused_share(const struct stats_line *l)
{
	if (!l->service || l->is_would)
		return (struct stats_value){.is_none = true};
	return (struct stats_value){.count = refused(l->service), .whole = seen(l)};
}

struct stats_value stats_column_value(const struct stats_column *c, const struct stats_line *l)
{
	switch (c->kind) {
	case STATS_SUM: return (struct stats_value){.count = seen(l)};
	case STATS_VERDICT: return (struct stats_value){.count = verdicts(l)[c->verdict]};
	case STATS_SHARE: return refused_share(l);
	}
	return (struct stats_value){.is_none = true};
}
