/* SPDX-License-Identifier: GPL-2.0-only */
/* The paths of pins, and operations on pins of any kind. */
#ifndef KERNEL_PINS_H
#define KERNEL_PINS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "model/err.h"

#define STORE_DIR "/sys/fs/bpf/mangle"
/* The maps that config, tables and flows hold, by the kernel's id. */
#define INNER_DIR STORE_DIR "/inner"
/* Maps of this layout version while those of another are in force (next/); and once they are in
 * force, and only have to be moved to their places (done/). */
#define NEXT_DIR STORE_DIR "/next"
#define DONE_DIR STORE_DIR "/done"
#define PATH_SIZE 80 /* room for the path of any pin */

/* Each writes a path into buf, and returns buf. */
const char *pin_path(char buf[PATH_SIZE], const char *dir, const char *name);
const char *pin_inner_path(char buf[PATH_SIZE], uint32_t id);
/* Returns whether there is a pin of that name in STORE_DIR. In doubt there is. */
bool pin_exists(const char *name);
/* Returns 0 where the file belongs to root, else -EPERM with e set. */
int pin_check_owner(const char *path, const struct stat *st, struct err *e);
/* Removes the pins in a directory, but not those in its subdirectories; and the directory, if it is
 * empty then. */
void pins_remove(const char *dir);

#endif
