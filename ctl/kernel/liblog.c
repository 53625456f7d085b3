/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xdp/libxdp.h>

#include "caps.h"
#include "liblog.h"

/* The last warning of the libraries, for the one line that an error is. The libraries call back in
 * the thread that called them, and pass no argument that says for whom. */
static _Thread_local char last_warning[256];

static void keep_warning(const char *fmt, va_list ap)
{
	char line[sizeof(last_warning)];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (line[0])
		memcpy(last_warning, line, sizeof(line));
}

static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN)
		keep_warning(fmt, ap);
	return 0;
}

static int on_libxdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBXDP_WARN)
		keep_warning(fmt, ap);
	return 0;
}

void liblog_begin(void)
{
	libbpf_set_print(on_libbpf);
	libxdp_set_print(on_libxdp);
	last_warning[0] = '\0';
}

const char *liblog_why_of(int err, uint64_t wanted)
{
	static _Thread_local char text[sizeof(last_warning) + 128]; /* returned to the caller */
	const char *refused = caps_refused(err, wanted);

	if (refused)
		return refused;
	snprintf(text, sizeof(text), "%s%s%s", strerror(-err), last_warning[0] ? "; " : "",
		 last_warning);
	return text;
}

void liblog_set(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	keep_warning(fmt, ap);
	va_end(ap);
}

const char *liblog_why(int err)
{
	return liblog_why_of(err, CAPS_PROGRAM);
}
