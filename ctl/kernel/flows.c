/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "flows.h"
#include "inner.h"
#include "maps.h"
#include "pins.h"
#include "state.h"

int flows_create(const struct store *s, uint32_t flows, struct inner *in, struct err *e)
{
	uint32_t entries = MANGLE_FLOW_ENTRIES(flows, s->possible);

	*in = (struct inner){.fd = map_create_held(HELD_FLOWS, entries)};
	if (in->fd < 0)
		return fail(e, -errno, "flows",
			    "creating the table of %u connections: %s (see doctor)", flows,
			    caps_why(-errno, CAPS(BPF)));
	return inner_pin_held(s, in, e);
}

int flows_open(const struct store *s, uint32_t id, struct inner *in, struct err *e)
{
	struct bpf_map_info info;

	return inner_open_held(s, id, HELD_FLOWS, in, &info, e);
}

/* Many at once: a system call for each of millions takes seconds. */
#define FLOWS_BATCH 4096
struct flows_batch {
	struct mangle_flow_key key[FLOWS_BATCH];
	struct mangle_flow flow[FLOWS_BATCH];
};

int flows_each(const struct inner *in, flow_fn each, void *arg, struct err *e)
{
	struct flows_batch *b = malloc(sizeof(*b));
	uint32_t at = 0, count;
	bool first = true;
	int err = 0, ret = 0;

	if (!b)
		return fail(e, -ENOMEM, "flows", "reading the table: out of memory");
	while (!err && !ret) {
		count = FLOWS_BATCH;
		err = bpf_map_lookup_batch(in->fd, first ? NULL : &at, &at, b->key, b->flow, &count,
					   NULL);
		if (err && errno != ENOENT) /* which is the end */
			ret = fail(e, -errno, "flows", "reading the table: %s", strerror(errno));
		for (uint32_t i = 0; i < count && !ret; i++)
			ret = each(arg, &b->key[i], &b->flow[i]);
		first = false;
	}
	free(b);
	return ret;
}

void flows_put(const struct inner *to, const struct mangle_flow_key *key,
	       const struct mangle_flow *flow)
{
	struct mangle_flow there;

	/* What fails here is an entry lost, as LRU may lose any. */
	if (!bpf_map_update_elem(to->fd, key, flow, BPF_NOEXIST) || errno != EEXIST)
		return;
	if (!bpf_map_lookup_elem(to->fd, key, &there) && there.isn == flow->isn &&
	    there.cookie == flow->cookie && there.state < flow->state)
		bpf_map_update_elem(to->fd, key, flow, BPF_EXIST);
}

/* ---- reading ---- */

uint32_t store_flows_size(const struct store *s)
{
	return store_config(s)->flows_id ? store_config(s)->flows : 0;
}

int store_flows(const struct store *s, flow_fn each, void *arg, struct err *e)
{
	struct inner in = {.fd = -1};
	int ret;

	if (!store_config(s)->flows_id)
		return 0;
	ret = flows_open(s, store_config(s)->flows_id, &in, e);
	if (!ret)
		ret = flows_each(&in, each, arg, e);
	inner_close(&in);
	return ret;
}

struct flows_prune {
	const struct inner *in;
	flow_fn judge;
	void *arg;
};

static int prune_flow(void *arg, const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	const struct flows_prune *p = arg;
	int ret = p->judge(p->arg, key, flow);

	if (ret > 0)
		bpf_map_delete_elem(p->in->fd, key);
	return ret < 0 ? ret : 0;
}

int store_flows_prune(const struct store *s, flow_fn judge, void *arg, struct err *e)
{
	struct inner in = {.fd = -1};
	struct flows_prune p = {&in, judge, arg};
	int ret;

	if (!store_config(s)->flows_id)
		return 0;
	ret = flows_open(s, store_config(s)->flows_id, &in, e);
	if (!ret)
		ret = flows_each(&in, prune_flow, &p, e);
	inner_close(&in);
	return ret;
}

/* ---- another table ---- */

static int put_flow(void *arg, const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	flows_put(arg, key, flow);
	return 0;
}

/* In doubt it has: where its entries cannot be read the table is not exchanged. */
static bool has_pin(const struct store *s, uint32_t id)
{
	char path[PATH_SIZE];

	return s->private || !access(pin_inner_path(path, id), F_OK) || errno != ENOENT;
}

int flows_exchange(struct store *s, struct err *e)
{
	struct inner from = {.fd = -1}, to = {.fd = -1};
	uint32_t is, desired = store_config(s)->flows_id, place = 0;
	struct err ignored;
	int err = outer_get(s->map[MAP_FLOWS], 0, &is, e);

	if (err || is == desired)
		return err;
	if (!desired) {
		outer_clear(s->map[MAP_FLOWS], &place, 1);
		return 0;
	}
	err = flows_open(s, desired, &to, e);
	if (!err && is && has_pin(s, is))
		err = flows_open(s, is, &from, e);
	if (!err && from.fd >= 0)
		err = flows_each(&from, put_flow, &to, e);
	if (!err)
		err = outer_set(s->map[MAP_FLOWS], 0, &to, e);
	if (!err && from.fd >= 0)
		flows_each(&from, put_flow, &to, &ignored);
	inner_close(&from);
	inner_close(&to);
	return err;
}

int flows_make(struct store *s, const struct model *m, struct mangle_config *c, struct inner *made,
	       struct err *e)
{
	const struct mangle_config *old = store_config(s);
	bool needed = old->flows_id;
	int err;

	for (unsigned int i = 0; i < m->service_count && !needed; i++)
		needed = service_has_connections(&m->services[i]);
	c->flows = model_flows(m);
	c->flows_id = old->flows_id;
	if (!needed || (old->flows_id && old->flows == c->flows))
		return 0;
	err = flows_create(s, c->flows, made, e);
	if (err)
		return err;
	c->flows_id = made->id;
	/* The first must be there when its services are; flows_exchange clears it away again. */
	return old->flows_id ? 0 : outer_set(s->map[MAP_FLOWS], 0, made, e);
}
