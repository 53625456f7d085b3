/* SPDX-License-Identifier: GPL-2.0-only */
/* What no record names, since a run was killed. */
#ifndef KERNEL_ORPHANS_H
#define KERNEL_ORPHANS_H

struct store;

/* Takes off what is pinned. */
void prog_sweep(struct store *s);
/* Takes off what is in a dispatcher of the thread's network namespace. */
void prog_sweep_dispatchers(struct store *s);

#endif
