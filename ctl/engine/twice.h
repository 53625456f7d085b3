/* SPDX-License-Identifier: GPL-2.0-only */
/* Two interfaces that a packet passes one after the other: mangle on both would mangle it twice. */
#ifndef ENGINE_TWICE_H
#define ENGINE_TWICE_H

#include "attachments.h"
#include "notes.h"

struct netdev;

/* No packet would pass two of those named or attached. Those that are attached already may be. */
int check_twice(struct store *s, const struct netdev *dev, int devs, struct err *e);
/* Two of which one has come above the other since they were attached. */
void warn_about_twice(struct warnings *w, const struct attachment *a, size_t count);

#endif
