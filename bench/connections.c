// SPDX-License-Identifier: GPL-2.0-only
/*
 * connections: TCP from a client to a server by several ways, for bench/tcp.
 *
 *   connections TX-NETNS RX-NETNS FIRST-PORT ENTITIES ADDRESS:PORT...
 *
 * Each ADDRESS:PORT is a way to the server, which listens on a port for each entity, from
 * FIRST-PORT on; PORT 0 is the entity's own. A way has ADDRESSES addresses, which connections take
 * in turn: so no pair of addresses and ports comes back while the kernel still waits for late
 * segments. Client and server are a process and a CPU each, for all ways; they come before other
 * processes, but leave these something. Each transfer takes another way than the one before, in an
 * order drawn anew each time: whatever else the machine does meets all ways alike. A way may be
 * named twice.
 *
 * A line of standard input is a round:
 *
 *   check|up|down|connect MILLISECONDS
 *
 * `up` and `down` transfer BULK bytes at once over one connection for each way, of which the
 * entity is drawn; `connect` makes CALLS connections, CALLERS at a time: connect, ask, be answered,
 * close. `check` sends as many bytes both ways, all of which are compared, and asks each entity
 * once. A round is answered by a line: for each way the nanoseconds that a transfer, or CALLS
 * connections, took on average, and how many connections it has had in all.
 *
 * All is checked: an answer comes from the port of the entity that was asked for and carries the
 * request's number; as many bytes as were sent come, in their order. A failure ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"
#include "station.h"

enum {
	MAX_WAYS = 8,
	MAX_ENTITIES = 10000,
	ADDRESSES = 64,
	SPARE_FILES = 1000,
	BACKLOG = 4096,
	CALLS = 128,
	CALLERS = 16,
	EVENTS = 64,
	BULK = 4 << 20,
	BUFFER = 128 << 10,   /* a part of BULK */
	STAMP = 4096,	      /* one word of so many bytes is written and compared */
	WORD = sizeof(__u64), /* in a check, each */
	WARM_UP = 2,
	ARGS = 5,
};
#define PATIENCE 3 /* seconds */
#define MS 1000000ull
#define PRIORITY (-20)

struct request {
	__u32 tag, every; /* STAMP or WORD */
	__u64 number;
	__u32 up, down; /* bytes that follow it, and its answer */
};

struct answer {
	__u64 number, port;
};

static int first_port, entities;

_Noreturn static void wrong(const char *who, const char *what)
{
	fprintf(stderr, "connections: %s: %s\n", who, what);
	exit(1);
}

/* ---- bytes that can be told from others ------------------------------------------------------ */

struct stream {
	__u64 number; /* the request's */
	__u32 every, left, offset, compared;
};

static __u8 buffer[BUFFER] __attribute__((aligned(STAMP))); /* what is at OFFSET: OFFSET % BUFFER */

static __u64 word_at(const struct stream *s, __u32 offset)
{
	return ((s->number << 32) + offset + 1) * 0x9e3779b97f4a7c15ull;
}

static __u32 smaller(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* As send(). */
static ssize_t stream_send(int fd, struct stream *s)
{
	const __u32 at = s->offset % BUFFER;
	ssize_t len;

	if (!at)
		for (__u32 i = 0; i < BUFFER; i += s->every) {
			const __u64 word = word_at(s, s->offset + i);

			memcpy(buffer + i, &word, WORD);
		}
	len = send(fd, buffer + at, smaller(BUFFER - at, s->left), MSG_NOSIGNAL);
	if (len > 0) {
		s->offset += len;
		s->left -= len;
	}
	return len;
}

/* As recv(); compares what has come. */
static ssize_t stream_receive(int fd, struct stream *s)
{
	const __u32 at = s->offset % BUFFER;
	const ssize_t len = recv(fd, buffer + at, smaller(BUFFER - at, s->left), 0);

	if (len <= 0)
		return len;
	s->offset += len;
	s->left -= len;
	for (; s->compared + WORD <= s->offset; s->compared += s->every) {
		const __u64 word = word_at(s, s->compared);

		if (memcmp(buffer + s->compared % BUFFER, &word, WORD))
			wrong("stream", "not the bytes that were sent");
	}
	return len;
}

/* ---- the server ------------------------------------------------------------------------------ */

/* A listener, or one of its connections. */
struct served {
	int fd;
	__u32 port, got; /* bytes of the request */
	bool listens, answered;
	struct request request;
	struct stream up, down;
};

static void watch(int poll, int op, struct served *c, __u32 events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	if (epoll_ctl(poll, op, c->fd, &event))
		die("server", "epoll_ctl");
}

static void accept_one(int poll, const struct served *listener)
{
	struct served *c;
	const int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EAGAIN)
			return;
		die("server", "accept");
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		die("server", "memory");
	c->fd = fd;
	c->port = listener->port;
	watch(poll, EPOLL_CTL_ADD, c, EPOLLIN);
}

/* Goes on with a request: its bytes, what follows them, the answer, what follows that. False where
 * the connection has to wait, or has ended. */
static bool go_on(int poll, struct served *c)
{
	struct request *r = &c->request;
	ssize_t len = 1;

	if (c->got < sizeof(*r)) {
		len = recv(c->fd, (__u8 *)r + c->got, sizeof(*r) - c->got, 0);
		if (!len && !c->got) {
			close(c->fd);
			free(c);
			return false;
		}
		c->got += len > 0 ? len : 0;
		c->up = (struct stream){.number = r->number, .every = r->every, .left = r->up};
		c->down = (struct stream){.number = r->number, .every = r->every, .left = r->down};
	} else if (c->up.left) {
		len = stream_receive(c->fd, &c->up);
	} else if (!c->answered) {
		const struct answer a = {.number = r->number, .port = c->port};

		len = send(c->fd, &a, sizeof(a), MSG_NOSIGNAL);
		c->answered = true;
		if (c->down.left)
			watch(poll, EPOLL_CTL_MOD, c, EPOLLOUT);
	} else {
		len = stream_send(c->fd, &c->down);
	}
	if (len < 0 && errno == EAGAIN)
		return false;
	if (len <= 0)
		die("server", len ? "a connection" : "a connection's early end");
	if (c->got < sizeof(*r) || !c->answered || c->down.left)
		return true;
	if (r->down)
		watch(poll, EPOLL_CTL_MOD, c, EPOLLIN);
	c->got = 0;
	c->answered = false;
	return false;
}

static void listen_all(int poll)
{
	struct served *listeners = calloc(entities, sizeof(*listeners));
	const int on = 1;

	if (!listeners)
		die("server", "memory");
	for (int i = 0; i < entities; i++) {
		struct served *l = &listeners[i];
		struct sockaddr_in any = {.sin_family = AF_INET};

		l->port = first_port + i;
		l->listens = true;
		any.sin_port = htons(l->port);
		l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		    bind(l->fd, (const struct sockaddr *)&any, sizeof(any)) ||
		    listen(l->fd, BACKLOG))
			die("server", "listen");
		watch(poll, EPOLL_CTL_ADD, l, EPOLLIN);
	}
}

_Noreturn static void serve(int ready)
{
	const int poll = epoll_create1(EPOLL_CLOEXEC);

	listen_all(poll);
	if (write(ready, "", 1) != 1)
		die("server", "begin");
	for (;;) {
		struct epoll_event events[EVENTS];
		const int n = epoll_wait(poll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct served *c = events[i].data.ptr;

			if (c->listens)
				accept_one(poll, c);
			else
				while (go_on(poll, c))
					;
		}
	}
}

/* ---- the client ------------------------------------------------------------------------------ */

/* One connection. */
struct call {
	int fd;
	bool asked;
	__u32 entity;
	struct request request;
};

static struct way {
	const char *name;
	struct sockaddr_in to; /* the first address */
	struct call call;      /* for bulk */
	__u64 ns, transfers;   /* in this round */
	__u64 connections;
} ways[MAX_WAYS];
static int way_count;

static __u32 draw(void) /* xorshift32 */
{
	static __u32 state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void call(struct call *c, struct way *w, __u32 entity, int flags)
{
	const struct timeval patience = {.tv_sec = PATIENCE};
	struct sockaddr_in to = w->to;

	to.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) + w->connections++ % ADDRESSES);
	if (!to.sin_port)
		to.sin_port = htons(first_port + entity);
	*c = (struct call){.entity = entity};
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (c->fd < 0)
		die(w->name, "socket");
	if (!flags && (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
		       setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience))))
		die(w->name, "setsockopt");
	if (connect(c->fd, (const struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		die(w->name, "connect");
}

static void ask(struct call *c, const struct way *w, __u32 every, __u32 up, __u32 down)
{
	static __u64 number;

	c->request = (struct request){frame_tag(c->entity), every, ++number, up, down};
	if (send(c->fd, &c->request, sizeof(c->request), MSG_NOSIGNAL) != sizeof(c->request))
		die(w->name, "ask");
	c->asked = true;
}

/* False where none is there. */
static bool is_answered(const struct call *c, const struct way *w, int flags)
{
	struct answer a;
	const ssize_t len = recv(c->fd, &a, sizeof(a), flags);

	if (len < 0 && errno == EAGAIN && !flags)
		return false;
	if (len < 0)
		die(w->name, "wait for an answer");
	if (len != sizeof(a))
		wrong(w->name, "no answer");
	if (a.port != first_port + c->entity || a.number != c->request.number) {
		fprintf(stderr,
			"connections: %s: request %llu for port %u: answered by port %llu, request "
			"%llu\n",
			w->name, c->request.number, first_port + c->entity, a.port, a.number);
		exit(1);
	}
	return true;
}

static void transfer(struct call *c, const struct way *w, __u32 every, __u32 up, __u32 down)
{
	struct stream s = {.every = every, .left = up};

	ask(c, w, every, up, down);
	s.number = c->request.number;
	while (s.left)
		if (stream_send(c->fd, &s) < 0)
			die(w->name, "send");
	is_answered(c, w, MSG_WAITALL);
	s = (struct stream){.number = s.number, .every = every, .left = down};
	while (s.left)
		if (stream_receive(c->fd, &s) <= 0)
			die(w->name, "receive");
}

static void call_next(int poll, struct call *c, struct way *w, __u32 number, bool each)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};

	call(c, w, each ? number % entities : draw() % entities, SOCK_NONBLOCK);
	if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event))
		die(w->name, "epoll_ctl");
}

/* Asks, or has the answer and hangs up: true. */
static bool heard(struct call *c, const struct way *w, __u32 events)
{
	if (events & (EPOLLERR | EPOLLHUP)) {
		socklen_t size = sizeof(errno);

		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &errno, &size);
		die(w->name, c->asked ? "wait for an answer" : "connect");
	}
	if (!c->asked) {
		ask(c, w, STAMP, 0, 0);
		return false;
	}
	return is_answered(c, w, 0) && !close(c->fd);
}

/* COUNT connections, CALLERS at a time; EACH: of one entity after the other, else drawn. */
static void call_all(int poll, struct way *w, int count, bool each)
{
	struct call calls[CALLERS];
	int begun, ended = 0;

	for (begun = 0; begun < CALLERS; begun++)
		call_next(poll, &calls[begun], w, begun, each);
	while (ended < begun) {
		struct epoll_event events[EVENTS];
		const int n = epoll_wait(poll, events, EVENTS, PATIENCE * 1000);

		if (n <= 0)
			wrong(w->name, "no answer in time");
		for (int i = 0; i < n; i++) {
			struct call *c = events[i].data.ptr;

			if (!heard(c, w, events[i].events))
				continue;
			ended++;
			if (begun < count)
				call_next(poll, c, w, begun++, each);
		}
	}
}

enum what { CHECK, UP, DOWN, CONNECT };

static void turn(int poll, enum what what, struct way *w)
{
	if (what == CONNECT)
		call_all(poll, w, CALLS, false);
	else
		transfer(&w->call, w, STAMP, what == UP ? BULK : 0, what == DOWN ? BULK : 0);
}

/* Turns of all ways until the time is over; the first ones do not count. */
static void measure(int poll, enum what what, int ms)
{
	__u64 end = 0, start = now(CLOCK_MONOTONIC);
	int order[MAX_WAYS];

	for (int w = 0; w < way_count; w++)
		order[w] = w;
	for (int i = 0; !end || start < end; i++) {
		if (i == WARM_UP)
			end = start + ms * MS;
		for (int k = way_count - 1; k > 0; k--) {
			const int other = draw() % (k + 1), was = order[k];

			order[k] = order[other];
			order[other] = was;
		}
		for (int k = 0; k < way_count; k++) {
			struct way *w = &ways[order[k]];
			const __u64 before = start;

			turn(poll, what, w);
			start = now(CLOCK_MONOTONIC);
			if (end) {
				w->ns += start - before;
				w->transfers++;
			}
		}
	}
}

static void play(int poll, enum what what, int ms)
{
	for (struct way *w = ways; w < ways + way_count; w++) {
		w->ns = w->transfers = 0;
		if (what != CONNECT)
			call(&w->call, w, draw() % entities, 0);
		if (what == CHECK) {
			transfer(&w->call, w, WORD, BULK, BULK);
			call_all(poll, w, entities < CALLERS ? CALLERS : entities, true);
		}
	}
	if (what != CHECK)
		measure(poll, what, ms);
	for (struct way *w = ways; w < ways + way_count; w++) {
		if (what != CONNECT)
			close(w->call.fd);
		printf("%s%llu %llu", w == ways ? "" : " ", w->transfers ? w->ns / w->transfers : 0,
		       w->connections);
	}
	putchar('\n');
	fflush(stdout);
}

static void add_way(char *name)
{
	struct way *w = &ways[way_count++];
	char *colon = strchr(name, ':');

	w->name = name;
	w->to.sin_family = AF_INET;
	if (!colon)
		die(name, "read");
	w->to.sin_port = htons(atoi(colon + 1));
	*colon = '\0';
	if (inet_pton(AF_INET, name, &w->to.sin_addr) != 1)
		die(name, "read");
	*colon = ':';
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"check", "up", "down", "connect"};
	struct rlimit files = {};
	char word[16];
	int ready[2], poll, ms;
	pid_t server;

	if (argc <= ARGS || argc > ARGS + MAX_WAYS) {
		fputs("usage: connections TX-NETNS RX-NETNS FIRST-PORT ENTITIES ADDRESS:PORT...\n",
		      stderr);
		return 2;
	}
	first_port = atoi(argv[3]);
	entities = atoi(argv[4]);
	if (entities < 1 || entities > MAX_ENTITIES)
		wrong(argv[4], "so many entities cannot be");
	for (int i = ARGS; i < argc; i++)
		add_way(argv[i]);
	files.rlim_cur = files.rlim_max = entities + SPARE_FILES;
	if (setrlimit(RLIMIT_NOFILE, &files) || setpriority(PRIO_PROCESS, 0, PRIORITY) ||
	    pipe2(ready, O_CLOEXEC))
		die("connections", "set up");

	server = fork();
	if (server < 0)
		die("server", "fork");
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter(argv[2]);
		settle(last_cpu(), false);
		serve(ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], word, 1) != 1)
		wrong("server", "did not begin");
	enter(argv[1]);
	settle(other_cpu(), false);
	poll = epoll_create1(EPOLL_CLOEXEC);
	while (scanf("%15s %d", word, &ms) == 2) {
		enum what what = CHECK;

		while (what < CONNECT && strcmp(word, names[what]))
			what++;
		if (strcmp(word, names[what]))
			wrong(word, "no such round");
		play(poll, what, ms);
	}
	/* When this process ends, its ports shall be free. */
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
