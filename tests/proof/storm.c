// SPDX-License-Identifier: GPL-2.0-only
/* Sends frames of any kind from the kernel (BPF_PROG_RUN live frames, Linux 5.18), as fast as it
 * goes or at a rate.
 *
 *   storm DEVICE FRAMES
 * FRAMES has a frame a line, `SET FIELDS HEX`, those of a set together; sets are numbered from 0.
 * FIELDS is `-`, or places of two bytes that differ in each frame, `26a,18A,34b`: a and b are
 * random numbers, A and B their complements. Says "ready". Then a line `SET RATE` on standard input
 * sends that set's frames in turn (RATE 0: as fast as it goes) until the next line, which may be
 * empty, or the end; and what was sent is said: {"sent", "seconds"}. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "storm.h"
#include "storm.skel.h"

enum { MAX_SETS = 64, BATCH = 2048, LOOPBACK = 1 };

static struct {
	__u32 first, count;
} sets[MAX_SETS];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void wrong(const char *line)
{
	fprintf(stderr, "no frame: %s\n", line);
	exit(1);
}

static void read_fields(struct storm_frame *f, const char *text, const char *line)
{
	static const char kinds[] = "aAbB";

	for (; *text && *text != '-'; text += *text == ',') {
		char *end;
		const unsigned long at = strtoul(text, &end, 10);
		const char *kind = *end ? strchr(kinds, *end) : NULL;

		if (!kind || at >= STORM_LEN || f->fields == STORM_FIELDS)
			wrong(line);
		f->field[f->fields++] = (struct storm_field){.at = (__u8)at,
							     .what = (__u8)(kind - kinds)};
		text = end + 1;
	}
}

static void read_frames(const char *path, int map)
{
	char line[4 * STORM_LEN], fields[64], hex[2 * STORM_LEN + 2];
	FILE *in = fopen(path, "r");
	__u32 n = 0;

	if (!in)
		die(path);
	for (; fgets(line, sizeof(line), in); n++) {
		struct storm_frame f = {0};
		unsigned int set;

		if (sscanf(line, "%u %63s %513s", &set, fields, hex) != 3 || set >= MAX_SETS ||
		    strlen(hex) > 2 * STORM_LEN || n == STORM_FRAMES)
			wrong(line);
		f.len = (__u16)(strlen(hex) / 2);
		for (int i = 0; i < f.len; i++)
			if (sscanf(hex + 2 * i, "%2hhx", &f.bytes[i]) != 1)
				wrong(line);
		read_fields(&f, fields, line);
		if (!sets[set].count++)
			sets[set].first = n;
		else if (sets[set].first + sets[set].count != n + 1)
			wrong(line);
		if (bpf_map_update_elem(map, &n, &f, BPF_ANY))
			die("frames");
	}
	fclose(in);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool another_line(void)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};

	return poll(&in, 1, 0) == 1;
}

static void send_set(struct storm *bpf, unsigned int set, double rate)
{
	static const unsigned char room[STORM_LEN];
	const double start = now();
	unsigned long long sent = 0;

	bpf->bss->first = sets[set].first;
	bpf->bss->count = sets[set].count;
	bpf->bss->next = 0;
	while (!another_line()) {
		const double due = rate > 0 ? (now() - start) * rate - (double)sent : BATCH;
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = room, .data_size_in = sizeof(room),
			    .repeat = due > BATCH ? BATCH : (int)due,
			    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

		if (opts.repeat >= 1) {
			if (bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.storm), &opts))
				die("BPF_PROG_RUN");
			sent += (unsigned int)opts.repeat;
		}
		if (rate > 0 && due < BATCH)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	printf("{\"sent\": %llu, \"seconds\": %.6f}\n", sent, now() - start);
}

int main(int argc, char **argv)
{
	const __u32 zero = 0;
	struct storm *bpf;
	char line[64];
	int ifindex;

	if (argc != 3) {
		fprintf(stderr, "storm DEVICE FRAMES\n");
		return 2;
	}
	ifindex = (int)if_nametoindex(argv[1]);
	bpf = storm__open_and_load();
	/* a program that is attached nowhere takes long to begin a run */
	if (!ifindex || !bpf || !bpf_program__attach_xdp(bpf->progs.storm, LOOPBACK) ||
	    bpf_map_update_elem(bpf_map__fd(bpf->maps.wire), &zero, &ifindex, BPF_ANY))
		die(argv[1]);
	read_frames(argv[2], bpf_map__fd(bpf->maps.frames));
	bpf->bss->state = 1;
	setvbuf(stdin, NULL, _IONBF, 0); /* poll sees what is not read yet */
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		unsigned int set;
		double rate;

		if (sscanf(line, "%u %lf", &set, &rate) != 2)
			continue;
		if (set >= MAX_SETS || !sets[set].count)
			wrong(line);
		send_set(bpf, set, rate);
	}
	return 0;
}
