"""explain: packets through the loaded program, without network and without counters; by it also
which of several services gets a packet."""

import itertools
import json
import random
import struct

import pytest
from conftest import entities, service
from mangletest import ctl
from mangletest.ctl import assert_error, js, ok, run
from mangletest.frames import frame, pcap, pcapng, pcapng_of, read_pcap, read_times, sll, sll2

KEYS = {"index", "verdict", "reason", "service", "tag", "old_port", "new_port"}


def explain_hex(data):
    rows = ok("explain", "--hex", data.hex(), "-j").json_lines()
    assert len(rows) == 1 and KEYS <= rows[0].keys() and rows[0]["index"] == 1, rows
    return rows[0]


def explain(tmp_path, packets, *args, write=pcap):
    path = tmp_path / "in.pcap"
    path.write_bytes(write(packets))
    rows = ok("explain", path, "-j", *args).json_lines()
    assert [r["index"] for r in rows] == list(range(1, len(packets) + 1))
    assert all(KEYS <= r.keys() for r in rows)
    return rows


def brief(row):
    return tuple(row[k] for k in ("verdict", "reason", "service", "tag", "old_port", "new_port"))


TABLE = service(invalid="drop", unknown="drop", size={"min": 6, "max": 20}, entities=entities(
    ("ABCD", 6001), ("EFGH", "drop"), ("IJKL", "pass"), ("MNOP", 6002, 10, 12), ("SAME", 5000)))

# payload (or whole frame), then verdict, reason, service, tag, old and new port; ... is not judged
CASES = {
    "rewritten": (frame("ABCD--"), "rewritten", "rewritten", "telemetry", "0x41424344", 5000, 6001),
    "rewritten, IPv6": (frame("ABCD--", src="2001:db8::7", dst="2001:db8::1"),
                        "rewritten", "rewritten", "telemetry", "0x41424344", 5000, 6001),
    "rewritten, VLAN": (frame("ABCD--", vlans=[5]), "rewritten", "rewritten", "telemetry", "0x41424344", 5000, 6001),
    "rewritten, trailer": (frame("ABCD--", trailer=b"EFGH" * 5), "rewritten", "rewritten", "telemetry", "0x41424344", 5000, 6001),
    "an equal port": (frame("SAME--"), "rewritten", "rewritten", "telemetry", "0x53414d45", 5000, 5000),
    "window": (frame("MNOP123456"), "rewritten", "rewritten", "telemetry", "0x4d4e4f50", 5000, 6002),
    "too short for its window": (frame("MNOP12345"), "dropped", "too_short", "telemetry", "0x4d4e4f50", 5000, ...),
    "too long for its window": (frame("MNOP123456789"), "dropped", "too_long", "telemetry", "0x4d4e4f50", 5000, ...),
    "drop": (frame("EFGH--"), "dropped", "entity_drop", "telemetry", "0x45464748", 5000, ...),
    "pass": (frame("IJKL--"), "passed", "entity_pass", "telemetry", "0x494a4b4c", 5000, 5000),
    "unknown": (frame("WXYZ--"), "dropped", "unknown_tag", "telemetry", "0x5758595a", 5000, ...),
    "too short": (frame("ABCD-"), "dropped", "too_short", "telemetry", None, 5000, ...),
    "too long": (frame("ABCD" * 5 + "-"), "dropped", "too_long", "telemetry", None, 5000, ...),
    "just long enough": (frame("ABCD" * 5), "rewritten", "rewritten", "telemetry", "0x41424344", 5000, 6001),
    "another port": (frame("ABCD--", dport=5001), "passed", "no_service", None, None, 5001, 5001),
    "another protocol": (frame("ABCD--", proto=6), "passed", "no_service", None, None, 5000, 5000),
    "ARP": (bytes(12) + b"\x08\x06" + bytes(46), "passed", "not_ip", None, None, None, None),
    "13 bytes": (bytes(13), "passed", "not_ip", None, None, None, None),
    "1 byte": (b"\x45", "passed", "not_ip", None, None, None, None),
    "14 bytes of IPv4": (bytes(12) + b"\x08\x00", "passed", "malformed_ip", None, None, None, None),
    "ICMP": (frame("ABCD--")[:23] + b"\x01" + frame("ABCD--")[24:], "passed", "not_udp_tcp", None, None, None, None),
}


@pytest.mark.parametrize("case", CASES)
def test_one_by_hex(load, case):
    load(TABLE)
    data, *want = CASES[case]
    got = brief(explain_hex(data))
    assert all(w is ... or w == g for w, g in zip(want, got)), (want, got)
    text = ok("explain", "--hex", data.hex()).out
    assert want[1] in text, text


@pytest.mark.parametrize("write", [
    pcap, lambda f: pcap(f, order=">"), lambda f: pcap(f, nanoseconds=True), pcapng,
    lambda f: pcapng(f, order=">"), lambda f: pcapng(f, strangers=False)],
    ids=["pcap", "pcap big endian", "pcap nanoseconds", "pcapng", "pcapng big endian", "pcapng plain"])
def test_captures(load, tmp_path, write):
    load(TABLE)
    for got, (_, *want) in zip(explain(tmp_path, [c[0] for c in CASES.values()], write=write), CASES.values()):
        assert all(w is ... or w == g for w, g in zip(want, brief(got))), (want, got)


def test_a_capture_without_packets(one, tmp_path):
    for write in (pcap, pcapng):
        path = tmp_path / "empty"
        path.write_bytes(write([]))
        assert ok("explain", path, "-j").out == ""


def test_out(load, tmp_path):
    """What goes on, byte for byte; dropped packets are left out."""
    load(TABLE)
    packets = [c[0] for c in CASES.values()]
    out = tmp_path / "out.pcap"
    for write in (pcap, pcapng):
        rows = explain(tmp_path, packets, "--out", out, write=write)
        want = []
        for packet, row in zip(packets, rows):
            if row["verdict"] == "dropped":
                continue
            if row["old_port"] != row["new_port"]:
                # another destination port, and the sender's checksum as if it had sent there
                v6, vlan = packet[12:14] == b"\x86\xdd", packet[12:14] == b"\x81\x00"
                args = {"src": "2001:db8::7", "dst": "2001:db8::1"} if v6 else {"vlans": [5]} if vlan else {}
                whole = frame(packet[(62 if v6 else 46 if vlan else 42):], dport=row["new_port"], **args)
                if packet.endswith(b"EFGH" * 5):
                    whole = frame("ABCD--", dport=row["new_port"], trailer=b"EFGH" * 5)
                packet = whole
            want.append(packet)
        assert read_pcap(out.read_bytes()) == want
        out.unlink()


def test_out_of_hex(load, tmp_path):
    load(TABLE)
    out = tmp_path / "out.pcap"
    ok("explain", "--hex", frame("ABCD--").hex(), "--out", out)
    assert read_pcap(out.read_bytes()) == [frame("ABCD--", dport=6001)]
    ok("explain", "--hex", frame("EFGH--").hex(), f"--out={out}")
    assert read_pcap(out.read_bytes()) == []


def test_ways_to_write_hex(load):
    load(TABLE)
    want = explain_hex(frame("ABCD--"))
    assert ok("explain", "--hex", frame("ABCD--").hex().upper(), "-j").json() == want
    assert ok("explain", f"--hex={frame('ABCD--').hex()}", "-j").json() == want


def test_counts_nothing(load, tmp_path, world):
    load(TABLE)
    world.ns_b.ip("link set veth1 down")  # nothing comes in by itself
    try:
        before = js("stats"), js("map", "list"), ctl.snapshot(), js("service", "list")
        explain(tmp_path, [c[0] for c in CASES.values()] * 10, "--out", tmp_path / "out.pcap")
        explain_hex(frame("ABCD--"))
        assert (js("stats"), js("map", "list"), ctl.snapshot(), js("service", "list")) == before
    finally:
        world.ns_b.ip("link set veth1 up")


def test_observe(load, tmp_path):
    load({**TABLE, "action": "observe"})
    packets = [frame("ABCD--"), frame("EFGH--"), frame("IJKL--"), frame("WXYZ--"), frame("A")]
    out = tmp_path / "out.pcap"
    rows = explain(tmp_path, packets, "--out", out)
    assert read_pcap(out.read_bytes()) == packets, "no byte changes and nothing is dropped"
    assert [r["reason"] for r in rows] == ["rewritten", "entity_drop", "entity_pass", "unknown_tag", "too_short"]
    assert [r["tag"] for r in rows] == ["0x41424344", "0x45464748", "0x494a4b4c", "0x5758595a", None]
    for row, word in zip(rows, ("rewr", "drop", "pass", "drop", "drop")):
        assert word in json.dumps(row["would"]), row
    load(TABLE)
    assert all(r.get("would") is None for r in explain(tmp_path, packets)), "only under observe"


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_cut_packets_are_refused_by_name(load, tmp_path, write):
    """Each is named, and all others are explained."""
    load(TABLE)
    path = tmp_path / "in.pcap"
    path.write_bytes(write([frame("ABCD--")] * 7, cut=[3, 4, 6]))
    assert_error(["explain", path], 1, r"\b3-4, 6\b", stdout_empty=False)
    lines = run("explain", path).out.splitlines()
    assert [i for i, line in enumerate(lines, 1) if "not explained" in line and line.startswith("packet")] == [3, 4, 6]
    assert "only 38 of its 48 bytes were captured" in lines[2], lines
    assert lines[7].startswith("7 packets: 4 rewritten, 3 not explained"), lines
    assert_error(["explain", path, "-j"], 1, r"\b3-4, 6\b", stdout_empty=False)
    assert [row["index"] for row in run("explain", path, "-j").json_lines()] == [1, 2, 5, 7]
    path.write_bytes(write([frame("ABCD--")] * 2000, cut=range(1, 2000, 2)))
    assert_error(["explain", path], 1, "1, 3, 5, .* and more", stdout_empty=False)


def test_cut_packets_are_left_out_of_what_goes_on(load, tmp_path):
    load(TABLE)
    (tmp_path / "in.pcap").write_bytes(pcap([frame("IJKL--")] * 3, cut=[2]))
    assert_error(["explain", tmp_path / "in.pcap", "--out", tmp_path / "out.pcap"], 1, r"\b2\b", stdout_empty=False)
    assert read_pcap((tmp_path / "out.pcap").read_bytes()) == [frame("IJKL--")] * 2


# --- what people have: other link types, several interfaces ---------------------------------------------

V4, V6, TAGGED, ARP = CASES["rewritten"], CASES["rewritten, IPv6"], CASES["rewritten, VLAN"], CASES["ARP"]
LINK_TYPES = {
    "SLL": (113, sll, [V4, V6, TAGGED, ARP]),
    "SLL2": (276, sll2, [V4, V6, TAGGED, ARP]),
    "raw, as files have it": (101, lambda f: f[14:], [V4, V6]),
    "raw, by its other number": (12, lambda f: f[14:], [V4, V6]),
    "IPv4": (228, lambda f: f[14:], [V4]),
    "IPv6": (229, lambda f: f[14:], [V6]),
}


@pytest.mark.parametrize("write", [pcap, pcapng])
@pytest.mark.parametrize("kind", LINK_TYPES)
def test_link_types(load, tmp_path, kind, write):
    load(TABLE)
    linktype, as_captured, cases = LINK_TYPES[kind]
    out = tmp_path / "out.pcap"
    rows = explain(tmp_path, [as_captured(c[0]) for c in cases], "--out", out, write=lambda f: write(f, linktype))
    for got, (_, *want) in zip(rows, cases):
        assert brief(got) == tuple(want), (got, want)
    # and they come out as Ethernet frames, which are explained alike but for the port they have by now
    assert [f[12:14] for f in read_pcap(out.read_bytes())] == [c[0][12:14] for c in cases]


def test_link_types_that_tell_nothing(load, tmp_path):
    load(TABLE)
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap([frame("ABCD--")], 105))  # 802.11
    assert_error(["explain", path], 1, "link type is IEEE802_11")
    # beside others each of its packets is named
    path.write_bytes(pcapng_of([(1, 0, b""), (105, 0, b"")], [(0, frame("ABCD--"), 0), (1, b"x" * 60, 0), (0, frame("EFGH--"), 0)]))
    assert_error(["explain", path, "-j"], 1, r"\b2\b.*IEEE802_11", stdout_empty=False)
    assert [row["index"] for row in run("explain", path, "-j").json_lines()] == [1, 3]
    # and so is one whose header is cut off
    path.write_bytes(pcap([sll2(V4[0]), sll2(V4[0])[:19]], 276))
    assert_error(["explain", path], 1, r"\b2\b.*cut off", stdout_empty=False)


def test_what_the_host_has_sent_is_said(load, tmp_path):
    load(TABLE)
    for as_captured, linktype in ((sll, 113), (sll2, 276)):
        path = tmp_path / "in.pcap"
        path.write_bytes(pcap([as_captured(V4[0]), as_captured(V4[0], sent=True)], linktype))
        lines = ok("explain", path).out.splitlines()
        assert ["sent by this host" in line for line in lines] == [False, True, False], lines
        assert [r.get("sent") for r in ok("explain", path, "-j").json_lines()] == [None, True]


@pytest.mark.parametrize("order", "<>")
def test_pcapng_of_several_interfaces(load, tmp_path, order):
    """Of other link types, snapshot lengths and clocks, and a second section."""
    load(TABLE)
    nanoseconds = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
    binary = struct.pack(order + "HHB3xHHq", 9, 1, 0x80 | 20, 14, 8, 1000)
    section = pcapng_of([(1, 262144, b""), (276, 96, nanoseconds), (101, 0, binary)], [
        (0, V4[0], 1_700_000_000_000_001), (1, sll2(V6[0]), 1_700_000_001_000_000_002),
        (2, V4[0][14:], (1_700_000_002 << 20) + (1 << 19))], order)
    path, out = tmp_path / "in.pcapng", tmp_path / "out.pcap"
    path.write_bytes(section + pcapng_of([(113, 0, b"")], [(0, sll(V6[0]), 5_000_000)], ">"))
    rows = ok("explain", path, "-j", "--out", out).json_lines()
    assert [brief(r) for r in rows] == [tuple(c[1:]) for c in (V4, V6, V4, V6)]
    assert read_times(out.read_bytes()) == [(1_700_000_000, 1000), (1_700_000_001, 2), (1_700_001_002, 500_000_000), (5, 0)]


@pytest.mark.parametrize("damage, why", [
    (lambda b: b[:-6], "ends within a block"), (lambda b: b[:-4] + b"\1\0\0\0", "two lengths differ"),
    (lambda b: b + b"\6\0\0\0\xff\xff\xff\xff", "impossible length"),
    (lambda b: b"\x0a\x0d\x0d\x0a\x1c\0\0\0abcd" + b[12:], "byte-order magic")],
    ids=["cut", "lengths", "huge", "magic"])
def test_damaged_pcapng(load, tmp_path, damage, why):
    load(TABLE)
    path = tmp_path / "in.pcapng"
    path.write_bytes(damage(pcapng([frame("ABCD--")], strangers=False)))
    assert_error(["explain", path], 1, why, stdout_empty=None)


# --- what the lines say ---------------------------------------------------------------------------------

def test_lines_have_addresses_sizes_and_vlans(load, tmp_path):
    load(TABLE)
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap([V4[0], V6[0], frame("ABCD-", vlans=[100, 7]), ARP[0], frame("ABCD--")[:24]]))
    lines = ok("explain", path).out.splitlines()
    assert lines[0].startswith("packet 1: 198.51.100.7:40000 > 192.0.2.1:5000, payload 6: rewritten to port 6001,"), lines
    assert "[2001:db8::7]:40000 > [2001:db8::1]:5000, payload 6" in lines[1], lines
    assert "VLAN 100 in it 7" in lines[2] and "the service accepts 6 to 20 bytes (too_short)" in lines[2], lines
    assert lines[3].startswith("packet 4: 60 bytes: passed: "), lines
    assert lines[5].startswith("5 packets: 2 rewritten, 2 passed, 1 dropped (") and "not_ip 1" not in lines[5], lines
    row = ok("explain", path, "-j").json_lines()[2]
    assert (row["source"], row["source_port"], row["destination"], row["payload"], row["vlan"], row["length"]) == (
        "198.51.100.7", 40000, "192.0.2.1", 5, [100, 7], 55)
    assert ok("explain", path, "-j").json_lines()[3]["source"] is None


def test_no_packets_is_said(load, tmp_path):
    load(TABLE)
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap([]))
    assert ok("explain", path).out == f"no packets in {path}\n"


def test_a_capture_from_behind_mangle_is_recognised(load, tmp_path):
    """It has the ports that mangle has given: --out of a first run is such a capture."""
    load([{**TABLE, "unknown": 6003}, service("other", ports=[5001], size={"min": 4, "max": 5}, entities=entities(("ABCD", 6001)))])
    path, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    path.write_bytes(pcap([frame("ABCD--"), frame("WXYZ--"), frame("ABCD--", dport=6002), frame("ABCD-", dport=5001)]))
    assert all(r.get("behind") is None for r in ok("explain", path, "-j", "--out", out).json_lines())
    rows = ok("explain", out, "-j").json_lines()
    assert [r["reason"] for r in rows] == ["no_service"] * 4
    assert [r.get("behind") for r in rows] == ["telemetry", "telemetry", None, "other"]
    lines = ok("explain", out).out.splitlines()
    assert ["captured after mangle" in line for line in lines] == [True, True, False, True, False, True], lines


def test_capture_from_standard_input_or_pipe(load, tmp_path):
    load(TABLE)
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap([frame("ABCD--")]))
    want = ok("explain", path, "-j").out
    with open(path, "rb") as f:
        r = run("explain", "/dev/stdin", "-j", stdin=f.read())
    assert r.status in (0, 1), r
    if r.status == 0:
        assert r.out == want
    else:
        ctl.check_error_line(r)


def test_jumbo(load, tmp_path):
    load(service(size={"min": 4, "max": 9000}, tag={"offset": -4, "length": 4}, entities=entities(("TAIL", 6001))))
    for size in (1472, 3600, 5000, 8900):
        row = explain(tmp_path, [frame("x" * (size - 4) + "TAIL")])[0]
        assert brief(row) == ("rewritten", "rewritten", "telemetry", "0x5441494c", 5000, 6001), (size, row)


def test_unknown_to_a_port(load):
    load(service(unknown=7000, invalid="pass"))
    assert brief(explain_hex(frame("WXYZ"))) == ("rewritten", "unknown_tag", "telemetry", "0x5758595a", 5000, 7000)
    assert brief(explain_hex(frame("WXY"))) == ("passed", "too_short", "telemetry", None, 5000, 5000)


@pytest.mark.parametrize("offset, length, payload, tag", [
    (0, 1, "A", "41"), (3, 2, "xxxAB", "4142"), (-4, 4, "xxxxABCD", "41424344"), (-1, 1, "xA", "41"),
    (0, 16, "ABCDEFGHIJKLMNOP", "4142434445464748494a4b4c4d4e4f50"), (-16, 16, "xABCDEFGHIJKLMNOP", "4142434445464748494a4b4c4d4e4f50"),
    (5, 8, "xxxxx\0\0\0\0\0\0\0\0", "0000000000000000"), (-9, 8, "ABCDEFGHx", "4142434445464748")])
def test_where_the_tag_lies(load, offset, length, payload, tag):
    load(service(tag={"offset": offset, "length": length}, size={"min": 0, "max": 100},
                 entities=entities(("0x" + tag, 6001))))
    assert brief(explain_hex(frame(payload))) == ("rewritten", "rewritten", "telemetry", "0x" + tag, 5000, 6001)
    short = brief(explain_hex(frame(payload[:length - 1])))
    assert short == ("passed", "no_tag", "telemetry", None, 5000, 5000)


def test_tcp_segments(load):
    load(service(protocol="tcp", tcp="segment", entities=entities(("ABCD", 6001))))
    assert brief(explain_hex(frame("ABCD", proto=6))) == ("rewritten", "rewritten", "telemetry", "0x41424344", 5000, 6001)
    assert brief(explain_hex(frame("", proto=6)))[:3] == ("passed", "no_payload", "telemetry")
    assert brief(explain_hex(frame("ABCD")))[:3] == ("passed", "no_service", None)


def test_the_changed_table_at_once(one):
    assert explain_hex(frame("ABCD"))["reason"] == "unknown_tag"
    ok("map", "set", "ABCD", "6001")
    assert explain_hex(frame("ABCD"))["new_port"] == 6001
    ok("map", "replace", "-", stdin="ABCD 6002\n")
    assert explain_hex(frame("ABCD"))["new_port"] == 6002
    ok("map", "set", "ABCD", "drop")
    assert explain_hex(frame("ABCD"))["reason"] == "entity_drop"
    ok("map", "del", "ABCD")
    assert explain_hex(frame("ABCD"))["reason"] == "unknown_tag"
    ok("service", "set", "telemetry", "--port", "5001")
    assert explain_hex(frame("ABCD"))["reason"] == "no_service"


# --- which of several services ---------------------------------------------------------------------

def which(name, **settings):
    """A service whose answer tells its name."""
    return service(name, tcp="segment" if settings.get("protocol") in ("tcp", "any") else None, **settings)


def test_longest_destination_then_source_then_protocol(load, tmp_path):
    load([which("all"), which("all-any", protocol="any"),
          which("d16", daddr=["192.0.0.0/16"]), which("d24", daddr=["192.0.2.0/24"]),
          which("d24-any", daddr=["192.0.2.0/24"], protocol="any"),
          which("d24-s24", daddr=["192.0.2.0/24"], saddr=["198.51.100.0/24"]),
          which("d24-s24-any", daddr=["192.0.2.0/24"], saddr=["198.51.100.0/24"], protocol="any"),
          which("d24-s8", daddr=["192.0.2.0/24"], saddr=["198.0.0.0/8"]),
          which("d32", daddr=["192.0.2.9/32"]), which("s32", saddr=["198.51.100.1/32"]),
          which("d0", daddr=["0.0.0.0/0"], ports=[5000]),
          which("v6-48", daddr=["2001:db8:1::/48"]), which("v6-128", daddr=["2001:db8:1::1/128"]),
          which("v6-s", saddr=["2001:db8:2::/48"])])
    cases = [
        ("192.0.2.1", "203.0.113.1", 17, "d24"), ("192.0.2.1", "203.0.113.1", 6, "d24-any"),
        ("192.0.2.1", "198.51.100.1", 17, "d24-s24"), ("192.0.2.1", "198.51.100.1", 6, "d24-s24-any"),
        ("192.0.2.1", "198.18.0.1", 17, "d24-s8"), ("192.0.2.1", "198.18.0.1", 6, "d24-any"),
        ("192.0.2.9", "198.51.100.1", 17, "d32"), ("192.0.2.9", "198.51.100.1", 6, "d24-s24-any"),
        ("192.0.9.1", "198.51.100.1", 17, "d16"), ("192.0.9.1", "203.0.113.1", 6, "all-any"),
        ("192.0.3.0", "203.0.113.1", 17, "d16"), ("191.255.255.255", "198.51.100.2", 6, "all-any"),
        ("2001:db8:1::1", "2001:db8:2::5", 17, "v6-128"), ("2001:db8:1::2", "2001:db8:2::5", 17, "v6-48"),
        ("2001:db8:3::2", "2001:db8:2::5", 17, "v6-s"), ("2001:db8:3::2", "2001:db8:3::5", 17, "all"),
        ("2001:db8:3::2", "2001:db8:3::5", 6, "all-any")]
    rows = explain(tmp_path, [frame("WXYZ", dst=d, src=s, proto=p) for d, s, p, _ in cases])
    assert [r["service"] for r in rows] == [c[3] for c in cases]
    # a service that is taken away gives its packets to the next
    for gone, then in (("d24-s24", "d24-s24-any"), ("d24-s24-any", "d24-s8"), ("d24-s8", "d24"), ("d24", "d24-any"),
                       ("d24-any", "d16"), ("d16", "d0")):
        ok("service", "del", gone)
        assert explain_hex(frame("WXYZ", dst="192.0.2.1", src="198.51.100.1"))["service"] == then


def test_the_longest_of_several_prefixes_counts(load, tmp_path):
    """A service has as many places in the order as it has prefixes."""
    load([service("mixed", daddr=["10.0.0.0/8", "192.0.2.0/28"], saddr=["0.0.0.0/0", "198.51.100.0/24"]),
          service("middle", daddr=["10.1.0.0/16", "192.0.2.0/24"]),
          service("source", daddr=["10.0.0.0/8"], saddr=["198.51.0.0/16"])])
    cases = [("10.2.0.1", "203.0.113.1", "mixed"), ("10.1.0.1", "203.0.113.1", "middle"), ("192.0.2.1", "203.0.113.1", "mixed"),
             ("192.0.2.99", "203.0.113.1", "middle"), ("10.2.0.1", "198.51.100.1", "mixed"), ("10.2.0.1", "198.51.1.1", "source"),
             ("11.0.0.1", "198.51.100.1", None)]
    rows = explain(tmp_path, [frame("WXYZ", dst=d, src=s) for d, s, _ in cases])
    assert [r["service"] for r in rows] == [c[2] for c in cases]


def test_each_service_its_own_rules(load, tmp_path):
    """Same port, other prefixes: tag, size, table and policy are the service's own."""
    load([service("west", daddr=["192.0.2.0/25"], tag={"offset": 0, "length": 2}, size={"min": 2, "max": 10},
                  entities=entities(("AB", 6001)), invalid="drop"),
          service("east", daddr=["192.0.2.128/25"], tag={"offset": -3, "length": 3}, size={"min": 5, "max": 1000},
                  entities=entities(("AB\\x00", 6002), ("ABA", 6003)), unknown=7000)])
    rows = explain(tmp_path, [
        frame("ABAB\0", dst="192.0.2.1"), frame("ABAB\0", dst="192.0.2.129"), frame("xxABA", dst="192.0.2.129"),
        frame("xxABB", dst="192.0.2.129"), frame("x" * 11, dst="192.0.2.1"), frame("x" * 4, dst="192.0.2.129")])
    assert [(r["service"], r["reason"], r["verdict"]) for r in rows] == [
        ("west", "rewritten", "rewritten"), ("east", "rewritten", "rewritten"), ("east", "rewritten", "rewritten"),
        ("east", "unknown_tag", "rewritten"), ("west", "too_long", "dropped"), ("east", "too_short", "passed")]
    assert [r["new_port"] for r in rows][:4] == [6001, 6002, 6003, 7000]


def test_sixteen_ports_eight_and_eight_prefixes(load, tmp_path):
    ports = [1, 65535, *range(20000, 20014)]
    daddr = [f"192.0.{i}.0/24" for i in range(4)] + [f"2001:db8:{i}::/48" for i in range(4)]
    saddr = [f"198.51.{i}.128/25" for i in range(4)] + [f"2001:db8:f{i}::/48" for i in range(4)]
    load(service("wide", ports=ports, daddr=daddr, saddr=saddr, entities=entities(("ABCD", 6001))))
    inside = [frame("ABCD", p, dst=f"192.0.{i}.7", src=f"198.51.{j}.129") for p, i, j in itertools.product(ports, range(4), range(4))]
    inside += [frame("ABCD", p, dst=f"2001:db8:{i}::7", src=f"2001:db8:f{j}::1")
               for p, i, j in itertools.product(ports, range(4), range(4))]
    rows = explain(tmp_path, inside)
    assert {brief(r)[:4] + (r["new_port"],) for r in rows} == {("rewritten", "rewritten", "wide", "0x41424344", 6001)}
    outside = [frame("ABCD", 20014, dst="192.0.0.7", src="198.51.0.129"), frame("ABCD", 2, dst="192.0.0.7", src="198.51.0.129"),
               frame("ABCD", 1, dst="192.0.4.7", src="198.51.0.129"), frame("ABCD", 1, dst="192.0.0.7", src="198.51.0.127"),
               frame("ABCD", 1, dst="2001:db8:4::7", src="2001:db8:f0::1"), frame("ABCD", 1, dst="2001:db8:0::7", src="2001:db8:f4::1")]
    assert {r["reason"] for r in explain(tmp_path, outside)} == {"no_service"}


def test_prefixes_of_one_family_leave_the_other_out(load, tmp_path):
    """A service for IPv4 destinations has no IPv6 packet."""
    load([service("v4", daddr=["0.0.0.0/0"], entities=entities(("ABCD", 6001)))])
    rows = explain(tmp_path, [frame("ABCD"), frame("ABCD", src="2001:db8::1", dst="2001:db8::2")])
    assert [r["service"] for r in rows] == ["v4", None]


def test_random_services_against_a_plain_reading(load, tmp_path):
    """Many overlapping services: the winner is the one that section 2's sentence names."""
    rng = random.Random(7)
    nets = ["0.0.0.0/1", "128.0.0.0/1", "192.0.0.0/8", "192.0.2.0/24", "192.0.2.128/25", "192.0.2.200/32"]

    def inside(address, net):
        base, length = net.split("/")
        number = [int.from_bytes(bytes(map(int, a.split("."))), "big") >> (32 - int(length)) for a in (address, base)]
        return number[0] == number[1]

    services, seen = [], set()
    while len(services) < 60:
        key = (rng.choice(["udp", "tcp", "any"]), rng.choice([5000, 5001]), rng.choice([None, *nets]),
               rng.choice([None, *nets]))
        if key not in seen:
            seen.add(key)
            services.append((f"s{len(services)}", *key))
    load([which(n, protocol=proto, ports=[port], daddr=d and [d], saddr=s and [s]) for n, proto, port, d, s in services])
    packets, want = [], []
    hosts = ["192.0.2.200", "192.0.2.129", "192.0.2.1", "192.0.3.1", "200.0.0.1", "10.0.0.1"]
    for proto, port, dst, src in itertools.product((17, 6), (5000, 5001), hosts, hosts):
        packets.append(frame("WXYZ", port, proto=proto, dst=dst, src=src))
        fits = [(int(d.split("/")[1]) if d else -1, int(s.split("/")[1]) if s else -1, p != "any", n)
                for n, p, q, d, s in services
                if q == port and p in ("any", {17: "udp", 6: "tcp"}[proto])
                and (not d or inside(dst, d)) and (not s or inside(src, s))]
        want.append(max(fits)[3] if fits else None)
    assert [r["service"] for r in explain(tmp_path, packets)] == want
