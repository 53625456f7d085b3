/* SPDX-License-Identifier: GPL-2.0-only */
/* What the entity asks for. Rows 12 to 14. */
#ifndef XDP_TARGET_H
#define XDP_TARGET_H

#include "pkt.h"

static __always_inline enum mangle_reason entity_target(struct pkt *p)
{
	if (unlikely(MANGLE_VALUE_HAS_SIZE(p->value))) {
		if (p->payload_len < MANGLE_VALUE_MIN(p->value))
			return REASON_TOO_SHORT;
		if (p->payload_len > MANGLE_VALUE_MAX(p->value))
			return REASON_TOO_LONG;
	}
	switch (MANGLE_VALUE_ACTION(p->value)) {
	case ACTION_PORT: return REASON_REWRITTEN;
	case ACTION_DROP: return REASON_ENTITY_DROP;
	default: return REASON_ENTITY_PASS;
	}
}

#endif
