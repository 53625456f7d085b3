// SPDX-License-Identifier: GPL-2.0-only
#include "peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "frame.h"
#include "lab.h"
#include "report.h"
#include "setup.h"
#include "tc.skel.h"

#define RULES BENCH_DIR "peer.rules"
#define PINS "/sys/fs/bpf/mangle/"

static FILE *rules(void)
{
	FILE *f = fopen(RULES, "w");

	if (!f)
		complain(RULES ": write: %s", strerror(errno));
	return f;
}

static int load(FILE *f, int wire, const char *command)
{
	if (fclose(f))
		return complain(RULES ": write: %s", strerror(errno));
	return lab_sh("ip netns exec %s %s " RULES, lab_get(wire)->netns, command);
}

/* Tag to port; the tag is the payload's first 4 bytes, bit 64 behind the UDP header's first. */
static void nft_map(FILE *f, __u32 entities)
{
	fputs(" map entities {\n  typeof @th,64,32 : udp dport\n  elements = {", f);
	for (__u32 i = 0; i < entities; i++)
		fprintf(f, "%s0x%08x : %u", i ? ", " : "", ntohl(frame_tag(i)), frame_port(i));
	fputs("}\n }\n", f);
}

int peer_nft_ingress(int wire, __u16 port, __u32 entities)
{
	FILE *f = rules();

	if (!f)
		return -1;
	fputs("table netdev peer {\n", f);
	nft_map(f, entities);
	fprintf(f,
		" chain ingress { type filter hook ingress device %s priority 0;\n"
		"  udp dport %u udp length 24-1408 udp dport set @th,64,32 map @entities; }\n}\n",
		lab_rx_name, port);
	return load(f, wire, "nft -f");
}

int peer_nft_redirect(int wire, __u16 port, __u32 entities)
{
	FILE *f = rules();

	if (!f)
		return -1;
	fputs("table ip peer {\n", f);
	nft_map(f, entities);
	fprintf(f,
		" chain prerouting { type nat hook prerouting priority dstnat;\n"
		"  udp dport %u udp length 24-1408 redirect to : @th,64,32 map @entities; }\n}\n",
		port);
	return load(f, wire, "nft -f");
}

static int iptables(int wire, __u16 port, __u32 entities, bool string)
{
	FILE *f = rules();

	if (!f)
		return -1;
	fputs("*nat\n", f);
	for (__u32 i = 0; i < entities; i++) {
		const __u32 tag = ntohl(frame_tag(i));

		fprintf(f, "-A PREROUTING -p udp --dport %u -m ", port);
		if (string) /* offsets from the IP header on; 4 + 4 bytes are to be looked at */
			fprintf(f, "string --algo bm --from 28 --to 32 --hex-string |%08x|", tag);
		else
			fprintf(f, "u32 --u32 0>>22&0x3C@8=0x%08x", tag);
		fprintf(f, " -j REDIRECT --to-ports %u\n", frame_port(i));
	}
	fputs("COMMIT\n", f);
	return load(f, wire, "iptables-legacy-restore");
}

int peer_iptables_u32(int wire, __u16 port, __u32 entities)
{
	return iptables(wire, port, entities, false);
}

int peer_iptables_string(int wire, __u16 port, __u32 entities)
{
	return iptables(wire, port, entities, true);
}

static int share(struct bpf_map *map, const char *pin)
{
	const int fd = bpf_obj_get(pin);

	return fd < 0 || bpf_map__reuse_fd(map, fd) ? complain("%s: open: %s", pin, strerror(errno))
						    : 0;
}

int peer_tc(int wire, __u16 port __attribute__((unused)), __u32 entities __attribute__((unused)))
{
	struct tc *tc = tc__open();
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts);

	if (!tc)
		return complain("tc.bpf.o: open: %s", strerror(errno));
	bpf_program__set_type(tc->progs.mangle_tc, BPF_PROG_TYPE_SCHED_CLS);
	bpf_program__set_expected_attach_type(tc->progs.mangle_tc, 0);
	tc->rodata->have_load_bytes = true;
	if (share(tc->maps.config, PINS "config") || share(tc->maps.tables, PINS "tables") ||
	    share(tc->maps.stats, PINS "stats"))
		return -1;
	if (tc__load(tc))
		return complain("tc.bpf.o: load: %s", strerror(errno));
	if (lab_enter_rx(wire))
		return -1;
	hook.ifindex = if_nametoindex(lab_rx_name);
	opts.prog_fd = bpf_program__fd(tc->progs.mangle_tc);
	if (bpf_tc_hook_create(&hook) || bpf_tc_attach(&hook, &opts))
		return complain("%s: attach to tc: %s", lab_get(wire)->netns, strerror(errno));
	tc__destroy(tc); /* the filter keeps the program */
	return 0;
}
