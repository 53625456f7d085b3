"""Datagrams in fragments arrive whole on the new port; datagrams in jumbo frames too."""

import random
import struct

import pytest
from mangletest import netns

import live

ENTITIES = {b"ABCD": 6001, b"EFGH": 6002, b"\0\0\0\0": 6003}
PORTS = (live.SHARED, *ENTITIES.values())
# bytes that would be a UDP header and a tag, wherever a fragment begins
DECEPTION = struct.pack("!HHHH", 40000, live.SHARED, 1400, 0) + b"ABCD"


def large(count, sizes, seed):
    rng = random.Random(seed)
    tags = [*ENTITIES, b"none"]
    return [tags[i % 4] + struct.pack("!I", i) + (DECEPTION * 5500)[:rng.randint(*sizes)] + rng.randbytes(8)
            for i in range(count)]


@pytest.mark.parametrize("path", ("local", "forwarded-egress-off"))
@pytest.mark.parametrize("mode", live.MODES)
def test_fragmented_by_the_sender(line, mangle, mode, path):
    mangle.attach(line.mid, "m0", mode=mode, text=live.config(live.service(entities=ENTITIES)))
    line.offload(True, live.PATHS[path])
    for version in (4, 6):
        for sender in (True, False):
            line.offload(sender, live.PATHS[path])
            datagrams = large(40, (1500, 60000), f"{version}{sender}")
            before = mangle.stats()
            with line.lab.sockets():
                sent = netns.Capture(line.snd, "s0", outgoing=True)
                sockets = live.receivers(line, version, path, PORTS)
                live.send_udp(line, version, path, datagrams)
                live.expect_equal(live.by_port(sockets, len(datagrams)), live.steer(datagrams, ENTITIES))
                frames = [netns.read(c.memory) for c in sent.frames()]
            later = sum(bool(p.offset) for p in frames)
            _, reasons = live.change(before, mangle.stats())
            assert later > len(datagrams) and reasons["later_fragment"][0] == later
            assert reasons["rewritten"][0] == 30 and reasons["unknown_tag"][0] == 10


def cut(frame, size, order):
    """An IPv4 or IPv6 frame cut in fragments by hand, in the order asked for."""
    p = netns.read(frame)
    body, head = frame[p.l4:], frame[:p.l4]
    pieces = []
    for at in range(0, len(body), size):
        part, more = body[at:at + size], at + size < len(body)
        if p.version == 4:
            ip = bytearray(head[14:])
            ip[2:4] = struct.pack("!H", len(ip) + len(part))
            ip[6:8] = struct.pack("!H", at // 8 | (0x2000 if more else 0))
            ip[10:12] = b"\0\0"
            ip[10:12] = struct.pack("!H", ~netns.ones_sum(bytes(ip)) & 0xffff)
        else:
            ip = bytearray(head[14:])
            ip[4:6] = struct.pack("!H", 8 + len(part))
            kind, ip[6] = ip[6], 44
            ip += struct.pack("!BBHI", kind, 0, at | more, 77)
        pieces.append(head[:14] + bytes(ip) + part)
    return order(pieces)


ORDERS = {"in-order": list, "reversed": lambda p: p[::-1], "first-last": lambda p: p[1:] + p[:1],
          "twisted": lambda p: p[::2] + p[1::2]}


@pytest.mark.parametrize("mode", live.MODES)
def test_crafted_fragments(line, mangle, mode):
    """In any order, with checksum and without."""
    mangle.attach(line.mid, "m0", mode=mode, text=live.config(live.service(entities=ENTITIES)))
    raw = line.snd.raw("s0")
    for version in (4, 6):
        src, dst = netns.addresses(1, version)
        sockets = live.receivers(line, version, "local", PORTS)
        datagrams = []
        for checksum in ("full", "none") if version == 4 else ("full",):
            for i, order in enumerate(ORDERS.values()):
                for size in (8, 200, 1400):
                    d = b"EFGH" + struct.pack("!II", i, size) + (DECEPTION * 20)[:40 if size == 8 else 230] * 9
                    d = d[:90] if size == 8 else d
                    whole = netns.craft(d, src=src, dst=dst, checksum=checksum, ident=len(datagrams) + 1)
                    pieces = cut(whole, size, order)
                    if version == 6:
                        pieces = [p.replace(struct.pack("!I", 77), struct.pack("!I", 100 + len(datagrams)), 1)
                                  for p in pieces]
                    datagrams.append(d)
                    for piece in pieces:
                        raw.send(piece)
        # with fragments of 8 bytes the first holds no tag: such a datagram stays where it was
        expected = {6002: [d for d in datagrams if d[8:12] != struct.pack("!I", 8)],
                    live.SHARED: [d for d in datagrams if d[8:12] == struct.pack("!I", 8)]}
        live.expect_equal(live.by_port(sockets, len(datagrams)), expected)
        for s in sockets.values():
            s.close()
    assert {"no_tag", "later_fragment", "rewritten"} <= mangle.reasons().keys()


def test_scapy_fragments_out_of_order(line, mangle):
    """The same from a fragmenter that is not ours."""
    all_ = pytest.importorskip("scapy.all")
    mangle.attach(line.mid, "m0", text=live.config(live.service(entities=ENTITIES)))
    raw = line.snd.raw("s0")
    payload = b"ABCD" + random.Random(1).randbytes(5000)
    macs = {"dst": netns.mac_of("m0"), "src": netns.mac_of("s0")}
    datagram = all_.UDP(sport=40000, dport=live.SHARED) / payload
    v4 = all_.fragment(all_.IP(src="10.77.1.1", dst="10.77.1.2", id=7) / datagram, fragsize=1200)
    v6 = all_.fragment6(all_.IPv6(src="fd77:1::1", dst="fd77:1::2") / all_.IPv6ExtHdrFragment(id=9) / datagram, 1280)
    for version, pieces in ((4, v4), (6, v6)):
        assert len(pieces) >= 4
        sockets = live.receivers(line, version, "local", PORTS)
        for piece in reversed(pieces):
            raw.send(bytes(all_.Ether(**macs) / piece))
        live.expect_equal(live.by_port(sockets, 1), {6001: [payload]})
    assert mangle.reasons()["rewritten"] == 2


@pytest.mark.parametrize("mode", live.MODES)
def test_tag_beyond_the_first_fragment(line, mangle, mode):
    """no_tag, the policy for what is invalid, and the size test is of the whole datagram."""
    mangle.attach(line.mid, "m0", mode=mode, text=live.config(live.service(
        tag=(2000, 4), size=(4, 5000), entities=ENTITIES)))
    whole = bytes(2000) + b"EFGH" + bytes(800)
    fits = [whole, bytes(2000) + b"ABCD" + bytes(500)]
    for version in (4, 6):
        before = mangle.stats()
        sockets = live.receivers(line, version, "local", PORTS)
        live.send_udp(line, version, "local", [*fits, bytes(5001)])
        live.expect_equal(live.by_port(sockets, 3), {live.SHARED: [*fits, bytes(5001)]})
        _, reasons = live.change(before, mangle.stats())
        reasons.pop("not_udp_tcp", None)  # a multicast report, some day
        assert {k: v[0] for k, v in reasons.items()} == {"no_tag": 2, "too_long": 1, "later_fragment": 2 + 3}


@pytest.mark.parametrize("mode", live.MODES)
@pytest.mark.parametrize("offset", (0, -4))
def test_jumbo_frames(lab, mangle, mode, offset):
    """MTU 9000 at both ends: the tag in the first buffer or in the last."""
    line = live.Line(lab, mtu=9000)
    mangle.attach(line.mid, "m0", mode=mode, text=live.config(live.service(tag=(offset, 4), entities=ENTITIES)))
    assert mangle.attached()[0]["mode"] == mode
    tag = slice(0, 4) if offset == 0 else slice(-4, None)
    rng = random.Random(5)
    sizes = [10, 100, 1472, 3400, 3470, 3480, 3490, 3500, 3521, 3600, 4096, 7000, 8191, 8900, 8951, 8952]
    made = [t + rng.randbytes(n - 4) if offset == 0 else rng.randbytes(n - 4) + t
            for n in sizes for t in (*ENTITIES, b"none")]
    for version in (4, 6):
        datagrams = [d for d in made if len(d) <= (8972 if version == 4 else 8952)]
        for sender in (True, False):
            for path, egress in live.PATHS.items():
                line.offload(sender, egress)
                source, destination, ns, dev = line.ends(version, path)
                here = [d for d in datagrams if not sender or not netns.verifies_by_chance(
                    d, src=source, dst=destination, sport=40000, dport=live.SHARED)]
                with lab.sockets():
                    capture = netns.Capture(ns, dev)
                    sockets = live.receivers(line, version, path, PORTS)
                    live.send_udp(line, version, path, here)
                    live.expect_equal(live.by_port(sockets, len(here)), live.steer(here, ENTITIES, tag=tag))
                    live.check_wire(capture.wait(len(here), lambda p: p.sport == 40000), len(here))


@pytest.mark.parametrize("mode", live.MODES)
def test_jumbo_every_tag_position(lab, mangle, mode):
    """A 16-byte tag at places around where one buffer ends and the next begins."""
    line = live.Line(lab, mtu=9000)
    mangle.attach(line.mid, "m0", mode=mode, text=live.config(live.service(tag=(0, 16))))
    tag = bytes(range(1, 17))
    line.offload(False, True)
    sockets = live.receivers(line, 4, "local", (live.SHARED, 6001))
    for i, offset in enumerate((3300, 3440, 3456, 3461, 3470, 3478, 3480, 3500, 7500, 8900)):
        mangle.apply(live.config(live.service(tag=(offset, 16), entities={tag: 6001})))
        datagram = struct.pack("!I", i) + bytes(offset - 4) + tag + bytes(30)
        live.send_udp(line, 4, "local", [datagram])
        live.expect_equal(live.by_port(sockets, 1), {6001: [datagram]})
