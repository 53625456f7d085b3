/* SPDX-License-Identifier: GPL-2.0-only */
/* Two interfaces that a packet passes one after the other: attached to both, mangle would rewrite
 * it twice. */
#ifndef ENGINE_TWICE_H
#define ENGINE_TWICE_H

#include "attachments.h"
#include "notes.h"

struct netdev;

/* Refuses where a packet would pass two of the interfaces named or attached. Those already attached
 * are no obstacle. */
int check_twice(struct store *s, const struct netdev *dev, int devs, struct err *e);
/* Warns about pairs of which one has come above the other since they were attached. */
void warn_about_twice(struct warnings *w, const struct attachment *a, size_t count);

#endif
