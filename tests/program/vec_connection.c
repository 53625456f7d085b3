/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments of services in TCP connection mode: the programs at tc's hooks handle them, and
 * `explain` says what that would be, as if the handshake were done. Somebody listens on the shared
 * port 5000 and on 6001, nobody on 5001 and 6009. From TAKEN a connection to 6001 is there already.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vectors.h"

#define SET(invalid, unknown, action) \
	"version: 1\n" \
	"services:\n" \
	"  - name: base\n" \
	"    protocol: any\n" \
	"    ports: [5000, 5001]\n" \
	"    tag: { offset: 0, length: 4 }\n" \
	"    size: { min: 2, max: 64 }\n" \
	"    invalid: " invalid "\n" \
	"    unknown: " unknown "\n" \
	"    action: " action "\n" \
	"    entities:\n" \
	"      - { tag: \"ABCD\", target: 6001 }\n" \
	"      - { tag: \"GONE\", target: 6009 }\n" \
	"      - { tag: \"DROP\", target: drop }\n" \
	"      - { tag: \"PASS\", target: pass }\n" \
	"      - { tag: \"SIZE\", target: 6001, size: { min: 16, max: 32 } }\n"

static const char set_drop[] = SET("drop", "drop", "enforce");
static const char set_pass_all[] = SET("pass", "pass", "enforce");
static const char set_port[] = SET("drop", "6001", "enforce");
static const char set_observe[] = SET("drop", "drop", "observe");

#define ANSWERED(why) .reason = (why), .verdict = "answered", .service = "base", .connection = 1
#define BOUND(to) \
	.reason = "tcp_bound", .verdict = "rewritten", .service = "base", .port = (to), \
	.connection = 1
#define PASSES(why) PASSED(why, "base"), .connection = 1
#define WOULD(why, what) OBSERVED(why, what, "base"), .connection = 1
#define DATA(t, n) .f.tag = (t), .f.payload = OPT(n)
#define EMPTY(bits) .f.payload = OPT(0), .f.flags = OPT(bits)
#define FULL(bits) .f.flags = OPT(bits)

static const struct vector any_policy[] = {
	{"SYN", EMPTY(FLAG_SYN), ANSWERED("tcp_cookie")},
	{"SYN with ECN", EMPTY(FLAG_SYN | 0xc0), ANSWERED("tcp_cookie")},
	{"SYN with data", FULL(FLAG_SYN), ANSWERED("tcp_cookie")},
	{"ACK", EMPTY(FLAG_ACK), ANSWERED("tcp_handshake")},
	{"RST", EMPTY(FLAG_RST), ANSWERED("tcp_handshake")},
	{"RST ACK", EMPTY(FLAG_RST | FLAG_ACK), ANSWERED("tcp_handshake")},
	{"RST ACK with data", FULL(FLAG_RST | FLAG_ACK), ANSWERED("tcp_handshake")},
	{"FIN ACK", EMPTY(FLAG_FIN | FLAG_ACK), ANSWERED("tcp_reset")},
	{"FIN", EMPTY(FLAG_FIN), ANSWERED("tcp_reset")},
	/* RFC 9293 3.10.7: no connection has segments without */
	{"data without ACK", FULL(FLAG_PSH), ANSWERED("tcp_reset")},
	{"data", BOUND(6001)},
	{"data in 4 bytes", DATA("ABCD", 4), BOUND(6001)},
	{"data without PSH", FULL(FLAG_ACK), BOUND(6001)},
	{"data and FIN", FULL(FLAG_ACK | FLAG_FIN), BOUND(6001)},
	{"nobody listens on the target", DATA("GONE", 32), ANSWERED("tcp_reset")},
	{"entity drop", DATA("DROP", 32), ANSWERED("tcp_reset")},
	{"entity pass", DATA("PASS", 32), PASSES("entity_pass")},
	{"entity pass, nobody listens on the shared port", DATA("PASS", 32), .f.dport = OPT(5001),
	 ANSWERED("tcp_reset")},
	/* to come again with more */
	{"too short", DATA("ABCD", 1), ANSWERED("too_short")},
	{"no tag", DATA("ABCD", 2), ANSWERED("no_tag")},
	{"no tag, nobody listens on the shared port", DATA("ABCD", 3), .f.dport = OPT(5001),
	 ANSWERED("no_tag")},
	{"one VLAN tag", .f.vlan = {0x8100}, BOUND(6001)},
	{"two VLAN tags", .f.vlan = {0x88a8, 0x8100}, NOT_OURS("no_service"), .connection = 1},
	{"two VLAN tags, SYN", .f.vlan = {0x8100, 0x8100}, EMPTY(FLAG_SYN), NOT_OURS("no_service"),
	 .connection = 1},
	{"two VLAN tags, nobody listens on the shared port", .f.vlan = {0x8100, 0x8100},
	 .f.dport = OPT(5001), NOT_OURS("no_service"), .connection = 1},
	{"window, 16", DATA("SIZE", 16), BOUND(6001)},
};
/* The service covers UDP too: that is no connection's, and is counted. */
static const struct vector datagrams[] = {
	{"datagram", REWRITTEN("base", 6001)},
	{"datagram, nobody listens on the target", DATA("GONE", 32), REWRITTEN("base", 6009)},
	{"datagram, entity pass", DATA("PASS", 32), PASSED("entity_pass", "base")},
};
static const struct vector policy_drop[] = {
	{"unknown", DATA("ZZZZ", 32), ANSWERED("tcp_reset")},
	{"too long", DATA("ABCD", 65), ANSWERED("tcp_reset")},
	/* a decision, not a wait */
	{"window, 15", DATA("SIZE", 15), ANSWERED("tcp_reset")},
	{"malformed", .f.doff_field = OPT(4), DROPPED("malformed_l4", "base")},
};
static const struct vector policy_pass[] = {
	{"unknown", DATA("ZZZZ", 32), PASSES("unknown_tag")},
	{"unknown, nobody listens on the shared port", DATA("ZZZZ", 32), .f.dport = OPT(5001),
	 ANSWERED("tcp_reset")},
	{"too long", DATA("ABCD", 65), PASSES("too_long")},
	{"window, 15", DATA("SIZE", 15), PASSES("too_short")},
	{"window, 33", DATA("SIZE", 33), PASSES("too_long")},
};
static const struct vector policy_port[] = {
	{"unknown", DATA("ZZZZ", 32), .reason = "unknown_tag", .verdict = "rewritten",
	 .service = "base", .port = 6001, .connection = 1},
};
static const struct vector observed[] = {
	{"SYN", EMPTY(FLAG_SYN), WOULD("tcp_cookie", "answered")},
	{"ACK", EMPTY(FLAG_ACK), WOULD("tcp_handshake", "answered")},
	{"data", WOULD("tcp_bound", "rewritten")},
	{"nobody listens on the target", DATA("GONE", 32), WOULD("tcp_reset", "answered")},
	{"entity pass", DATA("PASS", 32), WOULD("entity_pass", "passed")},
	{"unknown", DATA("ZZZZ", 32), WOULD("tcp_reset", "answered")},
};

/* Loopback's addresses: who else would connect here? */
#define TAKEN 40000

static void taken(void)
{
	static const char *const hosts[] = {"127.0.0.1", "::1"};

	for (int i = 0; i < 2; i++) {
		const struct vector t[] = {
			{"the target's connection is taken", .f.sport = OPT(TAKEN),
			 ANSWERED("tcp_reset")},
			{"the target's connection is another's", .f.sport = OPT(TAKEN + 1),
			 BOUND(6001)},
			{"another target's", .f = {.sport = OPT(TAKEN), .tag = "PASS"},
			 PASSES("entity_pass")},
		};

		for (size_t n = 0; n < ARRAY_SIZE(t); n++) {
			struct vector v = t[n];

			v.set = set_drop;
			v.f.ip = i ? 6 : 4;
			v.f.l4 = TCP;
			v.f.src = v.f.dst = hosts[i];
			vector_add(&v, "connection/v%d %s", v.f.ip, v.name);
		}
	}
}

static void add(const char *set, const char *name, enum l4 l4, const struct vector *t, size_t n)
{
	for (int ip = 4; ip <= 6; ip += 2)
		for (size_t i = 0; i < n; i++) {
			struct vector v = t[i];

			v.set = set;
			v.f.ip = (uint8_t)ip;
			v.f.l4 = l4;
			vector_add(&v, "connection/%s v%d %s", name, ip, v.name);
		}
}

void vectors_connection(void)
{
	taken();
	add(set_drop, "drop", TCP, any_policy, ARRAY_SIZE(any_policy));
	add(set_drop, "drop:", TCP, policy_drop, ARRAY_SIZE(policy_drop));
	add(set_pass_all, "pass", TCP, any_policy, ARRAY_SIZE(any_policy));
	add(set_pass_all, "pass:", TCP, policy_pass, ARRAY_SIZE(policy_pass));
	add(set_port, "port:", TCP, policy_port, ARRAY_SIZE(policy_port));
	add(set_drop, "drop:", UDP, datagrams, ARRAY_SIZE(datagrams));
	add(set_observe, "observe:", TCP, observed, ARRAY_SIZE(observed));
}

static int loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) ? -errno : 0;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 || bind(fd, (void *)&any, sizeof(any)) || listen(fd, 8) ? -errno : 0;
}

static int connect_from(const char *host, uint16_t from, uint16_t to)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(from)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET6, host, &at.sin6_addr);
	if (fd < 0 || bind(fd, (void *)&at, sizeof(at)))
		return -errno;
	at.sin6_port = htons(to);
	return connect(fd, (void *)&at, sizeof(at)) ? -errno : 0;
}

int connection_sockets(void)
{
	int err = unshare(CLONE_NEWNET) ? -errno : loopback_up();

	if (!err)
		err = listen_on(5000);
	if (!err)
		err = listen_on(6001);
	if (!err)
		err = connect_from("::ffff:127.0.0.1", TAKEN, 6001);
	return err ? err : connect_from("::1", TAKEN, 6001);
}
