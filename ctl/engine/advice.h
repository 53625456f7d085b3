/* SPDX-License-Identifier: GPL-2.0-only */
/* What status and doctor say about the running state, beside their lists. */
#ifndef ENGINE_ADVICE_H
#define ENGINE_ADVICE_H

#include "model/model.h"
#include "attachments.h"
#include "notes.h"

struct store;

/* Warns about settings of services that are accepted but break traffic. */
void warn_about_services(struct warnings *w, const struct model *m);
/* Warns where the device is gone or down, and of all that warn_about_interface finds;
 * sets a->link. */
void warn_about_attachment(struct warnings *w, struct attachment *a, const struct model *m);
void warn_about_nothing_attached(struct warnings *w, const struct attachment *a, size_t count);

/* Where the interface is that a service names. It is looked for in the thread's network namespace
 * and in each that an interface is attached in. */
enum service_place { PLACE_ANY, PLACE_ATTACHED, PLACE_NOT_ATTACHED, PLACE_MISSING, PLACE_UNKNOWN };
enum service_place service_place(const struct service *s, const struct attachment *a, size_t count);
/* Warns about interfaces that services name and that are not attached; nothing where none is. */
void warn_about_places(struct warnings *w, const struct model *m, const struct attachment *a,
		       size_t count);
/* Warns as warn_about_services does, and about what keeps services from changing packets. */
void warn_about_running(struct warnings *w, const struct model *m, const struct attachment *a,
			size_t count);

/* Counts the connections in the flow table; *used is at most the table's size. */
int read_flows(struct store *s, uint64_t *used, struct err *e);
void warn_about_flows(struct warnings *w, uint64_t used, uint32_t size);

#endif
