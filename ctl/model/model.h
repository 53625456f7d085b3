/* SPDX-License-Identifier: GPL-2.0-only */
/* The desired state: services and their entities, as values. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service.h"

struct model {
	struct service *services; /* ascending by name (strcmp) once model_check has passed */
	unsigned int service_count, service_room;
	uint32_t flows; /* connections that the flow table is to hold; 0: MANGLE_FLOWS_DEFAULT */
	char file[256]; /* where it came from, absolute path; "": not from a file */
};

void model_init(struct model *m);
void model_free(struct model *m);
/* Deep copy; -ENOMEM with e set. */
int model_copy(struct model *to, const struct model *from, struct err *e);

/* The built-in default: service `default`, udp 5000, tag 0:4, size 4:65507, everything pass. */
int model_default(struct model *m, struct err *e);
/* Appends a copy of *s, which is emptied (its entities move). Pointers into m->services end. */
int model_add(struct model *m, struct service *s, struct err *e);
struct service *model_find(const struct model *m, const char *name);
void model_remove(struct model *m, const char *name);

uint32_t model_flows(const struct model *m); /* never 0 */
#endif
