/* SPDX-License-Identifier: GPL-2.0-only */
/* Can this machine run mangle? */
#ifndef ENGINE_CHECK_MACHINE_H
#define ENGINE_CHECK_MACHINE_H

#include "kernel/probe.h"
#include "findings.h"

/* What the check of an interface goes by. */
struct machine {
	unsigned int release; /* major << 8 | minor */
	bool may_probe;	      /* programs may be loaded: else features says nothing */
	struct prog_features features;
};
void check_machine(struct findings *f, struct machine *m);

#endif
