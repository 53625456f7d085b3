/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "clock.h"

/* What bpf_jiffies64() >> shift is now, in its low 32 bits. */
int clock_jiffies(unsigned int shift, uint32_t *out)
{
	struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = (int)shift},
		{.code = BPF_JMP | BPF_EXIT},
	};
	uint8_t frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame));
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "mangle_clock", "GPL", insns, 3, NULL);
	int err;

	if (fd < 0)
		return fd;
	err = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	*out = run.retval;
	return err;
}

uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* No interface tells HZ: ticks are counted for a while, and the nearest usual value is taken. */
int clock_measure_hz(uint32_t *out)
{
	static const uint32_t usual[] = {100, 250, 300, 1000};
	const struct timespec nap = {.tv_nsec = 60000000};
	uint32_t from, to, best = 250;
	double best_gap = 1e9, hz;
	int err = clock_jiffies(0, &from);
	uint64_t start;

	if (err)
		return err;
	start = clock_ns(CLOCK_MONOTONIC);
	nanosleep(&nap, NULL);
	err = clock_jiffies(0, &to);
	if (err)
		return err;
	hz = (double)(to - from) * 1e9 / (double)(clock_ns(CLOCK_MONOTONIC) - start);
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		double gap = hz > usual[i] ? hz / usual[i] : usual[i] / (hz > 1 ? hz : 1);

		if (gap < best_gap) {
			best_gap = gap;
			best = usual[i];
		}
	}
	*out = best;
	return 0;
}
