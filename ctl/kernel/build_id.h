/* SPDX-License-Identifier: GPL-2.0-only */
/* The build: what distinguishes this binary's programs from those of others. */
#ifndef KERNEL_BUILD_ID_H
#define KERNEL_BUILD_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "../../maps/schema.h"

/* A hash of the embedded programs. */
void prog_build(uint8_t build[8]);
/* Writes its first bytes as text into buf, and returns buf. */
#define BUILD_TEXT_SIZE 9
const char *prog_build_text(const uint8_t build[8], char buf[BUILD_TEXT_SIZE]);
/* Returns whether the attached program is of this build. */
bool prog_is_own(const struct mangle_iface *i);

#endif
