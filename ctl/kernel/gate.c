/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "gate.h"
#include "inner.h"
#include "maps.h"
#include "pins.h"
#include "state.h"

static struct mangle_gate *map_gate(const struct store *s, size_t *size, struct err *e)
{
	struct mangle_gate *g;

	*size = map_entries(s, MAP_GATE) * sizeof(*g);
	g = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, s->map[MAP_GATE], 0);
	if (g != MAP_FAILED)
		return g;
	fail(e, -errno, STORE_DIR "/gate", "mapping it: %s", strerror(errno));
	return NULL;
}

int store_epoch(const struct store *s, uint64_t *epoch, struct err *e)
{
	size_t size;
	struct mangle_gate *g = map_gate(s, &size, e);

	if (!g)
		return -EIO;
	*epoch = __atomic_load_n(&g->epoch, __ATOMIC_ACQUIRE);
	munmap(g, size);
	return 0;
}

int store_set_epoch(struct store *s, uint64_t epoch, struct err *e)
{
	size_t size;
	struct mangle_gate *g = map_gate(s, &size, e);
	int err;

	if (!g)
		return -EIO;
	__atomic_store_n(&g->epoch, epoch, __ATOMIC_RELEASE);
	err = store_wait(s, e);
	for (unsigned int cpu = 0; cpu < s->possible && !err; cpu++)
		__atomic_store_n(&g[1 + cpu].epoch, 0, __ATOMIC_RELEASE);
	munmap(g, size);
	return err;
}

int store_wait(struct store *s, struct err *e)
{
	return outer_set(s->map[MAP_CONFIG], 0, &s->config_inner, e);
}

uint32_t store_gate_id(const struct store *s)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(s->map[MAP_GATE], &info, &size) ? 0 : info.id;
}
