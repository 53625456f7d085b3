/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef STORM_H
#define STORM_H

#include <linux/types.h>

enum { STORM_FRAMES = 8192, STORM_LEN = 256, STORM_FIELDS = 6 };

/* Two bytes that differ in every frame: one of two random numbers, or its complement, so that
 * checksums stay right where each number and its complement are in the same sum. */
struct storm_field {
	__u8 at, what; /* 0: a, 1: ~a, 2: b, 3: ~b */
};

struct storm_frame {
	__u16 len;
	__u16 fields;
	struct storm_field field[STORM_FIELDS];
	__u8 bytes[STORM_LEN];
};

#endif
