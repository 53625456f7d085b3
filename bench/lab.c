// SPDX-License-Identifier: GPL-2.0-only
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "frame.h"
#include "report.h"

#define PINS "/sys/fs/bpf/mangle"
#define BPFFS "/sys/fs/bpf"
#define BPFFS_MAGIC 0xcafe4a11

const char lab_tx_netns[] = "mglb-tx";
const char lab_rx_name[] = "in0";

static struct lab_wire wires[LAB_WIRES];
static int wire_count;
static bool bpffs_was_mounted;

/* Runs a shell command; its output goes to OUT, if that is not NULL. Its exit status, or -1. */
static int run(char *out, size_t size, const char *command)
{
	FILE *pipe = popen(command, "r");
	size_t got;
	int status;

	if (!pipe)
		return complain("%s: %s", command, strerror(errno));
	got = out ? fread(out, 1, size - 1, pipe) : 0;
	if (out)
		out[got] = '\0';
	while (fgetc(pipe) != EOF)
		;
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int lab_sh(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return run(NULL, 0, command) ? complain("failed: %s", command) : 0;
}

static bool bpffs_is_mounted(void)
{
	struct statfs fs;

	return !statfs(BPFFS, &fs) && (unsigned long)fs.f_type == BPFFS_MAGIC;
}

int lab_enter(const char *netns)
{
	char path[64];
	static int host = -1;
	int fd, ret;

	if (host < 0)
		host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/run/netns/%s", netns ?: "");
	fd = netns ? open(path, O_RDONLY | O_CLOEXEC) : host;
	ret = setns(fd, CLONE_NEWNET);
	if (ret)
		complain("%s: enter: %s", path, strerror(errno));
	if (netns && fd >= 0)
		close(fd);
	return ret;
}

int lab_enter_rx(int wire)
{
	return lab_enter(wires[wire].netns);
}

const struct lab_wire *lab_get(int wire)
{
	return &wires[wire];
}

int lab_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set)
		       ? complain("CPU %d: %s", cpu, strerror(errno))
		       : 0;
}

int lab_ctl(char *out, size_t size, const char *format, ...)
{
	char arguments[512], command[1024];
	const char *ctl = getenv("MANGLE_CTL") ?: "build/mangle-ctl";
	va_list args;

	va_start(args, format);
	vsnprintf(arguments, sizeof(arguments), format, args);
	va_end(args);
	snprintf(command, sizeof(command), "%s %s", ctl, arguments);
	return run(out, size, command) ? complain("failed: %s", command) : 0;
}

int lab_json(const char *json, const char *after, const char *key, __u64 *number)
{
	char quoted[64];
	const char *at = strstr(json, after);

	snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	at = at ? strstr(at, quoted) : NULL;
	if (!at || sscanf(at + strlen(quoted), " : %llu", number) != 1)
		return complain("no number %s after %s in what mangle-ctl says: %.200s", quoted,
				after, json);
	return 0;
}

int lab_refuse(void)
{
	if (geteuid())
		return complain("needs root");
	if (!access(PINS, F_OK))
		return complain("mangle is loaded here (" PINS
				"): it would lose its tables (detach --all --purge)");
	if (!system("ls /run/netns 2>/dev/null | grep -q '^mglb-'"))
		return complain(
			"namespaces mglb-… exist: another run, or what one left (ip netns del)");
	bpffs_was_mounted = bpffs_is_mounted();
	return 0;
}

/* Nothing but the benchmark's frames shall be on the wires. */
static int netns_up(const char *name)
{
	return lab_sh("ip netns add %s && ip -n %s link set lo up && ip netns exec %s sysctl -qw "
		      "net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 "
		      "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0",
		      name, name, name);
}

int lab_sink(int wire)
{
	const struct lab_wire *w = &wires[wire];
	static const char *const where[] = {
		[SINK_INGRESS] = "netdev mglb { chain sink { type filter hook ingress device in0 "
				 "priority 100; ",
		[SINK_INPUT] = "ip mglb { chain sink { type filter hook input priority 0; ",
		[SINK_LOOP] = "ip mglb { chain sink { type filter hook input priority 0; "
			      "iif != lo accept; ",
	};

	/* As little as tells them apart: each comparison costs nanoseconds. */
	return lab_sh("ip netns exec %s nft 'table %sudp dport >= %d counter drop; counter drop; "
		      "}; }'",
		      w->netns, where[w->sink], FRAME_FIRST_PORT);
}

int lab_up(void)
{
	return netns_up(lab_tx_netns);
}

int lab_wire(const char *name, enum lab_sink sink)
{
	struct lab_wire *w = &wires[wire_count];

	if (wire_count == LAB_WIRES)
		return complain("%s: more than %d wires", name, LAB_WIRES);
	snprintf(w->name, sizeof(w->name), "%s", name);
	snprintf(w->netns, sizeof(w->netns), "mglb-%s", name);
	w->sink = sink;
	if (netns_up(w->netns) ||
	    lab_sh("ip -n %s link add %s type veth peer name %s address 02:00:00:00:00:02 netns %s",
		   lab_tx_netns, w->name, lab_rx_name, w->netns) ||
	    lab_sh("ip -n %s link set %s up && ip -n %s link set %s up && "
		   "ip -n %s addr add 198.51.100.1/24 dev %s",
		   lab_tx_netns, w->name, w->netns, lab_rx_name, w->netns, lab_rx_name))
		return -1;
	return wire_count++;
}

void lab_down(void)
{
	lab_ctl(NULL, 0, "--quiet detach --all --purge --force");
	run(NULL, 0, "for ns in $(ls /run/netns | grep '^mglb-'); do ip netns del $ns; done");
	/* mangle mounts it, libxdp leaves an empty directory; what else is there is somebody's. */
	if (!bpffs_was_mounted && bpffs_is_mounted())
		run(NULL, 0,
		    "rmdir " BPFFS "/xdp 2>/dev/null; "
		    "test -n \"$(ls -A " BPFFS ")\" || umount " BPFFS);
}

/* The sink's rules in their order: right, other. */
int lab_arrived(int wire, __u64 *right, __u64 *other)
{
	const struct lab_wire *w = &wires[wire];
	char command[256], out[8192], *at;

	snprintf(command, sizeof(command), "ip netns exec %s nft -j list table %s mglb", w->netns,
		 w->sink == SINK_INGRESS ? "netdev" : "ip");
	if (run(out, sizeof(out), command))
		return complain("failed: %s", command);
	if (lab_json(out, "\"counter\"", "packets", right))
		return -1;
	at = strstr(out, "\"counter\"") + 1;
	return lab_json(at, "\"counter\"", "packets", other);
}

/* ---- mangle ---------------------------------------------------------------------------------- */

int lab_attach(const int *to, int n, const char *config)
{
	static char status[1 << 20];
	char quoted[40];
	__u64 id;
	int fd;

	snprintf(quoted, sizeof(quoted), "\"%s\"", wires[to[0]].netns);
	for (int i = 0; i < n; i++) {
		if (lab_ctl(NULL, 0, "--quiet -n %s attach %s --mode native --config %s",
			    wires[to[i]].netns, lab_rx_name, config))
			return -1;
	}
	if (lab_ctl(status, sizeof(status), "-j status") ||
	    lab_json(status, quoted, "prog_id", &id))
		return -1;
	fd = bpf_prog_get_fd_by_id(id);
	return fd < 0 ? complain("program %llu: open: %s", id, strerror(errno)) : fd;
}

int lab_reason(const char *reason, __u64 *packets)
{
	static char stats[4 << 20];
	char key[64];

	snprintf(key, sizeof(key), "\"%s\"", reason);
	return lab_ctl(stats, sizeof(stats), "-j stats") ||
	       lab_json(strstr(stats, "\"reasons\"") ?: "", key, "packets", packets);
}
