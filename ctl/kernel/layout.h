/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of other layout versions: their types in BTF, and the conversion of values to this
 * version's by the names of fields. A field that they do not have becomes 0; one of another type is
 * refused.
 */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

#include <stddef.h>

#include "../../maps/schema.h"
#include "model/err.h"

/* This version's own. */
int layout_own(struct mangle_layout *out, struct err *e);

/* The conversion of one of their types to ours. */
struct conversion;
/* Returns -EBADF where they have no such type, or one that cannot be converted. type: name of a
 * struct. */
int conversion_open(struct conversion **out, const struct mangle_layout *theirs, const char *type,
		    struct err *e);
void conversion_close(struct conversion *c); /* NULL is fine */
size_t conversion_their_size(const struct conversion *c);
/* Converts the bytes of their value to ours, which is zeroed first. */
void convert(const struct conversion *c, const void *theirs, void *ours);

#endif
