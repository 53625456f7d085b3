/* SPDX-License-Identifier: GPL-2.0-only */
#include "pcapng.h"

#include <byteswap.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Block types and option codes: draft-ietf-opsawg-pcapng, sections 4 and 11.1. */
enum {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete, but written once */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};
enum { OPTION_END = 0, OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };
#define BYTE_ORDER_MAGIC 0x1a2b3c4dU

#define MAX_BLOCK (16U << 20) /* bytes; libpcap's bound as well */
#define MAX_INTERFACES 65536U
#define NANOSECONDS 1000000000ULL

struct interface {
	uint16_t link_type;
	uint32_t snaplen; /* bytes; 0: no bound */
	uint64_t ticks;	  /* of its clock in a second */
	int64_t offset;	  /* seconds to be added to its times */
};

struct pcapng {
	FILE *f;
	bool swapped;		      /* this section's byte order is not this machine's */
	bool begun;		      /* a section has begun */
	struct interface *interfaces; /* of this section */
	uint32_t count, room;
	uint8_t *body; /* of the present block, without its two lengths and its type */
	uint32_t len, body_room;
};

struct pcapng *pcapng_open(FILE *f)
{
	struct pcapng *r = calloc(1, sizeof(*r));

	if (r)
		r->f = f;
	return r;
}

void pcapng_close(struct pcapng *r)
{
	if (!r)
		return;
	free(r->interfaces);
	free(r->body);
	free(r);
}

static int broken(const char **why, const char *text)
{
	*why = text;
	return -EIO;
}

static int no_memory(const char **why)
{
	*why = "out of memory";
	return -ENOMEM;
}

/* ---- numbers in the section's byte order; the caller has looked that they are there ---- */

static uint16_t u16_at(const struct pcapng *r, const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return r->swapped ? bswap_16(v) : v;
}

static uint32_t u32_at(const struct pcapng *r, const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return r->swapped ? bswap_32(v) : v;
}

static uint64_t u64_at(const struct pcapng *r, const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return r->swapped ? bswap_64(v) : v;
}

/* ---- blocks ---- */

/* Returns 1 read, 0 where the file ends before the first byte, or -EIO. */
static int read_bytes(struct pcapng *r, void *to, size_t len, const char **why)
{
	size_t got = fread(to, 1, len, r->f);

	if (got == len)
		return 1;
	if (ferror(r->f))
		return broken(why, strerror(errno));
	return got ? broken(why, "the file ends within a block") : 0;
}

static int read_more(struct pcapng *r, void *to, size_t len, const char **why)
{
	int got = len ? read_bytes(r, to, len, why) : 1;

	return got ? got : broken(why, "the file ends within a block");
}

static int make_room(struct pcapng *r, uint32_t len, const char **why)
{
	uint8_t *more;

	if (len <= r->body_room)
		return 1;
	more = realloc(r->body, len);
	if (!more)
		return no_memory(why);
	r->body = more;
	r->body_room = len;
	return 1;
}

/* The magic number tells the byte order of all numbers of the section, that of the block's own
 * length too. */
static int begin_section(struct pcapng *r, uint8_t magic[4], const char **why)
{
	uint32_t value;
	int got = read_more(r, magic, 4, why);

	if (got != 1)
		return got;
	memcpy(&value, magic, sizeof(value));
	if (value != BYTE_ORDER_MAGIC && value != bswap_32(BYTE_ORDER_MAGIC))
		return broken(why, "a section without the byte-order magic");
	r->swapped = value != BYTE_ORDER_MAGIC;
	r->begun = true;
	r->count = 0;
	return 1;
}

/* Reads one block. Returns 1 with *type, 0 at the end, or negative errno. */
static int read_block(struct pcapng *r, uint32_t *type, const char **why)
{
	uint8_t head[8], magic[4], end[4];
	uint32_t total, had = 0;
	int got = read_bytes(r, head, sizeof(head), why);

	if (got != 1)
		return got;
	*type = u32_at(r, head);
	if (*type == BLOCK_SECTION) {
		got = begin_section(r, magic, why);
		had = sizeof(magic);
	} else if (!r->begun) {
		got = broken(why, "it does not begin with a section");
	}
	if (got != 1)
		return got;
	total = u32_at(r, head + 4);
	if (total % 4 || total < sizeof(head) + had + sizeof(end) || total > MAX_BLOCK)
		return broken(why, "a block of an impossible length");
	r->len = total - (uint32_t)(sizeof(head) + sizeof(end));
	got = make_room(r, r->len, why);
	if (got == 1 && had)
		memcpy(r->body, magic, had);
	if (got == 1)
		got = read_more(r, r->body + had, r->len - had, why);
	if (got == 1)
		got = read_more(r, end, sizeof(end), why);
	if (got == 1 && u32_at(r, end) != total)
		return broken(why, "a block whose two lengths differ");
	return got;
}

/* ---- interfaces ---- */

/* Parses if_tsresol: a negative power of 10, or of 2 where the highest bit is set. Returns 0 where
 * it is too fine. */
static uint64_t ticks_of(uint8_t resolution)
{
	uint8_t power = resolution & 0x7f;
	uint64_t ticks = 1;

	if (resolution & 0x80)
		return power < 64 ? 1ULL << power : 0;
	for (; power; power--)
		if (__builtin_mul_overflow(ticks, 10, &ticks))
			return 0;
	return ticks;
}

static void read_option(const struct pcapng *r, struct interface *i, uint16_t code,
			const uint8_t *value, uint16_t len)
{
	if (code == OPTION_TSRESOL && len == 1)
		i->ticks = ticks_of(*value);
	else if (code == OPTION_TSOFFSET && len == 8)
		i->offset = (int64_t)u64_at(r, value);
}

static int read_options(const struct pcapng *r, uint32_t at, struct interface *i, const char **why)
{
	while (at + 4 <= r->len) {
		uint16_t code = u16_at(r, r->body + at), len = u16_at(r, r->body + at + 2);

		at += 4;
		if (code == OPTION_END)
			break;
		if (len > r->len - at)
			return broken(why, "an option that is longer than its block");
		read_option(r, i, code, r->body + at, len);
		at += (len + 3U) & ~3U;
	}
	return i->ticks ? 1 : broken(why, "an interface whose time resolution is too fine");
}

static int add_interface(struct pcapng *r, const char **why)
{
	struct interface i = {.ticks = 1000000};
	int got;

	if (r->len < 8)
		return broken(why, "an interface block that is too short");
	if (r->count == MAX_INTERFACES)
		return broken(why, "too many interfaces");
	i.link_type = u16_at(r, r->body);
	i.snaplen = u32_at(r, r->body + 4);
	got = read_options(r, 8, &i, why);
	if (got != 1)
		return got;
	if (r->count == r->room) {
		uint32_t room = 2 * r->room + 4;
		struct interface *more = realloc(r->interfaces, room * sizeof(*more));

		if (!more)
			return no_memory(why);
		r->interfaces = more;
		r->room = room;
	}
	r->interfaces[r->count++] = i;
	return 1;
}

/* ---- packets ---- */

static void set_time(struct pcapng_packet *p, const struct interface *i, uint64_t ticks)
{
	unsigned __int128 rest = ticks % i->ticks;

	p->seconds = (int64_t)((uint64_t)(ticks / i->ticks) + (uint64_t)i->offset);
	p->nanoseconds = (uint32_t)(rest * NANOSECONDS / i->ticks);
}

/* Sets the packet, which begins at that offset of the body. */
static int take_packet(const struct pcapng *r, struct pcapng_packet *p, uint32_t interface,
		       uint32_t at, const char **why)
{
	if (interface >= r->count)
		return broken(why, "a packet of an unknown interface");
	if (p->captured > r->len - at)
		return broken(why, "a packet that is longer than its block");
	p->link_type = r->interfaces[interface].link_type;
	p->bytes = r->body + at;
	return 1;
}

/* The enhanced packet block, and the obsolete packet block with 16 bits of interface and a drop
 * count. */
static int enhanced(const struct pcapng *r, struct pcapng_packet *p, bool obsolete,
		    const char **why)
{
	uint32_t interface;
	uint64_t ticks;
	int got;

	if (r->len < 20)
		return broken(why, "a packet block that is too short");
	interface = obsolete ? u16_at(r, r->body) : u32_at(r, r->body);
	ticks = (uint64_t)u32_at(r, r->body + 4) << 32 | u32_at(r, r->body + 8);
	p->captured = u32_at(r, r->body + 12);
	p->length = u32_at(r, r->body + 16);
	got = take_packet(r, p, interface, 20, why);
	if (got == 1)
		set_time(p, &r->interfaces[interface], ticks);
	return got;
}

/* The captured length is the least of the packet's own, the interface's snaplen, and what
 * is there. */
static int simple(const struct pcapng *r, struct pcapng_packet *p, const char **why)
{
	if (r->len < 4)
		return broken(why, "a packet block that is too short");
	p->length = p->captured = u32_at(r, r->body);
	if (r->count && r->interfaces[0].snaplen && p->captured > r->interfaces[0].snaplen)
		p->captured = r->interfaces[0].snaplen;
	return take_packet(r, p, 0, 4, why);
}

int pcapng_next(struct pcapng *r, struct pcapng_packet *p, const char **why)
{
	uint32_t type;
	int got;

	memset(p, 0, sizeof(*p));
	while ((got = read_block(r, &type, why)) == 1) {
		if (type == BLOCK_ENHANCED || type == BLOCK_PACKET)
			return enhanced(r, p, type == BLOCK_PACKET, why);
		if (type == BLOCK_SIMPLE)
			return simple(r, p, why);
		if (type == BLOCK_INTERFACE)
			got = add_interface(r, why);
		if (got != 1)
			break;
	}
	return got;
}
