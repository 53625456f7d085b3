/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel can do: tried, or read from its types. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "liblog.h"
#include "maps.h"
#include "probe.h"

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS, Linux 6.6; not in every linux/bpf.h */
#define KERNEL_TYPES "/sys/kernel/btf/vmlinux"

/* Asked once a thread: reading the kernel's types takes longer than most commands. */
static _Thread_local struct {
	bool asked;
	struct prog_features found;
	int untold; /* negative errno of the first probe that could not tell; 0: all could */
} probed;

/* The kernel has answered where it does not know something. What this process may not do is no
 * answer. */
static bool is_answer(int err)
{
	return err >= 0 || err == -EINVAL || err == -E2BIG || err == -EOPNOTSUPP;
}

static void note_failure(int err)
{
	if (!probed.untold && !is_answer(err))
		probed.untold = err;
}

int probe_maps(void)
{
	int fd;

	maps_raise_memlock();
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mangle_probe", 4, 8, 1, NULL);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static bool probe_frags(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, o, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "mangle_probe", "GPL", insns, 2, &o);

	note_failure(fd);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Of the type, the interface is looked for last. */
static bool probe_tcx(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_UNSPEC},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "mangle_probe", "GPL", insns, 2, NULL);
	bool found;

	note_failure(fd);
	if (fd < 0)
		return false;
	/* Who does not know it says EINVAL; any other trouble shows again when it is used. */
	found = bpf_link_create(fd, -1, TCX_INGRESS, NULL) < 0 && errno != EINVAL;
	close(fd);
	return found;
}

static bool has(const struct btf *btf, const char *name, uint32_t kind)
{
	return !libbpf_get_error(btf) && btf__find_by_name_kind(btf, name, kind) > 0;
}

/* By what the kernel says that it has: some have it in a version earlier than others. */
static bool probe_connection(const struct btf *kernel)
{
	return has(kernel, "bpf_sk_assign_tcp_reqsk", BTF_KIND_FUNC) &&
	       has(kernel, "bpf_tcp_req_attrs", BTF_KIND_STRUCT);
}

/* In the kernel, or in a module that is loaded by now; libbpf opens a module's types by their id.
 */
static bool probe_conntrack(struct btf *kernel)
{
	static const char lookup[] = "bpf_xdp_ct_lookup";
	struct btf *module;
	bool found = has(kernel, lookup, BTF_KIND_FUNC);

	if (found || libbpf_get_error(kernel) || !caps_have(CAPS(SYS_ADMIN)))
		return found;
	module = btf__load_module_btf("nf_conntrack", kernel);
	found = has(module, lookup, BTF_KIND_FUNC);
	btf__free(module);
	return found;
}

const struct prog_features *prog_probe(void)
{
	struct prog_features *found = &probed.found;
	struct btf *kernel;

	if (probed.asked)
		return found;
	liblog_begin();
	found->frags = probe_frags();
	found->load_bytes = libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_load_bytes,
						    NULL) == 1;
	/* libxdp opens programs by their ids */
	found->dispatcher = caps_have(CAPS(SYS_ADMIN)) &&
			    libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1;
	found->tcx = probe_tcx();
	kernel = btf__load_vmlinux_btf();
	/* A kernel without types has no such file. */
	found->types_unread = libbpf_get_error(kernel) && !access(KERNEL_TYPES, F_OK);
	found->connection = probe_connection(kernel);
	found->conntrack = probe_conntrack(kernel);
	btf__free(kernel);
	liblog_begin(); /* what a kernel has not is no warning */
	probed.asked = true;
	return found;
}

int prog_probe_told(struct err *e)
{
	prog_probe();
	if (!probed.untold)
		return 0;
	return fail(e, probed.untold, "kernel", "probing its features: %s (see doctor)",
		    caps_why(probed.untold, CAPS_PROGRAM));
}
