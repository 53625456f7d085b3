/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of services and whole tables: new tables are laid into free places, a new configuration
 * that names them is built beside the running one, and one store of a pointer puts it into force:
 * that is the change, for every packet at once. Then the counters of entities that stay are added
 * to what they count anew; the old tables hold still by then, so this can be done again after an
 * interruption, and gives the same. `dirty` in the running configuration says that there is
 * something to finish or to throw away.
 *
 * The flow table is moved to one of another size in the same way: the configuration says which it
 * is to be, and until it is that one there is something to finish.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flows.h"
#include "inner.h"
#include "journal.h"
#include "plan.h"
#include "publish.h"
#include "recover.h"
#include "running.h"
#include "service_config.h"
#include "services.h"
#include "state.h"
#include "model/diff.h"
#include "model/check.h"
#include "model/escape.h"
#include "model/parse.h"

/* Puts the plans into force. used: the slots of tables that are filled then; flows: gets the flow
 * table, where a new one is created. */
static int swap_config(struct store *s, const struct model *m, struct plan *plans,
		       bool used[MANGLE_TABLE_SLOTS], struct inner *flows, struct err *e)
{
	struct inner config = {.fd = -1};
	struct err ignored;
	struct pending w = {.n = 0};
	int err;

	recover_used_places(s, used);
	running_set_dirty(s, true);
	err = plan_tables(s, m, plans, used, &w, e);
	if (!err)
		err = inner_create(s, 0, &config, e);
	if (!err)
		err = plan_config(s, m, plans, config.memory, flows, e);
	if (!err)
		err = plan_classifier(s, m, config.memory, used, &w, e);
	if (!err)
		err = plan_flush(s, &w, e);
	if (!err)
		err = outer_set(s->map[MAP_CONFIG], 0, &config, e); /* the change */
	if (err) {
		while (w.n)
			close(w.fds[--w.n]);
		inner_close(&config);
		flows_exchange(s, &ignored);
		recover_sweep(s, NULL);
		return err;
	}
	inner_close(&s->config_inner);
	s->config_inner = config;
	return 0;
}

int publish_plans(struct store *s, const struct model *m, struct plan *plans, struct err *e)
{
	bool used[MANGLE_TABLE_SLOTS];
	struct inner flows = {.fd = -1}; /* private tables have nothing else to hold it */
	struct err ignored;
	int err = swap_config(s, m, plans, used, &flows, e);

	if (err) {
		inner_close(&flows);
		return err;
	}
	/* The change is made, for every packet. What cannot be completed now is completed by the
	 * next run. */
	err = flows_exchange(s, &ignored);
	inner_close(&flows);
	if (!err)
		err = recover_counters(s, &ignored);
	if (!err)
		recover_sweep(s, used);
	return 0;
}

/* Reads the running state that is compared with m; without entities of services that keep them. */
static int read_for(struct store *s, const struct model *m, struct model *running, struct err *e)
{
	const struct mangle_config *c = store_config(s);
	int err = 0;

	running->flows = c->flows;
	for (uint32_t i = 0; i < c->service_count && !err; i++) {
		const struct service *desired = model_find(m, c->info[i].name);
		struct service svc;

		if (desired && desired->keep_entities) {
			service_from_config(c, i, &svc);
			svc.keep_entities = true;
		} else {
			err = store_read_service(s, c->info[i].name, &svc, e);
		}
		if (!err)
			err = model_add(running, &svc, e);
	}
	return err;
}

int store_check(struct store *s, struct model *m, struct err *e)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		struct service *svc = &m->services[i];
		struct service running;
		int err;

		if (!svc->keep_entities || !model_needs_targets(m, svc) ||
		    running_index(s, svc->name) < 0)
			continue;
		err = store_read_service(s, svc->name, &running, e);
		if (err)
			return err;
		service_move_entities(svc, &running);
		svc->keep_entities = false;
	}
	return model_check(m, e);
}

int store_publish(struct store *s, const struct model *m, struct changes *c, struct err *e)
{
	struct plan *plans = calloc(m->service_count + 1, sizeof(*plans));
	struct model running;
	int err;

	memset(c, 0, sizeof(*c));
	if (!plans)
		return fail(e, -ENOMEM, "services", "changing them: out of memory");
	model_init(&running);
	err = read_for(s, m, &running, e);
	if (err)
		goto out;
	model_diff(&running, m, c, NULL, NULL);
	if (!c->added && !c->removed && !c->updated && !store_is_fresh(s)) {
		if (m->file[0])
			snprintf(store_config(s)->file, sizeof(store_config(s)->file), "%s",
				 m->file);
		goto out;
	}
	for (uint32_t i = 0; i < m->service_count; i++) {
		const struct service *desired = &m->services[i];
		const struct service *now = model_find(&running, desired->name);

		plans[i].before = now ? running_index(s, desired->name) : -1;
		plans[i].table.fd = -1;
		plans[i].new_table = !now || now->tag_len != desired->tag_len ||
				     !service_same_entities(now, desired);
	}
	model_free(&running); /* freed before the tables are built, to save memory */
	err = publish_plans(s, m, plans, e);
	if (!err)
		store_log(s, c, "services and tables");
out:
	model_free(&running);
	free(plans);
	return err;
}
