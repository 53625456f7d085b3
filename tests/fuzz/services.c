/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The services that packets meet, laid out as mangle-ctl does it, in memory of just their size. Of
 * publish only what needs the kernel is done here in its stead.
 */
#include "services.h"

#include <errno.h>

#include "../../ctl/kernel/classify.h"
#include "../../ctl/kernel/service_config.h"
#include "../../ctl/files/config.h"
#include "../../ctl/model/parse.h"
#include "fuzz.h"

#define CLASSIFIER (MANGLE_TABLE_SLOTS - 1)

#define SERVICE(name, protocol, ports, tag, size) \
	"  - name: " name "\n    protocol: " protocol "\n    ports: " ports "\n    tag: " tag \
	"\n    size: " size "\n"
#define ANY_SIZE "{ min: 0, max: 65535 }"
#define ROW(tag, target) "      - { tag: '" tag "', target: " target " }\n"
#define WINDOW(tag, target, min, max) \
	"      - { tag: '" tag "', target: " target ", size: { min: " min ", max: " max " } }\n"
#define ENTITIES "    entities:\n"

/* clang-format off */
static const char *const texts[SERVICE_SETS] = {
	/* A service like the default one, with every kind of target, the all-zero tag and the shared port
	 * itself. */
	SERVICE("udp", "udp", "[5000]", "{ offset: 0, length: 4 }", "{ min: 4, max: 1400 }")
	ENTITIES ROW("ABCD", "6001") ROW("EFGH", "drop") ROW("IJKL", "pass") ROW("MNOP", "5000")
	ROW("0x00000000", "6002") WINDOW("QRST", "6003", "16", "32"),

	/* From the end; segments; dropped what is not right. */
	SERVICE("both", "any", "[5000, 5001]", "{ offset: -4, length: 4 }", "{ min: 8, max: 64 }")
	"    tcp: segment\n    invalid: drop\n    unknown: drop\n"
	ENTITIES ROW("ABCD", "6001") ROW("EFGH", "drop") ROW("IJKL", "pass")
	WINDOW("QRST", "drop", "16", "32"),

	/* Tags of other lengths; a port for what is unknown. */
	SERVICE("one", "udp", "[5000]", "{ offset: 2, length: 1 }", ANY_SIZE)
	"    unknown: 6999\n"
	ENTITIES ROW("A", "6001") ROW("0x00", "6002")
	SERVICE("eight", "udp", "[5001]", "{ offset: 0, length: 8 }", ANY_SIZE)
	"    unknown: 6998\n"
	ENTITIES ROW("ABCDEFGH", "6003") ROW("0x0000000000000000", "6004")
	WINDOW("IJKLMNOP", "pass", "8", "9")
	SERVICE("nine", "any", "[5002]", "{ offset: -9, length: 9 }", ANY_SIZE)
	"    tcp: segment\n    unknown: 6997\n"
	ENTITIES ROW("ABCDEFGHI", "6005") ROW("0x000000000000000000", "6006")
	SERVICE("sixteen", "udp", "[5003]", "{ offset: 1, length: 16 }", ANY_SIZE)
	"    invalid: drop\n"
	ENTITIES ROW("ABCDEFGHIJKLMNOP", "6007") ROW("ABCDEFGHIJKLMNOQ", "drop"),

	/* Several services on a port are told apart by tuples. */
	SERVICE("plain", "any", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    tcp: segment\n    unknown: 6990\n"
	SERVICE("exact", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    unknown: 6991\n"
	SERVICE("near", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    daddr: [192.0.2.0/24, '2001:db8::/32']\n    unknown: 6992\n"
	SERVICE("nearer", "any", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    tcp: segment\n    daddr: [192.0.2.9, '2001:db8::9']\n    unknown: 6993\n"
	SERVICE("from", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    saddr: [198.51.100.0/25, '2001:db8::/64']\n    unknown: 6994\n"
	SERVICE("there", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    interface: eth0\n    saddr: [10.0.0.0/8]\n    unknown: 6995\n"
	SERVICE("elsewhere", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    interface: eth1\n    daddr: [192.0.2.9]\n    unknown: 6996\n",

	/* Nothing is changed; and TCP by connection. */
	SERVICE("watched", "udp", "[5000]", "{ offset: 0, length: 4 }", "{ min: 4, max: 1400 }")
	"    action: observe\n    invalid: drop\n    unknown: drop\n"
	ENTITIES ROW("ABCD", "6001") ROW("EFGH", "drop")
	SERVICE("connected", "tcp", "[5000]", "{ offset: 0, length: 4 }", "{ min: 4, max: 1400 }")
	"    invalid: drop\n    unknown: drop\n"
	ENTITIES ROW("ABCD", "6001") ROW("EFGH", "drop") ROW("IJKL", "pass")
	SERVICE("looked-at", "tcp", "[5001]", "{ offset: 0, length: 4 }", "{ min: 4, max: 1400 }")
	"    action: observe\n"
	ENTITIES ROW("ABCD", "6002"),

	/* Replies, and connections of either kind. */
	SERVICE("asked", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    reply: true\n"
	ENTITIES ROW("ABCD", "6001") ROW("EFGH", "6002")
	SERVICE("asked-there", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    reply: true\n    saddr: [198.51.100.0/24, '2001:db8::/64']\n"
	ENTITIES ROW("ABCD", "6001") ROW("IJKL", "6003")
	SERVICE("bound", "tcp", "[5000]", "{ offset: 0, length: 4 }", "{ min: 4, max: 1400 }")
	ENTITIES ROW("ABCD", "6001") ROW("EFGH", "drop") ROW("IJKL", "pass"),

	/* Tables so full that tags lie behind their own buckets: filled in below. */
	SERVICE("full2", "udp", "[5000]", "{ offset: 0, length: 2 }", ANY_SIZE)
	SERVICE("full5", "udp", "[5001]", "{ offset: 0, length: 5 }", ANY_SIZE)
	SERVICE("full9", "udp", "[5002]", "{ offset: 0, length: 9 }", ANY_SIZE),

	/* Replies of hosts behind this one, of this one, and of none. */
	SERVICE("behind", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    reply: true\n    daddr: [192.0.2.0/24, '2001:db8::/64']\n"
	ENTITIES ROW("ABCD", "6001")
	SERVICE("here", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    reply: true\n"
	ENTITIES ROW("ABCD", "6001") ROW("EFGH", "6002")
	SERVICE("mute", "udp", "[5000]", "{ offset: 0, length: 4 }", ANY_SIZE)
	"    daddr: [192.0.8.0/24, '2001:db8:0:8::/64']\n"
	ENTITIES ROW("ABCD", "6001"),
};
/* clang-format on */
#define FULL_SET 6
#define FULL_ROWS 96

static void fill_up(struct service *s)
{
	struct err e;
	size_t twice;

	for (unsigned int i = 0; i < FULL_ROWS; i++) {
		struct entity en = {.target = {ACTION_PORT, (uint16_t)(7000 + i)}};

		en.tag[0] = (uint8_t)i;
		en.tag[s->tag_len - 1] ^= 'A';
		CHECK(!service_add_entity(s, &en, &e));
	}
	CHECK(!service_sort_entities(s, &twice));
}

static struct host_array make_array(size_t count, size_t size)
{
	struct host_array a = {.count = (uint32_t)count, .size = size};

	CHECK(!posix_memalign((void **)&a.values, MANGLE_CELL, count * size));
	memset(a.values, 0, count * size);
	return a;
}

/* As dense as it goes: where that is too dense for any seed, a little less. */
static void lay_table(struct services *set, uint32_t index, bool dense)
{
	struct mangle_service *to = &set->config->service[index];
	const struct service *s = &set->model.services[index];
	uint32_t buckets = dense ? FULL_ROWS / 2
				 : table_buckets(s->entity_count, s->tag_len, host_cpus);
	struct host_array *at = &set->tables[index];
	struct arrangement a;
	struct table t;
	uint64_t seed = 0;
	int err;

	while ((err = table_arrange(&a, s, buckets, ++seed)) == -ENOSPC) {
		arrangement_free(&a);
		if (seed % 64 == 0)
			buckets++;
	}
	CHECK(!err);
	*at = make_array(table_cells(buckets, s->tag_len, host_cpus), MANGLE_CELL);
	t.cells = (union table_cell *)at->values;
	table_build(&t, s, &a, host_cpus);
	to->table = index;
	to->buckets = a.buckets;
	to->seed = a.seed;
	arrangement_free(&a);
}

/* Where replies come from: see MANGLE_TARGET. */
static void lay_target(struct services *set, uint32_t index, struct target t)
{
	const struct service *s = &set->model.services[index];
	uint32_t *at = &set->config->target[t.port];
	uint32_t tcp = *at & MANGLE_TARGET_TCP;

	if (t.action != ACTION_PORT)
		return;
	if (service_has_connections(s))
		*at |= MANGLE_TARGET_TCP;
	else if (s->reply)
		*at = tcp | MANGLE_TARGET(s->ports[0], MANGLE_TARGET_SHARED(*at) ? 0 : index + 1);
}

static void lay_service(struct services *set, uint32_t index)
{
	struct mangle_service *to = &set->config->service[index];
	const struct service *s = &set->model.services[index];

	service_to_config(s, set->config, index);
	to->cpus = (uint16_t)host_cpus.own;
	to->stats = (uint16_t)(index + 1);
	lay_target(set, index, s->unknown);
	for (size_t i = 0; i < s->entity_count; i++)
		lay_target(set, index, s->entities[i].target);
}

static void lay_classifier(struct services *set)
{
	struct host_array *at = &set->tables[CLASSIFIER];
	union classifier_cell *cells = NULL;
	uint32_t count = 0;
	struct err e;

	CHECK(!classify(&set->model, set->config, &cells, &count, &e));
	set->config->classifier = MANGLE_NO_TABLE;
	if (count) {
		*at = make_array(count, MANGLE_CELL);
		memcpy(at->values, cells, count * sizeof(*cells));
		set->config->classifier = CLASSIFIER;
	}
	free(cells);
}

static void make(struct services *set, unsigned int number)
{
	char *text;
	struct err e;

	CHECK(asprintf(&text, "version: 1\nservices:\n%s", texts[number]) > 0);
	fuzz_main = (struct fuzz_bytes){(uint8_t *)text, strlen(text)};
	model_init(&set->model);
	if (config_load(FUZZ_FILE, &set->model, &e)) {
		fprintf(stderr, "%s\n", e.line);
		abort();
	}
	free(text);
	set->config_array = make_array(1, sizeof(struct mangle_config));
	set->config = (struct mangle_config *)set->config_array.values;
	set->config->service_count = set->model.service_count;
	for (uint32_t i = 0; i < set->model.service_count; i++) {
		if (number == FULL_SET)
			fill_up(&set->model.services[i]);
		lay_service(set, i);
		lay_table(set, i, number == FULL_SET);
		set->before[i] = make_array(set->tables[i].count, MANGLE_CELL);
		memcpy(set->before[i].values, set->tables[i].values,
		       (size_t)set->tables[i].count * MANGLE_CELL);
	}
	lay_classifier(set);
}

void services_make(struct services sets[SERVICE_SETS])
{
	for (unsigned int i = 0; i < SERVICE_SETS; i++)
		make(&sets[i], i);
}
