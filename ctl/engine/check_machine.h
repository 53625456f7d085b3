/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor: can this machine run mangle? */
#ifndef ENGINE_CHECK_MACHINE_H
#define ENGINE_CHECK_MACHINE_H

#include "kernel/probe.h"
#include "findings.h"

/* What the check of an interface has to know of the machine. */
struct machine {
	unsigned int release; /* major << 8 | minor */
	bool may_probe;	      /* programs can be loaded; if not, `features` is empty */
	struct prog_features features;
};
void check_machine(struct findings *f, struct machine *m);

#endif
