/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FUZZ_REPLAY_H
#define TESTS_FUZZ_REPLAY_H

#include <stdio.h>

#include "../../maps/reasons.h"

/* A line for each packet of an input, without anything that is other in another run; NULL: nothing
 * is written. */
extern FILE *transcript;

/* As the transcript has them. */
static const char *const reason_names[] = {
#define NAME(upper, lower, meaning) #lower,
	MANGLE_REASONS(NAME)
#undef NAME
};

#endif
