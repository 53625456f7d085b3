// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program against the oracle: random services, random frames, and every difference in what
 * leaves, what is done with it, and what is counted.
 *
 *   all        whatever there is
 *   unmatched  frames that no service matches: not one byte may change
 *   checksums  frames that get a port, each with a right and a wrong checksum: both stay so
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../ctl/model/diff.h"
#include "../../ctl/files/config_save.h"
#include "../../ctl/kernel/open.h"
#include "../../ctl/kernel/publish.h"
#include "../../ctl/kernel/rows.h"
#include "../../ctl/kernel/run.h"
#include "../../ctl/kernel/running.h"
#include "../../ctl/kernel/state.h"
#include "frames.h"
#include "oracle.h"
#include "services.h"

#define XDP_DROP 1
#define XDP_PASS 2

#define BATCH 10000	   /* frames that one set of services gets */
#define TRIES (50 * BATCH) /* to find frames that the mode wants */
#define POOL 16		   /* frames that are kept for mutation */
#define MAX_DIFFERENCES 10
#define ONE_BUFFER 3520 /* of a test run */

enum mode { ALL, UNMATCHED, CHECKSUMS };
static const char *const mode_names[] = {"all", "unmatched", "checksums"};

#define REASON_NAME(upper, lower, meaning) #lower,
#define VERDICT_NAME(upper, lower) #lower,
static const char *const reason_names[] = {MANGLE_REASONS(REASON_NAME)};
static const char *const verdict_names[] = {MANGLE_VERDICTS(VERDICT_NAME)};

/* In what a frame that no service matches differs from one that a service would. */
#define MISSES(X) X(port) X(prefix) X(interface) X(protocol) X(later_fragment) X(spoilt)
#define MISS_ENUM(name) MISS_##name,
#define MISS_NAME(name) #name,
enum miss { MISSES(MISS_ENUM) MISS_COUNT };
static const char *const miss_names[] = {MISSES(MISS_NAME)};

struct count {
	uint64_t packets, bytes;
};

struct frame {
	size_t len;
	uint8_t bytes[FRAME_ROOM];
};

static struct {
	enum mode mode;
	uint64_t seed, frames;
	int64_t replay; /* number of the only frame that is run, -1: all */
	unsigned int cpu;

	struct store *store;
	struct runner *runners[IFNAMES];

	struct chance chance;
	struct model model;
	unsigned int slot[MANGLE_MAX_SERVICES]; /* of stats, by service */
	struct mangle_stats *expected;		/* all of stats */
	struct count *entities;			/* expected, of all services one after the other */
	size_t first_entity[MANGLE_MAX_SERVICES + 1];
	struct frame pool[POOL];
	uint8_t wanted[FRAME_MAX], left[FRAME_MAX]; /* what is to leave, and what did */

	uint64_t number; /* of the frame */
	const char *ifname;
	bool shown;   /* the services of this batch */
	bool careful; /* everything is compared after every frame, to find which one it was */
	uint64_t differences;

	uint64_t ran, reasons[MANGLE_REASON_COUNT][MANGLE_VERDICT_COUNT];
	uint64_t multi_buffer, misses[MISS_COUNT];
	uint64_t right, wrong, unfinished;
} lab;

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "diff: %s: %s\n", what, e ? e->line : strerror(errno));
	exit(2);
}

/* ---- telling ------------------------------------------------------------------------------ */

static void show_hex(const char *what, const uint8_t *p, size_t len)
{
	printf("  %s ", what);
	for (size_t i = 0; i < len; i++)
		printf("%02x", p[i]);
	putchar('\n');
}

static void show_services(void)
{
	if (!lab.shown)
		config_save(&lab.model, stdout);
	lab.shown = true;
}

__attribute__((format(printf, 1, 2))) static void differs(const char *fmt, ...)
{
	va_list args;

	show_services();
	printf("DIFFERENCE: --mode %s --seed %llu --replay %llu, received on \"%s\": ",
	       mode_names[lab.mode], (unsigned long long)lab.seed, (unsigned long long)lab.number,
	       lab.ifname);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	lab.differences++;
}

static void show_judgement(const struct judgement *j)
{
	printf("  wanted: %s, %s, service %s, tag ", reason_names[j->reason],
	       verdict_names[j->verdict], j->service ? j->service->name : "none");
	for (unsigned int i = 0; j->entity && i < j->service->tag_len; i++)
		printf("%02x", j->entity->tag[i]);
	puts(j->entity ? "" : "none");
}

/* What of the counters is not as it should be. */
static void show_counters(void)
{
	const uint64_t *is = (const uint64_t *)lab.store->stats_memory;
	const uint64_t *wanted = (const uint64_t *)lab.expected;
	const unsigned int words = sizeof(struct mangle_stats) / sizeof(uint64_t);

	for (size_t i = 0; i < lab.store->stats_size / sizeof(uint64_t); i++) {
		size_t slot = i / words % MANGLE_STATS_SLOTS, word = i % words;
		const char *service = "none";

		if (is[i] == wanted[i])
			continue;
		for (unsigned int k = 0; k < lab.model.service_count; k++)
			if (lab.slot[k] == slot)
				service = lab.model.services[k].name;
		printf("  counter: CPU %zu, service %s, %s %zu: %lld more than wanted\n",
		       i / words / MANGLE_STATS_SLOTS, service,
		       word < MANGLE_REASON_CELLS	? "packets of reason"
		       : word < 2 * MANGLE_REASON_CELLS ? "bytes of reason"
							: "verdict, would",
		       word % MANGLE_REASON_CELLS, (long long)(is[i] - wanted[i]));
	}
}

/* ---- counters ----------------------------------------------------------------------------- */

static struct mangle_stats *cells(struct mangle_stats *all, unsigned int slot)
{
	return &all[(size_t)lab.cpu * MANGLE_STATS_SLOTS + slot];
}

static unsigned int slot_of(const struct service *s)
{
	return s ? lab.slot[s - lab.model.services] : 0;
}

/* Takes the counters as they are for what they should be. */
static void take_counters(void)
{
	memcpy(lab.expected, lab.store->stats_memory, lab.store->stats_size);
}

static bool same_cells(unsigned int slot)
{
	return !memcmp(cells(lab.expected, slot), cells(lab.store->stats_memory, slot),
		       sizeof(struct mangle_stats));
}

/* Where services of now count, on this CPU. The rest is looked at when the batch is over. */
static bool counters_agree(void)
{
	if (lab.careful)
		return !memcmp(lab.expected, lab.store->stats_memory, lab.store->stats_size);
	for (unsigned int i = 0; i < lab.model.service_count; i++) {
		if (!same_cells(lab.slot[i]))
			return false;
	}
	return same_cells(0);
}

static void expect_count(const struct judgement *j, size_t len)
{
	struct mangle_stats *st = cells(lab.expected, slot_of(j->service));

	st->packets[j->reason]++;
	st->bytes[j->reason] += len;
	st->verdict[j->verdict]++;
	if (j->service && j->service->observe)
		st->would[j->would]++;
	if (j->entity) {
		size_t i = lab.first_entity[j->service - lab.model.services] +
			   (size_t)(j->entity - j->service->entities);

		lab.entities[i].packets++;
		lab.entities[i].bytes += len;
	}
}

/* Entities' counters as they are; each is given with the place that it has in lab.entities. */
static void each_entity(void (*each)(size_t i, const struct service *s, const struct row *row))
{
	for (unsigned int k = 0; k < lab.model.service_count; k++) {
		const struct service *s = &lab.model.services[k];
		struct row *rows;
		struct err e;
		size_t n;

		if (store_rows(lab.store, s->name, &rows, &n, &e))
			die("reading a table", &e);
		if (n != s->entity_count)
			differs("service %s has %zu entities, not %zu", s->name, n,
				s->entity_count);
		for (size_t i = 0; i < n && i < s->entity_count; i++)
			each(lab.first_entity[k] + i, s, &rows[i]);
		free(rows);
	}
}

static void take_entity(size_t i, const struct service *s, const struct row *row)
{
	(void)s;
	lab.entities[i] = (struct count){row->packets, row->bytes};
}

static void check_entity(size_t i, const struct service *s, const struct row *row)
{
	const struct count *wanted = &lab.entities[i];

	if (row->packets == wanted->packets && row->bytes == wanted->bytes)
		return;
	differs("service %s, entity number %zu: %llu packets and %llu bytes, wanted %llu and %llu",
		s->name, i - lab.first_entity[s - lab.model.services],
		(unsigned long long)row->packets, (unsigned long long)row->bytes,
		(unsigned long long)wanted->packets, (unsigned long long)wanted->bytes);
}

/* ---- one frame ---------------------------------------------------------------------------- */

static void judge(const struct frame *f, const char *ifname, struct judgement *j)
{
	memcpy(lab.wanted, f->bytes, f->len);
	oracle_judge(&lab.model, ifname, lab.wanted, f->len, j);
}

/* Runs a frame that was judged. False where another is to be replayed. */
static bool run(const struct frame *f, unsigned int interface, const struct judgement *j)
{
	uint64_t before = lab.differences;
	size_t left_len = 0;
	struct err e;
	int action;

	lab.ifname = ifnames[interface];
	if (lab.replay >= 0 && lab.number != (uint64_t)lab.replay)
		return false;
	expect_count(j, f->len);
	action = runner_run(lab.runners[interface], f->bytes, f->len, lab.left, &left_len, &e);
	if (action < 0)
		die("running a frame", &e);
	lab.ran++;
	lab.reasons[j->reason][j->verdict]++;
	lab.multi_buffer += f->len > ONE_BUFFER;
	if (action != (j->verdict == VERDICT_DROPPED ? XDP_DROP : XDP_PASS))
		differs("the program returns %d", action);
	if (left_len != f->len || memcmp(lab.left, lab.wanted, f->len) != 0)
		differs("other bytes leave");
	if (!counters_agree())
		differs("other counters move");
	if (lab.differences != before || lab.replay >= 0) {
		show_services();
		show_hex("frame:  ", f->bytes, f->len);
		show_hex("leaves: ", lab.left, left_len);
		show_hex("wanted: ", lab.wanted, f->len);
		show_judgement(j);
		show_counters();
		take_counters();
	}
	if (lab.careful)
		each_entity(check_entity);
	return true;
}

static unsigned int draw_interface(const struct service *s)
{
	if (s && s->ifname[0] && mille(&lab.chance, 800))
		return strcmp(s->ifname, ifnames[1]) != 0 ? 2 : 1;
	return below(&lab.chance, IFNAMES);
}

static struct frame *next_frame(void)
{
	return &lab.pool[lab.number % POOL];
}

static void any_frame(void)
{
	struct frame *f = next_frame();
	struct judgement j;
	unsigned int interface;
	struct plan p;

	plan_frame(&lab.chance, &lab.model, &p);
	f->len = build_frame(&lab.chance, &p, f->bytes);
	if (mille(&lab.chance, 150)) {
		const struct frame *other = &lab.pool[below(&lab.chance, POOL)];

		f->len = mutate_frame(&lab.chance, f->bytes, f->len, other->bytes, other->len);
	}
	interface = draw_interface(p.service);
	judge(f, ifnames[interface], &j);
	run(f, interface, &j);
	lab.number++;
}

static const struct service *any_service(void)
{
	return &lab.model.services[below(&lab.chance, lab.model.service_count)];
}

/* A frame as the service wants it, but for one thing. False where there is no such thing. */
static bool plan_miss(const struct service *s, enum miss miss, struct plan *p)
{
	struct chance *c = &lab.chance;
	const struct prefix *prefix;
	unsigned int bit;
	bool to;

	if (!plan_plain(c, s, p))
		return false;
	p->sum = (enum sum_kind)below(c, SUM_KINDS);
	switch (miss) {
	case MISS_port:
		if (mille(c, 300))
			p->sport = p->dport;
		p->dport = (uint16_t)(mille(c, 700) ? p->dport ^ 1 << below(c, 16)
						    : between(c, 0, 65535));
		return true;
	case MISS_prefix:
		to = mille(c, 500);
		if (!(to ? s->daddr_count : s->saddr_count))
			return false;
		prefix = &(to ? s->daddr
			      : s->saddr)[below(c, to ? s->daddr_count : s->saddr_count)];
		if (!prefix->len || prefix->family != p->family)
			return false;
		bit = mille(c, 500) ? prefix->len - 1U : below(c, prefix->len);
		(to ? p->dst : p->src)[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		return true;
	case MISS_interface: return s->ifname[0];
	case MISS_protocol:
		p->proto = (uint8_t)(mille(c, 300) ? between(c, 0, 255)
						   : ONE_OF(c, 6, 17, 1, 50, 51, 58, 59, 132, 136));
		return true;
	case MISS_later_fragment: /* what it carries looks just like a header */
		p->frag = (uint16_t)((mille(c, 500) ? 1 << below(c, 13) : between(c, 1, 0x1fff)) |
				     (int32_t)below(c, 8) << 13);
		return true;
	default:
		p->odd = true;
		p->frag = (uint16_t)(mille(c, 100) ? 0x2000 : 0);
		return true;
	}
}

static void unmatched_frame(void)
{
	enum miss miss = (enum miss)below(&lab.chance, MISS_COUNT);
	const struct service *s = any_service();
	struct frame *f = next_frame();
	unsigned int interface;
	struct judgement j;
	struct plan p;

	if (!plan_miss(s, miss, &p))
		return;
	f->len = build_frame(&lab.chance, &p, f->bytes);
	if (miss == MISS_spoilt && mille(&lab.chance, 500))
		f->len = mutate_frame(&lab.chance, f->bytes, f->len, f->bytes, f->len);
	interface = miss == MISS_interface ? below(&lab.chance, IFNAMES) : draw_interface(s);
	judge(f, ifnames[interface], &j);
	if (j.service)
		return;
	if (run(f, interface, &j)) {
		/* Said once more without the oracle. */
		if (memcmp(lab.left, f->bytes, f->len) != 0)
			differs("a frame that is nobody's has changed");
		lab.misses[miss]++;
	}
	lab.number++;
}

/* Runs what gets a port, and looks whether the checksum is as good as it was. */
static void check_sum(const struct frame *f, unsigned int interface)
{
	enum checksum came = oracle_checksum(f->bytes, f->len), left;
	struct judgement j;

	judge(f, ifnames[interface], &j);
	if (j.verdict != VERDICT_REWRITTEN || came == CHECKSUM_NONE)
		return;
	if (run(f, interface, &j)) {
		if (j.partial) /* the card that was left it makes it right */
			oracle_finish(lab.left, f->len);
		left = oracle_checksum(lab.left, f->len);
		if (left != (j.partial ? CHECKSUM_RIGHT : came))
			differs("the checksum was %s, and is not any more", j.partial ? "unfinished"
									    : came == CHECKSUM_RIGHT
										    ? "right"
										    : "wrong");
		lab.unfinished += j.partial;
		lab.right += came == CHECKSUM_RIGHT;
		lab.wrong += !j.partial && came == CHECKSUM_WRONG;
	}
	lab.number++;
}

static void checksum_frames(void)
{
	const struct service *s = any_service();
	struct frame *f = next_frame();
	unsigned int interface;
	struct chance before;
	struct plan p;

	if (!plan_plain(&lab.chance, s, &p))
		return;
	interface = draw_interface(s);
	before = lab.chance;
	p.sum = (enum sum_kind)ONE_OF(&lab.chance, SUM_RIGHT, SUM_EDGE, SUM_TO_ZERO, SUM_CHANCE);
	f->len = build_frame(&lab.chance, &p, f->bytes);
	check_sum(f, interface);
	lab.chance = before;
	p.sum = (enum sum_kind)ONE_OF(&lab.chance, SUM_NEAR, SUM_RANDOM, SUM_FFFF, SUM_PARTIAL);
	f->len = build_frame(&lab.chance, &p, f->bytes);
	check_sum(f, interface);
}

/* ---- batches ------------------------------------------------------------------------------ */

static void publish(void)
{
	struct changes changes;
	struct err e;
	size_t n = 0;

	if (store_publish(lab.store, &lab.model, &changes, &e))
		die("publishing services", &e);
	for (unsigned int i = 0; i < lab.model.service_count; i++) {
		const struct service *s = &lab.model.services[i];

		lab.slot[i] =
			store_config(lab.store)->service[running_index(lab.store, s->name)].stats;
		lab.first_entity[i] = n;
		n += s->entity_count;
	}
	lab.entities = realloc(lab.entities, (n + 1) * sizeof(*lab.entities));
	if (!lab.entities)
		die("memory", NULL);
	each_entity(take_entity);
	take_counters();
}

static void run_batch(uint64_t batch)
{
	static void (*const frames[])(void) = {any_frame, unmatched_frame, checksum_frames};
	uint64_t end = (batch + 1) * BATCH, before = lab.differences;
	struct chance seed = {lab.seed ^ batch << 20};

	lab.number = batch * BATCH;
	lab.shown = false;
	memset(lab.pool, 0, sizeof(lab.pool));
	lab.chance = (struct chance){draw(&seed) ^ (uint64_t)lab.mode};
	draw_services(&lab.chance, &lab.model, lab.mode == CHECKSUMS);
	publish();
	for (unsigned int tries = 0; lab.number < end && lab.ran < lab.frames && tries < TRIES;
	     tries++) {
		frames[lab.mode]();
		if (lab.differences >= before + (lab.careful ? 1 : MAX_DIFFERENCES))
			break;
	}
	if (!lab.careful) {
		if (memcmp(lab.expected, lab.store->stats_memory, lab.store->stats_size) != 0)
			differs("this or an earlier frame of its batch moved another counter");
		each_entity(check_entity);
	}
	model_free(&lab.model);
}

static void set_up(void)
{
	struct err e;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(lab.cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("going to the CPU", NULL);
	if (store_open_private(&lab.store, &e))
		die("making the maps", &e);
	for (unsigned int i = 0; i < IFNAMES; i++)
		if (runner_open(&lab.runners[i], lab.store, ifnames[i], &e))
			die("loading the program", &e);
	lab.expected = malloc(lab.store->stats_size);
	if (!lab.expected)
		die("memory", NULL);
}

static void tear_down(void)
{
	for (unsigned int i = 0; i < IFNAMES; i++)
		runner_close(lab.runners[i]);
	store_close(lab.store);
	free(lab.expected);
	free(lab.entities);
}

static void summary(double seconds)
{
	printf("%llu frames, %llu differences, %.0f frames/s, seed %llu\n",
	       (unsigned long long)lab.ran, (unsigned long long)lab.differences,
	       (double)lab.ran / seconds, (unsigned long long)lab.seed);
	for (unsigned int r = 0; r < MANGLE_REASON_COUNT; r++)
		for (unsigned int v = 0; v < MANGLE_VERDICT_COUNT; v++)
			if (lab.reasons[r][v])
				printf("reason %s %s %llu\n", reason_names[r], verdict_names[v],
				       (unsigned long long)lab.reasons[r][v]);
	for (unsigned int i = 0; i < MISS_COUNT; i++)
		if (lab.misses[i])
			printf("miss %s %llu\n", miss_names[i], (unsigned long long)lab.misses[i]);
	if (lab.mode == CHECKSUMS)
		printf("checksums right %llu\nchecksums wrong %llu\nchecksums unfinished %llu\n",
		       (unsigned long long)lab.right, (unsigned long long)lab.wrong,
		       (unsigned long long)lab.unfinished);
	printf("larger than one buffer %llu\n", (unsigned long long)lab.multi_buffer);
}

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (!*text || *end) {
		fprintf(stderr, "diff: %s: not a number\n", text);
		exit(2);
	}
	return n;
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"mode", required_argument, NULL, 'm'},	  {"frames", required_argument, NULL, 'f'},
		{"seed", required_argument, NULL, 's'},	  {"cpu", required_argument, NULL, 'c'},
		{"replay", required_argument, NULL, 'r'}, {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			while (strcmp(optarg, mode_names[lab.mode]) != 0) {
				if (++lab.mode > CHECKSUMS) {
					fprintf(stderr, "diff: %s: no such mode\n", optarg);
					exit(2);
				}
			}
			break;
		case 'f': lab.frames = number(optarg); break;
		case 's': lab.seed = number(optarg); break;
		case 'c': lab.cpu = (unsigned int)number(optarg); break;
		case 'r': lab.replay = (int64_t)number(optarg); break;
		default: exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct timespec from, to;

	lab.frames = 1000000;
	lab.seed = 1;
	lab.replay = -1;
	read_options(argc, argv);
	set_up();
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (lab.replay >= 0) {
		run_batch((uint64_t)lab.replay / BATCH);
	}
	for (uint64_t batch = 0; lab.replay < 0 && lab.ran < lab.frames; batch++) {
		uint64_t before = lab.differences;

		run_batch(batch);
		if (lab.differences == before)
			continue;
		lab.careful = true;
		lab.frames = UINT64_MAX;
		run_batch(batch);
		break;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	summary((double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	tear_down();
	return lab.differences ? 1 : 0;
}
