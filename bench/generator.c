// SPDX-License-Identifier: GPL-2.0-only
#include "generator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "draw.skel.h"
#include "report.h"

/* A run tells whole nanoseconds a frame, cut off; the mean of several tells parts of one. */
enum { RUNS = 8, LOOPBACK = 1 };

struct generator {
	struct draw *bpf;
	struct bpf_link *on_lo;
	__u8 frame[FRAME_LEN];
	__u64 sent[GENERATOR_WIRES];
};

struct generator *generator_open(__u32 entities)
{
	struct generator *g = calloc(1, sizeof(*g));
	__u16 check;

	if (!g || !(g->bpf = draw__open_and_load())) {
		complain("draw.bpf.o: load: %s", strerror(errno));
		free(g);
		return NULL;
	}
	g->on_lo = bpf_program__attach_xdp(g->bpf->progs.draw, LOOPBACK);
	if (!g->on_lo) {
		complain("draw: attach to lo: %s", strerror(errno));
		generator_close(g);
		return NULL;
	}
	frame_build(g->frame);
	memcpy(&g->bpf->bss->udp_header, g->frame + FRAME_UDP, 6);
	memcpy(&g->bpf->bss->head, g->frame + FRAME_TAG, 8);
	memcpy(&check, g->frame + FRAME_UDP + 6, sizeof(check));
	g->bpf->bss->sum = (__u16)~check;
	g->bpf->data->entities = entities;
	generator_port(g, FRAME_SHARED_PORT);
	return g;
}

void generator_port(struct generator *g, __u16 port)
{
	g->bpf->bss->port_be = htons(port);
}

__u64 generator_sent(const struct generator *g, __u32 w)
{
	return g->sent[w];
}

void generator_close(struct generator *g)
{
	if (!g)
		return;
	bpf_link__destroy(g->on_lo);
	draw__destroy(g->bpf);
	free(g);
}

static int aim(struct generator *g, int fd)
{
	const __u32 zero = 0;

	if (!bpf_map_update_elem(bpf_map__fd(g->bpf->maps.target), &zero, &fd, BPF_ANY))
		return 0;
	return complain("program under test: tail call to it: %s", strerror(errno));
}

static int run(struct generator *g, struct bpf_test_run_opts *opts)
{
	opts->data_in = g->frame;
	opts->data_size_in = FRAME_LEN;
	opts->flags = g->bpf->bss->live ? BPF_F_TEST_XDP_LIVE_FRAMES : 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(g->bpf->progs.draw), opts))
		return complain("draw: BPF_PROG_RUN: %s", strerror(errno));
	if (g->bpf->bss->live)
		g->sent[g->bpf->bss->wire] += opts->repeat;
	else if (opts->retval != XDP_PASS)
		return complain("program under test: verdict %u, not XDP_PASS", opts->retval);
	return 0;
}

static int run_slice(struct generator *g, double *ns)
{
	*ns = 0;
	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = SLICE_FRAMES / RUNS);

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

int generator_call_once(struct generator *g, int fd, __u32 i, __u8 frame[FRAME_LEN])
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_out = frame, .data_size_out = FRAME_LEN);
	int ret;

	g->bpf->bss->walk = 1;
	g->bpf->bss->next = i;
	ret = aim(g, fd) || run(g, &opts);
	g->bpf->bss->walk = 0;
	return ret ? -1 : (int)opts.data_size_out;
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

	g->bpf->bss->live = 1;
	g->bpf->bss->wire = w;
	ret = run_slice(g, ns);
	g->bpf->bss->live = 0;
	return ret;
}

int generator_send(struct generator *g, __u32 w, __u32 first, __u32 count)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = count);
	int ret;

	g->bpf->bss->live = g->bpf->bss->walk = 1;
	g->bpf->bss->wire = w;
	g->bpf->bss->next = first;
	ret = run(g, &opts);
	g->bpf->bss->live = g->bpf->bss->walk = 0;
	return ret;
}
