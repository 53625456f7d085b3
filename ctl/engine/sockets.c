/* SPDX-License-Identifier: GPL-2.0-only */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/host.h"
#include "kernel/netns.h"

struct socket_ends {
	uint32_t client_be[4], server_be[4];
	uint16_t client_port, server_port;
};

static int add_socket(void *arg, const struct host_socket *s)
{
	struct sockets *to = arg;
	struct socket_ends *t;

	if (s->state == HOST_TCP_TIME_WAIT || s->state == HOST_TCP_CLOSE ||
	    s->state == HOST_TCP_LISTEN)
		return 0;
	if (to->count == to->room) {
		size_t room = to->room ? 2 * to->room : 1024;

		t = realloc(to->all, room * sizeof(*t));
		if (!t)
			return -ENOMEM;
		to->all = t;
		to->room = room;
	}
	t = &to->all[to->count++];
	memcpy(t->client_be, s->remote_be, sizeof(t->client_be));
	memcpy(t->server_be, s->local_be, sizeof(t->server_be));
	t->client_port = s->remote_port;
	t->server_port = s->local_port;
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct socket_ends));
}

static int read_sockets(struct sockets *s)
{
	int back, err = netns_enter_inode(s->netns, &back);

	s->read = true;
	if (err)
		return fail(&s->why, err, "its network namespace", "%s", netns_why(err));
	err = host_sockets(add_socket, s, &s->why);
	netns_return(back);
	if (s->count)
		qsort(s->all, s->count, sizeof(*s->all), by_bytes);
	return err;
}

int sockets_alive(struct sockets *s, const struct mangle_flow_key *key, uint16_t port)
{
	struct socket_ends t = {.client_port = ntohs(key->client_port_be), .server_port = port};

	if (!s->read)
		s->err = read_sockets(s);
	if (s->err)
		return s->err;
	memcpy(t.client_be, key->client_be, sizeof(t.client_be));
	memcpy(t.server_be, key->server_be, sizeof(t.server_be));
	return s->count && bsearch(&t, s->all, s->count, sizeof(t), by_bytes) ? 1 : 0;
}

bool flow_is_of(const struct mangle_flow_key *key, uint64_t netns)
{
	return !((key->netns ^ (uint32_t)netns) & ~MANGLE_FLOW_REVERSE);
}

uint16_t flow_socket_port(const struct mangle_flow_key *key, const struct mangle_flow *flow)
{
	if (flow->state == FLOW_REVERSE)
		return ntohs(key->server_port_be);
	return flow->state == FLOW_BOUND || flow->state == FLOW_LIVE ? flow->port : 0;
}

void sockets_free(struct sockets *s)
{
	free(s->all);
}
