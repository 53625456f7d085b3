/* SPDX-License-Identifier: GPL-2.0-only */
/* Between probe.c, prog.c, dispatch.c, session.c and upgrade.c only. */
#ifndef KERNEL_PROG_INTERNAL_H
#define KERNEL_PROG_INTERNAL_H

#include <linux/bpf.h>

#include "prog.h"

/* What the libraries say is kept from the terminal, and the last warning for prog_why. */
void prog_quiet(void);
const char *prog_why(int err);
int prog_info(int fd, struct bpf_prog_info *info);

/* Pinned links lie in STORE_DIR: a prefix, and the id of the first program they had. */
#define PATH_SIZE 80
#define TC_LINK_PREFIX "tc-"
/* Detaches and unpins one; 0 where it is not there. */
int prog_unpin(const char *path);
/* What a pin leads to. *id: its program, left as it is where that cannot be asked. In doubt a link
 * is alive: what is taken for gone is cleared away. */
enum pin_state {
	PIN_NONE,    /* there is none, or it is no link */
	PIN_DEFUNCT, /* its device has gone */
	PIN_ALIVE,
};
enum pin_state prog_pin_state(const char *path, uint32_t *id);
const char *prog_link_path(char buf[PATH_SIZE], const struct mangle_iface *i);

/* ---- prog.c: instances of the XDP program ---- */

struct bpf_object;
struct mangle_bpf;
/* Is the program to ask conntrack, in the thread's network namespace? Where it cannot be told
 * whether the host masquerades, it is. */
bool prog_wants_conntrack(void);
/* One for that interface, in the mode that it is attached in; not attached. prog_load finds out
 * i->conntrack. prog_open leaves the loading to libxdp; epoch: struct mangle_gate. */
struct mangle_bpf *prog_load(const struct store *s, struct mangle_iface *i, struct err *e);
struct mangle_bpf *prog_open(const struct store *s, const struct mangle_iface *i, uint64_t epoch,
			     struct err *e);
struct bpf_object *prog_object(const struct mangle_bpf *skel);
int prog_fd(const struct mangle_bpf *skel);
void prog_unload(struct mangle_bpf *skel); /* NULL is fine */
/* Is a program in that mode one for frames of more than one buffer? */
bool prog_frags(uint32_t mode);
/* Attaching was refused with err: says who is in the way, or which mode to try. */
int prog_say_refused(const char *ifname, unsigned int ifindex, int mode, int err, struct err *e);
/* Of two programs in a dispatcher, one of which is to take over: ends that, whoever acts by now. */
int prog_settle(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		struct err *e);

/* Is it to be worked on in its interface's network namespace? Links are found by their pins. */
bool prog_needs_netns(const struct mangle_iface *i);

/* ---- dispatch.c ---- */

/*
 * Puts an instance of that epoch into the dispatcher, behind what is there, and *id is its
 * program's; finds out i->conntrack. DISPATCHER_UNFIT, with e not set, where libxdp could not use
 * one: then nothing is attached.
 */
#define DISPATCHER_UNFIT 1
int prog_dispatch(const struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		  uint64_t epoch, uint32_t *id, struct err *e);
/* Takes one out, which is no error where it is not there. */
int prog_undispatch(uint32_t ifindex, uint32_t id);
/* The same for those that no record names: a run was killed before it could. */
void prog_undispatch_strays(struct store *s, uint32_t ifindex);
/* Is it in the interface's dispatcher? 1, 0, or negative errno. */
int prog_dispatched(uint32_t ifindex, uint32_t id);
/*
 * Of a device that has gone, or been made anew, libxdp's pins stay and hold all programs of its
 * dispatcher: removes them. ifindex: 0 where the device's namespace has gone.
 */
void prog_forget_dispatcher(uint32_t ifindex, uint32_t prog);

/* ---- upgrade.c ---- */

/* Links whose programs are to be replaced: all of them, or none. */
struct swap {
	int link, old, fresh; /* program's; old: -1 where the kernel does not give it out */
	const char *name;
};
struct swaps {
	struct swap *swap;
	size_t count;
};
/* fresh must stay open; name is kept. */
int swaps_add(struct swaps *w, const char *pin, int fresh, const char *name, struct err *e);

/* ---- session.c ---- */

/*
 * Makes the tc programs of one interface those that are needed, and the record too, here and in the
 * store. In the interface's network namespace. What failed leaves what was there.
 */
int session_set(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		struct prog_needs needs, struct err *e);
/* What is known of its device by tcx links, whatever namespace that is in. */
enum pin_state session_link(const struct mangle_iface *i);
/* Takes them off, whatever namespace the thread is in. The record stays. */
int session_clear(const struct mangle_iface_key *k, struct mangle_iface *i);
/* The programs' object file. */
const void *session_elf(size_t *size);

/*
 * Upgrade: loads what the interface has at tc's hooks, and adds what are links to w; NULL where it
 * has nothing. Then, once links are swapped, replaces what are filters, and completes the record.
 */
struct tc_bpf;
int session_prepare(const struct store *s, const struct mangle_iface_key *k,
		    const struct mangle_iface *i, struct tc_bpf **out, struct swaps *w,
		    struct err *e);
int session_commit(struct store *s, const struct mangle_iface_key *k, struct mangle_iface *i,
		   const struct tc_bpf *skel, struct err *e);
void session_unload(struct tc_bpf *skel); /* NULL is fine */

#endif
