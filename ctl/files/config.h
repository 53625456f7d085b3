/* SPDX-License-Identifier: GPL-2.0-only */
/* Configuration files (YAML or JSON) to a model and back. */
#ifndef FILES_CONFIG_H
#define FILES_CONFIG_H

#include "model/model.h"

#define CONFIG_DEFAULT_FILE "/etc/mangle/mangle.yaml"

/* Reads FILE, or standard input for "-", entities-files included; the model is checked.
 * 0 or negative errno with e set, object FILE:LINE; -ENOENT only where FILE itself is not there.
 * m must be initialised, and be freed in either case. m->file stays "" where FILE is no regular
 * file. */
int config_load(const char *file, struct model *m, struct err *e);

#endif
