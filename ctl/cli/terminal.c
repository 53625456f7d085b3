/* SPDX-License-Identifier: GPL-2.0-only */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL "/bin/sh"
/* A pager that is not there must not swallow what was to be read. */
#define RUN_PAGER "p=${PAGER-less -FRX}; command -v \"${p%% *}\" >/dev/null || p=cat; eval \"$p\""

static bool is_terminal, colors, wants_pager;
static pid_t pager;

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

void terminal_init(enum color_when color, bool page)
{
	const char *term = getenv("TERM");
	bool is_dumb = term && !strcmp(term, "dumb");

	is_terminal = isatty(STDOUT_FILENO);
	wants_pager = page && !is_dumb;
	colors = color == COLOR_ALWAYS ||
		 (color == COLOR_AUTO && is_terminal && !is_dumb && !is_set("NO_COLOR"));
}

bool terminal_is(void)
{
	return is_terminal;
}

bool terminal_has_colors(void)
{
	return colors;
}

static unsigned int size_of(const char *variable, unsigned int kernel, unsigned int usual)
{
	const char *value = getenv(variable);
	unsigned long n = value ? strtoul(value, NULL, 10) : 0;

	if (n > 0 && n < 10000)
		return (unsigned int)n;
	return kernel ? kernel : usual;
}

static struct winsize window(void)
{
	struct winsize w = {0};

	/* Standard output may be the pager's pipe by now. */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w))
		ioctl(STDERR_FILENO, TIOCGWINSZ, &w);
	return w;
}

unsigned int terminal_width(void)
{
	return size_of("COLUMNS", window().ws_col, 80);
}

unsigned int terminal_height(void)
{
	return size_of("LINES", window().ws_row, 24);
}

/* Whoever may run this command alone by sudo must not come to a shell by way of the pager. */
static void confine_pager(void)
{
	if (!is_set("SUDO_UID") && !is_set("PKEXEC_UID") && !is_set("DOAS_USER"))
		return;
	unsetenv("PAGER");
	unsetenv("LESSOPEN");
	setenv("LESSSECURE", "1", 1);
}

static void run_pager(int input)
{
	dup2(input, STDIN_FILENO);
	setenv("LESS", "FRX", 0);
	confine_pager();
	execl(SHELL, "sh", "-c", RUN_PAGER, (char *)NULL);
	_exit(127);
}

void terminal_page(void)
{
	const char *chosen = getenv("PAGER");
	int ends[2];

	if (!is_terminal || !wants_pager || pager || access(SHELL, X_OK))
		return;
	if (chosen && (!*chosen || !strcmp(chosen, "cat")))
		return;
	if (pipe2(ends, O_CLOEXEC))
		return;
	pager = fork();
	if (!pager)
		run_pager(ends[0]);
	if (pager > 0) {
		dup2(ends[1], STDOUT_FILENO);
		/* The pager handles these signals. */
		signal(SIGINT, SIG_IGN);
		signal(SIGQUIT, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
	} else {
		pager = 0;
	}
	close(ends[0]);
	close(ends[1]);
}

bool terminal_is_paged(void)
{
	return pager > 0;
}

void terminal_end(void)
{
	if (!pager)
		return;
	close(STDOUT_FILENO);
	while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
		;
}
