/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs and pins that no record names, since a run was killed. */
#ifndef KERNEL_ORPHANS_H
#define KERNEL_ORPHANS_H

struct store;

/* Removes pinned ones. */
void prog_sweep(struct store *s);
/* Removes those in dispatchers of the thread's network namespace. */
void prog_sweep_dispatchers(struct store *s);

#endif
