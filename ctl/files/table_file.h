/* SPDX-License-Identifier: GPL-2.0-only */
/* Table files: one entity on each line. */
#ifndef FILES_TABLE_FILE_H
#define FILES_TABLE_FILE_H

#include <stdio.h>

#include "model/model.h"

/* Reads a table file ("-": standard input) and adds its entities to s (tag length known), in any
 * order; twice in the file is an error that names both lines. Sorted on return. -EINVAL, … */
int table_load(const char *file, struct service *s, struct err *e);
/* Writes a line for an entity of s. */
void table_save_line(FILE *out, const struct service *s, const struct entity *en);

/* Sorts what was read from a file; a tag given twice is an error that names both lines. */
int table_sort(struct service *s, const char *file, struct err *e);
/* The same as table_load for an open file, which is closed. known: the file that the entities of s
 * were read from, or NULL. */
int table_merge(FILE *in, const char *file, struct service *s, const char *known, struct err *e);

#endif
