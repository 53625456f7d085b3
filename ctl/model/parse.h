/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text to typed values and back. The whole string or nothing: each parse_ function returns 0, or
 * -EINVAL and a short reason in `why` (a constant or at most PARSE_ERROR_SIZE bytes, no newline)
 * that does not repeat the text; the caller names object and text. No input or output, no
 * allocation.
 */
#ifndef MODEL_PARSE_H
#define MODEL_PARSE_H

#include <endian.h>
#include <string.h>

#include "err.h"
#include "values.h"

/* Decimal digits only, no sign, no blanks, min..max. */
int parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *out, struct parse_error *why);
int parse_port(const char *s, uint16_t *out, struct parse_error *why); /* 1..65535 */
/* 0x + hex pairs | hex:pairs, which may have a ':' between (an inner 0x is an error) | text:… |
 * text, with \xNN and \\ escapes; bytes outside ASCII are an error that names hex:. Text that
 * begins with one of the three in capitals is an error. Length 1..MANGLE_MAX_TAG. */
int parse_tag(const char *s, struct tag *out, struct parse_error *why);
/* Why a tag of len bytes, as it was typed, is none of the service's, whose tags have `wanted`. */
void tag_length_why(const char *text, unsigned int len, const char *service, unsigned int wanted,
		    struct parse_error *why);
/* Whether text begins with 0x, hex: or text:, in capitals or not, so that it is no plain text. */
bool tag_has_prefix(const char *s);
/* PORT | drop | pass */
int parse_target(const char *s, struct target *out, struct parse_error *why);
/* MIN:MAX or MIN-MAX, 0..65535, MIN <= MAX */
int parse_window(const char *s, struct window *out, struct parse_error *why);
/* FIRST-LAST or FIRST:LAST, ports */
int parse_targets(const char *s, uint16_t *first, uint16_t *last, struct parse_error *why);
/* -65535..65535 */
int parse_offset(const char *s, int32_t *out, struct parse_error *why);
/* OFF:LEN or OFF:LEN/MASK; the tag must lie within a payload, so LEN <= -OFF where OFF < 0.
 * ignored gets the bits that the mask leaves out, wire order. */
int parse_tag_place(const char *s, int32_t *offset, uint8_t *len, uint8_t ignored[MANGLE_MAX_TAG],
		    struct parse_error *why);
/* The mask of a tag of len bytes: 0x and 2 * len hex digits, one bit at least set. */
int parse_mask(const char *s, unsigned int len, uint8_t ignored[MANGLE_MAX_TAG],
	       struct parse_error *why);
/* Returns why no payload has such a tag, NULL where one can. */
const char *tag_place_wrong(int32_t offset, unsigned int len);
/* ADDR/LEN, or ADDR for a whole address; host bits must be 0. IPv4-mapped IPv6 is an error. */
int parse_prefix(const char *s, struct prefix *out, struct parse_error *why);
int parse_protocol(const char *s, uint8_t *protocols,
		   struct parse_error *why); /* udp | tcp | any */
/* on | true | yes, off | false | no */
int parse_switch(const char *s, bool *out, struct parse_error *why);
/* 1 to 63 bytes of printable UTF-8. */
int parse_text(const char *s, char out[MANGLE_TEXT_SIZE], struct parse_error *why);
/* What names consist of. */
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
int parse_name(const char *s, char out[MANGLE_NAME_SIZE], struct parse_error *why);
int parse_ifname(const char *s, char out[MANGLE_IFNAME_SIZE], struct parse_error *why);
/* N[,N…]; at most MANGLE_MAX_PORTS */
int parse_ports(const char *s, uint16_t *ports, unsigned int *count, struct parse_error *why);

/* A frame's bytes: pairs of hex digits, with blanks and ':' anywhere. out has room for half of s.
 */
int parse_hex(const char *s, uint8_t *out, size_t *len, struct parse_error *why);

/* What is wrong in a line: "target: 'ssh' is not …". */
struct bad_word {
	const char *what; /* "tag", "target", "size", "name", or "entity" */
	const char *text; /* in the line, len bytes of any value; NULL: why stands for itself */
	size_t len;
	struct parse_error why;
};
/* One line of a table file without its newline: 1 an entity, 0 nothing on it, -EINVAL.
 * len: bytes in line, which may hold NULs (an error). The tag's length comes out in tag->len; name
 * is "" where the line gives none. */
int parse_table_line(const char *line, size_t len, struct tag *tag, struct entity *out,
		     char name[MANGLE_TEXT_SIZE], struct bad_word *bad);

/* Back to text. Each returns buf. */
#define TAG_TEXT_SIZE (2 + 2 * MANGLE_MAX_TAG + 1)
#define TARGET_TEXT_SIZE 8
#define QUOTED_TEXT_SIZE (2 * MANGLE_TEXT_SIZE + 2)
#define PREFIX_TEXT_SIZE 64
const char *format_tag_hex(const uint8_t *tag, unsigned int len, char buf[TAG_TEXT_SIZE]);
/* The printable ASCII text of a tag, or NULL where a byte is not printable ASCII (0x20..0x7e). */
const char *format_tag_text(const uint8_t *tag, unsigned int len, char buf[TAG_TEXT_SIZE]);
/* What parse_tag reads back to the same bytes, without blanks or '#' so that it fits into a table
 * file: the text where it consists of [A-Za-z0-9_.-], and is not mistaken for 0x, hex: or text:,
 * else 0x…. */
const char *format_tag(const uint8_t *tag, unsigned int len, char buf[TAG_TEXT_SIZE]);
/* The mask, as parse_mask reads it; "" where every bit counts. */
const char *format_mask(const uint8_t *ignored, unsigned int len, char buf[TAG_TEXT_SIZE]);
/* A name as a table file has it: as it is where it has only characters of a service's name, else in
 * double quotes, with \" and \\ for these two. */
const char *format_quoted(const char *text, char buf[QUOTED_TEXT_SIZE]);
const char *format_target(const struct target *t, char buf[TARGET_TEXT_SIZE]);
const char *format_prefix(const struct prefix *p, char buf[PREFIX_TEXT_SIZE]);
const char *format_protocol(uint8_t protocols);

/* Keys of the tables: see struct mangle_bucket. Inline: a table of a million asks for millions. */
static inline void tag_to_key(const uint8_t *tag, unsigned int len, uint64_t *lo, uint64_t *hi)
{
	uint64_t key[2] = {0};

	memcpy(key, tag, len);
	*lo = le64toh(key[0]);
	*hi = le64toh(key[1]);
}

static inline void tag_from_key(uint64_t lo, uint64_t hi, uint8_t tag[MANGLE_MAX_TAG])
{
	const uint64_t key[2] = {htole64(lo), htole64(hi)};

	memcpy(tag, key, MANGLE_MAX_TAG);
}

#endif
