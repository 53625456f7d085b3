/* SPDX-License-Identifier: GPL-2.0-only */
#include "input.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

bool is_stdin(const char *file)
{
	return !strcmp(file, "-");
}

/* Returns the name that errors use for the input. */
const char *file_name(const char *file)
{
	return is_stdin(file) ? "<stdin>" : file;
}

/* Opens the input. Returns 0 or negative errno. The caller closes *in with close_input. */
int open_input(const char *file, FILE **in)
{
	struct stat st;

	*in = is_stdin(file) ? stdin : fopen(file, "re");
	if (!*in)
		return -errno;
	if (!fstat(fileno(*in), &st) && S_ISDIR(st.st_mode)) {
		if (*in != stdin)
			fclose(*in);
		return -EISDIR;
	}
	return 0;
}

void close_input(FILE *in)
{
	if (in != stdin)
		fclose(in);
}

/* Sets the error, with FILE:LINE as its object; where it names no remedy, the page of the format is
 * the remedy. */
int fail_at(struct err *e, const char *file, uint64_t line, const char *page, const char *fmt, ...)
{
	char object[PATH_MAX + 24];
	char text[sizeof(e->line)];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = strlen(text);
	if (page && (!len || text[len - 1] != ')'))
		snprintf(text + len, sizeof(text) - len, " (see %s)", page);
	snprintf(object, sizeof(object), "%s:%" PRIu64, file_name(file), line);
	return fail(e, -EINVAL, object, "%s", text);
}

bool is_utf16(const char *start, size_t len)
{
	return len >= 2 && (!memcmp(start, "\xff\xfe", 2) || !memcmp(start, "\xfe\xff", 2));
}
