/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "journal.h"
#include "model/diff.h"
#include "model/escape.h"
#include "running.h"
#include "state.h"

void store_describe(struct store *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->what, sizeof(s->what), fmt, ap);
	va_end(ap);
}

void store_log(const struct store *s, const struct changes *c, const char *what)
{
	const char *user = getenv("SUDO_USER");
	char shown[1024], who[256];

	if (s->private)
		return;
	escape_string(*s->what ? s->what : what, shown, sizeof(shown));
	escape_string(user ? user : "", who, sizeof(who));
	openlog("mangle-ctl", LOG_PID, LOG_DAEMON);
	syslog(LOG_NOTICE,
	       "%s%suid %u%s: %s: added %llu, removed %llu, updated %llu, generation %llu", who,
	       user ? " (" : "", getuid(), user ? ")" : "", shown, (unsigned long long)c->added,
	       (unsigned long long)c->removed, (unsigned long long)c->updated,
	       (unsigned long long)store_generation(s));
	closelog();
}
