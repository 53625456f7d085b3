/* SPDX-License-Identifier: GPL-2.0-only */
/* Which states can run. */
#ifndef MODEL_CHECK_H
#define MODEL_CHECK_H

#include "model.h"

/* Does model_check look at the targets of s? Then it must have its entities, those that stay too.
 */
bool model_needs_targets(const struct model *m, const struct service *s);

/*
 * Is this a state that can run? Sorts services by name, ports and prefixes within them. Checks each
 * service (name, 1..16 ports, no port twice, tag within 1..16 and 0..65535, size.min <= size.max,
 * tag, sizes and prefixes that a packet can have, entities and unknown within targets, entities'
 * windows that meet size, unknown and targets 1..65535, reply with UDP and one port), names that
 * are there twice, more than MANGLE_MAX_SERVICES, any two services that match
 * the same packets with equal precedence, and any two whose replies come from the same target and
 * could not be told apart. A service that is disabled is checked by itself alone.
 * 0 or -EINVAL with e set: object is the service's name.
 */
int model_check(struct model *m, struct err *e);
/* The same for a caller who knows a better object: the service at fault and the reason alone.
 * NULL where memory is short (-ENOMEM). */
int model_validate(struct model *m, const struct service **at, struct parse_error *why);
/* A part of it, for those who can name the line: is the target among those allowed? */
bool target_allowed(const struct service *s, const struct target *t);
/* 0, or -EINVAL where the service could never act on the entity: *what is "tag", "target" or
 * "size", why reads on from there: "7000 is outside of …". */
int entity_fits(const struct service *s, const struct entity *en, const char **what,
		struct parse_error *why);
/* Bytes that a payload has at least where it has the tag. */
unsigned int tag_needs(const struct service *s);

#endif
