"""map set, get, del, flush, list, load, replace, save; what a tag and a table file look like."""

import os
import re

import pytest
from conftest import entities, service
from mangletest import ctl
from mangletest.ctl import assert_error, change, js, ok, run


def table(*args):
    """{tag: (target, window)} of all that is there."""
    return {e["tag"]: (e["target"], e["size"] and (e["size"]["min"], e["size"]["max"]))
            for e in js("map", "list", *args)}


def test_shape(one):
    ok("map", "set", "ABCD", "6001")
    ok("map", "set", "0xdeadbeef", "drop", "--size", "32:64")
    ok("map", "set", r"\x00\x00\x00\x00", "pass")
    want = [
        {"service": "telemetry", "tag": "0x00000000", "text": None, "target": "pass", "size": None,
         "packets": 0, "bytes": 0, "last_seen": None},
        {"service": "telemetry", "tag": "0x41424344", "text": "ABCD", "target": 6001, "size": None,
         "packets": 0, "bytes": 0, "last_seen": None},
        {"service": "telemetry", "tag": "0xdeadbeef", "text": None, "target": "drop",
         "size": {"min": 32, "max": 64}, "packets": 0, "bytes": 0, "last_seen": None}]
    got = js("map", "list", "--sort", "tag")
    assert [{k: e[k] for k in want[0]} for e in got] == want
    for tag, row in ((r"\x00\x00\x00\x00", want[0]), ("ABCD", want[1]), ("0xdeadbeef", want[2])):
        one_row = js("map", "get", tag)
        assert {k: one_row[k] for k in row} == row
    assert "ABCD" in ok("map", "get", "ABCD").out and "6001" in ok("map", "get", "ABCD").out


@pytest.mark.parametrize("tag, hexed", [
    ("ABCD", "41424344"), ("0x41424344", "41424344"), ("0xDEADbeef", "deadbeef"), ("hex:deadbeef", "deadbeef"),
    ("hex:41424344", "41424344"), ("text:ABCD", "41424344"), ("text:0x41", "30783431"), ("text:hex:", None),
    (r"\x00\xff\x0A\xfe", "00ff0afe"), (r"AB\x20D", "41422044"), ("AB D", "41422044"), ("a:b:", "613a623a"),
    ("'\"#,", "2722232c"), ("    ", "20202020"), (r"\x5cABC", "5c414243"), (r"text:\x30x41", "30783431"),
    ("hex:00000000", "00000000"), ("1234", "31323334"), ("drop", "64726f70"), ("true", "74727565"),
    ("null", "6e756c6c"), ("{a}]", "7b617d5d"), ("- &*", "2d20262a"), ("%@`|", "2540607c")])
def test_ways_to_write_a_tag(one, tag, hexed):
    if hexed is None:  # four bytes "hex:" behind `text:`
        hexed = "6865783a"
    ok("map", "set", "--", tag, "6001")
    got = js("map", "list")
    assert [e["tag"] for e in got] == ["0x" + hexed]
    raw = bytes.fromhex(hexed)
    assert got[0]["text"] == (raw.decode("ascii") if all(0x20 <= c < 0x7f for c in raw) else None)
    assert js("map", "get", "hex:" + hexed)["target"] == 6001
    saved = ok("map", "save").out
    assert change("map", "replace", "-", stdin=saved)["changed"] is False, saved
    assert change("apply", "-", stdin=ok("save").out)["changed"] is False
    ok("map", "flush")
    ok("map", "load", "-", stdin=saved)
    assert list(table()) == ["0x" + hexed], saved
    ok("map", "del", "--", tag)
    assert table() == {}


def test_tag_of_bytes_on_the_command_line(one):
    """Bytes outside ASCII are bytes on the command line, or refused with the way that leaves no doubt."""
    r = run("map", "set", b"\xff\xfe\xfd\xfc", "6001")
    assert r.status in (0, 1, 2), r
    if r.status == 0:
        assert list(table()) == ["0xfffefdfc"]
    else:
        assert "hex:" in ctl.check_error_line(r)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 8, 9, 12, 15, 16])
def test_every_length(load, length):
    load(service(tag={"offset": 0, "length": length}, size={"min": 16, "max": 100}))
    zero, ones, text = "0x" + "00" * length, "0x" + "ff" * length, "0x" + "41" * length
    for tag in (zero, ones, text):
        ok("map", "set", tag, "6001")
    assert list(table("--sort", "tag")) == [zero, text, ones]
    for tag in ("0x" + "00" * (length + 1), "A" * (length + 1), *(["A" * (length - 1)] if length > 1 else [])):
        assert_error(["map", "set", tag, "6001"], (1, 2), re.escape(tag))
    ok("map", "del", zero, ones)
    assert list(table()) == [text]


def test_targets_and_windows(one):
    for target in ("1", "65535", "drop", "pass", "6001"):
        ok("map", "set", "ABCD", target)
        assert js("map", "get", "ABCD")["target"] == (int(target) if target.isdigit() else target)
    for size, want in (("10:20", (10, 20)), ("10-20", (10, 20)), ("7:7", (7, 7)), ("0:65507", (0, 65507))):
        ok("map", "set", "ABCD", "6001", "--size", size)
        assert table() == {"0x41424344": (6001, want)}
    ok("map", "set", "ABCD", "6002")
    assert table() == {"0x41424344": (6002, (0, 65507))}, "without --size the window stays"
    ok("map", "set", "ABCD", "6002", "--size", "none")
    assert table() == {"0x41424344": (6002, None)}


def test_get_what_is_not_there(one):
    for argv in (["map", "get", "ABCD"], ["-j", "map", "get", "0x41424344"], ["map", "del", "ABCD"]):
        assert_error(argv, 1, "ABCD|0x41424344")


def test_del_is_all_or_nothing(one):
    for tag in ("AAAA", "BBBB", "CCCC"):
        ok("map", "set", tag, "6001")
    assert_error(["map", "del", "AAAA", "NONE", "BBBB"], 1, "NONE")
    assert_error(["map", "del", "AAAA", "TOOLONG"], 1, "TOOLONG")
    assert_error(["map", "del", "AAAA", "0xzz"], 2, "0xzz")
    assert_error(["map", "del", "AAAA", "TOOLONG", "--if-exists"], 1, "TOOLONG")
    assert len(table()) == 3
    assert change("map", "del", "AAAA", "NONE", "BBBB", "--if-exists")["removed"] == 2
    assert change("map", "del", "AAAA", "NONE", "BBBB", "--if-exists")["changed"] is False
    ok("map", "del", "CCCC")
    assert table() == {}


def test_flush(one):
    ok("map", "load", "-", stdin="AAAA 1\nBBBB 2\n")
    assert change("map", "flush")["removed"] == 2
    assert change("map", "flush")["changed"] is False
    assert table() == {}


def test_without_a_service_among_several(two):
    assert {(e["service"], e["tag"]) for e in js("map", "list")} == {("left", "0x41424344"), ("right", "0x45464748")}
    assert [e["service"] for e in js("map", "list", "--service", "right")] == ["right"]
    for argv in (["get", "ABCD"], ["set", "ABCD", "6005"], ["del", "ABCD"], ["save"],
                 ["load", "/dev/null"], ["replace", "/dev/null"]):
        assert_error(["map", *argv], (1, 2), "--service")
    assert_error(["map", "flush"], (1, 2), "--all")
    assert js("map", "get", "ABCD", "--service", "left")["target"] == 6001
    assert_error(["map", "get", "ABCD", "--service", "right"], 1, "ABCD")
    ok("map", "set", "ABCD", "6005", "--service", "right")
    assert js("map", "get", "ABCD", "--service", "left")["target"] == 6001
    assert ok("map", "save", "--service", "left").out.split() == ["ABCD", "6001"]
    ok("map", "flush", "--service", "left")
    assert {e["service"] for e in js("map", "list")} == {"right"}
    ok("map", "set", "ABCD", "6001", "--service", "left")
    assert change("map", "flush", "--all")["removed"] == 3
    assert js("map", "list") == []
    for argv in (["list"], ["get", "ABCD"], ["set", "ABCD", "6005"], ["flush"], ["save"]):
        assert_error(["map", *argv, "--service", "nosuch"], 1, "nosuch")
    assert_error(["stats", "--service", "nosuch"], 1, "nosuch")


def test_list_filters(one):
    ok("map", "load", "-", stdin="ABCD 6001\nABCE 6002\nXBCE drop\n0xdeadbeef pass\n0x00000001 6001\n")
    tags = {"ABCD": "0x41424344", "ABCE": "0x41424345", "XBCE": "0x58424345"}

    def names(*args):
        return {e["text"] or e["tag"] for e in js("map", "list", *args)}

    assert names("--match", "AB*") == {"ABCD", "ABCE"}
    assert names("--match", "?BCE") == {"ABCE", "XBCE"}
    assert names("--match", "ABC[A-D]") == {"ABCD"}
    assert names("--match", "ABCD") == {"ABCD"} and names("--match", "BC") == set()
    assert names("--match", "0xdead*") == {"0xdeadbeef"}
    assert names("--match", "*") == {"ABCD", "ABCE", "XBCE", "0xdeadbeef", "0x00000001"}
    assert names("--target", "6001") == {"ABCD", "0x00000001"}
    assert names("--target", "drop") == {"XBCE"} and names("--target", "pass") == {"0xdeadbeef"}
    assert names("--target", "1") == set()
    assert names("--match", "AB*", "--target", "6002") == {"ABCE"}
    assert [e["tag"] for e in js("map", "list", "--sort", "tag")] == [
        "0x00000001", tags["ABCD"], tags["ABCE"], tags["XBCE"], "0xdeadbeef"]
    assert [e["tag"] for e in js("map", "list", "--sort", "tag", "--limit", "2")] == ["0x00000001", tags["ABCD"]]
    assert len(js("map", "list", "--limit", "3")) == 3 and len(js("map", "list", "--limit", "100")) == 5
    assert len(js("map", "list", "--match", "AB*", "--limit", "1", "--sort", "packets")) == 1
    assert names("--idle", "1") == {"ABCD", "ABCE", "XBCE", "0xdeadbeef", "0x00000001"}, "never seen is idle"
    text = ok("map", "list", "--match", "AB*").out
    assert "ABCD" in text and "6002" in text and "XBCE" not in text


FILE = """\
# a comment
ABCD 6001            # and another

EFGH\tdrop\t10:20
  \t 0xdeadbeef   pass 7-7\t
AB\\x23D 6002# no blank before
hex:00000000 65535
text:0x41 1
   # a comment after blanks
"""
WANT = {"0x41424344": (6001, None), "0x45464748": ("drop", (10, 20)), "0xdeadbeef": ("pass", (7, 7)),
        "0x41422344": (6002, None), "0x00000000": (65535, None), "0x30783431": (1, None)}


@pytest.mark.parametrize("verb", ["load", "replace"])
@pytest.mark.parametrize("source", ["file", "-", "no newline at the end", "relative", "fifo"])
def test_files(one, tmp_path, verb, source):
    text = FILE.rstrip("\n") if source == "no newline at the end" else FILE
    path = tmp_path / "t.map"
    if source == "fifo":
        # a here-document or <(command) is no regular file
        read, write = os.pipe()
        os.write(write, text.encode())
        os.close(write)
        answer = change("map", verb, f"/dev/fd/{read}", pass_fds=[read])
        os.close(read)
    elif source == "-":
        answer = change("map", verb, "-", stdin=text)
    else:
        path.write_text(text, encoding="ascii")
        answer = change("map", verb, path.name if source == "relative" else path, cwd=tmp_path)
    assert (answer["changed"], answer["added"]) == (True, 6), answer
    assert table() == WANT
    assert change("map", verb, "-", stdin=FILE)["changed"] is False


def test_load_merges_and_replace_makes_equal(one):
    ok("map", "load", "-", stdin="AAAA 1\nBBBB 2 5:6\nCCCC 3\n")
    ok("map", "load", "-", stdin="BBBB 3 5:6\nDDDD 4\n")
    assert table() == {"0x41414141": (1, None), "0x42424242": (3, (5, 6)), "0x43434343": (3, None),
                       "0x44444444": (4, None)}
    answer = change("map", "replace", "-", stdin="AAAA 1\nDDDD drop\nEEEE 5\n")
    assert (answer["added"], answer["removed"], answer["updated"]) == (1, 2, 1), answer
    assert table() == {"0x41414141": (1, None), "0x44444444": ("drop", None), "0x45454545": (5, None)}


def test_replace_clears_a_window(one):
    ok("map", "set", "ABCD", "6001", "--size", "5:6")
    assert change("map", "replace", "-", stdin="ABCD 6001\n")["updated"] == 1
    assert table() == {"0x41424344": (6001, None)}


@pytest.mark.parametrize("verb", ["load", "replace"])
@pytest.mark.parametrize("content", [b"", b"\n", b"# nothing\n", b" \t \n\n#", None])
def test_files_without_a_row(one, tmp_path, verb, content):
    ok("map", "set", "ABCD", "6001")
    path = "/dev/null"
    if content is not None:
        path = tmp_path / "t.map"
        path.write_bytes(content)
    answer = change("map", verb, path)
    assert answer["removed"] == (1 if verb == "replace" else 0), answer
    assert len(table()) == (0 if verb == "replace" else 1)


@pytest.mark.parametrize("verb", ["load", "replace"])
def test_check(one, verb):
    ok("map", "load", "-", stdin="AAAA 1\nBBBB 2\n")
    before = ctl.snapshot()
    text = "AAAA 2\nCCCC 3\n"
    r = ok("map", verb, "-", "--check", stdin=text)
    assert "CCCC" in r.out or re.search(r"\b1\b", r.out), f"says what would change: {r}"
    answer = ok("-j", "map", verb, "-", "--check", stdin=text).json()
    assert (answer["added"], answer["removed"], answer["updated"]) == (1, 1 if verb == "replace" else 0, 1), answer
    assert run("map", verb, "-", "--check", "--exit-code", stdin=text).status == 3
    assert ctl.snapshot() == before
    same = "BBBB 2\nAAAA 1\n"
    ok("map", verb, "-", "--check", stdin=same)
    ok("map", verb, "-", "--check", "--exit-code", stdin=same)
    assert_error(["map", verb, "-", "--check"], 1, r"\b2\b", stdin="AAAA 1\nBBBB 0\n")
    assert_error(["map", verb, "-", "--check", "--exit-code"], 1, r"\b2\b", stdin="AAAA 1\nBBBB 0\n")
    assert ctl.snapshot() == before


def test_crlf(one):
    """Either the end of a line, or an error that names the line; never part of a target or a tag."""
    r = run("map", "load", "-", stdin="ABCD 6001\r\nEFGH drop 5:6\r\n")
    if r.status == 0:
        assert table() == {"0x41424344": (6001, None), "0x45464748": ("drop", (5, 6))}
    else:
        assert r.status == 1
        ctl.check_error_line(r, r"\b1\b")
        assert table() == {}


@pytest.mark.parametrize("verb", ["load", "replace"])
def test_byte_order_mark(one, verb):
    ok("map", verb, "-", stdin="\ufeffABCD 6001\r\nEFGH drop\r\n".encode())
    assert table() == {"0x41424344": (6001, None), "0x45464748": ("drop", None)}
    assert_error(["map", verb, "-"], 1, "^mangle-ctl: <stdin>:1: .*UTF-16", stdin="ABCD 6001\n".encode("utf-16"))
    assert_error(["map", verb, "-"], 1, "^mangle-ctl: <stdin>:2: ", stdin="ABCD 6001\n\ufeffEFGH drop\n".encode())


# a line that is no row, and what the error must speak of
BAD_LINES = {
    "no target": ("ABCD", "target"), "target 0": ("ABCD 0", "target"), "target 65536": ("ABCD 65536", "target"),
    "target -1": ("ABCD -1", "target"), "target 80abc": ("ABCD 80abc", "target"), "target 1.5": ("ABCD 1.5", "target"),
    "target Drop": ("ABCD Drop", "target"), "target huge": ("ABCD 18446744073709557617", "target"),
    "tag long": ("ABCDE 6001", "tag"), "tag short": ("ABC 6001", "tag"), "odd hex": ("0xabcdefa 6001", "tag|hex"),
    "no hex": ("0xabcdefgh 6001", "tag|hex"), "hex: no hex": ("hex:xyz 6001", "tag|hex"), "empty hex": ("0x 6001", "tag|hex"),
    "bad escape": (r"A\xzzB 6001", "tag"), "cut escape": (r"ABC\x4 6001", "tag"),
    "size reversed": ("ABCD 6001 20:10", "size"), "size one": ("ABCD 6001 20", "size"), "size text": ("ABCD 6001 a:b", "size"),
    "size too large": ("ABCD 6001 0:70000", "size"), "a fourth word": ("ABCD 6001 1:2 more", ""),
    "two in one": ("ABCD 6001 EFGH 6002", "EFGH"), "comma": ("ABCD,6001", "'ABCD,6001' is one word"),
    "capitals": ("ABCD DROP", "'DROP' .*write drop"), "name": ("ABCD ssh", "'ssh' is not a port"),
    "hex digits": ("41424344 6001", "'41424344' has 8 bytes, .* telemetry .*0x41424344"), "0X": ("0X41424344 6001", "write 0x"),
    "size elsewhere": ("ABCD 6001 1500:2000", "1500:2000 .*4:1400"),
    "NUL": ("ABCD 6001\0", ""),
    "NUL in a tag": ("AB\0D 6001", ""), "NUL for a blank": ("ABCD\x006001", ""), "very long": ("A" * 1000000 + " 6001", ""),
    "control character": ("ABCD 6\x1b[31m", ""), "vertical tab": ("ABCD\v6001", "")}


@pytest.mark.parametrize("verb", ["load", "replace"])
@pytest.mark.parametrize("case", BAD_LINES)
def test_bad_line(one, tmp_path, verb, case):
    line, word = BAD_LINES[case]
    ok("map", "load", "-", stdin="KEEP 6009\n")
    path = tmp_path / "bad.map"
    path.write_bytes(f"# one\nGOOD 6001\n\n{line}\nMORE 6002\n".encode("ascii"))
    assert_error(["map", verb, path], 1, re.escape(str(path)) + rf":4\b.*({word})")
    said = assert_error(["map", verb, "-"], 1, r"\b4\b", stdin=path.read_bytes())
    assert len(said) < 4000, "echoes a megabyte"


@pytest.mark.parametrize("verb", ["load", "replace"])
@pytest.mark.parametrize("second", ["ABCD 6001", "0x41424344 6002", r"\x41BCD drop", "hex:41424344 6001 5:6"])
def test_tag_twice_names_both_lines(one, tmp_path, verb, second):
    path = tmp_path / "twice.map"
    path.write_text(f"# one\n\nABCD 6001\nWXYZ 1\nWXYA 1\nWXYB 1\n{second}\n", encoding="ascii")
    said = assert_error(["map", verb, path], 1, r"twice\.map:[37]\b")
    rest = said.replace("hex:41424344", "")
    assert re.search(r"\b3\b", rest) and re.search(r"\b7\b", rest), said


@pytest.mark.parametrize("verb", ["load", "replace"])
def test_what_is_no_table(one, tmp_path, verb):
    ok("map", "set", "KEEP", "6001")
    assert_error(["map", verb, tmp_path / "missing.map"], 1, r"missing\.map")
    assert_error(["map", verb, tmp_path], 1, re.escape(str(tmp_path)))
    assert_error(["map", verb, ""], (1, 2))
    noise = tmp_path / "noise.map"
    noise.write_bytes(bytes(range(256)) * 64)
    assert_error(["map", verb, noise], 1, r"noise\.map:\d")
    with open(ctl.BIN, "rb") as elf:
        noise.write_bytes(elf.read(100000))
    assert_error(["map", verb, noise], 1, r"noise\.map:1\b")


def test_target_outside_targets(load):
    load(service(targets="6000-6999"))
    ok("map", "set", "ABCD", "6000")
    ok("map", "set", "ABCE", "6999")
    ok("map", "set", "ABCF", "drop")
    ok("map", "set", "ABCG", "pass")
    assert_error(["map", "set", "WXYZ", "5999"], 1, "5999")
    assert_error(["map", "set", "ABCD", "7000"], 1, "7000")
    assert_error(["map", "load", "-"], 1, r"\b2\b.*7000|7000.*\b2\b", stdin="WXYZ 6001\nWXYA 7000\n")


def test_save_is_sorted_and_stable(one):
    rows = ["ABCD 6001", "0xdeadbeef drop 5:6", "EFGH pass", "0x00000000 1", r"\x20bc\x23 6002"]
    ok("map", "load", "-", stdin="\n".join(rows))
    first = ok("map", "save").out
    ok("map", "flush")
    for row in reversed(rows):
        tag, target, *size = row.split()
        ok("map", "set", tag, target, *(["--size", *size] if size else []))
    assert ok("map", "save").out == first
    lines = [li for li in first.splitlines() if li and not li.startswith("#")]
    assert len(lines) == 5 and lines[0].split()[1] == "1" and lines[-1].split()[0] == "0xdeadbeef", first
    assert all(c == "\n" or 0x20 <= ord(c) < 0x7f or c == "\t" for c in first), first


def test_load_keeps_what_several_processes_wrote(one):
    """`map save | map load -`, with the reader and the writer running at once."""
    ok("map", "load", "-", stdin="".join(f"{i:04d} {1 + i}\n" for i in range(2000)))
    assert ok("map", "load", "-", stdin=ok("map", "save").out).status == 0
    assert len(table()) == 2000
    assert js("map", "get", "1999")["target"] == 2000


def test_entities_listed_with_the_configuration(load):
    load(service(entities=entities(("ABCD", 6001, 10, 20), ("EFGH", "drop"))))
    assert table() == {"0x41424344": (6001, (10, 20)), "0x45464748": ("drop", None)}
