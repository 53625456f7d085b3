/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What maps of other layout versions are like: their types in BTF, and values made into ours by the
 * names of their fields. A field that they do not have is 0; one of another type is refused.
 */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

#include <stddef.h>

#include "../../maps/schema.h"
#include "model/err.h"

/* This version's own. */
int layout_own(struct mangle_layout *out, struct err *e);

/* One type of theirs, as it becomes ours. */
struct conversion;
/* -EBADF where they have no such type, or one that cannot become ours. type: name of a struct. */
int conversion_open(struct conversion **out, const struct mangle_layout *theirs, const char *type,
		    struct err *e);
void conversion_close(struct conversion *c); /* NULL is fine */
size_t conversion_their_size(const struct conversion *c);
/* Their value's bytes to ours, which is zeroed first. */
void convert(const struct conversion *c, const void *theirs, void *ours);

#endif
