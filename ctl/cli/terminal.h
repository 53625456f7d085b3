/* SPDX-License-Identifier: GPL-2.0-only */
/* What standard output is. On a terminal, lists are made to fit and go through a pager; elsewhere a
 * script reads them, and they look the same wherever it runs. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct terminal {
	bool is_terminal, has_colors, wants_pager;
	pid_t pager; /* 0: no pager runs */
};

void terminal_init(struct terminal *t, enum color_when color, bool pager);
/* Return the columns, from COLUMNS or the terminal itself, and the lines. Both are read anew at
 * each call, since a window can change its size. */
unsigned int terminal_width(void);
unsigned int terminal_height(void);
/* On a terminal, sends what is printed from now on through the pager. The pager may stall, so the
 * caller must hold nothing that others wait for. */
void terminal_page(struct terminal *t);
/* Waits until the user leaves the pager. Standard output is closed then. */
void terminal_end(struct terminal *t);

#endif
