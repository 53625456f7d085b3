/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Configuration files: one that is taken can run, and is the same when it is saved and read again.
 * What follows the last NUL byte is the file that any entities-file names.
 */
#include "../../ctl/model/diff.h"
#include "../../ctl/model/check.h"
#include "../../ctl/files/config_save.h"
#include "../../ctl/files/config.h"

#include <errno.h>

#include "../../ctl/kernel/classify.h"
#include "fuzz.h"

static void check_same(const struct model *a, const struct model *b)
{
	struct changes c = {0};

	model_diff(a, b, &c, NULL, NULL);
	CHECK(!c.added && !c.removed && !c.updated);
	CHECK(a->service_count == b->service_count && model_flows(a) == model_flows(b));
}

static struct fuzz_bytes save(const struct model *m)
{
	struct fuzz_bytes file;
	char *text;
	FILE *out = open_memstream(&text, &file.size);

	CHECK(out);
	config_save(m, out);
	CHECK(!fclose(out));
	file.bytes = (uint8_t *)text;
	return file;
}

static void check_round_trip(const struct model *m)
{
	struct fuzz_bytes saved = save(m), twice;
	struct model again;
	struct err e;

	model_init(&again);
	fuzz_main = saved;
	fuzz_other = (struct fuzz_bytes){0};
	CHECK(!config_load(FUZZ_FILE, &again, &e));
	check_same(m, &again);
	check_same(&again, m);
	twice = save(&again);
	CHECK(twice.size == saved.size && !memcmp(twice.bytes, saved.bytes, saved.size));
	model_free(&again);
	free((void *)twice.bytes);
	free((void *)saved.bytes);
}

static void check_runs(struct model *m)
{
	static struct mangle_config config;
	union classifier_cell *cells = NULL;
	struct model copy;
	uint32_t count = 0;
	struct err e;
	int err;

	CHECK(!model_copy(&copy, m, &e));
	check_same(m, &copy);
	CHECK(!model_check(&copy, &e));
	check_same(m, &copy);
	model_free(&copy);

	err = classify(m, &config, &cells, &count, &e);
	CHECK(!err || err == -E2BIG);
	for (uint32_t i = 0; i < m->service_count && !err; i++) {
		const struct service *s = &m->services[i];

		for (unsigned int p = 0; p < s->port_count; p++) {
			uint32_t entry = config.port[s->ports[p]];

			CHECK(entry == i + 1 || (entry & MANGLE_PORT_TUPLES &&
						 (entry & ~MANGLE_PORT_TUPLES) < count));
		}
	}
	free(cells);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memrchr(data, 0, size) : NULL;
	struct model m;
	struct err e;

	fuzz_main = (struct fuzz_bytes){data, nul ? (size_t)(nul - data) : size};
	fuzz_other = (struct fuzz_bytes){0};
	if (nul)
		fuzz_other = (struct fuzz_bytes){nul + 1, (size_t)(data + size - nul - 1)};
	model_init(&m);
	if (config_load(FUZZ_FILE, &m, &e)) {
		check_err(&e);
	} else {
		check_runs(&m);
		check_round_trip(&m);
	}
	model_free(&m);
	return 0;
}
