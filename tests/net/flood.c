/* The flood of the live tests: TCP segments from addresses that nobody has.
 *
 *   flood DEVICE TEMPLATE COUNT RATE SEED
 * TEMPLATE is a file with one Ethernet frame, IPv4 without options and TCP. It is sent from other
 * addresses (the last two bytes), ports and sequence numbers each time, the checksums complete:
 * COUNT times, and on until standard input ends. RATE is frames a second. Says "ready" before the
 * first frame, and prints JSON at the end.
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
#include <linux/if_packet.h>

enum { IP = 14, TCP = IP + 20, BATCH = 64, MAX_FRAME = 1514 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t state;

/* splitmix64: deterministic, and no address comes twice soon. */
static uint64_t draw(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint32_t sum(const unsigned char *data, size_t length, uint32_t so_far)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		so_far += (uint32_t)(data[i] << 8 | data[i + 1]);
	return length % 2 ? so_far + (uint32_t)(data[length - 1] << 8) : so_far;
}

static void put_sum(unsigned char *field, uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	field[0] = (unsigned char)(~value >> 8);
	field[1] = (unsigned char)~value;
}

static void vary(unsigned char *frame, size_t length)
{
	uint64_t r = draw();

	memcpy(frame + IP + 14, &r, 2);
	memcpy(frame + TCP, (unsigned char *)&r + 2, 2);
	frame[TCP] |= 4; /* no port under 1024 */
	memcpy(frame + TCP + 4, (unsigned char *)&r + 4, 4);
	memset(frame + IP + 10, 0, 2);
	put_sum(frame + IP + 10, sum(frame + IP, 20, 0));
	memset(frame + TCP + 16, 0, 2);
	put_sum(frame + TCP + 16,
		sum(frame + TCP, length - TCP,
		    sum(frame + IP + 12, 8, IPPROTO_TCP + (uint32_t)(length - TCP))));
}

static bool input_ended(void)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	char c;

	return poll(&in, 1, 0) > 0 && read(0, &c, 1) <= 0;
}

int main(int argc, char **argv)
{
	static unsigned char frame[BATCH][MAX_FRAME];
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	struct timespec start, now, next;
	uint64_t sent = 0, count;
	size_t length;
	bool ended = false;
	int fd, rate;
	FILE *f;

	if (argc != 6) {
		fprintf(stderr, "flood DEVICE TEMPLATE COUNT RATE SEED\n");
		return 2;
	}
	count = strtoull(argv[3], NULL, 10);
	rate = atoi(argv[4]);
	state = strtoull(argv[5], NULL, 10);
	f = fopen(argv[2], "rb");
	length = f ? fread(frame[0], 1, MAX_FRAME, f) : 0;
	if (length < TCP + 20)
		die(argv[2]);
	fclose(f);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		die(argv[1]);
	for (int i = 0; i < BATCH; i++) {
		memcpy(frame[i], frame[0], length);
		parts[i] = (struct iovec){.iov_base = frame[i], .iov_len = length};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	puts("ready");
	fflush(stdout);

	clock_gettime(CLOCK_MONOTONIC, &start);
	next = start;
	while (sent < count || !ended) { /* a batch at a time, the pauses between make the rate */
		for (int i = 0; i < BATCH; i++)
			vary(frame[i], length);
		for (int done = 0; done < BATCH;) {
			int n = sendmmsg(fd, messages + done, (unsigned int)(BATCH - done), 0);

			if (n < 0 && errno != EAGAIN && errno != ENOBUFS)
				die("sendmmsg");
			done += n < 0 ? 0 : n;
		}
		sent += BATCH;
		next.tv_nsec += 1000000000L / rate * BATCH;
		while (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		ended = ended || input_ended();
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("{\"sent\": %llu, \"seconds\": %.3f}\n", (unsigned long long)sent,
	       (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9);
	return 0;
}
