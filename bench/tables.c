// SPDX-License-Identifier: GPL-2.0-only
/* What a packet costs with more entities, and with more services, beside a bare hash. */
#include <stdlib.h>

#include "report.h"
#include "sections.h"

enum { ROUNDS = 61, SIZES = 8 };

static const __u32 sizes[SIZES] = {1, 10, 100, 1000, 10000, 100000, 1000000, 4000000};

int section_tables(struct bench *b)
{
	enum { DUELS = SIZES + 2 };
	static struct setup_service services[SIZES];
	static struct traffic traffic[DUELS];
	static struct side own[DUELS], hash[DUELS], noop[DUELS];
	static struct duel duels[DUELS];
	static struct outcome outcomes[DUELS];
	static char name[DUELS][16], what[DUELS][64];
	const int wire = lab_wire("mangle", SINK_INGRESS);
	int reference[SIZES];

	if (wire < 0)
		return -1;
	for (int i = 0; i < SIZES; i++) {
		snprintf(name[i], sizeof(name[i]), "%u", sizes[i]);
		snprintf(what[i], sizeof(what[i]), "%u entities, drawn at random", sizes[i]);
		services[i] = (struct setup_service){name[i], name[i], FRAME_SHARED_PORT + i, NULL,
						     NULL};
		traffic[i] = (struct traffic){.port = FRAME_SHARED_PORT + i, .entities = sizes[i]};
		reference[i] = setup_reference(b, sizes[i], FRAME_SHARED_PORT + i);
		if (reference[i] < 0 || setup_table(name[i], sizes[i], "16:64"))
			return -1;
		duels[i] = (struct duel){
			name[i],  what[i],
			sizes[i], &own[i],
			&hash[i], &noop[i],
			false,	  sizes[i] == 1000 ? 1.25 : sizes[i] == 1000000 ? 0.6 : 0};
	}
	/* The million once more, as traffic often is, and all of one entity. */
	traffic[SIZES] = traffic[SIZES + 1] = traffic[6];
	traffic[SIZES].pick = DRAW_TABLE;
	traffic[SIZES].zipf = 1;
	traffic[SIZES + 1].pick = DRAW_ONE;
	traffic[SIZES + 1].first = 777;
	duels[SIZES] = (struct duel){"zipf",
				     "1000000 entities, Zipf, exponent 1",
				     0,
				     &own[SIZES],
				     &hash[SIZES],
				     &noop[SIZES],
				     false,
				     0};
	duels[SIZES + 1] = (struct duel){"one",
					 "1000000 entities, always the same one",
					 0,
					 &own[SIZES + 1],
					 &hash[SIZES + 1],
					 &noop[SIZES + 1],
					 false,
					 0};
	if (setup_config(services, SIZES))
		return -1;
	b->mangle = lab_attach(&wire, 1, BENCH_YAML);
	if (b->mangle < 0 || setup_generator(b))
		return -1;
	for (int i = 0; i < DUELS; i++) {
		const int size = i < SIZES ? i : 6;

		own[i] = (struct side){"mangle", read_call, b, b->mangle, &traffic[i]};
		hash[i] = (struct side){"hash", read_call, b, reference[size], &traffic[i]};
		noop[i] = (struct side){"noop", read_call, b, b->noop, &traffic[i]};
		if (i < SIZES && (gate_call(b, "reference", reference[i], &traffic[i]) ||
				  gate_call(b, "mangle", b->mangle, &traffic[i])))
			return -1;
		if (gate_reason(b, &traffic[i], "rewritten"))
			return -1;
	}
	if (rounds_run(duels, outcomes, DUELS, ROUNDS))
		return -1;
	report_table(outcomes, DUELS);
	rows_add(outcomes, DUELS);
	return 0;
}

/* Of N services each on a port of its own, every packet goes to any. */
static int with_services(struct bench *b, int wire, int reference, int n)
{
	static struct setup_service services[MAX_SERVICES];
	static char names[MAX_SERVICES][16], id[16], what[64];
	const struct traffic all = {.port = FRAME_SHARED_PORT, .ports = n, .entities = 100};
	const struct traffic first = {.port = FRAME_SHARED_PORT, .entities = 100};
	const struct side hash = {"hash", read_call, b, reference, &first};
	const struct side noop = {"noop", read_call, b, b->noop, &all};
	struct side own = {"mangle", read_call, b, 0, &all};
	const struct duel duel = {id, what, n, &own, &hash, &noop, false, 0};
	struct outcome outcome;

	for (int i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "service-%d", i);
		services[i] = (struct setup_service){names[i], "services", FRAME_SHARED_PORT + i,
						     NULL, NULL};
	}
	snprintf(id, sizeof(id), "%d", n);
	snprintf(what, sizeof(what), "%d services of 100 entities, at random", n);
	if (setup_config(services, n) || lab_enter(NULL))
		return -1;
	if (!b->mangle)
		b->mangle = lab_attach(&wire, 1, BENCH_YAML);
	else if (lab_ctl(NULL, 0, "--quiet apply " BENCH_YAML))
		return -1;
	own.what = b->mangle;
	if (b->mangle < 0 || lab_enter(lab_tx_netns) || gate_call(b, "mangle", b->mangle, &first) ||
	    gate_reason(b, &all, "rewritten") || rounds_run(&duel, &outcome, 1, ROUNDS))
		return -1;
	report_table(&outcome, 1);
	rows_add(&outcome, 1);
	return 0;
}

int section_services(struct bench *b)
{
	static const int counts[] = {1, 4, 16, 64, 256, 1024};
	const int wire = lab_wire("mangle", SINK_INGRESS);
	const int reference = setup_reference(b, 100, FRAME_SHARED_PORT);

	if (wire < 0 || reference < 0 || setup_table("services", 100, "16:64") ||
	    setup_generator(b))
		return -1;
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		if (with_services(b, wire, reference, counts[i]))
			return -1;
	}
	return 0;
}
