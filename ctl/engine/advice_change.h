/* SPDX-License-Identifier: GPL-2.0-only */
/* What a change brings that works, and may not be what was meant. Said once, with the change. */
#ifndef ENGINE_ADVICE_CHANGE_H
#define ENGINE_ADVICE_CHANGE_H

#include "model/model.h"
#include "advice.h"

struct store;

/* More entities than this have targets in common, since there are no more ports. */
#define MANY_TARGETS 65535
/* Entities that work, and may not be meant: those that are there, of every service. */
void warn_about_tables(struct warnings *w, const struct model *m);
/* What is to be said of `to`, and is not of `from`. s: may be NULL. */
void warn_about_change(struct warnings *w, struct store *s, const struct model *from,
		       const struct model *to);
/* The same of one row; same: another with its target, or NULL. */
void warn_about_row(struct warnings *w, const struct model *m, const struct service *s,
		    const struct entity *en, const struct entity *same);

#endif
