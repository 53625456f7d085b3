/* SPDX-License-Identifier: GPL-2.0-only */
/* Changes of one row: in place (table.h), or of its whole service where replies depend on it. */
#ifndef KERNEL_ROW_CHANGE_H
#define KERNEL_ROW_CHANGE_H

#include "model/diff.h"
#include "model/model.h"

struct store;

/* Adds or changes one row. has_size of en is meant only where set_size; else the window stays. c as
 * by store_publish. -ENOENT with e set where the service is not there. */
int store_set_row(struct store *s, const char *service, const struct entity *en, bool set_size,
		  struct changes *c, struct err *e);
/* Deletes one row. Returns 1 deleted, 0 was not there, or negative errno with e set. */
int store_del_row(struct store *s, const char *service, const struct tag *tag, struct err *e);

#endif
