/* SPDX-License-Identifier: GPL-2.0-only */
/* The running configuration in its map. */
#ifndef KERNEL_RUNNING_H
#define KERNEL_RUNNING_H

#include "model/model.h"

struct store;

/* Returns 1 where no configuration was ever published. */
int store_is_fresh(const struct store *s);
/* Returns the generation of the running configuration, which every change increments. */
uint64_t store_generation(const struct store *s);
/* Returns the configuration file last applied, "" none; valid as long as the configuration is
 * mapped. */
const char *store_file(const struct store *s);
/* Returns which replies are sent from this port (host byte order): MANGLE_TARGET. */
uint32_t store_target(const struct store *s, uint16_t port);

/* For the files of the store. */

/* Opens the configuration in force. */
int running_open(struct store *s, struct err *e);
/* Puts an empty configuration into force, so that a program always finds one. */
int running_create(struct store *s, struct err *e);
/* Sets or clears `dirty`: there is something to complete or discard. */
void running_set_dirty(struct store *s, bool dirty);
/* Returns the index of the service of that name, -1: none. */
int running_index(const struct store *s, const char *name);
/* Sets e for a name that no service has, and returns -ENOENT. */
int running_no_service(const char *name, struct err *e);

#endif
