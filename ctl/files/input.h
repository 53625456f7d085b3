/* SPDX-License-Identifier: GPL-2.0-only */
/* What all files that are read have in common: opening them, and errors that name file and line. */
#ifndef FILES_INPUT_H
#define FILES_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/err.h"

#define FILE_MAX_BYTES (UINT64_C(1) << 30) /* an endless input must end */
#define ECHO "%.64s"			   /* of what the file holds, in an error */
#define ECHO_BYTES 64

/* "-": standard input. */
bool is_stdin(const char *file);
/* What errors call it. */
const char *file_name(const char *file);
/* 0 or negative errno. The caller closes *in with close_input. */
int open_input(const char *file, FILE **in);
void close_input(FILE *in);
/* Says why, with FILE:LINE as the object, and where the format is told (page, NULL: nowhere) unless
 * it says what to do. Returns -EINVAL. */
int fail_at(struct err *e, const char *file, uint64_t line, const char *page, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Does a text of len bytes begin with UTF-16's byte order mark? */
bool is_utf16(const char *start, size_t len);

#endif
