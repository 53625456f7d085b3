/* SPDX-License-Identifier: GPL-2.0-only */
#include "caps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Those in force. As the kernel has it, CAP_SYS_ADMIN has what was split off from it in it. */
static uint64_t effective(void)
{
	unsigned long long set = 0;
	int saved = errno; /* that is being told */
	char line[256];
	FILE *f = fopen("/proc/thread-self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &set) == 1)
			break;
	if (f)
		fclose(f);
	errno = saved;
	if (set & CAPS(SYS_ADMIN))
		set |= CAPS(BPF) | CAPS(PERFMON);
	return set;
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
	};
	static char text[128];
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
