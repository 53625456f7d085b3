"""reply: true. A client that knows the shared port only holds an ordinary UDP conversation with a server that
is on its entity's port, ICMP errors included; and everything else that leaves stays as it is."""

import contextlib
import ctypes
import os
import random
import select
import socket
import struct

import pytest
from mangletest import ctl, netns

import live
from live import SHARED

ENTITIES = {b"ABCD": 6001, b"EFGH": 6002, b"\0\0\0\0": 6003}
SO_NO_CHECK, UDP_NO_CHECK6_TX, UDP_NO_CHECK6_RX, UDP_SEGMENT = 11, 101, 102, 103
ICMP, ICMP6 = 1, 58

version_param = pytest.mark.parametrize("version", (4, 6), ids=("ipv4", "ipv6"))
offload_param = pytest.mark.parametrize("offload", (True, False), ids=("tx-on", "tx-off"))


def text(*more, **settings):
    return live.config(live.service("ask", **{"entities": ENTITIES, "reply": True, **settings}), *more)


@pytest.fixture
def line(lasting):
    """The line as it was in the beginning."""
    for ns, dev in ((lasting.snd, "s0"), (lasting.mid, "m0")):
        ns.offload(dev, tx=True)
    lasting.mid.sysctl("ipv4/ip_local_port_range", "32768 60999")
    with lasting.lab.sockets():
        yield lasting


@pytest.fixture
def running(line, tmp_path):
    """running(text): m0 is attached, in native mode, and this is what runs."""
    mangle = live.Mangle(tmp_path)

    def call(config):
        if ctl.pins() and ctl.run("-n", line.mid.name, "status", "m0").status == 0:
            mangle.apply(config)
        else:
            ctl.purge()
            mangle.attach(line.mid, "m0", text=config)
        return mangle

    return call


@pytest.fixture
def replying(line, running):
    running(text())
    return line


# --- conversations --------------------------------------------------------------------------------

def receive(s, timeout=2.0):
    """(payload, (address, port) it came from), None where nothing comes."""
    ready, _, _ = select.select([s], [], [], timeout)
    if not ready:
        return None
    data, peer = s.recvfrom(1 << 16)
    return data, peer[:2]


def client_of(line, version, port=SHARED, connected=True, path="local", sport=0):
    source, destination, _, _ = line.ends(version, path)
    s = line.snd.udp(source, sport)
    if connected:
        s.connect((destination, port))
    return s


def servers_of(line, version, ports=tuple(ENTITIES.values()), path="local"):
    return live.receivers(line, version, path, ports)


def ask(client, server, question, answer=None, to=None):
    """The question goes to the shared port (or `to`) and has to come out at the server; the answer, else the
    question again, comes back from there: what the client gets, and from where."""
    if to:
        client.sendto(question, to)
    else:
        client.send(question)
    got = receive(server)
    assert got and got[0] == question, f"the question did not come to port {server.getsockname()[1]}: {got}"
    server.sendto(question if answer is None else answer, got[1])
    return receive(client)


def replies(line, tag=b"ABCD", server="10.77.1.2", client="10.77.1.1", target=6001):
    """From which port a reply of the target comes: an unconnected client asks."""
    with line.lab.sockets():
        at, s = line.mid.udp(server, target), line.snd.udp(client, 0)
        got = ask(s, at, tag + b" who?", to=(server, SHARED))
        assert got and got[0] == tag + b" who?" and got[1][0] == server, got
        return got[1][1]


def converse(line, version):
    """Several entities, one socket each, all to the one address and port that the client knows."""
    servers = servers_of(line, version)
    peer = line.ends(version, "local")[1], SHARED
    clients = {tag: client_of(line, version) for tag in ENTITIES}
    for i in range(5):
        for tag, client in clients.items():
            question = tag + b"question %d" % i
            assert ask(client, servers[ENTITIES[tag]], question) == (question, peer)
    # nothing more came, nowhere
    assert not any(select.select([*servers.values(), *clients.values()], [], [], 0.05)[0])


@version_param
def test_connected(replying, version):
    converse(replying, version)


@version_param
def test_one_client_of_many_entities(replying, version):
    """One socket, connected or not, talks with all of them in turn."""
    line = replying
    servers = servers_of(line, version)
    peer = line.ends(version, "local")[1], SHARED
    for connected in (True, False):
        client = client_of(line, version, connected=connected)
        for tag, target in [*ENTITIES.items()] * 3:
            question = tag + b"!"
            assert ask(client, servers[target], question, answer=b"from %d" % target,
                       to=None if connected else peer) == (b"from %d" % target, peer)


@version_param
def test_forwarded(line, running, version):
    """The server is behind this host, the service names it, and what it answers leaves here."""
    running(text(daddr=[netns.addresses(2, version)[1]]))
    servers = servers_of(line, version, path="forwarded-egress-on")
    peer = line.ends(version, "forwarded-egress-on")[1], SHARED
    client = client_of(line, version, path="forwarded-egress-on")
    for tag, target in ENTITIES.items():
        assert ask(client, servers[target], tag + b" far") == (tag + b" far", peer)


def test_an_answer_that_nobody_asked_for(replying):
    """There is no state: what leaves from a target's port to whomever leaves from the shared port."""
    line = replying
    server, client = line.mid.udp("10.77.1.2", 6001), line.snd.udp("10.77.1.1", 41000)
    server.sendto(b"news", ("10.77.1.1", 41000))
    assert receive(client) == (b"news", ("10.77.1.2", SHARED))


def test_unknown_port_is_a_target(line, running):
    """The port that unknown tags go to answers from the shared port too."""
    running(text(unknown=6900))
    assert replies(line, tag=b"none", target=6900) == SHARED
    assert replies(line) == SHARED


# --- checksums ------------------------------------------------------------------------------------

def answers_on_the_wire(line, version, target, answers, prepare=lambda server, client: None, count=None):
    """The server sends the answers to a client that has asked; (what the client got, frames as they left)."""
    count = len(answers) if count is None else count
    with line.lab.sockets():
        server, client = servers_of(line, version, (target,))[target], client_of(line, version, sport=41500)
        prepare(server, client)
        client.send(next(t for t, p in ENTITIES.items() if p == target))
        _, peer = receive(server)
        assert peer == (line.ends(version, "local")[0], 41500)
        capture = netns.Capture(line.snd, "s0")
        for a in answers:
            server.sendto(a, peer)
        got = netns.drain([client], count, quiet=0.05)[client]
        packets = capture.wait(0) + [netns.read(c.frame) for c in capture.frames()]
        return got, [p for p in packets if p.dport == 41500]


def special(flow, payload):
    """Payloads whose checksum is 0, which is sent as 0xffff, from the target's port and from the shared one."""
    return [netns.payload_with_sum(payload, 0xffff, **{**flow, "sport": sport}) for sport in (6001, SHARED)]


@offload_param
@version_param
def test_checksums(replying, version, offload):
    """Every reply, on the wire, verifies in full, whoever has to complete it; the special sums are among them."""
    line = replying
    line.mid.offload("m0", tx=offload)
    source, near = netns.addresses(1, version)
    flow = {"src": near, "dst": source, "sport": SHARED, "dport": 41500}
    answers = netns.payloads(1000, [b"ABCD", b"what"], seed=f"{version}{offload}", size=(10, 1400))
    answers += special(flow, b"ABCD" + bytes(20)) + special(flow, b"ABCD" + bytes(41)) + [b"", b"x"]
    got, packets = answers_on_the_wire(line, version, 6001, answers)
    assert got == answers
    live.check_wire(packets, len(answers))
    assert {p.sport for p in packets} == {SHARED}
    assert [p.payload for p in packets] == answers
    assert sum(p.checksum == 0xffff for p in packets) >= 2
    assert not any(p.checksum == 0 for p in packets)


@version_param
def test_no_checksum_stays_none(replying, version):
    """UDP checksum 0 says that there is none, and there is none afterwards."""
    line = replying

    def prepare(server, client):
        if version == 4:
            server.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        else:
            server.setsockopt(17, UDP_NO_CHECK6_TX, 1)
            client.setsockopt(17, UDP_NO_CHECK6_RX, 1)

    for offload in (True, False):
        line.mid.offload("m0", tx=offload)
        answers = netns.payloads(20, [b"ABCD"], seed=version, size=(10, 1400))
        got, packets = answers_on_the_wire(line, version, 6001, answers, prepare)
        assert got == answers
        assert [(p.sport, p.checksum) for p in packets] == [(SHARED, 0)] * 20


@offload_param
@version_param
def test_trains(replying, version, offload):
    """UDP_SEGMENT: one send, many datagrams, cut up behind the egress program or before it."""
    line = replying
    line.mid.offload("m0", tx=offload)
    trains = [b"".join(netns.payloads(20, [b"EFGH"], seed=i, size=(1000, 1000), start=20 * i)) for i in range(5)]
    trains.append(trains[0][:4321])  # the last datagram is shorter
    datagrams = [t[i:i + 1000] for t in trains for i in range(0, len(t), 1000)]

    def prepare(server, _client):
        try:
            server.setsockopt(17, UDP_SEGMENT, 1000)
        except OSError as e:
            pytest.skip(f"no UDP_SEGMENT here: {e}")

    got, packets = answers_on_the_wire(line, version, 6002, trains, prepare, count=len(datagrams))
    assert got == datagrams
    assert {p.sport for p in packets} == {SHARED}
    if not offload:
        live.check_wire(packets, len(datagrams))


# --- fragments ------------------------------------------------------------------------------------

@offload_param
@version_param
def test_fragments(replying, version, offload):
    """8 kB: the first fragment is rewritten, the later ones are left alone though what they carry looks like a
    UDP header of a target's port wherever they begin; the datagram arrives whole and verifies."""
    line = replying
    line.mid.offload("m0", tx=offload)
    deception = struct.pack("!HHHH", 6001, 41500, 1400, 0x1234) * 1100
    answers = [(b"ABCD%04d" % i + deception)[:8000 + i] for i in range(20)]
    errors = line.snd.checksum_errors()
    got, packets = answers_on_the_wire(line, version, 6001, answers)
    assert got == answers
    assert line.snd.checksum_errors() == errors
    assert len(packets) == len(answers) and all(p.fragment and p.offset == 0 for p in packets), "no first fragments"
    assert {p.sport for p in packets} == {SHARED}


# --- ICMP -----------------------------------------------------------------------------------------

def quoted(packet):
    """(type, code, the quoted packet) of an ICMP error whose own checksum is right."""
    body = packet.body
    start = 0 if packet.version == 4 else netns.pseudo_sum(packet.src, packet.dst, ICMP6, len(body))
    assert netns.fold(start + netns.ones_sum(body)) == 0xffff, f"ICMP checksum: {body[:64].hex()}"
    return body[0], body[1], body[8:]


def udp_of(ip):
    """Where the UDP header of a quoted packet lies."""
    return 4 * (ip[0] & 15) if ip[0] >> 4 == 4 else 40


def refusal(s, timeout=2.0):
    """Whether a connected socket is told that nobody listens."""
    select.select([s], [], [], timeout)
    try:
        s.recv(1 << 16)
    except ConnectionRefusedError:
        return True
    except BlockingIOError:
        return False
    raise AssertionError("an answer where nobody listens")


def errors_at_once(ns):
    """No error is left out because there were others."""
    ns.sysctl("ipv4/icmp_ratelimit", 0)
    ns.sysctl("ipv6/icmp/ratelimit", 0)


@offload_param
@version_param
def test_port_unreachable(replying, version, offload):
    """Nobody listens on the target: a connected client is told so, and the error quotes just what it had sent."""
    line = replying
    errors_at_once(line.mid)
    line.snd.offload("s0", tx=offload)
    kind = (3, 3) if version == 4 else (1, 4)
    sizes = [(20, True), (21, True), (1400, True)] + [(20, False)] * (version == 4)
    for size, checked in sizes:
        for tag in ENTITIES:
            with line.lab.sockets():
                client = client_of(line, version)
                if not checked:
                    client.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
                sent, came = netns.Capture(line.snd, "s0", outgoing=True), netns.Capture(line.snd, "s0")
                client.send(tag + random.Random(size).randbytes(size - 4))
                assert refusal(client), f"no error came for {size} bytes of {tag}"
                errors = came.wait(1, lambda p: p.proto in (ICMP, ICMP6) and p.body[0] == kind[0])
                original, = [c.memory[14:] for c in sent.frames() if netns.read(c.memory).dport == SHARED]
            assert len(errors) == 1
            *found, inner = quoted(errors[0])
            assert tuple(found) == kind
            at = udp_of(inner)
            assert struct.unpack_from("!H", inner, at + 2)[0] == SHARED
            if offload and checked:  # what was left to hardware is nothing that a quote could tell
                inner, original = (b[:at + 6] + b"--" + b[at + 8:] for b in (inner, original))
            assert inner == original[:len(inner)], f"quoted {inner.hex()}, sent was {original.hex()}"
            assert len(inner) >= min(len(original), 500)


@version_param
def test_port_unreachable_of_unknown(line, running, version):
    running(text(unknown=6900))
    errors_at_once(line.mid)
    client = client_of(line, version)
    client.send(b"none of them")
    assert refusal(client)


@version_param
def test_port_unreachable_from_behind(line, running, version):
    """The error comes from a host behind this one, which the service names, and quotes what was rewritten here."""
    running(text(daddr=[netns.addresses(2, version)[1]]))
    errors_at_once(line.far)
    client = client_of(line, version, path="forwarded-egress-on")
    client.send(b"ABCD far away")
    assert refusal(client)


@version_param
def test_other_errors_untouched(line, running, version):
    """Errors about ports that are no target, and about a target of a service without reply, quote what there was."""
    running(text(live.service("mute", ports=(5001,), entities={b"ABCD": 6101})))
    errors_at_once(line.mid)
    for port, inside, told in ((6999, 6999, True), (5001, 6101, False), (5002, 5002, True)):
        with line.lab.sockets():
            client, came = client_of(line, version, port=port), netns.Capture(line.snd, "s0")
            client.send(b"ABCD to a port of nobody")
            error, = came.wait(1, lambda p: p.proto in (ICMP, ICMP6) and p.body[0] in (1, 3))
            _, _, inner = quoted(error)
            assert struct.unpack_from("!H", inner, udp_of(inner) + 2)[0] == inside
            assert refusal(client, 0.2) == told


# --- what is left alone -----------------------------------------------------------------------------

@version_param
def test_others_untouched(line, running, version):
    """Ports that are no target; a service without reply: the very control that shows what reply is for."""
    running(text(live.service("mute", ports=(5001,), entities={b"ABCD": 6101})))
    near = netns.addresses(1, version)[1]
    servers = servers_of(line, version, (6101, 7000, SHARED, 5001))
    assert ask(client_of(line, version, port=7000), servers[7000], b"ABCD") == (b"ABCD", (near, 7000))
    assert ask(client_of(line, version), servers[SHARED], b"none") == (b"none", (near, SHARED))
    assert ask(client_of(line, version, port=5001), servers[5001], b"none") == (b"none", (near, 5001))
    mute = client_of(line, version, port=5001)
    mute.send(b"ABCD")
    question, peer = receive(servers[6101])
    servers[6101].sendto(question, peer)
    assert receive(mute, 0.2) is None, "a connected client cannot see a reply from another port"
    assert ask(client_of(line, version, connected=False), servers[6101], b"ABCD", to=(near, 5001)) == \
        (b"ABCD", (near, 6101))


@version_param
def test_tcp_untouched(replying, version):
    """TCP connections of the same port numbers, the shared one too, are none of its business."""
    line = replying
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    near = netns.addresses(1, version)[1]
    for port in (6001, SHARED):
        with line.lab.sockets():
            listener, client = (ns.socket(family, socket.SOCK_STREAM) for ns in (line.mid, line.snd))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((near, port))
            listener.listen()
            client.settimeout(5)
            client.connect((near, port))
            server, _ = listener.accept()
            with contextlib.closing(server):
                server.settimeout(5)
                data = b"ABCD" + random.Random(1).randbytes(100_000)
                for sender, receiver, part in ((client, server, data), (server, client, data[::-1])):
                    sender.sendall(part)
                    with receiver.makefile("rb") as f:
                        assert f.read(len(part)) == part


def more_addresses(line):
    for ns, dev, last, peers in ((line.mid, "m0", 3, "s0"), (line.snd, "s0", 4, "m0")):
        ns.ip(f"address replace 10.77.1.{last}/24 dev {dev}")
        other = line.snd if ns is line.mid else line.mid
        other.ip(f"neigh replace 10.77.1.{last} lladdr {netns.mac_of(dev)} dev {peers} nud permanent")


def leaves_from(line, server, client, target=6001):
    """From which port a datagram of a target's socket comes, that nobody has asked for."""
    with line.lab.sockets():
        at, s = line.mid.udp(server, target), line.snd.udp(client, 0)
        at.sendto(b"hello", s.getsockname())
        data, peer = receive(s)
        assert (data, peer[0]) == (b"hello", server)
        return peer[1]


def test_prefixes(line, running):
    """A service of one address, or for one address, has the replies from there and to there."""
    more_addresses(line)
    running(text(daddr=["10.77.1.2/32"]))
    assert replies(line) == SHARED
    assert leaves_from(line, "10.77.1.2", "10.77.1.4") == SHARED
    assert leaves_from(line, "10.77.1.3", "10.77.1.1") == 6001
    running(text(saddr=["10.77.1.1/32"]))
    assert replies(line) == SHARED
    assert leaves_from(line, "10.77.1.3", "10.77.1.1") == SHARED
    assert leaves_from(line, "10.77.1.2", "10.77.1.4") == 6001


def test_precedence(line, running):
    """Whose packet it would be on its way in, whose it is on its way out."""
    more_addresses(line)
    special_one = live.service("special", daddr=["10.77.1.3/32"], entities={b"ABCD": 6001})
    running(text(special_one))
    assert replies(line) == SHARED
    assert leaves_from(line, "10.77.1.3", "10.77.1.1") == 6001
    running(text(live.service("special", daddr=["10.77.1.3/32"], entities={b"ABCD": 6001}, reply=True),
                 reply=False))
    assert leaves_from(line, "10.77.1.2", "10.77.1.1") == 6001
    assert replies(line, server="10.77.1.3") == SHARED


def test_interface(line, mangle):
    """A service of one interface has the replies that leave there."""
    mangle.attach(line.mid, "m0", "m1", text=text(interface="m0"))
    assert replies(line) == SHARED
    with line.lab.sockets():
        server, client = line.mid.udp("10.77.2.1", 6001), line.far.udp("10.77.2.2", 0)
        server.sendto(b"hello", client.getsockname())
        assert receive(client) == (b"hello", ("10.77.2.1", 6001))


def test_observe_changes_nothing(line, running):
    """Nothing was rewritten on its way in, so nothing is on its way out."""
    running(text(action="observe"))
    assert leaves_from(line, "10.77.1.2", "10.77.1.1") == 6001


# --- changes --------------------------------------------------------------------------------------

def test_changes_work_at_once(line, running):
    running(text())
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6004) == 6004
    ctl.ok("map", "set", "NEW!", 6004)
    assert replies(line, tag=b"NEW!", target=6004) == SHARED
    # two entities of one target: it is one as long as one is left
    ctl.ok("map", "set", "NEW?", 6004)
    ctl.ok("map", "del", "NEW!")
    assert replies(line, tag=b"NEW?", target=6004) == SHARED
    ctl.ok("map", "del", "NEW?")
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6004) == 6004
    # an entity that moves
    ctl.ok("map", "set", "ABCD", 6005)
    assert replies(line, target=6005) == SHARED
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6001) == 6001
    ctl.ok("map", "set", "ABCD", "drop")
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6005) == 6005
    # all at once
    ctl.ok("map", "replace", "-", stdin=live.table({b"ABCD": 6006}))
    assert replies(line, target=6006) == SHARED
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6002) == 6002
    ctl.ok("map", "load", "-", stdin=live.table({b"EFGH": 6002}))
    assert replies(line, tag=b"EFGH", target=6002) == SHARED
    ctl.ok("map", "flush", "--service", "ask")
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6002) == 6002
    # the service
    running(text())
    ctl.ok("service", "set", "ask", "--reply", "off")
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6001) == 6001
    ctl.ok("service", "set", "ask", "--reply", "on")
    assert replies(line) == SHARED
    ctl.ok("service", "set", "ask", "--port", 5009)
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6001) == 5009
    ctl.ok("service", "del", "ask")
    assert leaves_from(line, "10.77.1.2", "10.77.1.1", 6001) == 6001


def test_many_targets(replying):
    """Thousands of targets, each with a reply of its own; and what lies between is left alone."""
    line = replying
    targets = {b"%04x" % i: 10_000 + 2 * i for i in range(5000)}
    ctl.ok("map", "replace", "-", stdin=live.table(targets))
    client = line.snd.udp("10.77.1.1", 0)
    rng = random.Random(1)
    for port in rng.sample(list(targets.values()), 50):
        for at, wanted in ((port, SHARED), (port + 1, port + 1)):
            with line.lab.sockets():
                line.mid.udp("10.77.1.2", at).sendto(b"hello", client.getsockname())
            assert receive(client) == (b"hello", ("10.77.1.2", wanted))


# --- attaching and detaching ------------------------------------------------------------------------

def test_generic_mode(line, mangle):
    """What leaves has nothing to do with how what comes in is mangled."""
    mangle.attach(line.mid, "m0", mode="generic", text=text())
    for version in (4, 6):
        with line.lab.sockets():
            converse(line, version)


libc = ctypes.CDLL(None, use_errno=True)
BPF_PROG_QUERY, BPF_TCX_INGRESS, BPF_TCX_EGRESS, NR_BPF = 16, 46, 47, {"x86_64": 321, "aarch64": 280}


def tcx_programs(ns, dev, kind=BPF_TCX_EGRESS):
    """How many programs the kernel has at tcx; 0 where it has no tcx."""
    ids = (ctypes.c_uint32 * 64)()
    attr = ctypes.create_string_buffer(struct.pack("=IIIIQI", ns.ifindex(dev), kind, 0, 0, ctypes.addressof(ids), 64)
                                       .ljust(128, b"\0"), 128)
    with ns.enter():
        if libc.syscall(NR_BPF[os.uname().machine], BPF_PROG_QUERY, attr, 128) < 0:
            return 0
    return struct.unpack_from("=I", attr, 24)[0]


def tc(ns, *args):
    return ns.run("tc", *args).stdout


def on_device(ns, dev):
    """All that tc knows there, and how much there is at tcx."""
    return [tc(ns, "qdisc", "show", "dev", dev), tc(ns, "filter", "show", "dev", dev, "ingress"),
            tc(ns, "filter", "show", "dev", dev, "egress"),
            tcx_programs(ns, dev, BPF_TCX_INGRESS), tcx_programs(ns, dev)]


def test_detach_takes_the_program_off(line, mangle):
    before = on_device(line.mid, "m0")
    mangle.attach(line.mid, "m0", text=text())
    assert on_device(line.mid, "m0") != before and replies(line) == SHARED
    mangle.attach(line.mid, "m0")  # a second time changes nothing
    during = on_device(line.mid, "m0")
    assert replies(line) == SHARED
    ctl.ok("-n", line.mid.name, "detach", "m0")
    assert on_device(line.mid, "m0") == before
    assert leaves_from(line, "10.77.1.2", "10.77.1.1") == 6001
    # and again, with the tables that are there
    mangle.attach(line.mid, "m0")
    assert [len(x) if isinstance(x, str) else x for x in on_device(line.mid, "m0")][3:] == during[3:]
    assert replies(line) == SHARED
    ctl.ok("detach", "--all", "--purge")
    assert on_device(line.mid, "m0") == before
    assert leaves_from(line, "10.77.1.2", "10.77.1.1") == 6001


def test_only_while_it_is_needed(line, mangle):
    """Without a service with reply there is nothing at egress; with one, on every interface that is attached."""
    before = {dev: on_device(line.mid, dev) for dev in ("m0", "m1")}
    mangle.attach(line.mid, "m0", "m1", text=text(reply=False))
    assert {dev: on_device(line.mid, dev) for dev in before} == before
    ctl.ok("service", "set", "ask", "--reply", "on")
    assert all(on_device(line.mid, dev) != before[dev] for dev in before)
    with line.lab.sockets():
        server, client = line.mid.udp("10.77.2.1", 6001), line.far.udp("10.77.2.2", 0)
        assert ask(client, server, b"ABCD", to=("10.77.2.1", SHARED)) == (b"ABCD", ("10.77.2.1", SHARED))
    ctl.ok("-n", line.mid.name, "detach", "m1")
    assert on_device(line.mid, "m1") == before["m1"] and replies(line) == SHARED
    mangle.apply(text(reply=False))
    assert {dev: on_device(line.mid, dev) for dev in before} == before
    mangle.apply(text())
    assert replies(line) == SHARED
    ctl.ok("service", "del", "ask")
    assert {dev: on_device(line.mid, dev) for dev in before} == before


def test_somebody_elses_filters_stay(line, mangle, build):
    """A qdisc and filters that were there before are there afterwards, and work on meanwhile; some that come while
    mangle is attached stay too."""
    program = build("tcpass.bpf.c")
    for kind in ("root", "clsact"):
        line.lab.stack.callback(line.mid.run, "tc", "qdisc", "del", "dev", "m0", kind, check=False)
    line.mid.run("tc", "qdisc", "add", "dev", "m0", "root", "pfifo", "limit", "1000")
    line.mid.run("tc", "qdisc", "add", "dev", "m0", "clsact")
    for way, prio in (("egress", 1), ("egress", 49000), ("ingress", 7)):
        line.mid.run("tc", "filter", "add", "dev", "m0", way, "prio", prio, "bpf", "da", "obj", program, "sec", "tc")
    before = on_device(line.mid, "m0")
    assert before[2].count("foreign_tc") == 2 and before[1].count("foreign_tc") == 1
    mangle.attach(line.mid, "m0", text=text())
    assert replies(line) == SHARED
    during = on_device(line.mid, "m0")
    assert during[0] == before[0] and set(before[2].splitlines()) <= set(during[2].splitlines())
    assert before[1] == during[1]
    ctl.ok("service", "set", "ask", "--reply", "off")
    assert on_device(line.mid, "m0") == before
    ctl.ok("service", "set", "ask", "--reply", "on")
    ctl.ok("-n", line.mid.name, "detach", "m0")
    assert on_device(line.mid, "m0") == before
    # what comes later
    line.mid.run("tc", "qdisc", "del", "dev", "m0", "clsact")
    mangle.attach(line.mid, "m0")
    line.mid.run("tc", "qdisc", "add", "dev", "m0", "clsact", check=False)  # before 6.6 it is mangle's
    line.mid.run("tc", "filter", "add", "dev", "m0", "egress", "prio", "7", "bpf", "da", "obj", program, "sec", "tc")
    assert replies(line) == SHARED
    ctl.ok("-n", line.mid.name, "detach", "m0")
    assert tc(line.mid, "filter", "show", "dev", "m0", "egress").count("foreign_tc") == 1
    assert leaves_from(line, "10.77.1.2", "10.77.1.1") == 6001


# --- VLAN -----------------------------------------------------------------------------------------

@version_param
@pytest.mark.parametrize("vlans", (((0x8100, 7),), ((0x88a8, 5), (0x8100, 7))), ids=("one", "two"))
def test_vlan_in_the_frame(line, running, version, vlans):
    """A datagram that leaves with tags in the frame, as from a host behind a bridge, which the service names."""
    running(text(daddr=[netns.addresses(1, version)[1]]))
    source, near = netns.addresses(1, version)
    capture, raw = netns.Capture(line.snd, "s0"), line.mid.raw("m0")
    for sport, wanted in ((6001, SHARED), (7000, 7000)):
        raw.send(netns.craft(b"ABCD in a VLAN", src=near, dst=source, sport=sport, dport=41500, macs=("s0", "m0"),
                             vlans=vlans))
        packet, = capture.wait(1, lambda p: p.dport == 41500)
        assert (packet.sport, packet.vlans, packet.payload) == (wanted, vlans, b"ABCD in a VLAN")
        assert packet.sum_ok()


def test_vlan_device(replying):
    """A VLAN's device on top of the one that is attached."""
    line = replying
    ends = (line.snd, "s0", 1), (line.mid, "m0", 2)
    with contextlib.ExitStack() as stack:
        for ns, dev, last in ends:
            try:
                ns.ip(f"link add link {dev} name v0 type vlan id 7")
            except RuntimeError as e:
                pytest.skip(f"no VLAN devices here: {e}")
            stack.callback(ns.ip, "link del v0")
            ns.ip(f"address add 10.77.7.{last}/24 dev v0", "link set v0 up")
        for offload in (True, False):
            for ns, dev, _ in ends:
                ns.offload(dev, txvlan=offload, rxvlan=offload)
                if not offload:
                    stack.callback(ns.offload, dev, txvlan=True, rxvlan=True)
            with line.lab.sockets():
                server, client = line.mid.udp("10.77.7.2", 6001), line.snd.udp("10.77.7.1", 0)
                server.sendto(b"hello", client.getsockname())
                assert receive(client) == (b"hello", ("10.77.7.2", SHARED))


# --- refusals -------------------------------------------------------------------------------------

def add(name, port, *more):
    return ("service", "add", name, "--proto", "udp", "--port", port, "--tag", "0:4", "--size", "4:65507", *more)


def test_several_ports_are_refused(mangle):
    ctl.assert_error(add("ask", "5000,5001", "--reply", "on"), 1, "reply")
    ctl.ok(*add("ask", "5000,5001"))
    ctl.assert_error(("service", "set", "ask", "--reply", "on"), 1, "reply")
    ctl.ok("service", "set", "ask", "--port", 5000, "--reply", "on")
    ctl.assert_error(("service", "set", "ask", "--port", "5000,5001"), 1, "reply")
    two = text(ports=(5000, 5001))
    ctl.assert_error(("apply", "-"), 1, "reply", stdin=two)
    ctl.assert_error(("apply", mangle.file(two)), 1, "reply")


def test_one_target_of_two_ports_is_refused(mangle):
    """However the second service would come to have it."""
    rows = mangle.file(live.table({b"ABCD": 6001, b"EFGH": 6002}), ".map")
    other = mangle.file(live.table({b"WXYZ": 6002}), ".map")
    ctl.ok(*add("ask", 5000, "--reply", "on", "--entities", rows))
    ctl.assert_error(add("late", 5001, "--reply", "on", "--entities", other), 1, "6002")
    ctl.assert_error(add("late", 5001, "--entities", other), 1, "6002")
    ctl.assert_error(add("late", 5001, "--unknown", 6002), 1, "6002")
    ctl.ok(*add("late", 5001, "--targets", "6000-6999"))
    ctl.ok("map", "set", "--service", "late", "WXYZ", 6003)
    before = ctl.ok("save").out
    for args in (("map", "set", "--service", "late", "WXYZ", 6002), ("map", "set", "--service", "late", "NEW!", 6002),
                 ("map", "set", "--service", "ask", "ABCD", 6003), ("service", "set", "late", "--unknown", 6001),
                 ("map", "load", other, "--service", "late"), ("map", "replace", other, "--service", "late"),
                 ("map", "load", "--check", other, "--service", "late")):
        ctl.assert_error(args, 1, "600[123]")
    conflict = text(live.service("late", ports=(5001,), entities={b"WXYZ": 6002}))
    ctl.assert_error(("apply", "-"), 1, "6002", stdin=conflict)
    assert ctl.ok("save").out == before
    # what is no conflict: neither has replies, or it is one shared port
    ctl.ok("service", "set", "ask", "--reply", "off")
    ctl.ok("map", "set", "--service", "late", "WXYZ", 6002)
    ctl.assert_error(("service", "set", "ask", "--reply", "on"), 1, "6002")
    ctl.assert_error(("service", "set", "late", "--reply", "on"), 1, "6002")
    ctl.ok("service", "set", "late", "--port", 5000, "--daddr", "10.77.1.3")
    ctl.ok("service", "set", "ask", "--reply", "on")
    ctl.assert_error(("service", "set", "late", "--port", 5001), 1, "6002")
    mangle.apply(text(live.service("late", ports=(SHARED,), daddr=["10.77.1.3/32"], entities={b"WXYZ": 6002},
                                   reply=True)))


def test_a_refused_change_changes_no_packet(replying):
    line = replying
    ctl.ok(*add("late", 5001))
    ctl.assert_error(("map", "set", "--service", "late", "WXYZ", 6001), 1, "6001")
    ctl.assert_error(("service", "set", "ask", "--port", "5000,5002"), 1, "reply")
    assert replies(line) == SHARED


def test_ephemeral_ports_are_warned_about(line, mangle):
    """A target that the host itself may give to any client as its port."""
    def warns(text_):
        return any(str(port) in text_ for port in (*ENTITIES.values(), 40001))

    line.mid.sysctl("ipv4/ip_local_port_range", "32768 60999")
    mangle.apply(text())
    r = mangle.attach(line.mid, "m0")
    assert not warns(r.err), r
    assert not any(map(warns, ctl.js("status")["warnings"]))
    ctl.ok("-n", line.mid.name, "detach", "m0")
    mangle.apply(text(entities={**ENTITIES, b"HIGH": 40001}))
    r = mangle.attach(line.mid, "m0")
    assert r.err.startswith("mangle-ctl: warning: ") and "40001" in r.err and "6001" not in r.err, r
    assert any("40001" in w for w in ctl.js("status")["warnings"]), ctl.js("status")
    ctl.ok("-n", line.mid.name, "detach", "m0")
    r = ctl.ok("-q", "-n", line.mid.name, "attach", "m0")
    assert not r.err, r
    # the range is the machine's own business
    line.mid.sysctl("ipv4/ip_local_port_range", "50000 60999")
    assert not any(map(warns, ctl.js("status")["warnings"])), ctl.js("status")
    line.mid.sysctl("ipv4/ip_local_port_range", "32768 60999")
    # without reply there is nothing to be warned about
    mangle.apply(text(entities={**ENTITIES, b"HIGH": 40001}, reply=False))
    assert not any(map(warns, ctl.js("status")["warnings"]))
