/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "caps.h"
#include "swap.h"
#include "liblog.h"

static int link_program(int link)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(link, &info, &size) ? -1
							  : bpf_prog_get_fd_by_id(info.prog_id);
}

int swaps_add(struct swaps *w, const char *pin, int fresh, const char *name, struct err *e)
{
	struct swap *more = realloc(w->swap, (w->count + 1) * sizeof(*more));
	int link;

	if (!more)
		return fail(e, -ENOMEM, name, "upgrading: out of memory");
	w->swap = more;
	link = bpf_obj_get(pin);
	if (link < 0)
		return fail(e, -errno, name, "upgrading: opening %s: %s", pin, liblog_why(-errno));
	w->swap[w->count++] = (struct swap){
		.link = link, .old = link_program(link), .fresh = fresh, .name = name};
	if (w->swap[w->count - 1].old >= 0)
		return 0;
	/* The old program could not be put back where a later link fails. */
	return fail(e, -errno, name, "upgrading: opening the running program: %s (see doctor)",
		    caps_why(-errno, CAPS(SYS_ADMIN)));
}

void swaps_close(struct swaps *w)
{
	for (size_t i = 0; i < w->count; i++) {
		close(w->swap[i].link);
		if (w->swap[i].old >= 0)
			close(w->swap[i].old);
	}
	free(w->swap);
}

/* Returns false where a program could not be put back. */
bool swaps_undo(const struct swaps *w, size_t done)
{
	bool all = true;

	while (done-- > 0)
		all &= !bpf_link_update(w->swap[done].link, w->swap[done].old, NULL) ||
		       errno == ENOLINK;
	return all;
}

int swaps_do(const struct swaps *w, bool *mixed, struct err *e)
{
	for (size_t i = 0; i < w->count; i++) {
		int err = bpf_link_update(w->swap[i].link, w->swap[i].fresh, NULL) ? -errno : 0;

		if (!err || err == -ENOLINK) /* the device has just gone */
			continue;
		*mixed = !swaps_undo(w, i);
		return fail(e, err, w->swap[i].name, "replacing its program: %s%s", liblog_why(err),
			    *mixed ? " (other interfaces have the new one; upgrade again)" : "");
	}
	return 0;
}
