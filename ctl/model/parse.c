/* SPDX-License-Identifier: GPL-2.0-only */
#include "parse.h"

#include "escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define OFFSET_MAX 65535
#define MAPPED_BITS 96 /* of ::ffff:0:0/96 (RFC 4291) */

/* ---- numbers ------------------------------------------------------------------------------ */

int parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *out, struct parse_error *why)
{
	uint64_t value = 0;
	const char *c;

	for (c = s; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
			break;
	}
	if (c == s || *c || value < min || value > max)
		return reject(why, "must be a whole number from %" PRIu64 " to %" PRIu64, min, max);
	*out = value;
	return 0;
}

int parse_port(const char *s, uint16_t *out, struct parse_error *why)
{
	uint64_t value;
	int ret = parse_number(s, 1, 65535, &value, why);

	if (!ret)
		*out = (uint16_t)value;
	return ret;
}

int parse_offset(const char *s, int32_t *out, struct parse_error *why)
{
	bool from_end = *s == '-';
	uint64_t value;

	/* "-0" would be the end itself, where no tag can begin. */
	if (parse_number(s + from_end, from_end, OFFSET_MAX, &value, why))
		return reject(why, "must be a whole number from -%d to %d", OFFSET_MAX, OFFSET_MAX);
	*out = from_end ? -(int32_t)value : (int32_t)value;
	return 0;
}

/* Cuts s at `at` into left (a buffer for a number of any sensible length) and what follows. */
struct left {
	char text[24];
};
static int cut(const char *s, const char *at, struct left *left)
{
	size_t len = (size_t)(at - s);

	if (len >= sizeof(left->text))
		return -EINVAL;
	memcpy(left->text, s, len);
	left->text[len] = '\0';
	return 0;
}

/* Two numbers with one ':' or '-' between. */
static int parse_range(const char *s, uint64_t min, uint64_t *first, uint64_t *last)
{
	const char *sep = strpbrk(s, ":-");
	struct left left;
	struct parse_error why;

	if (!sep || cut(s, sep, &left) || parse_number(left.text, min, 65535, first, &why) ||
	    parse_number(sep + 1, min, 65535, last, &why))
		return -EINVAL;
	return 0;
}

int parse_window(const char *s, struct window *out, struct parse_error *why)
{
	uint64_t min, max;

	if (parse_range(s, 0, &min, &max))
		return reject(why, "is not MIN:MAX, two numbers from 0 to 65535");
	if (min > max)
		return reject(why, "has a minimum above its maximum");
	out->min = (uint16_t)min;
	out->max = (uint16_t)max;
	return 0;
}

int parse_targets(const char *s, uint16_t *first, uint16_t *last, struct parse_error *why)
{
	uint64_t from, to;

	if (parse_range(s, 1, &from, &to))
		return reject(why, "is not FIRST-LAST, two ports from 1 to 65535");
	if (from > to)
		return reject(why, "has a first port above its last");
	*first = (uint16_t)from;
	*last = (uint16_t)to;
	return 0;
}

int parse_ports(const char *s, uint16_t *ports, unsigned int *count, struct parse_error *why)
{
	unsigned int n = 0;

	for (;;) {
		const char *end = strchrnul(s, ',');
		struct left left;
		uint16_t port;

		if (cut(s, end, &left) || parse_port(left.text, &port, why))
			return reject(
				why,
				"is not a port from 1 to 65535, or several with commas between");
		if (n == MANGLE_MAX_PORTS)
			return reject(why, "has more than %d ports", MANGLE_MAX_PORTS);
		ports[n++] = port;
		if (!*end)
			break;
		s = end + 1;
	}
	*count = n;
	return 0;
}

int parse_tag_place(const char *s, int32_t *offset, uint8_t *len, uint8_t ignored[MANGLE_MAX_TAG],
		    struct parse_error *why)
{
	const char *sep = strchr(s, ':'), *slash = strchrnul(s, '/');
	uint8_t mask[MANGLE_MAX_TAG] = {0};
	struct left left, length_text;
	const char *wrong;
	uint64_t length;
	int32_t off;

	if (!sep || sep > slash || cut(s, sep, &left) || parse_offset(left.text, &off, why) ||
	    cut(sep + 1, slash, &length_text) ||
	    parse_number(length_text.text, 1, MANGLE_MAX_TAG, &length, why))
		return reject(why,
			      "is not OFF:LEN, an offset from -%d to %d and a length from 1 to %d",
			      OFFSET_MAX, OFFSET_MAX, MANGLE_MAX_TAG);
	wrong = tag_place_wrong(off, (unsigned int)length);
	if (wrong)
		return reject(why, "%s", wrong);
	if (*slash && parse_mask(slash + 1, (unsigned int)length, mask, why))
		return -EINVAL;
	*offset = off;
	*len = (uint8_t)length;
	memcpy(ignored, mask, sizeof(mask));
	return 0;
}

/* ---- words and addresses ------------------------------------------------------------------ */

#define TARGETS "a port (1-65535), drop or pass"

int parse_target(const char *s, struct target *out, struct parse_error *why)
{
	uint16_t port = 0;
	uint8_t action;

	if (!strcmp(s, "drop"))
		action = ACTION_DROP;
	else if (!strcmp(s, "pass"))
		action = ACTION_PASS;
	else if (!parse_port(s, &port, why))
		action = ACTION_PORT;
	else if (!strcasecmp(s, "drop") || !strcasecmp(s, "pass"))
		return reject(why, "is not " TARGETS " (write %s)",
			      (*s | ' ') == 'd' ? "drop" : "pass");
	else
		return reject(why, "is not " TARGETS);
	*out = (struct target){.action = action, .port = port};
	return 0;
}

int parse_protocol(const char *s, uint8_t *protocols, struct parse_error *why)
{
	if (!strcmp(s, "udp"))
		*protocols = MANGLE_PROTO_UDP;
	else if (!strcmp(s, "tcp"))
		*protocols = MANGLE_PROTO_TCP;
	else if (!strcmp(s, "any"))
		*protocols = MANGLE_PROTO_UDP | MANGLE_PROTO_TCP;
	else
		return reject(why, "is not udp, tcp or any");
	return 0;
}

int parse_switch(const char *s, bool *out, struct parse_error *why)
{
	if (!strcmp(s, "on") || !strcmp(s, "true") || !strcmp(s, "yes"))
		*out = true;
	else if (!strcmp(s, "off") || !strcmp(s, "false") || !strcmp(s, "no"))
		*out = false;
	else
		return reject(why, "must be on or off");
	return 0;
}

int parse_text(const char *s, char out[MANGLE_TEXT_SIZE], struct parse_error *why)
{
	size_t len = strlen(s);

	if (!len || len >= MANGLE_TEXT_SIZE || !is_printable(s))
		return reject(why, "is not 1 to %d bytes of printable text (UTF-8)",
			      MANGLE_TEXT_SIZE - 1);
	memset(out, 0, MANGLE_TEXT_SIZE);
	memcpy(out, s, len);
	return 0;
}

int parse_name(const char *s, char out[MANGLE_NAME_SIZE], struct parse_error *why)
{
	size_t len = strlen(s);

	if (!len || len >= MANGLE_NAME_SIZE || s[strspn(s, NAME_CHARACTERS)])
		return reject(why, "is not a name: 1 to %d of the characters A-Z a-z 0-9 _ . -",
			      MANGLE_NAME_SIZE - 1);
	memset(out, 0, MANGLE_NAME_SIZE);
	memcpy(out, s, len);
	return 0;
}

/*
 * The kernel's dev_valid_name(), and printable ASCII only so that every file can hold it. any and
 * none are how commands say that there is no interface: nobody shall mean this and get that.
 */
static bool valid_ifname(const char *s)
{
	size_t len = strlen(s);
	const char *c;

	if (!len || len >= MANGLE_IFNAME_SIZE || !strcmp(s, ".") || !strcmp(s, "..") ||
	    !strcmp(s, "any") || !strcmp(s, "none"))
		return false;
	for (c = s; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == '/' || *c == ':')
			return false;
	}
	return true;
}

int parse_ifname(const char *s, char out[MANGLE_IFNAME_SIZE], struct parse_error *why)
{
	if (!valid_ifname(s))
		return reject(why,
			      "is not an interface's name: 1 to %d characters, no blank, / or :",
			      MANGLE_IFNAME_SIZE - 1);
	memset(out, 0, MANGLE_IFNAME_SIZE);
	memcpy(out, s, strlen(s));
	return 0;
}

/* Clears the host bits; true where one was set. */
static bool clear_host_bits(struct prefix *p)
{
	bool was_set = false;
	unsigned int i;

	for (i = p->len; i < sizeof(p->addr) * 8; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		was_set |= p->addr[i / 8] & bit;
		p->addr[i / 8] &= (uint8_t)~bit;
	}
	return was_set;
}

static int parse_address(const char *s, struct prefix *p)
{
	if (inet_pton(AF_INET, s, p->addr) == 1)
		p->family = 4;
	else if (inet_pton(AF_INET6, s, p->addr) == 1)
		p->family = 6;
	else
		return -EINVAL;
	return 0;
}

/* An IPv4 address as sockets write it in IPv6, which no packet has. */
static int refuse_mapped(const struct prefix *p, struct parse_error *why)
{
	struct prefix v4 = {.family = 4, .len = (uint8_t)(p->len - MAPPED_BITS)};
	char buf[PREFIX_TEXT_SIZE];

	memcpy(v4.addr, p->addr + MAPPED_BITS / 8, 4);
	return reject(why, "matches no packet: an IPv4 prefix is written as IPv4 (write %s)",
		      format_prefix(&v4, buf));
}

int parse_prefix(const char *s, struct prefix *out, struct parse_error *why)
{
	static const uint8_t mapped[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};
	const char *slash = strchrnul(s, '/');
	size_t addr_len = (size_t)(slash - s);
	char addr[INET6_ADDRSTRLEN];
	char buf[PREFIX_TEXT_SIZE];
	struct prefix p = {0};
	uint64_t len;

	if (addr_len >= sizeof(addr))
		return reject(why, "is not an IPv4 or IPv6 address or prefix");
	memcpy(addr, s, addr_len);
	addr[addr_len] = '\0';
	if (parse_address(addr, &p))
		return reject(why, "is not an IPv4 or IPv6 address or prefix");

	len = p.family == 4 ? 32 : 128;
	if (*slash && parse_number(slash + 1, 0, len, &len, why))
		return reject(why, "has a prefix length that is not a number from 0 to %" PRIu64,
			      len);
	p.len = (uint8_t)len;
	if (clear_host_bits(&p))
		return reject(why, "has bits set behind the prefix (write %s)",
			      format_prefix(&p, buf));
	if (p.family == 6 && p.len >= MAPPED_BITS && !memcmp(p.addr, mapped, sizeof(mapped)))
		return refuse_mapped(&p, why);
	*out = p;
	return 0;
}
