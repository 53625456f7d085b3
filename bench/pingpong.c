// SPDX-License-Identifier: GPL-2.0-only
/*
 * pingpong: round-trip times of small datagrams over several wires, for bench/latency.
 *
 * One client and one server process serve all wires, so that these differ in nothing else. Each
 * request goes over another wire than the one before, in an order drawn anew each time: whatever
 * else the machine does meets all of them alike. A request carries its number and an entity's tag,
 * a reply must carry the same number.
 *
 *   pingpong sleep|spin TX-NETNS RX-NETNS ENTITIES REQUESTS ROUNDS PORT ADDRESS:PORT…
 *
 * The server listens on PORT. A line for each round: percentiles 50, 99 and 99.9 of each wire in
 * turn, nanoseconds. A wire may be named twice.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "frame.h"
#include "station.h"

enum { MAX_WIRES = 16, WARM_UP = 100, CLIENT_PORT = 40000, ARGS = 8 };
#define PATIENCE 2 /* seconds */

struct wire {
	const char *name;
	struct sockaddr_in to;
	__u32 *ns; /* the round's times */
};

static struct wire wires[MAX_WIRES];
static int wire_count;
/*
 * MSG_DONTWAIT: spinning. Who sleeps comes before all ordinary processes: what is asked is the way
 * of a packet, not how this machine shares its CPUs out. Who spins would starve the others.
 */
static int wait_flags;

static int bound(int port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	const struct timeval patience = {.tv_sec = PATIENCE};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("UDP socket", "bind");
	return fd;
}

static void serve(int fd)
{
	for (;;) {
		struct message m;
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		const ssize_t len = recvfrom(fd, &m, sizeof(m), wait_flags,
					     (struct sockaddr *)&from, &size);

		if (len >= 0)
			sendto(fd, &m, len, 0, (struct sockaddr *)&from, size);
	}
}

static __u32 draw(void) /* xorshift32 */
{
	static __u32 state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static __u32 round_trip(int fd, const struct wire *w, __u32 entities)
{
	static __u64 number;
	const __u32 tag = frame_tag(draw() % entities);
	struct message ping = {.tag = tag, .number = ++number}, pong = {};
	__u64 start = now(CLOCK_MONOTONIC), end;
	ssize_t len;

	if (sendto(fd, &ping, sizeof(ping), 0, (const struct sockaddr *)&w->to, sizeof(w->to)) < 0)
		die(w->name, "send");
	do {
		len = recv(fd, &pong, sizeof(pong), wait_flags);
		end = now(CLOCK_MONOTONIC);
	} while (len < 0 && wait_flags && errno == EAGAIN &&
		 end - start < PATIENCE * 1000000000ull);
	if (len < 0)
		die(w->name, "wait for a reply");
	if (len != sizeof(pong) || pong.number != number || pong.tag != tag) {
		fprintf(stderr, "pingpong: %s: the reply is not the request's\n", w->name);
		exit(1);
	}
	return end - start;
}

static int ascending(const void *a, const void *b)
{
	const __u32 x = *(const __u32 *)a, y = *(const __u32 *)b;

	return (x > y) - (x < y);
}

static void measure(int fd, __u32 entities, int requests, int rounds)
{
	int order[MAX_WIRES];

	for (int w = 0; w < wire_count; w++)
		order[w] = w;
	for (int r = 0; r < rounds; r++) {
		for (int i = r ? 0 : -WARM_UP; i < requests; i++) {
			for (int k = wire_count - 1; k > 0; k--) {
				const int other = draw() % (k + 1), was = order[k];

				order[k] = order[other];
				order[other] = was;
			}
			for (int k = 0; k < wire_count; k++) {
				const struct wire *w = &wires[order[k]];
				const __u32 ns = round_trip(fd, w, entities);

				if (i >= 0)
					w->ns[i] = ns;
			}
		}
		for (int w = 0; w < wire_count; w++) {
			__u32 *ns = wires[w].ns;

			qsort(ns, requests, sizeof(*ns), ascending);
			printf("%s%u %u %u", w ? " " : "", ns[requests / 2],
			       ns[(int)(requests * 0.99)], ns[(int)(requests * 0.999)]);
		}
		putchar('\n');
		fflush(stdout);
	}
}

static void add_wire(char *name, int requests)
{
	struct wire *w = &wires[wire_count++];
	char *colon = strchr(name, ':');

	w->name = name;
	w->to.sin_family = AF_INET;
	w->ns = calloc(requests, sizeof(*w->ns));
	if (!colon || !w->ns)
		die(name, "read");
	w->to.sin_port = htons(atoi(colon + 1));
	*colon = '\0';
	if (inet_pton(AF_INET, name, &w->to.sin_addr) != 1)
		die(name, "read");
}

int main(int argc, char **argv)
{
	int requests, fd;
	pid_t server;

	if (argc <= ARGS || argc > ARGS + MAX_WIRES) {
		fputs("usage: pingpong sleep|spin TX-NETNS RX-NETNS ENTITIES REQUESTS ROUNDS PORT "
		      "ADDRESS:PORT...\n",
		      stderr);
		return 2;
	}
	wait_flags = strcmp(argv[1], "spin") ? 0 : MSG_DONTWAIT;
	requests = atoi(argv[5]);
	for (int i = ARGS; i < argc; i++)
		add_wire(argv[i], requests);

	enter(argv[3]);
	fd = bound(atoi(argv[7]));
	server = fork();
	if (server < 0)
		die("server", "fork");
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		settle(last_cpu(), !wait_flags);
		serve(fd);
	}
	close(fd);
	enter(argv[2]);
	fd = bound(CLIENT_PORT);
	settle(other_cpu(), !wait_flags);
	measure(fd, atoi(argv[4]), requests, atoi(argv[6]));
	return 0;
}
