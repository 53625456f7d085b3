/* SPDX-License-Identifier: GPL-2.0-only */
/* Which interfaces can have mangle, and what of it does not work on those that can. */
#ifndef ENGINE_INTERFACES_H
#define ENGINE_INTERFACES_H

#include "model/model.h"
#include "kernel/netdev.h"
#include "attachments.h"
#include "notes.h"

struct store;

/*
 * The interfaces named can have mangle; puts those below others first, as the kernel wants them to
 * be attached.
 */
struct netdev;
int check_devices(struct netdev *dev, int devs, struct err *e);
/* What is to be known about an interface that is attached, with these services. */
void warn_about_interface(struct warnings *w, const struct attachment *a, const struct model *m);
/* What of that follows from the device alone; name: as services call it. In its namespace. */
void warn_about_device(struct warnings *w, int ifindex, const char *name, bool generic,
		       const struct model *m);

#endif
