/* SPDX-License-Identifier: GPL-2.0-only */
/* Guards: a change that would cut off TCP connections is refused, unless it is forced. */
#ifndef ENGINE_CONNECTIONS_H
#define ENGINE_CONNECTIONS_H

#include "model/model.h"
#include "attachments.h"

struct store;

/* What a guard says where it could not look: it refuses. object: the interface, or what is
 * attached. what: "detaching: cannot tell whether ..."; why: "where: reason". */
int cannot_tell(const char *object, int err, const char *what, const char *why, struct err *e);
/* Is anybody connected to a port that a new or changed TCP service takes? -EBUSY. */
int check_taken(struct store *s, const struct model *from, const struct model *to, struct err *e);
/* Do connections live that go through those chosen, and through none that stays? -EBUSY. */
int check_bound(struct store *s, const struct attachment *a, size_t count, const bool *chosen,
		struct err *e);
/* Do connections live whose shared port no service of `to` has in TCP connection mode? -EBUSY. */
int check_cut(struct store *s, const struct model *from, const struct model *to, struct err *e);

#endif
