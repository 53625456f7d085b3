/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many instructions the verifier processes for each program on the running kernel, by its own
 * statistics: a program that nears the kernel's limit of 1,000,000 does not load on the next one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "../../ctl/kernel/probe.h"
#include "gateway.skel.h"
#include "insns.h"
#include "mangle.skel.h"
#include "tc.skel.h"

#define LOG_STATS 4 /* BPF_LOG_STATS, which no header for programs has */

static struct bpf_object *open_mangle(void)
{
	struct mangle_bpf *skel = mangle_bpf__open();

	if (!skel)
		return NULL;
	skel->rodata->have_load_bytes = prog_probe()->load_bytes;
	return skel->obj;
}

static struct bpf_object *open_without_helpers(void)
{
	struct mangle_bpf *skel = mangle_bpf__open();

	return skel ? skel->obj : NULL;
}

static struct bpf_object *open_gated(void)
{
	struct mangle_bpf *skel = mangle_bpf__open();

	if (!skel)
		return NULL;
	skel->rodata->have_load_bytes = prog_probe()->load_bytes;
	skel->rodata->gated = true;
	return skel->obj;
}

static struct bpf_object *open_gateway(void)
{
	struct gateway_bpf *skel = gateway_bpf__open();

	if (!skel)
		return NULL;
	skel->rodata->have_load_bytes = prog_probe()->load_bytes;
	return skel->obj;
}

static struct bpf_object *open_tc(void)
{
	struct tc_bpf *skel = tc_bpf__open();

	return skel ? skel->obj : NULL;
}

static bool always(void)
{
	return true;
}

static bool has_conntrack(void)
{
	return prog_probe()->conntrack;
}

static bool has_connection(void)
{
	return prog_probe()->connection;
}

static const struct program {
	const char *what, *name;
	struct bpf_object *(*open)(void);
	bool (*is_loadable)(void); /* on this kernel */
} programs[] = {
	{"XDP", "mangle", open_mangle, always},
	{"XDP, before Linux 5.18", "mangle", open_without_helpers, always},
	{"XDP, behind a gate", "mangle", open_gated, always},
	{"XDP, explaining", "explain", open_mangle, always},
	{"XDP, on a gateway", "mangle", open_gateway, has_conntrack},
	{"tc ingress", "tc_in", open_tc, has_connection},
	{"tc egress", "tc_out", open_tc, always},
};

_Static_assert(sizeof(programs) / sizeof(*programs) == INSNS_PROGRAMS, "all of them");

/* Loads the one program of the object, with the verifier's statistics in log. */
static int load(struct bpf_object *object, const char *name, char *log, size_t size)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		bool is_it = !strcmp(bpf_program__name(program), name);

		bpf_program__set_autoload(program, is_it);
		if (!is_it)
			continue;
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, log, size);
	}
	return bpf_object__load(object);
}

long insns_of(int at, const char **what)
{
	const struct program *p = &programs[at];
	static char log[65536];
	struct bpf_object *object;
	const char *found;
	long insns = -ENODATA;
	int err;

	*what = p->what;
	if (!p->is_loadable())
		return 0;
	object = p->open();
	if (!object)
		return -errno;
	log[0] = 0;
	err = load(object, p->name, log, sizeof(log));
	bpf_object__close(object);
	if (err)
		return err;
	found = strstr(log, "processed ");
	if (found)
		sscanf(found, "processed %ld insns", &insns);
	return insns;
}
