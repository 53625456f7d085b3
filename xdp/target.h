/* SPDX-License-Identifier: GPL-2.0-only */
/* What the entity asks for. Rows 12 to 14. */
#ifndef XDP_TARGET_H
#define XDP_TARGET_H

#include "pkt.h"

/* A kind of word that this program does not know says nothing that it could act on: the tag is as
 * if it was not in the table, and the row does not count. */
static __always_inline enum mangle_reason unknown_kind(struct pkt *p)
{
	p->counts = NULL;
	return REASON_UNKNOWN_TAG;
}

static __always_inline enum mangle_reason entity_target(struct pkt *p)
{
	__u8 action = MANGLE_VALUE_ACTION(p->value);

	if (unlikely(action < ACTION_PORT || action > ACTION_PASS))
		return unknown_kind(p);
	if (unlikely(MANGLE_VALUE_HAS_SIZE(p->value))) {
		if (p->payload_len < MANGLE_VALUE_MIN(p->value))
			return REASON_TOO_SHORT;
		if (p->payload_len > MANGLE_VALUE_MAX(p->value))
			return REASON_TOO_LONG;
	}
	switch (action) {
	case ACTION_PORT: return REASON_REWRITTEN;
	case ACTION_DROP: return REASON_ENTITY_DROP;
	default: return REASON_ENTITY_PASS;
	}
}

#endif
