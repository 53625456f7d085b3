/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks, and prints remedies; creates and changes nothing. */
#include "engine/check_interface.h"
#include "engine/check_loaded.h"
#include "engine/check_machine.h"
#include "print.h"

int cmd_doctor(const struct cmd *c, struct err *e)
{
	struct findings f = {.finding = NULL};
	struct machine m;
	bool is_bad;

	(void)e;
	check_machine(&f, &m);
	check_loaded(&f, c->wait);
	if (c->argc)
		check_interface(&f, c->argv[0], &m, c->wait);
	print_findings(c->out, &f);
	is_bad = f.is_bad;
	free_findings(&f);
	return is_bad ? EXIT_NOT_DONE : 0;
}
