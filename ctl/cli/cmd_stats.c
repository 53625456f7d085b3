/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/follow.h"
#include "kernel/open.h"
#include "kernel/services.h"
#include "kernel/stats.h"
#include "print.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Counters at one time. */
struct snapshot {
	struct stats all;
	struct service_stats *by;
	size_t count;
	double clock; /* seconds, which no one sets back */
};

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The model's services, or the one that --service names. */
static int read_counters(const struct cmd *c, struct store *s, const struct model *m,
			 struct snapshot *now, struct err *e)
{
	struct service *picked = NULL;
	int err = store_stats(s, NULL, &now->all, e);

	if (!err && given(c, OPT(SERVICE)))
		err = pick_service(c, m, &picked, e);
	for (unsigned int i = 0; i < m->service_count && !err; i++) {
		struct service_stats *by = &now->by[now->count];

		if (picked && picked != &m->services[i])
			continue;
		memcpy(by->name, m->services[i].name, sizeof(by->name));
		by->takes_unknown = m->services[i].unknown.action == ACTION_PORT;
		err = store_stats(s, by->name, &by->stats, e);
		now->count++;
	}
	now->clock = seconds_of(CLOCK_MONOTONIC);
	return err;
}

static int take_snapshot(const struct cmd *c, struct store *s, struct snapshot *now, struct err *e)
{
	struct model m;
	int err;

	*now = (struct snapshot){.by = NULL};
	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err) {
		now->by = calloc(m.service_count + 1, sizeof(*now->by));
		err = now->by ? read_counters(c, s, &m, now, e)
			      : fail(e, -ENOMEM, "counters", "reading them: out of memory");
	}
	model_free(&m);
	return err;
}

/* Counters of a service that was made anew meanwhile began at 0 again. */
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

static const struct stats *find_stats(const struct snapshot *in, const char *name)
{
	static const struct stats none;

	for (size_t i = 0; i < in->count; i++)
		if (!strcmp(in->by[i].name, name))
			return &in->by[i].stats;
	return &none;
}

/* *now as it is, or in text what was counted since `before`. */
static void report(const struct cmd *c, const struct snapshot *before, const struct snapshot *now)
{
	struct stats_report r = {
		.all = now->all,
		.services = now->by,
		.count = now->count,
		.show_all = !given(c, OPT(SERVICE)),
		.reasons = given(c, OPT(VERBOSE) | OPT(SERVICE)),
		.exact = given(c, OPT(EXACT)),
		.watch = given(c, OPT(WATCH)),
		.time = seconds_of(CLOCK_REALTIME),
	};
	struct service_stats *by = NULL;

	if (before->by && !c->json)
		by = calloc(now->count + 1, sizeof(*by));
	if (by) {
		r.seconds = now->clock - before->clock;
		r.all = stats_since(&before->all, &now->all);
		for (size_t i = 0; i < now->count; i++) {
			by[i] = now->by[i];
			by[i].stats = stats_since(find_stats(before, by[i].name),
						  &now->by[i].stats);
		}
		r.services = by;
	}
	print_stats(&r);
	free(by);
}

/* Goes on with the tables that are in force by now. */
static int follow(const struct cmd *c, struct store **s, struct err *e)
{
	int ret = store_resume(*s, c->wait, e);

	if (ret != -ENOENT)
		return ret < 0 ? ret : 0;
	store_close(*s);
	return open_loaded(c, STORE_READ, s, e);
}

static int watch(const struct cmd *c, struct err *e)
{
	const struct timespec second = {.tv_sec = 1};
	struct snapshot before = {.by = NULL}, now;
	struct store *s;
	int err = open_loaded(c, STORE_READ, &s, e);

	while (!err && !interrupted) {
		err = take_snapshot(c, s, &now, e);
		store_pause(s); /* no other run waits for the lock during output and sleep */
		if (!err && before.by)
			print_stats_again();
		if (!err)
			report(c, &before, &now);
		free(before.by);
		before = now;
		if (err || print_broken())
			break;
		nanosleep(&second, NULL);
		if (!interrupted)
			err = follow(c, &s, e);
	}
	store_close(s);
	free(before.by);
	return err;
}

int cmd_stats(const struct cmd *c, struct err *e)
{
	const struct sigaction on_signal = {.sa_handler = on_interrupt};
	const struct snapshot none = {.by = NULL};
	struct snapshot now;
	struct store *s;
	int err;

	if (given(c, OPT(WATCH))) {
		sigaction(SIGINT, &on_signal, NULL);
		sigaction(SIGTERM, &on_signal, NULL);
		return watch(c, e);
	}
	err = open_loaded(c, STORE_READ, &s, e);
	if (err)
		return err;
	err = take_snapshot(c, s, &now, e);
	store_close(s); /* no other run waits for the lock during the output */
	if (!err)
		report(c, &none, &now);
	free(now.by);
	return err;
}
