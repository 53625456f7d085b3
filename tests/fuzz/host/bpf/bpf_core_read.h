/* SPDX-License-Identifier: GPL-2.0-only */
/* In place of libbpf's: the kernel's structures are as they are declared. */
#ifndef TESTS_FUZZ_BPF_CORE_READ_H
#define TESTS_FUZZ_BPF_CORE_READ_H

#define BPF_CORE_READ_BITFIELD(s, field) ((s)->field)

/* BPF_CORE_READ(s, a, b): s->a->b */
#define READ_1(s, a) ((s)->a)
#define READ_2(s, a, b) ((s)->a->b)
#define READ_BY(_1, _2, by, ...) by
#define BPF_CORE_READ(s, ...) READ_BY(__VA_ARGS__, READ_2, READ_1)(s, __VA_ARGS__)

#endif
