/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ifaces.h"
#include "state.h"

int store_ifaces(struct store *s, struct mangle_iface_key **keys, struct mangle_iface **ifaces,
		 size_t *count, struct err *e)
{
	struct mangle_iface_key *key = calloc(MANGLE_MAX_IFACES, sizeof(*key));
	struct mangle_iface *iface = calloc(MANGLE_MAX_IFACES, sizeof(*iface));
	const void *before = NULL;

	if (!key || !iface) {
		free(key);
		free(iface);
		return fail(e, -ENOMEM, "interfaces", "listing them: out of memory");
	}
	*count = 0;
	errno = 0;
	while (*count < MANGLE_MAX_IFACES &&
	       !bpf_map_get_next_key(s->map[MAP_IFACES], before, &key[*count])) {
		before = &key[*count];
		if (!bpf_map_lookup_elem(s->map[MAP_IFACES], before, &iface[*count]))
			(*count)++;
		else if (errno != ENOENT)
			break;
	}
	/* An incomplete list would make attachments look like remains of a killed run. */
	if (*count < MANGLE_MAX_IFACES && errno != ENOENT) {
		fail(e, -errno, "interfaces", "listing them: %s", strerror(errno));
		free(key);
		free(iface);
		return -EIO;
	}
	*keys = key;
	*ifaces = iface;
	return 0;
}

int store_iface_put(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e)
{
	if (bpf_map_update_elem(s->map[MAP_IFACES], k, i, BPF_ANY))
		return fail(e, -errno, i->name, "recording the attachment: %s", strerror(errno));
	return 0;
}

bool store_iface_same(const struct mangle_iface *a, const struct mangle_iface *b)
{
	if (a->dispatcher != b->dispatcher)
		return false;
	if (!a->dispatcher)
		return a->pin == b->pin;
	return a->prog_id == b->prog_id || a->prog_id == b->next_id ||
	       (a->next_id && (a->next_id == b->prog_id || a->next_id == b->next_id));
}

int store_iface_del(struct store *s, const struct mangle_iface_key *k, const struct mangle_iface *i,
		    struct err *e)
{
	struct mangle_iface recorded;

	if (i && !bpf_map_lookup_elem(s->map[MAP_IFACES], k, &recorded) &&
	    !store_iface_same(i, &recorded))
		return 0;
	if (bpf_map_delete_elem(s->map[MAP_IFACES], k) && errno != ENOENT)
		return fail(e, -errno, "interfaces", "deleting the record of the attachment: %s",
			    strerror(errno));
	return 0;
}
