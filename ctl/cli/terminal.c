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
/* A pager that is not installed must not swallow the output: cat takes its place. */
#define RUN_PAGER "p=${PAGER-less -FRX}; command -v \"${p%% *}\" >/dev/null || p=cat; eval \"$p\""

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

void terminal_init(struct terminal *t, enum color_when color, bool page)
{
	const char *term = getenv("TERM");
	bool is_dumb = term && !strcmp(term, "dumb");

	*t = (struct terminal){.is_terminal = isatty(STDOUT_FILENO),
			       .wants_pager = page && !is_dumb};
	t->has_colors = color == COLOR_ALWAYS ||
			(color == COLOR_AUTO && t->is_terminal && !is_dumb && !is_set("NO_COLOR"));
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

	/* Standard output may already be the pager's pipe. */
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

/* A user who may run only this command with sudo must not get a shell by way of the pager. */
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

void terminal_page(struct terminal *t)
{
	const char *chosen = getenv("PAGER");
	int ends[2];

	if (!t->is_terminal || !t->wants_pager || t->pager || access(SHELL, X_OK))
		return;
	if (chosen && (!*chosen || !strcmp(chosen, "cat")))
		return;
	if (pipe2(ends, O_CLOEXEC))
		return;
	t->pager = fork();
	if (!t->pager)
		run_pager(ends[0]);
	if (t->pager > 0) {
		dup2(ends[1], STDOUT_FILENO);
		/* The pager handles these signals itself. */
		signal(SIGINT, SIG_IGN);
		signal(SIGQUIT, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
	} else {
		t->pager = 0;
	}
	close(ends[0]);
	close(ends[1]);
}

void terminal_end(struct terminal *t)
{
	if (!t->pager)
		return;
	close(STDOUT_FILENO);
	while (waitpid(t->pager, NULL, 0) < 0 && errno == EINTR)
		;
}
