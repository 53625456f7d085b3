/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>
#include <errno.h>

#include "ifaces.h"
#include "locate.h"
#include "needs.h"
#include "netns.h"
#include "orphans.h"
#include "tc_programs.h"
#include "tc.h"
#include "liblog.h"

/* What is gone is left alone. */
static int set_there(struct store *s, struct mangle_iface_key *k, struct mangle_iface *i,
		     struct prog_needs needs, struct err *e)
{
	struct err ignored;
	int back, err;

	if ((!needs.in && !needs.out && !i->tc_kind) || !prog_locate(s, k, i, &ignored))
		return 0;
	err = netns_enter_inode(k->netns, &back);
	if (err && tc_needs_netns(k, i, needs))
		return fail(
			e, err, i->name,
			"attaching the tc programs: entering its network namespace: %s (see doctor, or detach it)",
			netns_why(err));
	err = tc_set(s, k, i, needs, e);
	netns_return(back);
	return err;
}

int tc_programs_set(struct store *s, struct prog_needs needs, struct err *e)
{
	struct mangle_iface_key *keys;
	struct mangle_iface *ifaces;
	struct prog_needs *before;
	struct err ignored;
	size_t n, done = 0;
	int err = store_ifaces(s, &keys, &ifaces, &n, e);

	if (err)
		return err;
	before = calloc(n + 1, sizeof(*before));
	if (!before)
		err = fail(e, -ENOMEM, "interfaces", "attaching the tc programs: out of memory");
	for (; done < n && !err; done++) {
		before[done] = (struct prog_needs){ifaces[done].tc_in, ifaces[done].tc_out};
		err = set_there(s, &keys[done], &ifaces[done], needs, e);
	}
	while (err && done-- > 0)
		set_there(s, &keys[done], &ifaces[done], before[done], &ignored);
	prog_sweep(s);
	free(before);
	free(keys);
	free(ifaces);
	return err;
}

int tc_programs_attached(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	int back = -1, err = 0, ok;

	if (!i->tc_kind)
		return 1;
	if (i->tc_kind != TC_TCX)
		err = netns_enter_inode(k->netns, &back);
	if (err)
		return err;
	liblog_begin();
	ok = tc_are_on(k, i);
	netns_return(back);
	return ok;
}
