/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/model/setting.h"
#include "ctl/model/diff.h"
#include "ctl/model/check.h"
#include "ctl/files/config_save.h"
#include "ctl/files/table_file.h"
#include "ctl/files/config.h"
#include "ctl/model/parse.h"
#include "unit.h"

/* ---- files: all in one directory of our own, which is the current one --------------------- */

static char start_dir[] = "/tmp/mangle-unit-XXXXXX";

static void put_file(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void put_text(const char *name, const char *text)
{
	put_file(name, text, strlen(text));
}

static void must_load(const char *file, struct model *m)
{
	struct err e = {0};

	model_init(m);
	ck_assert_msg(!config_load(file, m, &e), "%s", e.line);
}

static char *saved(const struct model *m)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	config_save(m, out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static void assert_same(const struct model *a, const struct model *b)
{
	struct changes c;

	model_diff(a, b, &c, NULL, NULL);
	ck_assert_uint_eq(c.added, 0);
	ck_assert_uint_eq(c.removed, 0);
	ck_assert_uint_eq(c.updated, 0);
}

/* Names of entities alone may be outside ASCII. */
static bool has_names(const struct model *m)
{
	for (unsigned int i = 0; i < m->service_count; i++)
		if (m->services[i].names.count)
			return true;
	return false;
}

/* Saved, loaded and saved again it is the same model and the same text. */
static void comes_back(const struct model *m)
{
	struct model again;
	char *first = saved(m), *second;
	unsigned int unprintable = 0;

	put_text("saved.yaml", first);
	must_load("saved.yaml", &again);
	assert_same(m, &again);
	second = saved(&again);
	ck_assert_str_eq(first, second);
	for (const char *c = first; *c; c++)
		unprintable += *c != '\n' && (*c < ' ' || *c > '~') && (*c >= 0 || !has_names(m));
	ck_assert_uint_eq(unprintable, 0);
	free(first);
	free(second);
	model_free(&again);
}

/* ---- what is right ------------------------------------------------------------------------ */

#define TAG4 "    tag: { offset: 0, length: 4 }\n"
#define SIZE "    size: { min: 16, max: 1400 }\n"
#define HEAD "version: 1\nservices:\n"
#define NAME_WEB "  - name: web\n    protocol: udp\n    ports: [5000]\n"
#define SHIFTED(blanks) HEAD "  - name: web\n    protocol: udp\n" blanks "ports: [5000]\n" TAG4 SIZE
/* 7 lines */
#define WEB HEAD NAME_WEB TAG4 SIZE

/* The manual's own example. */
static const char example[] =
	"version: 1\n"
	"flows: 65536                         # 1024 to 4194304, optional\n"
	"services:\n"
	"  - name: telemetry                  # [A-Za-z0-9_.-]{1,31}\n"
	"    protocol: udp                    # udp | tcp | any\n"
	"    ports: [5000]\n"
	"    daddr: [192.0.2.0/24]            # optional: any\n"
	"    saddr: []                        # optional: any\n"
	"    interface: eth0                  # optional: any\n"
	"    tag: { offset: 0, length: 4 }\n"
	"    size: { min: 16, max: 1400 }\n"
	"    invalid: drop                    # pass | drop; default pass\n"
	"    unknown: pass                    # pass | drop | a port; default pass\n"
	"    tcp: connection                  # for tcp and any: connection | segment\n"
	"    reply: false\n"
	"    action: enforce                  # enforce | observe\n"
	"    targets: 6000-6999               # optional: allowed targets\n"
	"    entities:\n"
	"      - { tag: \"ABCD\", target: 6001 }\n"
	"      - { tag: \"0xdeadbeef\", target: drop }\n"
	"      - { tag: \"EFGH\", target: 6002, size: { min: 32, max: 64 } }\n"
	"    entities-file: telemetry.map     # optional, relative to this file\n";

static void judge_example(const struct model *m)
{
	const struct service *s = &m->services[0];
	char buf[PREFIX_TEXT_SIZE];

	ck_assert_uint_eq(m->service_count, 1);
	ck_assert_str_eq(s->name, "telemetry");
	ck_assert_uint_eq(s->protocols, MANGLE_PROTO_UDP);
	ck_assert_uint_eq(s->port_count, 1);
	ck_assert_uint_eq(s->ports[0], 5000);
	ck_assert_uint_eq(s->daddr_count, 1);
	ck_assert_str_eq(format_prefix(&s->daddr[0], buf), "192.0.2.0/24");
	ck_assert_uint_eq(s->saddr_count, 0);
	ck_assert_str_eq(s->ifname, "eth0");
	ck_assert_int_eq(s->tag_offset, 0);
	ck_assert_uint_eq(s->tag_len, 4);
	ck_assert_uint_eq(s->size.min, 16);
	ck_assert_uint_eq(s->size.max, 1400);
	ck_assert_uint_eq(s->invalid, ACTION_DROP);
	ck_assert_uint_eq(s->unknown.action, ACTION_PASS);
	ck_assert(!s->reply && !s->observe);
	ck_assert_uint_eq(s->targets_first, 6000);
	ck_assert_uint_eq(s->targets_last, 6999);
	ck_assert_uint_eq(s->entity_count, 4);
	ck_assert_mem_eq(s->entities[0].tag, "ABCD\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	ck_assert_uint_eq(s->entities[0].target.port, 6001);
	ck_assert_mem_eq(s->entities[1].tag, "EFGH", 4);
	ck_assert(s->entities[1].has_size);
	ck_assert_uint_eq(s->entities[1].size.min, 32);
	ck_assert_uint_eq(s->entities[1].size.max, 64);
	ck_assert_mem_eq(s->entities[2].tag, "WXYZ", 4);
	ck_assert_uint_eq(s->entities[2].target.action, ACTION_PASS);
	ck_assert_mem_eq(s->entities[3].tag, "\xde\xad\xbe\xef", 4);
	ck_assert_uint_eq(s->entities[3].target.action, ACTION_DROP);
}

START_TEST(the_manuals_example)
{
	char path[PATH_MAX];
	struct model m;

	ck_assert(!mkdir("sub", 0700) || errno == EEXIST);
	put_text("sub/telemetry.map", "# more\nWXYZ pass\n");
	put_text("telemetry.map", "WXYZ 1\nwrong\n");
	put_text("sub/c.yaml", example);
	must_load("sub/c.yaml", &m);
	judge_example(&m);
	ck_assert_str_eq(m.file, realpath("sub/c.yaml", path));
	comes_back(&m);
	model_free(&m);

	/* From within the directory, and by another way to the same file. */
	ck_assert_int_eq(chdir("sub"), 0);
	must_load("c.yaml", &m);
	judge_example(&m);
	model_free(&m);
	must_load("../sub/./c.yaml", &m);
	judge_example(&m);
	ck_assert_str_eq(m.file, path);
	model_free(&m);
	ck_assert_int_eq(chdir(".."), 0);
}
END_TEST

START_TEST(the_default_comes_back)
{
	struct model m;
	struct err e;
	char *text;

	ck_assert_int_eq(model_default(&m, &e), 0);
	comes_back(&m);
	text = saved(&m);
	ck_assert_str_eq(text, "version: 1\n"
			       "services:\n"
			       "  - name: 'default'\n"
			       "    protocol: udp\n"
			       "    ports: [5000]\n"
			       "    tag: { offset: 0, length: 4 }\n"
			       "    size: { min: 4, max: 65507 }\n"
			       "    invalid: pass\n"
			       "    unknown: pass\n"
			       "    action: enforce\n");
	free(text);
	model_free(&m);
}
END_TEST

/* Ways to write one model: AB'D to 6001, the four bytes a \ b blank to drop. */
static const char *const same[] = {
	WEB
	"    entities:\n      - { tag: AB'D, target: 6001 }\n      - { tag: 'a\\\\b ', target: drop }\n",
	/* block style, keys in another order, comments, blank lines */
	"# hello \xc3\xa9\n\nservices:\n- entities:\n  - target: 6001\n    tag: \"AB'D\"\n"
	"  - tag: 'a\\x5cb\\x20'\n    target: 'drop'\n  size:\n    max: 1400\n    min: 16\n  tag:\n"
	"    length: 4\n    offset: 0\n  ports:\n  - 5000\n  protocol: \"udp\"\n  name: 'web'\nversion: 1\n",
	/* JSON, in tabs, with escapes */
	"{\n\t\"version\": 1,\n\t\"services\": [\n\t\t{\n\t\t\t\"name\": \"w\\u0065b\",\n\t\t\t\"protocol\": \"udp\",\n"
	"\t\t\t\"ports\": [5000],\n\t\t\t\"tag\": {\"offset\": 0, \"length\": 4},\n"
	"\t\t\t\"size\": {\"min\": 16, \"max\": 1400},\n\t\t\t\"entities\": [\n"
	"\t\t\t\t{\"tag\": \"AB\\u0027D\", \"target\": 6001},\n"
	"\t\t\t\t{\"tag\": \"a\\\\\\\\b\\u0020\", \"target\": \"drop\"}\n\t\t\t]\n\t\t}\n\t]\n}\n",
	/* JSON without a blank */
	"{\"version\":1,\"services\":[{\"name\":\"web\",\"protocol\":\"udp\",\"ports\":[5000],\"tag\":"
	"{\"offset\":0,\"length\":4},\"size\":{\"min\":16,\"max\":1400},\"reply\":false,\"daddr\":[],"
	"\"entities\":[{\"tag\":\"AB'D\",\"target\":6001},{\"tag\":\"0x615c6220\",\"target\":\"drop\"}]}]}",
	/* a byte order mark, document marks, CR LF */
	"\xef\xbb\xbf---\r\nversion: 1\r\nservices:\r\n  - name: web\r\n    protocol: udp\r\n    ports: [5000]\r\n"
	"    tag: { offset: 0, length: 4 }\r\n    size: { min: 16, max: 1400 }\r\n    entities:\r\n"
	"      - { tag: AB'D, target: 6001 }\r\n      - { tag: 0x615C6220, target: drop }\r\n...\r\n",
	/* the mark alone, and keys in the first column behind it */
	"\xef\xbb\xbf" WEB
	"    entities:\n      - { tag: AB'D, target: 6001 }\n      - { tag: 0x615c6220, target: drop }\n",
	/* the command line's words, lists of one without brackets, on and off */
	HEAD
	"  - name: web\n    proto: udp\n    port: 5000\n    reply: off\n" TAG4 SIZE
	"    entities:\n    - { tag: AB'D, target: 6001 }\n    - { tag: 0x615c6220, target: drop }\n",
	/* all that is optional said */
	WEB
	"    daddr: []\n    saddr: []\n    invalid: pass\n    unknown: pass\n    tcp: connection\n    reply: false\n"
	"    action: enforce\n    entities:\n      - { tag: hex:41422744, target: 6001 }\n"
	"      - { tag: 'text:a\\\\b ', target: drop }\n",
};

START_TEST(ways_to_say_the_same)
{
	struct model first, m;

	put_text("c.yaml", same[0]);
	must_load("c.yaml", &first);
	ck_assert_uint_eq(first.services[0].entity_count, 2);
	ck_assert_mem_eq(first.services[0].entities[0].tag, "AB'D", 4);
	ck_assert_mem_eq(first.services[0].entities[1].tag, "a\\b ", 4);
	put_text("c.yaml", same[_i]);
	must_load("c.yaml", &m);
	assert_same(&first, &m);
	comes_back(&m);
	model_free(&first);
	model_free(&m);
}
END_TEST

/* ---- what is wrong ------------------------------------------------------------------------ */

static const struct {
	const char *text;
	unsigned int line; /* 0: none */
	const char *why;   /* part of it */
} wrong[] = {
	{"", 0, "it is empty"},
	{"# only a comment\n", 0, "it is empty"},
	{"---\n", 2, "configuration: this is nothing where a mapping belongs"},
	{"hello\n", 1, "configuration: 'hello' is text where a mapping belongs"},
	{"[]\n", 1, "this is a list where a mapping belongs"},
	{"services: []\n", 1, "configuration: key 'version' is missing"},
	{"version: 1\n", 1, "configuration: key 'services' is missing"},
	{"version: 2\nservices: []\n", 1,
	 "version: 2 is unknown to this version of mangle (write 1)"},
	{"version: 0\nservices: []\n", 1, "version: 0 is unknown"},
	{"version: '1'\nservices: []\n", 1,
	 "version: '1' is text in quotes where a number belongs (write it without)"},
	{"version: 1.0\nservices: []\n", 1, "version: '1.0' must be a whole number"},
	{"version:\nservices: []\n", 1, "version: there is no value"},
	{"version: [1]\nservices: []\n", 1, "version: this is a list where a number belongs"},
	{"version: 1\nversion: 1\nservices: []\n", 2,
	 "key 'version' twice: already given in line 1"},
	{"version: 1\nservices: []\nextra: 1\n", 3,
	 "unknown key 'extra' (known keys: version, flows, services)"},
	{"version: 1\nservices: []\n'\\x41': 1\n", 3, "unknown key '\\x41'"},
	{"version: 1\nservices: []\n\"a\\nb\": 1\n", 3, "unknown key 'a\\x0ab'"},
	{"version: 1\nservices: []\n\"version\\0\": 1\n", 3, "NUL"},
	{"version: 1\nservices: []\n? [a]\n: 1\n", 3, "this is a list where a key belongs"},
	{"version: 1\nservices: {}\n", 2, "services: this is a mapping where a list belongs"},
	{"version: 1\nservices: none\n", 2, "services: 'none' is text where a list belongs"},
	{"version: 1\nservices:\n", 2, "services: this is nothing where a list belongs"},
	{"version: 1\nservices: [web]\n", 2, "services: 'web' is text where a mapping belongs"},
	{"version: 1\nservices: []\n---\nversion: 1\n", 3,
	 "document: a second document begins here"},
	{"version: 1\nservices: []\n--- \n", 3, "document: a second document begins here"},
	{"version: &v 1\nservices: []\n", 1, "anchor: '&v'"},
	{"version: 1\nservices: &s []\n", 2, "anchor: '&s'"},
	{"version: 1\nservices: *s\n", 2, "alias: '*s'"},
	{"version: !!int 1\nservices: []\n", 1, "YAML type"},
	{"version: ! 1\nservices: []\n", 1, "YAML type"},
	{"version: 1\nservices: !x []\n", 2, "YAML type"},
	{"version: 1\nservices: [\n", 3, "this is neither YAML nor JSON: "},
	{"version: 1\n\tservices: []\n", 2, "indentation: there is a tab where blanks belong"},
	{"version: 1\nservices: []\n}\n", 3, "indentation: this line fits nothing above it"},
	{"version: 1\nservices: [] x\n", 2, "this is neither YAML nor JSON: "},
	{"{\n\t\"version\": 1,\n\t@}\n", 3, "this is neither YAML nor JSON: "},
	{"version: 1\nservices: 'x\n", 3, "this is neither YAML nor JSON: "},
	{"%YAML 3.0\n---\nversion: 1\n", 1, "this is neither YAML nor JSON: "},

	{HEAD "  - protocol: udp\n    ports: [5000]\n" TAG4 SIZE, 3,
	 "service: key 'name' is missing"},
	{HEAD "  - name: web\n    ports: [5000]\n" TAG4 SIZE, 3,
	 "service: key 'protocol' is missing"},
	{HEAD "  - name: web\n    protocol: udp\n" TAG4 SIZE, 3, "service: key 'ports' is missing"},
	{HEAD NAME_WEB SIZE, 3, "service: key 'tag' is missing"},
	{HEAD NAME_WEB TAG4, 3, "service: key 'size' is missing"},
	{HEAD "  - name: web\n    prot: udp\n", 4,
	 "service: unknown key 'prot' (known keys: name, description, protocol, ports, daddr, saddr, "
	 "interface, tag, size, invalid, unknown, tcp, reply, action, targets, enabled, entities, "
	 "entities-file)"},
	{WEB "    Name: x\n", 8, "unknown key 'Name'"},
	{WEB "    <<: { name: x }\n", 8, "unknown key '<<'"},
	{WEB "    ports: [1]\n", 8, "key 'ports' twice: already given in line 5"},
	{WEB WEB, 8, "key 'version' twice: already given in line 1"},
	{WEB NAME_WEB TAG4 SIZE, 8, "service 'web' twice: already given in line 3"},
	{WEB "  - name: api\n    protocol: udp\n    ports: [1, 5000]\n" TAG4 SIZE, 8,
	 "service 'api': matches the same packets as service 'web' on port 5000 (give one of them "
	 "another port, prefix, interface or protocol)"},

	{HEAD "  - name: [web]\n", 3, "name: this is a list where text belongs"},
	{HEAD "  - name: {}\n", 3, "name: this is a mapping where text belongs"},
	{HEAD "  - name:\n", 3, "name: there is no value"},
	{HEAD "  - name: null\n", 3, "name: there is no value"},
	{HEAD "  - name: ~\n", 3, "name: there is no value"},
	{HEAD "  - name: ''\n", 3, "name: '' is not a name"},
	{HEAD "  - name: a b\n", 3, "name: 'a b' is not a name"},
	{HEAD "  - name: \"web\\0\"\n", 3, "name: there is a NUL byte in it"},
	{HEAD "  - name: web\n    protocol: icmp\n", 4, "protocol: 'icmp' is not udp, tcp or any"},
	{HEAD "  - name: web\n    ports: 5000,5001\n", 4,
	 "ports: '5000,5001' must be a whole number"},
	{HEAD "  - name: web\n    ports:\n", 4, "ports: this is nothing where a list belongs"},
	{HEAD "  - name: web\n    ports: [5000]\n    port: 5001\n", 5,
	 "service: key 'ports' twice: already given in line 4"},
	{HEAD "  - name: web\n    ports: []\n", 4, "ports: the list is empty"},
	{HEAD "  - name: web\n    ports: [0]\n", 4,
	 "ports: '0' must be a whole number from 1 to 65535"},
	{HEAD "  - name: web\n    ports:\n      - 1\n      - 65536\n", 6,
	 "ports: '65536' must be a whole number"},
	{HEAD "  - name: web\n    ports: ['80']\n", 4,
	 "ports: '80' is text in quotes where a number"},
	{HEAD "  - name: web\n    ports: [80abc]\n", 4, "ports: '80abc' must be a whole number"},
	{HEAD "  - name: web\n    ports: [0x50]\n", 4, "ports: '0x50' must be a whole number"},
	{HEAD "  - name: web\n    ports: [+80]\n", 4, "ports: '+80' must be a whole number"},
	{HEAD "  - name: web\n    ports: [8_0]\n", 4, "ports: '8_0' must be a whole number"},
	{HEAD "  - name: web\n    ports: [[80]]\n", 4, "ports: this is a list where a number"},
	{HEAD "  - name: web\n    ports: [80, ]\n    ports: []\n", 5, "key 'ports' twice"},
	{HEAD "  - name: web\n    ports: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]\n", 4,
	 "ports: there are more than 16"},
	{HEAD "  - name: web\n    protocol: udp\n    ports: [80, 80]\n" TAG4 SIZE, 3,
	 "service 'web': has port 80 twice"},

	{WEB "    daddr: {}\n", 8, "daddr: this is a mapping where a list belongs"},
	{WEB "    daddr: 192.0.2.1/24\n", 8, "(write 192.0.2.0/24)"},
	{WEB "    daddr: [192.0.2.1/24]\n", 8, "(write 192.0.2.0/24)"},
	{WEB "    saddr: [host]\n", 8, "saddr: 'host' is not an IPv4 or IPv6 address"},
	{WEB "    saddr: [~]\n", 8, "saddr: there is no value"},
	{WEB "    saddr: [10.0.0.1, 10.0.0.1]\n", 3, "has saddr 10.0.0.1/32 twice"},
	{WEB "    daddr: ['::1','::2','::3','::4','::5','::6','::7','::8','::9']\n", 8,
	 "daddr: there are more than 8"},
	{WEB "    interface: any\n", 8, "interface: 'any' is not an interface's name"},
	{WEB "    interface: eth0/1\n", 8, "interface: 'eth0/1' is not an interface's name"},
	{WEB "    interface: [eth0]\n", 8, "interface: this is a list where text belongs"},
	{HEAD NAME_WEB SIZE "    tag: 0:4\n", 7,
	 "tag: '0:4' is text where a mapping like { offset: 0, length: 4 } belongs"},
	{HEAD NAME_WEB SIZE "    tag: { offset: 0 }\n", 7, "tag: key 'length' is missing"},
	{HEAD NAME_WEB SIZE "    tag: { length: 4 }\n", 7, "tag: key 'offset' is missing"},
	{HEAD NAME_WEB SIZE "    tag: { offset: 0, length: 0 }\n", 7,
	 "length: '0' must be a whole number from 1 to 16"},
	{HEAD NAME_WEB SIZE "    tag: { offset: 0, length: 17 }\n", 7,
	 "length: '17' must be a whole number"},
	{HEAD NAME_WEB SIZE "    tag: { offset: 0, length: 4, mask: '0xfffff0' }\n", 7,
	 "mask: '0xfffff0' has a mask that is not 0x and 8 hex digits"},
	{HEAD NAME_WEB SIZE "    tag: { mask: 0x00000000, offset: 0, length: 4 }\n", 7,
	 "mask: '0x00000000' has a mask without a bit"},
	{HEAD NAME_WEB SIZE "    tag: { offset: 0, length: 4, mask: '0xffff0000' }\n"
			    "    entities:\n      - { tag: 0x41420001, target: 1 }\n",
	 9, "tag: 0x41420001 has bits outside of 0xffff0000, the mask of service web"},
	{HEAD NAME_WEB SIZE "    tag: { offset: '0', length: 4 }\n", 7,
	 "offset: '0' is text in quotes"},
	{HEAD NAME_WEB SIZE "    tag: { offset: -2, length: 4 }\n", 7,
	 "reaches past the payload's end"},
	{HEAD NAME_WEB SIZE "    tag: { offset: 65533, length: 4 }\n", 7, "outside any payload"},
	{HEAD NAME_WEB SIZE "    tag: { offset: 0, length: 4, len: 4 }\n", 7,
	 "unknown key 'len' (known keys: offset, length, mask)"},
	{HEAD NAME_WEB TAG4 "    size: 16-1400\n", 7,
	 "size: '16-1400' is text where a mapping like { min: 4, max: 1400 } belongs"},
	{HEAD NAME_WEB TAG4 "    size: { min: 5, max: 4 }\n", 7, "size: min 5 is above max 4"},
	{HEAD NAME_WEB TAG4 "    size: { max: 4 }\n", 7, "size: key 'min' is missing"},
	{HEAD NAME_WEB TAG4 "    size: { min: 0, max: 65536 }\n", 7,
	 "max: '65536' must be a whole number"},
	{WEB "    invalid: 6001\n", 8, "invalid: '6001' must be drop or pass"},
	{WEB "    unknown: reject\n", 8, "unknown: 'reject' is not a port"},
	{WEB "    unknown: '6001'\n", 8, "unknown: '6001' is text in quotes where a number"},
	{WEB "    unknown: 0\n", 8, "unknown: '0' is not a port"},
	{WEB "    tcp: off\n", 8, "tcp: 'off' must be connection or segment"},
	{WEB "    reply: maybe\n", 8, "reply: 'maybe' must be on or off"},
	{WEB "    reply: 'true'\n", 8, "reply: 'true' is text in quotes where on or off belongs"},
	{WEB "    reply: True\n", 8, "reply: 'True' must be on or off"},
	{WEB "    reply: 1\n", 8, "reply: '1' must be on or off"},
	{HEAD "  - name: web\n    protocol: tcp\n    ports: [1]\n    reply: true\n" TAG4 SIZE, 3,
	 "service 'web': has reply, and covers TCP alone: reply is for UDP (leave reply off)"},
	{HEAD "  - name: web\n    protocol: udp\n    ports: [1, 2]\n    reply: true\n" TAG4 SIZE, 3,
	 "service 'web': has reply and 2 ports: "},
	{WEB "    action: block\n", 8, "action: 'block' must be enforce or observe"},
	{WEB "    targets: 6000\n", 8, "targets: '6000' is not FIRST-LAST"},
	{WEB "    targets: [6000, 6999]\n", 8, "targets: this is a list where text belongs"},
	{WEB "    targets: 6999-6000\n", 8, "targets: '6999-6000' has a first port above"},
	{WEB "    unknown: 5999\n    targets: 6000-6999\n", 8,
	 "unknown: 5999 is outside of 6000-6999, the targets of service web"},
	{WEB "    reply: true\n    unknown: 9\n"
	     "  - name: api\n    protocol: udp\n    ports: [1]\n    unknown: 9\n" TAG4 SIZE,
	 10, "service 'api': has target 9 like service 'web', on another shared port: "},

	{"version: 1\nflows: 1023\nservices: []\n", 2,
	 "flows: '1023' must be a whole number from 1024 to 4194304"},
	{"version: 1\nflows: 4194305\nservices: []\n", 2,
	 "flows: '4194305' must be a whole number from"},
	{"version: 1\nflows: '65536'\nservices: []\n", 2,
	 "flows: '65536' is text in quotes where a number belongs"},
	{"version: 1\nflows: many\nservices: []\n", 2, "flows: 'many' must be a whole number from"},
	{"version: 1\nflows: []\nservices: []\n", 2, "flows: this is a list where a number"},
	{"version: 1\nflows:\nservices: []\n", 2, "flows: there is no value"},
	{"flows: 2048\nflows: 2048\n", 2, "key 'flows' twice: already given in line 1"},

	/* A line in the wrong column is named itself, and not the service that lacks its key. */
	{SHIFTED("   "), 5, "indentation: this line fits nothing above it"},
	{SHIFTED("     "), 5, "indentation: this line goes on with the text above it"},
	{SHIFTED("  "), 5, "indentation: this line fits nothing above it"},
	{SHIFTED(" "), 5, "indentation: this line fits nothing above it"},
	{SHIFTED(""), 5, "indentation: key 'ports' of the service in line 3 stands outside of it"},
	{SHIFTED("\t"), 5, "indentation: there is a tab where blanks belong"},
	{SHIFTED("    \t"), 5, "indentation: there is a tab where blanks belong"},
	{WEB "   action: observe\n", 8, "indentation: this line fits nothing above it"},
	{WEB "     action: observe\n", 8, "indentation: this line fits nothing above it"},
	{WEB "action: observe\n", 8, "configuration: unknown key 'action'"},
	{WEB "    entities:\n    - tag: ABCD\n    target: 1\n", 10,
	 "indentation: key 'target' of the entity in line 9 stands outside of it"},
	{WEB "    entities:\n    - tag: ABCD\n        target: 1\n", 10,
	 "indentation: this line goes on with the text above it"},
	{WEB "    entities:\n    - tag: ABCD\n\t- tag: EFGH\n", 10, "indentation: there is a tab"},
	{WEB "    unknown: drop: 1\n", 8, "indentation: a key cannot stand here ("},
	/* A key that belongs where it stands is none of the entity's. */
	{HEAD NAME_WEB SIZE "    entities:\n    - target: 1\n    tag: { offset: 0, length: 4 }\n",
	 8, "entity: key 'tag' is missing"},

	{WEB "    entities: {}\n", 8, "entities: this is a mapping where a list belongs"},
	{WEB "    entities:\n      - ABCD\n", 9,
	 "entities: 'ABCD' is text where a mapping like { tag: ABCD, target: 6001 } belongs"},
	{WEB "    entities:\n      - { target: 1 }\n", 9, "entity: key 'tag' is missing"},
	{WEB "    entities:\n      - { tag: ABCD }\n", 9, "entity: key 'target' is missing"},
	{WEB "    entities:\n      - { tag: ABCD, target: 1, port: 2 }\n", 9,
	 "unknown key 'port' (known keys: tag, target, size, name)"},
	{WEB "    entities:\n      - { tag: ABCD, target: '1' }\n", 9,
	 "target: '1' is text in quotes"},
	{WEB "    entities:\n      - { tag: ABCD, target: block }\n", 9,
	 "target: 'block' is not a port"},
	{WEB "    entities:\n      - { tag: ABCD, target: 1, size: 5 }\n", 9,
	 "size: '5' is text where a mapping"},
	{WEB "    entities:\n      - { tag: ABCD, target: 1, size: { min: 2, max: 1 } }\n", 9,
	 "size: min 2 is above"},
	{WEB "    entities:\n      - { tag: ABCD, target: 1, name: '' }\n", 9,
	 "name: '' is not 1 to 63 bytes of printable text (UTF-8)"},
	{WEB "    entities:\n      - { tag: ABCD, target: 1, name: \"a\\x07\" }\n", 9,
	 "is not 1 to 63 bytes of printable text (UTF-8)"},
	{WEB "    entities:\n      - tag: ABCD\n        target: 1\n        name: "
	     "1234567890123456789012345678901234567890123456789012345678901234\n",
	 11, "is not 1 to 63 bytes of printable text (UTF-8)"},
	{WEB "    entities:\n      - { tag: ABCD, target: 1, name: [a] }\n", 9,
	 "name: this is a list where text belongs"},
	{WEB "    entities:\n      - { tag: ABCD, target: 1, name: a, name: b }\n", 9, "name"},
	{WEB "    entities:\n      - { tag: ABC, target: 1 }\n", 9,
	 "tag: 'ABC' has 3 bytes, those of service web have 4"},
	{HEAD NAME_WEB "    entities:\n      - { tag: ABCDE, target: 1 }\n" TAG4 SIZE, 7,
	 "tag: 'ABCDE' has 5 bytes, those of service web have 4"},
	{WEB "    entities:\n      - { tag: '', target: 1 }\n", 9, "tag: '' has no bytes"},
	{WEB "    entities:\n      - { tag: null, target: 1 }\n", 9,
	 "tag: there is no value (leave the key out, or quote"},
	{WEB "    entities:\n      - { tag: 0x414, target: 1 }\n", 9,
	 "tag: '0x414' has an odd number"},
	{WEB "    entities:\n      - { tag: \"\xc3\xa9"
	     "BC\", target: 1 }\n",
	 9, "(write the bytes as hex:"},
	{WEB "    entities:\n      - { tag: \"\\xe9"
	     "ABC\", target: 1 }\n",
	 9, "(write the bytes as hex:"},
	{WEB "    entities:\n      - { tag: \"\\0ABC\", target: 1 }\n", 9,
	 "tag: there is a NUL byte"},
	{WEB "    entities:\n      - { tag: 'AB\\', target: 1 }\n", 9, "neither \\xNN nor \\\\"},
	{WEB
	 "    entities:\n      - { tag: ABCD, target: 1 }\n      - { tag: 0x41424344, target: 2 }\n",
	 10, "tag ABCD: already given in line 9"},
	{WEB "    targets: 6000-6999\n    entities:\n      - { tag: ABCD, target: 6000 }\n"
	     "      - { tag: EFGH, target: 7000 }\n",
	 11, "target: 7000 is outside of 6000-6999, the targets of service web"},
	{WEB "    entities:\n      - { tag: ABCD, target: 7000 }\n    targets: 6000-6999\n", 9,
	 "target: 7000 is outside of 6000-6999, the targets of service web"},
	{WEB "    description: ''\n", 8, "description: '' is not 1 to 63 bytes of printable text"},
	{WEB "    description: \"a\\u0007b\"\n", 8, "is not 1 to 63 bytes of printable text"},
	{WEB "    description: 1234567890123456789012345678901234567890123456789012345678901234\n",
	 8, "is not 1 to 63 bytes of printable text"},
	{WEB "    enabled: sometimes\n", 8, "enabled: 'sometimes' must be on or off"},
	{WEB "    entities-file: ''\n", 8, "entities-file: there is no file name"},
	{WEB "    entities-file: [x]\n", 8, "entities-file: this is a list where text belongs"},
	{WEB
	 "    name: 12345678901234567890123456789012345678901234567890123456789012345678901234567890\n",
	 8, "key 'name' twice"},
	{HEAD
	 "  - 12345678901234567890123456789012345678901234567890123456789012345678901234567890: 1\n",
	 3,
	 "unknown key '1234567890123456789012345678901234567890123456789012345678901234' (known"},
};

START_TEST(refuses)
{
	char want[64];
	struct model m;
	struct err e = {0};

	put_text("c.yaml", wrong[_i].text);
	model_init(&m);
	ck_assert_msg(config_load("c.yaml", &m, &e) == -EINVAL, "took:\n%s", wrong[_i].text);
	if (wrong[_i].line)
		snprintf(want, sizeof(want), "c.yaml:%u: ", wrong[_i].line);
	else
		snprintf(want, sizeof(want), "c.yaml: reading configuration: ");
	ck_assert_msg(!strncmp(e.line, want, strlen(want)), "\"%s\" does not begin \"%s\"", e.line,
		      want);
	ck_assert_msg(strstr(e.line, wrong[_i].why) != NULL, "\"%s\" has no \"%s\"", e.line,
		      wrong[_i].why);
	ck_assert_int_eq(e.status, EXIT_NOT_DONE);
	model_free(&m);
}
END_TEST

#define BYTES(s) s, sizeof(s) - 1

static const struct {
	const char *bytes;
	size_t len;
	unsigned int line;
	const char *why;
} no_text[] = {
	{BYTES("version: 1\nservices: []\n# \xff\n"), 3, "not UTF-8"},
	{BYTES("version: 1\n\n\n# \xc3(\nservices: []\n"), 4, "not UTF-8"},
	{BYTES("version: 1\n# \xed\xa0\x80\nservices: []\n"), 2, "not UTF-8"}, /* a surrogate */
	{BYTES("version: 1\n# \xc0\xaf\nservices: []\n"), 2, "not UTF-8"},     /* overlong */
	{BYTES("version: 1\n# \x1b[31m\nservices: []\n"), 2, "control characters"},
	{BYTES("version: 1\n# \0\nservices: []\n"), 2, "there is a NUL byte"},
	{BYTES("\0"), 1, "there is a NUL byte"},
	{BYTES("\177ELF\2\1\1\0\0\0"), 1, ""},
	{BYTES("\xff\xfev\0e\0r\0s\0i\0o\0n\0"), 1, "text: this is UTF-16 (save it as UTF-8)"},
	{BYTES("\xfe\xff\0v\0e\0r\0s\0i\0o\0n"), 1, "text: this is UTF-16 (save it as UTF-8)"},
	{BYTES("version: 1\nservices: []\nx: \xc3"), 3, ""}, /* cut off */
};

START_TEST(refuses_what_is_no_text)
{
	char want[64];
	struct model m;
	struct err e = {0};

	put_file("c.yaml", no_text[_i].bytes, no_text[_i].len);
	model_init(&m);
	ck_assert_int_eq(config_load("c.yaml", &m, &e), -EINVAL);
	snprintf(want, sizeof(want), "c.yaml:%u: ", no_text[_i].line);
	ck_assert_msg(!strncmp(e.line, want, strlen(want)), "\"%s\" does not begin \"%s\"", e.line,
		      want);
	ck_assert_msg(strstr(e.line, no_text[_i].why) != NULL, "%s", e.line);
	model_free(&m);
}
END_TEST

/* Every beginning of a good file is refused or taken, without a crash or a leak. */
START_TEST(every_cut)
{
	struct model m;
	struct err e;

	put_text("telemetry.map", "WXYZ pass\n");
	for (size_t len = 0; len < sizeof(example); len++) {
		put_file("c.yaml", example, len);
		model_init(&m);
		e.line[0] = '\0';
		if (config_load("c.yaml", &m, &e))
			ck_assert(e.line[0] && !strchr(e.line, '\n'));
		model_free(&m);
	}
}
END_TEST

/* Likewise with one byte changed. */
START_TEST(every_flip)
{
	char text[sizeof(example)];
	uint64_t state = 17;
	struct model m;
	struct err e;

	for (int i = 0; i < 1000; i++) {
		memcpy(text, example, sizeof(text));
		text[draw(&state) % (sizeof(text) - 1)] = (char)draw(&state);
		put_file("c.yaml", text, sizeof(text) - 1);
		model_init(&m);
		if (config_load("c.yaml", &m, &e))
			ck_assert_ptr_null(strchr(e.line, '\n'));
		model_free(&m);
	}
}
END_TEST

static void load_fails(const char *file, int errnum, const char *want)
{
	struct model m;
	struct err e = {0};

	model_init(&m);
	ck_assert_int_eq(config_load(file, &m, &e), errnum);
	ck_assert_msg(strstr(e.line, want) == e.line, "\"%s\" does not begin \"%s\"", e.line, want);
	model_free(&m);
}

START_TEST(files_that_cannot_be_read)
{
	char *deep = malloc(200001);

	load_fails("missing.yaml", -ENOENT,
		   "missing.yaml: reading configuration: No such file or directory");
	load_fails(".", -EISDIR, ".: reading configuration: Is a directory");
	load_fails("", -ENOENT, ": reading configuration: ");
	put_text("c.yaml", "");
	load_fails("c.yaml/x", -ENOTDIR, "c.yaml/x: reading configuration: ");

	memset(deep, '[', 200000);
	deep[200000] = '\0';
	put_text("c.yaml", deep);
	load_fails("c.yaml", -EINVAL, "c.yaml:1: ");
	memcpy(deep, "version: ", 9);
	put_text("c.yaml", deep);
	load_fails("c.yaml", -EINVAL, "c.yaml:1: ");
	free(deep);
}
END_TEST

START_TEST(paths_too_long_are_refused)
{
	char dir[201], path[PATH_MAX];

	memset(dir, 'd', 200);
	dir[200] = '\0';
	mkdir(dir, 0700);
	snprintf(path, sizeof(path), "%s/%s", dir, dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/c.yaml", dir, dir);
	put_text(path, WEB);
	load_fails(path, -ENAMETOOLONG, "ddd");
}
END_TEST

/* Runs a test's file as standard input. */
static void with_stdin(const char *text)
{
	put_text("stdin", text);
	ck_assert_ptr_nonnull(freopen("stdin", "r", stdin));
}

START_TEST(standard_input)
{
	struct model m;

	put_text("telemetry.map", "WXYZ pass\n");
	with_stdin(example);
	must_load("-", &m);
	judge_example(&m);
	ck_assert_str_eq(m.file, "");
	model_free(&m);

	with_stdin(WEB "    prot: udp\n");
	load_fails("-", -EINVAL, "<stdin>:8: service: unknown key 'prot'");
	with_stdin("");
	load_fails("-", -EINVAL,
		   "<stdin>: reading configuration: it is empty (see mangle.yaml(5))");
	ck_assert_ptr_nonnull(freopen(".", "r", stdin));
	load_fails("-", -EISDIR, "<stdin>: reading configuration: Is a directory");
}
END_TEST

/* ---- entities-file ------------------------------------------------------------------------ */

#define WITH_TABLE \
	WEB "    targets: 6000-6999\n    entities-file: t.map\n    entities:\n" \
	    "      - { tag: ABCD, target: 6001 }\n"

static const struct {
	const char *table;
	const char *line; /* of the error */
} bad_tables[] = {
	{"EFGH 6002\nABCD 6003\n", "t.map:2: tag ABCD: already given in c.yaml:11"},
	{"EFGH 6002\n\n0x45464748 6003\n", "t.map:3: tag EFGH: already given in line 1"},
	{"EFGH 7000\n",
	 "t.map:1: target: 7000 is outside of 6000-6999, the targets of service web"},
	{"EFG 6000\n", "t.map:1: tag: 'EFG' has 3 bytes, those of service web have 4"},
	{"# x\n# y\nEFGH 60000x\n", "t.map:3: target: '60000x' is not a port"},
};

START_TEST(refuses_tables)
{
	put_text("c.yaml", WITH_TABLE);
	put_text("t.map", bad_tables[_i].table);
	load_fails("c.yaml", -EINVAL, bad_tables[_i].line);
}
END_TEST

START_TEST(tables_are_added)
{
	struct model m;

	put_text("c.yaml", WITH_TABLE);
	put_text("t.map", "ABCA 6002\nABCZ 6003\n");
	must_load("c.yaml", &m);
	ck_assert_uint_eq(m.services[0].entity_count, 3);
	ck_assert_mem_eq(m.services[0].entities[0].tag, "ABCA", 4);
	ck_assert_mem_eq(m.services[0].entities[1].tag, "ABCD", 4);
	ck_assert_mem_eq(m.services[0].entities[2].tag, "ABCZ", 4);
	comes_back(&m);
	model_free(&m);

	unlink("t.map");
	load_fails("c.yaml", -EINVAL, "c.yaml:9: entities-file: t.map: No such file or directory");
	mkdir("t.map", 0700);
	load_fails("c.yaml", -EINVAL, "c.yaml:9: entities-file: t.map: Is a directory");
	rmdir("t.map");

	/* "-" is a file's name here, and an absolute name stands by itself. */
	put_text("c.yaml", WEB "    entities-file: '-'\n");
	load_fails("c.yaml", -EINVAL, "c.yaml:8: entities-file: ./-: No such file");
	put_text("c.yaml", WEB "    entities-file: /nonexistent/t.map\n");
	load_fails("c.yaml", -EINVAL, "c.yaml:8: entities-file: /nonexistent/t.map: No such file");
}
END_TEST

/* ---- table files -------------------------------------------------------------------------- */

static void table_service(struct service *s)
{
	service_defaults(s);
	strcpy(s->name, "web");
	s->tag_len = 4;
	s->size = (struct window){.min = 0, .max = 65535};
}

static const struct {
	const char *text;
	size_t count;
} tables[] = {
	{"", 0},
	{"\n\n# nothing\n \t \r\n", 0},
	{"ABCD 6001", 1},
	{"ABCD 6001\nABCE 6001\n", 2},
	{"ABCD 6001\r\nABCE drop\r\n# x\r\n\r\nABCF pass 1:20\r\n", 3},
	{"\xef\xbb\xbf"
	 "ABCD 6001\r\nABCE 1\r\n",
	 2},
	{"\xef\xbb\xbf# from elsewhere\nABCD 6001\n", 1},
	{"\xef\xbb\xbf", 0},
	{"zzzz 1\n0x00000000 2\nAAAA 3 # \xff is fine in a comment\n", 3},
};

START_TEST(takes_table_files)
{
	struct service s;
	struct err e = {0};

	put_text("t.map", tables[_i].text);
	table_service(&s);
	ck_assert_msg(!table_load("t.map", &s, &e), "%s", e.line);
	ck_assert_uint_eq(s.entity_count, tables[_i].count);
	for (size_t i = 1; i < s.entity_count; i++)
		ck_assert_int_lt(memcmp(s.entities[i - 1].tag, s.entities[i].tag, 16), 0);
	service_free(&s);

	with_stdin(tables[_i].text);
	table_service(&s);
	ck_assert_int_eq(table_load("-", &s, &e), 0);
	ck_assert_uint_eq(s.entity_count, tables[_i].count);
	service_free(&s);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *line;
} bad_table_files[] = {
	{BYTES("ABCD 6001\nABCE\n"),
	 "t.map:2: entity: 'ABCE' has no target behind it (see TABLE FILES in mangle-ctl(8))"},
	{BYTES("ABCD 6001\n\nABC 6001\n"),
	 "t.map:3: tag: 'ABC' has 3 bytes, those of service web have 4 (see TABLE FILES"},
	{BYTES("ABCD 6001\nABCE 1\nABCD 6002\nABCE 1\n"),
	 "t.map:3: tag ABCD: already given in line 1 (leave one out)"},
	{BYTES("a\\x20\\x09b 1\n0x6120096 1\n"), "t.map:2: tag: '0x6120096' has an odd"},
	{BYTES("\n\n\xc3\xa9"
	       "AB 1\n"),
	 "t.map:3: tag: '\xc3\xa9"
	 "AB' has a character outside ASCII (write the bytes as hex:"},
	{BYTES("ABCD 6001\0"), "t.map:1: entity: there is a NUL byte"},
	{BYTES("# \0\n"), "t.map:1: entity: there is a NUL byte"},
	{BYTES("\xff\xfe"
	       "A\0B\0"),
	 "t.map:1: entity: this is UTF-16 text (save it as UTF-8)"},
	{BYTES("\xfe\xff\0A\0B"), "t.map:1: entity: this is UTF-16 text (save it as UTF-8)"},
	/* A mark is only one at the very beginning. */
	{BYTES("ABCD 1\n\xef\xbb\xbf"
	       "ABCE 1\n"),
	 "t.map:2: tag: '\\xef\\xbb\\xbfABCE' has a character"},
	{BYTES("ABCD,20001\n"),
	 "t.map:1: entity: 'ABCD,20001' is one word: TAG and TARGET are separated by blanks (see TABLE "
	 "FILES in mangle-ctl(8))"},
	{BYTES("41424344 6001\n"),
	 "t.map:1: tag: '41424344' has 8 bytes, those of service web have 4 (hex digits are written "
	 "0x41424344)"},
	{BYTES("ABCD ssh\n"),
	 "t.map:1: target: 'ssh' is not a port (1-65535), drop or pass (see TABLE"},
	{BYTES("ABCD DROP\n"),
	 "t.map:1: target: 'DROP' is not a port (1-65535), drop or pass (write drop)"},
	{BYTES("ABCD 1 0:3\n"),
	 "t.map:1: size: 0:3 is too short for the tag at 0:4 of service web"},
	{BYTES("ABCD 6001\rABCE 6001\r"), "t.map:1: target: '6001"},
};

static void table_fails(const char *want)
{
	struct service s;
	struct err e = {0};

	table_service(&s);
	ck_assert_int_lt(table_load("t.map", &s, &e), 0);
	ck_assert_msg(strstr(e.line, want) == e.line, "\"%s\" does not begin \"%s\"", e.line, want);
	ck_assert_int_eq(e.status, EXIT_NOT_DONE);
	ck_assert_uint_eq(s.entity_count, 0);
	service_free(&s);
}

START_TEST(refuses_table_files)
{
	put_file("t.map", bad_table_files[_i].bytes, bad_table_files[_i].len);
	table_fails(bad_table_files[_i].line);
}
END_TEST

START_TEST(long_lines)
{
	char *text = malloc(10001);

	/* A comment of just the length a line may have. */
	memset(text, '#', 10000);
	strcpy(text + 4096, "\nABCD x\n");
	put_text("t.map", text);
	table_fails("t.map:2: target: 'x' is not");
	memset(text, '#', 10000);
	strcpy(text + 4097, "\nABCD 1\n");
	put_text("t.map", text);
	table_fails("t.map:1: entity: the line is longer than 4096 bytes");
	memset(text, 'A', 10000);
	text[10000] = '\0';
	put_text("t.map", text);
	table_fails("t.map:1: entity: the line is longer than 4096 bytes");
	free(text);
}
END_TEST

START_TEST(tables_add_to_what_is_there)
{
	struct service s;
	struct err e;

	table_service(&s);
	put_text("t.map", "MMMM 1\n");
	ck_assert_int_eq(table_load("t.map", &s, &e), 0);
	put_text("t.map", "ZZZZ 2\nAAAA 3\n");
	ck_assert_int_eq(table_load("t.map", &s, &e), 0);
	ck_assert_uint_eq(s.entity_count, 3);
	ck_assert_mem_eq(s.entities[0].tag, "AAAA", 4);
	ck_assert_mem_eq(s.entities[1].tag, "MMMM", 4);
	ck_assert_mem_eq(s.entities[2].tag, "ZZZZ", 4);

	/* A bad file adds nothing. */
	put_text("t.map", "YYYY 2\nMMMM 3\n");
	ck_assert_int_eq(table_load("t.map", &s, &e), -EINVAL);
	ck_assert_str_eq(e.line, "t.map:2: tag MMMM: already there");
	ck_assert_uint_eq(s.entity_count, 3);
	service_free(&s);
}
END_TEST

/* Names that table files or YAML would take for something else; the longest is 63 bytes. */
static const char *const odd_names[] = {
	"plain",
	"none",
	"null",
	"~",
	"a b",
	" a ",
	"#",
	"a#b",
	"\"",
	"\\",
	"\\\"",
	"a\\",
	"\"a\"",
	"'",
	"it's",
	"name=x",
	"1:2",
	"- { x: [y] }",
	"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	"123456789012345678901234567890123456789012345678901234567890123",
	"\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"\"\"",
};

/* Lines written are lines read, for any tag; and a large file is no trouble. */
START_TEST(table_lines_come_back)
{
	enum { ROWS = 200000 };
	struct service s, again, one;
	uint64_t state = 3;
	struct err e = {0};
	size_t twice;
	FILE *f = fopen("t.map", "w");

	table_service(&s);
	table_service(&one);
	for (uint32_t i = 0; i < ROWS; i++) {
		struct entity en = {.target = {ACTION_PORT, (uint16_t)(1 + draw(&state) % 65535)}};
		uint32_t tag = i * 2654435761U;

		memcpy(en.tag, &tag, sizeof(tag));
		if (draw(&state) % 4 == 0)
			en.target = (struct target){draw(&state) % 2 ? ACTION_DROP : ACTION_PASS,
						    0};
		en.has_size = draw(&state) % 2;
		if (en.has_size) {
			en.size.max = (uint16_t)(4 + draw(&state) % 65532);
			en.size.min = (uint16_t)(draw(&state) % (en.size.max + 1U));
		}
		ck_assert(!service_add_entity(&s, &en, &e));
		if (draw(&state) % 4 == 0)
			ck_assert(!names_add(&one.names, en.tag, odd_names[i % COUNT_OF(odd_names)],
					     &e));
		table_save_line(f, &one, &en);
		ck_assert(!names_append(&s.names, &one.names, &e));
		one.names.count = 0;
	}
	fclose(f);
	ck_assert_int_eq(service_sort_entities(&s, &twice), 0);
	table_service(&again);
	ck_assert_msg(!table_load("t.map", &again, &e), "%s", e.line);
	ck_assert_uint_eq(again.entity_count, ROWS);
	for (size_t i = 0; i < ROWS; i++)
		ck_assert(entity_same(&s.entities[i], &again.entities[i]));
	ck_assert_uint_eq(again.names.count, s.names.count);
	ck_assert(service_same_entities(&s, &again));
	service_free(&one);
	service_free(&s);
	service_free(&again);
}
END_TEST

/* ---- there and back ----------------------------------------------------------------------- */

/* Tags that YAML or parse_tag would take for something else. */
static const char *const odd_tags[] = {
	"'abc",
	"\"abc",
	"a'b\"",
	"''''",
	"\\x41",
	"\\\\\\\\",
	" abc",
	"abc ",
	"    ",
	"#abc",
	"ab#c",
	"a: b",
	"a #b",
	"::::",
	"- ab",
	"--- ",
	"{a,b",
	"[ab]",
	"&abc",
	"*abc",
	"!abc",
	"|   ",
	">abc",
	"%abc",
	"@abc",
	"`abc",
	"null",
	"true",
	"1234",
	"1e10",
	"0777",
	"~~~~",
	"0xab",
	"0x\\x",
	"hex:",
	"text",
	"drop",
	"...\n",
	"\t\t\t\t",
	"\x7f\x7f\x7f\x7f",
	"\xc3\xa9\xc3\xa9",
	"\xff\xff\xff\xff",
};

START_TEST(odd_tags_come_back)
{
	struct model m;
	struct service *s;
	struct err e;

	ck_assert_int_eq(model_default(&m, &e), 0);
	s = &m.services[0];
	for (size_t i = 0; i < COUNT_OF(odd_tags); i++) {
		struct entity en = {.target = {ACTION_PORT, (uint16_t)(i + 1)}};

		ck_assert_uint_eq(strlen(odd_tags[i]), 4);
		memcpy(en.tag, odd_tags[i], 4);
		ck_assert_int_eq(service_add_entity(s, &en, &e), 0);
	}
	ck_assert_int_eq(service_sort_entities(s, &(size_t){0}), 0);
	comes_back(&m);

	/* The special words behind which parse_tag does not read text, with something behind. */
	service_free(s);
	s->tag_len = 6;
	for (int i = 0; i < 4; i++) {
		static const char *const special[] = {"text:a", "hex:41", "0x4142", "0xzzzz"};
		struct entity en = {.target = {ACTION_DROP, 0}};

		memcpy(en.tag, special[i], 6);
		ck_assert_int_eq(service_add_entity(s, &en, &e), 0);
	}
	ck_assert_int_eq(service_sort_entities(s, &(size_t){0}), 0);
	comes_back(&m);
	model_free(&m);
}
END_TEST

/* Each by itself, and all of them together. */
START_TEST(odd_entity_names_come_back)
{
	struct model m;
	struct service *s;
	struct err e;

	ck_assert_int_eq(model_default(&m, &e), 0);
	s = &m.services[0];
	for (size_t i = 0; i < COUNT_OF(odd_names); i++) {
		struct entity en = {.target = {ACTION_PORT, 1}, .tag = {'A', 'B', 'C', (uint8_t)i}};

		ck_assert_uint_lt(strlen(odd_names[i]), MANGLE_TEXT_SIZE);
		ck_assert_int_eq(service_add_entity(s, &en, &e), 0);
		ck_assert_int_eq(names_add(&s->names, en.tag, odd_names[i], &e), 0);
		ck_assert_int_eq(service_sort_entities(s, &(size_t){0}), 0);
		comes_back(&m);
	}
	model_free(&m);
}
END_TEST

START_TEST(entities_are_one_a_line)
{
	struct model m;
	char *text;

	put_text(
		"c.yaml", WEB
		"    entities:\n      - { tag: 'it''s', target: 6001, size: { min: 32, max: 64 }, name: it's }\n"
		"      - { tag: 0x00414243, target: drop }\n");
	must_load("c.yaml", &m);
	text = saved(&m);
	ck_assert_ptr_nonnull(
		strstr(text, "    entities:\n"
			     "      - { tag: '0x00414243', target: drop }\n"
			     "      - { tag: 'it''s', target: 6001, size: { min: 32, max: 64 }, "
			     "name: 'it''s' }\n"));
	free(text);
	model_free(&m);
}
END_TEST

START_TEST(odd_names_come_back)
{
	static const char *const names[] = {"-",    "--",  "---",  "...", "null", "true", "no",
					    "1234", "1e3", "0x1f", "-1",  ".inf", "_",	  "a.b-c"};
	struct model m;
	struct err e;

	model_init(&m);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct model one;

		ck_assert_int_eq(model_default(&one, &e), 0);
		strcpy(one.services[0].name, names[i]);
		one.services[0].ports[0] = (uint16_t)(i + 1);
		strcpy(one.services[0].ifname, i % 2 ? "null" : "it's#0");
		ck_assert_int_eq(model_add(&m, &one.services[0], &e), 0);
		model_free(&one);
	}
	ck_assert_int_eq(model_check(&m, &e), 0);
	comes_back(&m);
	model_free(&m);
}
END_TEST

START_TEST(no_services_come_back)
{
	struct model m;
	char *text;

	model_init(&m);
	comes_back(&m);
	text = saved(&m);
	ck_assert_str_eq(text, "version: 1\nservices: []\n");
	free(text);
}
END_TEST

static struct target random_target(uint64_t *state)
{
	uint64_t r = draw(state);

	if (r % 4 == 0)
		return (struct target){ACTION_DROP, 0};
	if (r % 4 == 1)
		return (struct target){ACTION_PASS, 0};
	return (struct target){ACTION_PORT, (uint16_t)(1 + (r >> 8) % 65535)};
}

/* Some size up to highest is in it, and some from lowest. */
static struct window random_window(uint64_t *state, unsigned int highest, unsigned int lowest)
{
	unsigned int max = lowest + (unsigned int)(draw(state) % (65536 - lowest));
	unsigned int min = (unsigned int)(draw(state) % ((max < highest ? max : highest) + 1));

	return (struct window){.min = (uint16_t)min, .max = (uint16_t)max};
}

/* The smallest payload that can be valid and has the tag. */
static unsigned int least(const struct service *s)
{
	return s->size.min > tag_needs(s) ? s->size.min : tag_needs(s);
}

static unsigned int random_prefixes(uint64_t *state, struct prefix *out)
{
	unsigned int want = (unsigned int)(draw(state) % (MANGLE_MAX_PREFIXES + 1)), count = 0;

	while (count < want) {
		char text[PREFIX_TEXT_SIZE];
		struct parse_error why;

		/* By the reader itself, so that host bits are as they must be. */
		if (draw(state) % 2)
			snprintf(text, sizeof(text), "%u.%u.0.0/%u",
				 (unsigned int)(draw(state) % 256),
				 (unsigned int)(draw(state) % 256),
				 16 + (unsigned int)(draw(state) % 17));
		else
			snprintf(text, sizeof(text), "%x:%x::/%u",
				 (unsigned int)(draw(state) % 65536),
				 (unsigned int)(draw(state) % 65536),
				 32 + (unsigned int)(draw(state) % 97));
		if (!parse_prefix(text, &out[count], &why))
			count++;
	}
	return count;
}

static void random_entities(uint64_t *state, struct service *s)
{
	unsigned int want = (unsigned int)(draw(state) % 200);
	struct err e;
	size_t twice;

	for (unsigned int i = 0; i < want; i++) {
		struct entity en = {.target = random_target(state)};
		/* Readable ones and others. */
		bool text = draw(state) % 2;

		for (unsigned int j = 0; j < s->tag_len; j++)
			en.tag[j] = (uint8_t)(text ? 0x20 + draw(state) % 0x5f : draw(state));
		if (!target_allowed(s, &en.target))
			en.target.port = s->targets_first;
		en.has_size = draw(state) % 2;
		if (en.has_size)
			en.size = random_window(state, s->size.max, least(s));
		ck_assert_int_eq(service_add_entity(s, &en, &e), 0);
	}
	while (service_sort_entities(s, &twice) == -EEXIST)
		s->entities[twice] = s->entities[--s->entity_count];
}

static void random_service(uint64_t *state, unsigned int index, struct service *s)
{
	service_defaults(s);
	snprintf(s->name, sizeof(s->name), "%x.%u", (unsigned int)draw(state), index);
	s->protocols = (uint8_t)(1 + draw(state) % 3);
	s->tcp_mode = TCP_MODE_SEGMENT;
	if (s->protocols == MANGLE_PROTO_UDP && draw(state) % 2)
		s->tcp_mode = TCP_MODE_CONNECTION;
	/* Ports of its own, so that no two overlap. */
	s->port_count = 1 + (unsigned int)(draw(state) % MANGLE_MAX_PORTS);
	for (unsigned int i = 0; i < s->port_count; i++)
		s->ports[i] = (uint16_t)(65535 - index * MANGLE_MAX_PORTS - i);
	s->daddr_count = random_prefixes(state, s->daddr);
	s->saddr_count = random_prefixes(state, s->saddr);
	if (draw(state) % 2)
		strcpy(s->ifname, "br-lan.100@x");
	s->tag_len = (uint8_t)(1 + draw(state) % MANGLE_MAX_TAG);
	s->tag_offset = (int32_t)(draw(state) % 65500);
	if (draw(state) % 2)
		s->tag_offset = -s->tag_offset - s->tag_len;
	s->size = random_window(state, 65527, tag_needs(s));
	s->invalid = draw(state) % 2 ? ACTION_PASS : ACTION_DROP;
	s->observe = draw(state) % 2;
	if (draw(state) % 2) {
		s->targets_first = (uint16_t)(1 + draw(state) % 65535);
		s->targets_last = (uint16_t)(s->targets_first +
					     draw(state) % (65536U - s->targets_first));
	}
	s->unknown = random_target(state);
	if (!target_allowed(s, &s->unknown))
		s->unknown.port = s->targets_last;
	random_entities(state, s);
}

START_TEST(random_models_come_back)
{
	uint64_t state = 1000 + (uint64_t)_i;
	unsigned int want = (unsigned int)(draw(&state) % 12);
	struct model m;
	struct err e = {0};

	model_init(&m);
	for (unsigned int i = 0; i < want; i++) {
		struct service s;

		random_service(&state, i, &s);
		ck_assert_int_eq(model_add(&m, &s, &e), 0);
	}
	/* A prefix drawn twice is no model. */
	if (!model_check(&m, &e))
		comes_back(&m);
	else
		ck_assert_msg(strstr(e.line, " twice") || strstr(e.line, ": no packet has both"),
			      "%s", e.line);
	model_free(&m);
}
END_TEST

START_TEST(connections_and_replies_come_back)
{
	static const char *const flows[] = {"", "flows: 65536\n", "flows: 1024\n",
					    "flows: 4194304\n"};
	char text[1024], *again;
	struct model m;

	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		snprintf(text, sizeof(text),
			 "version: 1\n%sservices:\n"
			 "  - name: a\n    protocol: any\n    ports: [1]\n    reply: true\n" TAG4
				 SIZE
			 "  - name: b\n    protocol: tcp\n    ports: [2, 3]\n" TAG4 SIZE,
			 flows[i]);
		put_text("c.yaml", text);
		must_load("c.yaml", &m);
		comes_back(&m);
		again = saved(&m);
		/* What is as by default is not said. */
		ck_assert(!!strstr(again, "flows: ") == (i > 1));
		ck_assert_ptr_nonnull(strstr(again, flows[i > 1 ? i : 0]));
		ck_assert_ptr_nonnull(strstr(again, "    tcp: connection\n    reply: true\n"));
		free(again);
		ck_assert(m.services[0].reply && service_has_connections(&m.services[1]));
		model_free(&m);
	}
}
END_TEST

START_TEST(saving_where_nothing_fits)
{
	FILE *full = fopen("/dev/full", "w");
	struct model m;
	struct err e;

	ck_assert_int_eq(model_default(&m, &e), 0);
	config_save(&m, full);
	errno = 0;
	ck_assert_int_eq(fclose(full), EOF);
	ck_assert_int_eq(errno, ENOSPC);
	model_free(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("config");
	char command[64];
	int ret;

	if (!mkdtemp(start_dir) || chdir(start_dir))
		return EXIT_FAILURE;
	tcase_add_test(tc, the_manuals_example);
	tcase_add_test(tc, the_default_comes_back);
	tcase_add_loop_test(tc, ways_to_say_the_same, 0, COUNT_OF(same));
	tcase_add_loop_test(tc, refuses, 0, COUNT_OF(wrong));
	tcase_add_loop_test(tc, refuses_what_is_no_text, 0, COUNT_OF(no_text));
	tcase_add_test(tc, every_cut);
	tcase_add_test(tc, every_flip);
	tcase_add_test(tc, files_that_cannot_be_read);
	tcase_add_test(tc, paths_too_long_are_refused);
	tcase_add_test(tc, standard_input);
	tcase_add_loop_test(tc, refuses_tables, 0, COUNT_OF(bad_tables));
	tcase_add_test(tc, tables_are_added);
	tcase_add_loop_test(tc, takes_table_files, 0, COUNT_OF(tables));
	tcase_add_loop_test(tc, refuses_table_files, 0, COUNT_OF(bad_table_files));
	tcase_add_test(tc, long_lines);
	tcase_add_test(tc, tables_add_to_what_is_there);
	tcase_add_test(tc, table_lines_come_back);
	tcase_add_test(tc, odd_tags_come_back);
	tcase_add_test(tc, odd_entity_names_come_back);
	tcase_add_test(tc, entities_are_one_a_line);
	tcase_add_test(tc, odd_names_come_back);
	tcase_add_test(tc, no_services_come_back);
	tcase_add_test(tc, connections_and_replies_come_back);
	tcase_add_loop_test(tc, random_models_come_back, 0, 100);
	tcase_add_test(tc, saving_where_nothing_fits);
	suite_add_tcase(suite, tc);
	ret = run_suite(suite);
	snprintf(command, sizeof(command), "rm -rf %s", start_dir);
	if (system(command))
		ret = EXIT_FAILURE;
	return ret;
}
