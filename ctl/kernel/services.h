/* SPDX-License-Identifier: GPL-2.0-only */
/* The running services, as a model. */
#ifndef KERNEL_SERVICES_H
#define KERNEL_SERVICES_H

#include "model/model.h"

struct store;

/* Reads all; entities too where with_entities, else keep_entities is set in each. m was
 * initialized by the caller, who frees it in any case. */
int store_read(struct store *s, struct model *m, bool with_entities, struct err *e);
/* Reads one with its entities; -ENOENT with e set where it is not there. The caller frees it. */
int store_read_service(struct store *s, const char *name, struct service *out, struct err *e);
/* Reads the names of its entities alone, for a service whose entities are not there; and of one
 * tag,
 * "" where it has none. */
int store_read_names(struct store *s, struct service *svc, struct err *e);
int store_read_name(struct store *s, const struct service *svc, const uint8_t *tag,
		    char text[MANGLE_TEXT_SIZE], struct err *e);
struct table_sizes {
	size_t entities, bytes; /* bytes: the memory that the table and its names take */
};
/* Returns 0, or negative errno with e set where there is no such service, or its table cannot be
 * read: how much is in it cannot be told then. */
int store_table_sizes(const struct store *s, const char *service, struct table_sizes *out,
		      struct err *e);

#endif
