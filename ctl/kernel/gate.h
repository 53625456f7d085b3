/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of two builds of the program acts: struct mangle_gate. */
#ifndef KERNEL_GATE_H
#define KERNEL_GATE_H

#include <stdint.h>

#include "model/err.h"

struct store;

int store_epoch(const struct store *s, uint64_t *epoch, struct err *e);
/* Returns once every program obeys it. */
int store_set_epoch(struct store *s, uint64_t epoch, struct err *e);
/* Returns once every program run that had begun before the call has ended. */
int store_wait(struct store *s, struct err *e);
/* Returns the kernel's id of the map by which mangle's programs are recognised; 0: it cannot be
 * told. */
uint32_t store_gate_id(const struct store *s);

#endif
