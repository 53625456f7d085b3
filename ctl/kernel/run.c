/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "build_id.h"
#include "ifaces.h"
#include "instance.h"
#include "locate.h"
#include "run.h"
#include "liblog.h"

struct explainer {
	struct mangle_bpf *skel;
	int explained; /* map */
};

/* Returns whether every attached program is of this build. */
static int check_builds(struct store *s, struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	struct err why;
	size_t n;
	int err = store_ifaces(s, &keys, &ifaces, &n, e);

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		if (!prog_is_own(&ifaces[i]) && prog_locate(s, &keys[i], &ifaces[i], &why))
			err = fail(
				e, -EBADF, ifaces[i].name,
				"explaining: the program on it is of another build than this mangle-ctl (use mangle-ctl upgrade, or the mangle-ctl that attached it)");
	free(keys);
	free(ifaces);
	return err;
}

int explainer_open(struct explainer **out, struct store *s, const char *ifname, struct err *e)
{
	struct explainer *x;
	int err = check_builds(s, e);

	*out = NULL;
	if (err)
		return err;
	liblog_begin();
	x = calloc(1, sizeof(*x));
	if (!x)
		return fail(e, -ENOMEM, "explain", "loading the program: out of memory");
	x->skel = instance_load_detached(s, ifname ? ifname : "", true, e);
	if (!x->skel) {
		free(x);
		return -EIO;
	}
	x->explained = instance_explained(x->skel);
	*out = x;
	return 0;
}

void explainer_close(struct explainer *x)
{
	if (!x)
		return;
	instance_unload(x->skel);
	free(x);
}

static int run_once(int fd, const void *frame, size_t len, void *out, size_t *out_len,
		    struct err *e)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)len,
		    .data_out = out, .data_size_out = (uint32_t)len);
	int err = bpf_prog_test_run_opts(fd, &run);

	if (err == -EINVAL || err == -E2BIG || err == -ENOMEM)
		return fail(e, -EMSGSIZE, "explain",
			    "running a frame of %zu bytes: this kernel cannot run one of that size",
			    len);
	if (err)
		return fail(e, err, "explain", "running a frame of %zu bytes: %s", len,
			    strerror(-err));
	if (out_len)
		*out_len = run.data_size_out;
	return (int)run.retval;
}

int explainer_run(struct explainer *x, const void *frame, size_t len, void *out,
		  struct mangle_explained *said, struct err *e)
{
	const uint32_t zero = 0;
	int err = run_once(instance_fd(x->skel), frame, len, out, NULL, e);

	if (err < 0)
		return err;
	if (bpf_map_lookup_elem(x->explained, &zero, said))
		return fail(e, -errno, "explain", "reading the program's result: %s",
			    strerror(errno));
	return 0;
}

struct runner {
	struct mangle_bpf *skel;
};

int runner_open(struct runner **out, struct store *s, const char *ifname, struct err *e)
{
	struct runner *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return fail(e, -ENOMEM, "program", "loading it: out of memory");
	liblog_begin();
	r->skel = instance_load_detached(s, ifname, false, e);
	if (!r->skel) {
		free(r);
		return -EIO;
	}
	*out = r;
	return 0;
}

void runner_close(struct runner *r)
{
	if (!r)
		return;
	instance_unload(r->skel);
	free(r);
}

int runner_run(struct runner *r, const void *frame, size_t len, void *out, size_t *out_len,
	       struct err *e)
{
	return run_once(instance_fd(r->skel), frame, len, out, out_len, e);
}
