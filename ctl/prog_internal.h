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
/* Unpins links that no record names: those of a run that was killed. */
void session_sweep(struct store *s);
/* The programs' object file. */
const void *session_elf(size_t *size);

#endif
