/* SPDX-License-Identifier: GPL-2.0-only */
/* What every fuzz target has: libFuzzer's entry, and a check whose failure it keeps the input of.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ctl/model/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define CHECK(holds) \
	do { \
		if (!(holds)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds); \
			abort(); \
		} \
	} while (0)

/* FNV-1a, 64 bits (RFC 9923), of these bytes behind those that sum is of. */
#define HASH_OF_NONE 0xcbf29ce484222325
static inline uint64_t hash(uint64_t sum, const void *bytes, size_t len)
{
	for (const uint8_t *at = bytes; len--; at++)
		sum = (sum ^ *at) * 0x100000001b3;
	return sum;
}

/* A string in memory of just its size. */
static inline char *exact_string(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	CHECK(s);
	memcpy(s, data, size);
	s[size] = '\0';
	return s;
}

/* One line that says something, and nothing that a terminal obeys. */
static inline void check_line(const char *line, size_t room)
{
	size_t len = strnlen(line, room);

	CHECK(len && len < room);
	for (size_t i = 0; i < len; i++)
		CHECK((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
}

static inline void check_err(const struct err *e)
{
	CHECK(e->status == EXIT_NOT_DONE);
	check_line(e->line, sizeof(e->line));
}

/*
 * Files in memory, for those who read them by fopen(…, "re"), which the linker leads here: main,
 * and the same other bytes under any other name beside it. Nothing else is there.
 */
#define FUZZ_FILE "fuzz/main"
struct fuzz_bytes {
	const uint8_t *bytes;
	size_t size;
};
extern struct fuzz_bytes fuzz_main, fuzz_other;

#endif
