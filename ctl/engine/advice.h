/* SPDX-License-Identifier: GPL-2.0-only */
/* What status and doctor say of what runs, beside what they list. */
#ifndef ENGINE_ADVICE_H
#define ENGINE_ADVICE_H

#include "model/model.h"
#include "attachments.h"
#include "notes.h"

struct store;

/* What services ask for that cannot do them good. */
void warn_about_services(struct warnings *w, const struct model *m);
/* Gone, down, and what warn_about_interface says; sets a->link. */
void warn_about_attachment(struct warnings *w, struct attachment *a, const struct model *m);
void warn_about_nothing_attached(struct warnings *w, const struct attachment *a, size_t count);

/* The interface that a service names; looked for in this network namespace and in each that
 * something is attached in. */
enum service_place { PLACE_ANY, PLACE_ATTACHED, PLACE_NOT_ATTACHED, PLACE_MISSING, PLACE_UNKNOWN };
enum service_place service_place(const struct service *s, const struct attachment *a, size_t count);
/* The interfaces that services name and that are not attached, where something is. */
void warn_about_places(struct warnings *w, const struct model *m, const struct attachment *a,
		       size_t count);
/* warn_about_services, and what keeps services from changing a packet. */
void warn_about_running(struct warnings *w, const struct model *m, const struct attachment *a,
			size_t count);

/* How many connections the flow table has, at most its size. */
int read_flows(struct store *s, uint64_t *used, struct err *e);
void warn_about_flows(struct warnings *w, uint64_t used, uint32_t size);

#endif
