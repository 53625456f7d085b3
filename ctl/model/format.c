/* SPDX-License-Identifier: GPL-2.0-only */
/* Values back to text, as parse.h has them. */
#include "parse.h"

#include "escape.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *format_tag_hex(const uint8_t *tag, unsigned int len, char buf[TAG_TEXT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	char *to = buf;
	unsigned int i;

	*to++ = '0';
	*to++ = 'x';
	for (i = 0; i < len; i++) {
		*to++ = hex[tag[i] >> 4];
		*to++ = hex[tag[i] & 15];
	}
	*to = '\0';
	return buf;
}

const char *format_tag_text(const uint8_t *tag, unsigned int len, char buf[TAG_TEXT_SIZE])
{
	unsigned int i;

	for (i = 0; i < len; i++) {
		if (tag[i] < 0x20 || tag[i] > 0x7e)
			return NULL;
	}
	memcpy(buf, tag, len);
	buf[len] = '\0';
	return buf;
}

const char *format_tag(const uint8_t *tag, unsigned int len, char buf[TAG_TEXT_SIZE])
{
	if (!format_tag_text(tag, len, buf) || buf[strspn(buf, NAME_CHARACTERS)] ||
	    tag_has_prefix(buf))
		format_tag_hex(tag, len, buf);
	return buf;
}

const char *format_quoted(const char *text, char buf[QUOTED_TEXT_SIZE])
{
	char *to = buf;

	if (!text[strspn(text, NAME_CHARACTERS)])
		return strcpy(buf, text);
	*to++ = '"';
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	*to++ = '"';
	*to = '\0';
	return buf;
}

const char *format_mask(const uint8_t *ignored, unsigned int len, char buf[TAG_TEXT_SIZE])
{
	uint8_t mask[MANGLE_MAX_TAG];
	bool any = false;

	for (unsigned int i = 0; i < len; i++) {
		mask[i] = (uint8_t)~ignored[i];
		any |= ignored[i];
	}
	*buf = '\0';
	return any ? format_tag_hex(mask, len, buf) : buf;
}

const char *format_target(const struct target *t, char buf[TARGET_TEXT_SIZE])
{
	if (t->action == ACTION_PORT)
		snprintf(buf, TARGET_TEXT_SIZE, "%u", (unsigned int)t->port);
	else
		snprintf(buf, TARGET_TEXT_SIZE, "%s", t->action == ACTION_DROP ? "drop" : "pass");
	return buf;
}

const char *format_prefix(const struct prefix *p, char buf[PREFIX_TEXT_SIZE])
{
	size_t len;

	inet_ntop(p->family == 4 ? AF_INET : AF_INET6, p->addr, buf, PREFIX_TEXT_SIZE);
	len = strlen(buf);
	snprintf(buf + len, PREFIX_TEXT_SIZE - len, "/%u", (unsigned int)p->len);
	return buf;
}

const char *format_protocol(uint8_t protocols)
{
	if (protocols == MANGLE_PROTO_UDP)
		return "udp";
	return protocols == MANGLE_PROTO_TCP ? "tcp" : "any";
}
