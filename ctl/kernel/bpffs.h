/* SPDX-License-Identifier: GPL-2.0-only */
/* The file system that the pins are in. */
#ifndef KERNEL_BPFFS_H
#define KERNEL_BPFFS_H

#include <stdbool.h>

#include "model/err.h"

#define BPFFS "/sys/fs/bpf" /* where it is mounted */

/* Returns 1 where it is mounted, 0 where it is not, or negative errno. */
int bpffs_is_mounted(void);
/* Is this a mount namespace in which bpffs is mounted where it is not? What is mounted in another
 * one goes with it. In doubt it is not: bpffs_need says why. */
bool bpffs_may_mount(void);
/* Returns 0 where bpffs is there, or was mounted; -ENOENT without e set where it is not there and
 * mount_it is false; or negative errno with e set. */
int bpffs_need(bool mount_it, struct err *e);

#endif
