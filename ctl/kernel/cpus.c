/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpus.h"

/* Returns one more than the greatest number in a list like "0-3,8". */
static unsigned int cpu_count(const char *path)
{
	char text[256] = "";
	FILE *f = fopen(path, "re");
	char *at;

	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	at = text + strlen(text);
	while (at > text && at[-1] != '-' && at[-1] != ',')
		at--;
	return *at ? (unsigned int)strtoul(at, NULL, 10) + 1 : 0;
}

int cpus_count(unsigned int *possible, struct table_cpus *cpus, struct err *e)
{
	unsigned int online = cpu_count("/sys/devices/system/cpu/online");

	*possible = cpu_count("/sys/devices/system/cpu/possible");
	if (!*possible)
		return fail(e, -EIO, "/sys/devices/system/cpu/possible",
			    "counting CPUs: cannot be read (mount /sys)");
	if (!online || online > *possible)
		online = *possible;
	cpus->own = online;
	cpus->copies = online < *possible ? online + 1 : online;
	return 0;
}
