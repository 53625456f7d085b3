/* SPDX-License-Identifier: GPL-2.0-only */
#include "caps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Returns the effective capabilities. As in the kernel, CAP_SYS_ADMIN implies those that were split
 * off from it. capget(2) needs no file descriptor, of which there may be none left. */
static uint64_t effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	int saved = errno; /* the error being reported */
	uint64_t set;

	syscall(SYS_capget, &header, data);
	errno = saved;
	set = (uint64_t)data[1].effective << 32 | data[0].effective;
	if (set & CAPS(SYS_ADMIN))
		set |= CAPS(BPF) | CAPS(PERFMON);
	return set;
}

int caps_first_pid_ns(void)
{
	const ino_t first = 0xeffffffcU; /* include/linux/proc_ns.h: PROC_PID_INIT_INO */
	struct stat pid;

	return stat("/proc/self/ns/pid", &pid) ? -errno : pid.st_ino == first;
}

bool caps_have(uint64_t wanted)
{
	return !(wanted & ~effective());
}

const char *caps_missing(uint64_t wanted)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{CAPS(BPF), "CAP_BPF"},
		{CAPS(NET_ADMIN), "CAP_NET_ADMIN"},
		{CAPS(PERFMON), "CAP_PERFMON"},
		{CAPS(SYS_ADMIN), "CAP_SYS_ADMIN"},
		{CAPS(SYS_PTRACE), "CAP_SYS_PTRACE"},
	};
	static _Thread_local char text[128]; /* returned to the caller */
	uint64_t left = wanted & ~effective();
	bool several = left & (left - 1);
	size_t len = 0;

	if (!left)
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!(left & names[i].bit))
			continue;
		left &= ~names[i].bit;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", names[i].name,
					!left		      ? ""
					: (left & (left - 1)) ? ", "
							      : " and ");
	}
	snprintf(text + len, sizeof(text) - len, several ? " are missing" : " is missing");
	return text;
}

const char *caps_refused(int err, uint64_t wanted)
{
	return err == -EPERM || err == -EACCES ? caps_missing(wanted) : NULL;
}

const char *caps_why(int err, uint64_t wanted)
{
	const char *refused = caps_refused(err, wanted);

	return refused ? refused : strerror(-err);
}
