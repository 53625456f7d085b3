/* SPDX-License-Identifier: GPL-2.0-only */
/* One service: what it matches, what it does, its entities. */
#ifndef MODEL_SERVICE_H
#define MODEL_SERVICE_H

#include "err.h"
#include "names.h"
#include "values.h"

struct service {
	char name[MANGLE_NAME_SIZE];
	char description[MANGLE_TEXT_SIZE]; /* for people; "": none */
	bool disabled;			    /* packets are handled as if it did not exist */
	char ifname[MANGLE_IFNAME_SIZE];    /* "": any */
	uint8_t protocols;		    /* MANGLE_PROTO_*, or-ed */
	uint16_t ports[MANGLE_MAX_PORTS];   /* ascending */
	unsigned int port_count;
	struct prefix daddr[MANGLE_MAX_PREFIXES]; /* in order of prefix_compare */
	unsigned int daddr_count;
	struct prefix saddr[MANGLE_MAX_PREFIXES];
	unsigned int saddr_count;
	int32_t tag_offset; /* from the payload's start; below 0 from its end */
	uint8_t tag_len;
	uint8_t tag_ignored[MANGLE_MAX_TAG]; /* bits outside the mask, wire order; 0: none */
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
	struct entity_names names; /* of its entities */

	uint32_t line; /* of the file it was read from; 0: none */
	bool changed;  /* by what model_check is to look at: a conflict is this one's fault */
};

void service_free(struct service *s);
/* Deep copy; -ENOMEM with e set. */
int service_copy(struct service *to, const struct service *from, struct err *e);
/* Are they enabled, and do they have TCP in connection mode, or replies? */
bool service_has_connections(const struct service *s);
bool service_has_replies(const struct service *s);

/* Gives `to` the entities of `from`, with their names, in place of its own. */
void service_move_entities(struct service *to, struct service *from);
/* Appends one entity, in any order; service_sort_entities must follow. */
int service_add_entity(struct service *s, const struct entity *en, struct err *e);
/* Sorts by tag, then line, and names by tag; returns 0, or -EEXIST with the index of an entity
 * whose tag the one before it has too. */
int service_sort_entities(struct service *s, size_t *twice);
/* By tag, NULL where it is not there. Sorted entities. */
struct entity *service_find_entity(const struct service *s, const struct tag *tag);

/* Ascending: family, then address, then length. */
int prefix_compare(const struct prefix *a, const struct prefix *b);

#endif
