/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of a service with their counters. */
#ifndef KERNEL_ROWS_H
#define KERNEL_ROWS_H

#include "model/entity_field.h"

struct store;

/* All rows of a service, ascending by tag; the caller frees *rows. */
int store_rows(struct store *s, const char *service, struct row **rows, size_t *count,
	       struct err *e);
/* Returns 1 found, 0 not found, or negative errno with e set. */
int store_get_row(struct store *s, const char *service, const struct tag *tag, struct row *out,
		  struct err *e);
/* Finds another row with the same target port. Returns as store_get_row. */
int store_same_target(struct store *s, const char *service, const struct entity *as,
		      struct entity *out, struct err *e);

#endif
