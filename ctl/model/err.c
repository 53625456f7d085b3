/* SPDX-License-Identifier: GPL-2.0-only */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "escape.h"

/* An object longer than this loses its middle: the reason behind it must still fit. */
#define OBJECT_MAX 256
#define OBJECT_PART 120

struct line {
	char *text;
	size_t len, room;
};

/* A line that has no room for more never ends within a character or an escape. */
static void put(struct line *l, const char *s, size_t len)
{
	char shown[ESCAPED_SIZE];

	while (len) {
		size_t n = escape_char(s, len, shown);
		size_t more = strlen(shown);

		if (l->len + more >= l->room)
			break;
		memcpy(l->text + l->len, shown, more);
		l->len += more;
		s += n;
		len -= n;
	}
	l->text[l->len] = '\0';
}

static void put_object(struct line *l, const char *object)
{
	size_t len = strlen(object);

	if (len <= OBJECT_MAX) {
		put(l, object, len);
		return;
	}
	/* Both ends tell more than the middle: a path begins and a line number ends it. */
	put(l, object, OBJECT_PART);
	put(l, "...", 3);
	put(l, object + len - OBJECT_PART, OBJECT_PART);
}

static void say(struct err *e, int status, const char *object, const char *fmt, va_list ap)
{
	struct line l = {.text = e->line, .room = sizeof(e->line)};
	char text[sizeof(e->line)];

	vsnprintf(text, sizeof(text), fmt, ap);
	e->status = status;
	put_object(&l, object);
	put(&l, ": ", 2);
	put(&l, text, strlen(text));
}

int fail(struct err *e, int errnum, const char *object, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(e, EXIT_NOT_DONE, object, fmt, ap);
	va_end(ap);
	return errnum;
}

int usage_error(struct err *e, const char *object, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(e, EXIT_USAGE, object, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int reject(struct parse_error *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}
