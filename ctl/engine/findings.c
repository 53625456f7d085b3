/* SPDX-License-Identifier: GPL-2.0-only */
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text made elsewhere may begin with the name of what was checked. */
static const char *without_name(const char *text, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(text, name, len) && !strncmp(text + len, ": ", 2) ? text + len + 2 : text;
}

void add_finding(struct findings *f, const char *name, enum check_state state, const char *fmt, ...)
{
	struct finding *more = realloc(f->finding, (f->count + 1) * sizeof(*more));
	char text[1024];
	va_list ap;

	f->is_bad |= state == CHECK_BAD;
	if (!more)
		return;
	f->finding = more;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	more += f->count;
	*more = (struct finding){state, strdup(name), strdup(without_name(text, name))};
	if (more->name && more->text) {
		f->count++;
	} else {
		free(more->name);
		free(more->text);
	}
}

void add_notes(struct findings *f, const char *name, const struct warnings *w)
{
	static const enum check_state states[] = {
		[NOTE_INFO] = CHECK_INFO, [NOTE_WARNING] = CHECK_WARN, [NOTE_FAULT] = CHECK_BAD};

	for (size_t i = 0; i < w->count; i++)
		add_finding(f, name, states[w->note[i].level], "%s", w->note[i].text);
}

void free_findings(struct findings *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->finding[i].name);
		free(f->finding[i].text);
	}
	free(f->finding);
	*f = (struct findings){.finding = NULL};
}
