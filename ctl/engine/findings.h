/* SPDX-License-Identifier: GPL-2.0-only */
/* What the checks of doctor have found. */
#ifndef ENGINE_FINDINGS_H
#define ENGINE_FINDINGS_H

#include <stdbool.h>

#include "notes.h"

/* CHECK_BAD: mangle, or what a service asks for, does not work. */
enum check_state { CHECK_OK, CHECK_INFO, CHECK_WARN, CHECK_BAD };
struct findings {
	struct finding {
		enum check_state state;
		char *name; /* what was checked; allocated */
		char *text; /* allocated */
	} * finding;
	size_t count;
	bool is_bad; /* there is one of CHECK_BAD */
};
void add_finding(struct findings *f, const char *name, enum check_state state, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void add_notes(struct findings *f, const char *name, const struct warnings *w);
void free_findings(struct findings *f);

#endif
