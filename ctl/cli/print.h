/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that prints results, as text or as JSON from the same values, to the output that it
 * is handed, and to standard error. No function here fails: print_finish reports once whether all
 * of it could be written.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "kernel/rows.h"
#include "model/diff.h"
#include "engine/notes.h"
#include "engine/attachments.h"
#include "engine/advice.h"
#include "engine/counters.h"
#include "cmd.h"
#include "engine/drift.h"
#include "engine/findings.h"
#include "out.h"

/* Flushes. Returns -EIO with e set where something could not be written. */
int print_finish(struct output *out, struct err *e);

void print_version(struct output *out);
/* Prints a candidate of a shell's completion; help: its explanation, or NULL. */
void print_candidate(struct output *out, const char *word, const char *help);

/* Prints the error's line. name: the verb, whose help is the remedy where the line has none. */
void print_error(const struct err *e, const char *name);
/* Prints the warnings of a verb that changes; infos are left to status. */
void print_warnings(const struct output *out, const struct warnings *w);

/* Prints the result of a verb that changes. planned: it is that of --check. */
void print_changes(struct output *out, const struct changes *c, bool changed, bool planned,
		   uint64_t generation);
/* Prints a line for one difference, as a change_fn. `entities` counts the lines already printed. */
struct change_lines {
	struct output *out;
	uint64_t entities;
	bool all; /* print all lines; else the first ones of entities, and how many more there are
		   */
};
void print_change_line(void *arg, const struct change *change);
void print_change_lines_end(const struct change_lines *l);

void print_attached(struct output *out, const struct attachment *a, bool changed);
void print_detached(struct output *out, const char *name);
void print_stopped(struct output *out, const char *unit);
/* before: the record before, or NULL where it is not known. Returns whether the program is another
 * now. */
bool print_upgraded(struct output *out, const struct attachment *a,
		    const struct mangle_iface *before);

struct service_status {
	uint64_t entities, bytes;
	enum service_place place;
};
struct status {
	uint64_t generation;
	const struct attachment *ifaces;
	size_t iface_count;
	const struct model *services;
	struct service_status *service; /* one for each service */
	uint32_t flows_size; /* the table's size in connections; 0: there is no flow table */
	uint64_t flows_used;
	const struct drift *drift;
	const struct warnings *warnings;
	bool not_attached; /* of the interface asked for; the text is the first warning only */
};
void print_status(struct output *out, const struct status *s);
void print_not_attached(struct output *out, const char *name);

/* entities: the number of entities of each service. */
void print_services(struct output *out, const struct model *m, const uint64_t *entities);

/* ---- entities: print_rows.c ---- */

/* The columns in their order, and whether values are in full where a terminal gets short ones. */
struct rows_form {
	const struct entity_field *column[ENTITY_FIELD_COUNT];
	size_t count;
	bool header, exact;
	bool names_if_any; /* leave the names out where no row has one */
};
struct rows_form print_all_columns(void);

/* Prints one entity. */
void print_row(struct output *out, const struct service *s, const struct row *r);
void print_rows(struct output *out, const struct model *m, const struct listed *rows, size_t count,
		const struct rows_form *f);
/* Prints a line of a table file. */
void print_table_line(struct output *out, const struct service *s, const struct entity *en);

/* Prints the running state as a configuration file. */
void print_config(struct output *out, const struct model *m);

struct stats_report {
	const struct counters *counters;
	bool show_all; /* print all packets as well as the services, in text too */
	bool reasons, exact;
	bool watch;	/* one report of a series */
	double time;	/* seconds since 1970 */
	double seconds; /* 0: the values of the counters; else what was counted in that time */
};
void print_stats(struct output *out, const struct stats_report *r);
void print_stats_again(struct output *out);

/* What happened to one packet. */
struct explanation {
	uint64_t index; /* from 1 */
	char *why_not;	/* it was not explained, and why; NULL: it was */
	size_t length;	/* of the frame, in bytes */
	bool sent;	/* the host that captured it sent it */
	struct mangle_explained said;
	uint8_t addresses[32]; /* source, then destination, of said.family */
	uint16_t vlan[2];      /* VLAN ids of the tags in the frame, the outer one first */
	unsigned int vlans;
	const struct service *service; /* NULL: no service was reached */
	const struct service *behind;  /* has rewritten it already; NULL: not known */
	char name[MANGLE_TEXT_SIZE];   /* of the entity; "": none */
};
void print_explanation(struct output *out, const struct explanation *x);
/* Prints the sums at the end. */
void print_explained(struct output *out, const char *name, const struct explanation *x,
		     size_t count);

void print_findings(struct output *out, const struct findings *f);

#endif
