/* SPDX-License-Identifier: GPL-2.0-only */
/* What all sections need: mangle with a configuration, programs to compare it with, sides to read,
 * and the gates without which there is no figure. */
#ifndef BENCH_SETUP_H
#define BENCH_SETUP_H

#include <stdio.h>

#include "generator.h"
#include "lab.h"
#include "rounds.h"

#define BENCH_DIR "build/bench/"
enum { MAX_SERVICES = 1024 };

struct bench {
	struct generator *generator;
	int noop;   /* program fd: passes */
	int drop;   /* drops */
	int mangle; /* fd of the instance that calls go to */
};

/* A table file DIR/NAME.map of the first N entities, each with a payload SIZE of its own. */
int setup_table(const char *name, __u32 entities, const char *size);

/* Writes DIR/bench.yaml: services one behind the other. */
struct setup_service {
	const char *name, *table; /* table: see setup_table */
	__u16 port;
	const char
		*more; /* further lines, each "    key: value\n"; NULL: the usual tag and sizes */
	const char *protocol; /* NULL: udp */
};
/* More lines for a service that is found by prefixes and interface besides. */
#define SETUP_TAG "    tag: { offset: 0, length: 4 }\n    size: { min: 16, max: 1400 }\n"
#define SETUP_MATCH \
	SETUP_TAG "    daddr: [198.51.100.0/24]\n    saddr: [192.0.2.0/24]\n    interface: in0\n"
int setup_config(const struct setup_service *services, int n);
#define BENCH_YAML BENCH_DIR "bench.yaml"

/* A program with one bare hash of the first N entities, for frames to PORT. Its fd, or -1; it stays
 * until this process ends. */
int setup_reference(struct bench *b, __u32 entities, __u16 port);

/* Attaches a program to a wire's receiving end, native. */
int setup_xdp(int wire, int fd);

/* Sending namespace, generator and all wires that there are by then. */
int setup_generator(struct bench *b);
/* Wires that were made since. */
int setup_wires(struct bench *b);

int read_call(const struct side *side, double *ns); /* what: program fd */
int read_send(const struct side *side, double *ns); /* what: wire */

/* Entities' frames leave the program FD on the entities' ports, otherwise as they were: all of them
 * up to 10,000, else so many, entity 0's all-zero tag always. */
int gate_call(struct bench *b, const char *name, int fd, const struct traffic *t);
/* The same for what a wire's host is given, before its sink is opened: each at its entity's port
 * (RELAYED: otherwise perhaps not as sent), or all as they were sent. */
enum gate { GATE_AS_SENT, GATE_STEERED, GATE_RELAYED };
int gate_host(struct bench *b, int wire, const struct traffic *t, enum gate gate);
/* A slice of frames is counted under REASON. */
int gate_reason(struct bench *b, const struct traffic *t, const char *reason);

#endif
