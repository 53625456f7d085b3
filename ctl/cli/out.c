/* SPDX-License-Identifier: GPL-2.0-only */
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/escape.h"
#include "terminal.h"

/* Some text could not even be put together. */
static bool lost;

void out_init(void)
{
	/* /dev/null for the other direction: to read or write fails as with a closed one. */
	static const int other[] = {O_WRONLY, O_RDONLY, O_WRONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", other[fd]) < 0)
			return;
}

static void write_escaped(FILE *to, const char *text)
{
	size_t len = strlen(text);
	char shown[ESCAPED_SIZE];

	while (len) {
		size_t n = escape_span(text, len);

		if (n) {
			fwrite(text, 1, n, to);
		} else {
			n = escape_char(text, len, shown);
			fputs(shown, to);
		}
		text += n;
		len -= n;
	}
}

static void write_text(FILE *to, const char *fmt, va_list ap)
{
	char near[512], *far;
	va_list again;

	va_copy(again, ap);
	if (vsnprintf(near, sizeof(near), fmt, ap) < (int)sizeof(near)) {
		write_escaped(to, near);
	} else if (vasprintf(&far, fmt, again) >= 0) {
		write_escaped(to, far);
		free(far);
	} else {
		lost = true;
	}
	va_end(again);
}

void out_text(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_text(stdout, fmt, ap);
	va_end(ap);
}

void out_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_text(stdout, fmt, ap);
	va_end(ap);
	out_end_line();
}

void out_end_line(void)
{
	putc('\n', stdout);
}

void out_color(enum out_color color)
{
	static const char *const codes[] = {
		[OUT_PLAIN] = "\033[0m",
		[OUT_RED] = "\033[31m",
		[OUT_GREEN] = "\033[32m",
		[OUT_YELLOW] = "\033[33m",
	};

	if (terminal_has_colors())
		fputs(codes[color], stdout);
}

void out_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_text(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
}

FILE *out_raw(void)
{
	return stdout;
}

FILE *out_raw_error(void)
{
	return stderr;
}

bool out_failed(void)
{
	bool failed;

	errno = 0;
	failed = fflush(stdout) || ferror(stdout) || lost;
	/* Who leaves the pager has seen enough. */
	return failed && !terminal_is_paged();
}

bool out_finish(void)
{
	bool failed = out_failed();
	int err = errno;

	terminal_end();
	errno = err;
	return failed;
}
