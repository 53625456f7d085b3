// SPDX-License-Identifier: GPL-2.0-only
/* bench SECTION --rows FILE: measures one section. bench quick: the short form.
 * Exit status: 0 measured, 1 not; quick: also 77, the machine is too noisy. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "sections.h"

static const struct section {
	const char *name;
	int (*measure)(struct bench *b);
} sections[] = {
	{"paths", section_paths}, {"tables", section_tables}, {"services", section_services},
	{"wires", section_wires}, {"cpus", section_cpus},     {"quick", section_quick},
};
enum { SECTIONS = sizeof(sections) / sizeof(*sections) };

static int measure(const struct section *section, const char *rows)
{
	struct bench b = {0};
	int status;

	/* On the last CPU: what else there is to do is usually done on the first. */
	if (lab_pin(sysconf(_SC_NPROCESSORS_ONLN) - 1) || lab_up() ||
	    (rows && rows_open(section->name, rows)))
		return 1;
	status = section->measure(&b);
	if (rows_close() || status < 0)
		return 1;
	return status;
}

/* The work is done in a child, so that whatever ends it the laboratory is taken down. */
static int run(const struct section *section, const char *rows)
{
	int status = 0;
	pid_t child;

	if (lab_refuse())
		return 1;
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	child = fork();
	if (child < 0)
		return 1;
	if (!child) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		status = measure(section, rows);
		fflush(stdout);
		_exit(status);
	}
	waitpid(child, &status, 0);
	lab_down();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	const bool quick = argc == 2 && !strcmp(argv[1], "quick");
	const bool rows = argc == 4 && !strcmp(argv[2], "--rows");

	for (int i = 0; (quick || rows) && i < SECTIONS; i++) {
		if (!strcmp(sections[i].name, argv[1]))
			return run(&sections[i], rows ? argv[3] : NULL);
	}
	fputs("usage: bench quick | bench SECTION --rows FILE; sections: paths tables services "
	      "wires cpus\n",
	      stderr);
	return 2;
}
