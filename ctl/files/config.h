/* SPDX-License-Identifier: GPL-2.0-only */
/* The files: configuration (YAML or JSON) and tables, to a model and back. */
#ifndef FILES_CONFIG_H
#define FILES_CONFIG_H

#include <stdio.h>

#include "model/model.h"

#define CONFIG_DEFAULT_FILE "/etc/mangle/mangle.yaml"

/* Reads FILE, or standard input for "-", entities-files included; the model is checked.
 * 0 or negative errno with e set, object FILE:LINE; -ENOENT only where FILE itself is not there.
 * m must be initialised, and be freed in either case. m->file stays "" where FILE is no regular
 * file. */
int config_load(const char *file, struct model *m, struct err *e);
/* Writes a model as such a file: always the same text for the same model. 0 or -EIO. */
int config_save(const struct model *m, FILE *out);

/* Reads a table file ("-": standard input) and adds its entities to s (tag length known), in any
 * order; twice in the file is an error that names both lines. Sorted on return. -EINVAL, … */
int table_load(const char *file, struct service *s, struct err *e);
/* One line. */
void table_save_line(FILE *out, const struct entity *en, unsigned int tag_len);

#endif
