"""Names of entities: given, shown, saved, compared, kept and removed with their rows."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from conftest import dump, entities, service
from mangletest import ctl
from mangletest.ctl import assert_error, change, js, ok
from mangletest.frames import frame

ODD = ['plain', 'none of it', 'pump "north"', "it's", 'a\\b', '\\"', '"', '# no comment', ' blank ', 'name=x', '1:2', '~',
       'äöü € 😀', 'x' * 63, 'ä' * 31 + 'x', '\\' * 63, '- { a: [b] }', '%s%n']
BAD = ["", "x" * 64, "ä" * 32, "a\tb", "a\x1bb", "a\x7fb", "a\u202eb", "a\uffffb", b"a\xffb", b"\xc3"]


def names(*args):
    """{text of the tag: name} of those that have one."""
    return {e["text"]: e["name"] for e in js("map", "list", *args) if e["name"] is not None}


def inner():
    return len(os.listdir("/sys/fs/bpf/mangle/inner"))


def set_odd():
    for i, name in enumerate(ODD):
        ok("map", "set", f"T{i:03d}", str(6000 + i), "--name", name)
    ok("map", "set", "NONE", "6999")


def test_round_trips(one):
    """What save and map save write, in text and in JSON, is what was there."""
    without = inner()
    set_odd()
    want = {f"T{i:03d}": name for i, name in enumerate(ODD)}
    assert names() == want
    assert js("map", "get", "T002")["name"] == ODD[2] and js("map", "get", "NONE")["name"] is None
    table, texts = ok("map", "save").out, [ok("save").out, ok("save", "-j").out]
    assert change("map", "replace", "-", stdin=table)["changed"] is False
    for text in texts:
        assert change("apply", "-", stdin=text)["changed"] is False
    for argv, text in ((["map", "replace", "-"], table), (["map", "load", "-"], table), (["apply", "-"], texts[0]),
                       (["apply", "-"], texts[1])):
        ok("map", "flush")
        assert names() == {} and inner() == without
        ok(*argv, stdin=text)
        assert names() == want, argv
        assert ok("map", "save").out == table and ok("save").out == texts[0]


def test_files_have_names(load, tmp_path):
    """By YAML's key, and by the file that it names."""
    (tmp_path / "t.map").write_text('EFGH 6002 size=10:20 name="a # b" # why\nIJKL drop name=x\n')
    rows = entities(("ABCD", 6001))
    rows[0]["name"] = "pump"
    load(service(entities=rows, entities_file="t.map"))
    assert names() == {"ABCD": "pump", "EFGH": "a # b", "IJKL": "x"}
    assert js("map", "get", "EFGH")["size"] == {"min": 10, "max": 20}
    assert 'EFGH 6002 10:20 name="a # b"\n' in ok("map", "save").out


@pytest.mark.parametrize("name", BAD)
def test_refused(one, name, tmp_path):
    assert_error(["map", "set", "ABCD", "6001", "--name", name], 2, "--name.* is not 1 to 63 bytes of printable text")
    raw = name if isinstance(name, bytes) else name.encode()
    (tmp_path / "t.map").write_bytes(b'ABCD 6001\nEFGH 1 name="' + raw + b'"\n')
    assert_error(["map", "replace", tmp_path / "t.map"], 1, "t.map:2: name: .* is not 1 to 63 bytes")
    assert js("map", "list") == []


@pytest.mark.parametrize("line, why", [
    ('ABCD 1 name=a name=b', "name: 'name=b' is a second name"), ("ABCD 1 1:2 size=1:2", "size: .* is a second size"),
    ('ABCD 1 name="a b', "has no closing"), ('ABCD 1 name="a"b', "goes on behind"), ("ABCD 1 nam=a", "is none of size="),
    ('ABCD 1 name="\\n"', "has a "), ("ABCD 1 name=a 1:2", "entity: '1:2' is more than TAG TARGET")])
def test_refused_lines(one, line, why):
    assert_error(["map", "load", "-"], 1, f"<stdin>:1: .*{why}", stdin=line + "\n")
    assert js("map", "list") == []


def test_set_keeps_and_clears(one):
    """As --size: not given it stays, none clears it; a row that is made again has none."""
    assert change("map", "set", "ABCD", "6001", "--name", "pump")["added"] == 1
    assert change("map", "set", "ABCD", "6001", "--name", "pump")["changed"] is False
    assert change("map", "set", "ABCD", "6001")["changed"] is False
    assert change("map", "set", "ABCD", "6002")["updated"] == 1 and names() == {"ABCD": "pump"}
    assert change("map", "set", "ABCD", "6002", "--name", "valve")["updated"] == 1 and names() == {"ABCD": "valve"}
    assert change("map", "set", "ABCD", "6002", "--name", "none")["updated"] == 1 and names() == {}
    for delete in (["ABCD"], ["ABCD", "EFGH"]):
        ok("map", "set", "ABCD", "6001", "--name", "pump")
        ok("map", "set", "EFGH", "6001", "--name", "valve")
        ok("map", "del", *delete)
        ok("map", "set", "ABCD", "6001")
        assert "ABCD" not in names()


def test_a_row_of_a_file_is_the_whole_row(one):
    ok("map", "load", "-", stdin="AAAA 1 name=a\nBBBB 2 name=b\nCCCC 3\n")
    assert change("map", "load", "-", stdin="BBBB 2\nCCCC 3 name=c\n")["updated"] == 2
    assert names() == {"AAAA": "a", "CCCC": "c"}
    assert change("map", "replace", "-", stdin="AAAA 1 name=a\nDDDD 4 name=d\n")["removed"] == 2
    assert names() == {"AAAA": "a", "DDDD": "d"}


@pytest.mark.parametrize("settings", [{"reply": True}, {"protocol": "any", "tcp": "connection"}])
def test_where_rows_are_not_changed_in_place(load, settings):
    load(service(**settings))
    ok("map", "set", "ABCD", "6001", "--name", "pump")
    ok("map", "set", "ABCD", "6002")
    ok("map", "set", "EFGH", "6003", "--name", "valve")
    assert names() == {"ABCD": "pump", "EFGH": "valve"}
    assert change("map", "set", "ABCD", "6002", "--name", "none")["updated"] == 1
    ok("map", "del", "EFGH")
    ok("map", "set", "EFGH", "6003")
    assert names() == {}


def test_differences(one):
    ok("map", "load", "-", stdin="ABCD 6001 name=pump\nEFGH 6002\n")
    text = ok("save").out.replace("'pump'", "'Pump 2'")
    r = ok("apply", "-", "--check", stdin=text)
    assert '~ telemetry ABCD  6001 name=pump -> 6001 name="Pump 2"\n' in r.out and "would update 1 entity" in r.out
    assert ctl.run("apply", "-", "--check", "--exit-code", stdin=text).status == 3
    r = ok("map", "load", "-", "--check", stdin="IJKL 1 name=x\nEFGH 6002 name=y\n")
    assert "+ telemetry IJKL 1 name=x\n" in r.out and "~ telemetry EFGH  6002 -> 6002 name=y\n" in r.out
    assert names() == {"ABCD": "pump"}


def test_list(two):
    """A column where a row has one, by -o in any case; --match looks at names as well."""
    assert "NAME" not in ok("map", "list").out
    assert ok("map", "list", "-o", "tag,name", "--no-header").out.split() == ["ABCD", "-", "EFGH", "-"]
    ok("map", "set", "ABCD", "6001", "--name", "pump 3", "--service", "left")
    lines = ok("map", "list").out.splitlines()
    assert lines[0].endswith(" NAME") and lines[1].endswith(" pump 3") and lines[2].endswith(" -")
    assert "NAME" not in ok("map", "list", "--service", "right").out
    assert ok("map", "get", "ABCD", "--service", "left").out.endswith(" pump 3\n")
    assert [e["tag"] for e in js("map", "list", "--match", "pump*")] == ["0x41424344"]
    assert [e["tag"] for e in js("map", "list", "--match", "E*")] == ["0x45464748"]
    assert js("map", "list", "--match", "Pump*") == []


def test_explain(one):
    ok("map", "load", "-", stdin='ABCD 6001 name="pump 3"\nEFGH drop\n')
    ends = []
    for payload in (b"ABCDxxxx", b"EFGHxxxx", b"IJKLxxxx"):
        data = frame(payload=payload).hex()
        ends.append(ok("explain", "--hex", data, "-j").json_lines()[0]["name"])
        assert ("tag ABCD (pump 3)" in ok("explain", "--hex", data).out) == (payload[:4] == b"ABCD")
    assert ends == ["pump 3", None, None]


def test_grows(one):
    """More names than the first map has room for, and more rows than the first table."""
    without = inner()
    for i in range(200):
        ok("map", "set", f"T{i:03d}", "6001", "--name", f"name {i}")
    assert names() == {f"T{i:03d}": f"name {i}" for i in range(200)}
    assert inner() == without + 1, "those before them are gone"
    ok("map", "del", *[f"T{i:03d}" for i in range(200)])
    assert inner() == without


def test_memory(one):
    def size():
        return next(s["bytes"] for s in js("status")["services"])

    before = size()
    ok("map", "load", "-", stdin="".join(f"T{i:03d} 6001 name=n{i}\n" for i in range(200)))
    with_names = size()
    ok("map", "load", "-", stdin="".join(f"T{i:03d} 6001\n" for i in range(200)))
    assert before < size() < with_names


def test_purge(fresh, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(dump(service()))
    ok("apply", path)
    ok("map", "set", "ABCD", "6001", "--name", "pump")
    ok("detach", "--all", "--purge")
    assert not os.path.exists("/sys/fs/bpf/mangle")


def test_upgrade(one):
    rebuilt = Path(ctl.BIN).parent / "tests" / "rebuilt" / "build" / "mangle-ctl"
    if not rebuilt.exists():
        pytest.skip(f"not built: {rebuilt}")
    set_odd()
    before = ok("save").out
    subprocess.run([rebuilt, "upgrade"], check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert subprocess.run([rebuilt, "save"], check=True, timeout=60, stdout=subprocess.PIPE).stdout.decode() == before


@pytest.mark.parametrize("verb", ["replace", "set"])
def test_killed(one, verb):
    """SIGKILL at any moment: names are those of before or of after, and none is left without its row."""
    tables = ["".join(f"0x{i:08x} 6001 name={word}{i}\n" for i in range(first, first + 20000))
              for first, word in ((0, "a"), (10000, "b"))]
    start = time.monotonic()
    ok("map", "replace", "-", stdin=tables[0])
    took, maps = time.monotonic() - start, inner()
    if verb == "replace":
        argv, texts = ["map", "replace", "-"], [t.encode() for t in tables]
    else:
        argv, texts = ["map", "set", "0xffffffff", "1", "--name", "new"], [b"", b""]
        took = 0.01
    legal = set()
    for text in texts:
        ok(*argv, stdin=text)
        legal.add(ok("map", "save").out)
    if verb == "set":
        ok("map", "del", "0xffffffff")
        legal.add(ok("map", "save").out)
    for i in range(8):
        with subprocess.Popen([ctl.BIN, *argv], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as p:
            p.stdin.write(texts[i % 2])
            p.stdin.close()
            time.sleep(took * i / 8)
            p.kill()
        assert ok("map", "save", "--wait", "0").out in legal, f"killed after {took * i / 8:.3f} s"
        assert inner() == maps
        ok("map", "del", "0xffffffff", "--if-exists")
        ok("map", "set", "0xffffffff", "1")
        assert js("map", "get", "0xffffffff")["name"] is None
        ok("map", "del", "0xffffffff")
