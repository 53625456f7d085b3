/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that is typed: what is taken means the same when it is printed and read again. */
#include "../../ctl/model/diff.h"
#include "../../ctl/model/model.h"
#include "../../ctl/model/parse.h"

#include <inttypes.h>

#include "fuzz.h"

static void check_why(const struct parse_error *why)
{
	check_line(why->text, sizeof(why->text));
}

static void try_number(const char *s)
{
	uint64_t value, again;
	char text[24];
	struct parse_error why;

	if (parse_number(s, 0, UINT64_MAX, &value, &why)) {
		check_why(&why);
		return;
	}
	CHECK(s[strspn(s, "0123456789")] == '\0');
	snprintf(text, sizeof(text), "%" PRIu64, value);
	CHECK(!strcmp(s + strspn(s, "0"), value ? text : ""));
	CHECK(!parse_number(text, value, value, &again, &why) && again == value);
	CHECK(value == UINT64_MAX || parse_number(text, value + 1, UINT64_MAX, &again, &why));
	CHECK(!value || parse_number(text, 0, value - 1, &again, &why));
}

static void try_range(const char *s)
{
	uint16_t first, last, from, to;
	struct window w, again;
	struct parse_error why;
	char text[24];

	if (parse_window(s, &w, &why)) {
		check_why(&why);
		CHECK(parse_targets(s, &first, &last, &why));
		check_why(&why);
		return;
	}
	CHECK(w.min <= w.max);
	snprintf(text, sizeof(text), "%u:%u", w.min, w.max);
	CHECK(!parse_window(text, &again, &why) && again.min == w.min && again.max == w.max);
	/* Ports are the same, less 0. */
	CHECK(!parse_targets(s, &first, &last, &why) == !!w.min);
	if (!w.min)
		return;
	CHECK(first == w.min && last == w.max);
	snprintf(text, sizeof(text), "%u-%u", first, last);
	CHECK(!parse_targets(text, &from, &to, &why) && from == first && to == last);
}

static void try_ports(const char *s)
{
	uint16_t ports[MANGLE_MAX_PORTS], again[MANGLE_MAX_PORTS], port;
	char text[MANGLE_MAX_PORTS * 6 + 1] = "";
	unsigned int count = 0, n = 0;
	struct parse_error why;

	if (parse_ports(s, ports, &count, &why)) {
		check_why(&why);
		/* In a list a number has no more digits than any number needs, zeros included. */
		CHECK(strlen(s) > 23 || parse_port(s, &port, &why));
		return;
	}
	CHECK(count && count <= MANGLE_MAX_PORTS);
	for (unsigned int i = 0; i < count; i++) {
		CHECK(ports[i]);
		sprintf(text + strlen(text), "%s%u", i ? "," : "", ports[i]);
	}
	CHECK(!parse_ports(text, again, &n, &why) && n == count);
	CHECK(!memcmp(ports, again, n * sizeof(*ports)));
	CHECK(!parse_port(s, &port, &why) == (count == 1));
	CHECK(count > 1 || port == ports[0]);
}

static void try_tag_place(const char *s)
{
	int32_t offset, off;
	struct parse_error why;
	uint8_t len, length, ignored[MANGLE_MAX_TAG], same[MANGLE_MAX_TAG];
	char text[32 + TAG_TEXT_SIZE], mask[TAG_TEXT_SIZE];

	if (!parse_offset(s, &offset, &why)) {
		snprintf(text, sizeof(text), "%" PRId32, offset);
		CHECK(!parse_offset(text, &off, &why) && off == offset);
		CHECK(offset >= -65535 && offset <= 65535 && (offset || *s != '-'));
	} else {
		check_why(&why);
	}
	if (parse_tag_place(s, &offset, &len, ignored, &why)) {
		check_why(&why);
		return;
	}
	CHECK(len >= 1 && len <= MANGLE_MAX_TAG && !tag_place_wrong(offset, len));
	CHECK(offset >= 0 || -offset >= len);
	format_mask(ignored, len, mask);
	snprintf(text, sizeof(text), "%" PRId32 ":%u%s%s", offset, len, *mask ? "/" : "", mask);
	CHECK(!parse_tag_place(text, &off, &length, same, &why) && off == offset && length == len);
	CHECK(!memcmp(same, ignored, sizeof(same)));
}

static void check_tag(const struct tag *tag, const char *prefix, const char *text)
{
	char typed[2 * TAG_TEXT_SIZE];
	struct tag again;
	struct parse_error why;

	snprintf(typed, sizeof(typed), "%s%s", prefix, text);
	CHECK(!parse_tag(typed, &again, &why));
	CHECK(!memcmp(&again, tag, sizeof(again)));
}

static void try_tag(const char *s)
{
	char buf[TAG_TEXT_SIZE];
	struct tag tag;
	struct parse_error why;

	if (parse_tag(s, &tag, &why)) {
		check_why(&why);
		return;
	}
	CHECK(tag.len >= 1 && tag.len <= MANGLE_MAX_TAG);
	for (unsigned int i = tag.len; i < MANGLE_MAX_TAG; i++)
		CHECK(!tag.bytes[i]);
	check_tag(&tag, "", format_tag_hex(tag.bytes, tag.len, buf));
	check_tag(&tag, "hex:", buf + 2);
	check_tag(&tag, "", format_tag(tag.bytes, tag.len, buf));
	CHECK(!strpbrk(buf, " \t#\\'\""));
	if (format_tag_text(tag.bytes, tag.len, buf)) {
		CHECK(strlen(buf) == tag.len && !memcmp(buf, tag.bytes, tag.len));
		if (!strchr(buf, '\\'))
			check_tag(&tag, "text:", buf);
	}
	if (strncmp(s, "0x", 2) && strncmp(s, "hex:", 4) && strncmp(s, "text:", 5) &&
	    !strchr(s, '\\'))
		CHECK(strlen(s) == tag.len && !memcmp(s, tag.bytes, tag.len));
}

static void try_target(const char *s)
{
	struct target t, again;
	char buf[TARGET_TEXT_SIZE];
	struct parse_error why;

	if (parse_target(s, &t, &why)) {
		check_why(&why);
		return;
	}
	CHECK((t.action == ACTION_PORT) == !!t.port);
	CHECK(!parse_target(format_target(&t, buf), &again, &why));
	CHECK(again.action == t.action && again.port == t.port);
}

static void try_prefix(const char *s)
{
	char buf[PREFIX_TEXT_SIZE];
	struct prefix p, again;
	struct parse_error why;

	if (parse_prefix(s, &p, &why)) {
		check_why(&why);
		return;
	}
	CHECK(p.family == 4 || p.family == 6);
	CHECK(p.len <= (p.family == 4 ? 32 : 128));
	for (unsigned int i = p.len; i < 128; i++)
		CHECK(!(p.addr[i / 8] & 0x80 >> i % 8));
	CHECK(!parse_prefix(format_prefix(&p, buf), &again, &why));
	CHECK(!prefix_compare(&p, &again));
}

static void try_words(const char *s)
{
	char name[MANGLE_NAME_SIZE], ifname[MANGLE_IFNAME_SIZE];
	uint8_t protocols;
	struct parse_error why;

	if (parse_name(s, name, &why))
		check_why(&why);
	else
		CHECK(!strcmp(s, name));
	if (parse_ifname(s, ifname, &why))
		check_why(&why);
	else
		CHECK(!strcmp(s, ifname));
	if (parse_protocol(s, &protocols, &why))
		check_why(&why);
	else
		CHECK(!strcmp(s, format_protocol(protocols)));
}

static void try_hex(const char *s, size_t size)
{
	uint8_t *out = malloc(size / 2 + 1);
	char *text = malloc(size + 2);
	struct parse_error why;
	size_t len, again;

	CHECK(out && text);
	if (parse_hex(s, out, &len, &why)) {
		check_why(&why);
	} else {
		CHECK(len && len <= size / 2);
		for (size_t i = 0; i < len; i++)
			sprintf(text + 2 * i, "%02X", out[i]);
		memset(out, 0xa5, len);
		CHECK(!parse_hex(text, out, &again, &why) && again == len);
		for (size_t i = 0; i < len; i++) {
			char two[3];

			sprintf(two, "%02X", out[i]);
			CHECK(!memcmp(two, text + 2 * i, 2));
		}
	}
	free(text);
	free(out);
}

/* data is in memory of just its size, and no string. */
static void try_table_line(const uint8_t *data, size_t size)
{
	char text[400], tag_text[TAG_TEXT_SIZE], target[TARGET_TEXT_SIZE];
	char name[MANGLE_TEXT_SIZE], name_again[MANGLE_TEXT_SIZE], quoted[QUOTED_TEXT_SIZE];
	struct entity en, again;
	struct tag tag, same;
	struct bad_word bad;
	int ret = parse_table_line((const char *)data, size, &tag, &en, name, &bad);

	CHECK(ret == 0 || ret == 1 || ret < 0);
	if (ret < 0) {
		check_why(&bad.why);
		CHECK(!bad.text || ((const uint8_t *)bad.text >= data &&
				    (const uint8_t *)bad.text + bad.len <= data + size));
	}
	if (ret <= 0)
		return;
	CHECK(!memcmp(tag.bytes, en.tag, sizeof(en.tag)));
	CHECK(en.has_size ? en.size.min <= en.size.max : !en.size.min && !en.size.max);
	snprintf(text, sizeof(text), "%s %s", format_tag(en.tag, tag.len, tag_text),
		 format_target(&en.target, target));
	if (en.has_size)
		sprintf(text + strlen(text), " %u:%u", en.size.min, en.size.max);
	if (*name)
		sprintf(text + strlen(text), " name=%s", format_quoted(name, quoted));
	CHECK(parse_table_line(text, strlen(text), &same, &again, name_again, &bad) == 1);
	CHECK(!strcmp(name, name_again));
	CHECK(!memcmp(&same, &tag, sizeof(tag)) && entity_same(&en, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = exact_string(data, size);

	try_number(s);
	try_range(s);
	try_ports(s);
	try_tag_place(s);
	try_tag(s);
	try_target(s);
	try_prefix(s);
	try_words(s);
	try_hex(s, size);
	try_table_line(data, size);
	free(s);
	return 0;
}
