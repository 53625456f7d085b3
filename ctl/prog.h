/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The program: loading, attaching, running. The only place that knows skeleton, libxdp and links.
 * Interfaces are named in the network namespace the calling thread is in.
 */
#ifndef CTL_PROG_H
#define CTL_PROG_H

#include "store.h"

/* What a kernel can do, found by probing. */
struct prog_features {
	bool frags;	 /* frames larger than one buffer */
	bool load_bytes; /* bpf_xdp_load_bytes, bpf_xdp_get_buff_len */
	bool dispatcher; /* programs can replace functions of libxdp's dispatcher */
};
void prog_probe(struct prog_features *f);

/*
 * Attaches to ifname and records it in the store. mode 0: native, else generic (*got says which).
 * Done already in that mode: 0 with *changed false. -EEXIST where attached in another mode.
 */
int prog_attach(struct store *s, const char *ifname, const char *netns_name, int mode, int *got,
		bool *changed, struct err *e);
/* Detaches what the record names. Device or namespace gone: only the record goes. */
int prog_detach(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		struct err *e);
/*
 * 1 attached, 0 gone. A device that was moved to another network namespace keeps its program: then
 * the record, here and in the store, is made to say where it is now. Its name stays that of the
 * time of attaching, which is what the program goes by.
 */
int prog_locate(struct store *s, struct mangle_iface_key *k, struct mangle_iface *i);

/* A second instance on the same tables, which explains instead of counting. Refused where another
 * build's program is attached. ifname: as if received there, "": on none that a service names. */
struct explainer;
int explainer_open(struct explainer **out, struct store *s, const char *ifname, struct err *e);
void explainer_close(struct explainer *x);
/* Runs one frame of at least 14 bytes. out (room: len) gets the frame as it would leave.
 * -EMSGSIZE where the kernel cannot run a frame of that size. */
int explainer_run(struct explainer *x, const void *frame, size_t len, void *out,
		  struct mangle_explained *why, struct err *e);
/* A counting instance that is attached to nothing, for tests. runner_run returns the XDP action, or
 * negative errno; out has room for len bytes. */
struct runner;
int runner_open(struct runner **out, struct store *s, const char *ifname, struct err *e);
void runner_close(struct runner *r);
int runner_run(struct runner *r, const void *frame, size_t len, void *out, size_t *out_len,
	       struct err *e);

#endif
