/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between two states. */
#ifndef MODEL_DIFF_H
#define MODEL_DIFF_H

#include "model.h"

/* What a change did or would do, counted in entities and services together; another size of the
 * flow table is one more. */
struct counts {
	uint64_t added, removed, updated;
};
struct changes {
	uint64_t added, removed, updated; /* services and entities alike */
	struct counts services;		  /* of these */
	bool flows;			  /* the flow table's size too, counted as updated */
};
/* What is left of them. */
struct counts changed_entities(const struct changes *c);

/* Both checked, which sorts them. Names are not the entity's: see names.h. */
bool entity_same(const struct entity *a, const struct entity *b);
/* Sorted, with their names. Those that are kept are the same as any. */
bool service_same_entities(const struct service *a, const struct service *b);
/*
 * Counts what differs, a service like an entity: in `to` only: added; in `from` only: removed;
 * in both, other settings / target, window or name: updated. A service that goes takes its entities
 * with it, each counted. each (may be NULL) is called for every difference, in order of service
 * name, the service before its entities.
 */
enum change_kind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_UPDATED };
/* One side of a difference. entity: NULL where the service itself is meant, service too where it is
 * the flow table's size. */
struct changed {
	const struct service *service;
	const struct entity *entity;
	uint32_t flows;
};
/* Where something was added there is no old one, where it was removed no new one. */
struct change {
	enum change_kind kind;
	struct changed old, new;
};
typedef void (*change_fn)(void *arg, const struct change *change);
void model_diff(const struct model *from, const struct model *to, struct changes *c, change_fn each,
		void *arg);

#endif
