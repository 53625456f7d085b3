/* SPDX-License-Identifier: GPL-2.0-only */
/* Never loaded: its BTF goes into the map `layout`. The types that an upgrade converts by it. */
#include "schema.h"

struct mangle_config layout_config;
struct mangle_stats layout_stats;
struct mangle_iface_key layout_iface_key;
struct mangle_iface layout_iface;
