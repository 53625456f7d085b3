"""Several services on one port, told apart by prefix, interface and protocol, with real packets."""

import ipaddress
import socket

import pytest
from mangletest import ctl, netns

import live

# name: (port, daddr, saddr, interface); the order is not the order of precedence
SERVICES = {
    "any": (6000, [], [], None),
    "d16": (6001, ["10.99.0.0/16"], [], None),
    "d24": (6002, ["10.99.1.0/24"], [], None),
    "d24-s24": (6003, ["10.99.1.0/24"], ["10.98.0.0/24"], None),
    "d24-s32": (6004, ["10.99.1.0/24"], ["10.98.0.2/32"], None),
    "s16": (6005, [], ["10.98.0.0/16"], None),
    "iface": (6006, [], [], "m2"),
    "d32": (6007, ["10.99.1.2/32"], [], None),
    "d16-iface": (6008, ["10.99.0.0/16"], [], "m2"),
    "several": (6009, ["10.97.1.0/24", "10.97.3.4/32", "fd97::/16"], ["10.98.0.0/24", "fd98::/64"], None),
    "six": (6010, ["fd99::/16"], [], None),
    "six64": (6011, ["fd99:1::/64"], [], None),
    "six128": (6012, ["fd99:1::5/128"], [], None),
}
SOURCES = {4: ("10.77.1.1", "10.98.0.1", "10.98.0.2", "10.98.7.1"), 6: ("fd77:1::1", "fd98::1", "fd98:1::1")}
DESTINATIONS = {
    4: ("10.77.1.2", "10.99.0.1", "10.99.1.1", "10.99.1.2", "10.97.1.1", "10.97.2.1", "10.97.3.4"),
    6: ("fd77:1::2", "fd99::1", "fd99:1::1", "fd99:1::5", "fd99:1:0:1::5", "fd97:5::1")}


def best(src, dst, dev):
    """The service that should win, by the manual's order, told anew."""
    def longest(prefixes, address):
        if not prefixes:
            return -1
        return max((ipaddress.ip_network(p).prefixlen for p in prefixes
                    if ipaddress.ip_address(address) in ipaddress.ip_network(p)), default=None)

    found = []
    for port, daddr, saddr, iface in SERVICES.values():
        d, s = longest(daddr, dst), longest(saddr, src)
        if d is not None and s is not None and iface in (None, dev):
            found.append((d, s, iface is not None, port))
    return max(found)[3]


@pytest.mark.parametrize("mode", live.MODES)
def test_precedence(line, mangle, mode):
    lab = line.lab
    lab.join(line.snd, "s2", line.mid, "m2", 3)
    for version in (4, 6):
        width = 32 if version == 4 else 128
        nodad = "" if version == 4 else "nodad"
        for a in SOURCES[version][1:]:
            line.snd.ip(f"address add {a}/{width} dev lo {nodad}")
        for a in DESTINATIONS[version][1:]:
            line.mid.ip(f"address add {a}/{width} dev lo {nodad}")
    line.snd.ip("route add default via 10.77.3.2 dev s2 metric 5000",
                "route add default via fd77:3::2 dev s2 metric 5000")
    text = live.config(*(live.service(name, entities={b"ABCD": port}, **{k: v for k, v in (
        ("daddr", daddr), ("saddr", saddr), ("interface", iface)) if v})
        for name, (port, daddr, saddr, iface) in SERVICES.items()))
    mangle.attach(line.mid, "m0", "m2", mode=mode, text=text)
    ports = [live.SHARED, *(s[0] for s in SERVICES.values())]
    sockets = {}
    for port in ports:
        s = line.mid.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.bind(("::", port))
        s.setblocking(False)
        sockets[port] = s
    expected = {port: [] for port in ports}
    for version in (4, 6):
        for dev, peer in (("s0", "m0"), ("s2", "m2")):
            for src in SOURCES[version]:
                s = line.snd.udp(src, 40000)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev.encode())
                for dst in DESTINATIONS[version]:
                    if dev == "s2" and dst == DESTINATIONS[version][0]:
                        continue  # its route leads over s0 only
                    datagram = f"ABCD {src} {dst} {dev}".encode()
                    expected[best(src, dst, peer)].append(datagram)
                    s.sendto(datagram, (dst, live.SHARED))
                s.close()
    assert all(expected[p] for p in ports[1:]), "a service without a packet of its own"
    live.expect_equal(live.by_port(sockets, sum(map(len, expected.values()))), expected)
    # and each service has counted its own
    services = mangle.stats()["services"]
    assert {n: s["packets"]["rewritten"] for n, s in services.items()} == {
        n: len(expected[p[0]]) for n, p in SERVICES.items()}
    rows = ctl.js("map", "list")
    assert {r["service"]: r["packets"] for r in rows} == {n: len(expected[p[0]]) for n, p in SERVICES.items()}


def test_exact_protocol_over_any(line, mangle):
    mangle.attach(line.mid, "m0", text=live.config(
        live.service("both", protocol="any", tcp="segment", entities={b"ABCD": 6001}),
        live.service("exact", entities={b"ABCD": 6002})))
    src, dst = netns.addresses(1, 4)
    capture, raw = netns.Capture(line.mid, "m0"), line.snd.raw("s0")
    for proto in (netns.UDP, netns.TCP):
        raw.send(netns.craft(b"ABCDEFGH", src=src, dst=dst, proto=proto))
    came = {p.proto: p.dport for p in capture.wait(2, lambda p: p.sport == 40000)}
    assert came == {netns.UDP: 6002, netns.TCP: 6001}


def test_added_and_deleted_live(line, mangle):
    """service add, set and del take effect on the next packet; several ports lead into one table."""
    mangle.attach(line.mid, "m0", text=live.config(live.service(ports=(5000, 5001), entities={b"ABCD": 6001})))
    src, dst = netns.addresses(1, 4)
    sockets = live.receivers(line, 4, "local", (5000, 5001, 5002, 6001, 6002))

    def to(port, payload=b"ABCD"):
        s = line.snd.udp(src, 40000)
        s.sendto(payload, (dst, port))
        s.close()
        got = live.by_port(sockets, 1)
        return [p for p, datagrams in got.items() if datagrams]

    assert [to(p) for p in (5000, 5001, 5002)] == [[6001], [6001], [5002]]
    ctl.ok("service", "add", "second", "--proto", "udp", "--port", "5002", "--tag", "1:2", "--size", "3:100")
    assert to(5002) == [5002]
    ctl.ok("map", "set", "--service", "second", "BC", "6002")
    assert to(5002) == [6002] and to(5000) == [6001]
    ctl.ok("service", "set", "second", "--size", "5:100", "--invalid", "drop")
    assert to(5002, b"ABCDE") == [6002]
    s = line.snd.udp(src, 40000)
    s.sendto(b"ABCD", (dst, 5002))
    s.close()
    assert live.by_port(sockets, 0, quiet=0.1) == {p: [] for p in sockets}
    ctl.ok("service", "del", "second")
    assert to(5002) == [5002] and to(5001) == [6001]
    ctl.ok("service", "set", "default", "--port", "5001")
    assert to(5000) == [5000] and to(5001) == [6001]


def test_segment_mode_warns(line, mangle):
    """Segment by segment breaks connections: attach and status say so, the program works all the same."""
    r = mangle.attach(line.mid, "m0", text=live.config(
        live.service(protocol="tcp", tcp="segment", entities={b"ABCD": 6001})))
    assert "segment" in r.err, r
    assert any("segment" in w for w in ctl.js("status")["warnings"])
    src, dst = netns.addresses(1, 4)
    capture, raw = netns.Capture(line.mid, "m0"), line.snd.raw("s0")
    for payload, flags in ((b"", 0x02), (b"", 0x10), (b"ABCD", 0x18), (b"", 0x11), (b"ABCDE", 0x19), (b"none", 0x18)):
        raw.send(netns.craft(payload, src=src, dst=dst, proto=netns.TCP, flags=flags))
    came = [(p.dport, p.payload) for p in capture.wait(6, lambda p: p.sport == 40000)]
    assert came == [(5000, b""), (5000, b""), (6001, b"ABCD"), (5000, b""), (6001, b"ABCDE"), (5000, b"none")]
    reasons = mangle.reasons()
    assert {k: reasons[k] for k in ("no_payload", "rewritten", "unknown_tag")} == {
        "no_payload": 3, "rewritten": 2, "unknown_tag": 1}
