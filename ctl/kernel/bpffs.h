/* SPDX-License-Identifier: GPL-2.0-only */
/* The file system that the pins are in. */
#ifndef KERNEL_BPFFS_H
#define KERNEL_BPFFS_H

#include <stdbool.h>

#include "model/err.h"

#define BPFFS "/sys/fs/bpf" /* where it is mounted */

/* Returns 1 where it is mounted, 0 where it is not, or negative errno. */
int bpffs_is_mounted(void);
/* Returns whether bpffs may be mounted in this mount namespace. A mount in a namespace other than
 * the initial one is lost with that. In doubt it may not, and bpffs_need says why. */
bool bpffs_may_mount(void);
/* Returns 0 where bpffs is mounted, or has been mounted by this call; -ENOENT without e set where
 * it is not and mount_it is false; or negative errno with e set. */
int bpffs_need(bool mount_it, struct err *e);

#endif
