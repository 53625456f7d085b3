"""TCP for the live tests: real clients and servers, and a client of raw segments that does what no
kernel would."""

import contextlib
import errno
import random
import select
import socket
import struct
import time

from mangletest import netns

import live

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TIMEOUT = 5.0
MSS = {4: 1460, 6: 1440}


# --- real ends ------------------------------------------------------------------------------------

def plain(ns, address, protocol=0):
    """A TCP socket as any program makes it: no buffer sizes, which would change the window scale."""
    with ns.enter():
        s = socket.socket(netns.family_of(address), socket.SOCK_STREAM, protocol)
    ns.lab.stack.callback(s.close)
    s.settimeout(TIMEOUT)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return s


def listen(ns, address, port, backlog=1024):
    s = plain(ns, address)
    s.bind((address, port))
    s.listen(backlog)
    return s


def listeners(ns, address, *ports):
    return {port: listen(ns, address, port) for port in ports}


def connect(ns, address, port=live.SHARED, source=None, timeout=TIMEOUT):
    """A connected client; `source` is its own (address, port)."""
    s = plain(ns, address)
    if source:
        s.bind(source)
    s.settimeout(timeout)
    s.connect((address, port))
    s.settimeout(TIMEOUT)
    return s


def accept(listener, timeout=TIMEOUT):
    """What the listener has accepted; the socket lives as long as the test."""
    listener.settimeout(timeout)
    s, _ = listener.accept()
    s.settimeout(TIMEOUT)
    return s


def nothing(listener):
    """Whether nobody waits to be accepted."""
    return not select.select([listener], [], [], 0)[0]


def receive(s, count, timeout=TIMEOUT):
    """Just so many bytes."""
    got, deadline = b"", time.monotonic() + timeout
    while len(got) < count:
        s.settimeout(max(deadline - time.monotonic(), 0.001))
        piece = s.recv(min(count - len(got), 1 << 20))
        assert piece, f"the end came after {len(got)} of {count} bytes"
        got += piece
    s.settimeout(TIMEOUT)
    return got


def talk(client, server, rounds=3, size=100):
    """Something different both ways, again and again."""
    for i in range(rounds):
        there, back = random.Random(2 * i).randbytes(size), random.Random(2 * i + 1).randbytes(size)
        client.sendall(there)
        assert receive(server, size) == there
        server.sendall(back)
        assert receive(client, size) == back


def begin(client, listener, data=b"ABCD first"):
    """The client speaks first, and is answered: its counterpart."""
    client.sendall(data)
    server = accept(listener)
    assert receive(server, len(data)) == data
    server.sendall(b"answer")
    assert receive(client, 6) == b"answer"
    return server


def outcome(s, timeout=3.0):
    """How a read ends: `reset`, `silence`, `end`, or the bytes."""
    s.settimeout(timeout)
    try:
        return s.recv(1 << 16) or "end"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "silence"
    except OSError as e:
        return errno.errorcode[e.errno]
    finally:
        s.settimeout(TIMEOUT)


def hang_up(s):
    """Ends it with a RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def took(listeners_of, timeout=TIMEOUT):
    """The one listener, by port, that has a connection now, and the connection."""
    ready = select.select(list(listeners_of.values()), [], [], timeout)[0]
    ports = [p for p, s in listeners_of.items() if s in ready]
    assert len(ports) == 1, f"listeners with a connection: {ports}"
    return ports[0], accept(listeners_of[ports[0]])


def reuse_ports(ns):
    """Lets clients take a port again that they still have in TIME_WAIT; how long they have to wait."""
    ns.sysctl("ipv4/tcp_tw_reuse", 1)
    try:
        ns.sysctl("ipv4/tcp_tw_reuse_delay", 1)
    except FileNotFoundError:
        return 1.1
    return 0.01


def sockets_on(ns, port):
    """States of the sockets at a local port, listeners left out."""
    lines = ns.run("ss", "-Htan", f"sport = :{port}").stdout.splitlines()
    return sorted(s for s in (line.split()[0] for line in lines) if s != "LISTEN")


def alive(ns):
    """The sockets of a namespace that are neither listeners nor in TIME_WAIT, as ss tells them."""
    return [line for line in ns.run("ss", "-Htan").stdout.splitlines()
            if not line.startswith(("LISTEN", "TIME-WAIT"))]


def tcp_info(s):
    """What TCP_INFO says was agreed on."""
    raw = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return {"options": raw[5] & 15, "snd_wscale": raw[6] & 15, "rcv_wscale": raw[6] >> 4,
            "snd_mss": struct.unpack_from("=I", raw, 16)[0]}


# --- raw segments ---------------------------------------------------------------------------------

def flags_of(p):
    return p.body[13] & 0x3f


def seq_of(p):
    return struct.unpack_from("!I", p.body, 4)[0]


def ack_of(p):
    return struct.unpack_from("!I", p.body, 8)[0]


def options_of(p):
    """{kind: bytes} of a segment."""
    raw, found = p.body[20:4 * (p.body[12] >> 4)], {}
    while raw and raw[0]:
        if raw[0] == 1:
            raw = raw[1:]
            continue
        found[raw[0]] = raw[2:raw[1]]
        raw = raw[raw[1]:]
    return found


def told(p):
    """A segment in words, for messages."""
    if p is None:
        return "nothing"
    names = "".join(n for n, bit in zip("FSRPA", (FIN, SYN, RST, PSH, ACK)) if flags_of(p) & bit)
    return f"{p.sport}>{p.dport} {names} seq {seq_of(p)} ack {ack_of(p)} {len(p.payload)} bytes"


class Raw:
    """A host of nobody's at `dev` of a namespace: no kernel answers for it. `peer` is where `peer_dev`
    is, the server."""

    def __init__(self, ns, dev, peer, peer_dev, version):
        self.address = "10.77.1.3" if version == 4 else "fd77:1::3"
        self.peer = netns.addresses(1, version)[1]
        self.macs = (peer_dev, dev)
        self.version = version
        peer.ip(f"neigh replace {self.address} lladdr {netns.mac_of(dev)} dev {peer_dev} nud permanent")
        self.socket = ns.raw(dev)
        self.capture = netns.Capture(ns, dev)
        self.flows = {}

    def flow(self, sport, dport=live.SHARED, isn=None):
        return Flow(self, sport, dport, isn)

    def poll(self, timeout=0.0):
        """Hands what has come to its flow."""
        if timeout:
            select.select([self.capture.socket], [], [], timeout)
        for caught in self.capture.frames():
            p = netns.read(caught.frame)
            if p.proto == netns.TCP and p.dst == self.address and p.dport in self.flows:
                self.flows[p.dport].came.append(p)


class Flow:
    """One 4-tuple. `data(at, …)` counts bytes of the stream from 0; `ack` is what it acknowledges."""

    def __init__(self, host, sport, dport, isn):
        self.host, self.sport, self.dport = host, sport, dport
        self.isn = random.getrandbits(32) if isn is None else isn
        self.ack, self.came, self.sent = 0, [], []
        host.flows[sport] = self

    def frame(self, payload=b"", flags=PSH | ACK, seq=None, ack=None, **kw):
        return netns.craft(
            payload, src=self.host.address, dst=self.host.peer, sport=self.sport, dport=self.dport,
            proto=netns.TCP, macs=self.host.macs, flags=flags, seq=self.isn + 1 if seq is None else seq,
            ack=self.ack if ack is None else ack, **{"window": 60000, **kw})

    def send(self, payload=b"", flags=PSH | ACK, **kw):
        frame = self.frame(payload, flags, **kw)
        self.sent.append(len(frame))
        self.host.socket.send(frame)

    def syn(self, tcp_options=None, **kw):
        if tcp_options is None:
            tcp_options = struct.pack("!BBH", 2, 4, MSS[self.host.version])
        self.send(flags=SYN, seq=self.isn, ack=0, tcp_options=tcp_options, **kw)

    def data(self, at, payload, flags=PSH | ACK, **kw):
        self.send(payload, flags, seq=self.isn + 1 + at, **kw)

    def next(self, timeout=2.0):
        """The next segment that comes here, None if none does."""
        deadline = time.monotonic() + timeout
        while not self.came and time.monotonic() < deadline:
            self.host.poll(0.02)
        return self.came.pop(0) if self.came else None

    def quiet(self, timeout=0.2):
        """Nothing comes."""
        p = self.next(timeout)
        assert p is None, f"an answer that should not be: {told(p)}"

    def expect(self, flags, timeout=2.0, **wanted):
        """The next segment has these flags (PSH apart), and, where named, seq, ack and payload."""
        p = self.next(timeout)
        assert p is not None, "no answer"
        assert flags_of(p) & ~PSH == flags & ~PSH and p.sport == self.dport, told(p)
        have = {"seq": seq_of(p), "ack": ack_of(p), "payload": p.payload}
        for key, value in wanted.items():
            if isinstance(value, int):
                value &= 0xffffffff
            assert have[key] == value, f"{key} is {have[key]}, wanted {value}: {told(p)}"
        assert p.sum_ok(), f"wrong checksum: {told(p)}"
        return p

    def acked(self, count):
        """All of the first `count` bytes is acknowledged, and nothing else comes before."""
        while ack_of(p := self.expect(ACK, seq=self.ack, payload=b"")) != (self.isn + 1 + count) & 0xffffffff:
            assert (ack_of(p) - self.isn - 1) & 0xffffffff < count, told(p)

    def handshake(self, tcp_options=None, ack=True):
        """SYN, SYN-ACK, and the bare ACK if wanted."""
        self.syn(tcp_options)
        p = self.expect(SYN | ACK, ack=self.isn + 1)
        self.ack = seq_of(p) + 1
        if ack:
            self.send(flags=ACK)
        return p


@contextlib.contextmanager
def within(seconds, what="it"):
    """The block takes no longer."""
    began = time.monotonic()
    yield
    spent = time.monotonic() - began
    assert spent <= seconds, f"{what} took {spent:.2f} s, more than {seconds}"
