"""apply and save: the configuration file, there and back again."""

import json
import os
import random
import re

import pytest
import yaml
from conftest import dump, entities, service
from mangletest import ctl
from mangletest.ctl import assert_error, change, js, ok, run

ODD_TAGS = {
    '"abc': "22616263", "'abc": "27616263", "a'b\"": "61276222", r"\x5cx41": "5c783431", " abc": "20616263",
    "abc ": "61626320", "    ": "20202020", "#abc": "23616263", "ab#c": "61622363", "a: b": "613a2062",
    "::::": "3a3a3a3a", "- ab": "2d206162", "{a,b": "7b612c62", "[ab]": "5b61625d", "&abc": "26616263",
    "*abc": "2a616263", "!abc": "21616263", "|   ": "7c202020", ">abc": "3e616263", "%abc": "25616263",
    "@abc": "40616263", "`abc": "60616263", "null": "6e756c6c", "true": "74727565", "1234": "31323334",
    "1e10": "31653130", "0777": "30373737", "~~~~": "7e7e7e7e", "text:0xab": "30786162", "text:0x41": "30783431",
    "drop": "64726f70", "hex:00000000": "00000000", "0xffffffff": "ffffffff", "hex:00414243": "00414243",
    "hex:41424300": "41424300", "hex:0d0a0d0a": "0d0a0d0a", "hex:e9e9e9e9": "e9e9e9e9", "hex:7f7f7f7f": "7f7f7f7f",
    "hex:09090909": "09090909", "hex:c3a9c3a9": "c3a9c3a9", "hex:1b5b316d": "1b5b316d"}

RICH = [
    service("zulu", protocol="any", ports=[53, 123, 65535], tag={"offset": -16, "length": 16},
            size={"min": 16, "max": 65507}, daddr=["192.0.2.0/24", "2001:db8::/32", "203.0.113.7/32"],
            saddr=["198.51.100.0/25", "::/0"], interface="veth7", invalid="drop", unknown=7000, tcp="segment",
            action="observe", targets="1-65535", entities=entities(("0x" + "00" * 16, 1), ("0x" + "ff" * 16, 65535))),
    service("Alpha.1_-", entities=entities(("ABCD", 6001), ("0xdeadbeef", "drop"), ("EFGH", 6002, 32, 64),
                                           ("WXYZ", "pass", 0, 65507))),
    service("mike", ports=[5001], invalid="pass", unknown="drop", action="enforce", reply=False),
    service("tcp", protocol="tcp", tcp="segment", ports=list(range(8000, 8016)), tag={"offset": 1000, "length": 1},
            unknown="pass", size={"min": 0, "max": 65507}),
]


def unchanged(saved, **kw):
    """Applying what was saved changes nothing, in each way of asking."""
    g = ctl.generation()
    assert change("apply", "-", stdin=saved, **kw)["changed"] is False, saved
    ok("apply", "-", "--check", stdin=saved, **kw)
    ok("apply", "-", "--check", "--exit-code", stdin=saved, **kw)
    assert ok("save", **kw).out == saved
    assert change("apply", "-", stdin=ok("-j", "save", **kw).out, **kw)["changed"] is False
    assert ctl.generation() == g


def test_rich_round_trip(load):
    load(RICH)
    saved = ok("save").out
    unchanged(saved)
    doc = yaml.safe_load(saved)
    assert doc["version"] == 1
    names = [s["name"] for s in doc["services"]]
    assert names == sorted(names) == ["Alpha.1_-", "mike", "tcp", "zulu"], "services by name"
    by_name = {s["name"]: s for s in doc["services"]}
    for want in RICH:
        got = by_name[want["name"]]
        for key, value in want.items():
            if key == "entities":
                assert len(got[key]) == len(value)
            elif key in ("daddr", "saddr", "ports"):
                assert sorted(got[key]) == sorted(value), (key, got)
            elif (key, value) not in (("invalid", "pass"), ("unknown", "pass"), ("action", "enforce"), ("reply", False)):
                assert got[key] == value, (key, got)
    assert [e["target"] for e in by_name["Alpha.1_-"]["entities"]] == [6001, 6002, "pass", "drop"], "tags by bytes"
    assert by_name["Alpha.1_-"]["entities"][1]["size"] == {"min": 32, "max": 64}
    # the same from nothing, and in another order
    again = [{**s, "entities": s.get("entities", [])[::-1]} for s in RICH[::-1]]
    load(service("else"))
    load(again)
    assert ok("save").out == saved


def test_service_list_has_the_configurations_keys(load):
    load(RICH)
    listed = {s["name"]: s for s in js("service", "list")}
    for want in RICH:
        got = listed[want["name"]]
        for key, value in want.items():
            if key == "entities":
                assert got["count"] == len(value)
            else:
                same = sorted(got[key]) == sorted(value) if isinstance(value, list) else got[key] == value
                assert same, (key, got)


def test_odd_tags(load):
    load(service(entities=[{"tag": t, "target": 6001 + i} for i, t in enumerate(ODD_TAGS)]))
    want = {"0x" + h: 6001 + i for i, h in enumerate(ODD_TAGS.values())}
    got = js("map", "list")
    assert {e["tag"]: e["target"] for e in got} == want
    assert [e["tag"] for e in js("map", "list", "--sort", "tag")] == sorted(want)
    saved = ok("save").out
    unchanged(saved)
    assert saved.isascii() and not re.search(r"[\0-\x09\x0b-\x1f\x7f]", saved), "plain printable text"
    tags = [e["tag"] for e in yaml.safe_load(saved)["services"][0]["entities"]]
    assert all(isinstance(t, str) for t in tags), "text for every reader of YAML"
    assert "0x00000000" in tags and "0xffffffff" in tags and "0xe9e9e9e9" in tags, tags
    ok("map", "flush")
    ok("apply", "-", stdin=saved)
    assert {e["tag"]: e["target"] for e in js("map", "list")} == want
    lines = ok("map", "save").out
    assert change("map", "replace", "-", stdin=lines)["changed"] is False
    ok("map", "flush")
    ok("map", "load", "-", stdin=lines)
    assert ok("save").out == saved


def test_every_byte_in_a_tag(load):
    load(service(tag={"offset": 0, "length": 2}, entities=[
        {"tag": f"hex:{b:02x}41", "target": 1 + b} for b in range(256)] + [
        {"tag": f"hex:42{b:02x}", "target": 1000 + b} for b in range(256) if b != 0x41]))
    saved = ok("save").out
    unchanged(saved)
    lines = ok("map", "save").out
    ok("map", "flush")
    ok("map", "load", "-", stdin=lines)
    assert ok("save").out == saved
    assert {e["tag"]: e["target"] for e in js("map", "list")} == {
        **{f"0x{b:02x}41": 1 + b for b in range(256)}, **{f"0x42{b:02x}": 1000 + b for b in range(256) if b != 0x41}}


def test_order_of_insertion_does_not_matter(one):
    rng = random.Random(1)
    rows = [(f"0x{rng.randrange(2**32):08x}", str(rng.randrange(1, 65536))) for _ in range(300)]
    texts = set()
    for _ in range(3):
        rng.shuffle(rows)
        ok("map", "flush")
        ok("map", "load", "-", stdin="".join(f"{t} {p}\n" for t, p in rows[:200]))
        ok("map", "load", "-", stdin="".join(f"{t} {p}\n" for t, p in rows[200:]))
        ok("map", "set", "0x00000001", "1")
        ok("map", "set", *rows[0], "--size", "5:6")
        ok("map", "set", *rows[0], "--size", "none")
        ok("map", "del", "0x00000001")
        texts.add(ok("save").out)
    assert len(texts) == 1
    unchanged(texts.pop())


def test_services_added_by_hand_save_like_applied_ones(load):
    load(service("b", entities=entities(("ABCD", 6001))))
    ok("service", "add", "c", "--proto", "udp", "--port", "5002", "--tag", "0:4", "--size", "4:1400")
    ok("service", "add", "a", "--proto", "udp", "--port", "5001", "--tag", "0:4", "--size", "4:1400")
    by_hand = ok("save").out
    load([service("c", ports=[5002]), service("a", ports=[5001]), service("b", entities=entities(("ABCD", 6001)))])
    assert ok("save").out == by_hand
    ok("service", "set", "a", "--daddr", "192.0.2.0/24", "--targets", "1-2", "--iface", "veth0", "--unknown", "2")
    ok("service", "set", "a", "--daddr", "any", "--targets", "none", "--iface", "any", "--unknown", "pass")
    assert ok("save").out == by_hand, "set and cleared is as if never set"


def test_json_is_accepted(load, tmp_path):
    load(RICH)
    saved = ok("save").out
    doc = {"version": 1, "services": RICH}
    for text in (json.dumps(doc), json.dumps(doc, indent=4)):
        assert change("apply", "-", stdin=text)["changed"] is False
        path = tmp_path / "c.json"
        path.write_text(text, encoding="ascii")
        assert change("apply", path)["changed"] is False
    assert ok("save").out == saved


@pytest.mark.parametrize("how", ["flow", "comments", "CRLF", "no newline", "single quotes", "document marks"])
def test_ways_to_write_yaml(load, how):
    text = """\
version: 1
services:
  - name: telemetry
    protocol: udp
    ports: [5000, 5001]
    tag: { offset: 0, length: 4 }
    size: { min: 4, max: 1400 }
    entities:
      - { tag: "ABCD", target: 6001 }
      - { tag: '\\x00\\x01\\x02\\x03', target: drop }
"""
    text = {"flow": yaml.safe_dump(yaml.safe_load(text), default_flow_style=True),
            "comments": "# first\n" + text.replace("udp", "udp  # protocol") + "\n# last\n",
            "CRLF": text.replace("\n", "\r\n"), "no newline": text.rstrip("\n"),
            "single quotes": text.replace('"', "'"), "document marks": "---\n" + text + "...\n"}[how]
    load(service())
    ok("apply", "-", stdin=text)
    assert {e["tag"]: e["target"] for e in js("map", "list")} == {"0x41424344": 6001, "0x00010203": "drop"}
    assert js("service", "list")[0]["ports"] == [5000, 5001]


def test_a_plain_hex_tag_is_never_a_number(one):
    """YAML takes an unquoted 0xdeadbeef for a number; mangle takes it for the tag, or refuses it."""
    text = dump(service(entities=entities(("ABCD", 6001)))).replace("ABCD", "0x41424344")
    assert "'0x" not in text
    r = run("apply", "-", stdin=text)
    if r.status == 0:
        assert [e["tag"] for e in js("map", "list")] == ["0x41424344"]
    else:
        ctl.check_error_line(r, "0x41424344|1094861636|tag")


def test_defaults(one):
    ok("apply", "-", stdin=dump(service("d")))
    explicit = service("d", daddr=[], saddr=[], invalid="pass", unknown="pass", reply=False, action="enforce",
                       entities=[])
    assert change("apply", "-", stdin=dump(explicit))["changed"] is False


def test_apply_says_what(load, tmp_path):
    path = load([service("keep", entities=entities(("AAAA", 1), ("BBBB", 2), ("CCCC", 3))),
                 service("goes", ports=[5001])])
    path.write_text(dump([service("keep", entities=entities(("AAAA", 1), ("BBBB", 9), ("DDDD", 4))),
                          service("comes", ports=[5002])]), encoding="ascii")
    before = ctl.snapshot()
    planned = ok("apply", path, "--check")
    assert planned.out, "says what would change"
    assert run("apply", path, "--check", "--exit-code").status == 3
    assert run("apply", "--exit-code", "--check", path).status == 3
    counts = ok("-j", "apply", path, "--check").json()
    assert ctl.snapshot() == before
    g = ctl.generation()
    done = change("apply", path)
    assert done["changed"] is True and done["generation"] == g + 1
    assert {k: counts[k] for k in ("added", "removed", "updated")} == {
        k: done[k] for k in ("added", "removed", "updated")}, "--check foretells what apply does"
    assert sorted(s["name"] for s in js("service", "list")) == ["comes", "keep"]
    assert {e["text"]: e["target"] for e in js("map", "list", "--service", "keep")} == {"AAAA": 1, "BBBB": 9, "DDDD": 4}
    ok("apply", path, "--check", "--exit-code")
    path.write_text(dump([service("keep", entities=entities(("AAAA", 1)))]), encoding="ascii")
    assert ok("apply", path).out, "prints what it added, removed, changed"


@pytest.mark.parametrize("key, value", [
    ("ports", [5000, 5001]), ("protocol", "any"), ("daddr", ["192.0.2.0/24"]), ("saddr", ["192.0.2.0/24"]),
    ("interface", "veth0"), ("tag", {"offset": 4, "length": 4}), ("tag", {"offset": 0, "length": 5}),
    ("size", {"min": 4, "max": 1401}), ("size", {"min": 5, "max": 1400}), ("invalid", "drop"), ("unknown", "drop"),
    ("unknown", 1), ("action", "observe"), ("targets", "6000-6001"), ("entities", entities(("ABCD", 6001)))])
def test_every_setting_counts(load, key, value):
    """A difference in any one setting is seen, applied, and taken back."""
    plain = dump(service())
    other = dump(service(**{key: value}, **({"tcp": "segment"} if value == "any" else {})))
    load(plain)
    was = ok("save").out
    assert run("apply", "-", "--check", "--exit-code", stdin=other).status == 3
    g = ctl.generation()
    assert change("apply", "-", stdin=other)["changed"] is True
    assert ok("save").out != was
    unchanged(ok("save").out)
    assert change("apply", "-", stdin=plain)["generation"] == g + 2
    assert ok("save").out == was


def test_entities_file(one, tmp_path):
    """Relative to the configuration file, not to where one stands; added to the entities within."""
    sub = tmp_path / "sub"
    (sub / "tables").mkdir(parents=True)
    (sub / "tables" / "t.map").write_text("EFGH 6002\n0xdeadbeef drop 5:6\n", encoding="ascii")
    conf = sub / "m.yaml"
    conf.write_text(dump(service(entities=entities(("ABCD", 6001)), entities_file="tables/t.map")), encoding="ascii")
    ok("apply", conf, cwd="/")
    assert len(js("map", "list")) == 3
    ok("apply", "sub/m.yaml", "--check", "--exit-code", cwd=tmp_path)
    ok("apply", "m.yaml", "--check", "--exit-code", cwd=sub)
    saved = ok("save").out
    assert "t.map" not in saved
    unchanged(saved, cwd="/")
    conf.write_text(dump(service(entities_file=os.fspath(sub / "tables" / "t.map"))), encoding="ascii")
    ok("apply", conf, cwd="/")
    assert len(js("map", "list")) == 2


@pytest.mark.parametrize("rows, pattern", [
    ("EFGH 6002\nABCD 6003\n", r"t\.map:2\b"), ("EFGH 6002\n\nEFGH 6003\n", r"t\.map:[13]\b"),
    ("EFGH 0\n", r"t\.map:1\b"), ("EFGHI 6001\n", r"t\.map:1\b.*tag"), (None, r"t\.map"), ("EFGH 7000\n", r"7000")])
def test_bad_entities_file(one, tmp_path, rows, pattern):
    if rows is not None:
        (tmp_path / "t.map").write_text(rows, encoding="ascii")
    conf = tmp_path / "m.yaml"
    conf.write_text(dump(service(targets="6000-6999", entities=entities(("ABCD", 6001)), entities_file="t.map")),
                    encoding="ascii")
    assert_error(["apply", conf], 1, pattern)
    assert_error(["apply", conf, "--check"], 1, pattern)


def test_save_is_plain_text_on_stdout(two):
    r = ok("save")
    assert r.err == "" and r.out.isascii() and r.out.endswith("\n")
    assert ok("save").out == r.out
    assert ok("-j", "save").out


def test_apply_with_nothing_attached(fresh, tmp_path):
    """Tables without an interface: refused in one line, or loaded, ready for attach."""
    path = tmp_path / "m.yaml"
    path.write_text(dump(service(entities=entities(("ABCD", 6001)))), encoding="ascii")
    r = run("apply", path)
    if r.status:
        assert r.status == 1
        ctl.check_error_line(r)
    else:
        ok("-n", fresh.a, "attach", "veth0", "--config", path)
        assert len(js("map", "list")) == 1
