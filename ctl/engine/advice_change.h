/* SPDX-License-Identifier: GPL-2.0-only */
/* Warnings about a change that is valid, but may not be what was meant. They are given once, with
 * the change. */
#ifndef ENGINE_ADVICE_CHANGE_H
#define ENGINE_ADVICE_CHANGE_H

#include "model/model.h"
#include "advice.h"

struct store;

/* Beyond this number entities must share targets, since there are no more ports. */
#define MANY_TARGETS 65535
/* Warns about entities of every service that are valid, but may not be what was meant. */
void warn_about_tables(struct warnings *w, const struct model *m);
/* Warns about what is odd in `to` and was not in `from`. s: may be NULL. */
void warn_about_change(struct warnings *w, struct store *s, const struct model *from,
		       const struct model *to);
/* Warns about one entity. same: another entity with its target, or NULL. */
void warn_about_row(struct warnings *w, const struct model *m, const struct service *s,
		    const struct entity *en, const struct entity *same);

#endif
