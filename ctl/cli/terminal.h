/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What standard output is. On a terminal lists are made to fit and go through a pager; elsewhere a
 * script reads them, and they are the same wherever it runs.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

void terminal_init(enum color_when color, bool pager);
bool terminal_is(void);
/* Columns, by COLUMNS or the terminal itself; and its lines. */
unsigned int terminal_width(void);
unsigned int terminal_height(void);
bool terminal_has_colors(void);
/*
 * On a terminal, what is printed from now on goes through the pager. It may stall, so the caller
 * holds nothing that others wait for.
 */
void terminal_page(void);
bool terminal_is_paged(void);
/* Waits until the user has left the pager. Standard output is closed then. */
void terminal_end(void);

#endif
