// SPDX-License-Identifier: GPL-2.0-only
/* make bench-quick: what mangle costs at 1,000 entities, as ratios within one run. */
#include "report.h"
#include "sections.h"

enum { ENTITIES = 1000, ROUNDS = 101, EXIT_NOISY = 77 };

static const struct traffic plain = {.port = FRAME_SHARED_PORT, .entities = ENTITIES},
			    match = {.port = FRAME_SHARED_PORT + 1, .entities = ENTITIES};
/* Where the sink has as much to do with them as with mangle's. */
static const struct traffic at_port = {.port = FRAME_FIRST_PORT, .entities = ENTITIES};

/* What was sent has all arrived, and mangle had a port for each frame of its wire since BEFORE. */
static int check_counts(struct bench *b, int noop, int mangle, __u64 before)
{
	const __u64 noop_sent = generator_sent(b->generator, noop);
	const __u64 sent = generator_sent(b->generator, mangle);
	__u64 right, other, after;

	if (lab_arrived(noop, &right, &other))
		return -1;
	if (right != noop_sent || other)
		return complain("no-op: %llu frames sent, %llu arrived", noop_sent, right);
	if (lab_arrived(mangle, &right, &other))
		return -1;
	if (right != sent || other)
		return complain("mangle: %llu frames sent, %llu arrived at their ports, %llu not",
				sent, right, other);
	if (lab_enter(NULL) || lab_reason("rewritten", &after) || lab_enter(lab_tx_netns))
		return -1;
	if (after - before != sent)
		return complain("mangle: %llu frames sent, %llu counted as rewritten", sent,
				after - before);
	return 0;
}

static int set_up(struct bench *b, int *reference, int *noop, int *mangle)
{
	/* The second service is found by prefixes and interface besides. */
	static const struct setup_service services[] = {
		{"plain", "quick", FRAME_SHARED_PORT, NULL, NULL},
		{"match", "quick", FRAME_SHARED_PORT + 1, SETUP_MATCH, NULL},
	};

	*noop = lab_wire("noop", SINK_INGRESS);
	*mangle = lab_wire("mangle", SINK_INGRESS);
	if (*noop < 0 || *mangle < 0 || setup_table("quick", ENTITIES, "16:64") ||
	    setup_config(services, 2))
		return -1;
	b->mangle = lab_attach(mangle, 1, BENCH_YAML);
	*reference = setup_reference(b, ENTITIES, FRAME_SHARED_PORT);
	if (b->mangle < 0 || *reference < 0 || setup_xdp(*noop, b->noop) || setup_generator(b))
		return -1;
	return 0;
}

int section_quick(struct bench *b)
{
	int reference, noop, mangle, status = 0;
	__u64 before;

	if (set_up(b, &reference, &noop, &mangle))
		return -1;

	const struct side floor = {"noop", read_call, b, b->noop, &plain};
	const struct side hash = {"hash", read_call, b, reference, &plain};
	const struct side own = {"mangle", read_call, b, b->mangle, &plain};
	const struct side own_match = {"mangle", read_call, b, b->mangle, &match};
	const struct side wire_noop = {"noop", read_send, b, noop, &at_port};
	const struct side wire_own = {"mangle", read_send, b, mangle, &plain};
	const struct duel duels[] = {
		{"hash", "program, against a bare hash", 0, &own, &hash, &floor, false, 1.40},
		{"match", "the same, prefixes, interface", 0, &own_match, &hash, &floor, false, 0},
		{"wire", "whole path, against a no-op", 0, &wire_own, &wire_noop, NULL, true, 0.88},
	};
	enum { DUELS = sizeof(duels) / sizeof(*duels) };
	struct outcome outcomes[DUELS];

	if (gate_call(b, "reference", reference, &plain) ||
	    gate_call(b, "mangle", b->mangle, &plain) ||
	    gate_call(b, "mangle", b->mangle, &match) || rounds_run(duels, outcomes, 2, ROUNDS) ||
	    gate_host(b, noop, &at_port, GATE_AS_SENT) ||
	    gate_host(b, mangle, &plain, GATE_STEERED) ||
	    gate_host(b, mangle, &match, GATE_STEERED) || lab_sink(noop) || lab_sink(mangle) ||
	    lab_enter(NULL) || lab_reason("rewritten", &before) || lab_enter(lab_tx_netns) ||
	    rounds_run(duels + 2, outcomes + 2, 1, ROUNDS) ||
	    check_counts(b, noop, mangle, before) ||
	    report(outcomes, DUELS, BENCH_DIR "quick.json"))
		return -1;
	for (int i = 0; i < DUELS; i++) {
		if (outcomes[i].verdict == VERDICT_MISSED)
			status = 1;
		else if (outcomes[i].verdict == VERDICT_NOISY && !status)
			status = EXIT_NOISY;
	}
	return status;
}
