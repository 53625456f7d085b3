/* SPDX-License-Identifier: GPL-2.0-only */
/* Between prog.c and session.c only. */
#ifndef CTL_PROG_INTERNAL_H
#define CTL_PROG_INTERNAL_H

#include <linux/bpf.h>

#include "prog.h"

/* What the libraries say is kept from the terminal, and the last warning for prog_why. */
void prog_quiet(void);
const char *prog_why(int err);
int prog_info(int fd, struct bpf_prog_info *info);

/* Pinned links lie in STORE_DIR: a prefix and the program's id. */
#define PATH_SIZE 80
#define TC_LINK_PREFIX "tc-"
/* Detaches and unpins one; 0 where it is not there. */
int prog_unpin(const char *path);
/* False where it is not there, and where its device is not. */
bool prog_is_linked(const char *path);

/* ---- session.c ---- */

/*
 * Makes the tc programs of one interface those that are needed, and the record too, here and in the
 * store. In the interface's network namespace. f: what the kernel can, NULL: it is found out. What
 * failed leaves what was there.
 */
int session_set(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		struct prog_needs needs, const struct prog_features *f, struct err *e);
/* The same for every interface that is recorded: on all of them, or on none. */
int session_set_all(struct store *s, struct prog_needs needs, const struct prog_features *f,
		    struct err *e);
/* Takes them off, whatever namespace the thread is in. The record stays. */
int session_clear(const struct mangle_iface_key *k, struct mangle_iface *i);
/* The programs' object file. */
const void *session_elf(size_t *size);

#endif
