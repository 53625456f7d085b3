/* SPDX-License-Identifier: GPL-2.0-only */
/* Has the tc programs of every attached interface as on a kernel without tcx: clsact IN OUT, each 0
 * or 1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../ctl/kernel/open.h"
#include "../../ctl/kernel/probe.h"
#include "../../ctl/kernel/tc_programs.h"

int main(int argc, char **argv)
{
	struct prog_needs needs = {argc > 1 && atoi(argv[1]), argc > 2 && atoi(argv[2])};
	struct store *s;
	struct err e;
	int err = store_open(&s, STORE_WRITE, 5, &e);

	if (err == -ENOENT)
		return fputs("nothing is loaded\n", stderr), 1;
	((struct prog_features *)prog_probe())->tcx = false;
	if (!err) {
		err = tc_programs_set(s, needs, &e);
		store_close(s);
	}
	if (err)
		fprintf(stderr, "%s\n", e.line);
	return err != 0;
}
