/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads configuration files (YAML or JSON) into a model. */
#ifndef FILES_CONFIG_H
#define FILES_CONFIG_H

#include "model/model.h"

#define CONFIG_DEFAULT_FILE "/etc/mangle/mangle.yaml"

/*
 * Reads FILE, or standard input for "-", and its entities-files; the model is checked. Returns 0,
 * or negative errno with e set, object FILE:LINE; -ENOENT only where FILE itself does not exist. m
 * must be initialised, and be freed in any case. m->file stays "" where FILE is not a regular file.
 */
int config_load(const char *file, struct model *m, struct err *e);

#endif
