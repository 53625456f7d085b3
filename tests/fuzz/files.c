/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "fuzz.h"

struct fuzz_bytes fuzz_main, fuzz_other;

static ssize_t give(void *cookie, char *to, size_t room)
{
	struct fuzz_bytes *left = cookie;
	size_t n = left->size < room ? left->size : room;

	if (!n)
		return 0;
	memcpy(to, left->bytes, n);
	left->bytes += n;
	left->size -= n;
	return (ssize_t)n;
}

static int end(void *cookie)
{
	free(cookie);
	return 0;
}

FILE *__real_fopen(const char *name, const char *mode);
FILE *__wrap_fopen(const char *name, const char *mode);
FILE *__wrap_fopen(const char *name, const char *mode)
{
	const cookie_io_functions_t how = {.read = give, .close = end};
	struct fuzz_bytes *left;

	if (strcmp(mode, "re"))
		return __real_fopen(name, mode);
	if (strncmp(name, "fuzz/", 5)) {
		errno = ENOENT;
		return NULL;
	}
	left = malloc(sizeof(*left));
	CHECK(left);
	*left = strcmp(name, FUZZ_FILE) ? fuzz_other : fuzz_main;
	return fopencookie(left, "r", how);
}
