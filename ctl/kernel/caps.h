/* SPDX-License-Identifier: GPL-2.0-only */
/* Capabilities: which ones the process has, and which one it lacked when the kernel refused. */
#ifndef KERNEL_CAPS_H
#define KERNEL_CAPS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#define CAPS(name) (1ULL << CAP_##name)
/* Needed to load the programs. PERFMON: they add numbers to packet pointers. */
#define CAPS_PROGRAM (CAPS(BPF) | CAPS(NET_ADMIN) | CAPS(PERFMON))

bool caps_have(uint64_t wanted);
/* Returns whether this is the initial PID namespace, whose /proc has every process: 1, 0, or
 * negative errno. */
int caps_first_pid_ns(void);
/* Returns "CAP_BPF and CAP_PERFMON are missing" about the wanted ones, valid until the thread's
 * next call; NULL: none is missing. */
const char *caps_missing(uint64_t wanted);
/* The same as the reason of -err; NULL where the error has another reason. */
const char *caps_refused(int err, uint64_t wanted);
/* Returns that, or the kernel's text for -err. */
const char *caps_why(int err, uint64_t wanted);

#endif
