/* SPDX-License-Identifier: GPL-2.0-only */
/* Which connections of the flow table still have a socket. */
#ifndef ENGINE_SOCKETS_H
#define ENGINE_SOCKETS_H

#include "model/model.h"

struct socket_ends;

/*
 * The TCP sockets of a network namespace that live, read when the first is asked for: a run that
 * asks for none need not be able to look there. Begin with {.netns = inode}.
 */
struct sockets {
	uint64_t netns;
	struct socket_ends *all;
	size_t count, room;
	bool read;
	int err; /* they could not be read, and why */
	struct err why;
};
/* Returns whether the flow's client has a connection to that port of this host: 1, 0, or negative
 * errno where that cannot be told; s->why says why. */
int sockets_alive(struct sockets *s, const struct mangle_flow_key *key, uint16_t port);
void sockets_free(struct sockets *s);

/* Is the flow one of that network namespace? */
bool flow_is_of(const struct mangle_flow_key *key, uint64_t netns);
/* Returns the local port of the flow's socket, 0 where it has no socket yet. */
uint16_t flow_socket_port(const struct mangle_flow_key *key, const struct mangle_flow *flow);

#endif
