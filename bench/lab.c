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

#include "report.h"

#define PINS "/sys/fs/bpf/mangle"
#define BPFFS "/sys/fs/bpf"
#define BPFFS_MAGIC 0xcafe4a11

const char *const lab_ns_name[] = {NULL, "mglb-tx", "mglb-rx"};
const char *const lab_tx_name[WIRES] = {"mglb-n0", "mglb-m0"};
const char *const lab_rx_name[WIRES] = {"mglb-n1", "mglb-m1"};

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

static int sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int sh(const char *format, ...)
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

int lab_enter(enum lab_ns ns)
{
	char path[64];
	static int host = -1;
	int fd, ret;

	if (host < 0)
		host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/run/netns/%s", ns ? lab_ns_name[ns] : "");
	fd = ns ? open(path, O_RDONLY | O_CLOEXEC) : host;
	ret = setns(fd, CLONE_NEWNET);
	if (ret)
		complain("%s: enter: %s", path, strerror(errno));
	if (ns && fd >= 0)
		close(fd);
	return ret;
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
	if (!access("/run/netns/mglb-rx", F_OK) || !access("/run/netns/mglb-tx", F_OK))
		return complain(
			"namespaces mglb-tx, mglb-rx exist: another run, or what one left (ip netns del)");
	bpffs_was_mounted = bpffs_is_mounted();
	return 0;
}

static int wire_up(enum lab_wire w)
{
	const char *tx = lab_tx_name[w], *rx = lab_rx_name[w];

	return sh("ip -n mglb-tx link add %s type veth peer name %s address 02:00:00:00:00:02 netns mglb-rx",
		  tx, rx) ||
	       sh("ip -n mglb-tx link set %s up && ip -n mglb-rx link set %s up", tx, rx) ||
	       sh("ip netns exec mglb-rx nft 'table netdev mglb { counter %s { }; chain %s { "
		  "type filter hook ingress device %s priority 0; counter name %s drop; }; }'",
		  rx, rx, rx, rx);
}

int lab_up(void)
{
	for (enum lab_ns ns = NS_TX; ns <= NS_RX; ns++) {
		/* Nothing but the benchmark's frames shall be on the wires. */
		if (sh("ip netns add %s && ip -n %s link set lo up && ip netns exec %s sysctl -qw "
		       "net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
		       lab_ns_name[ns], lab_ns_name[ns], lab_ns_name[ns]))
			return -1;
	}
	for (enum lab_wire w = 0; w < WIRES; w++) {
		if (wire_up(w))
			return -1;
	}
	return 0;
}

void lab_down(void)
{
	lab_ctl(NULL, 0, "--quiet detach --all --purge --force");
	run(NULL, 0, "ip netns del mglb-tx 2>/dev/null; ip netns del mglb-rx 2>/dev/null");
	/* mangle mounts it, libxdp leaves an empty directory; what else is there is somebody's. */
	if (!bpffs_was_mounted && bpffs_is_mounted())
		run(NULL, 0,
		    "rmdir " BPFFS "/xdp 2>/dev/null; "
		    "test -n \"$(ls -A " BPFFS ")\" || umount " BPFFS);
}

int lab_arrived(enum lab_wire w, __u64 *frames)
{
	char command[256], out[4096];

	snprintf(command, sizeof(command),
		 "ip netns exec mglb-rx nft -j list counter netdev mglb %s", lab_rx_name[w]);
	if (run(out, sizeof(out), command))
		return complain("failed: %s", command);
	return lab_json(out, lab_rx_name[w], "packets", frames);
}
