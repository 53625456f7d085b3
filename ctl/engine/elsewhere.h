/* SPDX-License-Identifier: GPL-2.0-only */
/* Network interfaces of containers that were created on top of an attached one: VLAN, macvlan and
 * ipvlan devices in network namespaces of their own. mangle sees their packets first. */
#ifndef ENGINE_ELSEWHERE_H
#define ENGINE_ELSEWHERE_H

#include "model/model.h"
#include "notes.h"

struct devices;
struct device;

/*
 * Warns about TCP connections to containers whose devices were created on top of d, where these
 * services match them. name: the one by which services match d. Called in d's namespace, whose
 * devices are `all`.
 */
void warn_about_elsewhere(struct warnings *w, const struct devices *all, const struct device *d,
			  const char *name, const struct model *m);

#endif
