/* SPDX-License-Identifier: GPL-2.0-only */
/* Changes of services and whole tables. */
#ifndef KERNEL_PUBLISH_H
#define KERNEL_PUBLISH_H

#include "model/diff.h"
#include "model/model.h"

struct store;
struct plan;

/* Calls model_check, also on the entities that stay: m gets them where they matter. */
int store_check(struct store *s, struct model *m, struct err *e);
/*
 * Makes the running state equal to m (checked), atomically for every packet: services whose
 * settings or entities are the same keep table and counters; entities in both keep their counters.
 * Where nothing differs nothing happens. c says what changed; generation + 1 if anything did.
 * m->file is stored where it is not "".
 */
int store_publish(struct store *s, const struct model *m, struct changes *c, struct err *e);

/* For the files of the store: puts m into force by one plan for each of its services. */
int publish_plans(struct store *s, const struct model *m, struct plan *plans, struct err *e);

#endif
