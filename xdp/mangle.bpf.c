/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet's way, from top to bottom. A stage returns why the packet's fate is sealed, or
 * REASON_NONE to go on; nothing is written before everything is decided.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "pkt_xdp.h"
#include "pkt.h"
#include "gate.h"
#include "parse.h"
#include "service.h"
#ifdef WITH_CONNTRACK
#include "conntrack.h"
#endif
#include "validate.h"
#include "tag.h"
#include "lookup.h"
#include "target.h"
#include "action.h"
#include "tcp_explain.h"
#include "rewrite.h"
#include "report.h"

SEC("xdp")
int mangle(struct xdp_md *ctx)
{
	enum mangle_verdict verdict, would;
	enum mangle_reason reason;
	bool foreseen = false;
	struct pkt p;

	pkt_init(&p, ctx);
	if (!gate_lets(&p))
		return XDP_PASS; /* another build's, before or behind this one */

	reason = parse(&p);
	if (reason == REASON_NONE)
		reason = find_service(&p);
#ifdef WITH_CONNTRACK /* gateway.bpf.o */
	if (reason == REASON_NONE)
		reason = leave_to_client(&p);
#endif
	if (reason == REASON_NONE && is_connection(&p)) {
		if (!explaining)
			return XDP_PASS; /* tc.bpf.c's, behind this hook */
		reason = foresee(&p);
		foreseen = true;
	}
	if (reason == REASON_NONE)
		reason = validate(&p);
	if (reason == REASON_NONE)
		reason = read_tag(&p);
	if (reason == REASON_NONE)
		reason = lookup(&p);
	if (reason == REASON_NONE)
		reason = entity_target(&p);

	FORGET(&p, reason);
	would = decide(&p, reason);
	if (explaining && foreseen)
		reason = foresee_end(&p, reason, &would);
	FORGET(&p, would);
	verdict = p.service && p.service->observe ? VERDICT_PASSED : would;
	report(&p, reason, verdict, would);
	if (verdict == VERDICT_REWRITTEN)
		rewrite(&p);
	return verdict == VERDICT_DROPPED ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
