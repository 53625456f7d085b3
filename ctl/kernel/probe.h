/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel can do, found by probing. */
#ifndef KERNEL_PROBE_H
#define KERNEL_PROBE_H

#include <stdbool.h>

#include "model/err.h"

struct prog_features {
	bool frags;	   /* frames larger than one buffer */
	bool load_bytes;   /* bpf_xdp_load_bytes, bpf_xdp_get_buff_len */
	bool dispatcher;   /* programs can replace functions of libxdp's dispatcher */
	bool tcx;	   /* links at tc's hooks */
	bool types_unread; /* the kernel has types, which the two below are read from, and they
			    * could not be read: whether it has those cannot be told */
	bool connection;   /* bpf_sk_assign_tcp_reqsk: TCP in connection mode */
	bool conntrack;	   /* bpf_xdp_ct_lookup: whose packet it is, where conntrack is in use */
};
/* The thread's first call asks. What could not be told is not there, see prog_probe_told. */
const struct prog_features *prog_probe(void);
/* Returns 0, or negative errno with e set where a probe failed and the kernel did not say no. */
int prog_probe_told(struct err *e);
/* Does the kernel make maps for this process? Returns 0 or -errno. */
int probe_maps(void);

#endif
