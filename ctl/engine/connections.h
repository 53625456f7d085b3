/* SPDX-License-Identifier: GPL-2.0-only */
/* Guards: a change that would cut off TCP connections is refused, unless --force is given. */
#ifndef ENGINE_CONNECTIONS_H
#define ENGINE_CONNECTIONS_H

#include "model/model.h"
#include "attachments.h"

struct store;

/* The error of a guard that could not look, and so refuses. object: the interface, or what is
 * attached. what: "detaching: cannot tell whether ..."; why: "where: reason". */
int cannot_tell(const char *object, int err, const char *what, const char *why, struct err *e);
/* Returns -EBUSY where a client is connected to a port that a new or changed TCP service takes. */
int check_taken(struct store *s, const struct model *from, const struct model *to, struct err *e);
/* Returns -EBUSY where live connections go through the chosen attachments, and through none that
 * stays. */
int check_bound(struct store *s, const struct attachment *a, size_t count, const bool *chosen,
		struct err *e);
/* Returns -EBUSY where live connections have a shared port that no service of `to` has in TCP
 * connection mode. */
int check_cut(struct store *s, const struct model *from, const struct model *to, struct err *e);

#endif
