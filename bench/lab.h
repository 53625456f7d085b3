/* SPDX-License-Identifier: GPL-2.0-only */
/* The laboratory: a sending namespace, and wires from it into namespaces of their own, each with a
 * sink that counts; and mangle-ctl, which is used as anybody else would use it. */
#ifndef BENCH_LAB_H
#define BENCH_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

enum { LAB_WIRES = 64 };

/* Where a wire's frames are counted and dropped: as early as all that is compared has had its turn.
 */
enum lab_sink {
	SINK_INGRESS, /* netdev ingress, behind nft's own hook there */
	SINK_INPUT,   /* what the host is to get */
	SINK_LOOP,    /* what it is to get over lo; the rest is let in */
};

struct lab_wire {
	char name[16]; /* in the sending namespace; lab_rx_name in its own */
	char netns[32];
	enum lab_sink sink;
};

extern const char lab_tx_netns[];
extern const char lab_rx_name[];

/* Stops what would disturb or be disturbed: mangle in use, another benchmark. */
int lab_refuse(void);
/* Makes the sending namespace. */
int lab_up(void);
/* Removes whatever of it there is, and what mangle has loaded. Never fails half-way. */
void lab_down(void);

/* A veth pair into a namespace of its own. The wire's number, or -1. */
int lab_wire(const char *name, enum lab_sink sink);
/* From now on its sink counts and drops; up to now the host got what arrived. */
int lab_sink(int wire);
const struct lab_wire *lab_get(int wire);

/* Puts this process into a namespace, by name; NULL: the host's. Programs that it starts too. */
int lab_enter(const char *netns);
int lab_enter_rx(int wire);

/* Puts this process on one CPU. */
int lab_pin(int cpu);

/* Frames that a wire's sink has had: bound for entities' ports, and others. */
int lab_arrived(int wire, __u64 *right, __u64 *other);

/* Runs a shell command in the host's namespace. 0, or -1 and it has complained. */
int lab_sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Runs mangle-ctl in the host's namespace; its output goes to OUT, if that is not NULL. */
int lab_ctl(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The first number behind "KEY": at or after the first "AFTER" in JSON. */
int lab_json(const char *json, const char *after, const char *key, __u64 *number);
/* Attaches mangle to the wires with a configuration file. The program's file descriptor on the
 * first of them, or -1. */
int lab_attach(const int *wires, int n, const char *config);
/* Packets that mangle has counted for REASON, all services. */
int lab_reason(const char *reason, __u64 *packets);

#endif
