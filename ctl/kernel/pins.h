/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the pins lie, and what may be done with them without knowing what they are of. */
#ifndef KERNEL_PINS_H
#define KERNEL_PINS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "model/err.h"

#define STORE_DIR "/sys/fs/bpf/mangle"
/* The maps that config, tables and flows hold, by the kernel's id. */
#define INNER_DIR STORE_DIR "/inner"
/* Maps of this layout version while those of another are the ones in force; and once they have
 * become those in force, and only have to be put into their places. */
#define NEXT_DIR STORE_DIR "/next"
#define DONE_DIR STORE_DIR "/done"
#define PATH_SIZE 80 /* room for the path of any pin */

/* Each writes a path into buf, and returns buf. */
const char *pin_path(char buf[PATH_SIZE], const char *dir, const char *name);
const char *pin_inner_path(char buf[PATH_SIZE], uint32_t id);
/* Is there a pin of that name in STORE_DIR? In doubt there is. */
bool pin_exists(const char *name);
/* Returns 0 where what was looked at belongs to root, else -EPERM with e set. */
int pin_check_owner(const char *path, const struct stat *st, struct err *e);
/* Removes the pins in a directory, not what is in directories in it; and the directory where it is
 * empty then. */
void pins_remove(const char *dir);

#endif
