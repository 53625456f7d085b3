/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that print share. */
#ifndef CLI_PRINT_INTERNAL_H
#define CLI_PRINT_INTERNAL_H

#include <jansson.h>

#include "print.h"

/* Three digits, and a letter for thousands of thousands: 5.17k, 51.7k, 517k, 5.17M. */
void format_brief(uint64_t n, char *text, size_t size);

/* How it is attached, in a word. */
const char *mode_name(uint32_t mode);
const char *way_name(const struct mangle_iface *i);

/* As maps/reasons.h has them. */
const char *verdict_name(enum mangle_verdict v);
const char *reason_name(enum mangle_reason r);
const char *reason_meaning(enum mangle_reason r);

/* Names from elsewhere may be no UTF-8, which JSON cannot hold. */
json_t *json_text(const char *s);
json_t *json_text_or_null(const char *s); /* null where empty */
json_t *json_ports(const struct service *s);
json_t *json_target(const struct target *t);
json_t *json_window(const struct window *w);
/* As configurations have it: what is not set is left out. */
json_t *json_entity(const struct service *s, const struct entity *en);

/* They take the reference. */
void dump_json(struct output *out, json_t *j);
void dump_json_line(struct output *out, json_t *j);
/* Lists are written row by row, so that a million rows need no memory. */
void json_list_begin(struct output *out);
void json_list_row(struct output *out, json_t *j);
void json_list_end(struct output *out);

/* The configuration file's keys; what is not set is null. */
json_t *json_service(const struct service *s);
/* " action enforce -> observe, size 16:1400 -> 20:1300" */
void print_setting_changes(struct output *out, const struct service *old,
			   const struct service *new);

/* Says that this run has changed something, and what, unless it is said already. */
void print_made(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
