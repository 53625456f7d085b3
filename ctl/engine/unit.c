/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

void unit_name(const char *iface, char *out, size_t size)
{
	char escaped[64] = "*", *at = escaped;

	/* The rules are in systemd.unit(5), "String Escaping"; an interface's name has at most 15
	 * bytes, and no slash. */
	for (const char *c = iface; c && *c && at < escaped + sizeof(escaped) - 5; c++)
		at += isalnum((unsigned char)*c) || *c == '_' || *c == ':' ||
				      (*c == '.' && c > iface)
			      ? sprintf(at, "%c", *c)
			      : sprintf(at, "\\x%02x", (unsigned char)*c);
	snprintf(out, size, "mangle@%s.service", escaped);
}

/* The exit statuses of systemctl is-active, which are those of an init script. */
#define SYSTEMCTL_INACTIVE 3
#define SYSTEMCTL_NO_UNIT 4

/* Runs a command with its output discarded. Returns its exit status; -1: it has none. */
static int run(const char *const argv[])
{
	posix_spawn_file_actions_t files;
	int status = -1;
	pid_t pid;

	if (posix_spawn_file_actions_init(&files))
		return -1;
	if (!posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) &&
	    !posix_spawn_file_actions_adddup2(&files, 1, 2) &&
	    !posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)argv, environ))
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	posix_spawn_file_actions_destroy(&files);
	return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum unit_state unit_stop(const char *unit)
{
	const char *const is_active[] = {"systemctl", "--quiet", "is-active", unit, NULL};
	/* The time is limited, since the caller may be part of what systemd has to stop first. */
	const char *const stop[] = {"timeout", "10", "systemctl", "--quiet", "stop", unit, NULL};

	int active;

	if (access("/run/systemd/system", F_OK)) /* as sd_booted(3) does */
		return UNIT_INACTIVE;
	active = run(is_active);
	if (active == SYSTEMCTL_INACTIVE || active == SYSTEMCTL_NO_UNIT)
		return UNIT_INACTIVE;
	if (active)
		return UNIT_UNKNOWN;
	return run(stop) ? UNIT_ACTIVE : UNIT_STOPPED;
}
