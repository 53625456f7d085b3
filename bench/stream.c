// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream: a steady stream of numbered datagrams, and when each of them arrived where, for
 * bench/control.
 *
 *   stream TX-NETNS RX-NETNS ADDRESS PORT RATE ENTITIES LOG RX-PORT...
 *
 * Sends RATE datagrams a second, evenly, tagged with the first ENTITIES entities in turn, until
 * standard input ends (two minutes at most); says "ready" when it has begun. Then it writes LOG: a
 * struct record for each number, in the machine's byte order. Times are CLOCK_REALTIME in
 * nanoseconds; an arrival's is the kernel's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"
#include "station.h"

enum { SECONDS = 120, ARGS = 8, MAX_PORTS = 8, BUFFER = 64 << 20, LINGER_MS = 200 };

struct record {
	__u64 sent, arrived; /* 0: was not */
	__u16 port, times;   /* where; how often */
	__u32 zero;
};

static struct shared {
	__u64 count; /* sent so far */
	bool stopped;
	struct record records[];
} * shared;

static void sleep_until(__u64 ns)
{
	const struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* ---- the receiver, a process of its own ----------------------------------------------------- */

static int listener(int port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int size = BUFFER, on = 1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any)))
		die("UDP socket", "bind");
	return fd;
}

/* 0 where nothing waits. */
static __u64 receive(int fd, struct message *m)
{
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec part = {m, sizeof(*m)};
	struct msghdr head = {.msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control)};
	const struct cmsghdr *c;
	struct timespec t;

	if (recvmsg(fd, &head, 0) < 0)
		return 0;
	c = CMSG_FIRSTHDR(&head);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
		die("UDP socket", "no time with a datagram");
	memcpy(&t, CMSG_DATA(c), sizeof(t));
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Looks every millisecond: when a datagram arrived the kernel has noted. */
static void receive_all(const int *fds, const int *ports, int n, __u64 capacity)
{
	__u64 end = 0;

	while (!end || now(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < n; i++) {
			struct message m;
			__u64 at;

			while ((at = receive(fds[i], &m))) {
				struct record *r;

				if (m.number >= capacity)
					continue;
				r = &shared->records[m.number];
				r->arrived = at;
				r->port = ports[i];
				r->times++;
			}
		}
		if (!end && __atomic_load_n(&shared->stopped, __ATOMIC_ACQUIRE))
			end = now(CLOCK_MONOTONIC) + LINGER_MS * 1000000ull;
		sleep_until(now(CLOCK_MONOTONIC) + 1000000);
	}
}

/* ---- the sender ----------------------------------------------------------------------------- */

static bool input_ended(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) == 1;
}

static void send_all(const struct sockaddr_in *to, int rate, __u32 entities, __u64 capacity)
{
	const __u64 interval = 1000000000 / rate;
	__u64 next = now(CLOCK_MONOTONIC);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		die("UDP socket", "connect");
	for (__u64 i = 0; i % 128 || !input_ended(); i++) {
		struct message m = {.tag = frame_tag(i % entities), .number = i};

		if (i == capacity) {
			fprintf(stderr, "stream: %d seconds were not enough\n", SECONDS);
			exit(1);
		}
		shared->records[i].sent = now(CLOCK_REALTIME);
		if (send(fd, &m, sizeof(m), 0) < 0)
			die("UDP socket", "send");
		shared->count = i + 1;
		next += interval;
		sleep_until(next);
	}
}

int main(int argc, char **argv)
{
	const int n = argc - ARGS;
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fds[MAX_PORTS], ports[MAX_PORTS], rate, status;
	__u64 capacity;
	size_t size;
	pid_t receiver;
	FILE *log;

	if (n < 1 || n > MAX_PORTS) {
		fputs("usage: stream TX-NETNS RX-NETNS ADDRESS PORT RATE ENTITIES LOG RX-PORT...\n",
		      stderr);
		return 2;
	}
	rate = atoi(argv[5]);
	capacity = (__u64)rate * SECONDS;
	size = sizeof(*shared) + capacity * sizeof(*shared->records);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
		      -1, 0);
	to.sin_port = htons(atoi(argv[4]));
	if (shared == MAP_FAILED || inet_pton(AF_INET, argv[3], &to.sin_addr) != 1)
		die(argv[3], "set up");

	enter(argv[2]);
	for (int i = 0; i < n; i++) {
		ports[i] = atoi(argv[ARGS + i]);
		fds[i] = listener(ports[i]);
	}
	receiver = fork();
	if (receiver < 0)
		die("receiver", "fork");
	if (!receiver) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		settle(last_cpu(), true);
		receive_all(fds, ports, n, capacity);
		return 0;
	}
	enter(argv[1]);
	/* First: what delays a packet shall not be that its sender had no CPU. */
	settle(other_cpu(), true);
	puts("ready");
	fflush(stdout);
	send_all(&to, rate, atoi(argv[6]), capacity);
	__atomic_store_n(&shared->stopped, true, __ATOMIC_RELEASE);
	if (waitpid(receiver, &status, 0) != receiver || status) {
		fputs("stream: the receiver failed\n", stderr);
		return 1;
	}
	log = fopen(argv[7], "w");
	if (!log ||
	    fwrite(shared->records, sizeof(*shared->records), shared->count, log) !=
		    shared->count ||
	    fclose(log))
		die(argv[7], "write");
	return 0;
}
