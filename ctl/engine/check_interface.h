/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor: can mangle work on this interface? */
#ifndef ENGINE_CHECK_INTERFACE_H
#define ENGINE_CHECK_INTERFACE_H

#include "check_machine.h"

/* wait: how long to wait for the lock, in seconds. */
void check_interface(struct findings *f, const char *name, const struct machine *on, double wait);

#endif
