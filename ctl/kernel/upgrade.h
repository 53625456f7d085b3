/* SPDX-License-Identifier: GPL-2.0-only */
/* Replacing attached programs by those of this build. */
#ifndef KERNEL_UPGRADE_H
#define KERNEL_UPGRADE_H

#include <stddef.h>

#include "model/err.h"

struct store;

/*
 * Replaces all attached programs by those of this build, on the maps of s, while packets flow: none
 * is lost, left unchanged or rewritten twice. *count: the number of interfaces. On failure the old
 * programs keep running, as far as they can be put back; where they cannot, e says so.
 */
int prog_upgrade(struct store *s, size_t *count, struct err *e);

#endif
