/* SPDX-License-Identifier: GPL-2.0-only */
/* Capabilities: which the process has, and which it lacks for what the kernel has refused. */
#ifndef KERNEL_CAPS_H
#define KERNEL_CAPS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#define CAPS(name) (1ULL << CAP_##name)
/* What loading the programs asks for. PERFMON: they add numbers to packet pointers. */
#define CAPS_PROGRAM (CAPS(BPF) | CAPS(NET_ADMIN) | CAPS(PERFMON))

bool caps_have(uint64_t wanted);
/* Is this the PID namespace that the machine began with, whose /proc has every process? 1, 0, or
 * negative errno. */
int caps_first_pid_ns(void);
/* "CAP_BPF and CAP_PERFMON are missing": of those wanted, until the thread's next call; NULL where
 * all are there. */
const char *caps_missing(uint64_t wanted);
/* The same as the reason of -err; NULL where it has another one. */
const char *caps_refused(int err, uint64_t wanted);
/* That, or what the kernel calls -err. */
const char *caps_why(int err, uint64_t wanted);

#endif
