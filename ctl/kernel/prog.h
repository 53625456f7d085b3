/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs: loading, attaching, running. prog.c and session.c (those at tc's hooks) know the
 * skeletons, they and upgrade.c links, dispatch.c libxdp. Interfaces are named in the network
 * namespace the calling thread is in.
 */
#ifndef KERNEL_PROG_H
#define KERNEL_PROG_H

#include "store.h"

/* What a kernel can do, found by probing. */
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
/* Of this run: the first call asks. What could not be told is not there, see prog_probe_told. */
const struct prog_features *prog_probe(void);
/* 0, or negative errno with e set where a probe failed and the kernel did not say no. */
int prog_probe_told(struct err *e);

/* The programs at tc's hooks that services want on every attached interface. */
struct prog_needs {
	bool in;  /* TCP in connection mode */
	bool out; /* that, or replies */
};
struct prog_needs prog_needs(const struct model *m);
/* Can the kernel do what these services want? */
int prog_can(const struct model *m, struct err *e);
/*
 * Attaches what is needed and is not there, and detaches what is not needed, on every interface
 * that is recorded and not gone: on all of them, or on none.
 */
int prog_sessions(struct store *s, struct prog_needs needs, struct err *e);
/*
 * Are those that were attached there still? Somebody may have removed them. A device that moves to
 * another network namespace loses filters, and takes links along that go by the old one. 1, 0, or
 * negative errno of netns_why: it cannot be told.
 */
int prog_sessions_ok(const struct mangle_iface_key *k, const struct mangle_iface *i);

/*
 * Attaches to ifname and records it in the store. mode 0: native, else generic (*got says which).
 * Done already in that mode: 0 with *changed false, and tc programs that had gone are there again.
 * -EEXIST where attached in another mode.
 */
int prog_attach(struct store *s, const char *ifname, const char *netns_name, int mode,
		struct prog_needs needs, int *got, bool *changed, struct err *e);
/* Detaches what the record names. Device or namespace gone: only the record goes. */
int prog_detach(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		struct err *e);
/*
 * Puts programs of this build in the place of all that are attached, on the maps of s, while
 * packets go on: none is lost, left alone or dealt with twice. *count: interfaces. What failed
 * leaves the old ones running, where they can be had back; where they cannot, e says so.
 */
int prog_upgrade(struct store *s, size_t *count, struct err *e);
/* What tells this binary's programs from those of others, and the beginning of it as text. */
void prog_build(uint8_t build[8]);
#define BUILD_TEXT_SIZE 9
const char *prog_build_text(const uint8_t build[8], char buf[BUILD_TEXT_SIZE]);
/* Is the attached program this binary's? */
bool prog_is_own(const struct mangle_iface *i);
/* May it be detached, as far as can be told before anything is? forced: what is in a dispatcher
 * that cannot be found is taken for gone. */
int prog_may_detach(const struct mangle_iface_key *k, const struct mangle_iface *i, bool forced,
		    struct err *e);
/* Has its device gone, for certain, whatever namespace that was in? A link of ours has seen it go.
 */
bool prog_device_gone(const struct mangle_iface *i);
/* Takes off what no record names, since a run was killed: what is pinned; what is in a dispatcher
 * of the thread's network namespace. */
void prog_sweep(struct store *s);
void prog_sweep_dispatchers(struct store *s);
/*
 * 1 attached, 0 gone; negative errno with why set ("what: reason"): it cannot be told, and is to
 * be taken for attached, where the record says. A device that was moved to another network
 * namespace keeps its program: then the record, here and in the store, is made to say where it is
 * now. Its name stays that of the time of attaching, which is what the program goes by.
 */
int prog_locate(struct store *s, struct mangle_iface_key *k, struct mangle_iface *i,
		struct err *why);

/* A second instance on the same tables, which explains instead of counting. Refused where another
 * build's program is attached. ifname: as if received there, "": on none that a service names. */
struct explainer;
int explainer_open(struct explainer **out, struct store *s, const char *ifname, struct err *e);
void explainer_close(struct explainer *x);
/* Runs one frame of at least 14 bytes. out (room: len) gets the frame as it would leave. Listeners
 * are looked for in the network namespace that the thread is in.
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
