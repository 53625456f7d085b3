"""The matrix: where the checksum is made × where the packet goes × how the program is attached ×
IPv4 and IPv6 × UDP and TCP. Everything arrives whole at the right port, and what the last device
puts on the wire verifies in full."""

import pytest
from mangletest import ctl, netns

import live

COUNT = 2000
TAGS = [b"ABCD", b"EFGH", bytes(4), b"\xff" * 4, b"\0\0\0\1", b"\1\0\0\0", b"0x41", b"\xde\xad\xbe\xef"]
ENTITIES = {tag: 6001 + i for i, tag in enumerate(TAGS)}
UNKNOWN = b"none"
SPORT = 40000

sender_param = pytest.mark.parametrize("sender", (True, False), ids=("tx-on", "tx-off"))
path_param = pytest.mark.parametrize("path", live.PATHS)
version_param = pytest.mark.parametrize("version", (4, 6), ids=("ipv4", "ipv6"))


@pytest.fixture(scope="module", params=live.MODES)
def steered(request, tmp_path_factory):
    """A line with mangle attached to m0, for all cases of one mode."""
    ctl.purge()
    with netns.Lab() as lab:
        line = live.Line(lab)
        mangle = live.Mangle(tmp_path_factory.mktemp("matrix"))
        mangle.attach(line.mid, "m0", mode=request.param, text=live.config(
            live.service("datagrams", entities=ENTITIES),
            live.service("segments", protocol="tcp", tcp="segment", entities=ENTITIES)))
        line.mode = request.param
        yield line
    ctl.purge()


def directed(payload, flow, proto):
    """The same payload three times over, made so that the checksum is a special one: on arrival it
    equals the pseudo-header's sum, as if it had been left to hardware; after the rewriting it is 0;
    before the rewriting it is 0 (UDP: 0xffff)."""
    pseudo = netns.pseudo_sum(flow["src"], flow["dst"], proto, 8 + len(payload) if proto == netns.UDP
                              else 20 + len(payload))
    target = ENTITIES[payload[:4]]
    return [netns.payload_with_sum(payload, pseudo, proto=proto, **flow, dport=live.SHARED),
            netns.payload_with_sum(payload, 0xffff, proto=proto, **flow, dport=target),
            netns.payload_with_sum(payload, 0xffff, proto=proto, **flow, dport=live.SHARED)]


def batch(case, sender, flow, proto):
    whole = netns.payloads(COUNT, [*TAGS, UNKNOWN], seed=case, size=(10, 1200))
    if sender:  # the one in 65,536 that cannot be told, see test_partial_that_verifies
        return [p for p in whole if not netns.verifies_by_chance(p, **flow, dport=live.SHARED, proto=proto)]
    return whole + [p for tag in TAGS for p in directed(tag + b"directed" + bytes(20), flow, proto)]


@sender_param
@path_param
@version_param
def test_udp(steered, version, path, sender):
    line = steered
    line.offload(sender, live.PATHS[path])
    source, destination, ns, dev = line.ends(version, path)
    flow = {"src": source, "dst": destination, "sport": SPORT}
    datagrams = batch(f"udp{version}{path}{sender}", sender, flow, netns.UDP)
    errors = ns.checksum_errors()
    with line.lab.sockets():
        sockets = live.receivers(line, version, path, (live.SHARED, *ENTITIES.values()))
        capture = netns.Capture(ns, dev)
        live.send_udp(line, version, path, datagrams, SPORT)
        live.expect_equal(live.by_port(sockets, len(datagrams)), live.steer(datagrams, ENTITIES))
        live.check_wire(capture.wait(len(datagrams), lambda p: p.sport == SPORT), len(datagrams))
    assert ns.checksum_errors() == errors


@sender_param
@path_param
@version_param
def test_tcp_segments(steered, version, path, sender):
    """One-way segments, crafted; their sequence numbers leave gaps, so that nothing joins them."""
    line = steered
    line.offload(sender, live.PATHS[path])
    source, destination, ns, dev = line.ends(version, path)
    flow = {"src": source, "dst": destination, "sport": SPORT}
    payloads = batch(f"tcp{version}{path}{sender}", sender, flow, netns.TCP)
    # a SYN and a bare ACK have no payload and stay as they are
    segments = [(p, 0x18) for p in payloads] + [(b"", 0x02), (b"", 0x10)]
    errors = ns.checksum_errors()
    wanted = {}
    with line.lab.sockets():
        capture, raw = netns.Capture(ns, dev), line.snd.raw("s0", vnet=True)
        for i, (payload, flags) in enumerate(segments):
            seq = 100_000 * i & 0xffffffff
            # the special sums are of sequence number 1
            if i >= COUNT and payload:
                seq = 1
            frame = netns.craft(payload, **flow, proto=netns.TCP, seq=seq, flags=flags,
                                checksum="partial" if sender else "full")
            key = (seq, flags, payload)
            wanted[key] = ENTITIES.get(payload[:4], live.SHARED) if payload else live.SHARED
            raw.send((netns.partial_header(frame) if sender else netns.PLAIN_HEADER) + frame)
        packets = capture.wait(len(segments), lambda p: p.sport == SPORT and p.proto == netns.TCP)
    live.check_wire(packets, len(segments))
    came = {(int.from_bytes(p.body[4:8], "big"), p.body[13], p.payload): p.dport for p in packets}
    wrong = {k: (v, came.get(k)) for k, v in wanted.items() if came.get(k) != v}
    assert not wrong, f"{len(wrong)} of {len(wanted)} segments at the wrong port or changed, {list(wrong.items())[:2]}"
    if not sender and path == "local":
        assert any(p.checksum == 0 for p in packets), "TCP has no rule that spares the checksum 0"
    assert ns.checksum_errors() == errors


@path_param
@version_param
def test_udp_trains(steered, version, path):
    """UDP_SEGMENT: one send of many datagrams, which in generic mode is one frame to decide on."""
    line = steered
    line.offload(True, live.PATHS[path])
    _, _, ns, dev = line.ends(version, path)
    trains = []
    for i, tag in enumerate([*TAGS, UNKNOWN]):
        trains.append(b"".join(netns.payloads(20, [tag], seed=i, size=(1000, 1000), start=20 * i)))
    datagrams = [t[i:i + 1000] for t in trains for i in range(0, len(t), 1000)]
    with line.lab.sockets():
        sockets = live.receivers(line, version, path, (live.SHARED, *ENTITIES.values()))
        capture = netns.Capture(ns, dev)
        try:
            live.send_udp(line, version, path, trains, SPORT, gso=1000)
        except OSError as e:
            pytest.skip(f"no UDP_SEGMENT here: {e}")
        live.expect_equal(live.by_port(sockets, len(datagrams)), live.steer(datagrams, ENTITIES))
        if path == "forwarded-egress-off":
            live.check_wire(capture.wait(len(datagrams), lambda p: p.sport == SPORT), len(datagrams))


@version_param
def test_tcp_super_segment(steered, version):
    """A segment that the sender's stack left to hardware to cut up, on its way through to where
    it is cut up and completed in software."""
    line = steered
    line.offload(True, False)
    source, destination, ns, dev = line.ends(version, "forwarded-egress-off")
    size, pieces = 1200, 12
    payload = b"".join(netns.payloads(pieces, [b"EFGH"], seed=version, size=(size, size)))
    frame = netns.craft(payload, src=source, dst=destination, sport=SPORT, proto=netns.TCP, checksum="partial")
    p = netns.read(frame)
    head = netns.VNET.pack(netns.VNET_NEEDS_CSUM, 1 if version == 4 else 4, p.l4 + 20, size, p.l4, 16)
    with line.lab.sockets():
        capture, raw = netns.Capture(ns, dev), line.snd.raw("s0", vnet=True)
        raw.send(head + frame)
        packets = capture.wait(pieces, lambda p: p.sport == SPORT and p.payload)
    live.check_wire(packets, pieces)
    assert {p.dport for p in packets} == {ENTITIES[b"EFGH"]}
    assert b"".join(p.payload for p in packets) == payload


@version_param
def test_partial_that_verifies(steered, version):
    """The PARTIAL frame that looks complete by chance is updated; to a local socket it is good."""
    line = steered
    line.offload(True)
    source, destination, _, _ = line.ends(version, "local")
    flow = {"src": source, "dst": destination, "sport": SPORT}
    payload = b"ABCD" + bytes(40)
    pseudo = netns.pseudo_sum(source, destination, netns.UDP, 8 + len(payload))
    payload = netns.payload_with_sum(payload, pseudo, **flow, dport=live.SHARED)
    assert netns.verifies_by_chance(payload, **flow, dport=live.SHARED)
    with line.lab.sockets():
        sockets = live.receivers(line, version, "local", (live.SHARED, 6001))
        live.send_udp(line, version, "local", [payload], SPORT)
        live.expect_equal(live.by_port(sockets, 1), {6001: [payload]})


def test_connected_tcp_flow(steered):
    """Real connections, checksums left to hardware, whose entities lead to the port they are on
    already: nothing changes for them."""
    import socket
    line = steered
    line.offload(True)
    source, destination, ns, _ = line.ends(4, "local")
    ctl.ok("map", "set", "--service", "segments", "SAME", live.SHARED)
    data = b"SAME" + bytes(range(256)) * 400
    with line.lab.sockets():
        listener = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((destination, live.SHARED))
        listener.listen()
        client = line.snd.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(10)
        client.connect((destination, live.SHARED))
        server, _ = listener.accept()
        server.settimeout(10)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := server.recv(1 << 16):
            got += chunk
        server.close()
    assert got == data
