/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pinned links and programs. Links lie in STORE_DIR: a prefix, and the id of the first program they
 * had.
 */
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
/* Is that file name one of a link's pin? *id: of the first program it had. */
bool link_parse_name(const char *name, uint32_t *id);
/* Detaches and unpins one. Returns 0, also where it is not there, or negative errno (liblog.h
 * says more). */
int link_unpin(const char *path);
/* What a pin leads to. In doubt a link is alive: what is taken for gone is cleared away. */
enum pin_state {
	PIN_NONE,    /* there is none, or it is no link */
	PIN_DEFUNCT, /* its device has gone */
	PIN_ALIVE,
};
/* *id: its program, left as it is where that cannot be asked. */
enum pin_state link_state(const char *path, uint32_t *id);
/* What the kernel says of an open program. Returns 0 or negative errno. */
int program_info(int fd, struct bpf_prog_info *info);

#endif
