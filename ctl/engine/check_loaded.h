/* SPDX-License-Identifier: GPL-2.0-only */
/* Does what is loaded work? */
#ifndef ENGINE_CHECK_LOADED_H
#define ENGINE_CHECK_LOADED_H

#include "findings.h"

/* wait: seconds, for the lock. */
void check_loaded(struct findings *f, double wait);

#endif
