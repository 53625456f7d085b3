// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const verdict_text[] = {"ok", "missed", "too noisy"};

int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return -1;
}

struct machine {
	struct utsname uts;
	char cpu[128];
	long cpus;
};

static void look(struct machine *m)
{
	char line[256];
	FILE *f = fopen("/proc/cpuinfo", "r");

	memset(m, 0, sizeof(*m));
	uname(&m->uts);
	m->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "model name : %127[^\n\"\\]", m->cpu) == 1)
			break;
	}
	if (f)
		fclose(f);
}

static void print_table(const struct machine *m, const struct outcome *o, int n)
{
	printf("%s, %ld CPUs, Linux %s %s\n\n", m->cpu, m->cpus, m->uts.release, m->uts.machine);
	printf("%-34s %8s %8s %8s %7s  %-15s %9s  %-8s %s\n", "ns a frame", "mangle", "compared",
	       "floor", "ratio", "quartiles", "rounds", "bar", "verdict");
	for (int i = 0; i < n; i++) {
		const struct duel *d = o[i].duel;
		char bar[16] = "-", floor[16] = "-";

		if (d->bar)
			snprintf(bar, sizeof(bar), "%s %.2f", d->inverse ? ">=" : "<=", d->bar);
		if (d->floor)
			snprintf(floor, sizeof(floor), "%.1f", o[i].floor);
		printf("%-34s %8.1f %8.1f %8s %7.3f  %.3f to %.3f %4d/%-4d  %-8s %s\n", d->what,
		       o[i].variant, o[i].reference, floor, o[i].ratio, o[i].low, o[i].high,
		       o[i].counted, o[i].tried, bar,
		       d->bar || o[i].verdict == VERDICT_NOISY ? verdict_text[o[i].verdict] : "-");
	}
}

static void print_json(FILE *f, const struct machine *m, const struct outcome *o, int n)
{
	fprintf(f,
		"{\"machine\":{\"cpu\":\"%s\",\"cpus\":%ld,\"kernel\":\"%s\",\"arch\":\"%s\"},\"results\":[",
		m->cpu, m->cpus, m->uts.release, m->uts.machine);
	for (int i = 0; i < n; i++) {
		const struct duel *d = o[i].duel;

		fprintf(f,
			"%s\n{\"what\":\"%s\",\"variant\":\"%s\",\"reference\":\"%s\",\"floor\":\"%s\","
			"\"variant_ns\":%.2f,\"reference_ns\":%.2f,\"floor_ns\":%.2f,"
			"\"ratio\":%.4f,\"ratio_low\":%.4f,\"ratio_high\":%.4f,\"rounds\":%d,\"tried\":%d,"
			"\"bar\":%.3f,\"at_least\":%s,\"verdict\":\"%s\"}",
			i ? "," : "", d->what, d->variant->name, d->reference->name,
			d->floor ? d->floor->name : "", o[i].variant, o[i].reference, o[i].floor,
			o[i].ratio, o[i].low, o[i].high, o[i].counted, o[i].tried, d->bar,
			d->inverse ? "true" : "false", verdict_text[o[i].verdict]);
	}
	fprintf(f, "\n]}\n");
}

int report(const struct outcome *outcomes, int n, const char *file)
{
	struct machine m;
	FILE *f = fopen(file, "w");

	look(&m);
	print_table(&m, outcomes, n);
	if (!f)
		return complain("%s: write: %s", file, strerror(errno));
	print_json(f, &m, outcomes, n);
	return fclose(f) ? complain("%s: write: %s", file, strerror(errno)) : 0;
}
