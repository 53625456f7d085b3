/* SPDX-License-Identifier: GPL-2.0-only */
#include "host.h"

#include <arpa/inet.h>
#include <limits.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/sock_diag.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

#include "netlink.h"

/* ---- settings ---- */

static FILE *open_setting(const char *path)
{
	char file[PATH_MAX];

	snprintf(file, sizeof(file), "/proc/sys/net/%s", path);
	return fopen(file, "re");
}

/* Closes the file. Returns 0, or the error where its content was not as expected. */
static int close_setting(FILE *f, bool good)
{
	int err = good && !ferror(f) ? 0 : ferror(f) && errno ? -errno : -EIO;

	fclose(f);
	return err;
}

int host_setting(const char *path, int *value)
{
	FILE *f = open_setting(path);

	if (!f)
		return -errno;
	return close_setting(f, fscanf(f, "%d", value) == 1);
}

static int read_local_range(struct host_local_ports *out)
{
	FILE *f = open_setting("ipv4/ip_local_port_range");

	if (!f)
		return -errno;
	return close_setting(f,
			     fscanf(f, "%u %u", &out->first, &out->last) == 2 && out->last < 65536);
}

/* Parses a list like 8080,9000-9100. */
static int read_reserved_ports(struct host_local_ports *out)
{
	FILE *f = open_setting("ipv4/ip_local_reserved_ports");
	unsigned int first, last;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (fscanf(f, "%u", &first) == 1) {
		if (fscanf(f, "-%u", &last) != 1)
			last = first;
		for (unsigned int port = first; port <= last && port < 65536; port++)
			out->taken[port] = false;
		if (fgetc(f) != ',')
			break;
	}
	return close_setting(f, true);
}

int host_local_ports(struct host_local_ports *out)
{
	int err = read_local_range(out);

	if (err)
		return err;
	for (unsigned int port = 0; port < 65536; port++)
		out->taken[port] = port >= out->first && port <= out->last;
	return read_reserved_ports(out);
}

/* ---- network address translation ---- */

int host_forwards(void)
{
	static const char *const settings[] = {"ipv4/ip_forward", "ipv6/conf/all/forwarding"};
	int first = 0;

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		int value = 0, err = host_setting(settings[i], &value);

		if (!err && value > 0)
			return 1;
		if (err && err != -ENOENT && !first)
			first = err;
	}
	return first;
}

/* The tables of legacy iptables: "nat" is listed once it has been used. */
static int legacy_masquerades(const char *path)
{
	FILE *f = fopen(path, "re");
	char name[64];
	int found = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (!found && fgets(name, sizeof(name), f))
		found = !strcmp(name, "nat\n");
	if (!found && ferror(f))
		found = -EIO;
	fclose(f);
	return found;
}

static int on_chain(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct nlattr *type = nlmsg_find_attr(h, sizeof(struct nfgenmsg), NFTA_CHAIN_TYPE);
	struct nlattr *hook = nlmsg_find_attr(h, sizeof(struct nfgenmsg), NFTA_CHAIN_HOOK);
	struct nlattr *number = hook ? nla_find(nla_data(hook), nla_len(hook), NFTA_HOOK_HOOKNUM)
				     : NULL;
	bool *found = arg;

	if (type && number && !nla_strcmp(type, "nat") &&
	    ntohl(nla_get_u32(number)) == NF_INET_POST_ROUTING)
		*found = true;
	return NL_OK;
}

/* Reads the chains of nftables, which include those of iptables-nft. A kernel without nftables does
 * not know the request. */
static int nftables_masquerades(void)
{
	struct nfgenmsg request = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
	bool found = false;
	int err = netlink_dump(NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
			       &request, sizeof(request), on_chain, &found);

	if (err == -NLE_INVAL || err == -NLE_PROTO_MISMATCH || err == -NLE_OPNOTSUPP)
		err = 0;
	return err < 0 ? -EIO : found;
}

int host_masquerades(void)
{
	const int found[] = {legacy_masquerades("/proc/thread-self/net/ip_tables_names"),
			     legacy_masquerades("/proc/thread-self/net/ip6_tables_names"),
			     nftables_masquerades()};
	int result = 0;

	for (size_t i = 0; i < sizeof(found) / sizeof(*found); i++)
		if (!result || found[i] > 0)
			result = found[i];
	return result;
}

/* ---- sockets ---- */

/* Addresses are in network byte order, but printed as if they were native numbers. */
static bool parse_socket(const char *line, struct host_socket *s)
{
	unsigned int local_port, remote_port;
	uint32_t *l = s->local_be, *r = s->remote_be;

	memset(s, 0, sizeof(*s));
	if (sscanf(line, " %*d: %8x%8x%8x%8x:%x %8x%8x%8x%8x:%x %x", &l[0], &l[1], &l[2], &l[3],
		   &local_port, &r[0], &r[1], &r[2], &r[3], &remote_port, &s->state) != 11) {
		if (sscanf(line, " %*d: %8x:%x %8x:%x %x", &l[3], &local_port, &r[3], &remote_port,
			   &s->state) != 5)
			return false;
		l[0] = l[1] = r[0] = r[1] = 0;
		l[2] = r[2] = htonl(0xffff);
	}
	s->local_port = (uint16_t)local_port;
	s->remote_port = (uint16_t)remote_port;
	return true;
}

/* Reads one of the two lists: a heading line, then a line for each socket. */
static int read_sockets(FILE *f, int (*each)(void *arg, const struct host_socket *socket),
			void *arg)
{
	struct host_socket s;
	char line[512];
	int ret = 0;

	errno = 0;
	if (!fgets(line, sizeof(line), f) || !strstr(line, "local_address"))
		return errno ? -errno : -EIO;
	while (!ret && fgets(line, sizeof(line), f))
		ret = strchr(line, '\n') && parse_socket(line, &s) ? each(arg, &s) : -EIO;
	return !ret && ferror(f) ? errno ? -errno : -EIO : ret;
}

int host_sockets(int (*each)(void *arg, const struct host_socket *socket), void *arg,
		 struct err *why)
{
	static const char *const files[] = {"/proc/thread-self/net/tcp",
					    "/proc/thread-self/net/tcp6"};
	int ret = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files) && !ret; i++) {
		FILE *f = fopen(files[i], "re");

		/* A kernel booted without IPv6 lacks the second list. */
		if (!f && i && errno == ENOENT)
			break;
		ret = f ? read_sockets(f, each, arg) : -errno;
		if (f)
			fclose(f);
		if (ret < 0)
			fail(why, ret, files[i], "%s", strerror(-ret));
	}
	return ret;
}

static int on_listener(struct nl_msg *msg, void *arg)
{
	const struct inet_diag_msg *m = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *ulp = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(*m), INET_DIAG_ULP_INFO);
	struct nlattr *name = ulp ? nla_find(nla_data(ulp), nla_len(ulp), INET_ULP_INFO_NAME)
				  : NULL;
	bool *port = arg;

	if (name && !nla_strcmp(name, "mptcp"))
		port[ntohs(m->id.idiag_sport)] = true;
	return NL_OK;
}

/* An MPTCP listener has a TCP listener below it that names its owner; older kernels list
 * no other. */
static int dump_listeners(uint8_t family, bool *port)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
		.idiag_states = 1U << HOST_TCP_LISTEN,
	};

	return netlink_dump(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, &request, sizeof(request),
			    on_listener, port);
}

int host_mptcp_ports(bool port[65536], struct err *why)
{
	int enabled, err;

	memset(port, 0, 65536 * sizeof(*port));
	if (host_setting("mptcp/enabled", &enabled) == -ENOENT)
		return 0; /* a kernel without MPTCP, where sock_diag may be missing too */
	err = dump_listeners(AF_INET, port);
	if (!err)
		err = dump_listeners(AF_INET6, port);
	if (err == -NLE_OBJ_NOTFOUND)
		return fail(why, -ENOENT, "sock_diag", "the kernel's module tcp_diag is missing");
	return err < 0 ? fail(why, -EIO, "sock_diag", "%s", nl_geterror(err)) : 0;
}
