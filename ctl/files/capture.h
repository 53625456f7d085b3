/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where explain's packets come from: a capture (pcap or pcapng), or one frame. Packets come out as
 * Ethernet frames, whatever they were captured as.
 */
#ifndef FILES_CAPTURE_H
#define FILES_CAPTURE_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/err.h"

#define CAPTURE_MAX_FRAME 262144 /* bytes; libpcap's */

struct pcapng;

struct capture {
	const char *name; /* for errors */
	pcap_t *pcap;	  /* a file of pcap, or */
	struct pcapng *pcapng;
	FILE *file;	/* pcapng's */
	uint8_t *frame; /* the one frame, or room for one that gets another header */
	size_t len;
	bool done;
	uint64_t index; /* of the packet just read, from 1 */
};

struct packet {
	const uint8_t *bytes; /* the frame, good until the next one is read */
	size_t len;	      /* bytes that are here */
	size_t length;	      /* bytes that it had */
	char why_not[96];     /* why it cannot be explained, "" where it can */
	bool sent;	      /* by the host that captured it, as far as the capture says */
	struct timeval time;  /* tv_usec: nanoseconds */
};

/*
 * Link types: Ethernet; what `tcpdump -i any` writes (SLL, SLL2) and IP without a header of the
 * link, which get an Ethernet header of zeros and what is known. To be closed in any case. 0 or
 * negative errno.
 */
int capture_open(struct capture *in, const char *file, struct err *e);
/* frame was allocated, and is freed by capture_close; its length is put into len. */
void capture_of_frame(struct capture *in, const char *name, uint8_t *frame);
void capture_close(struct capture *in);
/* 1 with the next packet, 0 at the end, or negative errno. */
int capture_next(struct capture *in, struct packet *p, struct err *e);

#endif
