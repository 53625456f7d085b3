/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a packet got its verdict. Each row is a reason: name in capitals, name as printed, what it
 * means. The enum, the strings and the counters come from here; tools/check-docs compares the
 * manual's table with it. New rows go to the end: a row's position is its index in the pinned
 * counters.
 */
#ifndef MANGLE_REASONS_H
#define MANGLE_REASONS_H

#define MANGLE_REASONS(X) \
	X(NOT_IP, not_ip, "neither IPv4 nor IPv6 behind at most two VLAN tags") \
	X(MALFORMED_IP, malformed_ip, \
	  "an IP header or extension header that is invalid or does not fit") \
	X(LATER_FRAGMENT, later_fragment, "a fragment that is not the first: it carries no ports") \
	X(NOT_UDP_TCP, not_udp_tcp, "neither UDP nor TCP, or more than 8 IPv6 extension headers") \
	X(ROUTING_HEADER, routing_header, "an IPv6 routing header with segments left") \
	X(TCP_FRAGMENT, tcp_fragment, "the first fragment of a TCP segment") \
	X(MALFORMED_L4, malformed_l4, "a UDP or TCP header that is invalid or does not fit") \
	X(NO_SERVICE, no_service, "no service matches") \
	X(NO_PAYLOAD, no_payload, "a TCP segment without payload") \
	X(TOO_SHORT, too_short, "payload shorter than size.min of the service or entity") \
	X(TOO_LONG, too_long, "payload longer than size.max of the service or entity") \
	X(NO_TAG, no_tag, "the payload ends before the tag does") \
	X(UNKNOWN_TAG, unknown_tag, "the tag is not in the table") \
	X(ENTITY_DROP, entity_drop, "the entity's target is drop") \
	X(ENTITY_PASS, entity_pass, "the entity's target is pass") \
	X(REWRITTEN, rewritten, "the entity's port was given") \
	X(TCP_COOKIE, tcp_cookie, "a SYN that was answered with a cookie") \
	X(TCP_HANDSHAKE, tcp_handshake, \
	  "a TCP segment before the first data: a bare ACK, a RST, or one out of order") \
	X(TCP_RESET, tcp_reset, "a TCP segment that was answered with a RST") \
	X(TCP_BOUND, tcp_bound, "the first data of a TCP connection: the entity's port was given") \
	X(TCP_FLOW, tcp_flow, "a later segment of a bound TCP connection") \
	X(WRITE_FAILED, write_failed, "the kernel refused to write the new port, or an answer")

enum mangle_reason {
#define MANGLE_REASON_ENUM(upper, lower, meaning) REASON_##upper,
	MANGLE_REASONS(MANGLE_REASON_ENUM)
#undef MANGLE_REASON_ENUM
		MANGLE_REASON_COUNT,
	REASON_NONE = 0xff, /* no stage has decided yet */
};

/* What happened to the packet. The order is that of the pinned counters. */
#define MANGLE_VERDICTS(X) \
	X(REWRITTEN, rewritten) \
	X(PASSED, passed) \
	X(DROPPED, dropped) \
	X(ANSWERED, answered)

enum mangle_verdict {
#define MANGLE_VERDICT_ENUM(upper, lower) VERDICT_##upper,
	MANGLE_VERDICTS(MANGLE_VERDICT_ENUM)
#undef MANGLE_VERDICT_ENUM
		MANGLE_VERDICT_COUNT,
};

#endif
