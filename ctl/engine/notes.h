/* SPDX-License-Identifier: GPL-2.0-only */
/* Warnings and infos that a run reports beside its result. */
#ifndef ENGINE_NOTES_H
#define ENGINE_NOTES_H

#include <stddef.h>

/* Texts for the user, allocated. NOTE_INFO needs no action; NOTE_FAULT: mangle, or what a service
 * asks for, does not work. */
enum note_level { NOTE_INFO, NOTE_WARNING, NOTE_FAULT };
struct warnings {
	struct note {
		enum note_level level;
		char *text;
	} * note;
	size_t count;
};
void add_info(struct warnings *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void add_warning(struct warnings *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void add_fault(struct warnings *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void free_warnings(struct warnings *w);

#endif
