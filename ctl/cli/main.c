/* SPDX-License-Identifier: GPL-2.0-only */
/* mangle-ctl: words to a verb, the verb to an exit status, an error to its one line. */
#include <string.h>
#include <unistd.h>

#include "kernel/netns.h"
#include "out.h"
#include "print.h"
#include "verbs.h"

static int start_output(const struct cmd *c, struct err *e)
{
	static const char *const words[] = {"auto", "always", "never", NULL};
	int color = given(c, OPT(COLOR)) ? option_word(c, OPT_COLOR, words, e) : COLOR_AUTO;

	if (color < 0)
		return color;
	terminal_init(&c->out->terminal, (enum color_when)color, !given(c, OPT(NO_PAGER)));
	return 0;
}

/* Ends the process without flushing what is buffered: none of it is an answer. */
static void end_in_wrong_netns(const struct err *why)
{
	print_error(why, NULL);
	_exit(why->status);
}

static int run(int argc, char **argv, struct cmd *c, struct err *e)
{
	int err;

	if (argc > 1 && !strcmp(argv[1], "--complete")) {
		complete(c->out, argc - 2, argv + 2);
		return 0;
	}
	err = argv_parse(argc, argv, c, e);
	if (err)
		return err;
	err = start_output(c, e);
	if (err)
		return err;
	if (given(c, OPT(HELP))) {
		help_print(c, out_raw(c->out));
		return 0;
	}
	if (given(c, OPT(VERSION))) {
		print_version(c->out);
		return 0;
	}
	if (!c->verb) {
		help_print(c, out_raw_error());
		return EXIT_USAGE;
	}
	/* A namespace that is gone can be named, but not entered. */
	if (c->netns && !given(c, OPT(GONE))) {
		err = netns_enter(c->netns, e);
		if (err)
			return err;
	}
	err = netns_init(end_in_wrong_netns, e);
	return err ? err : c->verb->run(c, e);
}

int main(int argc, char **argv)
{
	struct err e = {.status = EXIT_NOT_DONE};
	struct output out;
	struct cmd c = {.out = &out};
	int ret;

	out_init(&out);
	ret = run(argc, argv, &c, &e);
	if (ret >= 0 && print_finish(&out, &e))
		ret = -1;
	if (ret >= 0)
		return ret;
	print_error(&e, c.name);
	return e.status;
}
