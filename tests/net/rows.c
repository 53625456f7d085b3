/* Asks the attached program for every row of a table, and for tags that are nearly one.
 *
 *   rows PROGRAM-ID PORT OFFSET LENGTH MIN MAX INVALID UNKNOWN
 *
 * PROGRAM-ID is what the device runs; the rest is the one service that is judged: its port, where
 * the tag lies, its payload sizes, and its policies (`drop`, `pass`, UNKNOWN also a port). Every
 * frame is built and judged here, from the order of tests alone: BPF_PROG_RUN, once for each frame,
 * on every CPU by a thread of its own, since each CPU may have a table of its own.
 *
 * Commands come by standard input, a line each; each answers with one line of JSON.
 *   table FILE          from now on the table should be this (`TAG TARGET [MIN:MAX]`, tags 0x…);
 *                       counters of rows that are in both go on
 *   set TAG TARGET [MIN:MAX]   and   del TAG…       the same of single rows
 *   run NEIGHBOURS      every row on every CPU, and for every row so many tags that are near it
 *                       and not in the table; `all`: all near ones, on every CPU
 *   once NEIGHBOURS     the same, every row on one CPU only, the CPUs in turn
 *   every               every tag there can be (LENGTH 1 and 2)
 *   file FILE           every tag of FILE, in the table or not
 *   list FILE           judges the output of `map list -j`: rows, targets, counters
 *   header              of the table in the pinned maps: what its hash is, and its memory
 *   collide COUNT PLACE tags that never were in the table and belong to one bucket, PLACE being
 *                       `first`, `middle` or `last`
 *   storm PORT CLASSES GENERATIONS   row i of generation g leads to PORT + g mod GENERATIONS *
 *                       CLASSES + i mod CLASSES; from now on every CPU runs all rows in turn,
 *                       beginning with generation 0, until `stop`; `begin` and `done` stand around
 *                       every change to the next one, which every CPU is given the time to see
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../maps/hash.h" /* for `header` and `collide` only */

#define INNER_PINS "/sys/fs/bpf/mangle/inner"

enum { MAX_CPUS = 4, MAX_LENGTH = 16, FRAME = 1600, SPREAD = 97, SHOWN = 4, NEAR = 12 };

enum action { TO_PORT, DROP, PASS };
enum reason { REWRITTEN, UNKNOWN, TOO_SHORT, TOO_LONG, ENTITY_DROP, ENTITY_PASS, REASONS };
static const char *const reason_name[] = {"rewritten", "unknown_tag", "too_short",
					  "too_long",  "entity_drop", "entity_pass"};

struct target {
	enum action action;
	uint16_t port;
};

struct row {
	uint8_t tag[MAX_LENGTH];
	struct target target;
	bool live, window;
	uint16_t min, max;
	uint64_t packets, bytes;
	bool listed;
};

/* The service. */
static int program, service_port, offset, length, size_min, size_max;
static struct target invalid, unknown;

/* The table: rows in the order of their coming, and a hash of their numbers + 1. */
static struct row *rows;
static uint32_t row_count, row_room;
static uint32_t *place;
static uint32_t place_mask;

static int cpus[MAX_CPUS], cpu_count;

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* ---- the table as it should be ------------------------------------------------------------ */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint64_t tag_hash(const uint8_t *tag)
{
	uint64_t w[2];

	memcpy(w, tag, sizeof(w));
	return mix(w[0] + mix(w[1] + 0x9e3779b97f4a7c15ULL));
}

/* The row of a tag, deleted or not; NULL: there never was one. */
static struct row *find(const uint8_t *tag)
{
	for (uint64_t i = tag_hash(tag);; i++) {
		uint32_t n = place_mask ? place[i & place_mask] : 0;

		if (!n)
			return NULL;
		if (!memcmp(rows[n - 1].tag, tag, MAX_LENGTH))
			return &rows[n - 1];
	}
}

static struct row *add(const uint8_t *tag)
{
	uint64_t at;

	if (row_count == row_room) {
		row_room = row_room ? 2 * row_room : 1024;
		rows = realloc(rows, row_room * sizeof(*rows));
		free(place);
		place_mask = 4 * row_room - 1;
		place = calloc(place_mask + 1ULL, sizeof(*place));
		if (!rows || !place)
			die("memory");
		for (uint32_t n = 0; n < row_count; n++) {
			for (at = tag_hash(rows[n].tag); place[at & place_mask]; at++)
				;
			place[at & place_mask] = n + 1;
		}
	}
	rows[row_count] = (struct row){0};
	memcpy(rows[row_count].tag, tag, MAX_LENGTH);
	for (at = tag_hash(tag); place[at & place_mask]; at++)
		;
	place[at & place_mask] = ++row_count;
	return &rows[row_count - 1];
}

static void parse_tag(const char *text, uint8_t tag[MAX_LENGTH])
{
	memset(tag, 0, MAX_LENGTH);
	if (strncmp(text, "0x", 2) || strspn(text + 2, "0123456789abcdef") != 2 * (size_t)length)
		die("not a tag of %d bytes: %.40s", length, text);
	for (int i = 0; i < length; i++) {
		int hi = text[2 + 2 * i], lo = text[3 + 2 * i];

		tag[i] = (uint8_t)((hi <= '9' ? hi - '0' : hi - 'a' + 10) << 4 |
				   (lo <= '9' ? lo - '0' : lo - 'a' + 10));
	}
}

static void tag_text(const uint8_t *tag, char text[2 * MAX_LENGTH + 3])
{
	text += sprintf(text, "0x");
	for (int i = 0; i < length; i++)
		text += sprintf(text, "%02x", tag[i]);
}

static struct target parse_target(const char *text)
{
	if (!strncmp(text, "drop", 4))
		return (struct target){.action = DROP};
	if (!strncmp(text, "pass", 4))
		return (struct target){.action = PASS};
	return (struct target){.action = TO_PORT, .port = (uint16_t)atoi(text)};
}

/* `TAG TARGET [MIN:MAX]`; where `keep`, no window means: as before. */
static void set(char *line, bool keep)
{
	char *tag_word = strtok(line, " \n"), *target = strtok(NULL, " \n"),
	     *size = strtok(NULL, " \n");
	uint8_t tag[MAX_LENGTH];
	struct row *r;

	if (!tag_word || !target)
		die("not a row: %s", line);
	parse_tag(tag_word, tag);
	r = find(tag);
	if (!r)
		r = add(tag);
	if (!r->live) { /* a deleted row that comes again begins at 0 */
		memset(r, 0, sizeof(*r));
		memcpy(r->tag, tag, sizeof(tag));
	}
	r->live = true;
	r->target = parse_target(target);
	if (size || !keep)
		r->window = size;
	if (size && sscanf(size, "%hu:%hu", &r->min, &r->max) != 2)
		die("not a size: %s", size);
}

static void load(const char *path)
{
	struct row *old = rows;
	uint32_t *old_place = place, old_mask = place_mask;
	char line[256];
	FILE *f = fopen(path, "r");

	if (!f)
		die("%s: %s", path, strerror(errno));
	rows = NULL;
	place = NULL;
	row_count = row_room = place_mask = 0;
	while (fgets(line, sizeof(line), f)) {
		struct row *r;
		uint64_t i;

		set(line, false);
		r = &rows[row_count - 1];
		for (i = tag_hash(r->tag); old_mask && old_place[i & old_mask]; i++) {
			const struct row *was = &old[old_place[i & old_mask] - 1];

			if (memcmp(was->tag, r->tag, MAX_LENGTH))
				continue;
			r->packets = was->live ? was->packets : 0;
			r->bytes = was->live ? was->bytes : 0;
			break;
		}
	}
	fclose(f);
	free(old);
	free(old_place);
}

/* ---- frames ------------------------------------------------------------------------------- */

static uint32_t sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (n & 1)
		sum += (uint32_t)(p[n - 1] << 8);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

struct frame {
	uint8_t bytes[FRAME];
	size_t len, l4;
	bool six, no_csum;
};

/* The checksum over the whole packet, as its ports are now. */
static void checksum(struct frame *f)
{
	size_t l4_len = f->len - f->l4;
	uint8_t *udp = f->bytes + f->l4;
	uint32_t sum;

	put16(udp + 6, 0);
	if (f->no_csum)
		return;
	sum = f->six ? sum16(udp - 32, 32, 0) : sum16(udp - 8, 8, 0);
	sum = sum16(udp, l4_len, sum + 17 + (uint32_t)l4_len);
	sum = (uint16_t)~fold(sum);
	put16(udp + 6, sum ? sum : 0xffff);
}

static void port_to(struct frame *f, uint16_t port)
{
	put16(f->bytes + f->l4 + 2, port);
	checksum(f);
}

/* A datagram of so many bytes of payload with the tag in its place. What else is in it depends on
 * the tag: IPv4 or IPv6, and bytes around the tag that are noise. */
static void build(struct frame *f, const uint8_t *tag, int size, uint64_t sequence)
{
	uint64_t noise = mix(tag_hash(tag) + (uint64_t)size) | 1;
	uint8_t *p = f->bytes;
	int at = offset < 0 ? size + offset : offset;

	f->six = noise >> 63;
	f->no_csum = !f->six && !(noise >> 60 & 7);
	memcpy(p, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
	p += 14;
	if (f->six) {
		put16(p - 2, 0x86dd);
		memset(p, 0, 40);
		p[0] = 0x60;
		put16(p + 4, (unsigned int)(8 + size));
		p[6] = 17;
		p[7] = 64;
		memcpy(p + 8, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16);
		memcpy(p + 24, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\x9", 16);
		p += 40;
	} else {
		put16(p - 2, 0x0800);
		memset(p, 0, 20);
		p[0] = 0x45;
		put16(p + 2, (unsigned int)(28 + size));
		p[8] = 64;
		p[9] = 17;
		memcpy(p + 12, "\xc6\x33\x64\7\xc0\0\2\x9", 8);
		put16(p + 10, (uint16_t)~fold(sum16(p, 20, 0)));
		p += 20;
	}
	f->l4 = (size_t)(p - f->bytes);
	put16(p, 40000 + (unsigned int)(sequence & 0xfff));
	put16(p + 2, (unsigned int)service_port);
	put16(p + 4, (unsigned int)(8 + size));
	p += 8;
	for (int i = 0; i < size; i += 8) { /* the frame has room behind it */
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		memcpy(p + i, &noise, 8);
	}
	memcpy(p + at, tag, (size_t)length);
	f->len = (size_t)(p + size - f->bytes);
	checksum(f);
}

/* ---- running ------------------------------------------------------------------------------ */

/* What one thread has seen. */
struct tally {
	uint64_t packets[REASONS], bytes[REASONS], wrong;
	char shown[SHOWN][200];
};

static void complain(struct tally *t, const uint8_t *tag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void complain(struct tally *t, const uint8_t *tag, const char *fmt, ...)
{
	if (t->wrong < SHOWN) {
		char *text = t->shown[t->wrong], name[2 * MAX_LENGTH + 3];
		va_list ap;
		int n;

		tag_text(tag, name);
		n = sprintf(text, "%s: ", name);
		va_start(ap, fmt);
		vsnprintf(text + n, sizeof(t->shown[0]) - (size_t)n, fmt, ap);
		va_end(ap);
	}
	t->wrong++;
}

/* Runs the frame once; what comes out is in `out`. Returns the XDP action. */
static int run_once(const struct frame *in, struct frame *out)
{
	union bpf_attr attr = {0};

	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uintptr_t)in->bytes;
	attr.test.data_size_in = (uint32_t)in->len;
	attr.test.data_out = (uintptr_t)out->bytes;
	attr.test.data_size_out = sizeof(out->bytes);
	attr.test.repeat = 1;
	while (bpf(BPF_PROG_TEST_RUN, &attr))
		if (errno != EINTR && errno != EAGAIN)
			die("BPF_PROG_RUN: %s", strerror(errno));
	out->len = attr.test.data_size_out;
	return (int)attr.test.retval;
}

static bool same(const struct frame *a, const struct frame *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

/* Runs a frame with this tag and judges what comes out: `to` is what should become of it. Returns
 * the frame's length. */
static size_t ask(struct tally *t, const uint8_t *tag, int size, enum reason reason,
		  struct target to)
{
	struct frame in, out;
	int action;

	build(&in, tag, size, 0);
	action = run_once(&in, &out);
	t->packets[reason]++;
	t->bytes[reason] += in.len;
	if (to.action == TO_PORT)
		port_to(&in, to.port);
	if (action != (to.action == DROP ? XDP_DROP : XDP_PASS))
		complain(t, tag, "%d bytes, should be %s: XDP action %d", size, reason_name[reason],
			 action);
	else if (!same(&in, &out))
		complain(t, tag, "%d bytes, should be %s to %d: came out on %d, %s", size,
			 reason_name[reason], to.action == TO_PORT ? to.port : service_port,
			 out.bytes[in.l4 + 2] << 8 | out.bytes[in.l4 + 3],
			 out.len != in.len ? "another length" : "the same length");
	return in.len;
}

static void ask_row(struct tally *t, struct row *r, int size)
{
	const enum reason by_action[] = {
		[TO_PORT] = REWRITTEN, [DROP] = ENTITY_DROP, [PASS] = ENTITY_PASS};
	enum reason reason = by_action[r->target.action];
	struct target to = r->target;

	if (r->window && (size < r->min || size > r->max)) {
		reason = size < r->min ? TOO_SHORT : TOO_LONG;
		to = invalid;
	}
	__atomic_fetch_add(&r->packets, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->bytes, ask(t, r->tag, size, reason, to), __ATOMIC_RELAXED);
}

static int any_size(const uint8_t *tag)
{
	return size_min + (int)((tag_hash(tag) >> 20) % SPREAD);
}

/* One frame for every row; three for one that has a window, at and beyond its bounds. */
static void ask_whole_row(struct tally *t, struct row *r)
{
	if (!r->window) {
		ask_row(t, r, any_size(r->tag));
		return;
	}
	ask_row(t, r, r->tag[0] & 1 ? r->min : r->max);
	if (r->min > size_min)
		ask_row(t, r, r->min - 1);
	if (r->max < size_max)
		ask_row(t, r, r->max + 1);
}

static void ask_absent(struct tally *t, const uint8_t *tag)
{
	const struct row *r = find(tag);

	if (!r || !r->live)
		ask(t, tag, any_size(tag), UNKNOWN, unknown);
}

static void ask_either(struct tally *t, const uint8_t *tag)
{
	struct row *r = find(tag);

	if (r && r->live)
		ask_whole_row(t, r);
	else
		ask_absent(t, tag);
}

/* The n-th of the tags that are near one: 0 … NEAR - 1, then every one that differs in one bit. */
static void near(uint8_t out[MAX_LENGTH], const uint8_t *tag, int n)
{
	int last = length - 1, half = length / 2;

	memcpy(out, tag, MAX_LENGTH);
	switch (n) {
	case 0: out[tag_hash(tag) % (uint64_t)length] ^= 1 << (tag_hash(tag) >> 32 & 7); break;
	case 1: out[last]++; break;
	case 2: out[0]++; break;
	case 3: /* its end, then zeros: "0" in place of what lies before it */
		memmove(out, tag + 1, (size_t)last);
		out[last] = 0;
		break;
	case 4:
		memmove(out + 1, tag, (size_t)last);
		out[0] = 0;
		break;
	case 5:
		for (int i = 0; i < length; i++)
			out[i] = tag[last - i];
		break;
	case 6: memset(out + half, 0, (size_t)(length - half)); break;
	case 7: memset(out, 0, (size_t)half); break;
	case 8: /* halves change places */
		memcpy(out, tag + half, (size_t)(length - half));
		memcpy(out + length - half, tag, (size_t)half);
		break;
	case 9: /* the highest bit of each half: what carries out of sums */
		out[length > 8 ? 7 : last] ^= 0x80;
		if (length > 8)
			out[last] ^= 0x80;
		break;
	case 10: memset(out, 0, (size_t)length); break;
	case 11: memset(out, 0xff, (size_t)length); break;
	default: out[(n - NEAR) / 8] ^= (uint8_t)(1 << ((n - NEAR) & 7)); break;
	}
}

/* What the threads of a command share. */
struct job {
	void (*work)(struct tally *t, uint32_t i, int thread);
	uint32_t count;
};
struct worker {
	pthread_t id;
	int number;
	const struct job *job;
	struct tally tally;
	/* storm */
	uint64_t frames, missed, mixed, turns;
};
static struct worker workers[MAX_CPUS];

static int neighbours;			 /* of `run` and `once`; -1: all */
static bool in_turn;			 /* `once` */
static uint8_t (*file_tags)[MAX_LENGTH]; /* of `file` */

static void work_run(struct tally *t, uint32_t i, int thread)
{
	uint8_t tag[MAX_LENGTH];
	int all = NEAR + 8 * length, n = neighbours < 0 ? all : neighbours;

	if (!rows[i].live)
		return;
	if (!in_turn || i % (uint32_t)cpu_count == (uint32_t)thread)
		ask_whole_row(t, &rows[i]);
	for (int k = 0; k < n; k++) {
		if (neighbours >= 0 && (i + (uint32_t)k) % (uint32_t)cpu_count != (uint32_t)thread)
			continue;
		near(tag, rows[i].tag, neighbours < 0 ? k : (int)((i + (uint32_t)k) % NEAR));
		ask_absent(t, tag);
	}
}

static void work_every(struct tally *t, uint32_t i, int thread)
{
	uint8_t tag[MAX_LENGTH] = {(uint8_t)i, (uint8_t)(i >> 8)};

	(void)thread;
	ask_either(t, tag);
}

static void work_file(struct tally *t, uint32_t i, int thread)
{
	(void)thread;
	ask_either(t, file_tags[i]);
}

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("sched_setaffinity: %s", strerror(errno));
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	pin(cpus[w->number]);
	for (uint32_t i = 0; i < w->job->count; i++)
		w->job->work(&w->tally, i, w->number);
	return NULL;
}

static void print_tallies(const char *more)
{
	uint64_t frames = 0, wrong = 0;
	int shown = 0;

	printf("{\"reasons\": {");
	for (int r = 0; r < REASONS; r++) {
		uint64_t packets = 0, bytes = 0;

		for (int i = 0; i < cpu_count; i++) {
			packets += workers[i].tally.packets[r];
			bytes += workers[i].tally.bytes[r];
		}
		if (packets)
			printf("%s\"%s\": [%llu, %llu]", frames ? ", " : "", reason_name[r],
			       (unsigned long long)packets, (unsigned long long)bytes);
		frames += packets;
	}
	printf("}, \"shown\": [");
	for (int i = 0; i < cpu_count; i++) {
		const struct tally *t = &workers[i].tally;

		for (uint64_t n = 0; n < t->wrong && n < SHOWN; n++)
			printf("%s\"cpu %d: %s\"", shown++ ? ", " : "", cpus[i], t->shown[n]);
		wrong += t->wrong;
	}
	printf("], \"frames\": %llu, \"wrong\": %llu%s}\n", (unsigned long long)frames,
	       (unsigned long long)wrong, more);
}

static void start(const struct job *job, void *(*entry)(void *))
{
	memset(workers, 0, sizeof(workers));
	for (int i = 0; i < cpu_count; i++) {
		workers[i].number = i;
		workers[i].job = job;
		if (pthread_create(&workers[i].id, NULL, entry, &workers[i]))
			die("no thread");
	}
}

static void join(void)
{
	for (int i = 0; i < cpu_count; i++)
		pthread_join(workers[i].id, NULL);
}

static void on_every_cpu(void (*work)(struct tally *t, uint32_t i, int thread), uint32_t count)
{
	const struct job job = {work, count};

	start(&job, worker_main);
	join();
	print_tallies("");
}

static void run_file(const char *path)
{
	uint32_t count = 0;
	char line[256];
	FILE *f = fopen(path, "r");

	if (!f)
		die("%s: %s", path, strerror(errno));
	for (uint32_t room = 0; fgets(line, sizeof(line), f); count++) {
		if (count == room) {
			room = room ? 2 * room : 1024;
			file_tags = realloc(file_tags, room * sizeof(*file_tags));
			if (!file_tags)
				die("memory");
		}
		line[strcspn(line, " \n")] = '\0';
		parse_tag(line, file_tags[count]);
	}
	fclose(f);
	on_every_cpu(work_file, count);
	free(file_tags);
	file_tags = NULL;
}

/* ---- storm -------------------------------------------------------------------------------- */

static struct {
	int port, classes, generations;
	/* Packets that begin now see at least `least`, those that end now at most `most`. */
	uint32_t least, most;
	bool stop;
} storm;

static void *storm_main(void *arg)
{
	struct worker *w = arg;
	uint32_t seen = 0; /* generation of the last packet */
	uint64_t sequence = 0;

	pin(cpus[w->number]);
	while (!__atomic_load_n(&storm.stop, __ATOMIC_ACQUIRE)) {
		for (uint32_t i = 0; i < row_count; i++) {
			struct row *r = &rows[i];
			uint32_t least, most, g;
			struct frame in, out;
			int action, port;

			if (!r->live)
				continue;
			if (sequence % 64 == 0) /* the tool wants a CPU too */
				usleep(50);
			build(&in, r->tag, any_size(r->tag), sequence++);
			least = __atomic_load_n(&storm.least, __ATOMIC_SEQ_CST);
			action = run_once(&in, &out);
			most = __atomic_load_n(&storm.most, __ATOMIC_SEQ_CST);
			port = out.bytes[in.l4 + 2] << 8 | out.bytes[in.l4 + 3];
			w->tally.packets[REWRITTEN]++;
			w->tally.bytes[REWRITTEN] += in.len;
			__atomic_fetch_add(&w->frames, 1, __ATOMIC_RELEASE);
			__atomic_fetch_add(&r->packets, 1, __ATOMIC_RELAXED);
			__atomic_fetch_add(&r->bytes, in.len, __ATOMIC_RELAXED);
			if (action != XDP_PASS || port == service_port) {
				w->missed++;
				complain(&w->tally, r->tag, "missed: XDP action %d, port %d",
					 action, port);
				continue;
			}
			/* The generation that the port tells: one of those there can be now, and
			 * none before what this CPU saw last. */
			if (least < seen)
				least = seen;
			for (g = least; g <= most; g++)
				if (port ==
				    storm.port +
					    (int)(g % (uint32_t)storm.generations) * storm.classes +
					    (int)(i % (uint32_t)storm.classes))
					break;
			port_to(&in, (uint16_t)port);
			if (g > most || !same(&in, &out)) {
				w->mixed++;
				complain(&w->tally, r->tag,
					 "mixed: port %d, row %u, generation %u last, %u to %u "
					 "possible",
					 port, i, seen, least, most);
				continue;
			}
			w->turns += g != seen;
			seen = g;
		}
	}
	return NULL;
}

/* Every CPU has run so many frames more. */
static void storm_wait(uint64_t frames)
{
	for (int i = 0; i < cpu_count; i++) {
		uint64_t before = __atomic_load_n(&workers[i].frames, __ATOMIC_ACQUIRE);

		while (__atomic_load_n(&workers[i].frames, __ATOMIC_ACQUIRE) - before < frames)
			usleep(100);
	}
}

static void storm_stop(void)
{
	uint64_t missed = 0, mixed = 0, turns = 0;
	char more[128];

	storm_wait(row_count + 1);
	__atomic_store_n(&storm.stop, true, __ATOMIC_RELEASE);
	join();
	for (int i = 0; i < cpu_count; i++) {
		missed += workers[i].missed;
		mixed += workers[i].mixed;
		turns += workers[i].turns;
	}
	sprintf(more, ", \"missed\": %llu, \"mixed\": %llu, \"turns\": %llu, \"cpus\": %d",
		(unsigned long long)missed, (unsigned long long)mixed, (unsigned long long)turns,
		cpu_count);
	print_tallies(more);
}

/* ---- what `map list -j` says -------------------------------------------------------------- */

static const char *skip_blank(const char *p)
{
	return p + strspn(p, " \t\r\n,:");
}

/* Behind the value that begins here. */
static const char *skip_value(const char *p)
{
	int depth = 0;

	do {
		if (*p == '"') {
			for (p++; *p && *p != '"'; p++)
				p += *p == '\\';
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if (*p == '}' || *p == ']') {
			depth--;
		} else if (!depth) {
			return p + strcspn(p, ",}] \n");
		}
		if (!*p)
			die("map list: JSON ends too early");
		p++;
	} while (depth);
	return p;
}

struct listed {
	const char *tag, *target, *size, *packets, *bytes, *last_seen;
};

/* A number of an object. */
static unsigned long member(const char *object, const char *key)
{
	const char *p = strstr(object, key);

	return p ? strtoul(skip_blank(p + strlen(key)), NULL, 10) : 0;
}

static void judge_listed(struct tally *t, const struct listed *l)
{
	uint8_t tag[MAX_LENGTH];
	struct row *r;
	struct target target;
	unsigned long min = 0, max = 0;
	bool window;

	if (!l->tag || !l->target || !l->size || !l->packets || !l->bytes || !l->last_seen)
		die("map list: a row without all of its keys");
	parse_tag(l->tag + 1, tag);
	r = find(tag);
	if (!r || !r->live || r->listed) {
		complain(t, tag, r && r->listed ? "listed twice" : "listed, and not in the table");
		return;
	}
	r->listed = true;
	target = parse_target(l->target + (*l->target == '"'));
	window = *l->size == '{';
	if (window) {
		min = member(l->size, "\"min\"");
		max = member(l->size, "\"max\"");
	}
	if (target.action != r->target.action || target.port != r->target.port)
		complain(t, tag, "listed with target %.6s", l->target);
	else if (window != r->window || (window && (min != r->min || max != r->max)))
		complain(t, tag, "listed with size %.24s", l->size);
	else if (strtoull(l->packets, NULL, 10) != r->packets ||
		 strtoull(l->bytes, NULL, 10) != r->bytes)
		complain(t, tag, "%llu packets, %llu bytes counted, should be %llu, %llu",
			 strtoull(l->packets, NULL, 10), strtoull(l->bytes, NULL, 10),
			 (unsigned long long)r->packets, (unsigned long long)r->bytes);
	else if ((*l->last_seen == 'n') != !r->packets)
		complain(t, tag, "last seen %.12s after %llu packets", l->last_seen,
			 (unsigned long long)r->packets);
}

static void list(const char *path)
{
	struct tally t = {0};
	struct stat st;
	int fd = open(path, O_RDONLY);
	const char *p, *text;

	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	/* Anonymous memory behind it, so that the text ends with a NUL whatever its length. */
	text = mmap(NULL, (size_t)st.st_size + 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED ||
	    (st.st_size && mmap((void *)text, (size_t)st.st_size, PROT_READ,
				MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED))
		die("mmap: %s", strerror(errno));
	for (uint32_t i = 0; i < row_count; i++)
		rows[i].listed = false;
	p = skip_blank(text);
	if (*p++ != '[')
		die("map list: no array");
	for (p = skip_blank(p); *p == '{'; p = skip_blank(p)) {
		struct listed l = {0};

		for (p = skip_blank(p + 1); *p == '"'; p = skip_blank(p)) {
			const struct {
				const char *name, **value;
			} keys[] = {{"\"tag\"", &l.tag},     {"\"target\"", &l.target},
				    {"\"size\"", &l.size},   {"\"packets\"", &l.packets},
				    {"\"bytes\"", &l.bytes}, {"\"last_seen\"", &l.last_seen}};
			const char *key = p;

			p = skip_blank(skip_value(p));
			for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
				if (!strncmp(key, keys[k].name, strlen(keys[k].name)))
					*keys[k].value = p;
			p = skip_value(p);
		}
		if (*p++ != '}')
			die("map list: not an object");
		judge_listed(&t, &l);
	}
	if (*p != ']')
		die("map list: the array does not end");
	for (uint32_t i = 0; i < row_count; i++)
		if (rows[i].live && !rows[i].listed)
			complain(&t, rows[i].tag, "not listed");
	munmap((void *)text, (size_t)st.st_size + 4096);
	close(fd);
	memset(workers, 0, sizeof(workers));
	workers[0].tally = t;
	print_tallies("");
}

/* ---- what its hash is --------------------------------------------------------------------- */

static struct mangle_table_header header;
static uint64_t map_bytes;

/* The header of the one pinned table with tags of this length. */
static void read_header(void)
{
	DIR *dir = opendir(INNER_PINS);
	struct dirent *entry;
	bool found = false;

	if (!dir)
		die("%s: %s", INNER_PINS, strerror(errno));
	while ((entry = readdir(dir))) {
		char path[sizeof(INNER_PINS) + sizeof(entry->d_name) + 1];
		struct mangle_table_header h;
		struct bpf_map_info info = {0};
		union bpf_attr attr = {0};
		uint32_t key = 0;
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		sprintf(path, INNER_PINS "/%s", entry->d_name);
		attr.pathname = (uintptr_t)path;
		fd = bpf(BPF_OBJ_GET, &attr);
		memset(&attr, 0, sizeof(attr));
		attr.info.bpf_fd = (uint32_t)fd;
		attr.info.info_len = sizeof(info);
		attr.info.info = (uintptr_t)&info;
		if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
			die("%s: %s", path, strerror(errno));
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)fd;
		attr.key = (uintptr_t)&key;
		attr.value = (uintptr_t)&h;
		if (info.value_size == sizeof(h) && !bpf(BPF_MAP_LOOKUP_ELEM, &attr) &&
		    h.magic == MANGLE_TABLE_MAGIC && h.tag_len == (uint32_t)length) {
			if (found)
				die("several tables with tags of %d bytes", length);
			header = h;
			map_bytes = (uint64_t)info.max_entries * info.value_size;
			found = true;
		}
		close(fd);
	}
	closedir(dir);
	if (!found)
		die("no pinned table with tags of %d bytes", length);
}

static void print_header(void)
{
	read_header();
	printf("{\"buckets\": %u, \"seed\": %llu, \"bytes\": %llu}\n", header.buckets,
	       (unsigned long long)header.seed, (unsigned long long)map_bytes);
}

static void collide(uint32_t count, const char *where)
{
	static uint64_t state = 1;
	uint32_t bucket, found = 0;

	read_header();
	bucket = !strcmp(where, "first")  ? 0
		 : !strcmp(where, "last") ? header.buckets - 1
					  : header.buckets / 2;
	printf("[");
	for (uint64_t tried = 0; found < count && tried < 1ULL << 30; tried++) {
		uint64_t w[2] = {mix(state += 0x9e3779b97f4a7c15ULL), mix(~state)};
		uint8_t tag[MAX_LENGTH] = {0};
		char text[2 * MAX_LENGTH + 3];

		memcpy(tag, w, (size_t)length);
		memcpy(w, tag, sizeof(w));
		if (mangle_bucket_of(w[0], w[1], header.seed, header.buckets) != bucket ||
		    find(tag))
			continue;
		add(tag); /* as a deleted row: not to be found a second time */
		tag_text(tag, text);
		printf("%s\"%s\"", found++ ? ", " : "", text);
	}
	printf("]\n");
}

/* ---- commands ----------------------------------------------------------------------------- */

static void del(char *words)
{
	for (char *word = strtok(words, " \n"); word; word = strtok(NULL, " \n")) {
		uint8_t tag[MAX_LENGTH];
		struct row *r;

		parse_tag(word, tag);
		r = find(tag);
		if (r)
			r->live = false;
	}
}

static void obey(char *line)
{
	size_t n = strcspn(line, " \n");
	char *rest = line + n + (line[n] == ' ');

	rest[strcspn(rest, "\n")] = '\0';
	line[n] = '\0';
	if (!strcmp(line, "table") || !strcmp(line, "set") || !strcmp(line, "del")) {
		if (*line == 't')
			load(rest);
		else if (*line == 's')
			set(rest, true);
		else
			del(rest);
		puts("{}");
	} else if (!strcmp(line, "run") || !strcmp(line, "once")) {
		in_turn = *line == 'o';
		neighbours = strcmp(rest, "all") ? atoi(rest) : -1;
		on_every_cpu(work_run, row_count);
	} else if (!strcmp(line, "every")) {
		on_every_cpu(work_every, 1u << (8 * length));
	} else if (!strcmp(line, "file")) {
		run_file(rest);
	} else if (!strcmp(line, "list")) {
		list(rest);
	} else if (!strcmp(line, "header")) {
		print_header();
	} else if (!strcmp(line, "collide")) {
		collide((uint32_t)strtoul(rest, &rest, 10), rest + 1);
	} else if (!strcmp(line, "storm")) {
		memset(&storm, 0, sizeof(storm));
		if (sscanf(rest, "%d %d %d", &storm.port, &storm.classes, &storm.generations) != 3)
			die("storm PORT CLASSES GENERATIONS");
		start(NULL, storm_main);
		storm_wait(1);
		puts("{}");
	} else if (!strcmp(line, "begin")) {
		__atomic_fetch_add(&storm.most, 1, __ATOMIC_SEQ_CST);
		puts("{}");
	} else if (!strcmp(line, "done")) {
		__atomic_fetch_add(&storm.least, 1, __ATOMIC_SEQ_CST);
		storm_wait(2); /* one may have begun before */
		puts("{}");
	} else if (!strcmp(line, "stop")) {
		storm_stop();
	} else {
		die("no such command: %s", line);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	union bpf_attr attr = {0};
	cpu_set_t allowed;
	char *line = NULL;
	size_t room = 0;

	if (argc != 9)
		die("rows PROGRAM-ID PORT OFFSET LENGTH MIN MAX INVALID UNKNOWN");
	attr.prog_id = (uint32_t)atoi(argv[1]);
	service_port = atoi(argv[2]);
	offset = atoi(argv[3]);
	length = atoi(argv[4]);
	size_min = atoi(argv[5]);
	size_max = atoi(argv[6]);
	invalid = parse_target(argv[7]);
	unknown = parse_target(argv[8]);
	program = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (program < 0)
		die("program %s: %s", argv[1], strerror(errno));
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int i = 0; i < CPU_SETSIZE && cpu_count < MAX_CPUS; i++)
		if (CPU_ISSET(i, &allowed))
			cpus[cpu_count++] = i;
	while (getline(&line, &room, stdin) > 0)
		obey(line);
	return 0;
}
