/* SPDX-License-Identifier: GPL-2.0-only */
/* In place of libbpf's: the kernel's structures are as they are declared. */
#ifndef TESTS_FUZZ_BPF_CORE_READ_H
#define TESTS_FUZZ_BPF_CORE_READ_H

#define BPF_CORE_READ_BITFIELD(s, field) ((s)->field)

#endif
