/* SPDX-License-Identifier: GPL-2.0-only */
/* Which interfaces mangle can be attached to, and what does not work on those that it can. */
#ifndef ENGINE_INTERFACES_H
#define ENGINE_INTERFACES_H

#include "model/model.h"
#include "kernel/netdev.h"
#include "attachments.h"
#include "notes.h"

struct store;

/* Refuses interfaces that mangle cannot be attached to, and puts lower devices first, in which
 * order the kernel accepts them. */
struct netdev;
int check_devices(struct netdev *dev, int devs, struct err *e);
/* Warns about an attached interface, given these services. */
void warn_about_interface(struct warnings *w, const struct attachment *a, const struct model *m);
/* The part of these warnings that follows from the device alone. name: the one by which services
 * match it. Called in the device's namespace. */
void warn_about_device(struct warnings *w, int ifindex, const char *name, bool generic,
		       const struct model *m);

#endif
