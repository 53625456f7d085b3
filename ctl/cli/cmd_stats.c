/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "kernel/clock.h"
#include "kernel/follow.h"
#include "kernel/open.h"
#include "kernel/services.h"
#include "engine/counters.h"
#include "print.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Reads the counters of all services, or of the one that --service names. */
static int read_counters(const struct cmd *c, struct store *s, struct counters *now, struct err *e)
{
	struct service *picked = NULL;
	struct model m;
	int err;

	*now = (struct counters){.services = NULL};
	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err && given(c, OPT(SERVICE)))
		err = pick_service(c, &m, &picked, e);
	if (!err)
		err = counters_read(s, &m, picked, now, e);
	model_free(&m);
	return err;
}

/* Prints *now, or as text what was counted since `before`, which has no services at first. */
static int report(const struct cmd *c, const struct counters *before, const struct counters *now,
		  struct err *e)
{
	struct stats_report r = {
		.counters = now,
		.show_all = !given(c, OPT(SERVICE)),
		.reasons = given(c, OPT(VERBOSE) | OPT(SERVICE)),
		.exact = given(c, OPT(EXACT)),
		.watch = given(c, OPT(WATCH)),
		.time = (double)clock_ns(CLOCK_REALTIME) / 1e9,
	};
	struct counters since = {.services = NULL};

	if (before->services && !c->out->json) {
		int err = counters_since(before, now, &since, e);

		if (err)
			return err;
		r.counters = &since;
		r.seconds = (double)(now->clock - before->clock) / 1e9;
	}
	print_stats(c->out, &r);
	counters_free(&since);
	return 0;
}

/* Continues with the tables that are in force now. */
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
	struct counters before = {.services = NULL}, now;
	struct store *s;
	int err = open_loaded(c, STORE_READ, &s, e);

	while (!err && !interrupted) {
		err = read_counters(c, s, &now, e);
		store_pause(s); /* other runs need not wait for the lock during output and sleep */
		if (!err && before.services)
			print_stats_again(c->out);
		if (!err)
			err = report(c, &before, &now, e);
		counters_free(&before);
		before = now;
		if (err || out_failed(c->out))
			break;
		nanosleep(&second, NULL);
		if (!interrupted)
			err = follow(c, &s, e);
	}
	store_close(s);
	counters_free(&before);
	return err;
}

int cmd_stats(const struct cmd *c, struct err *e)
{
	const struct sigaction on_signal = {.sa_handler = on_interrupt};
	const struct counters none = {.services = NULL};
	struct counters now;
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
	err = read_counters(c, s, &now, e);
	store_close(s); /* other runs need not wait for the lock during output */
	if (!err)
		err = report(c, &none, &now, e);
	counters_free(&now);
	return err;
}
