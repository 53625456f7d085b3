/* SPDX-License-Identifier: GPL-2.0-only */
/* Where explain's packets come from: a capture (pcap or pcapng, of Ethernet), or one frame. */
#ifndef CTL_CAPTURE_H
#define CTL_CAPTURE_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CAPTURE_MAX_FRAME 262144 /* libpcap's */

struct capture {
	const char *name; /* for errors */
	pcap_t *pcap;	  /* NULL: one frame */
	uint8_t *frame;
	size_t len;
	bool done;
	uint64_t index; /* of the packet just read, from 1 */
};

struct packet {
	const uint8_t *bytes; /* good until the next one is read */
	size_t len;
	struct pcap_pkthdr header;
};

/* To be closed in any case. 0 or -EINVAL. */
int capture_open(struct capture *in, const char *file, struct err *e);
/* frame was allocated, and is freed by capture_close; its length is put into len. */
void capture_of_frame(struct capture *in, const char *name, uint8_t *frame);
void capture_close(struct capture *in);
/* 1 with the next packet, 0 at the end, or negative errno. */
int capture_next(struct capture *in, struct packet *p, struct err *e);

#endif
