/* SPDX-License-Identifier: GPL-2.0-only */
/* Is the payload of a size that the service takes? Rows 8 and 9. */
#ifndef XDP_VALIDATE_H
#define XDP_VALIDATE_H

#include "pkt.h"

static __always_inline enum mangle_reason validate(struct pkt *p)
{
	if (p->proto == MANGLE_PROTO_TCP && !p->payload_len)
		return REASON_NO_PAYLOAD;
	if (p->payload_len < p->service->size_min)
		return REASON_TOO_SHORT;
	if (p->payload_len > p->service->size_max)
		return REASON_TOO_LONG;
	return REASON_NONE;
}

#endif
