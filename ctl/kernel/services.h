/* SPDX-License-Identifier: GPL-2.0-only */
/* The running services, as a model. */
#ifndef KERNEL_SERVICES_H
#define KERNEL_SERVICES_H

#include "model/model.h"

struct store;

/* Reads all services; their entities too where with_entities, else sets keep_entities in each. m is
 * initialized by the caller, who frees it in any case. */
int store_read(struct store *s, struct model *m, bool with_entities, struct err *e);
/* Reads one service with its entities; -ENOENT with e set where it does not exist. The caller frees
 * it. */
int store_read_service(struct store *s, const char *name, struct service *out, struct err *e);
/* Reads the names of its entities only, for a service read without entities; and the name of one
 * tag, "" where it has none. */
int store_read_names(struct store *s, struct service *svc, struct err *e);
int store_read_name(struct store *s, const struct service *svc, const uint8_t *tag,
		    char text[MANGLE_TEXT_SIZE], struct err *e);
struct table_sizes {
	size_t entities, bytes; /* bytes: the memory that the table and its names take */
};
/* Returns 0, or negative errno with e set where there is no such service, or its table cannot be
 * read. */
int store_table_sizes(const struct store *s, const char *service, struct table_sizes *out,
		      struct err *e);

#endif
