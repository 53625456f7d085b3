/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "print.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* The model's services, or the one that --service names. */
static int read_stats(const struct cmd *c, struct store *s, const struct model *m,
		      struct stats *all, struct service_stats *by, size_t *count, struct err *e)
{
	struct service *picked = NULL;
	int err = store_stats(s, NULL, all, e);

	if (!err && given(c, OPT(SERVICE)))
		err = pick_service(c, m, &picked, e);
	for (unsigned int i = 0; i < m->service_count && !err; i++) {
		if (picked && picked != &m->services[i])
			continue;
		by[*count].name = m->services[i].name;
		err = store_stats(s, by[*count].name, &by[*count].stats, e);
		(*count)++;
	}
	return err;
}

static int stats_once(const struct cmd *c, struct err *e)
{
	struct service_stats *by = NULL;
	struct stats all;
	struct model m;
	struct store *s;
	size_t count = 0;
	int err = open_loaded(c, STORE_READ, &s, e);

	if (err)
		return err;
	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err) {
		by = calloc(m.service_count + 1, sizeof(*by));
		err = by ? read_stats(c, s, &m, &all, by, &count, e)
			 : fail(e, -ENOMEM, "counters", "reading them: out of memory");
	}
	store_close(s); /* nobody waits for the lock while we write or sleep */
	if (!err)
		print_stats(&all, !given(c, OPT(SERVICE)), by, count);
	free(by);
	model_free(&m);
	return err;
}

int cmd_stats(const struct cmd *c, struct err *e)
{
	const struct sigaction on_signal = {.sa_handler = on_interrupt};
	const struct timespec second = {.tv_sec = 1};
	int err;

	if (!given(c, OPT(WATCH)))
		return stats_once(c, e);
	sigaction(SIGINT, &on_signal, NULL);
	sigaction(SIGTERM, &on_signal, NULL);
	do {
		err = stats_once(c, e);
		if (err || print_broken())
			return err;
		nanosleep(&second, NULL);
		if (!interrupted)
			print_stats_again();
	} while (!interrupted);
	return 0;
}
