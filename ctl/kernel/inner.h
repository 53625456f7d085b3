/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps in maps: creating, opening and mapping those that config and tables hold, and the places
 * that they are put into.
 */
#ifndef KERNEL_INNER_H
#define KERNEL_INNER_H

#include "maps.h"
#include "state.h"

/* Opens it, without its memory; *info is what the kernel says of it. */
int inner_open_held(const struct store *s, uint32_t id, enum held_id is, struct inner *in,
		    struct bpf_map_info *info, struct err *e);
/* The same of an array; its memory has its place, but nothing of it is there before inner_map. */
int inner_open(const struct store *s, uint32_t id, enum held_id is, struct inner *in,
	       struct err *e);
/* Maps a part, in bytes; whole pages are. */
int inner_map(const struct inner *in, size_t from, size_t size, struct err *e);
/* Unmaps and closes it; *in may be empty (fd -1). */
void inner_close(struct inner *in);
/* Makes, pins and maps an inner map of zeros: entries cells of a table, or (0) a configuration. */
int inner_create(const struct store *s, uint32_t entries, struct inner *in, struct err *e);
/* Gives a map that was created, and is not mapped, its id and pins it; closes it where that fails.
 */
int inner_pin_held(const struct store *s, struct inner *in, struct err *e);
/* Returns false where its pin is still there. */
bool inner_unpin(const struct store *s, uint32_t id);
/* Puts it into its place; when this returns, no packet uses what was there. */
int outer_set(int outer, uint32_t place, const struct inner *in, struct err *e);
/* Puts n maps into places that no packet looks at, all with one wait where the kernel can. */
int outer_fill(int outer, const uint32_t *places, const int *fds, uint32_t n, struct err *e);
/* Lets go of what is in n places that no packet looks at. */
void outer_clear(int outer, const uint32_t *places, uint32_t n);
/* Writes the id of the inner map in a place, 0: none. */
int outer_get(int outer, uint32_t place, uint32_t *id, struct err *e);

#endif
