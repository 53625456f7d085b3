/* SPDX-License-Identifier: GPL-2.0-only */
/* Pinned links and programs. A link's pin in STORE_DIR is named by a prefix and the id of the first
 * program that the link had. */
#ifndef KERNEL_LINKS_H
#define KERNEL_LINKS_H

#include <linux/bpf.h>
#include <stdbool.h>

#include "../../maps/schema.h"
#include "pins.h"

/* Each writes the path of a pin into buf, and returns buf: of an interface's XDP program, or of a
 * tc program. */
const char *link_path(char buf[PATH_SIZE], const struct mangle_iface *i);
const char *link_tc_path(char buf[PATH_SIZE], uint32_t id);
/* Returns whether the file name is that of a link's pin. *id: of the first program that it had. */
bool link_parse_name(const char *name, uint32_t *id);
/* Detaches and unpins a link. Returns 0, also where there is none, or negative errno (liblog.h has
 * the reason). */
int link_unpin(const char *path);
/* The state of a pin. In doubt a link is alive, since one that is taken for gone is removed. */
enum pin_state {
	PIN_NONE,    /* there is no pin, or it is not a link */
	PIN_DEFUNCT, /* the link's device is gone */
	PIN_ALIVE,
};
/* *id: the link's program; unchanged where it cannot be read. */
enum pin_state link_state(const char *path, uint32_t *id);
/* Reads what the kernel knows about an open program. Returns 0 or negative errno. */
int program_info(int fd, struct bpf_prog_info *info);

#endif
