/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FILES_CONFIG_SAVE_H
#define FILES_CONFIG_SAVE_H

#include <stdio.h>

#include "model/model.h"

/* Writes a model as a configuration file: always the same text for the same model. Write errors
 * show when the caller flushes or closes `out`. */
void config_save(const struct model *m, FILE *out);

#endif
