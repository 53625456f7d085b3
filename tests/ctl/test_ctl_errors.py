"""Wrong input: what is refused, with which status, and what the one line must name.

The patterns ask for the offending text (or file and line) and no particular wording. In files the
comment `# HERE` marks the line that the error must name.
"""

import re

import pytest
from conftest import bring, dump, entities, service
from mangletest import frames
from mangletest.ctl import assert_error, ok

BASE = """\
version: 1
services:
  - name: telemetry
    protocol: udp
    ports: [5000]
    tag: { offset: 0, length: 4 }
    size: { min: 4, max: 1400 }
    targets: 6000-6999
    entities:
      - { tag: "ABCD", target: 6001 }
      - { tag: "0xdeadbeef", target: drop }
"""


@pytest.fixture(scope="module")
def base(world, tmp_path_factory):
    """The state that none of these commands may change."""
    path = tmp_path_factory.mktemp("base") / "base.yaml"
    path.write_text(BASE, encoding="ascii")
    bring(world, path)
    return path


ADD = "service add new --proto udp --port 5001 --tag 0:4 --size 4:100"
USAGE, NO, EITHER = 2, 1, (1, 2)

# command line, status, pattern (None: the last word of the command line, as it is)
COMMANDS = [
    # tags
    ("map set 0xabc 6001", USAGE, "0xabc"),
    ("map set 0x414243440 6001", USAGE, "0x414243440"),
    ("map set 0xZZ 6001", USAGE, "0xZZ"),
    ("map set 0x 6001", EITHER, "0x"),
    ("map set hex: 6001", EITHER, "hex:"),
    ("map set text: 6001", EITHER, "text:"),
    ("map set hex:41424 6001", USAGE, "hex:41424"),
    ("map set hex:4142434g 6001", USAGE, "hex:4142434g"),
    ("map set hex:0x41424344 6001", USAGE, "hex:0x41424344"),
    (r"map set AB\xZZ 6001", USAGE, r"AB\\xZZ"),
    (r"map set ABC\x4 6001", USAGE, r"ABC\\x4"),
    (r"map set ABC\q 6001", USAGE, r"ABC\\q"),
    (["map", "set", "ABC\\", "6001"], USAGE, r"ABC\\"),
    (["map", "set", "", "6001"], EITHER, None),
    ("map set ABC 6001", NO, "ABC"),
    ("map set ABCDE 6001", NO, "ABCDE"),
    ("map set 0x414243 6001", NO, "0x414243"),
    ("map set text:0x41424344 6001", NO, "text:0x41424344"),
    ("map set 0x4142434445464748494a4b4c4d4e4f5051 6001", EITHER, "0x4142"),
    ("map set 0X41424344 6001", USAGE, r"0X41424344: .*write 0x\.\.\., or text:0X"),
    ("map set HEX:41424344 6001", USAGE, "HEX:41424344: .*write hex:"),
    ("map set hex:41:42:43 6001", NO, "hex:41:42:43: has 3 bytes"),
    ("map set hex:41:42:43:4 6001", USAGE, "hex:41:42:43:4: .*between two bytes"),
    ("map get ABCDE", NO, "ABCDE"),
    ("map get 0xabc", USAGE, "0xabc"),
    ("map del ABCDE", NO, "ABCDE"),
    ("map del 0xabc --if-exists", USAGE, "0xabc"),
    # targets
    *((f"map set -- WXYZ {t}", USAGE, re.escape(t)) for t in (
        "0", "65536", "-1", "80abc", "1.5", "0x1771", "6e3", "dropp", "DROP", "4294973297", "18446744073709557617")),
    (["map", "set", "WXYZ", ""], USAGE, None),
    (["map", "set", "WXYZ", " 6001"], USAGE, "6001"),
    (["map", "set", "WXYZ", "6001 "], USAGE, "6001"),
    (["map", "set", "WXYZ", "60\n01"], USAGE, None),
    (["map", "set", "WXYZ", "6\x1b[31m"], USAGE, None),
    ("map set WXYZ 5999", NO, "5999"),
    ("map set WXYZ 7000", NO, "7000"),
    # sizes
    *((f"map set WXYZ 6001 --size={s}", USAGE, re.escape(s)) for s in (
        "20:10", "5", ":", "5:", ":5", "a:b", "1:2:3", "0:70000", "-1:5", "1.5:2", "5:5x")),
    (["map", "set", "WXYZ", "6001", "--size", ""], USAGE, "size"),
    # what could never match
    *((f"map set WXYZ 6001 --size={s}", NO, f"{s} is outside of 4:1400, the sizes of service telemetry") for s in (
        "1500:2000", "1401:65535", "0:3", "0:0")),
    *((f"service add new --proto udp --port 5001 --tag={t} --size {s}", NO, f"new: .* tag at {t}, .*no packet can match")
      for t, s in (("96:8", "4:100"), ("0:4", "0:2"), ("-101:4", "4:100"), ("0:1", "0:0"), ("65524:4", "4:65535"))),
    ("service add new --proto udp --port 5001 --tag 0:4 --size 65528:65535", NO, "65527"),
    (f"{ADD} --daddr 192.0.2.0/24 --saddr 2001:db8::/32", NO, "IPv4.*IPv6.*no packet has both"),
    *((f"{ADD} --saddr {p}", USAGE, f"{p}: matches no packet.*write {want}") for p, want in (
        ("::ffff:192.0.2.1", "192.0.2.1/32"), ("::ffff:192.0.2.0/120", "192.0.2.0/24"))),
    ("service set telemetry --size 0:2", NO, "telemetry: .* tag at 0:4"),
    ("service set telemetry --tag 1397:4", NO, "telemetry: .* tag at 1397:4"),
    # numbers of options
    *((f"map list --limit={n}", USAGE, "limit") for n in ("abc", "-1", "5x", "1.5", "99999999999999999999")),
    *((f"map list --idle={n}", USAGE, "idle") for n in ("abc", "-1", "5x")),
    *((f"--wait={n} map set WXYZ 6001", USAGE, "wait") for n in ("abc", "-1", "5x")),
    (["map", "list", "--limit", ""], USAGE, "limit"),
    ("map list --sort size", USAGE, "size"),
    ("map list --sort=", USAGE, "sort"),
    ("map list --target 0", USAGE, "0"),
    ("map list --target foo", USAGE, "foo"),
    # options where they do not belong
    ("map get ABCD --size 1:2", USAGE, "--size"),
    ("map set WXYZ 6001 --if-exists", USAGE, "--if-exists"),
    ("map list --check", USAGE, "--check"),
    ("map set WXYZ 6001 --all", USAGE, "--all"),
    ("attach veth0 --purge", USAGE, "--purge"),
    ("status --all", USAGE, "--all"),
    ("service del telemetry --size 1:2", USAGE, "--size"),
    ("stats --format openmetrics", USAGE, "format"),
    ("stats --watch=yes", USAGE, "watch"),
    # ports, tags, sizes, prefixes of services
    *((f"service add new --proto udp --port={p} --tag 0:4 --size 4:100", USAGE, re.escape(p.strip(",")) or "port")
      for p in ("0", "65536", "-1", "1.5", "80abc", "", ",", "5001,", "5001,0", "5001-5002", "5001,,5002")),
    ("service add new --proto udp --port 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 --tag 0:4 --size 4:100", EITHER,
     "16|17"),
    *((f"service add new --proto udp --port 5001 --tag={t} --size 4:100", USAGE, re.escape(t)) for t in (
        "0:0", "0:17", "4", ":4", "0:", "a:b", "0:4:4", "70000:4", "-70000:4", "0:-4", "0x0:4", "1.5:4", "0-4")),
    (["service", "add", "new", "--proto", "udp", "--port", "5001", "--tag", "", "--size", "4:100"], USAGE, "tag"),
    *((f"service add new --proto udp --port 5001 --tag 0:4 --size={s}", USAGE, re.escape(s)) for s in (
        "20:10", "5", "0:70000", "x:y")),
    *((f"{ADD} --daddr {p}", USAGE, re.escape(p)) for p in (
        "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2/24", "300.0.0.0/8", "2001:db8::/129", "/24", "foo",
        "192.0.2.0/24/24", "192.0.2.0/2x", "example.org/24", "2001:db8:::/32", "192.0.2.1,192.0.2.2")),
    (f"{ADD} --saddr 192.0.2.0/33", USAGE, "192.0.2.0/33"),
    (ADD + "".join(f" --daddr 192.0.2.{i}/32" for i in range(9)), EITHER, "8|9|192.0.2.8"),
    (ADD + "".join(f" --saddr 192.0.2.{i}/32" for i in range(9)), EITHER, "8|9|192.0.2.8"),
    *((f"service add new --proto {p} --port 5001 --tag 0:4 --size 4:100", USAGE, p) for p in (
        "icmp", "UDP", "17", "udplite")),
    (f"{ADD} --invalid reject", USAGE, "reject"),
    (f"{ADD} --invalid 6001", USAGE, "6001"),
    *((f"{ADD} --unknown {u}", USAGE, re.escape(u)) for u in ("0", "65536", "foo", "70x")),
    (f"{ADD} --tcp foo", USAGE, "foo"),
    (f"{ADD} --reply maybe", USAGE, "maybe"),
    (f"{ADD} --action foo", USAGE, "foo"),
    (f"{ADD} --iface an-interface-too-long", USAGE, "an-interface-too-long"),
    (f"{ADD} --iface a/b", USAGE, "a/b"),
    *((f"{ADD} --targets {t}", USAGE, re.escape(t)) for t in ("7000-6000", "0-10", "10-65536", "x-y", "5-", "6001-6002-6003")),
    # names
    *((["service", "add", n, *ADD.split()[3:]], USAGE, re.escape(n[:4]) if n.strip() and "\t" not in n else None) for n in (
        "", " ", "a b", "a/b", "a:b", "x" * 32, "ü", "a\tb", "name,")),
    ("map list --service nosuch", NO, "nosuch"),
    (["map", "list", "--service", "x" * 40], EITHER, "xxxx"),
    (["map", "list", "--service", ""], EITHER, "service"),
    # what must be there
    ("service add new --port 5001 --tag 0:4 --size 4:100", USAGE, "--?proto"),
    ("service add new --proto udp --tag 0:4 --size 4:100", USAGE, "--?port"),
    ("service add new --proto udp --port 5001 --size 4:100", USAGE, "--?tag"),
    ("service add new --proto udp --port 5001 --tag 0:4", USAGE, "--?size"),
    ("service add --proto udp --port 5001 --tag 0:4 --size 4:100", USAGE, "name"),
    (f"{ADD} --entities {{tmp}}/missing.map", NO, r"missing\.map"),
    # explain
    ("explain --hex zz", USAGE, "zz"),
    ("explain --hex 012", USAGE, "012"),
    ("explain {tmp}/none.pcap", NO, r"none\.pcap"),
    ("explain {tmp}", NO, "{tmp}"),
    ("explain {tmp}/x.pcap --hex 00", USAGE, None),
    ("explain /dev/null", NO, "/dev/null"),
    (f"explain --hex {'00' * 60} --out {{tmp}}/no/such/dir.pcap", NO, r"no/such/dir\.pcap"),
    # files
    ("apply {tmp}/none.yaml", NO, r"none\.yaml"),
    ("apply {tmp}", NO, "{tmp}"),
    ("apply /dev/null", NO, "/dev/null"),
    (["apply", ""], EITHER, None),
    ("apply {tmp}/none.yaml --check", NO, r"none\.yaml"),
    # services
    ("service add telemetry --proto udp --port 5001 --tag 0:4 --size 4:100", NO, "telemetry"),
    ("service add twin --proto udp --port 5000 --tag 0:4 --size 4:100", NO, "telemetry|twin"),
    ("service set nosuch --size 4:100", NO, "nosuch"),
    ("service set telemetry --tag 0:5", NO, "telemetry|0:5"),
    ("service set telemetry --port 0", USAGE, "0"),
    ("service set telemetry --size none", USAGE, "none|size"),
    ("service set telemetry --port any", USAGE, "any|port"),
]


def words(line):
    return line.split() if isinstance(line, str) else line


@pytest.mark.parametrize("line, status, pattern", COMMANDS, ids=[" ".join(words(c[0])).replace("\x1b", "ESC") for c in COMMANDS])
def test_command_line(base, tmp_path, line, status, pattern):
    argv = [w.replace("{tmp}", str(tmp_path)) for w in words(line)]
    if pattern:
        pattern = pattern.replace("{tmp}", re.escape(str(tmp_path)))
    assert_error(argv, status, pattern)


def sub(old, new, text=BASE):
    assert text.count(old) == 1, old
    return text.replace(old, new)


def entity(row):
    """The base with a third entity."""
    return BASE + f"      - {row}\n"


LINE = "name: telemetry", "protocol: udp", "ports: [5000]", "tag: { offset: 0, length: 4 }", "size: { min: 4, max: 1400 }"
NAME, PROTO, PORTS, TAG, SIZE = LINE

# name: text, pattern beside the file's name (and the line marked HERE, if one is)
FILES = {
    "empty": ("", None), "comment only": ("# nothing\n", None), "null": ("~\n", None), "text": ("hello\n", None),
    "list": ("- a\n- b\n", None), "number": ("1\n", None), "two brackets": ("{{\n", None),
    "binary": (bytes(range(256)).decode("latin-1"), None), "NUL": (BASE + "\0", None),
    "table file": ("ABCD 6001\n", None),
    "half": (BASE[:BASE.index("length: 4") + 5], None),
    "half a string": (BASE[:BASE.index('BCD"')], None),
    "half a key": (BASE[:BASE.index("rotocol")], None),
    "tab": (sub("    protocol", "\tprotocol"), None),
    **{f"key behind {len(blanks)} blanks": (sub("    " + PORTS, blanks + PORTS + " # HERE"), "indentation|column")
       for blanks in ("", " ", "  ", "   ", "     ")},
    "tab before a key": (sub("    " + PORTS, "\t" + PORTS + " # HERE"), r"\btab\b"),
    "tab before an entity": (BASE + "\t- { tag: WXYZ, target: 6002 } # HERE\n", r"\btab\b"),
    "entity behind too few blanks": (BASE + "     - { tag: WXYZ, target: 6002 } # HERE\n", "indentation"),
    "target in quotes": (entity('{ tag: WXYZ, target: "6002" } # HERE'), "'6002' is text in quotes"),
    "port in quotes": (sub(PORTS, 'ports: ["5000"] # HERE'), "'5000' is text in quotes"),
    "target in capitals": (entity("{ tag: WXYZ, target: DROP } # HERE"), "'DROP' .*write drop"),
    "hex digits": (entity('{ tag: "41424344", target: 6002 } # HERE'), "'41424344' has 8 bytes.*0x41424344"),
    "UTF-16": ((BASE.replace("version", "\ufeffversion")).encode("utf-16-le"), "UTF-16"),
    "two documents": (BASE + "---\n" + BASE, None),
    "no version": (sub("version: 1\n", ""), "version"),
    "version 2": (sub("version: 1", "version: 2 # HERE"), "version|2"),
    "version 0": (sub("version: 1", "version: 0 # HERE"), "version|0"),
    "version text": (sub("version: 1", "version: one # HERE"), "version|one"),
    "version list": (sub("version: 1", "version: [1] # HERE"), "version"),
    "no services": ("version: 1\n", "services"),
    "services text": ("version: 1\nservices: hello # HERE\n", "services"),
    "services mapping": ("version: 1\nservices: { a: 1 } # HERE\n", "services"),
    "service text": ("version: 1\nservices:\n  - hello # HERE\n", None),
    "unknown key at the top": (BASE + "servces: [] # HERE\n", "servces"),
    "unknown key in a service": (sub(PORTS, PORTS + "\n    prt: 5000 # HERE"), r"\bprt\b"),
    "key twice, once by its short name": (sub(PORTS, PORTS + "\n    port: 5000 # HERE"), "ports.* twice"),
    "unknown key in tag": (sub(TAG, "tag: { offset: 0, len: 4 } # HERE"), "len"),
    "unknown key in size": (sub(SIZE, "size: { min: 4, maximum: 5 } # HERE"), "maximum"),
    "unknown key in an entity": (entity("{ tag: WXYZ, target: 6002, weight: 5 } # HERE"), "weight"),
    "unknown key in an entity's size": (entity("{ tag: WXYZ, target: 6002, size: { min: 4, mx: 5 } } # HERE"), "mx"),
    "key in capitals": (sub("protocol:", "Protocol:"), "Protocol"),
    "key twice at the top": (BASE + "version: 1 # HERE\n", "version"),
    "key twice in a service": (sub(PORTS, PORTS + "\n    ports: [5000] # HERE"), "ports"),
    "key twice in tag": (sub(TAG, "tag: { offset: 0, length: 4, length: 4 } # HERE"), "length"),
    "key twice in an entity": (entity("{ tag: WXYZ, target: 6002, target: 6002 } # HERE"), "target"),
    "alias": (BASE + "  - name: other\n    protocol: udp\n    ports: &p [5001]\n    tag: { offset: 0, length: 4 }\n"
              "    size: *p\n", None),
    "merge key": (sub(TAG, "tag: { <<: { offset: 0 }, length: 4 } # HERE"), None),
    **{f"no {k}": (sub(f"    {line}\n", ""), k)
       for k, line in (("protocol", PROTO), ("ports", PORTS), ("tag", TAG))},
    "no name": (sub("- name: telemetry\n    protocol", "- protocol"), "name"),
    "no offset": (sub(TAG, "tag: { length: 4 } # HERE"), "offset"),
    "no length": (sub(TAG, "tag: { offset: 0 } # HERE"), "length"),
    "entity without tag": (entity("{ target: 6002 } # HERE"), "tag"),
    "entity without target": (entity("{ tag: WXYZ } # HERE"), "target"),
    "entity text": (entity("WXYZ # HERE"), None),
    "entities mapping": (BASE[:BASE.index("    entities:")] + "    entities: { WXYZ: 6001 } # HERE\n", "entities"),
    # names
    **{f"name {n!r}": (sub(NAME, f"name: {json} # HERE"), p) for n, json, p in (
        ("", '""', "name"), ("blank", '"a b"', "a b"), ("slash", "a/b", "a/b"), ("32", "x" * 32, "x" * 31),
        ("list", "[a]", "name"), ("null", "~", "name"), ("mapping", "{ a: b }", "name"), ("colon", "'a:b'", "a:b"),
        ("newline", '"a\\nb"', None), ("NUL", '"a\\0b"', None), ("not ASCII", '"\\u00fc"', None))},
    "name twice": (BASE + "  - name: telemetry # HERE\n    protocol: udp\n    ports: [5001]\n"
                   "    tag: { offset: 0, length: 4 }\n    size: { min: 4, max: 1400 }\n", "telemetry"),
    # ports
    **{f"port {p}": (sub(PORTS, f"ports: [{p}] # HERE"), re.escape(p.strip('"')) if p[0] not in '[{5' else "port") for p in (
        "0", "65536", "-1", "1.5", "80abc", '""', "5000, 0", "99999999999999999999", "1e3", "[5000]", "{ a: 1 }")},
    "port null": (sub(PORTS, "ports: [~] # HERE"), "port|~"),
    "no port": (sub(PORTS, "ports: [] # HERE"), "port"),
    "ports text": (sub(PORTS, "ports: hello # HERE"), "port|hello"),
    "ports mapping": (sub(PORTS, "ports: { a: 1 } # HERE"), "port"),
    "17 ports": (sub(PORTS, f"ports: [{', '.join(str(5000 + i) for i in range(17))}] # HERE"), "16|17"),
    # protocol and the other words
    **{f"protocol {p}": (sub(PROTO, f"protocol: {p} # HERE"), re.escape(p) if p.isalnum() else "protocol") for p in (
        "icmp", "UDP", "17", "[udp]", "~", "{ a: b }")},
    **{f"{k} {v}": (sub(PORTS, f"{PORTS}\n    {k}: {v} # HERE"), k + "|" + re.escape(v)) for k, v in (
        ("invalid", "reject"), ("invalid", "6001"), ("invalid", "[drop]"), ("unknown", "foo"), ("unknown", "0"),
        ("unknown", "65536"), ("unknown", "[drop]"), ("tcp", "foo"), ("reply", "maybe"), ("reply", "[true]"), ("reply", "5"),
        ("action", "foo"), ("action", "[enforce]"), ("interface", "an-interface-too-long"), ("interface", "a/b"),
        ("interface", "[eth0]"), ("entities-file", "[x]"), ("entities-file", "missing.map"))},
    **{f"targets {t}": (sub("targets: 6000-6999", f"targets: {t} # HERE"), re.escape(t) if t[0].isalnum() else "targets")
       for t in ("7000-6000", "0-10", "10-65536", "a-b", "[6000, 6999]", "{ a: b }")},
    # prefixes
    **{f"daddr {d}": (sub(PORTS, f"{PORTS}\n    daddr: ['{d}'] # HERE"), re.escape(d)) for d in (
        "192.0.2.0/33", "192.0.2.0/", "300.0.0.0/8", "2001:db8::/129", "foo", "/8", "192.0.2.0/x")},
    "saddr bad": (sub(PORTS, f"{PORTS}\n    saddr: [192.0.2.0/33] # HERE"), "192.0.2.0/33"),
    "daddr number": (sub(PORTS, f"{PORTS}\n    daddr: [5] # HERE"), "5"),
    "daddr mapping": (sub(PORTS, f"{PORTS}\n    daddr: {{ a: b }} # HERE"), "daddr"),
    "9 prefixes": (sub(PORTS, f"{PORTS}\n    daddr: [{', '.join(f'192.0.2.{i}/32' for i in range(9))}] # HERE"), "8|9"),
    # tag and size
    **{f"tag {t}": (sub(TAG, f"tag: {t} # HERE"), "tag|length|offset") for t in (
        "{ offset: 0, length: 0 }", "{ offset: 0, length: 17 }", "{ offset: 70000, length: 4 }",
        "{ offset: -70000, length: 4 }", "{ offset: 0, length: -4 }", "{ offset: x, length: 4 }", "0:4", "[0, 4]",
        "{ offset: 0.5, length: 4 }", "{ offset: 0, length: 4x }", "{ offset: [0], length: 4 }", "~", "hello")},
    **{f"size {s}": (sub(SIZE, f"size: {s} # HERE"), "size|min|max") for s in (
        "{ min: 20, max: 10 }", "{ min: -1, max: 10 }", "{ min: 0, max: 70000 }", "{ min: x, max: 10 }",
        "{ min: 1.5, max: 10 }", "[4, 10]", "hello", "{ min: [1], max: 10 }")},
    # entities
    **{f"target {t}": (entity(f"{{ tag: WXYZ, target: {t} }} # HERE"), re.escape(t) if t[0] not in '~["{' else "target")
       for t in ("0", "65536", "-1", "6001.5", "60abc", "dropp", "~", "[6001]", '""', "{ a: 1 }", "18446744073709557617")},
    "size outside": (entity("{ tag: WXYZ, target: 6002, size: { min: 1401, max: 2000 } } # HERE"), "1401:2000.*4:1400"),
    "tag beyond the largest size": (sub(TAG, "tag: { offset: 1397, length: 4 }"), "telemetry.*1397:4"),
    "saddr mapped": (sub(PORTS, f"{PORTS}\n    saddr: ['::ffff:10.0.0.1'] # HERE"), "::ffff:10.0.0.1.*write 10.0.0.1/32"),
    "families apart": (sub(PORTS, f"{PORTS}\n    saddr: ['::1']\n    daddr: [127.0.0.1]"), "no packet has both"),
    "target outside": (entity("{ tag: WXYZ, target: 7000 } # HERE"), "7000"),
    **{f"entity tag {t}": (entity(f"{{ tag: {t}, target: 6002 }} # HERE"), p) for t, p in (
        ('"ABC"', "ABC|3|tag"), ('"ABCDE"', "ABCDE|5|tag"), ('"0xabc"', "0xabc"), ('"0x414243"', "0x414243|3|tag"), ('"hex:xx"', "hex:xx"),
        ('""', "tag"), ("'AB\\xZZ'", "ZZ"), ("'ABC\\x4'", "x4"), ("[ABCD]", "tag"), ("~", "tag|~"), ("{ a: b }", "tag"))},
    "tag not ASCII": (entity('{ tag: "ABC\u00e9", target: 6002 } # HERE'), "hex:"),
    "tag not ASCII, escaped": (entity('{ tag: "ABC\\u00e9", target: 6002 } # HERE'), "hex:"),
    "tag not ASCII, one byte escaped": (entity('{ tag: "ABC\\xe9", target: 6002 } # HERE'), "hex:"),
    "tag with a NUL": (entity('{ tag: "ABC\\0", target: 6002 } # HERE'), None),
    "entity size reversed": (entity("{ tag: WXYZ, target: 6002, size: { min: 20, max: 10 } } # HERE"), "size|min|max"),
    "entity size text": (entity("{ tag: WXYZ, target: 6002, size: big } # HERE"), "size"),
    "tag twice": (entity('{ tag: "ABCD", target: 6002 } # HERE'), "ABCD"),
    "tag twice in two spellings": (entity('{ tag: "0x41424344", target: 6001 } # HERE'), "0x41424344|ABCD"),
    # services
    "same packets": (BASE.replace(PORTS, "ports: [5000, 5001]") + "  - name: twin\n    protocol: udp\n    ports: [5001, 5000]\n"
                     "    tag: { offset: 0, length: 4 }\n    size: { min: 4, max: 1400 }\n", "telemetry|twin"),
    "reply of two ports": (sub(PORTS, "ports: [5000, 5001]\n    reply: true"), "reply"),
    **{f"flows {f}": (sub("version: 1\n", f"version: 1\nflows: {f} # HERE\n"), "flows") for f in (
        "0", "1023", "4194305", "-2048", "2048.5", "'2048'", "2k", "~", "[2048]", "{ a: 1 }", "99999999999999999999")},
}


@pytest.mark.parametrize("case", FILES)
def test_configuration(base, tmp_path, case):
    text, pattern = FILES[case]
    path = tmp_path / "bad.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1" if case == "binary" else "utf-8"))
    lines = [] if isinstance(text, bytes) else [n for n, line in enumerate(text.splitlines(), 1) if "# HERE" in line]
    where = re.escape(str(path)) + (rf":{lines[0]}(?!\d)" if lines else "")
    said = assert_error(["apply", path], 1, where)
    if pattern:
        assert re.search(pattern, said.replace(str(path), "")), (pattern, said)
    assert len(said) < 1000, said


def test_configuration_by_standard_input(base):
    said = assert_error(["apply", "-"], 1, "^mangle-ctl: <stdin>:5: ", stdin=sub(PORTS, "ports: [70000]"))
    assert "70000" in said
    assert_error(["apply", "-"], 1, None, stdin="")


def test_what_to_do_is_said_once(base, tmp_path):
    said = assert_error(["map", "set", "\u00e4\u00f6", "6001"], 2, "hex:")
    assert said.count("(") == 1, said
    assert assert_error(["map", "set", "0xabc", "6001"], 2).endswith(" (see mangle-ctl map set --help)")
    assert "--help" not in assert_error(["map", "load", tmp_path / "missing.map"], 1, "missing.map: .*: No such file or directory$")


def test_more_services_than_fit(base, world):
    many = [service(f"s{i}", ports=[1000 + i]) for i in range(1025)]
    assert_error(["apply", "-"], 1, r"1,?02[45]", stdin=dump(many))
    assert_error(["apply", "-", "--check"], 1, r"1,?02[45]", stdin=dump(many))


def test_a_thousand_bad_entities_are_one_line(base):
    assert_error(["apply", "-"], 1, None, stdin=dump(service(entities=entities(*((f"{i:05d}", 6001) for i in range(1000))))))


def test_deep_nesting(base):
    assert_error(["apply", "-"], 1, None, stdin="[" * 100000)
    assert_error(["apply", "-"], 1, None, stdin="version: 1\nservices: " + "[" * 5000 + "]" * 5000 + "\n")


CAPTURES = {
    "empty": b"", "text": b"hello, world, this is no capture\n" * 10, "noise": bytes(range(256)) * 40,
    "header cut": frames.pcap([])[:20],
    "802.11": frames.pcap([frames.frame("ABCD")[14:]], linktype=105),
    "loopback": frames.pcap([frames.frame("ABCD")], linktype=0),
    "USB": frames.pcap([frames.frame("ABCD")], linktype=220),
    "pcapng 802.11": frames.pcapng([frames.frame("ABCD")[14:]], linktype=105),
    "pcapng noise": frames.pcapng([])[:28] + bytes(range(256)) * 4,
    "record cut": frames.pcap([frames.frame("ABCD"), frames.frame("ABCD")])[:-5],
    "record header cut": frames.pcap([frames.frame("ABCD")]) + b"\1\2\3\4\5",
    "pcapng record cut": frames.pcapng([frames.frame("ABCD")], strangers=False)[:-7],
    "huge record": frames.pcap([]) + b"\0" * 8 + b"\xff\xff\xff\x7f" * 2,
}


@pytest.mark.parametrize("case", CAPTURES)
def test_captures(base, tmp_path, case):
    path = tmp_path / "bad.pcap"
    path.write_bytes(CAPTURES[case])
    argv = ["explain", path, "--out", tmp_path / "out.pcap"]
    pattern = re.escape(str(path))
    # packets before the damage may have been explained by then, and those that cannot be are named
    empty = " cut" not in case and not case.startswith("pcapng")
    assert_error(argv, 1, pattern, stdout_empty=empty)
    if case in ("802.11", "loopback", "USB", "pcapng 802.11"):
        assert_error(argv, 1, "link|ethernet", stdout_empty=empty)


def test_nothing_changed_after_all_this(base):
    ok("apply", base, "--check", "--exit-code")
