/* SPDX-License-Identifier: GPL-2.0-only */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool is_printable_ascii(char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* Control characters, line separators, direction marks, what has no width. */
static bool is_unsafe(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} unsafe[] = {{0, 0x1f},	  {0x7f, 0x9f},	     {0xad, 0xad},     {0x61c, 0x61c},
		      {0x180e, 0x180e},	  {0x200b, 0x200f},  {0x2028, 0x202e}, {0x2060, 0x206f},
		      {0xfe00, 0xfe0f},	  {0xfeff, 0xfeff},  {0xfff0, 0xfffb}, {0xfffe, 0xffff},
		      {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};

	for (size_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
		if (code >= unsafe[i].first && code <= unsafe[i].last)
			return true;
	return false;
}

/* How many bytes a character has that begins so; 0: none does. */
static size_t utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* Returns the length of the first character, and its code; 0 where it is not UTF-8. */
static size_t utf8_decode(const char *text, size_t len, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = utf8_length((unsigned char)*text);

	if (!n || n > len)
		return 0;
	*code = (unsigned char)*text & (n == 1 ? 0x7fU : 0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | ((unsigned char)text[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

size_t escape_char(const char *text, size_t len, char to[ESCAPED_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	uint32_t code = 0;
	size_t n = utf8_decode(text, len, &code);
	bool as_it_is = n && !is_unsafe(code);

	n = n ? n : 1;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (as_it_is) {
			*to++ = text[i];
			continue;
		}
		*to++ = '\\';
		*to++ = 'x';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	*to = '\0';
	return n;
}

size_t escape_span(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && is_printable_ascii(text[n]))
		n++;
	return n;
}

void escape_string(const char *text, char *to, size_t room)
{
	size_t left = strlen(text), len = 0;
	char one[ESCAPED_SIZE];

	while (left) {
		size_t n = escape_char(text, left, one);
		size_t more = strlen(one);

		if (len + more >= room)
			break;
		memcpy(to + len, one, more);
		len += more;
		text += n;
		left -= n;
	}
	to[len] = '\0';
}

bool is_printable(const char *text)
{
	size_t len = strlen(text), n;
	uint32_t code;

	for (; len; text += n, len -= n) {
		n = utf8_decode(text, len, &code);
		if (!n || is_unsafe(code))
			return false;
	}
	return true;
}
