/* SPDX-License-Identifier: GPL-2.0-only */
/* Links whose programs are replaced: all of them, or none. */
#ifndef KERNEL_SWAP_H
#define KERNEL_SWAP_H

#include <stdbool.h>
#include <stddef.h>

#include "model/err.h"

struct swap {
	int link, old, fresh; /* descriptors; old: -1 where the kernel does not hand it out */
	const char *name;     /* of the interface, for errors */
};
struct swaps {
	struct swap *swap;
	size_t count;
};
/* Adds the link of a pin. fresh must stay open; the pointer name is kept. */
int swaps_add(struct swaps *w, const char *pin, int fresh, const char *name, struct err *e);
/* Replaces the programs. On failure the old ones are put back; *mixed: one could not be. */
int swaps_do(const struct swaps *w, bool *mixed, struct err *e);
/* Puts back the old programs of the first `done` links. Returns false where one could not be. */
bool swaps_undo(const struct swaps *w, size_t done);
void swaps_close(struct swaps *w);

#endif
