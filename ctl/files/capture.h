/* SPDX-License-Identifier: GPL-2.0-only */
/* The source of explain's packets: a capture (pcap or pcapng), or one frame. Packets come out as
 * Ethernet frames, whatever they were captured as. */
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
	char why_not[96];     /* why it cannot be explained; "": it can */
	bool sent;	      /* the capturing host sent it, as far as the capture tells */
	struct timeval time;  /* tv_usec: nanoseconds */
};

/*
 * Opens a capture. Link types: Ethernet; what `tcpdump -i any` writes (SLL, SLL2) and IP without a
 * link-layer header, which get an Ethernet header of zeros and of what is known. The caller closes
 * it in any case. Returns 0 or negative errno.
 */
int capture_open(struct capture *in, const char *file, struct err *e);
/* Opens one frame, which is allocated, and freed by capture_close; len gets its length. */
void capture_of_frame(struct capture *in, const char *name, uint8_t *frame);
void capture_close(struct capture *in);
/* Returns 1 with the next packet, 0 at the end, or negative errno. */
int capture_next(struct capture *in, struct packet *p, struct err *e);

#endif
