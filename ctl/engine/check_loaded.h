/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor: does what is loaded work? */
#ifndef ENGINE_CHECK_LOADED_H
#define ENGINE_CHECK_LOADED_H

#include "findings.h"

/* wait: how long to wait for the lock, in seconds. */
void check_loaded(struct findings *f, double wait);

#endif
