/* SPDX-License-Identifier: GPL-2.0-only */
/* The laboratory: two network namespaces, wires between them, sinks that count, and mangle-ctl,
 * which is used as anybody else would use it. */
#ifndef BENCH_LAB_H
#define BENCH_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

enum lab_ns { NS_HOST, NS_TX, NS_RX };
enum lab_wire { WIRE_NOOP, WIRE_MANGLE, WIRES };

extern const char *const lab_ns_name[];
extern const char *const lab_tx_name[WIRES], *const lab_rx_name[WIRES];

/* Stops what would disturb or be disturbed: mangle in use, another benchmark. */
int lab_refuse(void);

/* Namespaces, veth pairs, and at each receiving end an ingress hook that counts and drops all. */
int lab_up(void);
/* Removes whatever of it there is, and what mangle has loaded. Never fails half-way. */
void lab_down(void);

/* Puts this process into a namespace; programs that it starts too. */
int lab_enter(enum lab_ns ns);
/* Frames that have come out of a wire. */
int lab_arrived(enum lab_wire w, __u64 *frames);

/* Runs mangle-ctl in the host's namespace; its output goes to OUT, if that is not NULL. */
int lab_ctl(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The first number behind "KEY": at or after the first "AFTER" in JSON. */
int lab_json(const char *json, const char *after, const char *key, __u64 *number);

#endif
