/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that writes results, as text or as JSON from the same values, to the output that it
 * is handed; and to standard error. Nothing here fails: whether the output took it all is asked
 * once, by print_finish.
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

/* Flushes; -EIO with e set where something could not be written. */
int print_finish(struct output *out, struct err *e);

void print_version(struct output *out);
/* For the completion of a shell; help: what it is, or NULL. */
void print_candidate(struct output *out, const char *word, const char *help);

/* The one line; name: the verb's, for a line that does not say what to do. */
void print_error(const struct err *e, const char *name);
/* Of a verb that changes: what needs nothing done is left to status. */
void print_warnings(const struct output *out, const struct warnings *w);

/* The answer of a verb that changes. planned: of --check. */
void print_changes(struct output *out, const struct changes *c, bool changed, bool planned,
		   uint64_t generation);
/* A line for one difference, see change_fn; arg: the lines already printed. */
struct change_lines {
	struct output *out;
	uint64_t entities;
	bool all; /* else the first ones of entities, and how many more there are */
};
void print_change_line(void *arg, const struct change *change);
void print_change_lines_end(const struct change_lines *l);

void print_attached(struct output *out, const struct attachment *a, bool changed);
void print_detached(struct output *out, const char *name);
void print_stopped(struct output *out, const char *unit);
/* before: its record then; NULL where nobody knows. Whether it has another program now. */
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
	struct service_status *service; /* of each */
	uint32_t flows_size; /* connections that the flow table is to hold; 0: there is none */
	uint64_t flows_used;
	const struct drift *drift;
	const struct warnings *warnings;
	bool not_attached; /* the interface asked for: the text is the first warning alone */
};
void print_status(struct output *out, const struct status *s);
void print_not_attached(struct output *out, const char *name);

/* entities: how many each service has. */
void print_services(struct output *out, const struct model *m, const uint64_t *entities);

/* ---- entities: print_rows.c ---- */

/* Which columns in which order, and whether in full where a terminal would get less. */
struct rows_form {
	const struct entity_field *column[ENTITY_FIELD_COUNT];
	size_t count;
	bool header, exact;
	bool names_if_any; /* without the column of names where no row has one */
};
struct rows_form print_all_columns(void);

/* One entity, by itself or in a list; m: the services that there are. */
void print_row(struct output *out, const struct service *s, const struct row *r);
void print_rows(struct output *out, const struct model *m, const struct listed *rows, size_t count,
		const struct rows_form *f);
/* A table file's line. */
void print_table_line(struct output *out, const struct service *s, const struct entity *en);

/* The running state as a configuration file. */
void print_config(struct output *out, const struct model *m);

struct stats_report {
	const struct counters *counters;
	bool show_all; /* the text too is of all packets, not of the services only */
	bool reasons, exact;
	bool watch;	/* one of many */
	double time;	/* seconds since 1970 */
	double seconds; /* 0: all of the counters; else what was counted in that time */
};
void print_stats(struct output *out, const struct stats_report *r);
void print_stats_again(struct output *out);

/* What became of one packet. */
struct explanation {
	uint64_t index; /* from 1 */
	char *why_not;	/* it was not explained; NULL: it was, and the rest says how */
	size_t length;	/* the frame's, bytes */
	bool sent;	/* by the host that captured it */
	struct mangle_explained said;
	uint8_t addresses[32]; /* source, then destination, of said.family */
	uint16_t vlan[2];      /* VLAN ids of the tags in the frame, the outer one first */
	unsigned int vlans;
	const struct service *service; /* NULL: none reached */
	const struct service *behind;  /* it is what this service has made; NULL: not known */
	char name[MANGLE_TEXT_SIZE];   /* of the entity; "": it has none, or none was reached */
};
void print_explanation(struct output *out, const struct explanation *x);
/* The sums at the end. */
void print_explained(struct output *out, const char *name, const struct explanation *x,
		     size_t count);

void print_findings(struct output *out, const struct findings *f);

#endif
