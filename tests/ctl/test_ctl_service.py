"""service add, set, del, list."""

import pytest
from conftest import entities, service
from mangletest import ctl
from mangletest.ctl import assert_error, change, js, ok, run

PLAIN = ["--proto", "udp", "--port", "5001", "--tag", "0:4", "--size", "4:100"]
FULL = ["--proto", "any", "--port", "5002,5003", "--tag", "-8:8", "--size", "8-200", "--daddr", "192.0.2.0/24",
        "--daddr", "2001:db8::/32", "--saddr", "198.51.100.0/25", "--iface", "veth9", "--invalid", "drop",
        "--unknown", "6500", "--tcp", "segment", "--reply", "off", "--action", "observe", "--targets", "6000-6999"]


def listed(name):
    found = [s for s in js("service", "list") if s["name"] == name]
    assert len(found) == 1, found
    return found[0]


def test_add_plain(one):
    assert change("service", "add", "new", *PLAIN)["changed"] is True
    s = listed("new")
    for key, value in {"protocol": "udp", "ports": [5001], "tag": {"offset": 0, "length": 4},
                       "size": {"min": 4, "max": 100}, "invalid": "pass", "unknown": "pass",
                       "action": "enforce", "count": 0}.items():
        assert s[key] == value, (key, s)
    for key in ("daddr", "saddr"):
        assert not s.get(key), s
    for key in ("interface", "targets"):
        assert s.get(key) in (None, "any", "none", ""), s
    assert not s.get("reply"), s
    assert change("service", "add", "new", *PLAIN)["changed"] is False


def test_add_full(one):
    ok("service", "add", "new", *FULL)
    s = listed("new")
    for key, value in {"protocol": "any", "ports": [5002, 5003], "tag": {"offset": -8, "length": 8},
                       "size": {"min": 8, "max": 200}, "daddr": ["192.0.2.0/24", "2001:db8::/32"],
                       "saddr": ["198.51.100.0/25"], "interface": "veth9", "invalid": "drop", "unknown": 6500,
                       "tcp": "segment", "reply": False, "action": "observe", "targets": "6000-6999",
                       "count": 0}.items():
        assert s[key] == value, (key, s)
    assert change("service", "add", "new", *FULL)["changed"] is False
    text = ok("service", "list").out
    assert "new" in text and "telemetry" in text


def test_same_in_other_words(one):
    """The order of ports and prefixes, and the spelling of ranges, say nothing."""
    ok("service", "add", "new", *FULL)
    other = [{"5002,5003": "5003,5002", "8-200": "8:200", "6000-6999": "6000:6999"}.get(w, w) for w in FULL]
    assert change("service", "add", "new", *other)["changed"] is False


def test_add_with_other_settings_is_refused(one):
    ok("service", "add", "new", *PLAIN)
    for i, word in ((3, "5004"), (5, "0:8"), (5, "1:4"), (7, "4:101")):
        argv = list(PLAIN)
        argv[i] = word
        assert_error(["service", "add", "new", *argv], 1, "new")
    assert_error(["service", "add", "new", *PLAIN, "--unknown", "drop"], 1, "new")


def test_add_with_entities(one, tmp_path):
    table = tmp_path / "new.map"
    table.write_text("ABCD 6001\nEFGH drop 5:6 # comment\n", encoding="ascii")
    g = ctl.generation()
    ok("service", "add", "new", *PLAIN, "--entities", table)
    assert listed("new")["count"] == 2 and ctl.generation() == g + 1
    assert [e["text"] for e in js("map", "list", "--service", "new")] == ["ABCD", "EFGH"]


@pytest.mark.parametrize("text, pattern", [
    ("ABCD 6001\nEFGH 0\n", r"bad\.map:2\b"), ("ABCD 6001\n\nABCD 6002\n", r"bad\.map:3\b.*\b1\b"),
    ("ABCDE 6001\n", r"bad\.map:1\b")])
def test_add_with_bad_entities_adds_nothing(one, tmp_path, text, pattern):
    table = tmp_path / "bad.map"
    table.write_text(text, encoding="ascii")
    assert_error(["service", "add", "new", *PLAIN, "--entities", table], 1, pattern)
    assert_error(["service", "add", "new", *PLAIN, "--entities", tmp_path / "none.map"], 1, r"none\.map")
    assert_error(["service", "add", "new", *PLAIN, "--targets", "7000-7001", "--entities", table], 1)


def test_del(two):
    ok("service", "del", "left")
    assert [s["name"] for s in js("service", "list")] == ["right"]
    assert "left" not in ok("save").out
    ok("service", "add", "left", "--proto", "udp", "--port", "5000", "--tag", "0:4", "--size", "4:100")
    assert js("map", "list", "--service", "left") == [], "a new service begins empty"


@pytest.mark.parametrize("argv", [["set", "nosuch", "--size", "4:5"], ["set", "nosuch", "--daddr", "any"]])
def test_no_such_service(one, argv):
    assert_error(["service", *argv], 1, "nosuch")


@pytest.mark.parametrize("argv, key, value", [
    (["--port", "5005"], "ports", [5005]),
    (["--port", "5005,5006"], "ports", [5005, 5006]),
    (["--tag", "4:4"], "tag", {"offset": 4, "length": 4}),
    (["--tag", "-4:4"], "tag", {"offset": -4, "length": 4}),
    (["--tag=-4:4"], "tag", {"offset": -4, "length": 4}),
    (["--size", "10-20"], "size", {"min": 10, "max": 20}),
    (["--daddr", "192.0.2.0/24", "--daddr", "198.51.100.1/32"], "daddr", ["192.0.2.0/24", "198.51.100.1/32"]),
    (["--saddr", "2001:db8::/32"], "saddr", ["2001:db8::/32"]),
    (["--iface", "veth0"], "interface", "veth0"),
    (["--invalid", "drop"], "invalid", "drop"),
    (["--unknown", "drop"], "unknown", "drop"),
    (["--unknown", "7777"], "unknown", 7777),
    (["--action", "observe"], "action", "observe"),
    (["--description", "Zähler der Halle 2"], "description", "Zähler der Halle 2"),
    (["--enabled", "false"], "enabled", False),
    (["--targets", "6000:6001"], "targets", "6000-6001"),
    (["--proto", "tcp", "--tcp", "segment"], "protocol", "tcp"),
    (["--proto", "any", "--tcp", "segment"], "tcp", "segment")], ids=lambda x: " ".join(map(str, x)) if isinstance(x, list) else None)
def test_set(load, argv, key, value):
    load(service(entities=entities(("ABCD", 6001))))
    was = listed("telemetry")
    g = ctl.generation()
    first, second = (change("service", "set", "telemetry", *argv) for _ in range(2))
    assert (first["changed"], first["updated"]) == (True, 1) and second["changed"] is False
    now = listed("telemetry")
    got = sorted(now[key]) if isinstance(now[key], list) else now[key]
    assert got == value and ctl.generation() == g + 1, now
    for other, old in was.items():
        if other not in (key, "tcp"):
            assert other == "protocol" or now[other] == old, f"{other} changed as well"
    assert [e["text"] for e in js("map", "list")] == ["ABCD"], "entities stay"


@pytest.mark.parametrize("word", ["any", "none"])
@pytest.mark.parametrize("option, key", [("--daddr", "daddr"), ("--saddr", "saddr"), ("--iface", "interface"),
                                         ("--targets", "targets")])
def test_set_clears(load, option, key, word):
    load(service(daddr=["192.0.2.0/24"], saddr=["198.51.100.0/24"], interface="veth0", targets="6000-6999"))
    assert listed("telemetry")[key]
    ok("service", "set", "telemetry", option, word)
    assert listed("telemetry").get(key) in (None, [], "", "any", "none")
    assert change("service", "set", "telemetry", option, word)["changed"] is False
    saved = ok("save").out
    assert f"{key}: {word}" not in saved
    ok("apply", "-", "--check", "--exit-code", stdin=saved)


def test_disabled(load):
    """As if it was not there, with its entities and counters: its ports are another's meanwhile."""
    load(service(description="the first", entities=entities(("ABCD", 6001))))
    ok("service", "set", "telemetry", "--enabled", "false")
    assert "OFF" in ok("status").out and "disabled: no packet matches" in ok("status").out
    saved = ok("save").out
    assert "    enabled: false\n" in saved and "    description: 'the first'\n" in saved
    ok("apply", "-", "--check", "--exit-code", stdin=saved)
    ok("service", "add", "other", "--protocol", "udp", "--ports", "5000", "--tag", "0:4", "--size", "4:100")
    assert_error(["service", "set", "telemetry", "--enabled", "true"], 1, "telemetry.*other")
    ok("service", "del", "other")
    ok("service", "set", "telemetry", "--enabled", "on", "--description", "none")
    assert listed("telemetry")["enabled"] is True and listed("telemetry")["description"] is None
    assert [e["text"] for e in js("map", "list")] == ["ABCD"]
    assert_error(["service", "set", "telemetry", "--description", "a\tb"], 2, "is not 1 to 63 bytes of printable text")


def test_mask(load):
    load(service(tag={"offset": 0, "length": 4, "mask": "0xfffff000"}, entities=entities(("0x41424000", 6001))))
    assert listed("telemetry")["tag"] == {"offset": 0, "length": 4, "mask": "0xfffff000"}
    assert "--tag 0:4/0xfffff000 " in ok("service", "list").out
    saved = ok("save").out
    assert "tag: { offset: 0, length: 4, mask: '0xfffff000' }" in saved
    ok("apply", "-", "--check", "--exit-code", stdin=saved)
    ctl.assert_error(["map", "set", "ABCD", "6002"], 1, "TAG: 0x41424344 has bits outside of 0xfffff000, the mask of service")
    ctl.assert_error(["map", "load", "-"], 1, "<stdin>:1: tag: 0x41424344 has bits outside of 0xfffff000", stdin="ABCD 6002\n")
    ok("map", "set", "0x41425000", "6002")
    g = ctl.generation()
    ctl.assert_error(["service", "set", "telemetry", "--tag", "0:4/0xffff0000"], 1, "outside of 0xffff0000, the mask")
    ctl.assert_error(["service", "set", "telemetry", "--tag", "0:4/0xff"], 2, "--tag 0:4/0xff: has a mask that is not 0x and 8 hex")
    assert ctl.generation() == g
    ok("service", "set", "telemetry", "--tag", "0:4/0xfffff800")
    ok("service", "set", "telemetry", "--tag", "0:4/0xffffffff")
    assert listed("telemetry")["tag"] == {"offset": 0, "length": 4}
    assert [e["tag"] for e in js("map", "list")] == ["0x41424000", "0x41425000"]


def test_set_replaces_prefixes(load):
    load(service(daddr=["192.0.2.0/24", "203.0.113.0/24"]))
    ok("service", "set", "telemetry", "--daddr", "198.51.100.0/24")
    assert listed("telemetry")["daddr"] == ["198.51.100.0/24"]


def test_set_tag_length(load):
    load(service(entities=entities(("ABCD", 6001))))
    assert_error(["service", "set", "telemetry", "--tag", "0:8"], 1, "telemetry|0:8")
    ok("map", "flush")
    ok("service", "set", "telemetry", "--tag", "0:8", "--size", "8:100")
    assert listed("telemetry")["tag"] == {"offset": 0, "length": 8}
    ok("map", "set", "ABCDEFGH", "6001")
    assert_error(["map", "set", "ABCD", "6001"], 1, "ABCD")


def test_set_refuses_what_would_collide(two):
    assert_error(["service", "set", "right", "--port", "5000"], 1, "left|right")


def test_set_size_without_an_entitys(load):
    load(service(entities=entities(("ABCD", 6001, 10, 20), ("EFGH", 6002, 100, 200), ("IJKL", 6003, 200, 300))))
    assert_error(["service", "set", "telemetry", "--size", "21:99"], 1, "telemetry: .*tag ABCD: .*10:20.*21:99")
    assert_error(["service", "set", "telemetry", "--size", "20:99"], 1, "telemetry: .*tag EFGH: .*100:200.*20:99")
    ok("service", "set", "telemetry", "--size", "20:200")


def test_set_targets_without_those_in_use(load):
    load(service(entities=entities(("ABCD", 6001))))
    assert_error(["service", "set", "telemetry", "--targets", "7000-7999"], 1, "6001|ABCD|7000")


def test_matching_the_same_packets(load):
    load([service("one", daddr=["192.0.2.0/24"]), service("any", protocol="any", tcp="segment", ports=[5009])])
    same = ["--proto", "udp", "--port", "5000", "--tag", "0:4", "--size", "4:100"]
    assert_error(["service", "add", "twin", *same, "--daddr", "192.0.2.0/24"], 1, "one|twin")
    # what differs in one of the four ways is another service
    ok("service", "add", "a", *same)
    ok("service", "add", "b", *same, "--daddr", "192.0.2.0/25")
    ok("service", "add", "c", *same, "--daddr", "192.0.2.0/24", "--saddr", "198.51.100.0/24")
    ok("service", "add", "d", *same, "--daddr", "192.0.2.0/24", "--iface", "veth0")
    ok("service", "add", "e", "--proto", "udp", "--port", "5009", "--tag", "0:4", "--size", "4:100")
    ok("service", "add", "f", "--proto", "tcp", "--tcp", "segment", "--port", "5009", "--tag", "0:4", "--size", "4:100")
    assert_error(["service", "add", "twin", *same], 1, "a|twin")
    assert len(js("service", "list")) == 8


def test_same_packets_in_other_words(one):
    """Ports and prefixes in another order, a prefix in another spelling."""
    ok("service", "add", "x", "--proto", "udp", "--port", "1,2", "--tag", "0:4", "--size", "4:100",
       "--daddr", "2001:db8::/32", "--daddr", "192.0.2.0/24")
    assert_error(["service", "add", "y", "--proto", "udp", "--port", "2,1", "--tag", "0:4", "--size", "4:100",
                  "--daddr", "192.0.2.0/24", "--daddr", "2001:0db8:0::/32"], 1, "x|y")


def test_names_at_their_limits(one):
    for name in ("a", "A.b_c-9", "x" * 31, "-x", ".", "..", "5"):
        argv = ["--", "service", "add", name] if name.startswith("-") else ["service", "add", name]
        r = run(*([*PLAIN, *argv] if name.startswith("-") else [*argv, *PLAIN]))
        if name in ("-x", ".", ".."):  # allowed by the letter; refusing is as well
            assert r.status in (0, 1, 2), r
        else:
            assert r.status == 0, r
        if r.status == 0:
            assert listed(name)["ports"] == [5001]
            ok("apply", "-", "--check", "--exit-code", stdin=ok("save").out)
            ok("service", "del", "--", name)


def test_sixteen_ports_and_eight_prefixes(one):
    ports = ",".join(str(p) for p in range(7000, 7016))
    many = [w for i in range(8) for w in ("--daddr", f"2001:db8::{i}/128", "--saddr", f"2001:db8:{i}::/48")]
    ok("service", "add", "wide", "--proto", "udp", "--port", ports, "--tag", "0:4", "--size", "4:100", *many)
    s = listed("wide")
    assert len(s["ports"]) == 16 and len(s["daddr"]) == 8 and len(s["saddr"]) == 8
    ok("apply", "-", "--check", "--exit-code", stdin=ok("save").out)


def test_segment_mode_warns(one):
    """It breaks the connections of whoever takes it for the way to serve TCP."""
    tcp = ["service", "add", "stream", "--protocol", "tcp", "--ports", "7000", "--tag", "0:4", "--size", "4:100"]
    r = ok(*tcp, "--tcp", "segment")
    assert "service stream: TCP in segment mode breaks connections" in r.err and r.out.startswith("added 1"), r
    assert r.err.count("\n") == 1, r
    assert not ok("service", "set", "stream", "--action", "observe").err, "it was so before"
    ok("service", "del", "stream")
    assert not ok("-q", *tcp, "--tcp", "segment").err
    assert not ok("service", "add", "plain", *PLAIN).err
