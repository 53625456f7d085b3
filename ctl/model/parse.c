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

/* Longest useful field of a table line: text: and MANGLE_MAX_TAG times \xNN. */
#define FIELD_SIZE 128
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

/* ---- tags --------------------------------------------------------------------------------- */

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

void tag_length_why(const char *text, unsigned int len, const char *service, unsigned int wanted,
		    struct parse_error *why)
{
	int end = snprintf(why->text, sizeof(why->text),
			   "has %u bytes, those of service %s have %u", len, service, wanted);

	if (is_hex(text) && strlen(text) == 2 * (size_t)wanted)
		snprintf(why->text + end, sizeof(why->text) - (size_t)end,
			 " (hex digits are written 0x%s)", text);
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

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

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

/* ---- lines of a table file ---------------------------------------------------------------- */

struct row_word {
	const char *text;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(const char **at, const char *end)
{
	while (*at < end && is_blank(**at))
		++*at;
}

/* Returns the end of a word that may have text in double quotes behind its '=', in which blanks and
 * '#' are text; NULL where there is no second quote. */
static const char *word_end(const char *at, const char *end)
{
	for (; at < end && !is_blank(*at) && *at != '#'; at++) {
		if (*at != '=' || at + 1 == end || at[1] != '"')
			continue;
		for (at += 2; at < end && *at != '"'; at++)
			at += *at == '\\';
		if (at >= end)
			return NULL;
	}
	return at;
}

/* The next word of [*at, end), blanks or tabs around it, '#' behind it; false where there is none.
 */
static bool next_word(const char **at, const char *end, struct row_word *word)
{
	skip_blanks(at, end);
	word->text = *at;
	while (*at < end && !is_blank(**at) && **at != '#')
		++*at;
	word->len = (size_t)(*at - word->text);
	return word->len > 0;
}

/* What is longer than anything that could be right becomes "". */
static const char *row_text(const struct row_word *word, char buf[FIELD_SIZE])
{
	size_t len = word->len < FIELD_SIZE ? word->len : 0;

	memcpy(buf, word->text, len);
	buf[len] = '\0';
	return buf;
}

static int blame(struct bad_word *bad, const char *what, const struct row_word *word)
{
	bad->what = what;
	bad->text = word->text;
	bad->len = word->len;
	return -EINVAL;
}

/* The text behind "name=", with or without quotes. */
static int parse_quoted(const struct row_word *word, char out[MANGLE_TEXT_SIZE],
			struct parse_error *why)
{
	bool quoted = word->len && *word->text == '"';
	char text[MANGLE_TEXT_SIZE + 1];
	size_t n = 0, i = quoted;

	for (; i < word->len && n < sizeof(text) - 1; i++) {
		if (quoted && word->text[i] == '"')
			break;
		if (quoted && word->text[i] == '\\' && ++i < word->len && word->text[i] != '"' &&
		    word->text[i] != '\\')
			return reject(why, "has a \\ that is not \\\" or \\\\");
		text[n++] = word->text[i];
	}
	text[n] = '\0';
	if (n < sizeof(text) - 1 && quoted && i + 1 != word->len)
		return reject(why, "goes on behind the closing \"");
	if (!quoted && memchr(word->text, '"', word->len))
		return reject(why, "has a \" inside (write \"...\", and \\\" for one in it)");
	return parse_text(text, out, why);
}

/* One row that is being read. */
struct row_line {
	struct tag *tag;
	struct entity *entity;
	char *name;
	struct bad_word *bad;
};

static int parse_row_size(const struct row_line *row, const struct row_word *all,
			  const struct row_word *value)
{
	char buf[FIELD_SIZE];

	if (row->entity->has_size) {
		reject(&row->bad->why, "is a second size");
		return blame(row->bad, "size", all);
	}
	if (parse_window(row_text(value, buf), &row->entity->size, &row->bad->why))
		return blame(row->bad, "size", value);
	row->entity->has_size = true;
	return 0;
}

static int parse_row_name(const struct row_line *row, const struct row_word *all,
			  const struct row_word *value)
{
	if (*row->name) {
		reject(&row->bad->why, "is a second name");
		return blame(row->bad, "name", all);
	}
	return parse_quoted(value, row->name, &row->bad->why) ? blame(row->bad, "name", value) : 0;
}

/* What may stand behind TAG TARGET. */
static const struct row_key {
	const char *name;
	int (*parse)(const struct row_line *row, const struct row_word *all,
		     const struct row_word *value);
} row_keys[] = {{"size", parse_row_size}, {"name", parse_row_name}};

/* A word behind TAG TARGET: KEY=VALUE, or the first one of them MIN:MAX. */
static int parse_row_word(const struct row_line *row, const struct row_word *word, bool first)
{
	const char *equals = memchr(word->text, '=', word->len);
	size_t len = equals ? (size_t)(equals - word->text) : 0;
	const struct row_word value = {word->text + len + 1, word->len - len - 1};

	for (size_t i = 0; equals && i < sizeof(row_keys) / sizeof(*row_keys); i++)
		if (strlen(row_keys[i].name) == len && !memcmp(row_keys[i].name, word->text, len))
			return row_keys[i].parse(row, word, &value);
	if (first && !equals)
		return parse_row_size(row, word, word);
	reject(&row->bad->why, equals ? "is none of size=MIN:MAX name=TEXT"
				      : "is more than TAG TARGET [MIN:MAX] [KEY=VALUE...]");
	return blame(row->bad, "entity", word);
}

/* All that is behind TAG TARGET. */
static int parse_row_rest(const struct row_line *row, const char *at, const char *end)
{
	for (bool first = true;; first = false) {
		struct row_word word;
		const char *behind;

		skip_blanks(&at, end);
		if (at == end || *at == '#')
			return 0;
		behind = word_end(at, end);
		word = (struct row_word){at, (size_t)((behind ? behind : end) - at)};
		if (!behind) {
			reject(&row->bad->why, "has no closing \"");
			return blame(row->bad, "entity", &word);
		}
		if (parse_row_word(row, &word, first))
			return -EINVAL;
		at = behind;
	}
}

static int parse_row(const struct row_line *row, const struct row_word words[2])
{
	struct bad_word *bad = row->bad;
	char buf[FIELD_SIZE];

	if (words[0].len >= FIELD_SIZE) {
		reject(&bad->why, "is longer than %d bytes", MANGLE_MAX_TAG);
		return blame(bad, "tag", &words[0]);
	}
	if (parse_tag(row_text(&words[0], buf), row->tag, &bad->why))
		return blame(bad, "tag", &words[0]);
	if (parse_target(row_text(&words[1], buf), &row->entity->target, &bad->why))
		return blame(bad, "target", &words[1]);
	return 0;
}

/* As tables of other programs come. */
static bool has_separator(const struct row_word *word)
{
	return memchr(word->text, ',', word->len) || memchr(word->text, ';', word->len);
}

int parse_table_line(const char *line, size_t len, struct tag *tag, struct entity *out,
		     char name[MANGLE_TEXT_SIZE], struct bad_word *bad)
{
	struct entity en = {0};
	const struct row_line row = {.tag = tag, .entity = &en, .name = name, .bad = bad};
	const char *at = line, *end = line + len;
	struct row_word words[2];

	*name = '\0';
	if (memchr(line, '\0', len)) {
		reject(&bad->why, "there is a NUL byte (this is not a text file)");
		return blame(bad, "entity", &(struct row_word){NULL, 0});
	}
	if (len && line[len - 1] == '\r')
		end--;
	if (!next_word(&at, end, &words[0]))
		return 0;
	if (!next_word(&at, end, &words[1])) {
		reject(&bad->why, has_separator(&words[0])
					  ? "is one word: TAG and TARGET are separated by blanks"
					  : "has no target behind it");
		return blame(bad, "entity", &words[0]);
	}
	if (parse_row(&row, words) || parse_row_rest(&row, at, end))
		return -EINVAL;
	memcpy(en.tag, tag->bytes, sizeof(en.tag));
	*out = en;
	return 1;
}

/* ---- back to text ------------------------------------------------------------------------- */

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
