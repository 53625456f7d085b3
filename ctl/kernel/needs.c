/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "needs.h"
#include "probe.h"

struct prog_needs prog_needs(const struct model *m)
{
	struct prog_needs needs = {0};

	for (unsigned int i = 0; i < m->service_count; i++) {
		needs.in |= service_has_connections(&m->services[i]);
		needs.out |= service_has_replies(&m->services[i]);
	}
	needs.out |= needs.in;
	return needs;
}

int prog_can(const struct model *m, struct err *e)
{
	for (unsigned int i = 0; i < m->service_count; i++) {
		if (!service_has_connections(&m->services[i]))
			continue;
		if (prog_probe()->connection)
			return 0;
		if (prog_probe()->types_unread)
			return fail(
				e, -EIO, m->services[i].name,
				"tcp connection mode: cannot tell whether the kernel supports it: its types cannot be read (see /sys/kernel/btf/vmlinux)");
		return fail(
			e, -EOPNOTSUPP, m->services[i].name,
			"tcp connection mode: the kernel has no bpf_sk_assign_tcp_reqsk (needs Linux 6.9 or later; for Debian 12 from bookworm-backports)");
	}
	return 0;
}
