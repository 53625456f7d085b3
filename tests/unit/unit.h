/* SPDX-License-Identifier: GPL-2.0-only */
/* What every unit test's main does. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

/* Check has an old macro of this name; ours is in ctl/model/err.h. */
#undef fail

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	/* A process a test is dear under the sanitizers, which end all of it at the first crash. */
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A generator of our own (Marsaglia's xorshift64): the same numbers on every machine. */
static inline uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
