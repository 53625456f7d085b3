/* SPDX-License-Identifier: GPL-2.0-only */
/* The clocks that the program and mangle-ctl have in common. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Writes the present value of bpf_jiffies64() >> shift, its low 32 bits. Returns 0, or negative
 * errno of loading or running the program that reads it. */
int clock_jiffies(unsigned int shift, uint32_t *out);
/* Returns the time of that clock in nanoseconds. */
uint64_t clock_ns(clockid_t clock);
/* Writes the jiffies per second: 100, 250, 300 or 1000, measured for 60 ms. Returns as
 * clock_jiffies. */
int clock_measure_hz(uint32_t *hz);

#endif
