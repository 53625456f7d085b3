/* SPDX-License-Identifier: GPL-2.0-only */
/* The messages of libbpf and libxdp: they are kept from the terminal, and the last warning goes
 * into the error line. */
#ifndef KERNEL_LIBLOG_H
#define KERNEL_LIBLOG_H

#include <stdint.h>

/* Discards earlier messages of the libraries to this thread, and records those that follow. */
void liblog_begin(void);
/* Sets the warning that the error line gets, as if a library had printed it. */
void liblog_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Returns the reason for -err, with the last warning, until the thread's next call. The reason
 * names a missing capability: of those that programs need, or of `wanted` (CAPS). */
const char *liblog_why(int err);
const char *liblog_why_of(int err, uint64_t wanted);

#endif
