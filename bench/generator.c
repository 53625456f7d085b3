// SPDX-License-Identifier: GPL-2.0-only
#include "generator.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "draw.skel.h"
#include "report.h"

/* A run tells whole nanoseconds a frame, cut off; the mean of several tells parts of one. */
enum { RUNS = 8, LOOPBACK = 1 };

struct generator {
	struct draw *bpf;
	struct draw_plan *plan;
	struct bpf_link *on_lo;
	struct traffic traffic; /* that is set */
	struct frame frame;
	__u64 sent[DRAW_WIRES];
};

struct generator *generator_open(void)
{
	struct generator *g = calloc(1, sizeof(*g));

	if (!g || !(g->bpf = draw__open_and_load())) {
		complain("draw.bpf.o: load: %s", strerror(errno));
		free(g);
		return NULL;
	}
	g->plan = &g->bpf->bss->plan;
	g->on_lo = bpf_program__attach_xdp(g->bpf->progs.draw, LOOPBACK);
	if (!g->on_lo) {
		complain("draw: attach to lo: %s", strerror(errno));
		generator_close(g);
		return NULL;
	}
	return g;
}

void generator_close(struct generator *g)
{
	if (!g)
		return;
	bpf_link__destroy(g->on_lo);
	draw__destroy(g->bpf);
	free(g);
}

/* ---- what is sent ---------------------------------------------------------------------------- */

static void plan_frame(struct draw_frame *d, const struct frame *f)
{
	d->ports_at = f->l4;
	d->tag_at = f->tag;
	d->csum_at = f->csum - f->l4 == 6 ? f->l4 : f->csum - 4;
	d->csum_shift = 8 * (f->csum - d->csum_at);
	d->sum = f->sum;
	d->sum_mask = f->sum_mask;
	memcpy(&d->ports, f->bytes + d->ports_at, 8);
	memcpy(&d->csum, f->bytes + d->csum_at, 8);
	memcpy(&d->tag, f->bytes + d->tag_at, 8);
}

/* The inverse of the distribution function at 4,097 points; rank R (from 1) has weight R^-S. */
static void plan_zipf(struct draw_plan *plan, double s)
{
	double all = 0, sum = 0;
	__u32 point = 0;

	for (__u32 r = 1; r <= plan->entities; r++)
		all += pow(r, -s);
	for (__u32 r = 1; r <= plan->entities; r++) {
		sum += pow(r, -s);
		while (point <= DRAW_POINTS && (double)point / DRAW_POINTS <= sum / all)
			plan->points[point++] = r - 1;
	}
	while (point <= DRAW_POINTS)
		plan->points[point++] = plan->entities - 1;
}

static __u32 share(double part)
{
	return part >= 1 ? 0xffffffff : part * 4294967296.0;
}

int generator_traffic(struct generator *g, const struct traffic *t)
{
	struct frame_spec spec = t->frame;
	struct frame invalid;

	g->plan->next = t->first;
	if (g->plan->ports && !memcmp(&g->traffic, t, sizeof(*t)))
		return 0;
	spec.invalid = true;
	if (frame_build(&g->frame, &t->frame) || frame_build(&invalid, &spec))
		return -1;
	g->traffic = *t;
	plan_frame(&g->plan->frame, &g->frame);
	plan_frame(&g->plan->invalid, &invalid);
	g->plan->entities = t->entities ?: 1;
	g->plan->pick = t->pick;
	g->plan->invalid_share = share(t->invalid);
	g->plan->unknown_share = share(t->unknown);
	g->plan->port = t->port ?: FRAME_SHARED_PORT;
	g->plan->ports = t->ports ?: 1;
	g->plan->numbered = t->numbered;
	g->plan->flow_each = t->flow_each;
	if (t->pick == DRAW_TABLE)
		plan_zipf(g->plan, t->zipf);
	return 0;
}

const struct frame *generator_frame(const struct generator *g)
{
	return &g->frame;
}

/* ---- calls and wires ------------------------------------------------------------------------- */

static int aim(struct generator *g, int fd)
{
	const __u32 zero = 0;

	if (!bpf_map_update_elem(bpf_map__fd(g->bpf->maps.target), &zero, &fd, BPF_ANY))
		return 0;
	return complain("program under test: tail call to it: %s", strerror(errno));
}

static int run(struct generator *g, struct bpf_test_run_opts *opts)
{
	const __u32 verdict = g->traffic.verdict ?: XDP_PASS;

	opts->data_in = g->frame.bytes;
	opts->data_size_in = g->frame.len;
	opts->flags = g->plan->live ? BPF_F_TEST_XDP_LIVE_FRAMES : 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(g->bpf->progs.draw), opts))
		return complain("draw: BPF_PROG_RUN: %s", strerror(errno));
	if (!g->plan->live && opts->retval != verdict &&
	    opts->retval != XDP_PASS) /* as a no-op says */
		return complain("program under test: verdict %u, not %u", opts->retval, verdict);
	return 0;
}

static int run_slice(struct generator *g, double *ns)
{
	const int frames = g->traffic.slice ?: SLICE_FRAMES;

	*ns = 0;
	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = frames / RUNS);

		if (run(g, &opts))
			return -1;
		*ns += (double)opts.duration / RUNS;
	}
	return 0;
}

int generator_time_call(struct generator *g, int fd, double *ns)
{
	return aim(g, fd) ? -1 : run_slice(g, ns);
}

const char *generator_check_call(struct generator *g, int fd, __u32 i, __u16 port)
{
	__u8 bytes[FRAME_MAX_LEN];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_out = bytes, .data_size_out = sizeof(bytes));
	const enum draw_entities pick = g->plan->pick;
	int ret;

	g->plan->pick = DRAW_ONE;
	g->plan->next = i;
	ret = aim(g, fd) || run(g, &opts);
	g->plan->pick = pick;
	if (ret)
		return "no frame";
	if (opts.retval != (g->traffic.verdict ?: XDP_PASS))
		return "another verdict";
	return frame_wrong(&g->frame, bytes, opts.data_size_out, i, port);
}

int generator_wire(struct generator *g, __u32 w, int ifindex)
{
	if (!bpf_map_update_elem(bpf_map__fd(g->bpf->maps.wires), &w, &ifindex, BPF_ANY))
		return 0;
	return complain("ifindex %d: redirect to it: %s", ifindex, strerror(errno));
}

int generator_time_send(struct generator *g, __u32 w, double *ns)
{
	int ret;

	g->plan->live = 1;
	g->plan->wire = w;
	ret = run_slice(g, ns);
	g->sent[w] += (g->traffic.slice ?: SLICE_FRAMES) / RUNS * RUNS;
	g->plan->live = 0;
	return ret;
}

int generator_send(struct generator *g, __u32 w, __u32 count)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = count);
	int ret;

	g->plan->live = 1;
	g->plan->wire = w;
	ret = run(g, &opts);
	g->plan->live = 0;
	return ret;
}

__u64 generator_sent(const struct generator *g, __u32 w)
{
	return g->sent[w];
}
