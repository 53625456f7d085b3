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

#include "terminal.h"

/* Where the results of a run go and in which form, and what of it went wrong. main makes the one of
 * the process; what prints is handed it. */
struct output {
	FILE *stream;
	struct terminal terminal; /* what the stream is */
	bool json, quiet;   /* JSON instead of text; nothing is said of changes, no warnings */
	bool lost;	    /* some text could not even be put together */
	bool first_of_list; /* no row of the JSON list is written yet */
	/* The change that this run has made: where its answer cannot be written, the error tells
	 * it. "": none. */
	char made[128];
};

/* Standard output, as text without colors and pager. Called before anything is opened: a standard
 * file that is closed stays one that cannot be used, and what is opened does not come to stand in
 * its place. */
void out_init(struct output *out);
void out_text(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_line(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void out_end_line(struct output *out);
/* What follows has this color, where there are colors. */
enum out_color { OUT_PLAIN, OUT_RED, OUT_GREEN, OUT_YELLOW };
void out_color(struct output *out, enum out_color color);
/* The stream, for what has rules of its own for such characters: JSON, table files, configurations.
 */
FILE *out_raw(struct output *out);
/* Flushes; true where not all of it could be written. errno is set, or 0 where it is not known. */
bool out_failed(struct output *out);
/* The same at the very end: waits for the pager, where there is one. */
bool out_finish(struct output *out);

/* A line of standard error, which is the same whatever the results are. */
void out_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Standard error for texts that hold nothing from elsewhere: help. */
FILE *out_raw_error(void);

#endif
