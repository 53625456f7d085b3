/* SPDX-License-Identifier: GPL-2.0-only */
/* What runs beside what the configuration file says: whether they are the same, and by how much
 * not. */
#ifndef ENGINE_DRIFT_H
#define ENGINE_DRIFT_H

#include "model/model.h"

struct store;

enum drift_state {
	DRIFT_SAME,
	DRIFT_DIFFERS,
	DRIFT_MISSING,	  /* what runs is in no file */
	DRIFT_BROKEN,	  /* the file cannot be loaded: `why` */
	DRIFT_NOT_LOADED, /* nothing runs */
};

struct drift {
	const char *file; /* "": none was applied, and there is none of the default name */
	enum drift_state state;
	bool differs;	       /* does anything else run than the file says? */
	unsigned int services; /* of the file, where it can be loaded */
	uint64_t entities;     /* the same */
	unsigned int
		service_changes; /* services that differ: the flow table's size counts as one */
	uint64_t entity_changes;
	struct err why;
};

/*
 * Compares what runs (s NULL: nothing is loaded) with the file that was last applied or attached
 * with, else with CONFIG_DEFAULT_FILE, else with the built-in default. 0, or negative errno with e
 * set where what runs cannot be read.
 */
int drift_read(struct store *s, struct drift *out, struct err *e);
/* The same, with the file that `attach` loads where nothing is loaded, as units do at boot. */
int drift_read_boot(struct store *s, struct drift *out, struct err *e);
/* Is that the file of drift_read_boot? */
bool drift_is_boot_file(const char *file);

#endif
