/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Judges a payload: rows 8 to 14 of the manual's order of tests, then the service's policy. The one
 * list of these stages, for XDP, the first data of a connection, observe and explain.
 */
#ifndef XDP_JUDGE_H
#define XDP_JUDGE_H

#include "action.h"
#include "lookup.h"
#include "pkt.h"
#include "tag.h"
#include "target.h"
#include "validate.h"

/*
 * reason: what the stages before have found, REASON_NONE where they have found nothing. Returns the
 * reason for the verdict. verdict: what is to happen without observe; p->new_port is the new port
 * where it is REWRITTEN.
 */
static __always_inline enum mangle_reason judge(struct pkt *p, enum mangle_reason reason,
						enum mangle_verdict *verdict)
{
	if (reason == REASON_NONE)
		reason = validate(p);
	if (reason == REASON_NONE)
		reason = read_tag(p);
	if (reason == REASON_NONE)
		reason = lookup(p);
	if (reason == REASON_NONE)
		reason = entity_target(p);
	verifier_forget(p, reason);
	*verdict = decide(p, reason);
	return reason;
}

#endif
