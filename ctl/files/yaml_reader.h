/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * YAML is read event by event: no tree of the document is ever held, only the model it becomes.
 * Each read_ function finds its value's first event in r->event and leaves its last one there. They
 * return 0, or negative errno with r->e set.
 */
#ifndef FILES_YAML_READER_H
#define FILES_YAML_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <yaml.h>

#include "input.h"
#include "model/values.h"

#define READING "reading configuration: "
#define CONFIG_PAGE "mangle.yaml(5)"
#define ONE_COLUMN "the keys of one service, and the '-' of one list, begin in one column"
#define BAD_AT(r, at, ...) fail_at((r)->e, (r)->file, (at), CONFIG_PAGE, __VA_ARGS__)
#define BAD(r, ...) BAD_AT(r, yaml_line(r), __VA_ARGS__)

struct model;

#define INDENTS 256 /* libyaml reads a few lines ahead of the event */

struct reader {
	const char *file;
	struct err *e;
	struct model *m;
	yaml_parser_t parser;
	yaml_event_t event;
	FILE *in;
	uint64_t bytes; /* given to the parser */
	uint64_t line;	/* of the last byte given */
	bool line_ended;
	int read_error; /* errno */
	bool too_large;
	bool has_nul;
	char start[2];		/* the file's first bytes */
	size_t indent[INDENTS]; /* leading blanks of the last lines, by line number */
	const struct open_map *open;
};

/* Before the first event, where file, e, in and line (1) are set; and after the last one. */
int yaml_begin(struct reader *r);
void yaml_end(struct reader *r);
int yaml_next(struct reader *r);
/* Returns the line that the present event begins in. */
uint64_t yaml_line(const struct reader *r);
/* Return whether it is text without quotes, and whether that stands for no value. */
bool yaml_is_plain(const struct reader *r);
bool yaml_is_null(const struct reader *r, const char *s);

/* what: the key's name. wanted: "a number". Both return -EINVAL. */
int yaml_wrong_type(struct reader *r, const char *what, const char *wanted);
int yaml_bad_value(struct reader *r, const char *what, const char *s, const char *why);

/* *out is valid until the next event. */
int read_text(struct reader *r, const char *what, const char **out);
/* Returns whether YAML takes the text for a number. */
int read_plain(struct reader *r, const char *what, const char *wanted, const char **out);
int read_number(struct reader *r, const char *what, uint64_t min, uint64_t max, uint64_t *out);
int read_u16(struct reader *r, const char *what, uint64_t min, uint16_t *out);
int read_target(struct reader *r, const char *what, struct target *out);

struct key {
	const char *name;
	/* Reads the value into `to`; what: the key's name. */
	int (*read)(struct reader *r, const char *what, void *to);
	bool required;
	const char *alias; /* an older word for it; NULL: none */
	/* Used instead of read, where several keys are read by their description. */
	int (*read_by)(struct reader *r, const void *by, void *to);
	const void *by;
};

#define MAX_KEYS 64
struct mapping {
	const char *what; /* it is: "service" */
	const char *form; /* "a mapping", and how it looks */
	const struct key *keys;
	unsigned int count;
	bool (*is_required)(const void *by); /* keys that have `by` */
};
#define MAPPING(what_, form_, keys_) \
	{ \
		.what = (what_), .form = (form_), .keys = (keys_), \
		.count = sizeof(keys_) / sizeof((keys_)[0]) \
	}
int read_mapping(struct reader *r, const char *what, const struct mapping *map, void *to);
int read_list(struct reader *r, const char *what,
	      int (*read_one)(struct reader *r, const char *what, void *to), void *to);
/* One value may stand for a list of one. */
int read_list_or_one(struct reader *r, const char *what,
		     int (*read_one)(struct reader *r, const char *what, void *to), void *to);

#endif
