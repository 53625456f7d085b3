/* SPDX-License-Identifier: GPL-2.0-only */
/* What libbpf and libxdp say: kept from the terminal, and the last warning for the error line. */
#ifndef KERNEL_LIBLOG_H
#define KERNEL_LIBLOG_H

#include <stdint.h>

/* Keeps what the libraries say to this thread from now on, and forgets what they have said. */
void liblog_begin(void);
/* Has the error line say this as if a library had. */
void liblog_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Returns the reason for -err, with the last warning, until the thread's next call. By
 * capabilities: those that programs need, or those wanted (CAPS) of which one may be missing. */
const char *liblog_why(int err);
const char *liblog_why_of(int err, uint64_t wanted);

#endif
