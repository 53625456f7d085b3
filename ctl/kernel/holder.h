/* SPDX-License-Identifier: GPL-2.0-only */
/* Which process holds a lock. */
#ifndef KERNEL_HOLDER_H
#define KERNEL_HOLDER_H

#include <stdbool.h>

#define HOLDER_TEXT_SIZE 256
/*
 * Writes the process that has the open file locked with flock(2): "mangle-ctl apply web.yaml (pid
 * 3312, alice)", where alice is the user who logged in. Returns false where the kernel shows none,
 * as for processes of other PID namespaces.
 */
bool holder_text(int fd, char out[HOLDER_TEXT_SIZE]);

#endif
