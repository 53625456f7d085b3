/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text that others chose (names of interfaces, namespaces and files, words of the command line) as
 * it may be shown: a terminal acts on control characters, and some characters hide or turn around
 * what stands beside them.
 */
#ifndef MODEL_ESCAPE_H
#define MODEL_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* The longest character of UTF-8 as \xNN, and a NUL. */
#define ESCAPED_SIZE (4 * sizeof("\\x00"))

/*
 * Writes the first character of text (len bytes, at least 1) as a string: as it is, or as \xNN for
 * each byte where it is a control character (of ASCII or C1), not UTF-8, invisible, or one that
 * changes the direction of writing. Returns how many bytes of text it was.
 */
size_t escape_char(const char *text, size_t len, char to[ESCAPED_SIZE]);
/* Returns how many bytes of text are printable ASCII, which stays as it is, before any other. */
size_t escape_span(const char *text, size_t len);
/* All of a string, or as much as there is room for. */
void escape_string(const char *text, char *to, size_t room);

/* Is it UTF-8 in which nothing would be escaped? */
bool is_printable(const char *text);

#endif
