/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames with tags drawn in the kernel: handed to a program, or sent over a wire. */
#ifndef BENCH_GENERATOR_H
#define BENCH_GENERATOR_H

#include <linux/types.h>

#include "frame.h"

enum { SLICE_FRAMES = 65536, GENERATOR_WIRES = 8 };

struct generator;

/* Attaches itself to lo of the caller's network namespace, which no frame uses: a program that is
 * attached nowhere enters and leaves the XDP dispatcher with every test run, 20 ms each time. */
struct generator *generator_open(__u32 entities);
void generator_close(struct generator *g);

/* The port that frames are sent to from now on; at first FRAME_SHARED_PORT. */
void generator_port(struct generator *g, __u16 port);

/* Nanoseconds a frame for SLICE_FRAMES frames with random tags through the drawing program and
 * program FD. */
int generator_time_call(struct generator *g, int fd, double *ns);

/* Hands one frame of entity I to program FD and takes back what it made of it. -1, or the length.
 */
int generator_call_once(struct generator *g, int fd, __u32 i, __u8 frame[FRAME_LEN]);

/* Wire W leads into the device IFINDEX of the caller's network namespace. */
int generator_wire(struct generator *g, __u32 w, int ifindex);

/* Nanoseconds a frame for SLICE_FRAMES live frames with random tags into wire W, receiver included.
 */
int generator_time_send(struct generator *g, __u32 w, double *ns);

/* Frames sent into wire W up to now. */
__u64 generator_sent(const struct generator *g, __u32 w);

/* Sends the frames of COUNT entities in their order, from FIRST on, into wire W. */
int generator_send(struct generator *g, __u32 w, __u32 first, __u32 count);

#endif
