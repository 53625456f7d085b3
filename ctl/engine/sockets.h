/* SPDX-License-Identifier: GPL-2.0-only */
/* Which connections of the flow table still have a socket. */
#ifndef ENGINE_SOCKETS_H
#define ENGINE_SOCKETS_H

#include "model/model.h"

struct socket_ends;

/* The live TCP sockets of a network namespace. They are read when sockets_alive is first called: a
 * run that never calls it needs no permission to read them. Initialize with {.netns = inode}. */
struct sockets {
	uint64_t netns;
	struct socket_ends *all;
	size_t count, room;
	bool read;
	int err; /* why they could not be read; 0: they could */
	struct err why;
};
/* Returns whether the flow's client has a connection to that port of this host: 1, 0, or negative
 * errno where that cannot be told; s->why says why. */
int sockets_alive(struct sockets *s, const struct mangle_flow_key *key, uint16_t port);
void sockets_free(struct sockets *s);

/* Returns whether the flow belongs to that network namespace. */
bool flow_is_of(const struct mangle_flow_key *key, uint64_t netns);
/* Returns the local port of the flow's socket; 0: it has no socket yet. */
uint16_t flow_socket_port(const struct mangle_flow_key *key, const struct mangle_flow *flow);

#endif
