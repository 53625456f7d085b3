/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads pcapng (draft-ietf-opsawg-pcapng) block by block. libpcap refuses a file whose interfaces
 * differ in link type or snapshot length, which is what `tcpdump -i any`, dumpcap on several
 * interfaces and mergecap write; everything else about captures is libpcap's.
 */
#ifndef FILES_PCAPNG_H
#define FILES_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pcapng;

struct pcapng_packet {
	uint16_t link_type; /* LINKTYPE_* of the interface that it was captured on */
	int64_t seconds;    /* since 1970 UTC */
	uint32_t nanoseconds;
	uint32_t captured;    /* bytes that are here */
	uint32_t length;      /* bytes that it had */
	const uint8_t *bytes; /* good until the next one is read */
};

/* The first byte of every pcapng file, which no pcap file begins with. */
#define PCAPNG_FIRST_BYTE 0x0a

/* f stays the caller's, and must outlive the reader. Returns NULL where there is no memory. */
struct pcapng *pcapng_open(FILE *f);
void pcapng_close(struct pcapng *r); /* NULL is fine */
/* Returns 1 with the next packet, 0 at the end, or -EIO or -ENOMEM with *why, a constant. */
int pcapng_next(struct pcapng *r, struct pcapng_packet *p, const char **why);

#endif
