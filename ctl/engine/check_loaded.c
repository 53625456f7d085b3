/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of what is loaded and attached, of the configuration that the next boot loads, and of the
 * host that TCP connections end on. */
#include "check_loaded.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/flows.h"
#include "kernel/open.h"
#include "kernel/running.h"
#include "kernel/services.h"
#include "files/config.h"
#include "advice_change.h"
#include "advice_host.h"
#include "drift.h"
#include "interfaces.h"
#include "twice.h"

static void check_hosts(struct findings *f, struct store *s, const struct model *m,
			const struct attachment *a, size_t count)
{
	struct warnings w = {0};

	warn_about_hosts(&w, s, m, a, count);
	add_notes(f, "connections", &w);
	free_warnings(&w);
}

static void check_services(struct findings *f, struct store *s, const struct model *m,
			   const struct attachment *a, size_t count)
{
	struct warnings w = {0};

	add_finding(f, "tables", CHECK_OK, "%u service%s loaded, generation %llu", m->service_count,
		    m->service_count == 1 ? "" : "s", (unsigned long long)store_generation(s));
	warn_about_running(&w, m, a, count);
	add_notes(f, "services", &w);
	free_warnings(&w);
}

static int check_flows(struct findings *f, struct store *s, struct err *e)
{
	struct warnings w = {0};
	uint64_t used;
	int err = read_flows(s, &used, e);

	if (!err)
		warn_about_flows(&w, used, store_flows_size(s));
	add_notes(f, "flows", &w);
	free_warnings(&w);
	return err;
}

static void check_attachments(struct findings *f, const struct model *m, struct attachment *a,
			      size_t count)
{
	struct warnings twice = {0};
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		struct warnings w = {0};

		any |= a[i].attached;
		if (a[i].attached)
			add_finding(f, a[i].iface.name, CHECK_OK, "attached, %s mode",
				    a[i].iface.mode == MODE_GENERIC ? "generic" : "native");
		warn_about_attachment(&w, &a[i], m);
		add_notes(f, a[i].iface.name, &w);
		free_warnings(&w);
	}
	warn_about_twice(&twice, a, count);
	add_notes(f, "interfaces", &twice);
	free_warnings(&twice);
	if (!any)
		add_finding(
			f, "interfaces", CHECK_WARN,
			"nothing is attached: packets reach the shared ports unchanged (mangle-ctl attach IFACE)");
}

/* Checks what the next boot loads, and whether it equals what runs. s: NULL where nothing is
 * loaded, or the tables cannot be read. */
static int check_config(struct findings *f, struct store *s, struct err *e)
{
	struct drift drift;
	int err = drift_read_boot(s, &drift, e);
	const char *file = *drift.file ? drift.file
				       : "the built-in default (there is no " CONFIG_DEFAULT_FILE
					 ")";

	if (err)
		return err;
	if (drift.state == DRIFT_BROKEN)
		/* To another user than root the file may only be unreadable. */
		add_finding(f, "configuration", geteuid() == 0 ? CHECK_BAD : CHECK_WARN,
			    "%s cannot load it: %s", geteuid() == 0 ? "the next boot" : "this user",
			    drift.why.line);
	else if (s && drift.differs)
		add_finding(
			f, "configuration", CHECK_WARN,
			"%s: what runs differs from it, and is lost at a reboot (mangle-ctl apply, or keep what runs: mangle-ctl save)",
			file);
	else
		add_finding(f, "configuration", CHECK_OK, "%s: %u service%s, %llu entit%s%s", file,
			    drift.services, drift.services == 1 ? "" : "s",
			    (unsigned long long)drift.entities, drift.entities == 1 ? "y" : "ies",
			    s ? ", as it runs" : ", can be loaded");
	return 0;
}

static int check_store(struct findings *f, struct store *s, struct err *e)
{
	struct attachment *a = NULL;
	struct model m;
	size_t count;
	int err;

	model_init(&m);
	err = store_read(s, &m, false, e);
	if (!err)
		err = read_attachments(s, &a, &count, e);
	if (!err) {
		check_services(f, s, &m, a, count);
		err = check_flows(f, s, e);
	}
	if (!err)
		err = check_config(f, s, e);
	if (!err) {
		check_attachments(f, &m, a, count);
		check_hosts(f, s, &m, a, count);
	}
	model_free(&m);
	free(a);
	return err;
}

void check_loaded(struct findings *f, double wait)
{
	struct store *s = NULL;
	struct err why, ignored;
	int err = store_open(&s, STORE_READ, wait, &why);

	if (err == -ENOENT)
		add_finding(f, "tables", CHECK_OK, "nothing is loaded");
	else if (!err)
		err = check_store(f, s, &why);
	if (err && err != -ENOENT)
		add_finding(f, "tables", why.status == EXIT_LOCK_BUSY ? CHECK_WARN : CHECK_BAD,
			    "%s", why.line);
	/* The configuration file is checked also where the tables cannot be read. */
	if (err)
		check_config(f, NULL, &ignored);
	store_close(s);
}
