"""As many services and entities as are promised. Nothing here judges speed."""

import struct

import pytest
from conftest import dump, service
from mangletest import ctl
from mangletest.ctl import assert_error, change, js, ok
from mangletest.frames import frame, pcap

LONG = 300


def test_1024_services(load, tmp_path):
    """Each steers its own packets, and the 1,025th is refused."""
    def config(n):
        return [service(f"s{i:04d}", ports=[10000 + i], unknown=20000 + i) for i in range(n)]

    load(config(1024))
    assert len(js("service", "list")) == 1024
    capture = tmp_path / "all.pcap"
    capture.write_bytes(pcap([frame("WXYZ", 10000 + i) for i in range(-1, 1025)]))
    rows = ok("explain", capture, "-j", timeout=LONG).json_lines()
    assert [r["service"] for r in rows] == [None, *(f"s{i:04d}" for i in range(1024)), None]
    assert [r["new_port"] for r in rows[1:-1]] == [20000 + i for i in range(1024)]
    saved = ok("save").out
    ok("apply", "-", "--check", "--exit-code", stdin=saved)
    add = ["service", "add", "more", "--proto", "udp", "--port", "9000", "--tag", "0:4", "--size", "4:100"]
    assert_error(add, 1, "1,?02[45]|more")
    assert_error(["apply", "-"], 1, "1,?02[45]", stdin=dump(config(1025)))
    ok("service", "del", "s0500")
    ok(*add)
    assert len(js("service", "list")) == 1024
    rows = ok("explain", capture, "-j", timeout=LONG).json_lines()
    assert [r["service"] for r in rows][500:503] == ["s0499", None, "s0501"]
    assert js("stats", timeout=LONG)["services"].keys() == {s["name"] for s in js("service", "list")}
    ok("map", "set", "ABCD", "6001", "--service", "s1023")
    assert len(js("map", "list", timeout=LONG)) == 1


def test_1024_services_on_one_port(load, tmp_path):
    """They differ by destination only, the longest prefix of several deciding."""
    nets = [f"10.{i}.0.0/16" for i in range(256)] + [f"10.{i}.1.0/24" for i in range(256)] + [
        f"10.{i}.1.1/32" for i in range(256)] + [f"10.{i}.2.0/24" for i in range(255)]
    load([service(f"n{i:04d}", daddr=[n]) for i, n in enumerate(nets)] + [service("rest")])
    hosts = [(f"10.{i}.{last}", offset + i) for i in range(0, 256, 5)
             for last, offset in (("9.9", 0), ("1.2", 256), ("1.1", 512), ("2.2", 768)) if offset + i < len(nets)]
    capture = tmp_path / "all.pcap"
    capture.write_bytes(pcap([frame("WXYZ", dst=h) for h, _ in hosts] + [frame("WXYZ", dst="11.0.0.1")]))
    rows = ok("explain", capture, "-j", timeout=LONG).json_lines()
    assert [r["service"] for r in rows] == [f"n{i:04d}" for _, i in hosts] + ["rest"]
    ok("apply", "-", "--check", "--exit-code", stdin=ok("save").out)


def test_100000_lines_with_one_bad(one, tmp_path):
    ok("map", "set", "KEEP", "6009")
    path = tmp_path / "big.map"
    good = [f"0x{i:08x} {1 + i % 65535}" for i in range(100000)]
    for bad, line in (("0x0000c000 65536", 77777), ("0x00 1", 100000), ("0x00000000 5", 50000)):
        lines = list(good)
        lines[line - 1] = bad
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        for verb in ("replace", "load"):
            said = assert_error(["map", verb, path], 1, rf"big\.map:({line}|1)\b", timeout=LONG)
            assert str(line) in said, said
    assert [e["text"] for e in js("map", "list")] == ["KEEP"]
    path.write_text("\n".join(good) + "\n", encoding="ascii")
    assert change("map", "replace", path, timeout=LONG)["added"] == 100000


@pytest.fixture
def million(one, tmp_path):
    """A million entities: the table's file."""
    path = tmp_path / "million.map"
    with open(path, "w", encoding="ascii") as f:
        f.writelines(f"0x{i * 4099 % 2**32:08x} {1 + i % 65535}\n" for i in range(1000000))
    yield path
    ctl.run("map", "flush", timeout=LONG)


def test_a_million_entities(million):
    answer = change("map", "replace", million, timeout=LONG)
    assert (answer["changed"], answer["added"]) == (True, 1000000), answer
    for i in (0, 1, 65534, 65535, 499999, 999999):
        tag = i * 4099 % 2**32
        assert js("map", "get", f"0x{tag:08x}")["target"] == 1 + i % 65535
        packet = frame(struct.pack("!I", tag))
        got = ok("explain", "--hex", packet.hex(), "-j", timeout=LONG).json()
        assert (got["reason"], got["new_port"]) == ("rewritten", 1 + i % 65535)
    rows = js("map", "list", "--limit", "5", "--sort", "tag", timeout=LONG)
    first = sorted(i * 4099 % 2**32 for i in range(1000000))[:5]
    assert [e["tag"] for e in rows] == [f"0x{t:08x}" for t in first]
    assert js("status", timeout=LONG)["services"][0]["entities"] == 1000000
    g = ctl.generation()
    assert change("map", "replace", million, timeout=LONG)["changed"] is False
    saved = ok("save", timeout=LONG).out
    assert saved.count("\n") >= 1000000
    ok("apply", "-", "--check", "--exit-code", stdin=saved, timeout=LONG)
    assert ctl.generation() == g
    answer = change("map", "set", "0xffffffff", "6001", timeout=LONG)
    assert answer["added"] == 1 and answer["generation"] == g + 1
    assert js("map", "get", "0xffffffff", timeout=LONG)["target"] == 6001
    assert change("apply", "-", stdin=saved, timeout=LONG)["removed"] == 1
    ok("map", "set", "0x00000000", "drop", timeout=LONG)
    assert js("map", "get", "0x00000000", timeout=LONG)["target"] == "drop"
    lines = ok("map", "save", timeout=LONG).out
    assert change("map", "load", "-", stdin=lines, timeout=LONG)["changed"] is False
    assert change("map", "flush", timeout=LONG)["removed"] == 1000000
