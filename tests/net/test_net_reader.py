"""The readers themselves, without mangle: a known program on the wire, and the truth that was
measured with it. A test of checksums is worth what its reader can tell apart."""

import time

import pytest
from mangletest import netns

import live

COUNT = 200


@pytest.mark.parametrize("update", (False, True), ids=("no-update", "update"))
@pytest.mark.parametrize("mode", live.MODES)
@pytest.mark.parametrize("version", (4, 6))
def test_truth_table(line, build, mode, version, update):
    """What sockets get, and what the reader says about the same frames."""
    program = build("steer.bpf.c", *(["-DUPDATE"] if update else []))
    line.mid.ip(f"link set dev m0 {'xdpgeneric' if mode == 'generic' else 'xdpdrv'} obj {program} sec xdp")
    for sender in (True, False):
        for path, egress in live.PATHS.items():
            line.offload(sender, egress)
            source, destination, ns, dev = line.ends(version, path)
            whole = netns.payloads(COUNT, [b"ABCD"], seed=f"{sender}{path}")
            whole = [p for p in whole if not netns.verifies_by_chance(
                p, src=source, dst=destination, sport=40000, dport=live.SHARED)]
            with line.lab.sockets():
                sockets = live.receivers(line, version, path, (live.SHARED, 6001))
                capture = netns.Capture(ns, dev)
                before = ns.checksum_errors()
                live.send_udp(line, version, path, whole)
                packets = capture.wait(len(whole), lambda p: p.dport == 6001)
                came = live.by_port(sockets, len(whole), timeout=0.2)
            complete = sum(p.sum_ok() for p in packets)
            # a frame left to hardware is good as it is, one that came complete wants the update
            right = sender != update
            hidden = sender and update and path != "forwarded-egress-off"  # veth completes nothing
            where = f"sender {sender}, {path}"
            assert len(packets) == len(whole), where
            assert complete == (len(whole) if right else 0), where
            delivered = len(whole) if right or hidden else 0
            assert (len(came[6001]), len(came[live.SHARED])) == (delivered, 0), where
            assert ns.checksum_errors() - before == len(whole) - delivered, where


def test_own_sums_against_scapy():
    """Crafted frames and computed sums agree with scapy's, which knows nothing of them."""
    all_ = pytest.importorskip("scapy.all")
    for version in (4, 6):
        src, dst = netns.addresses(1, version)
        for proto in live.PROTOCOLS.values():
            for vlans in ((), ((0x8100, 5),), ((0x88a8, 7), (0x8100, 9))):
                for payload in netns.payloads(5, [b"ABCD"], seed=1):
                    frame = netns.craft(payload, src=src, dst=dst, proto=proto, vlans=vlans)
                    theirs = all_.Ether(frame)
                    transport = theirs[all_.UDP if proto == netns.UDP else all_.TCP]
                    assert bytes(transport.payload) == payload
                    assert theirs.summary().count("Dot1Q") <= 2
                    kept = transport.chksum
                    del transport.chksum
                    if version == 4:
                        del theirs[all_.IP].chksum
                    assert bytes(theirs) == frame
                    p = netns.read(frame)
                    assert p.sum_ok() and p.checksum == kept and p.payload == payload and p.vlans == vlans
                    for bit in (0, 5):  # the reader must be able to say no
                        spoilt = frame[:-1] + bytes([frame[-1] ^ 1 << bit])
                        assert not netns.read(spoilt).sum_ok()


def test_completion_is_a_cards():
    """A partial frame, completed, is the full one; and it is partial in the kernel's eyes."""
    for version in (4, 6):
        src, dst = netns.addresses(1, version)
        for proto in live.PROTOCOLS.values():
            whole = netns.craft(b"ABCDxyz", src=src, dst=dst, proto=proto)
            partial = netns.craft(b"ABCDxyz", src=src, dst=dst, proto=proto, checksum="partial")
            p = netns.read(partial)
            assert not p.sum_ok()
            assert netns.complete(partial, p.l4, netns.transport_offset(proto)) == whole


def test_payload_with_sum():
    for proto in live.PROTOCOLS.values():
        where = {"src": "10.77.1.1", "dst": "10.77.1.2", "sport": 40000, "dport": 6001, "proto": proto}
        for wanted in (0x1234, 0xffff, 1):
            payload = netns.payload_with_sum(b"ABCD" + bytes(30), wanted, **where)
            assert netns.read(netns.craft(payload, **where)).checksum in (wanted, wanted % 0xffff)


def test_partial_frames_from_a_raw_socket(line):
    """Crafted frames can be left to hardware too: in memory they are not complete, on the wire they are."""
    src, dst, ns, dev = line.ends(4, "local")
    for sender in (True, False):
        line.offload(sender)
        with line.lab.sockets():
            capture, raw = netns.Capture(ns, dev), line.snd.raw("s0", vnet=True)
            frames = [netns.craft(b"ABCD%d" % i, src=src, dst=dst, proto=netns.TCP, seq=100000 * i,
                                  checksum="partial") for i in range(20)]
            for frame in frames:
                raw.send(netns.partial_header(frame) + frame)
            packets = capture.wait(len(frames), lambda p: p.dport == live.SHARED)
            live.check_wire(packets, len(frames))


@pytest.mark.parametrize("vid", (0, 5))
def test_captured_tags(line, vid):
    """Tags that the kernel took off are put back in their place."""
    src, dst, ns, dev = line.ends(4, "local")
    line.mid.offload("m0", rxvlan=False)
    capture, raw = netns.Capture(ns, dev), line.snd.raw("s0")
    for vlans in ((), ((0x8100, vid),), ((0x88a8, vid), (0x8100, 9))):
        frame = netns.craft(b"ABCDEFGH", src=src, dst=dst, vlans=vlans)
        raw.send(frame)
        assert [p.frame for p in capture.wait(1, lambda p: p.dport == live.SHARED)] == [frame]


@pytest.mark.parametrize("mode", live.MODES)
def test_stream_sees_what_goes_wrong(line, build, blast, tmp_path, mode):
    """The counting stream: all is well with a program on the device, and taking it off for a moment
    shows as datagrams on the shared port."""
    program = build("steer.bpf.c", "-DUPDATE")
    kind = "xdpgeneric" if mode == "generic" else "xdpdrv"
    for away in (False, True):
        line.mid.ip(f"link set dev m0 {kind} obj {program} sec xdp")
        stream = live.Stream(blast, line, [b"ABCD", b"EFGH"], [6001], tmp=tmp_path)
        time.sleep(0.5)
        if away:
            line.mid.ip(f"link set dev m0 {kind} off")
        time.sleep(0.1)
        answer = stream.finish()
        if away:
            assert answer["shared"] > 0 and answer["lost"] == 0, answer
        else:
            live.check_stream(answer, 5000)
            assert answer["ports"] == {"6001": answer["unique"]}
            line.mid.ip(f"link set dev m0 {kind} off")
    # another entity's port is told by the sequence number
    line.mid.ip(f"link set dev m0 {kind} obj {program} sec xdp")
    stream = live.Stream(blast, line, [b"ABCD", b"EFGH"], [6001, 6002], modulo=2, tmp=tmp_path)
    time.sleep(0.2)
    answer = stream.finish()
    assert abs(answer["misplaced"] - answer["unique"] / 2) <= 1 and answer["unique"] > 1000, answer
