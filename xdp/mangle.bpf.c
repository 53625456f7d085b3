/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet's way, from top to bottom. A stage returns the reason that settles what happens to the
 * packet, or REASON_NONE to go on. First everything is decided, then the packet is written, then it
 * is counted.
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
#include "judge.h"
#include "explain.h"
#include "tcp_explain.h"
#include "rewrite.h"
#include "report.h"

/*
 * explaining (a constant): nothing is counted, and what would become of the packet is written down.
 * That is a program of its own, because whatever it alone asks for would cost the other one
 * instructions for every packet: the compiler would have to keep it at hand.
 */
static __always_inline int handle(struct xdp_md *ctx, bool explaining)
{
	enum mangle_verdict verdict, would;
	enum mangle_reason reason;
	bool explains_tcp = false;
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
		reason = explain_tcp(&p);
		explains_tcp = true;
	}
	reason = judge(&p, reason, &would);
	if (explains_tcp)
		reason = explain_first_data(&p, reason, &would);

	verifier_forget(&p, reason);
	verifier_forget(&p, would);
	if (explaining)
		forget_explained(&p);
	verdict = p.service && p.service->observe ? VERDICT_PASSED : would;
	if (verdict == VERDICT_REWRITTEN && rewrite(&p)) {
		reason = REASON_WRITE_FAILED;
		verdict = would = VERDICT_PASSED;
	}
	if (explaining)
		write_explained(&p, reason, verdict, would);
	else
		report(&p, reason, verdict, would, 1, p.frame_len);
	switch (verdict) {
	case VERDICT_DROPPED: return XDP_DROP;
	default: return XDP_PASS;
	}
}

SEC("xdp")
int mangle(struct xdp_md *ctx)
{
	return handle(ctx, false);
}

SEC("xdp")
int explain(struct xdp_md *ctx)
{
	return handle(ctx, true);
}

char LICENSE[] SEC("license") = "GPL";
