/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program of xdp/ as it is, as a function of this process. Before: HOST_PKT and HOST_PROGRAM, how
 * it has a packet's bytes, and its source.
 */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include <stddef.h>

/* So that what the loader fixes can be varied from one run to the next. */
#define const

#include HOST_PKT
#include "../../xdp/pkt.h"

/* BPF's instructions, which only the verifier needs. */
#undef verifier_forget
#define verifier_forget(p, number) ((void)(p)->opaque, (void)(number))
#undef clamp_index
#define clamp_index(number, count) ((number) &= (count)-1)

#include HOST_PROGRAM

#undef const
