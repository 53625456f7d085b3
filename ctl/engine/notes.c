/* SPDX-License-Identifier: GPL-2.0-only */
#include "notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void __attribute__((format(printf, 3, 0)))
add_note(struct warnings *w, enum note_level level, const char *fmt, va_list ap)
{
	struct note *more = realloc(w->note, (w->count + 1) * sizeof(*more));

	if (!more)
		return;
	w->note = more;
	w->note[w->count].level = level;
	if (vasprintf(&w->note[w->count].text, fmt, ap) >= 0)
		w->count++;
}

void add_info(struct warnings *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(w, NOTE_INFO, fmt, ap);
	va_end(ap);
}

void add_fault(struct warnings *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(w, NOTE_FAULT, fmt, ap);
	va_end(ap);
}

void add_warning(struct warnings *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(w, NOTE_WARNING, fmt, ap);
	va_end(ap);
}

void free_warnings(struct warnings *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->note[i].text);
	free(w->note);
}
