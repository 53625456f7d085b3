/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one way to standard output and standard error. Text is escaped as a whole once it is put
 * together, so no name can do anything to a terminal, whoever prints it: see escape.h. For the same
 * reason a newline is not written as a character of the text: out_line ends a line.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stdio.h>

/* Before anything is opened: a standard file that is closed stays one that cannot be used, and what
 * is opened does not come to stand in its place. */
void out_init(void);
void out_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void out_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void out_end_line(void);
/* What follows has this color, where there are colors. */
enum out_color { OUT_PLAIN, OUT_RED, OUT_GREEN, OUT_YELLOW };
void out_color(enum out_color color);
/* A line of standard error. */
void out_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Standard output for what has rules of its own for such characters: JSON, table files,
 * configurations. */
FILE *out_raw(void);
/* Standard error for texts that hold nothing from elsewhere: help. */
FILE *out_raw_error(void);
/* Flushes; true where not all of it could be written. errno is set, or 0 where it is not known. */
bool out_failed(void);
/* The same at the very end: waits for the pager, where there is one. */
bool out_finish(void);

#endif
