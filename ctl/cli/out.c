/* SPDX-License-Identifier: GPL-2.0-only */
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/escape.h"

static void keep_standard_files(void)
{
	/* /dev/null is opened for the other direction, so that reading or writing fails as on a
	 * closed file. */
	static const int other[] = {O_WRONLY, O_RDONLY, O_WRONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", other[fd]) < 0)
			return;
}

void out_init(struct output *out)
{
	keep_standard_files();
	*out = (struct output){.stream = stdout};
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

/* Returns false where there is no memory for it. */
static bool write_text(FILE *to, const char *fmt, va_list ap)
{
	char near[512], *far;
	va_list again;
	bool written = true;

	va_copy(again, ap);
	if (vsnprintf(near, sizeof(near), fmt, ap) < (int)sizeof(near)) {
		write_escaped(to, near);
	} else if (vasprintf(&far, fmt, again) >= 0) {
		write_escaped(to, far);
		free(far);
	} else {
		written = false;
	}
	va_end(again);
	return written;
}

void out_text(struct output *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out->lost |= !write_text(out->stream, fmt, ap);
	va_end(ap);
}

void out_line(struct output *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out->lost |= !write_text(out->stream, fmt, ap);
	va_end(ap);
	out_end_line(out);
}

void out_end_line(struct output *out)
{
	putc('\n', out->stream);
}

void out_color(struct output *out, enum out_color color)
{
	static const char *const codes[] = {
		[OUT_PLAIN] = "\033[0m",
		[OUT_RED] = "\033[31m",
		[OUT_GREEN] = "\033[32m",
		[OUT_YELLOW] = "\033[33m",
	};

	if (out->terminal.has_colors)
		fputs(codes[color], out->stream);
}

FILE *out_raw(struct output *out)
{
	return out->stream;
}

bool out_failed(struct output *out)
{
	bool failed;

	errno = 0;
	failed = fflush(out->stream) || ferror(out->stream) || out->lost;
	/* A user who leaves the pager has seen enough: that is no failed write. */
	return failed && !out->terminal.pager;
}

bool out_finish(struct output *out)
{
	bool failed = out_failed(out);
	int err = errno;

	terminal_end(&out->terminal);
	errno = err;
	return failed;
}

/* ---- standard error ---- */

void out_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_text(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
}

FILE *out_raw_error(void)
{
	return stderr;
}
