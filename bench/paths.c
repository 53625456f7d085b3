// SPDX-License-Identifier: GPL-2.0-only
/* What each way through the program costs over a program that only passes. */
#include "report.h"
#include "sections.h"

enum { ROUNDS = 61, ENTITIES = 1000, JUMBO = 9000, JUMBO_TAG = 8000 };
enum { PLAIN = FRAME_SHARED_PORT, MATCH, SEGMENT, FAR, NOBODY };

#define BASE .entities = ENTITIES

static const struct path {
	const char *id, *what, *reason; /* reason: which all of it is counted as */
	struct traffic traffic;
} paths[] = {
	{"not-ip",
	 "neither IPv4 nor IPv6",
	 "not_ip",
	 {BASE, .port = PLAIN, .frame.ethertype = 0x88b5}},
	{"no-service", "a port of no service", "no_service", {BASE, .port = NOBODY}},
	{"rewritten", "rewritten, IPv4, UDP", "rewritten", {BASE, .port = PLAIN}},
	{"unknown",
	 "unknown tag, dropped",
	 "unknown_tag",
	 {BASE, .port = PLAIN, .unknown = 1, .verdict = XDP_DROP}},
	{"too-short",
	 "payload too short, dropped",
	 "too_short",
	 {BASE, .port = PLAIN, .invalid = 1, .verdict = XDP_DROP}},
	{"ipv6",
	 "rewritten, IPv6",
	 "rewritten",
	 {BASE, .port = PLAIN, .frame = {.family = 6, .len = 80}}},
	{"vlan",
	 "rewritten, one VLAN tag",
	 "rewritten",
	 {BASE, .port = PLAIN, .frame = {.vlans = 1, .len = 64}}},
	{"qinq",
	 "rewritten, two VLAN tags",
	 "rewritten",
	 {BASE, .port = PLAIN, .frame = {.vlans = 2, .len = 68}}},
	{"tcp",
	 "rewritten, TCP segment",
	 "rewritten",
	 {BASE, .port = SEGMENT, .frame = {.tcp = true, .len = 74}}},
	{"match",
	 "rewritten, service found by prefixes and interface",
	 "rewritten",
	 {BASE, .port = MATCH}},
	{"jumbo",
	 "rewritten, jumbo frame, tag in a later part",
	 "rewritten",
	 {BASE, .port = FAR, .frame = {.len = JUMBO, .tag_offset = JUMBO_TAG}}},
};
enum { PATHS = sizeof(paths) / sizeof(*paths) };

static int set_up(struct bench *b)
{
	static const struct setup_service services[] = {
		{"plain", "paths", PLAIN, NULL, NULL},
		{"match", "paths", MATCH, SETUP_MATCH, NULL},
		{"segment", "paths", SEGMENT, SETUP_TAG "    tcp: segment\n", "tcp"},
		{"far", "far", FAR,
		 "    tag: { offset: 8000, length: 4 }\n    size: { min: 16, max: 9000 }\n", NULL},
	};
	const int wire = lab_wire("mangle", SINK_INGRESS);

	if (wire < 0 ||
	    lab_sh("ip -n %s link set %s mtu 9000 && ip -n %s link set %s mtu 9000", lab_tx_netns,
		   lab_get(wire)->name, lab_get(wire)->netns, lab_rx_name) ||
	    setup_table("paths", ENTITIES, "16:1400") || setup_table("far", ENTITIES, "16:9000") ||
	    setup_config(services, sizeof(services) / sizeof(*services)) ||
	    setup_reference(b, 1, PLAIN) < 0)
		return -1;
	b->mangle = lab_attach(&wire, 1, BENCH_YAML);
	return b->mangle < 0 ? -1 : setup_generator(b);
}

int section_paths(struct bench *b)
{
	static struct side own[PATHS], noop[PATHS];
	static struct duel duels[PATHS];
	static struct outcome outcomes[PATHS];

	if (set_up(b))
		return -1;
	for (int i = 0; i < PATHS; i++) {
		const struct path *p = &paths[i];

		own[i] = (struct side){"mangle", read_call, b, b->mangle, &p->traffic};
		noop[i] = (struct side){"noop", read_call, b, b->noop, &p->traffic};
		duels[i] = (struct duel){p->id, p->what, 0, &own[i], &noop[i], NULL, false, 0};
		if ((p->traffic.verdict != XDP_DROP && p->reason[0] == 'r' &&
		     gate_call(b, p->id, b->mangle, &p->traffic)) ||
		    gate_reason(b, &p->traffic, p->reason))
			return -1;
	}
	if (rounds_run(duels, outcomes, PATHS, ROUNDS))
		return -1;
	report_table(outcomes, PATHS);
	rows_add(outcomes, PATHS);
	return 0;
}
