/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What XDP cannot do, at tc's hooks: TCP connections, which the XDP program hands on, and what
 * leaves the host again.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "pkt_skb.h"
#include "pkt.h"
#include "parse.h"
#include "service.h"
#include "tcp_states.h"
#include "tcp_observe.h"
#include "tcp_act.h"
#include "tcp_gso.h"
#include "reply.h"

SEC("tc")
int tc_in(struct __sk_buff *skb)
{
	struct tcp_context *c = tcp_context_new();
	enum mangle_reason reason;
	bool known, observe;
	struct pkt p;

	if (!c || !restore_ethernet(skb))
		return TC_ACT_UNSPEC;
	pkt_init(&p, skb);
	reason = parse(&p);
	if (reason == REASON_NOT_UDP_TCP && !p.fragment)
		quote_from_client(skb, QUOTE_POSITION(&p));
	if (reason != REASON_NONE || p.proto != MANGLE_PROTO_TCP)
		return TC_ACT_UNSPEC;
	reason = find_service(&p);
	if (reason == REASON_NO_SERVICE) {
		direct_in(&p);
		return TC_ACT_UNSPEC;
	}
	if (reason != REASON_NONE || !is_connection(&p))
		return TC_ACT_UNSPEC; /* XDP's */
	use_first_segment(&p);
	measure_segments(&p, c);
	known = read_flow(&p, c);
	observe = p.service->observe && !is_bound(c);
	reason = !known ? leave(&p, c) : observe ? observe_segment(&p, c) : decide_segment(&p, c);
	verifier_forget(&p, reason);
	if (!observe)
		reason = tcp_write(&p, c, reason);
	report_segments(&p, c, reason, observe);
	if (observe)
		return TC_ACT_UNSPEC;
	switch (c->step) {
	case STEP_COOKIE:
	case STEP_RESET: return bpf_redirect(skb->ifindex, 0);
	case STEP_DROP: return TC_ACT_SHOT;
	default: return TC_ACT_UNSPEC;
	}
}

SEC("tc")
int tc_out(struct __sk_buff *skb)
{
	struct pkt p;
	enum mangle_reason reason;

	pkt_init(&p, skb);
	reason = parse(&p);
	if (reason == REASON_NOT_UDP_TCP && !p.fragment)
		quote_to_client(skb, QUOTE_POSITION(&p));
	else if (reason == REASON_NONE)
		return reply(&p);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
