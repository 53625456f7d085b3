/* SPDX-License-Identifier: GPL-2.0-only */
/* Why the kernel did not attach the XDP program. */
#ifndef KERNEL_REFUSED_H
#define KERNEL_REFUSED_H

#include <stdbool.h>

#include "model/err.h"

/* Sets e for an attach that was refused with err: which program is in the way, or which mode to
 * try. Returns err, or -EBUSY. */
int refused_say(const char *ifname, unsigned int ifindex, int mode, int err, struct err *e);
/* Returns whether err can be one of native mode only. */
bool refused_by_mode(int err);

#endif
