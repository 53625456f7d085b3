/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Containers' network interfaces that were made on one that mangle is attached to: VLAN, macvlan
 * and ipvlan devices in network namespaces of their own. What they receive passes mangle first.
 */
#ifndef ENGINE_ELSEWHERE_H
#define ENGINE_ELSEWHERE_H

#include "model/model.h"
#include "notes.h"

struct devices;
struct device;

/*
 * What becomes of TCP connections to containers whose devices were made on d, with those of these
 * services that match on it; name: as services call it. In its namespace, of which all is there.
 */
void warn_about_elsewhere(struct warnings *w, const struct devices *all, const struct device *d,
			  const char *name, const struct model *m);

#endif
