"""Crafted frames, read off the receiving device: VLAN tags in band, header options, padding,
checksums that are absent, zero or wrong. What is not ours leaves byte for byte as it came."""

import pytest
from mangletest import netns

import live

ENTITIES = {b"ABCD": 6001, b"\0\0\0\0": 6002, b"DROP": "drop"}
TAGGINGS = {
    "untagged": (), "q": ((0x8100, 5),), "ad": ((0x88a8, 5),), "ad-q": ((0x88a8, 5), (0x8100, 9)),
    "q-q": ((0x8100, 5), (0x8100, 0xe009)), "q-ad": ((0x8100, 7), (0x88a8, 9)), "priority": ((0x8100, 0xa000),),
}


@pytest.fixture(params=live.MODES)
def steered(request, line, mangle):
    """mangle on m0; the device leaves VLAN tags in the frame."""
    line.mid.offload("m0", rxvlan=False)
    mangle.attach(line.mid, "m0", mode=request.param, text=live.config(
        live.service("datagrams", entities=ENTITIES),
        live.service("segments", protocol="tcp", tcp="segment", entities=ENTITIES)))
    line.mangle = mangle
    return line


def through(line, frames):
    """Sends frames, each with its number in the source port, and gives what came out, by that port;
    None for those that did not."""
    capture, raw = netns.Capture(line.mid, "m0"), line.snd.raw("s0")
    for frame in frames:
        raw.send(frame)
    raw.send(netns.craft(b"the end", src="10.77.1.1", dst="10.77.1.2", sport=9, dport=9))
    last, came = False, {}

    def collect():
        nonlocal last
        for c in capture.frames():
            p = netns.read(c.frame)
            last = last or p.sport == 9
            came[p.sport] = c.frame
        return last

    assert netns.wait_for(collect), "the last frame did not come through"
    return [came.get(netns.read(f).sport) for f in frames]


def rewritten(frame, port):
    """The frame as it should leave: another port, and the checksum made anew from all its bytes."""
    p = netns.read(frame)
    at = p.l4 + netns.transport_offset(p.proto)
    new = bytearray(frame)
    new[p.l4 + 2:p.l4 + 4] = port.to_bytes(2, "big")
    new[at:at + 2] = b"\0\0"
    length = int.from_bytes(p.body[4:6], "big") if p.proto == netns.UDP else p.l4_length
    total = netns.fold(netns.pseudo_sum(p.src, p.dst, p.proto, length)
                       + netns.ones_sum(bytes(new[p.l4:p.l4 + length])))
    value = ~total & 0xffff
    if p.proto == netns.UDP:
        value = value or 0xffff
    new[at:at + 2] = value.to_bytes(2, "big")
    return bytes(new)


def numbered(made):
    """Frames from functions of the source port."""
    return [make(20000 + i) for i, make in enumerate(made)]


def test_vlan_tags(steered):
    """0, 1 and 2 tags of either kind: rewritten, tags and everything else untouched."""
    cases = []
    for vlans in TAGGINGS.values():
        for version in (4, 6):
            src, dst = netns.addresses(1, version)
            for proto in live.PROTOCOLS.values():
                for payload in netns.payloads(6, list(ENTITIES)[:2] + [b"none"], seed=1, size=(9, 1100)):
                    cases.append((ENTITIES.get(payload[:4]), lambda sport, k=(src, dst, proto, vlans, payload):
                                  netns.craft(k[4], src=k[0], dst=k[1], proto=k[2], vlans=k[3], sport=sport)))
    frames = numbered(make for _, make in cases)
    assert len(frames) == 7 * 2 * 2 * 6
    for frame, came, (port, _) in zip(frames, through(steered, frames), cases):
        p = netns.read(frame)
        assert came == (rewritten(frame, port) if port else frame), (p.vlans, p.version, p.proto)
        if port:
            q = netns.read(came)
            assert q.sum_ok() and q.dport == port and q.vlans == p.vlans
    # scapy reads the same from it
    all_ = pytest.importorskip("scapy.all")
    tagged = next(c for f, c in zip(frames, through(steered, frames)) if len(netns.read(f).vlans) == 2)
    theirs = all_.Ether(tagged)
    assert theirs[all_.UDP].dport in (6001, 6002)
    kept, theirs[all_.UDP].chksum = theirs[all_.UDP].chksum, None
    assert all_.Ether(bytes(theirs))[all_.UDP].chksum == kept


def test_three_tags_are_too_many(steered):
    src, dst = netns.addresses(1, 4)
    frame = netns.craft(b"ABCDEFGH", src=src, dst=dst, vlans=((0x8100, 1), (0x8100, 2), (0x8100, 3)), sport=20000)
    before = steered.mangle.stats()
    assert through(steered, [frame]) == [frame]
    _, reasons = live.change(before, steered.mangle.stats())
    assert reasons["not_ip"] == (1, len(frame))


def test_priority_tag_to_a_socket(steered):
    """VLAN 0 carries a priority only; the stack delivers it."""
    for version in (4, 6):
        src, dst = netns.addresses(1, version)
        sockets = live.receivers(steered, version, "local", (live.SHARED, 6001))
        raw = steered.snd.raw("s0")
        datagrams = netns.payloads(20, [b"ABCD", b"none"], seed=2)
        for d in datagrams:
            raw.send(netns.craft(d, src=src, dst=dst, vlans=((0x8100, 0xa000),)))
        live.expect_equal(live.by_port(sockets, 20), live.steer(datagrams, {b"ABCD": 6001}))


def test_headers_and_checksums(steered):
    """Options and extension headers are walked over; UDP 0 stays 0 and never comes of an update; a
    wrong checksum stays wrong; padding is no payload."""
    v4 = dict(zip(("src", "dst"), netns.addresses(1, 4)))
    v6 = dict(zip(("src", "dst"), netns.addresses(1, 6)))
    hop, dest = (0, b"\1\4\0\0\0\0"), (60, b"\1\4\0\0\0\0")
    routing = (43, bytes(6))  # no segments left
    body = b"ABCD" + bytes(range(40))
    tcp = {"proto": netns.TCP}

    def zero(proto, where, port):
        def make(sport):
            payload = netns.payload_with_sum(body, 0xffff, proto=proto, **where, sport=sport, dport=port)
            return netns.craft(payload, proto=proto, **where, sport=sport)
        return make

    cases = {
        "IPv4 options": (6001, lambda s: netns.craft(body, **v4, sport=s, options=b"\1" * 3 + b"\0")),
        "most IPv4 options": (6001, lambda s: netns.craft(body, **v4, sport=s, options=b"\1" * 40)),
        "IPv4 options, TCP": (6001, lambda s: netns.craft(body, **v4, **tcp, sport=s, options=b"\1" * 8)),
        "IPv6 extension headers": (6001, lambda s: netns.craft(body, **v6, sport=s, extension=[hop, routing, dest])),
        "IPv6 extension headers, TCP": (6001, lambda s: netns.craft(body, **v6, **tcp, sport=s, extension=[hop, dest])),
        "atomic fragment": (6001, lambda s: netns.craft(body, **v6, sport=s, extension=[(44, b"\0\0\0\0\0\7")])),
        "no checksum": (6001, lambda s: netns.craft(body, **v4, sport=s, checksum="none")),
        "no checksum on IPv6": (6001, lambda s: netns.craft(body, **v6, sport=s, checksum="none")),
        "wrong checksum": (6001, lambda s: netns.craft(body, **v4, sport=s, checksum="wrong")),
        "wrong checksum, TCP": (6001, lambda s: netns.craft(body, **v6, **tcp, sport=s, checksum="wrong")),
        "comes to 0": (6001, zero(netns.UDP, v4, 6001)),
        "comes to 0 on IPv6": (6001, zero(netns.UDP, v6, 6001)),
        "comes to 0, TCP": (6001, zero(netns.TCP, v4, 6001)),
        "was 0xffff": (6001, zero(netns.UDP, v4, live.SHARED)),
        "padding": (6001, lambda s: netns.craft(b"ABCD", **v4, sport=s, padding=b"WXYZ" + bytes(14))),
        "trailing bytes": (6001, lambda s: netns.craft(body, **v6, sport=s, padding=b"trailer")),
        "a tag in the padding": (None, lambda s: netns.craft(b"AB", **v4, sport=s, padding=b"CD" + bytes(14))),
        "a UDP length that is shorter": (6001, lambda s: netns.craft(body, **v4, sport=s, udp_length=20,
                                                                     checksum="none")),
        "a UDP length that is longer": (None, lambda s: netns.craft(body, **v4, sport=s, udp_length=100)),
        "another port": (None, lambda s: netns.craft(body, **v4, sport=s, dport=5001)),
        "dropped": ("drop", lambda s: netns.craft(b"DROP", **v4, sport=s)),
    }
    frames = numbered(make for _, make in cases.values())
    special = {"no checksum", "no checksum on IPv6", "a UDP length that is shorter", "wrong checksum",
               "wrong checksum, TCP"}
    for (name, (port, _)), frame, came in zip(cases.items(), frames, through(steered, frames)):
        if port == "drop":
            assert came is None, name
        elif port is None:
            assert came == frame, name
        elif name not in special:
            assert came == rewritten(frame, port), name
            assert netns.read(came).sum_ok(), name
        else:
            was, now = netns.read(frame), netns.read(came)
            assert now.dport == port and now.payload == was.payload, name
            if was.checksum == 0:
                at = was.l4 + 2
                assert came == frame[:at] + port.to_bytes(2, "big") + frame[at + 2:], name
            else:
                assert not now.sum_ok(), name
    zeros = {name: netns.read(c).checksum for name, c in zip(cases, through(steered, frames)) if "comes to" in name}
    assert zeros == {"comes to 0": 0xffff, "comes to 0 on IPv6": 0xffff, "comes to 0, TCP": 0}


def test_wrong_checksum_is_not_delivered(steered):
    """Nothing is repaired: what the stack would have refused it refuses on the new port too."""
    line = steered
    src, dst = netns.addresses(1, 4)
    sockets = live.receivers(line, 4, "local", (live.SHARED, 6001))
    before = line.mid.checksum_errors()
    raw = line.snd.raw("s0")
    for i in range(50):
        raw.send(netns.craft(b"ABCD%d" % i, src=src, dst=dst, checksum="wrong"))
    raw.send(netns.craft(b"ABCD last", src=src, dst=dst))
    live.expect_equal(live.by_port(sockets, 1), {6001: [b"ABCD last"]})
    assert line.mid.checksum_errors() - before == 50
