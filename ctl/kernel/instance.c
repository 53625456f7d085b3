/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.skel.h"
#include "host.h"
#include "instance.h"
#include "mangle.skel.h"
#include "maps.h"
#include "probe.h"
#include "liblog.h"

/*
 * Not in generic mode: since 6.9 the kernel copies a frame for programs that have them, and the
 * copy comes to tc without the length of its link layer header, which tc's programs then do not
 * see. Without them it makes one buffer of the frame in place.
 */
bool instance_frags(uint32_t mode)
{
	return prog_probe()->frags && mode != MODE_GENERIC;
}

/* Is the program to ask conntrack, in the thread's network namespace? In doubt whether it
 * masquerades it is. */
bool instance_wants_conntrack(void)
{
	return host_forwards() && host_masquerades() && prog_probe()->conntrack;
}

#define SAME_PLACE(field) \
	_Static_assert(offsetof(struct gateway_bpf__rodata, field) == \
			       offsetof(struct mangle_bpf__rodata, field), \
		       "gateway.bpf.o has all that mangle.bpf.o has")
SAME_PLACE(have_load_bytes);
SAME_PLACE(own_ifname);
SAME_PLACE(gated);
SAME_PLACE(own_epoch);
_Static_assert(sizeof(struct gateway_bpf) == sizeof(struct mangle_bpf), "and no more");

/* The skeleton of the one fits the other, which is the same program with one stage more. */
static struct mangle_bpf *open_object(bool conntrack)
{
	struct mangle_bpf *skel = calloc(1, sizeof(*skel));
	int err = skel ? mangle_bpf__create_skeleton(skel) : -ENOMEM;

	if (!err && conntrack)
		skel->skeleton->data = gateway_bpf__elf_bytes(&skel->skeleton->data_sz);
	if (!err)
		err = bpf_object__open_skeleton(skel->skeleton, NULL);
	if (!err)
		return skel;
	mangle_bpf__destroy(skel);
	errno = -err;
	return NULL;
}

/* The one of the two that is loaded. */
static struct bpf_program *program_of(const struct mangle_bpf *skel)
{
	return bpf_program__autoload(skel->progs.explain) ? skel->progs.explain
							  : skel->progs.mangle;
}

/* The one that explains comes with a map of its own. */
static int choose_program(struct mangle_bpf *skel, bool explaining)
{
	int err = bpf_program__set_autoload(skel->progs.mangle, !explaining);

	if (!err)
		err = bpf_program__set_autoload(skel->progs.explain, explaining);
	return err ?: bpf_map__set_autocreate(skel->maps.explained, explaining);
}

/*
 * Opens an instance for that interface on the store's maps; what is left is to load it. epoch:
 * struct mangle_gate; 0: it has no gate.
 */
static struct mangle_bpf *open_instance(const struct store *s, const struct mangle_iface *i,
					bool explaining, uint64_t epoch, struct err *e)
{
	struct mangle_bpf *skel;
	int err;

	if (prog_probe_told(e))
		return NULL;
	skel = open_object(i->conntrack);
	if (!skel) {
		fail(e, -errno, i->name, "opening the program: %s", liblog_why(-errno));
		return NULL;
	}
	skel->rodata->have_load_bytes = prog_probe()->load_bytes;
	skel->rodata->gated = epoch != 0;
	skel->rodata->own_epoch = epoch;
	memcpy((void *)skel->rodata->own_ifname, i->name, sizeof(skel->rodata->own_ifname));
	err = choose_program(skel, explaining);
	if (!err && instance_frags(i->mode))
		err = bpf_program__set_flags(program_of(skel), BPF_F_XDP_HAS_FRAGS);
	if (!err)
		err = maps_reuse(s, MAP_USER_XDP, skel->obj);
	if (err) {
		fail(e, err, i->name, "preparing the program: %s", liblog_why(err));
		mangle_bpf__destroy(skel);
		return NULL;
	}
	return skel;
}

static struct mangle_bpf *load_instance(const struct store *s, const struct mangle_iface *i,
					bool explaining, struct err *e)
{
	struct mangle_bpf *skel = open_instance(s, i, explaining, 0, e);
	int err;

	if (!skel)
		return NULL;
	err = mangle_bpf__load(skel);
	if (err) {
		fail(e, err, "program", "loading it into the kernel: %s (see doctor)",
		     liblog_why(err));
		mangle_bpf__destroy(skel);
		return NULL;
	}
	return skel;
}

/* One that is attached to nothing. */
struct mangle_bpf *instance_load_detached(const struct store *s, const char *ifname,
					  bool explaining, struct err *e)
{
	struct mangle_iface i = {.mode = MODE_NATIVE};

	strncpy(i.name, ifname, sizeof(i.name) - 1);
	return load_instance(s, &i, explaining, e);
}

struct mangle_bpf *instance_load(const struct store *s, struct mangle_iface *i, struct err *e)
{
	struct mangle_bpf *skel;

	i->conntrack = instance_wants_conntrack();
	skel = load_instance(s, i, false, e);
	if (skel || !i->conntrack)
		return skel;
	i->conntrack = 0;
	return load_instance(s, i, false, e);
}

struct mangle_bpf *instance_open(const struct store *s, const struct mangle_iface *i,
				 uint64_t epoch, struct err *e)
{
	return open_instance(s, i, false, epoch, e);
}

struct bpf_object *instance_object(const struct mangle_bpf *skel)
{
	return skel->obj;
}

int instance_fd(const struct mangle_bpf *skel)
{
	return bpf_program__fd(program_of(skel));
}

void instance_unload(struct mangle_bpf *skel)
{
	mangle_bpf__destroy(skel);
}

int instance_explained(const struct mangle_bpf *skel)
{
	return bpf_map__fd(skel->maps.explained);
}

const void *instance_elf(bool conntrack, size_t *size)
{
	return conntrack ? gateway_bpf__elf_bytes(size) : mangle_bpf__elf_bytes(size);
}
