/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes down what arrives, and when: a line "MICROSECONDS PORT PAYLOAD" for each datagram, by the
 * kernel's time of its arrival on CLOCK_MONOTONIC, which is systemd's.
 *
 *   witness FILE PORT...     from the start of a machine to its end
 *   witness now              prints the time
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PORTS = 16 };

static long long us_of(struct timespec t)
{
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static long long now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return us_of(t);
}

static int listener(int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), off = 0, on = 1, bytes = 4 << 20;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)))
		err(1, "port %d", port);
	return fd;
}

static void note(int to, int fd, int port)
{
	char text[256], line[320], control[64];
	struct iovec v = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
	long long at = now_us(CLOCK_MONOTONIC);

	if (n < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct timespec stamp;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
		at -= now_us(CLOCK_REALTIME) - us_of(stamp);
	}
	while (n && !isgraph((unsigned char)text[n - 1]))
		n--;
	text[n] = 0;
	n = snprintf(line, sizeof(line), "%lld %d %s\n", at, port, text);
	if (write(to, line, n) != n)
		err(1, "writing");
}

int main(int argc, char **argv)
{
	struct pollfd p[MAX_PORTS];
	int ports[MAX_PORTS], count = 0, to;

	if (argc == 2 && !strcmp(argv[1], "now"))
		return printf("%lld\n", now_us(CLOCK_MONOTONIC)) < 0;
	if (argc < 3 || argc > 2 + MAX_PORTS)
		errx(2, "usage: witness FILE PORT... | now");
	to = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (to < 0)
		err(1, "%s", argv[1]);
	for (int i = 2; i < argc; i++, count++) {
		ports[count] = atoi(argv[i]);
		p[count] = (struct pollfd){.fd = listener(ports[count]), .events = POLLIN};
	}
	while (poll(p, count, -1) > 0)
		for (int i = 0; i < count; i++)
			if (p[i].revents)
				note(to, p[i].fd, ports[i]);
	err(1, "poll");
}
