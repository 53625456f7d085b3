/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "maps.h"
#include "pins.h"
#include "running.h"
#include "state.h"
#include "stats.h"

int stats_map(struct store *s, struct err *e)
{
	s->stats_size = (size_t)map_entries(s, MAP_STATS) * sizeof(struct mangle_stats);
	s->stats_memory = mmap(NULL, s->stats_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			       s->map[MAP_STATS], 0);
	if (s->stats_memory == MAP_FAILED) {
		s->stats_memory = NULL;
		return fail(e, -errno, STORE_DIR "/stats", "mapping it: %s", strerror(errno));
	}
	return 0;
}

/* Reads one CPU's cells of a slot. A packet that is being counted meanwhile can be in its reason's
 * cell and not yet in its verdict's; such a copy is read again. */
static struct mangle_stats copy_stats(const struct mangle_stats *from)
{
	struct mangle_stats st = {0};

	for (int attempt = 0; attempt < 1000; attempt++) {
		uint64_t reasons = 0, verdicts = 0;

		for (size_t i = 0; i < sizeof(st) / sizeof(uint64_t); i++)
			((uint64_t *)&st)[i] = __atomic_load_n((const uint64_t *)from + i,
							       __ATOMIC_RELAXED);
		for (unsigned int i = 0; i < MANGLE_REASON_CELLS; i++)
			reasons += st.packets[i];
		for (unsigned int i = 0; i < MANGLE_VERDICT_COUNT; i++)
			verdicts += st.verdict[i];
		if (reasons == verdicts)
			break;
	}
	return st;
}

static void add_stats(const struct store *s, uint32_t slot, struct stats *out)
{
	for (unsigned int copy = 0; copy < s->possible + MANGLE_STATS_OWN; copy++) {
		struct mangle_stats st;

		if (copy == s->possible + MANGLE_STATS_BEFORE)
			continue;
		st = copy_stats(store_stats_cell(s, copy, slot));

		for (unsigned int i = 0; i < MANGLE_REASON_COUNT; i++) {
			out->packets[i] += st.packets[i];
			out->bytes[i] += st.bytes[i];
		}
		for (unsigned int i = 0; i < MANGLE_VERDICT_COUNT; i++) {
			out->verdict[i] += st.verdict[i];
			out->would[i] += st.would[i];
		}
	}
}

int store_stats(struct store *s, const char *service, struct stats *out, struct err *e)
{
	const struct mangle_stats *before;
	uint32_t slot;
	int index;

	(void)e;
	memset(out, 0, sizeof(*out));
	if (!service) {
		for (slot = 0; slot <= store_config(s)->stats_high && slot < MANGLE_STATS_SLOTS;
		     slot++)
			add_stats(s, slot, out);
		return 0;
	}
	index = running_index(s, service);
	if (index < 0)
		return 0;
	slot = store_config(s)->service[index].stats;
	add_stats(s, slot, out);
	before = store_stats_cell(s, s->possible + MANGLE_STATS_BEFORE, slot);
	for (unsigned int i = 0; i < MANGLE_REASON_COUNT; i++) {
		out->packets[i] -= before->packets[i];
		out->bytes[i] -= before->bytes[i];
	}
	for (unsigned int i = 0; i < MANGLE_VERDICT_COUNT; i++) {
		out->verdict[i] -= before->verdict[i];
		out->would[i] -= before->would[i];
	}
	return 0;
}

uint16_t stats_take(struct store *s, bool used[MANGLE_STATS_SLOTS])
{
	struct mangle_stats *before;
	uint16_t slot = 1;

	while (used[slot]) /* there are as many as services */
		slot++;
	used[slot] = true;
	before = store_stats_cell(s, s->possible + MANGLE_STATS_BEFORE, slot);
	memset(before, 0, sizeof(*before));
	for (unsigned int copy = 0; copy < s->possible + MANGLE_STATS_OWN; copy++) {
		const uint64_t *from = (const uint64_t *)store_stats_cell(s, copy, slot);

		if (copy == s->possible + MANGLE_STATS_BEFORE)
			continue;
		for (size_t i = 0; i < sizeof(*before) / sizeof(*from); i++)
			((uint64_t *)before)[i] += from[i];
	}
	return slot;
}
