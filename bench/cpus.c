// SPDX-License-Identifier: GPL-2.0-only
/* Two CPUs at once: what one does takes how much longer beside another that does the same? */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "report.h"
#include "sections.h"

enum { ROUNDS = 31, RIVAL_CPU = 0, CASES = 5 };

/* The other CPU's process: reads a case's side in a loop while told to go. */
struct rival {
	_Atomic int go; /* number of the case, from 1 on; 0: rest */
	_Atomic int busy;
	_Atomic __u64 slices;
};

struct case_ {
	const char *id, *what;
	struct traffic traffic;
	struct side alone; /* what the rival does too, with a generator of its own */
	struct side beside;
	int rival_what;
	int number;
	struct rival *rival;
};

/* With the rival at work from before the slice to behind it. */
static int read_beside(const struct side *side, double *ns)
{
	const struct case_ *c = side->bench;
	struct rival *r = c->rival;
	const __u64 before = r->slices;
	int ret;

	r->go = c->number;
	while (r->slices == before && r->busy >= 0)
		usleep(50);
	ret = c->alone.read(&c->alone, ns);
	r->go = 0;
	while (r->busy > 0)
		usleep(50);
	return r->busy < 0 ? complain("the other CPU's process has failed") : ret;
}

static void rival_work(struct rival *r, const struct case_ *cases, struct bench *b)
{
	double ns;

	for (;;) {
		const int go = r->go;

		r->busy = go;
		if (go) {
			struct side side = cases[go - 1].alone;

			side.bench = b;
			side.what = cases[go - 1].rival_what;
			if (side.read(&side, &ns))
				break;
			r->slices++;
		} else {
			usleep(50);
		}
	}
	r->busy = -1;
	_exit(1);
}

/* Its generator sits on the lo of a namespace of its own: a device has room for one. */
static int rival_start(struct rival *r, const struct case_ *cases)
{
	struct bench b = {0};
	pid_t child = fork();

	if (child)
		return child < 0 ? complain("fork: %s", strerror(errno)) : 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (lab_pin(RIVAL_CPU) || unshare(CLONE_NEWNET) || !(b.generator = generator_open()) ||
	    setup_wires(&b)) {
		r->busy = -1;
		_exit(1);
	}
	rival_work(r, cases, &b);
	return 0;
}

int section_cpus(struct bench *b)
{
	static const struct setup_service services[] = {
		{"small", "small", FRAME_SHARED_PORT, NULL, NULL},
		{"large", "large", FRAME_SHARED_PORT + 1, NULL, NULL},
	};
	static struct case_ cases[CASES] = {
		{.id = "one",
		 .what = "one hot entity, two CPUs at once",
		 .traffic = {.port = FRAME_SHARED_PORT, .entities = 1000, .pick = DRAW_ONE}},
		{.id = "random",
		 .what = "1000 entities at random, two CPUs",
		 .traffic = {.port = FRAME_SHARED_PORT, .entities = 1000}},
		{.id = "random-1000000",
		 .what = "1000000 entities at random, two CPUs",
		 .traffic = {.port = FRAME_SHARED_PORT + 1, .entities = 1000000}},
		{.id = "noop",
		 .what = "no-op, two CPUs",
		 .traffic = {.port = FRAME_SHARED_PORT, .entities = 1000}},
		{.id = "wire",
		 .what = "whole path, 1000 entities, two CPUs",
		 .traffic = {.port = FRAME_SHARED_PORT, .entities = 1000}},
	};
	struct rival *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);
	struct duel duels[CASES];
	struct outcome outcomes[CASES];
	int wires[2] = {lab_wire("mangle", SINK_INGRESS), lab_wire("mangle-2", SINK_INGRESS)};

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return complain("cpus: this machine has one CPU");
	if (r == MAP_FAILED || wires[0] < 0 || wires[1] < 0 ||
	    setup_table("small", 1000, "16:64") || setup_table("large", 1000000, "16:64") ||
	    setup_config(services, 2) || setup_reference(b, 1, FRAME_SHARED_PORT) < 0)
		return -1;
	b->mangle = lab_attach(wires, 2, BENCH_YAML);
	if (b->mangle < 0 || setup_generator(b) ||
	    gate_host(b, wires[0], &cases[1].traffic, GATE_STEERED) ||
	    gate_host(b, wires[1], &cases[1].traffic, GATE_STEERED) || lab_sink(wires[0]) ||
	    lab_sink(wires[1]))
		return -1;
	for (int i = 0; i < CASES; i++) {
		struct case_ *c = &cases[i];
		const bool wire = !strcmp(c->id, "wire");
		const int fd = !strcmp(c->id, "noop") ? b->noop : b->mangle;

		c->rival = r;
		c->number = i + 1;
		c->rival_what = wire ? wires[1] : fd;
		c->alone = (struct side){"alone", wire ? read_send : read_call, b,
					 wire ? wires[0] : fd, &c->traffic};
		c->beside = (struct side){"two at once", read_beside, c, 0, &c->traffic};
		duels[i] = (struct duel){c->id,	    c->what, 0,	    &c->beside,
					 &c->alone, NULL,    false, i ? 0 : 1.4};
	}
	if (rival_start(r, cases) || rounds_run(duels, outcomes, CASES, ROUNDS))
		return -1;
	report_table(outcomes, CASES);
	rows_add(outcomes, CASES);
	return 0;
}
