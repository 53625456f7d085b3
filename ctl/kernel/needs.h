/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs at tc's hooks that services want on every attached interface. */
#ifndef KERNEL_NEEDS_H
#define KERNEL_NEEDS_H

#include <stdbool.h>

#include "model/model.h"

struct prog_needs {
	bool in;  /* TCP in connection mode */
	bool out; /* that, or replies */
};
struct prog_needs prog_needs(const struct model *m);
/* Can the kernel do what these services want? Returns 0, or -EOPNOTSUPP with e set. */
int prog_can(const struct model *m, struct err *e);

#endif
