/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that print have in common. */
#ifndef CLI_PRINT_INTERNAL_H
#define CLI_PRINT_INTERNAL_H

#include <jansson.h>

#include "print.h"

/* Writes three digits, and a letter for the power of a thousand: 5.17k, 51.7k, 517k, 5.17M. */
void format_brief(uint64_t n, char *text, size_t size);

/* Returns the mode of an attachment in a word. */
const char *mode_name(uint32_t mode);
const char *way_name(const struct mangle_iface *i);

/* Return the names that maps/reasons.h has. */
const char *verdict_name(enum mangle_verdict v);
const char *reason_name(enum mangle_reason r);
const char *reason_meaning(enum mangle_reason r);

/* Returns the text, or a replacement: names from elsewhere may not be UTF-8, as JSON must be. */
json_t *json_text(const char *s);
json_t *json_text_or_null(const char *s); /* null where it is empty */
json_t *json_ports(const struct service *s);
json_t *json_target(const struct target *t);
json_t *json_window(const struct window *w);
/* Returns the entity with the keys of configuration files; what is not set is left out. */
json_t *json_entity(const struct service *s, const struct entity *en);

/* Prints j, and takes the reference. */
void dump_json(struct output *out, json_t *j);
void dump_json_line(struct output *out, json_t *j);
/* A list is written row by row, so that a million rows need no memory. */
void json_list_begin(struct output *out);
void json_list_row(struct output *out, json_t *j);
void json_list_end(struct output *out);

/* Returns the service with the keys of configuration files; what is not set is null. */
json_t *json_service(const struct service *s);
/* Prints " action enforce -> observe, size 16:1400 -> 20:1300". */
void print_setting_changes(struct output *out, const struct service *old,
			   const struct service *new);

/* Records what this run has changed, unless something is recorded already: see `made`. */
void print_made(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
