/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One error, one line: object, what was attempted, why, what to do. It is made where the cause is
 * known, handed up unchanged, and printed once by main.
 */
#ifndef MODEL_ERR_H
#define MODEL_ERR_H

#define EXIT_DONE 0
#define EXIT_NOT_DONE 1 /* files, kernel or tables say no */
#define EXIT_USAGE 2	/* the command line alone is wrong */
#define EXIT_ANSWER_NO 3
#define EXIT_LOCK_BUSY 4

struct err {
	int status;	 /* exit status */
	char line[1024]; /* "OBJECT: what: why (what to do)", one line */
};

/*
 * Says why something was not done; returns errnum (negative errno), so that
 * `return fail(e, -EINVAL, ...)` says and returns in one expression. The status is EXIT_NOT_DONE;
 * usage_error is the same with EXIT_USAGE. The text is escaped: see escape.h.
 * object: what the line is about ("eth0", "web.map:17"), may hold anything the user typed.
 * fmt: "what was attempted: why (what to do)".
 */
int fail(struct err *e, int errnum, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int usage_error(struct err *e, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 3, 4))); /* returns -EINVAL */

/* The reason why a value is rejected: it reads on from the value, "is not a port". */
#define PARSE_ERROR_SIZE 160
struct parse_error {
	char text[PARSE_ERROR_SIZE];
};
/* Says why; returns -EINVAL. */
int reject(struct parse_error *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
