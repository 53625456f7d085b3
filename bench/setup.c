// SPDX-License-Identifier: GPL-2.0-only
#include "setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "reference.h"
#include "reference.skel.h"
#include "report.h"

enum { BATCH = 50, GATE_MOST = 10000 };

int setup_table(const char *name, __u32 entities, const char *size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), BENCH_DIR "%s.map", name);
	f = fopen(path, "w");
	if (!f)
		return complain("%s: write: %s", path, strerror(errno));
	for (__u32 i = 0; i < entities; i++)
		fprintf(f, "0x%08x %u %s\n", ntohl(frame_tag(i)), frame_port(i), size);
	return fclose(f) ? complain("%s: write: %s", path, strerror(errno)) : 0;
}

/* Every packet goes through each stage: port index, both size windows, table, counters, rewrite. */
int setup_config(const struct setup_service *s, int n)
{
	FILE *f = fopen(BENCH_YAML, "w");

	if (!f)
		return complain(BENCH_YAML ": write: %s", strerror(errno));
	fputs("version: 1\nservices:\n", f);
	for (int i = 0; i < n; i++) {
		fprintf(f,
			"  - name: %s\n    protocol: %s\n    ports: [%u]\n"
			"    invalid: drop\n    unknown: drop\n    targets: %d-%d\n%s"
			"    entities-file: %s.map\n",
			s[i].name, s[i].protocol ?: "udp", s[i].port, FRAME_FIRST_PORT,
			FRAME_FIRST_PORT + FRAME_PORTS - 1, s[i].more ?: SETUP_TAG, s[i].table);
	}
	return fclose(f) ? complain(BENCH_YAML ": write: %s", strerror(errno)) : 0;
}

int setup_reference(struct bench *b, __u32 entities, __u16 port)
{
	struct reference *r = reference__open();

	if (r)
		r->rodata->reference_port = htons(port);
	if (!r || bpf_map__set_max_entries(r->maps.reference_table, entities) || reference__load(r))
		return complain("reference.bpf.o: load: %s", strerror(errno));
	b->noop = bpf_program__fd(r->progs.bench_noop);
	b->drop = bpf_program__fd(r->progs.bench_drop);
	for (__u32 i = 0; i < entities; i++) {
		const struct reference_key key = {.tag = frame_tag(i)};
		const struct reference_value value = {.port_be = htons(frame_port(i))};

		if (bpf_map_update_elem(bpf_map__fd(r->maps.reference_table), &key, &value,
					BPF_ANY))
			return complain("reference: entity %u: %s", i, strerror(errno));
	}
	return bpf_program__fd(r->progs.bench_reference);
}

int setup_xdp(int wire, int fd)
{
	if (lab_enter_rx(wire))
		return -1;
	if (bpf_xdp_attach(if_nametoindex(lab_rx_name), fd, XDP_FLAGS_DRV_MODE, NULL))
		return complain("%s: attach: %s", lab_get(wire)->netns, strerror(errno));
	return 0;
}

int setup_generator(struct bench *b)
{
	if (lab_enter(lab_tx_netns))
		return -1;
	b->generator = generator_open();
	return b->generator ? setup_wires(b) : -1;
}

int setup_wires(struct bench *b)
{
	if (lab_enter(lab_tx_netns))
		return -1;
	for (int w = 0; lab_get(w)->name[0]; w++) {
		if (generator_wire(b->generator, w, if_nametoindex(lab_get(w)->name)))
			return -1;
	}
	return 0;
}

int read_call(const struct side *side, double *ns)
{
	struct bench *b = side->bench;

	return generator_traffic(b->generator, side->traffic) ||
			       generator_time_call(b->generator, side->what, ns)
		       ? -1
		       : 0;
}

int read_send(const struct side *side, double *ns)
{
	struct bench *b = side->bench;

	return generator_traffic(b->generator, side->traffic) ||
			       generator_time_send(b->generator, side->what, ns)
		       ? -1
		       : 0;
}

/* ---- gates ----------------------------------------------------------------------------------- */

int gate_call(struct bench *b, const char *name, int fd, const struct traffic *t)
{
	const __u32 n = t->entities ?: 1, step = n > GATE_MOST ? n / GATE_MOST : 1;

	if (generator_traffic(b->generator, t))
		return -1;
	for (__u32 i = 0; i < n; i += step) {
		const char *wrong = generator_check_call(b->generator, fd, i, frame_port(i));

		if (wrong)
			return complain("%s: port %u, entity %u of %u: %s", name, t->port, i, n,
					wrong);
	}
	return 0;
}

/* All UDP datagrams that are delivered here, after whatever changed them. */
static int listen_host(int wire)
{
	const struct timeval patience = {.tv_sec = 1};
	const int room = 4 << 20;
	int fd;

	if (lab_enter_rx(wire))
		return -1;
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return complain("%s: listen: %s", lab_get(wire)->netns, strerror(errno));
	return lab_enter(lab_tx_netns) ? -1 : fd;
}

/* The next datagram as a frame, into BYTES; what is to be steered and is at the shared port is what
 * a relay has yet to take. */
static const char *next_arrival(struct bench *b, int fd, const struct traffic *t, enum gate gate,
				__u32 i, __u8 bytes[FRAME_MAX_LEN])
{
	const struct frame *f = generator_frame(b->generator);
	const __u16 port = gate == GATE_AS_SENT ? t->port : frame_port(i);
	const __u32 tag = frame_tag(i);

	memcpy(bytes, f->bytes, sizeof(struct ethhdr));
	for (;;) {
		const ssize_t len = recv(fd, bytes + sizeof(struct ethhdr),
					 FRAME_MAX_LEN - sizeof(struct ethhdr), 0);
		const __u16 arrived = len < 0 ? 0 : bytes[f->l4 + 2] << 8 | bytes[f->l4 + 3];

		if (len < 0)
			return "did not arrive";
		if (gate == GATE_RELAYED && arrived == t->port)
			continue;
		if (gate == GATE_RELAYED)
			return arrived != port			 ? "another port"
			       : memcmp(bytes + f->tag, &tag, 4) ? "another tag"
								 : NULL;
		return frame_wrong(f, bytes, len + sizeof(struct ethhdr), i, port);
	}
}

int gate_host(struct bench *b, int wire, const struct traffic *t, enum gate gate)
{
	const __u32 n = t->entities < GATE_MOST ? t->entities : GATE_MOST;
	const int fd = listen_host(wire);
	const char *wrong = fd < 0 ? "no socket" : NULL;
	struct traffic turn = *t;
	__u8 bytes[FRAME_MAX_LEN];

	turn.pick = DRAW_IN_TURN;
	turn.flow_each = true; /* or connection tracking would send all where it sent the first */
	if (generator_traffic(b->generator, &turn))
		wrong = "no such traffic";
	for (__u32 i = 0; !wrong && i < n; i++) {
		if (i % BATCH == 0 &&
		    generator_send(b->generator, wire, n - i < BATCH ? n - i : BATCH))
			wrong = "not sent";
		else
			wrong = next_arrival(b, fd, t, gate, i, bytes);
		if (wrong)
			complain("%s: port %u, entity %u: %s", lab_get(wire)->netns, t->port, i,
				 wrong);
	}
	if (fd >= 0)
		close(fd);
	return wrong ? -1 : 0;
}

int gate_reason(struct bench *b, const struct traffic *t, const char *reason)
{
	const __u32 frames = t->slice ?: SLICE_FRAMES;
	__u64 before, after;
	double ns;

	if (generator_traffic(b->generator, t) || lab_enter(NULL) || lab_reason(reason, &before) ||
	    lab_enter(lab_tx_netns) || generator_time_call(b->generator, b->mangle, &ns) ||
	    lab_enter(NULL) || lab_reason(reason, &after) || lab_enter(lab_tx_netns))
		return -1;
	if (after - before != frames)
		return complain("mangle: %u frames sent, %llu counted as %s", frames,
				after - before, reason);
	return 0;
}
