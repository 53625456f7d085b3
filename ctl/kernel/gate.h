/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of two builds of the program acts: struct mangle_gate. */
#ifndef KERNEL_GATE_H
#define KERNEL_GATE_H

#include <stdint.h>

#include "model/err.h"

struct store;

int store_epoch(const struct store *s, uint64_t *epoch, struct err *e);
/* Returns once every program goes by it. */
int store_set_epoch(struct store *s, uint64_t epoch, struct err *e);
/* Returns once every program has ended that ran when it was called. */
int store_wait(struct store *s, struct err *e);
/* Returns the kernel's id of the map that tells a program of mangle from others; 0: it cannot be
 * had. */
uint32_t store_gate_id(const struct store *s);

#endif
