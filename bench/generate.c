// SPDX-License-Identifier: GPL-2.0-only
/* generate: sends tagged frames from the kernel, for machines without pktgen, and where tags are to
 * be more than pktgen's counters. */
#include <argp.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/ether.h>

#include "generator.h"
#include "report.h"

enum { WIRE, BATCH = 4096, EXIT_USAGE = 2 };
enum {
	OPT_DIST = 256,
	OPT_UNKNOWN,
	OPT_INVALID,
	OPT_MAC,
	OPT_VLANS,
	OPT_FLOWS,
	OPT_OFFSET,
	OPT_TABLE
};

struct wish {
	const char *dev;
	struct traffic traffic;
	__u64 count;
	double seconds, rate;
	bool table, json;
};

static volatile sig_atomic_t stopped;

static const struct argp_option options[] = {
	{"dev", 'd', "DEV", 0, "Send from this interface (needed)", 0},
	{"count", 'n', "N", 0, "Frames to send; default: until interrupted", 0},
	{"seconds", 't', "S", 0, "Stop after so long", 0},
	{"rate", 'r', "PPS", 0, "Frames a second; default: as fast as it goes", 0},
	{"size", 's', "BYTES", 0,
	 "Frame's length with FCS, from 64; default: the least that will do", 0},
	{"proto", 'p', "udp|tcp", 0, "Default: udp", 0},
	{"family", 'f', "4|6", 0, "IPv4 (default) or IPv6", 0},
	{"vlans", OPT_VLANS, "0|1|2", 0, "VLAN tags", 0},
	{"mac", OPT_MAC, "MAC", 0, "Destination MAC; default: broadcast", 0},
	{"port", 'P', "PORT", 0, "Destination port; default: 5000", 0},
	{"tag-offset", OPT_OFFSET, "BYTES", 0, "Of the 4-byte tag in the payload, even; default: 0",
	 0},
	{"entities", 'e', "N", 0, "Number of tags; default: 1", 0},
	{"dist", OPT_DIST, "uniform|turn|one|zipf[:S]", 0,
	 "How tags are drawn; default: uniform. zipf: exponent S, 1", 0},
	{"unknown", OPT_UNKNOWN, "PERCENT", 0, "Frames whose tag no entity has", 0},
	{"invalid", OPT_INVALID, "PERCENT", 0,
	 "UDP: frames with a payload of 2 bytes; TCP: with a header too long", 0},
	{"numbered", 'q', NULL, 0,
	 "A sequence number, 4 bytes in network byte order, behind the tag", 0},
	{"flows", OPT_FLOWS, NULL, 0, "A source port for each entity, not one for all", 0},
	{"json", 'j', NULL, 0, "Say the result as JSON", 0},
	{"table", OPT_TABLE, NULL, 0,
	 "Send nothing; print the entities for `mangle-ctl map replace`", 0},
	{0},
};

/* The whole of TEXT is a number from LOW to HIGH. */
static double number(struct argp_state *state, const char *what, const char *text, double low,
		     double high)
{
	char *end;
	const double value = strtod(text, &end);

	if (end == text || *end || !(value >= low && value <= high))
		argp_error(state, "%s %s: a number from %.0f to %.0f is wanted", what, text, low,
			   high);
	return value;
}

static void choose(struct argp_state *state, struct traffic *t, const char *text)
{
	if (!strcmp(text, "uniform"))
		t->pick = DRAW_UNIFORM;
	else if (!strcmp(text, "turn"))
		t->pick = DRAW_IN_TURN;
	else if (!strcmp(text, "one"))
		t->pick = DRAW_ONE;
	else if (!strncmp(text, "zipf", 4) && (!text[4] || text[4] == ':')) {
		t->pick = DRAW_TABLE;
		t->zipf = text[4] ? number(state, "zipf's exponent", text + 5, 0, 10) : 1;
	} else {
		argp_error(state, "distribution %s: uniform, turn, one, zipf or zipf:S is wanted",
			   text);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct wish *w = state->input;
	struct traffic *t = &w->traffic;
	const struct ether_addr *mac;

	switch (key) {
	case 'd': w->dev = arg; break;
	case 'n': w->count = number(state, "count", arg, 1, 1e15); break;
	case 't': w->seconds = number(state, "seconds", arg, 0, 1e9); break;
	case 'r': w->rate = number(state, "rate", arg, 1, 1e9); break;
	case 's':
		t->frame.len = number(state, "size", arg, FRAME_LEN + 4, FRAME_MAX_LEN + 4) - 4;
		break;
	case 'p':
		if (strcmp(arg, "udp") && strcmp(arg, "tcp"))
			argp_error(state, "protocol %s: udp or tcp is wanted", arg);
		t->frame.tcp = arg[0] == 't';
		break;
	case 'f':
		if (strcmp(arg, "4") && strcmp(arg, "6"))
			argp_error(state, "family %s: 4 or 6 is wanted", arg);
		t->frame.family = arg[0] - '0';
		break;
	case OPT_VLANS: t->frame.vlans = number(state, "VLAN tags", arg, 0, 2); break;
	case OPT_MAC:
		mac = ether_aton(arg);
		if (!mac)
			argp_error(state,
				   "MAC %s: six bytes, such as 02:00:00:00:00:01, are wanted", arg);
		else
			memcpy(t->frame.dst_mac, mac, 6);
		break;
	case 'P': t->port = number(state, "port", arg, 1, 65535); break;
	case OPT_OFFSET:
		t->frame.tag_offset = number(state, "tag offset", arg, 0, FRAME_MAX_LEN);
		if (t->frame.tag_offset & 1)
			argp_error(state, "tag offset %s: an even number is wanted", arg);
		break;
	case 'e': t->entities = number(state, "entities", arg, 1, 1e9); break;
	case OPT_DIST: choose(state, t, arg); break;
	case OPT_UNKNOWN: t->unknown = number(state, "percent", arg, 0, 100) / 100; break;
	case OPT_INVALID: t->invalid = number(state, "percent", arg, 0, 100) / 100; break;
	case 'q': t->numbered = true; break;
	case OPT_FLOWS: t->flow_each = true; break;
	case 'j': w->json = true; break;
	case OPT_TABLE: w->table = true; break;
	case ARGP_KEY_ARG: argp_error(state, "%s: no arguments are wanted", arg); break;
	case ARGP_KEY_END:
		if (!w->dev && !w->table)
			argp_error(state, "no interface: --dev is needed");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void stop(int signal __attribute__((unused)))
{
	stopped = 1;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* How many frames there are to send at NOW, SENT having been sent since START. */
static __u32 due(const struct wish *w, __u64 sent, double since)
{
	__u64 n = w->count ? w->count - sent : BATCH;

	if (w->rate) {
		const double ahead = since * w->rate - sent;

		if (ahead < 1)
			return 0;
		if (n > ahead)
			n = ahead;
	}
	return n < BATCH ? n : BATCH;
}

static int send_all(const struct wish *w, struct generator *g)
{
	const double start = now();
	__u64 sent = 0;
	double since = 0;

	while (!stopped && (!w->count || sent < w->count) && (!w->seconds || since < w->seconds)) {
		const __u32 n = due(w, sent, since);

		if (!n)
			usleep(100);
		else if (generator_send(g, WIRE, n))
			return -1;
		sent += n;
		since = now() - start;
	}
	printf(w->json ? "{\"sent\":%llu,\"seconds\":%.6f,\"pps\":%.0f}\n"
		       : "%llu frames in %.3f s, %.0f a second\n",
	       sent, since, since ? sent / since : 0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		NULL,
		"Sends tagged Ethernet frames (BPF_PROG_RUN live frames, Linux 5.18).\v"
		"Entity I's tag and port are those that --table prints. The generator sits on lo of its "
		"network namespace while it runs. An interface takes frames if it can redirect XDP "
		"frames; of a veth pair, the other end needs an XDP program, or GRO.\n"
		"Exit status: 0 sent, 1 not, 2 wrong arguments.",
		NULL,
		NULL,
		NULL};
	struct wish w = {.traffic.frame.dst_mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct generator *g;
	int ifindex, ret;

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &w))
		return EXIT_USAGE;
	if (w.table) {
		for (__u32 i = 0; i < (w.traffic.entities ?: 1); i++)
			printf("0x%08x %u\n", ntohl(frame_tag(i)), frame_port(i));
		return ferror(stdout) | fflush(stdout) ? 1 : 0;
	}
	ifindex = if_nametoindex(w.dev);
	if (!ifindex) {
		complain("%s: send from it: %s", w.dev, strerror(errno));
		return 1;
	}
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	g = generator_open();
	ret = !g || generator_wire(g, WIRE, ifindex) || generator_traffic(g, &w.traffic) ||
	      send_all(&w, g);
	generator_close(g);
	return ret;
}
