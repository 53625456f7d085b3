// SPDX-License-Identifier: GPL-2.0-only
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "lab.h"
#include "report.h"

enum { BATCH = 64, ROOM = 2048, PAYLOAD_MIN = 16, BUFFER = 4 << 20 };

__u64 relay_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Open addressing, half full; a port of 0 is an empty place. */
struct table {
	__u32 mask;
	struct {
		__u32 tag;
		__u16 port;
	} * place;
};

static __u32 place_of(const struct table *t, __u32 tag)
{
	__u32 at = tag * 0x9e3779b1 & t->mask;

	while (t->place[at].port && t->place[at].tag != tag)
		at = (at + 1) & t->mask;
	return at;
}

static int fill(struct table *t, __u32 entities)
{
	t->mask = 1;
	while (t->mask < 2 * entities)
		t->mask = t->mask << 1 | 1;
	t->place = calloc(t->mask + 1, sizeof(*t->place));
	if (!t->place)
		return complain("relay: no memory");
	for (__u32 i = 0; i < entities; i++) {
		const __u32 at = place_of(t, frame_tag(i));

		t->place[at].tag = frame_tag(i);
		t->place[at].port = frame_port(i);
	}
	return 0;
}

static int open_socket(__u16 port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int fd = socket(AF_INET, SOCK_DGRAM, 0), room = BUFFER;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		return complain("relay: port %u: %s", port, strerror(errno));
	return fd;
}

/* Those of the N that have a target, at the front; how many. */
static int steer(const struct table *t, struct mmsghdr *in, struct mmsghdr *out,
		 struct sockaddr_in *to, int n)
{
	int m = 0;

	for (int i = 0; i < n; i++) {
		struct iovec *data = in[i].msg_hdr.msg_iov;
		__u32 tag, at;

		if (in[i].msg_len < PAYLOAD_MIN)
			continue;
		memcpy(&tag, data->iov_base, sizeof(tag));
		at = place_of(t, tag);
		if (!t->place[at].port)
			continue;
		to[m].sin_port = htons(t->place[at].port);
		out[m].msg_hdr.msg_iov->iov_base = data->iov_base;
		out[m].msg_hdr.msg_iov->iov_len = in[i].msg_len;
		m++;
	}
	return m;
}

static void work(const struct table *t, int from, int over, struct relay_progress *progress)
{
	static char bytes[BATCH][ROOM];
	struct iovec in_data[BATCH], out_data[BATCH];
	struct mmsghdr in[BATCH] = {}, out[BATCH] = {};
	struct sockaddr_in to[BATCH] = {};

	for (int i = 0; i < BATCH; i++) {
		in_data[i] = (struct iovec){bytes[i], ROOM};
		in[i].msg_hdr.msg_iov = &in_data[i];
		out[i].msg_hdr.msg_iov = &out_data[i];
		in[i].msg_hdr.msg_iovlen = out[i].msg_hdr.msg_iovlen = 1;
		to[i].sin_family = AF_INET;
		to[i].sin_addr.s_addr = inet_addr("198.51.100.1");
		out[i].msg_hdr.msg_name = &to[i];
		out[i].msg_hdr.msg_namelen = sizeof(to[i]);
	}
	for (;;) {
		const int n = recvmmsg(from, in, BATCH, MSG_WAITFORONE, NULL);
		const int m = n > 0 ? steer(t, in, out, to, n) : 0;
		const int sent = m ? sendmmsg(over, out, m, 0) : 0;

		if (n < 0 && errno != EINTR)
			_exit(1);
		progress->sent += sent > 0 ? sent : 0;
		progress->last = relay_now();
	}
}

const struct relay_progress *relay_start(const char *netns, __u16 port, __u32 entities, int cpu)
{
	struct relay_progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int from, over = -1;
	pid_t child;

	if (progress == MAP_FAILED || lab_enter(netns))
		return NULL;
	from = open_socket(port);
	over = socket(AF_INET, SOCK_DGRAM, 0);
	if (from < 0 || over < 0 || lab_enter(lab_tx_netns))
		return NULL;
	child = fork();
	if (!child) {
		struct table table;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (lab_pin(cpu) || fill(&table, entities))
			_exit(1);
		work(&table, from, over, progress);
	}
	close(from);
	close(over);
	return child < 0 ? NULL : progress;
}
