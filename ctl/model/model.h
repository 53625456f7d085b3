/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wished state: services and their entities, as values. Knows nothing of kernel, files or
 * printing. Ports and sizes are in host byte order; sizes are payload bytes, inclusive.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "values.h"

struct service {
	char name[MANGLE_NAME_SIZE];
	char ifname[MANGLE_IFNAME_SIZE];  /* "": any */
	uint8_t protocols;		  /* MANGLE_PROTO_*, or-ed */
	uint16_t ports[MANGLE_MAX_PORTS]; /* ascending */
	unsigned int port_count;
	struct prefix daddr[MANGLE_MAX_PREFIXES]; /* in order of prefix_compare */
	unsigned int daddr_count;
	struct prefix saddr[MANGLE_MAX_PREFIXES];
	unsigned int saddr_count;
	int32_t tag_offset; /* from the payload's start; below 0 from its end */
	uint8_t tag_len;
	struct window size;
	uint8_t invalid; /* ACTION_PASS or ACTION_DROP */
	struct target unknown;
	uint8_t tcp_mode; /* enum mangle_tcp_mode */
	bool reply;
	bool observe;
	uint16_t targets_first, targets_last; /* 0, 0: any */

	/* Entities ascending by tag (memcmp of MANGLE_MAX_TAG bytes), no tag twice.
	 * keep_entities: those that are loaded stay; the array is empty and says nothing. */
	bool keep_entities;
	struct entity *entities;
	size_t entity_count, entity_room;

	uint32_t line; /* of the file it was read from; 0: none */
	bool changed;  /* by what model_check is to judge: a conflict is this one's fault */
};

struct model {
	struct service *services; /* ascending by name (strcmp) once model_check has passed */
	unsigned int service_count, service_room;
	uint32_t flows; /* connections that the flow table is to hold; 0: MANGLE_FLOWS_DEFAULT */
	char file[256]; /* where it came from, absolute path; "": not from a file */
};

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

void model_init(struct model *m);
void model_free(struct model *m);
/* Deep copy; -ENOMEM with e set. */
int model_copy(struct model *to, const struct model *from, struct err *e);

/* The built-in default: service `default`, udp 5000, tag 0:4, size 4:65507, everything pass. */
int model_default(struct model *m, struct err *e);
/* A service with every optional setting at its default, no name, no ports, no tag. */
void service_defaults(struct service *s);
void service_free(struct service *s);
/* Appends a copy of *s, which is emptied (its entities move). Pointers into m->services end. */
int model_add(struct model *m, struct service *s, struct err *e);
struct service *model_find(const struct model *m, const char *name);
void model_remove(struct model *m, const char *name);

/* Gives `to` the entities of `from`, in place of its own. */
void service_move_entities(struct service *to, struct service *from);
/* Appends one entity, in any order; service_sort_entities must follow. */
int service_add_entity(struct service *s, const struct entity *en, struct err *e);
/* Sorts by tag, then line; returns 0, or -EEXIST with the index of an entity whose tag the one
 * before it has too. */
int service_sort_entities(struct service *s, size_t *twice);
/* By tag, NULL where it is not there. Sorted entities. */
struct entity *service_find_entity(const struct service *s, const struct tag *tag);

uint32_t model_flows(const struct model *m);	       /* never 0 */
bool service_has_connections(const struct service *s); /* TCP in connection mode */
/* Does model_check judge the targets of s? Then it must have its entities, those that stay too. */
bool model_needs_targets(const struct model *m, const struct service *s);

/*
 * Is this a state that can run? Sorts services by name, ports and prefixes within them. Judges each
 * service (name, 1..16 ports, no port twice, tag within 1..16 and 0..65535, size.min <= size.max,
 * tag, sizes and prefixes that a packet can have, entities and unknown within targets, entities'
 * windows that meet size, unknown and targets 1..65535, reply with UDP and one port), names that
 * are there twice, more than MANGLE_MAX_SERVICES, any two services that match
 * the same packets with equal precedence, and any two whose replies come from the same target and
 * could not be told apart.
 * 0 or -EINVAL with e set: object is the service's name.
 */
int model_check(struct model *m, struct err *e);
/* The same for a caller who knows a better object: the service at fault and the reason alone.
 * NULL where memory is short (-ENOMEM). */
int model_judge(struct model *m, const struct service **at, struct why *why);
/* A part of it, for those who can name the line: is the target among those allowed? */
bool target_allowed(const struct service *s, const struct target *t);
/* 0, or -EINVAL where the service could never act on the entity: *what is "target" or "size", why
 * reads on from there: "7000 is outside of …". */
int entity_fits(const struct service *s, const struct entity *en, const char **what,
		struct why *why);
/* Bytes that a payload has at least where it has the tag. */
unsigned int tag_needs(const struct service *s);

/* Same settings, entities aside. Both checked (sorted). */
bool service_same_settings(const struct service *a, const struct service *b);
bool entity_same(const struct entity *a, const struct entity *b);
/* Sorted. Those that are kept are the same as any. */
bool service_same_entities(const struct service *a, const struct service *b);
/*
 * Counts what differs, a service like an entity: in `to` only: added; in `from` only: removed;
 * in both, other settings / target or window: updated. A service that goes takes its entities with
 * it, each counted. each (may be NULL) is called for every difference, in order of service name,
 * the service before its entities.
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

/* Ascending: family, then address, then length. */
int prefix_compare(const struct prefix *a, const struct prefix *b);

#endif
