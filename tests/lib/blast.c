/* The paced sender and the counting receiver of the live tests.
 *
 *   blast send SOURCE SPORT DESTINATION PORT RATE PREFIXES SENT
 * sends datagrams `prefix sequence(8)`, RATE 0: as fast as it goes. PREFIXES is a file of one hex
 * prefix a line. The file SENT has 8 bytes that always tell the sequence number that comes next.
 *
 *   blast recv ADDRESS PREFIXES MODULO SHARED PORT…
 * counts them; `odd` are those that are not just what was sent. Port number i takes the sequences
 * that are i modulo MODULO. Every MODULO ports are a group, and `turns` says where, in the order of
 * sequences, another group begins than had the packets before: [last sequence of the one, first of
 * the other, group].
 *
 * Both say "ready" and end when standard input ends; then they print JSON. IPv4.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_RCVBUFFORCE
#define SO_RCVBUFFORCE 33
#endif

enum {
	MAX_PREFIX = 64,
	MAX_PORTS = 64,
	MAX_SEQUENCE = 1 << 26,
	MAX_PREFIXES = 1 << 17,
	MAX_TURNS = 10000
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned char prefix[MAX_PREFIXES][MAX_PREFIX];
static size_t prefix_length;
static uint32_t prefixes;

static void read_prefixes(const char *path)
{
	char line[2 * MAX_PREFIX + 2];
	FILE *f = fopen(path, "r");

	if (!f)
		die(path);
	while (prefixes < MAX_PREFIXES && fgets(line, sizeof(line), f)) {
		prefix_length = strcspn(line, "\n") / 2;
		for (size_t i = 0; i < prefix_length; i++)
			sscanf(line + 2 * i, "%2hhx", &prefix[prefixes][i]);
		prefixes++;
	}
	fclose(f);
	if (!prefixes)
		die("no prefixes");
}

/* Datagram number SEQ, its length is returned. */
static size_t datagram(unsigned char *data, uint64_t seq)
{
	const uint64_t be = htobe64(seq);

	memcpy(data, prefix[seq % prefixes], prefix_length);
	memcpy(data + prefix_length, &be, 8);
	return prefix_length + 8;
}

static int bound(const char *address, int port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int size = 256 << 20;

	inet_pton(AF_INET, address, &sa.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("bind");
	return fd;
}

static bool input_ended(void)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};

	return poll(&in, 1, 0) == 1;
}

/* On one CPU, so that packets cannot overtake one another on their way through several backlogs;
 * and, if it keeps to a rate, in time also where others want that CPU. */
static void stay(bool in_time)
{
	const struct sched_param first = {.sched_priority = 1};
	cpu_set_t set;
	int cpu = CPU_SETSIZE - 1;

	sched_getaffinity(0, sizeof(set), &set);
	while (cpu > 0 && !CPU_ISSET(cpu, &set))
		cpu--;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	if (in_time)
		sched_setscheduler(0, SCHED_FIFO, &first); /* where it may not, it is slower */
}

static uint64_t *shared_number(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	uint64_t *number = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, sizeof(*number)))
		number = mmap(NULL, sizeof(*number), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (number == MAP_FAILED)
		die(path);
	close(fd);
	return number;
}

static int send_all(char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
	int fd = bound(argv[0], atoi(argv[1])), rate = atoi(argv[4]);
	uint64_t seq = 0, failed = 0, *next_seq = shared_number(argv[6]);
	struct timespec start, next;

	read_prefixes(argv[5]);
	inet_pton(AF_INET, argv[2], &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	stay(rate);
	puts("ready");
	fflush(stdout);

	clock_gettime(CLOCK_MONOTONIC, &start);
	next = start;
	while (!input_ended()) { /* a burst every millisecond */
		for (int i = 0; i < (rate ? rate / 1000 : 1000) && seq < MAX_SEQUENCE; i++) {
			unsigned char data[MAX_PREFIX + 8];
			const size_t length = datagram(data, seq);

			__atomic_store_n(next_seq, seq + 1, __ATOMIC_SEQ_CST);
			while (send(fd, data, length, 0) < 0) {
				if (errno != ECONNREFUSED && errno != EAGAIN && errno != ENOBUFS)
					die("send");
				failed++;
			}
			seq++;
		}
		if (!rate)
			continue;
		next.tv_nsec += 1000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	clock_gettime(CLOCK_MONOTONIC, &next);
	printf("{\"sent\": %llu, \"send_failed\": %llu, \"seconds\": %.3f}\n",
	       (unsigned long long)seq, (unsigned long long)failed,
	       (double)(next.tv_sec - start.tv_sec) + (double)(next.tv_nsec - start.tv_nsec) / 1e9);
	return 0;
}

static void print_turns(const unsigned char *seen, int modulo)
{
	int group = -1, turns = 0;
	uint32_t last = 0;

	printf("\"turns\": [");
	for (uint32_t seq = 0; seq < MAX_SEQUENCE && turns < MAX_TURNS; seq++) {
		int now;

		if (seen[seq] < 2) /* nowhere or on the shared port */
			continue;
		now = (seen[seq] - 2) / modulo;
		if (group >= 0 && now != group)
			printf("%s[%u, %u, %d]", turns++ ? ", " : "", last, seq, now);
		group = now;
		last = seq;
	}
	printf("], ");
}

static int receive_all(int argc, char **argv)
{
	static unsigned char seen[MAX_SEQUENCE]; /* number of the port + 1 */
	struct pollfd fds[MAX_PORTS];
	unsigned long long got[MAX_PORTS] = {0}, unique = 0, duplicates = 0, misplaced = 0, odd = 0;
	int modulo = atoi(argv[2]), n = argc - 3;
	bool ending = false;

	if (n > MAX_PORTS)
		die("too many ports");
	read_prefixes(argv[1]);
	for (int i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = bound(argv[0], atoi(argv[3 + i])), .events = POLLIN};
	puts("ready");
	fflush(stdout);

	for (;;) {
		int ready = poll(fds, (nfds_t)n, 20);

		if (ready <= 0) {
			if (ending)
				break;
			ending = input_ended();
			continue;
		}
		for (int i = 0; i < n; i++) {
			unsigned char data[MAX_PREFIX + 64], wanted[MAX_PREFIX + 8];
			ssize_t length;

			for (int burst = 0; burst < 512 && (fds[i].revents & POLLIN); burst++) {
				uint64_t seq;

				length = recv(fds[i].fd, data, sizeof(data), 0);
				if (length < 0)
					break;
				got[i]++;
				if ((size_t)length != prefix_length + 8) {
					odd++;
					continue;
				}
				memcpy(&seq, data + prefix_length, 8);
				seq = be64toh(seq);
				datagram(wanted, seq);
				if (seq >= MAX_SEQUENCE || memcmp(data, wanted, (size_t)length)) {
					odd++;
					continue;
				}
				if (seen[seq])
					duplicates++;
				else
					unique++;
				seen[seq] = (unsigned char)(i + 1);
				if (i &&
				    seq % (uint64_t)modulo != (uint64_t)(i - 1) % (uint64_t)modulo)
					misplaced++;
			}
		}
	}
	printf("{\"unique\": %llu, \"duplicates\": %llu, \"misplaced\": %llu, \"odd\": %llu, \"shared\": %llu, ",
	       unique, duplicates, misplaced, odd, got[0]);
	print_turns(seen, modulo);
	printf("\"ports\": {");
	for (int i = 1; i < n; i++)
		printf("%s\"%s\": %llu", i > 1 ? ", " : "", argv[3 + i], got[i]);
	puts("}}");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 9 && !strcmp(argv[1], "send"))
		return send_all(argv + 2);
	if (argc >= 7 && !strcmp(argv[1], "recv"))
		return receive_all(argc - 2, argv + 2);
	fprintf(stderr, "blast send|recv …\n");
	return 2;
}
