// SPDX-License-Identifier: GPL-2.0-only
#include "station.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PRIORITY 10

void die(const char *object, const char *what)
{
	fprintf(stderr, "%s: %s: %s: %s\n", program_invocation_short_name, object, what,
		strerror(errno));
	exit(1);
}

void enter(const char *netns)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path, "enter");
	close(fd);
}

void settle(int cpu, bool first)
{
	const struct sched_param priority = {.sched_priority = PRIORITY};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU", "sched_setaffinity");
	if (first && sched_setscheduler(0, SCHED_FIFO, &priority))
		die("SCHED_FIFO", "sched_setscheduler");
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("memory", "mlockall");
}

__u64 now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int last_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

int other_cpu(void)
{
	return last_cpu() ? last_cpu() - 1 : 0;
}
