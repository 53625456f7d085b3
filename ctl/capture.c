/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

int capture_open(struct capture *in, const char *file, struct err *e)
{
	char why[PCAP_ERRBUF_SIZE];
	int type;

	*in = (struct capture){.name = file};
	in->pcap = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!in->pcap)
		return fail(e, -EINVAL, *file ? file : "''",
			    "opening the capture: %s (it must be pcap or pcapng)", why);
	type = pcap_datalink(in->pcap);
	if (type != DLT_EN10MB) {
		const char *name = pcap_datalink_val_to_name(type);

		return fail(
			e, -EINVAL, file,
			"opening the capture: its link type is %s, not Ethernet (capture on an Ethernet interface)",
			name ? name : "unknown");
	}
	return 0;
}

void capture_of_frame(struct capture *in, const char *name, uint8_t *frame)
{
	*in = (struct capture){.name = name, .frame = frame};
}

void capture_close(struct capture *in)
{
	if (in->pcap)
		pcap_close(in->pcap);
	free(in->frame);
}

int capture_next(struct capture *in, struct packet *p, struct err *e)
{
	struct pcap_pkthdr *header;
	int got;

	in->index++;
	if (!in->pcap) {
		p->bytes = in->frame;
		p->len = in->len;
		p->header = (struct pcap_pkthdr){.caplen = (bpf_u_int32)in->len,
						 .len = (bpf_u_int32)in->len};
		got = !in->done;
		in->done = true;
		return got;
	}
	got = pcap_next_ex(in->pcap, &header, &p->bytes);
	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1)
		return fail(e, -EIO, in->name,
			    "reading packet %" PRIu64 ": %s (the capture is damaged)", in->index,
			    pcap_geterr(in->pcap));
	p->header = *header;
	p->len = header->caplen;
	if (header->caplen < header->len)
		return fail(
			e, -EINVAL, in->name,
			"explaining packet %" PRIu64
			": only %u of its %u bytes were captured (capture whole packets: snaplen 0)",
			in->index, header->caplen, header->len);
	return 1;
}
