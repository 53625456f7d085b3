/* SPDX-License-Identifier: GPL-2.0-only */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *tag_place_wrong(int32_t offset, unsigned int len)
{
	if (len < 1 || len > MANGLE_MAX_TAG)
		return "has a tag length that is not a number from 1 to 16";
	if (offset < -65535 || (offset >= 0 && (uint32_t)offset + len > 65535))
		return "has a tag that lies outside any payload";
	if (offset < 0 && offset + (int32_t)len > 0)
		return "has a tag that reaches past the payload's end";
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Two hex digits to a byte, or -1; never looks behind the string's end. */
static int hex_byte(const char *s)
{
	int high = hex_digit(s[0]);
	int low = high < 0 ? -1 : hex_digit(s[1]);

	return low < 0 ? -1 : high << 4 | low;
}

int parse_hex(const char *s, uint8_t *out, size_t *len, struct parse_error *why)
{
	size_t digits = 0;

	for (; *s; s++) {
		int digit = hex_digit(*s);

		if (*s == ' ' || *s == '\t' || *s == ':')
			continue;
		if (digit < 0)
			return reject(why, "has something that is no hex digit");
		if (digits % 2)
			out[digits / 2] |= (uint8_t)digit;
		else
			out[digits / 2] = (uint8_t)(digit << 4);
		digits++;
	}
	if (!digits || digits % 2)
		return reject(why, "has no even number of hex digits");
	*len = digits / 2;
	return 0;
}

static int tag_append(struct tag *tag, int byte, struct parse_error *why)
{
	if (tag->len == MANGLE_MAX_TAG)
		return reject(why, "is longer than %d bytes", MANGLE_MAX_TAG);
	tag->bytes[tag->len++] = (uint8_t)byte;
	return 0;
}

#define HEX_DIGITS "0123456789abcdefABCDEF"

/* between: what may stand between two bytes, ":" or "". */
static int parse_tag_hex(const char *s, const char *between, struct tag *tag,
			 struct parse_error *why)
{
	const char *digits = s;

	for (; *s; s += 2) {
		int byte;

		if (tag->len && *s == *between && s[1])
			s++;
		byte = hex_byte(s);
		if (byte < 0)
			break;
		if (tag_append(tag, byte, why))
			return -EINVAL;
	}
	if (!*s)
		return 0;
	if (!digits[strspn(digits, HEX_DIGITS)])
		return reject(why, "has an odd number of hex digits");
	if (*between && !digits[strspn(digits, HEX_DIGITS ":")])
		return reject(why, "has a ':' that is not between two bytes of two hex digits");
	return reject(why, "has a character that is not a hex digit");
}

static bool is_hex(const char *s)
{
	size_t digits = strspn(s, HEX_DIGITS);

	return digits && digits % 2 == 0 && !s[digits];
}

static int parse_tag_text(const char *s, struct tag *tag, struct parse_error *why)
{
	if (is_hex(s) && strlen(s) > MANGLE_MAX_TAG)
		return reject(why, "is longer than %d bytes (hex digits are written 0x...)",
			      MANGLE_MAX_TAG);
	while (*s) {
		int byte = (unsigned char)*s;

		if (byte >= 0x80)
			return reject(why,
				      "has a character outside ASCII (write the bytes as hex:...)");
		if (byte != '\\') {
			s++;
		} else if (s[1] == '\\') {
			s += 2;
		} else {
			byte = s[1] == 'x' ? hex_byte(s + 2) : -1;
			if (byte < 0)
				return reject(why, "has a \\ that begins neither \\xNN nor \\\\");
			s += 4;
		}
		if (tag_append(tag, byte, why))
			return -EINVAL;
	}
	return 0;
}

bool tag_has_prefix(const char *s)
{
	return !strncasecmp(s, "0x", 2) || !strncasecmp(s, "hex:", 4) ||
	       !strncasecmp(s, "text:", 5);
}

/* What is meant by capitals cannot be told, so nothing is. */
static int refuse_capitals(const char *s, struct parse_error *why)
{
	const char *word = *s == '0' ? "0x" : (*s | ' ') == 'h' ? "hex:" : "text:";

	return reject(why, "begins like %s (write %s..., or text:%.*s... where it is text)", word,
		      word, (int)strlen(word), s);
}

int parse_tag(const char *s, struct tag *out, struct parse_error *why)
{
	struct tag tag = {0};
	int ret;

	if (!strncmp(s, "0x", 2))
		ret = parse_tag_hex(s + 2, "", &tag, why);
	else if (!strncmp(s, "hex:", 4))
		ret = parse_tag_hex(s + 4, ":", &tag, why);
	else if (!strncmp(s, "text:", 5))
		ret = parse_tag_text(s + 5, &tag, why);
	else if (tag_has_prefix(s))
		ret = refuse_capitals(s, why);
	else
		ret = parse_tag_text(s, &tag, why);
	if (ret)
		return ret;
	if (!tag.len)
		return reject(why, "has no bytes");
	*out = tag;
	return 0;
}

int parse_mask(const char *s, unsigned int len, uint8_t ignored[MANGLE_MAX_TAG],
	       struct parse_error *why)
{
	struct tag mask = {0};
	struct parse_error ignored_why;
	bool any = false;

	if (strncmp(s, "0x", 2) || parse_tag_hex(s + 2, "", &mask, &ignored_why) || mask.len != len)
		return reject(why, "has a mask that is not 0x and %u hex digits", 2 * len);
	memset(ignored, 0, MANGLE_MAX_TAG);
	for (unsigned int i = 0; i < len; i++) {
		ignored[i] = (uint8_t)~mask.bytes[i];
		any |= mask.bytes[i];
	}
	return any ? 0 : reject(why, "has a mask without a bit: every tag would be the same");
}

void tag_length_why(const char *text, unsigned int len, const char *service, unsigned int wanted,
		    struct parse_error *why)
{
	int end = snprintf(why->text, sizeof(why->text),
			   "has %u bytes, those of service %s have %u", len, service, wanted);

	if (is_hex(text) && strlen(text) == 2 * (size_t)wanted)
		snprintf(why->text + end, sizeof(why->text) - (size_t)end,
			 " (hex digits are written 0x%s)", text);
}
