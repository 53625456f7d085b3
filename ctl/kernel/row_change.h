/* SPDX-License-Identifier: GPL-2.0-only */
/* Changes of one row: in place (table.h), or by rebuilding its service where replies
 * depend on it. */
#ifndef KERNEL_ROW_CHANGE_H
#define KERNEL_ROW_CHANGE_H

#include "model/diff.h"
#include "model/model.h"

struct store;

/* The new values of a row. */
struct row_setting {
	struct entity entity;
	bool set_size;	  /* else an existing row keeps its window, and a new one has none */
	const char *name; /* NULL: it keeps its name likewise; "": it has none */
};
/* Adds or changes one row. c: as in store_publish. Returns -ENOENT with e set where the service
 * does not exist. */
int store_set_row(struct store *s, const char *service, const struct row_setting *to,
		  struct changes *c, struct err *e);
/* Deletes one row. Returns 1 deleted, 0 there was none, or negative errno with e set. */
int store_del_row(struct store *s, const char *service, const struct tag *tag, struct err *e);

#endif
