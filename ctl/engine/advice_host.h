/* SPDX-License-Identifier: GPL-2.0-only */
/* What connections and replies ask of the host, wherever an interface is attached. */
#ifndef ENGINE_ADVICE_HOST_H
#define ENGINE_ADVICE_HOST_H

#include "model/model.h"
#include "attachments.h"
#include "notes.h"

struct store;

/* What of its settings and listeners stands in the way of connections and replies, once for each
 * namespace that something is attached in, or for this one where nothing is. */
void warn_about_hosts(struct warnings *warn, struct store *s, const struct model *m,
		      const struct attachment *a, size_t count);
/* The number of a setting below /proc/sys/net; none where there is no such setting, or it cannot be
 * told, which is said. */
int read_setting(struct warnings *w, const char *who, const char *path, int none);

#endif
