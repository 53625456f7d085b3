/* SPDX-License-Identifier: GPL-2.0-only */
/* Compares what runs with the configuration file: whether they differ, and by how much. */
#ifndef ENGINE_DRIFT_H
#define ENGINE_DRIFT_H

#include "model/model.h"

struct store;

enum drift_state {
	DRIFT_SAME,
	DRIFT_DIFFERS,
	DRIFT_MISSING,	  /* what runs is in no configuration file */
	DRIFT_BROKEN,	  /* the file cannot be loaded: `why` */
	DRIFT_NOT_LOADED, /* nothing is loaded */
};

struct drift {
	const char *file; /* "": none was applied, and the default file does not exist */
	enum drift_state state;
	bool differs;	       /* what runs is not what the file describes */
	unsigned int services; /* in the file, where it can be loaded */
	uint64_t entities;     /* the same */
	unsigned int
		service_changes; /* services that differ: the flow table's size counts as one */
	uint64_t entity_changes;
	struct err why;
};

/*
 * Compares what runs (s NULL: nothing is loaded) with the file that was last applied or attached
 * with, else with CONFIG_DEFAULT_FILE, else with the built-in default. Returns 0, or negative errno
 * with e set where what runs cannot be read.
 */
int drift_read(struct store *s, struct drift *out, struct err *e);
/* The same, with the file that `attach` loads where nothing is loaded, as units do at boot. */
int drift_read_boot(struct store *s, struct drift *out, struct err *e);
/* Returns whether drift_read_boot compares with that file. */
bool drift_is_boot_file(const char *file);

#endif
