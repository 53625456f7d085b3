/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of this build in the place of those that are attached. */
#ifndef KERNEL_UPGRADE_H
#define KERNEL_UPGRADE_H

#include <stddef.h>

#include "model/err.h"

struct store;

/*
 * Puts programs of this build in the place of all that are attached, on the maps of s, while
 * packets go on: none is lost, left alone or handled twice. *count: interfaces. What failed
 * leaves the old ones running, where they can be had back; where they cannot, e says so.
 */
int prog_upgrade(struct store *s, size_t *count, struct err *e);

#endif
