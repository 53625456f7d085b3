/* SPDX-License-Identifier: GPL-2.0-only */
/* Running the program on frames, without attaching it. */
#ifndef KERNEL_RUN_H
#define KERNEL_RUN_H

#include <stddef.h>

#include "../../maps/schema.h"
#include "model/err.h"

struct store;

/*
 * Opens a second instance on the same tables, which explains instead of counting. Refused where a
 * program of another build is attached. ifname: explain as if received there; "": on an interface
 * that no service names.
 */
struct explainer;
int explainer_open(struct explainer **out, struct store *s, const char *ifname, struct err *e);
void explainer_close(struct explainer *x); /* NULL is fine */
/*
 * Runs one frame of at least 14 bytes. out (len bytes) gets the resulting frame. Listeners are
 * looked for in the thread's network namespace. Returns -EMSGSIZE where the kernel cannot run a
 * frame of that size.
 */
int explainer_run(struct explainer *x, const void *frame, size_t len, void *out,
		  struct mangle_explained *why, struct err *e);
/* A counting instance that is attached to nothing, for tests. runner_run returns the XDP action, or
 * negative errno; out has room for len bytes. */
struct runner;
int runner_open(struct runner **out, struct store *s, const char *ifname, struct err *e);
void runner_close(struct runner *r); /* NULL is fine */
int runner_run(struct runner *r, const void *frame, size_t len, void *out, size_t *out_len,
	       struct err *e);

#endif
