// SPDX-License-Identifier: GPL-2.0-only
/* make bench-quick: what mangle costs at 1,000 entities, as ratios within one run.
 * Exit status: 0 all bars met, 1 one missed or something wrong, 77 the machine is too noisy. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "generator.h"
#include "lab.h"
#include "reference.h"
#include "reference.skel.h"
#include "report.h"
#include "rounds.h"

enum { ENTITIES = 1000, EXIT_NOISY = 77, BATCH = 50 };
enum { PORT_PLAIN = FRAME_SHARED_PORT, PORT_MATCH }; /* the ports of the two services below */

#define DIR "build/bench/"

/* Every packet goes through each stage: port index, both size windows, table, counters, rewrite.
 * The second service is found by prefixes and interface besides. */
static const char config[] = "version: 1\n"
			     "services:\n"
			     "  - name: plain\n"
			     "    protocol: udp\n"
			     "    ports: [5000]\n"
			     "    tag: { offset: 0, length: 4 }\n"
			     "    size: { min: 16, max: 1400 }\n"
			     "    invalid: drop\n"
			     "    unknown: drop\n"
			     "    targets: 10000-59999\n"
			     "    entities-file: quick.map\n"
			     "  - name: match\n"
			     "    protocol: udp\n"
			     "    ports: [5001]\n"
			     "    daddr: [198.51.100.0/24]\n"
			     "    saddr: [192.0.2.0/24]\n"
			     "    interface: mglb-m1\n"
			     "    tag: { offset: 0, length: 4 }\n"
			     "    size: { min: 16, max: 1400 }\n"
			     "    invalid: drop\n"
			     "    unknown: drop\n"
			     "    targets: 10000-59999\n"
			     "    entities-file: quick.map\n";

struct bench {
	struct generator *generator;
	struct reference *programs;
	int mangle; /* program fd */
};

static int write_config(void)
{
	FILE *yaml = fopen(DIR "quick.yaml", "w"), *map = fopen(DIR "quick.map", "w");

	if (!yaml || !map)
		return complain(DIR "quick.yaml, quick.map: write: %s", strerror(errno));
	fputs(config, yaml);
	for (__u32 i = 0; i < ENTITIES; i++)
		fprintf(map, "0x%08x %u 16:64\n", ntohl(frame_tag(i)), frame_port(i));
	return (fclose(yaml) | fclose(map)) ? complain(DIR "quick.yaml: write: %s", strerror(errno))
					    : 0;
}

static int attach_mangle(struct bench *b)
{
	char status[8192];
	__u64 id;

	if (write_config() ||
	    lab_ctl(NULL, 0, "--quiet -n %s attach %s --mode native --config " DIR "quick.yaml",
		    lab_ns_name[NS_RX], lab_rx_name[WIRE_MANGLE]) ||
	    lab_ctl(status, sizeof(status), "-j status") ||
	    lab_json(status, lab_rx_name[WIRE_MANGLE], "prog_id", &id))
		return -1;
	b->mangle = bpf_prog_get_fd_by_id(id);
	return b->mangle < 0 ? complain("program %llu: open: %s", id, strerror(errno)) : 0;
}

static int load_reference(struct bench *b)
{
	b->programs = reference__open();
	if (!b->programs || bpf_map__set_max_entries(b->programs->maps.reference_table, ENTITIES) ||
	    reference__load(b->programs))
		return complain("reference.bpf.o: load: %s", strerror(errno));
	for (__u32 i = 0; i < ENTITIES; i++) {
		const struct reference_key key = {.tag = frame_tag(i)};
		const struct reference_value value = {.port_be = htons(frame_port(i))};

		if (bpf_map_update_elem(bpf_map__fd(b->programs->maps.reference_table), &key,
					&value, BPF_ANY))
			return complain("reference: entity %u: %s", i, strerror(errno));
	}
	return 0;
}

static int connect_wires(struct bench *b)
{
	const int noop = bpf_program__fd(b->programs->progs.bench_noop);

	if (lab_enter(NS_RX))
		return -1;
	if (bpf_xdp_attach(if_nametoindex(lab_rx_name[WIRE_NOOP]), noop, XDP_FLAGS_DRV_MODE, NULL))
		return complain("%s: attach no-op: %s", lab_rx_name[WIRE_NOOP], strerror(errno));
	if (lab_enter(NS_TX))
		return -1;
	b->generator = generator_open(ENTITIES);
	if (!b->generator)
		return -1;
	for (__u32 w = 0; w < WIRES; w++) {
		if (generator_wire(b->generator, w, if_nametoindex(lab_tx_name[w])))
			return -1;
	}
	return 0;
}

/* ---- gates: no figure without them ---------------------------------------------------------- */

/* Every entity's frame leaves the program on the entity's port and otherwise as it was. */
static int check_calls(struct bench *b, const char *name, int fd, __u16 port)
{
	__u8 frame[FRAME_LEN];

	generator_port(b->generator, port);
	for (__u32 i = 0; i < ENTITIES; i++) {
		const int len = generator_call_once(b->generator, fd, i, frame);
		const char *wrong = len < 0 ? "no frame"
					    : frame_wrong(frame, len, i, frame_port(i));

		if (wrong)
			return complain("%s: port %u, entity %u: %s", name, port, i, wrong);
	}
	return 0;
}

static int listen_wire(enum lab_wire w)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	const struct timeval patience = {.tv_sec = 1};
	int fd;

	if (lab_enter(NS_RX))
		return -1;
	at.sll_ifindex = if_nametoindex(lab_rx_name[w]);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return complain("%s: listen: %s", lab_rx_name[w], strerror(errno));
	return lab_enter(NS_TX) ? -1 : fd;
}

/* The same on the wire, in the order sent: the last stop before the sink that counts. */
static int check_wire(struct bench *b, enum lab_wire w, __u16 port)
{
	const int fd = listen_wire(w);
	const char *wrong = fd < 0 ? "no socket" : NULL;
	__u8 frame[FRAME_LEN + 1];

	generator_port(b->generator, port);
	for (__u32 i = 0; !wrong && i < ENTITIES; i++) {
		ssize_t len;

		if (i % BATCH == 0 && generator_send(b->generator, w, i, BATCH))
			wrong = "not sent";
		len = recv(fd, frame, sizeof(frame), 0);
		if (len < 0)
			wrong = "did not arrive";
		else
			wrong = wrong
					?: frame_wrong(frame, len, i,
						       w == WIRE_MANGLE ? frame_port(i) : port);
		if (wrong)
			complain("%s: port %u, entity %u: %s", lab_rx_name[w], port, i, wrong);
	}
	if (fd >= 0)
		close(fd);
	return wrong ? -1 : 0;
}

static int rewritten(__u64 *frames)
{
	static char stats[1 << 20];

	if (lab_enter(NS_HOST) || lab_ctl(stats, sizeof(stats), "-j stats") || lab_enter(NS_TX))
		return -1;
	return lab_json(stats, "\"packets\"", "rewritten", frames);
}

/* What was sent has all arrived, and mangle had a port for each frame of its wire since BEFORE. */
static int check_counts(struct bench *b, __u64 before)
{
	__u64 arrived, given;

	for (enum lab_wire w = 0; w < WIRES; w++) {
		const __u64 sent = generator_sent(b->generator, w);

		if (lab_arrived(w, &arrived))
			return -1;
		if (arrived != sent)
			return complain("%s: %llu frames sent, %llu arrived", lab_rx_name[w], sent,
					arrived);
	}
	if (rewritten(&given))
		return -1;
	if (given - before != generator_sent(b->generator, WIRE_MANGLE))
		return complain("mangle: %llu frames sent, %llu rewritten",
				generator_sent(b->generator, WIRE_MANGLE), given - before);
	return 0;
}

/* ---- measurements --------------------------------------------------------------------------- */

static int time_call(const struct side *side, double *ns)
{
	struct bench *b = side->bench;

	generator_port(b->generator, side->port);
	return generator_time_call(b->generator, side->what, ns);
}

static int time_send(const struct side *side, double *ns)
{
	struct bench *b = side->bench;

	generator_port(b->generator, side->port);
	return generator_time_send(b->generator, side->what, ns);
}

/* 0, 1 or EXIT_NOISY. */
static int measure(struct bench *b)
{
	const int reference = bpf_program__fd(b->programs->progs.bench_reference);
	const struct side noop = {"noop", time_call, b,
				  bpf_program__fd(b->programs->progs.bench_noop), PORT_PLAIN};
	const struct side hash = {"hash", time_call, b, reference, PORT_PLAIN};
	const struct side plain = {"mangle", time_call, b, b->mangle, PORT_PLAIN};
	const struct side match = {"mangle", time_call, b, b->mangle, PORT_MATCH};
	const struct side wire_noop = {"noop", time_send, b, WIRE_NOOP, PORT_PLAIN};
	const struct side wire_plain = {"mangle", time_send, b, WIRE_MANGLE, PORT_PLAIN};
	const struct duel duels[] = {
		{"program, against a bare hash", &plain, &hash, &noop, false, 1.40},
		{"the same, prefixes, interface", &match, &hash, &noop, false, 0},
		{"whole path, against a no-op", &wire_plain, &wire_noop, NULL, true, 0.88},
	};
	enum { DUELS = sizeof(duels) / sizeof(*duels) };
	struct outcome outcomes[DUELS];
	int exit_status = 0;
	__u64 before;

	if (check_calls(b, "reference", reference, PORT_PLAIN) ||
	    check_calls(b, "mangle", b->mangle, PORT_PLAIN) ||
	    check_calls(b, "mangle", b->mangle, PORT_MATCH) || rounds_run(duels, outcomes, 2) ||
	    rewritten(&before) || check_wire(b, WIRE_NOOP, PORT_PLAIN) ||
	    check_wire(b, WIRE_MANGLE, PORT_PLAIN) || check_wire(b, WIRE_MANGLE, PORT_MATCH) ||
	    rounds_run(duels + 2, outcomes + 2, 1) || check_counts(b, before) ||
	    report(outcomes, DUELS, DIR "quick.json"))
		return 1;
	for (int i = 0; i < DUELS; i++) {
		if (outcomes[i].verdict == VERDICT_MISSED)
			exit_status = 1;
		else if (outcomes[i].verdict == VERDICT_NOISY && !exit_status)
			exit_status = EXIT_NOISY;
	}
	return exit_status;
}

static int bench(void)
{
	struct bench b = {0};

	if (lab_up() || attach_mangle(&b) || load_reference(&b) || connect_wires(&b))
		return 1;
	return measure(&b);
}

static int pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set)
		       ? complain("CPU %d: %s", cpu, strerror(errno))
		       : 0;
}

/* The work is done in a child, so that whatever ends it the laboratory is taken down. */
int main(int argc, char **argv)
{
	const int cpu = argc > 1 ? atoi(argv[1]) : sysconf(_SC_NPROCESSORS_ONLN) - 1;
	int status = 0;
	pid_t child;

	if (lab_refuse())
		return 1;
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	child = fork();
	if (child < 0)
		return 1;
	if (!child) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		status = pin(cpu) ? 1 : bench();
		fflush(stdout);
		_exit(status);
	}
	waitpid(child, &status, 0);
	lab_down();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
