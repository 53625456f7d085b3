/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps in maps: creating, opening and mapping those that config and tables hold, and the slots that
 * they are put into. */
#ifndef KERNEL_INNER_H
#define KERNEL_INNER_H

#include "maps.h"
#include "state.h"

/* Opens the map without mapping it; *info is what the kernel reports. */
int inner_open_held(const struct store *s, uint32_t id, enum held_id is, struct inner *in,
		    struct bpf_map_info *info, struct err *e);
/* The same for an array: address space is reserved, and inner_map maps parts of it. */
int inner_open(const struct store *s, uint32_t id, enum held_id is, struct inner *in,
	       struct err *e);
/* Maps a range of bytes, rounded to whole pages. */
int inner_map(const struct inner *in, size_t from, size_t size, struct err *e);
/* Unmaps and closes it; *in may be empty (fd -1). */
void inner_close(struct inner *in);
/* Creates, pins and maps a zeroed inner map: a table of `entries` cells, or (0) a configuration. */
int inner_create(const struct store *s, uint32_t entries, struct inner *in, struct err *e);
/* Records the id of a map that was created and is not mapped, and pins it; closes it where that
 * fails. */
int inner_pin_held(const struct store *s, struct inner *in, struct err *e);
/* Returns false where the pin still exists. */
bool inner_unpin(const struct store *s, uint32_t id);
/* Puts the map into its slot; when this returns, no packet uses the previous one. */
int outer_set(int outer, uint32_t place, const struct inner *in, struct err *e);
/* Puts n maps into slots that no packet uses, waiting once for all where the kernel supports it. */
int outer_fill(int outer, const uint32_t *places, const int *fds, uint32_t n, struct err *e);
/* Empties n slots that no packet uses. */
void outer_clear(int outer, const uint32_t *places, uint32_t n);
/* Writes the id of the inner map in a slot; 0: none. */
int outer_get(int outer, uint32_t place, uint32_t *id, struct err *e);

#endif
