/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "pcapng.h"

/* ---- link types ---- */

#define SLL_SENT 4 /* PACKET_OUTGOING */

/* The headers of tcpdump -i any: www.tcpdump.org/linktypes, LINUX_SLL and LINUX_SLL2. */
struct sll {
	uint8_t type_be[2], device_be[2], address_len_be[2], address[8], protocol_be[2];
};
struct sll2 {
	uint8_t protocol_be[2], reserved[2], ifindex_be[4], device_be[2], type, address_len,
		address[8];
};

/* The fields of a link-layer header that an Ethernet header has room for. */
struct link {
	size_t header; /* its bytes */
	uint8_t source[ETH_ALEN];
	uint8_t protocol_be[2];
	bool sent;
};

static void set_source(struct link *l, const uint8_t *address, unsigned int len)
{
	if (len == ETH_ALEN)
		memcpy(l->source, address, ETH_ALEN);
}

static bool read_sll(struct link *l, const uint8_t *bytes, size_t len)
{
	struct sll h;

	if (len < sizeof(h))
		return false;
	memcpy(&h, bytes, sizeof(h));
	l->header = sizeof(h);
	l->sent = h.type_be[1] == SLL_SENT;
	set_source(l, h.address, h.address_len_be[1]);
	memcpy(l->protocol_be, h.protocol_be, sizeof(l->protocol_be));
	return true;
}

static bool read_sll2(struct link *l, const uint8_t *bytes, size_t len)
{
	struct sll2 h;

	if (len < sizeof(h))
		return false;
	memcpy(&h, bytes, sizeof(h));
	l->header = sizeof(h);
	l->sent = h.type == SLL_SENT;
	set_source(l, h.address, h.address_len);
	memcpy(l->protocol_be, h.protocol_be, sizeof(l->protocol_be));
	return true;
}

/* The header is plain IP: its version gives the protocol. */
static bool read_raw(struct link *l, const uint8_t *bytes, size_t len)
{
	unsigned int version = len ? *bytes >> 4 : 0;
	uint16_t protocol = version == 4 ? ETH_P_IP : version == 6 ? ETH_P_IPV6 : 0;

	l->protocol_be[0] = (uint8_t)(protocol >> 8);
	l->protocol_be[1] = (uint8_t)protocol;
	return true;
}

typedef bool (*link_fn)(struct link *l, const uint8_t *bytes, size_t len);

static bool read_nothing(struct link *l, const uint8_t *bytes, size_t len)
{
	(void)l;
	(void)bytes;
	(void)len;
	return true;
}

/* Returns the reader of that link type's header; NULL: it is not supported. read_nothing: frames
 * are Ethernet. */
static link_fn reader_of(int dlt)
{
	switch (dlt) {
	case DLT_EN10MB: return read_nothing;
	case DLT_LINUX_SLL: return read_sll;
	case DLT_LINUX_SLL2: return read_sll2;
	case DLT_RAW:
	case 101: /* LINKTYPE_RAW, which a file has for DLT_RAW */
	case DLT_IPV4:
	case DLT_IPV6: return read_raw;
	default: return NULL;
	}
}

/* Replaces the packet's link-layer header by an Ethernet header. Returns false where its own is
 * cut. */
static bool to_ethernet(struct capture *in, struct packet *p, link_fn read_link)
{
	struct ethhdr *eth = (struct ethhdr *)(void *)in->frame;
	struct link l = {0};

	if (read_link == read_nothing)
		return true;
	if (!read_link(&l, p->bytes, p->len))
		return false;
	memset(eth, 0, sizeof(*eth));
	memcpy(eth->h_source, l.source, sizeof(l.source));
	memcpy(&eth->h_proto, l.protocol_be, sizeof(l.protocol_be));
	memcpy(in->frame + sizeof(*eth), p->bytes + l.header, p->len - l.header);
	p->bytes = in->frame;
	p->len += sizeof(*eth) - l.header;
	p->length += sizeof(*eth) - l.header;
	p->sent = l.sent;
	return true;
}

#define UNDERSTOOD "(Ethernet, SLL, SLL2 and raw IP are understood)"

static const char *link_name(int dlt)
{
	const char *name = pcap_datalink_val_to_name(dlt);

	return name ? name : "unknown";
}

/* ---- files ---- */

static FILE *open_file(const char *name)
{
	return strcmp(name, "-") ? fopen(name, "rbe") : stdin;
}

static void close_file(FILE *f)
{
	if (f && f != stdin)
		fclose(f);
}

static int cannot_open(const char *file, const char *why, struct err *e)
{
	return fail(e, -EINVAL, *file ? file : "''",
		    "opening the capture: %s (it must be pcap or pcapng)", why);
}

/* Takes over the file. */
static int open_pcap(struct capture *in, FILE *f, struct err *e)
{
	char why[PCAP_ERRBUF_SIZE];

	in->pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!in->pcap) {
		close_file(f);
		return cannot_open(in->name, why, e);
	}
	if (reader_of(pcap_datalink(in->pcap)))
		return 0;
	return fail(e, -EINVAL, in->name, "opening the capture: its link type is %s " UNDERSTOOD,
		    link_name(pcap_datalink(in->pcap)));
}

static int open_pcapng(struct capture *in, FILE *f, struct err *e)
{
	in->file = f;
	in->pcapng = pcapng_open(f);
	return in->pcapng ? 0 : fail(e, -ENOMEM, in->name, "opening the capture: out of memory");
}

int capture_open(struct capture *in, const char *file, struct err *e)
{
	FILE *f = open_file(file);
	int first;

	*in = (struct capture){.name = file};
	if (!f)
		return cannot_open(file, strerror(errno), e);
	in->frame = malloc(CAPTURE_MAX_FRAME);
	if (!in->frame) {
		close_file(f);
		return fail(e, -ENOMEM, *file ? file : "''", "opening the capture: out of memory");
	}
	first = getc(f);
	if (first == EOF) {
		cannot_open(file, ferror(f) ? strerror(errno) : "it is empty", e);
		close_file(f);
		return -EINVAL;
	}
	ungetc(first, f);
	return first == PCAPNG_FIRST_BYTE ? open_pcapng(in, f, e) : open_pcap(in, f, e);
}

void capture_of_frame(struct capture *in, const char *name, uint8_t *frame)
{
	*in = (struct capture){.name = name, .frame = frame};
}

void capture_close(struct capture *in)
{
	if (in->pcap)
		pcap_close(in->pcap);
	pcapng_close(in->pcapng);
	close_file(in->file);
	free(in->frame);
}

/* ---- packets ---- */

static int damaged(const struct capture *in, const char *why, struct err *e)
{
	return fail(e, -EIO, in->name, "reading packet %" PRIu64 ": %s (the capture is damaged)",
		    in->index, why);
}

static int next_pcap(struct capture *in, struct packet *p, int *dlt, struct err *e)
{
	struct pcap_pkthdr *header;
	int got = pcap_next_ex(in->pcap, &header, &p->bytes);

	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1)
		return damaged(in, pcap_geterr(in->pcap), e);
	p->len = header->caplen;
	p->length = header->len;
	p->time = header->ts;
	*dlt = pcap_datalink(in->pcap);
	return 1;
}

static int next_pcapng(struct capture *in, struct packet *p, int *dlt, struct err *e)
{
	struct pcapng_packet packet;
	const char *why;
	int got = pcapng_next(in->pcapng, &packet, &why);

	if (got < 0)
		return damaged(in, why, e);
	p->bytes = packet.bytes;
	p->len = packet.captured;
	p->length = packet.length;
	p->time = (struct timeval){.tv_sec = packet.seconds, .tv_usec = packet.nanoseconds};
	*dlt = packet.link_type;
	return got;
}

static int next_frame(struct capture *in, struct packet *p)
{
	int got = !in->done;

	p->bytes = in->frame;
	p->len = p->length = in->len;
	in->done = true;
	return got;
}

/* Turns the packet into an Ethernet frame, or sets why it cannot be explained. */
static void judge(struct capture *in, struct packet *p, int dlt)
{
	link_fn read_link = reader_of(dlt);

	if (!read_link)
		snprintf(p->why_not, sizeof(p->why_not), "its link type is %s", link_name(dlt));
	else if (p->len < p->length)
		snprintf(p->why_not, sizeof(p->why_not), "only %zu of its %zu bytes were captured",
			 p->len, p->length);
	else if (p->len > CAPTURE_MAX_FRAME - sizeof(struct ethhdr))
		snprintf(p->why_not, sizeof(p->why_not), "it is longer than any frame");
	else if (!to_ethernet(in, p, read_link))
		snprintf(p->why_not, sizeof(p->why_not), "its %s header is cut off",
			 link_name(dlt));
}

int capture_next(struct capture *in, struct packet *p, struct err *e)
{
	int dlt = DLT_EN10MB, got;

	memset(p, 0, sizeof(*p));
	in->index++;
	got = in->pcap	   ? next_pcap(in, p, &dlt, e)
	      : in->pcapng ? next_pcapng(in, p, &dlt, e)
			   : next_frame(in, p);
	if (got != 1)
		return got;
	if (p->length < p->len)
		p->length = p->len;
	judge(in, p, dlt);
	return 1;
}
