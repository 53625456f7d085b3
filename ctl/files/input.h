/* SPDX-License-Identifier: GPL-2.0-only */
/* What all readers of files share: opening them, and errors with file and line. */
#ifndef FILES_INPUT_H
#define FILES_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/err.h"

#define FILE_MAX_BYTES (UINT64_C(1) << 30) /* an endless input must end */
#define ECHO "%.64s"			   /* part of the file's text, in an error */
#define ECHO_BYTES 64

/* Returns whether the name is "-", standard input. */
bool is_stdin(const char *file);
/* Returns the name that errors use for the input. */
const char *file_name(const char *file);
/* Opens the input. Returns 0 or negative errno. The caller closes *in with close_input. */
int open_input(const char *file, FILE **in);
void close_input(FILE *in);
/* Sets the error, with FILE:LINE as its object; where it names no remedy, the manual page of the
 * format is the remedy (page; NULL: none). Returns -EINVAL. */
int fail_at(struct err *e, const char *file, uint64_t line, const char *page, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Returns whether a text of len bytes begins with UTF-16's byte order mark. */
bool is_utf16(const char *start, size_t len);

#endif
