/* A bad wire between two devices, for the live tests: frames get lost, late and doubled.
 *
 *   shaky DEVICE DEVICE LOST LATE MILLISECONDS DOUBLED SEED
 * takes what comes in at either device out at the other. Of 1,000 frames LOST are lost, LATE wait
 * for up to so many milliseconds while others overtake them, and DOUBLED go twice. What becomes of
 * the n-th frame of a direction is always the same for the same seed. Says "ready", ends when
 * standard input does, and prints what became of the frames, by direction.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef SO_RCVBUFFORCE
#define SO_RCVBUFFORCE 33
#endif

enum { MAX_FRAME = 2048, MAX_LATE = 4096 };

struct end {
	int fd;
	uint64_t state;
	unsigned long seen, lost, late, doubled, large, refused;
};

struct waiting {
	uint64_t due; /* 0: a free place */
	struct end *out;
	size_t length;
	unsigned char frame[MAX_FRAME];
};

static struct waiting waiting[MAX_LATE];
static int waiting_end; /* no place behind it is taken */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t draw(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void open_end(struct end *end, const char *device)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int on = 1, size = 64 << 20;

	end->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	at.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(device);
	if (end->fd < 0 ||
	    setsockopt(end->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(end->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) ||
	    setsockopt(end->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(end->fd, (struct sockaddr *)&at, sizeof(at)))
		die(device);
}

static void put(struct end *out, const unsigned char *frame, size_t length)
{
	if (send(out->fd, frame, length, 0) != (ssize_t)length)
		out->refused++;
}

static void wait_until(uint64_t due, struct end *out, const unsigned char *frame, size_t length)
{
	for (int i = 0; i < MAX_LATE; i++) {
		if (waiting[i].due)
			continue;
		waiting[i].due = due;
		waiting[i].out = out;
		waiting[i].length = length;
		memcpy(waiting[i].frame, frame, length);
		if (i >= waiting_end)
			waiting_end = i + 1;
		return;
	}
	put(out, frame, length);
}

/* Sends what is due; when the next will be, 0 for never. */
static uint64_t send_due(uint64_t now)
{
	uint64_t first = 0;

	for (int i = 0; i < waiting_end; i++) {
		if (!waiting[i].due)
			continue;
		if (waiting[i].due <= now) {
			put(waiting[i].out, waiting[i].frame, waiting[i].length);
			waiting[i].due = 0;
		} else if (!first || waiting[i].due < first) {
			first = waiting[i].due;
		}
	}
	while (waiting_end && !waiting[waiting_end - 1].due)
		waiting_end--;
	return first;
}

static void take(struct end *in, struct end *out, const unsigned chance[3], unsigned late_ms)
{
	static unsigned char frame[1 << 17];

	for (int burst = 0; burst < 64; burst++) {
		ssize_t length = recv(in->fd, frame, sizeof(frame), 0);
		uint64_t r;
		unsigned at;

		if (length < 0)
			return;
		in->seen++;
		if (length > MAX_FRAME) {
			in->large++; /* the devices were to cut it up */
			continue;
		}
		r = draw(&in->state);
		at = (unsigned)(r % 1000);
		if (at < chance[0]) {
			in->lost++;
		} else if (at < chance[0] + chance[1]) {
			in->late++;
			wait_until(now_ns() + 1 + (r >> 32) % (late_ms * 1000000ULL), out, frame,
				   (size_t)length);
		} else {
			put(out, frame, (size_t)length);
			if (at < chance[0] + chance[1] + chance[2]) {
				in->doubled++;
				put(out, frame, (size_t)length);
			}
		}
	}
}

static void print_end(const char *name, const struct end *e)
{
	printf("\"%s\": {\"seen\": %lu, \"lost\": %lu, \"late\": %lu, \"doubled\": %lu, "
	       "\"large\": %lu, \"refused\": %lu}",
	       name, e->seen, e->lost, e->late, e->doubled, e->large, e->refused);
}

int main(int argc, char **argv)
{
	struct end a = {0}, b = {0};
	unsigned chance[3], late_ms;
	struct pollfd fds[3];

	if (argc != 8) {
		fprintf(stderr, "shaky DEVICE DEVICE LOST LATE MILLISECONDS DOUBLED SEED\n");
		return 2;
	}
	chance[0] = (unsigned)atoi(argv[3]);
	chance[1] = (unsigned)atoi(argv[4]);
	chance[2] = (unsigned)atoi(argv[6]);
	late_ms = (unsigned)atoi(argv[5]);
	a.state = strtoull(argv[7], NULL, 10);
	b.state = ~a.state;
	open_end(&a, argv[1]);
	open_end(&b, argv[2]);
	fds[0] = (struct pollfd){.fd = a.fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = b.fd, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = 0, .events = POLLIN};
	puts("ready");
	fflush(stdout);

	for (;;) {
		uint64_t now = now_ns(), due = send_due(now);
		struct timespec pause = {.tv_sec = (time_t)((due - now) / 1000000000),
					 .tv_nsec = (long)((due - now) % 1000000000)};
		char c;

		if (ppoll(fds, 3, due ? &pause : NULL, NULL) < 0 && errno != EINTR)
			die("ppoll");
		if (fds[0].revents)
			take(&a, &b, chance, late_ms);
		if (fds[1].revents)
			take(&b, &a, chance, late_ms);
		if (fds[2].revents && read(0, &c, 1) <= 0)
			break;
	}
	printf("{");
	print_end(argv[1], &a);
	printf(", ");
	print_end(argv[2], &b);
	puts("}");
	return 0;
}
