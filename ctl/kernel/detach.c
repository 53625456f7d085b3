/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "caps.h"
#include "detach.h"
#include "dispatch.h"
#include "ifaces.h"
#include "links.h"
#include "locate.h"
#include "netns.h"
#include "pins.h"
#include "tc.h"
#include "liblog.h"

static int detach_link(const struct mangle_iface *i)
{
	char path[PATH_SIZE];

	return link_unpin(link_path(path, i));
}

/* A program that is not found is forgotten: prog_may_detach has verified that it is gone. */
static int detach_dispatcher(const struct mangle_iface_key *k, const struct mangle_iface *i)
{
	int back, err = netns_enter_inode(k->netns, &back);

	if (err) {
		prog_forget_dispatcher(0, i->prog_id);
		return 0;
	}
	err = prog_undispatch(k->ifindex, i->next_id);
	if (!err)
		err = prog_undispatch(k->ifindex, i->prog_id);
	if (!err)
		prog_forget_dispatcher(k->ifindex, i->prog_id);
	netns_return(back);
	return err;
}

int prog_may_detach(const struct mangle_iface_key *k, const struct mangle_iface *i, bool forced,
		    struct err *e)
{
	enum pin_state device = locate_device(i);
	int back, err;

	if (!locate_needs_netns(i) || device == PIN_DEFUNCT || (!i->dispatcher && !device))
		return 0;
	err = netns_enter_inode(k->netns, &back);
	if (!err)
		netns_return(back);
	/* A namespace without a process, and without a link that shows it to exist, is gone. */
	if (!err || (forced && i->dispatcher) || (err == -ENOENT && device == PIN_NONE))
		return 0;
	return fail(e, err, i->name, "detaching: entering its network namespace: %s (see doctor%s)",
		    netns_why(err), i->dispatcher ? "; --force takes the interface for gone" : "");
}

int prog_detach(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		struct err *e)
{
	struct mangle_iface left = *i;
	int err;

	liblog_begin();
	err = i->dispatcher ? detach_dispatcher(k, i) : detach_link(i);
	if (!err)
		err = tc_clear(k, &left);
	if (err)
		return fail(e, err, i->name, "detaching: %s (see doctor)",
			    liblog_why_of(err,
					  CAPS(NET_ADMIN) | (i->dispatcher ? CAPS(SYS_ADMIN) : 0)));
	return store_iface_del(s, k, i, e);
}
