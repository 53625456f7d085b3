// SPDX-License-Identifier: GPL-2.0-only
/* Packets a second through veth: mangle beside a program that only passes, and beside what else
 * could do the work. Generator, wire, receiver and sink run on one CPU. */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"
#include "relay.h"
#include "report.h"
#include "sections.h"

enum { NOBODY = FRAME_SHARED_PORT - 1, ROUNDS = 41, ROUNDS_PEERS = 21 };
enum { RELAY_CPU = 0, RELAY_IDLE_NS = 20000000, RELAY_DEAD_NS = 2000000000 };

/* Services, on FRAME_SHARED_PORT and the ports behind it; peers have the first four. */
enum { SIZE_10, SIZE_100, SIZE_1000, SIZE_10000, SIZE_1M, SIZE_4M, SIZES, PEER_SIZES = SIZE_1M };
static const __u32 sizes[SIZES] = {10, 100, 1000, 10000, 1000000, 4000000};

static const struct peer {
	const char *id, *what;
	int (*start)(int wire, __u16 port, __u32 entities); /* NULL: a relay */
	enum lab_sink sink;
	bool flow_each; /* each entity has a flow, which is decided once and then known */
	double bar[PEER_SIZES];
	__u32 slice[PEER_SIZES]; /* frames; 0: the usual */
} peers[] = {
	{"tc", "tc clsact, the same stages", peer_tc, SINK_INGRESS, false, {0}, {0}},
	{"nft-ingress",
	 "nft netdev ingress map",
	 peer_nft_ingress,
	 SINK_INGRESS,
	 false,
	 {0, 0, 1.25, 1.3},
	 {0}},
	{"nft-redirect",
	 "nft redirect map",
	 peer_nft_redirect,
	 SINK_INPUT,
	 false,
	 {0, 0, 0, 2.0},
	 {0}},
	{"nft-flows",
	 "nft redirect map, known flows",
	 peer_nft_redirect,
	 SINK_INPUT,
	 true,
	 {0},
	 {0}},
	{"u32",
	 "iptables u32",
	 peer_iptables_u32,
	 SINK_INPUT,
	 false,
	 {0, 5, 0, 0},
	 {0, 16384, 2048, 128}},
	{"string",
	 "iptables string",
	 peer_iptables_string,
	 SINK_INPUT,
	 false,
	 {0, 7, 0, 0},
	 {0, 16384, 2048, 128}},
	{"relay",
	 "user-space relay, a CPU of its own",
	 NULL,
	 SINK_LOOP,
	 false,
	 {0, 0, 3.5, 0},
	 {0}},
};
enum { PEERS = sizeof(peers) / sizeof(*peers) };

/* One thing at work on one wire. */
struct entry {
	struct bench *b;
	int wire;
	const struct relay_progress *relay;
	__u64 gated; /* by the relay, before its sink was open */
	struct traffic traffic;
	struct side side;
};

/* From the first frame sent until the relay has nothing left to do; what its socket has no room for
 * is not counted. */
static int read_relay(const struct side *side, double *ns)
{
	const struct entry *e = side->bench;
	const __u64 sent = e->relay->sent, start = relay_now();
	double unused;

	if (generator_traffic(e->b->generator, side->traffic) ||
	    generator_time_send(e->b->generator, e->wire, &unused))
		return -1;
	while (relay_now() - start < RELAY_IDLE_NS ||
	       relay_now() - e->relay->last < RELAY_IDLE_NS ||
	       (e->relay->sent == sent && relay_now() - start < RELAY_DEAD_NS))
		usleep(500);
	if (e->relay->sent == sent)
		return complain("relay: sent nothing");
	*ns = (double)(e->relay->last - start) / (e->relay->sent - sent);
	return 0;
}

static void entry(struct entry *e, struct bench *b, const char *name, int wire, __u16 port,
		  int size)
{
	*e = (struct entry){.b = b, .wire = wire};
	e->traffic = (struct traffic){.port = port, .entities = sizes[size]};
	e->side = (struct side){name, read_send, b, wire, &e->traffic};
}

/* ---- beside a program that only passes ------------------------------------------------------- */

static int against_noop(struct bench *b, int noop, int drop, int mangle)
{
	static const struct {
		const char *id, *what;
		int size;
		__u16 port;
		double bar;
	} cases[] = {
		{"noop-1000", "no-op XDP_PASS, 1000 entities", SIZE_1000, 0, 0.90},
		{"noop-1000000", "no-op XDP_PASS, 1000000 entities", SIZE_1M, 0, 0.66},
		{"noop-4000000", "no-op XDP_PASS, 4000000 entities", SIZE_4M, 0, 0.58},
		{"noop-nobody", "no-op XDP_PASS, a port of no service", SIZE_1000, NOBODY, 0.96},
		{"drop-1000", "XDP_DROP, 1000 entities", SIZE_1000, 0, 0},
	};
	enum { CASES = sizeof(cases) / sizeof(*cases) };
	struct entry own[CASES], other[CASES];
	struct duel duels[CASES];
	struct outcome outcomes[CASES];

	for (int i = 0; i < CASES; i++) {
		const __u16 port = cases[i].port ?: FRAME_SHARED_PORT + cases[i].size;
		const bool dropped = cases[i].id[0] == 'd';

		entry(&own[i], b, "mangle", mangle, port, cases[i].size);
		/* At a port where the sink has as much to do as with mangle's. */
		entry(&other[i], b, dropped ? "drop" : "noop", dropped ? drop : noop,
		      cases[i].port ?: FRAME_FIRST_PORT, cases[i].size);
		duels[i] = (struct duel){
			cases[i].id,  cases[i].what,  cases[i].port ? 0 : sizes[cases[i].size],
			&own[i].side, &other[i].side, NULL,
			true,	      cases[i].bar};
	}
	if (rounds_run(duels, outcomes, CASES, ROUNDS))
		return -1;
	report_table(outcomes, CASES);
	rows_add(outcomes, CASES);
	return 0;
}

/* ---- beside peers ---------------------------------------------------------------------------- */

static int start_peer(struct bench *b, const struct peer *p, int size, struct entry *e)
{
	const __u16 port = FRAME_SHARED_PORT + size;
	char name[16];
	int wire;

	snprintf(name, sizeof(name), "%.8s-%u", p->id, sizes[size]);
	wire = lab_wire(name, p->sink);
	/* Without a program, or GRO, which costs more, veth takes no frames from the generator. */
	if (wire < 0 || setup_xdp(wire, b->noop))
		return -1;
	entry(e, b, p->id, wire, port, size);
	e->traffic.flow_each = p->flow_each;
	e->traffic.slice = p->slice[size];
	if (p->start)
		return p->start(wire, port, sizes[size]);
	e->relay = relay_start(lab_get(wire)->netns, port, sizes[size], RELAY_CPU);
	e->side.read = read_relay;
	e->side.bench = e;
	return e->relay ? 0 : -1;
}

/* Frames at the sinks: nothing lost or astray on any wire since the sinks were opened. */
static int check_arrivals(struct bench *b, const struct entry *entries, int n)
{
	for (int i = 0; i < n; i++) {
		const struct entry *e = &entries[i];
		__u64 sent = generator_sent(b->generator, e->wire), right, other;

		if (e->relay)
			sent = e->relay->sent - e->gated;
		if (lab_arrived(e->wire, &right, &other))
			return -1;
		if (right != sent || other)
			return complain(
				"%s: %llu frames sent, %llu arrived at entities' ports, %llu elsewhere",
				lab_get(e->wire)->netns, sent, right, other);
	}
	return 0;
}

static int against_peers(struct bench *b, int mangle, int mangle_input)
{
	enum { MOST = PEERS * PEER_SIZES };
	static struct entry own[2 * PEER_SIZES], others[MOST];
	static struct duel duels[MOST];
	static struct outcome outcomes[MOST];
	static char id[MOST][32], what[MOST][64];
	int n = 0;

	for (int size = 0; size < PEER_SIZES; size++) {
		entry(&own[2 * size], b, "mangle", mangle, FRAME_SHARED_PORT + size, size);
		entry(&own[2 * size + 1], b, "mangle, input sink", mangle_input,
		      FRAME_SHARED_PORT + size, size);
	}
	for (int i = 0; i < PEERS; i++) {
		for (int size = 0; size < PEER_SIZES; size++, n++) {
			const bool early = peers[i].sink == SINK_INGRESS;

			if (start_peer(b, &peers[i], size, &others[n]))
				return -1;
			snprintf(id[n], sizeof(id[n]), "%s-%u", peers[i].id, sizes[size]);
			snprintf(what[n], sizeof(what[n]), "%s, %u entities", peers[i].what,
				 sizes[size]);
			duels[n] = (struct duel){
				id[n],		 what[n], sizes[size], &own[2 * size + !early].side,
				&others[n].side, NULL,	  true,	       peers[i].bar[size]};
		}
	}
	if (setup_wires(b))
		return -1;
	/* The last ones first: flows that are to be known must not have been forgotten since. */
	for (int i = n - 1; i >= 0; i--) {
		if (gate_host(b, others[i].wire, &others[i].traffic,
			      others[i].relay ? GATE_RELAYED : GATE_STEERED) ||
		    lab_sink(others[i].wire))
			return -1;
		others[i].gated = others[i].relay ? others[i].relay->sent : 0;
	}
	if (rounds_run(duels, outcomes, n, ROUNDS_PEERS) || check_arrivals(b, others, n))
		return -1;
	report_table(outcomes, n);
	rows_add(outcomes, n);
	return 0;
}

/* The same for wires over which frames of no service went too. */
static int check_none_lost(struct bench *b, int wire)
{
	const __u64 sent = generator_sent(b->generator, wire);
	__u64 right, other;

	if (lab_arrived(wire, &right, &other))
		return -1;
	if (right + other != sent)
		return complain("%s: %llu frames sent, %llu arrived", lab_get(wire)->netns, sent,
				right + other);
	return 0;
}

int section_wires(struct bench *b)
{
	static struct setup_service services[SIZES];
	static char name[SIZES][16];
	struct traffic traffic = {0};
	int noop = lab_wire("noop", SINK_INGRESS), drop = lab_wire("drop", SINK_INGRESS);
	int mangle[2];

	mangle[0] = lab_wire("mangle", SINK_INGRESS);
	mangle[1] = lab_wire("mangle-in", SINK_INPUT);
	if (noop < 0 || drop < 0 || mangle[0] < 0 || mangle[1] < 0)
		return -1;
	for (int i = 0; i < SIZES; i++) {
		snprintf(name[i], sizeof(name[i]), "%u", sizes[i]);
		services[i] = (struct setup_service){name[i], name[i], FRAME_SHARED_PORT + i, NULL,
						     NULL};
		if (setup_table(name[i], sizes[i], "16:64"))
			return -1;
	}
	if (setup_config(services, SIZES) || setup_reference(b, 1, FRAME_SHARED_PORT) < 0)
		return -1;
	b->mangle = lab_attach(mangle, 2, BENCH_YAML);
	if (b->mangle < 0 || setup_xdp(noop, b->noop) || setup_xdp(drop, b->drop) ||
	    setup_generator(b))
		return -1;
	for (int i = 0; i < SIZES; i++) {
		traffic.port = FRAME_SHARED_PORT + i;
		traffic.entities = sizes[i];
		if (gate_host(b, noop, &traffic, GATE_AS_SENT) ||
		    gate_host(b, mangle[0], &traffic, GATE_STEERED) ||
		    gate_host(b, mangle[1], &traffic, GATE_STEERED))
			return -1;
	}
	if (lab_sink(noop) || lab_sink(mangle[0]) || lab_sink(mangle[1]))
		return -1;
	if (against_noop(b, noop, drop, mangle[0]) || against_peers(b, mangle[0], mangle[1]) ||
	    check_none_lost(b, noop) || check_none_lost(b, mangle[0]) ||
	    check_none_lost(b, mangle[1]))
		return -1;
	return 0;
}
