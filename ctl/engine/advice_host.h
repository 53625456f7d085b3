/* SPDX-License-Identifier: GPL-2.0-only */
/* What connections and replies require of the host, wherever an interface is attached. */
#ifndef ENGINE_ADVICE_HOST_H
#define ENGINE_ADVICE_HOST_H

#include "model/model.h"
#include "attachments.h"
#include "notes.h"

struct store;

/* Warns about settings and listeners of the host that break connections or replies, once for each
 * namespace that an interface is attached in, or for this one where none is. */
void warn_about_hosts(struct warnings *warn, struct store *s, const struct model *m,
		      const struct attachment *a, size_t count);
/* Returns the number of a setting below /proc/sys/net, or `none` where there is no such setting or
 * it cannot be read; warns about the latter. */
int read_setting(struct warnings *w, const char *who, const char *path, int none);

#endif
