/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one way to standard output and standard error. A text is escaped as a whole once it is put
 * together, so that no name in it can control the terminal, whoever prints it: see escape.h. For
 * the same reason a newline is not written as part of the text: out_line ends a line.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stdio.h>

#include "terminal.h"

/* Where the results of a run go, in which format, and what went wrong there. main creates the one
 * of the process and hands it to what prints. */
struct output {
	FILE *stream;
	struct terminal terminal; /* whether the stream is a terminal, and its pager */
	bool json, quiet;	  /* JSON instead of text; print neither changes nor warnings */
	bool lost;		  /* a text was lost for want of memory */
	bool first_of_list;	  /* no row of the JSON list has been written yet */
	/* The change that this run has made; "": none. Where its answer cannot be written, the
	 * error mentions it. */
	char made[128];
};

/* Sets standard output up, as text without colors and pager. It is called before any file is
 * opened, so that a file opened later does not get the number of a standard file that is closed. */
void out_init(struct output *out);
void out_text(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_line(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_end_line(struct output *out);
/* Sets the color of what follows, where colors are used. */
enum out_color { OUT_PLAIN, OUT_RED, OUT_GREEN, OUT_YELLOW };
void out_color(struct output *out, enum out_color color);
/* Returns the stream for writers that escape by rules of their own: JSON, table files,
 * configurations. */
FILE *out_raw(struct output *out);
/* Flushes. Returns true where something could not be written; errno is set, or 0 where the cause is
 * not known. */
bool out_failed(struct output *out);
/* The same at the end of the run: waits for the pager, where there is one. */
bool out_finish(struct output *out);

/* Prints a line on standard error, which does not depend on where the results go. */
void out_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Returns standard error, for texts that are constants of this program: help. */
FILE *out_raw_error(void);

#endif
