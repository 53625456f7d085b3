/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures: every packet that can be explained is all there, an Ethernet frame, and the same when
 * it is written and read again; of every other one it is said why not. */
#include "../../ctl/files/capture.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

struct seen {
	uint64_t packets, hash;
};

static void note(struct seen *s, const struct packet *p)
{
	/* pcap, which is what is written, has 32 bits for either part of the time. */
	uint32_t words[] = {(uint32_t)p->time.tv_sec, (uint32_t)p->time.tv_usec, (uint32_t)p->len};

	s->packets++;
	s->hash = hash(hash(s->hash, words, sizeof(words)), p->bytes, p->len);
}

/* Reads all there is; copies what explain would take. Returns what ended it. */
static int read_all(const char *file, struct seen *s, pcap_dumper_t *copy)
{
	struct capture in;
	uint64_t index = 0;
	struct packet p;
	struct err e;
	int ret = capture_open(&in, file, &e);

	if (!ret) {
		while ((ret = capture_next(&in, &p, &e)) > 0) {
			const struct pcap_pkthdr header = {.ts = p.time,
							   .caplen = (bpf_u_int32)p.len,
							   .len = (bpf_u_int32)p.len};

			CHECK(++index == in.index);
			if (*p.why_not)
				continue;
			CHECK(p.len == p.length && p.len <= CAPTURE_MAX_FRAME);
			note(s, &p);
			if (copy)
				pcap_dump((u_char *)copy, &header, p.bytes);
		}
	}
	if (ret < 0)
		check_err(&e);
	capture_close(&in);
	return ret;
}

static const char *name_of(int fd, char name[32])
{
	snprintf(name, 32, "/proc/self/fd/%d", fd);
	return name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int in = memfd_create("in", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);
	pcap_t *type = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, CAPTURE_MAX_FRAME,
							    PCAP_TSTAMP_PRECISION_NANO);
	struct seen first = {0}, again = {0};
	pcap_dumper_t *copy;
	char name[32];

	CHECK(in >= 0 && out >= 0 && type);
	CHECK(write(in, data, size) == (ssize_t)size);
	copy = pcap_dump_fopen(type, fdopen(dup(out), "w"));
	CHECK(copy);
	read_all(name_of(in, name), &first, copy);
	pcap_dump_close(copy);
	CHECK(!read_all(name_of(out, name), &again, NULL));
	CHECK(first.packets == again.packets && first.hash == again.hash);
	pcap_close(type);
	close(in);
	close(out);
	return 0;
}
