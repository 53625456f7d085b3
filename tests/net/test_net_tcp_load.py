"""TCP connection mode under load: ordinary programs, bulk data, connections by the thousand, a SYN flood, a
bad wire. Every connection reaches the server of its entity and gets back just what it sent."""

import asyncio
import contextlib
import hashlib
import http.server
import json
import random
import re
import socket
import struct
import subprocess
import threading

import pytest
from mangletest import ctl, netns

import live
import streams
from live import LONG, SHARED

ENTITIES = {b"%04x" % (i * 2311): 6000 + i for i in range(20)}
TCP_PORTS = tuple(ENTITIES.values())


@pytest.fixture(scope="module", autouse=True)
def connection_mode(machine):  # pylint: disable=unused-argument
    """Where the kernel cannot do it, the tool says so."""
    ctl.purge()
    r = ctl.run("service", "add", "probe", "--proto", "tcp", "--port", SHARED, "--tag", "0:4", "--size", "4:65507")
    ctl.purge()
    if r.status == 1 and "bpf_sk_assign_tcp_reqsk" in r.err:
        pytest.skip(f"no connection mode on this kernel: {r.err.strip()}")
    assert r.status == 0, r


def text(**settings):
    return live.config(live.service("load", protocol="tcp", **{"entities": ENTITIES, **settings}))


def flows():
    """How many connections mangle remembers."""
    return ctl.js("status")["flows"]["used"]


def both_addresses():
    return [netns.addresses(1, 4)[1], netns.addresses(1, 6)[1]]


# --- curl and socat ---------------------------------------------------------------------------------

class Web:
    """A small web server that answers with its port and the client's address, and remembers them."""

    def __init__(self, ns, port):
        self.seen = seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                host, peer = self.client_address[:2]
                seen.append((self.command, host, peer, self.request.getsockname()[1]))
                answer = f"{port} {self.command} {self.path} {len(body)}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6
            daemon_threads = True

            def server_bind(self):  # without asking for the host's name
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.socket.bind(self.server_address)
                self.server_name, self.server_port = "test", port

        with ns.enter():
            self.server = Server(("::", port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        ns.lab.stack.callback(self.close)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def web(line, mangle):
    """Two servers told apart by the request's first bytes, and one on the shared port; all of it by hand, as
    an administrator would do it."""
    for program in ("curl", "socat"):
        if netns.have(program):
            pytest.skip(f"{program} is not installed")
    ctl.ok("service", "add", "web", "--proto", "tcp", "--port", SHARED, "--tag", "0:4", "--size", "4:65507")
    mangle.attach(line.mid, "m0")
    ctl.ok("map", "set", "--service", "web", "GET ", 8001)
    ctl.ok("map", "set", "--service", "web", "POST", 8002)
    return {port: Web(line.mid, port) for port in (8001, 8002, SHARED)}


def curl(line, *args):
    return line.snd.run("curl", "-sS", "--max-time", "10", "--noproxy", "*", *args, timeout=20).stdout


@pytest.mark.parametrize("version", (4, 6), ids=("ipv4", "ipv6"))
def test_curl(line, web, tmp_path, version):
    source, near = netns.addresses(1, version)
    url = f"http://{f'[{near}]' if version == 6 else near}:{SHARED}"
    seen = f"::ffff:{source}" if version == 4 else source
    assert curl(line, "--local-port", "41001", f"{url}/a") == "8001 GET /a 0\n"
    assert curl(line, "--local-port", "41002", "--data", "x=1", f"{url}/b") == "8002 POST /b 3\n"
    # unknown: pass is the listener on the shared port itself
    assert curl(line, "--local-port", "41003", "-X", "PUT", "--data", "12345", f"{url}/c") == "5000 PUT /c 5\n"
    # several requests over one connection: the first decides
    assert curl(line, "--local-port", "41004", f"{url}/d", f"{url}/e") == "8001 GET /d 0\n8001 GET /e 0\n"
    # more than one segment
    big = tmp_path / "big"
    big.write_bytes(bytes(200_000))
    assert curl(line, "--local-port", "41005", "-H", "Expect:", "--data-binary", f"@{big}", f"{url}/f") == \
        "8002 POST /f 200000\n"
    assert web[8001].seen == [("GET", seen, 41001, 8001)] + [("GET", seen, 41004, 8001)] * 2
    assert web[8002].seen == [("POST", seen, 41002, 8002), ("POST", seen, 41005, 8002)]
    assert web[SHARED].seen == [("PUT", seen, 41003, SHARED)]


def test_socat(line, web, tmp_path):
    """A client of few words, that ends its side first."""
    _, near = netns.addresses(1, 4)
    r = line.snd.run("socat", "-t", "5", "-", f"TCP4:{near}:{SHARED},sourceport=41010",
                     stdin="GET /socat HTTP/1.0\r\n\r\n", timeout=20)
    head, _, body = r.stdout.partition("\n\n")
    assert re.match(r"HTTP/1.\d 200 ", head) and body == "8001 GET /socat 0\n", r.stdout
    assert web[8001].seen == [("GET", "::ffff:10.77.1.1", 41010, 8001)]
    # a whole file there and back
    ctl.ok("map", "set", "--service", "web", "FILE", 8003)
    server = line.mid.popen("socat", "TCP4-LISTEN:8003,reuseaddr,fork", "EXEC:cat", stdin=subprocess.DEVNULL)
    netns.wait_for(lambda: "8003" in line.mid.run("ss", "-Hltn", "sport = :8003").stdout)
    data, back = tmp_path / "data", tmp_path / "back"
    data.write_bytes(b"FILE" + random.Random(1).randbytes(5_000_000))
    with open(data, "rb") as i, open(back, "wb") as o:
        client = line.snd.popen("socat", "-t", "10", "-", f"TCP4:{near}:{SHARED}", stdin=i, stdout=o)
        assert client.wait(timeout=30) == 0
    assert back.read_bytes() == data.read_bytes()
    assert server.poll() is None


def test_ss_shows_the_client(line, mangle):
    """On the server the connection is one of the target port with the client's real address, on the client one
    to the shared port."""
    mangle.attach(line.mid, "m0", text=text())
    (source, near), server = netns.addresses(1, 4), streams.Server(line.mid, TCP_PORTS)
    job = streams.Job(near, SHARED, b"0000", 6000, b"", sport=41020)

    async def look():
        return [line.mid.run("ss", "-Htn", "dst", source).stdout.split(),
                line.snd.run("ss", "-Htn", "dst", near).stdout.split()]

    held = streams.Held([job])
    with line.snd.enter():
        (there, here), = asyncio.run(held.run_while(look))
    held.check(0)
    assert there[0] == "ESTAB" and there[3].removeprefix("[::ffff:").replace("]", "") == f"{near}:6000", there
    assert there[4].removeprefix("[::ffff:").replace("]", "") == f"{source}:41020", there
    assert here[0] == "ESTAB" and here[3:5] == [f"{source}:41020", f"{near}:{SHARED}"], here
    assert server.finish()["connections"] == {6000: 1}


# --- bulk -------------------------------------------------------------------------------------------

BULK = 64 << 20


@pytest.fixture(scope="module")
def bulk():
    """What goes up and what comes down, each with its SHA-256."""
    made = [random.Random(f"bulk{i}").randbytes(BULK) for i in range(2)]
    return [(data, hashlib.sha256(data).hexdigest()) for data in made]


def plain_socket(ns, family):
    """A TCP socket whose buffers are the kernel's own business."""
    with ns.enter():
        s = socket.socket(family, socket.SOCK_STREAM)
    ns.lab.stack.callback(s.close)
    s.settimeout(30)
    return s


class Transfer:
    """One connection with bulk data both ways at once, each end a pair of threads."""

    def __init__(self, line, version, tag, target, bulk):
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self.source, self.near = netns.addresses(1, version)
        self.tag, (self.up, self.down) = tag, bulk
        self.listener = plain_socket(line.mid, family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.near, target))
        self.listener.listen()
        self.client = plain_socket(line.snd, family)
        self.found, self.errors = {}, []
        self.threads = [threading.Thread(target=self.guard, args=(f,), daemon=True) for f in (self.serve, self.ask)]
        for t in self.threads:
            t.start()

    def guard(self, body):
        try:
            body()
        except OSError as e:
            self.errors.append(f"{body.__name__}: {e!r}")

    @staticmethod
    def receive(s):
        """(bytes, SHA-256) until the other side ends."""
        total, digest, room = 0, hashlib.sha256(), bytearray(1 << 20)
        while n := s.recv_into(room):
            digest.update(memoryview(room)[:n])
            total += n
        return total, digest.hexdigest()

    def send(self, s, *parts):
        for part in parts:
            s.sendall(part)
        s.shutdown(socket.SHUT_WR)

    def both_ways(self, name, s, *parts):
        sender = threading.Thread(target=self.guard, args=(lambda: self.send(s, *parts),), daemon=True)
        sender.start()
        self.found[name] = self.receive(s)
        sender.join()

    def serve(self):
        with contextlib.closing(self.listener.accept()[0]) as s:
            s.settimeout(30)
            self.found["client"] = s.getpeername()[:2]
            self.found["tag"] = s.recv(4, socket.MSG_WAITALL)
            self.both_ways("up", s, self.down[0])

    def ask(self):
        self.client.connect((self.near, SHARED))
        self.found["known as"] = self.client.getsockname()[:2]
        self.found["server"] = self.client.getpeername()[:2]
        self.both_ways("down", self.client, self.tag, self.up[0])

    def check(self):
        netns.wait_for(lambda: self.errors or not any(t.is_alive() for t in self.threads), timeout=60)
        assert not self.errors, self.errors
        assert not any(t.is_alive() for t in self.threads), f"hangs: {self.found}"
        assert self.found == {"client": self.found["known as"], "known as": self.found["known as"],
                              "server": (self.near, SHARED), "tag": self.tag,
                              "up": (BULK, self.up[1]), "down": (BULK, self.down[1])}
        assert self.found["known as"][0] == self.source


@pytest.mark.parametrize("offload", (True, False), ids=("tx-as-is", "tx-off"))
@pytest.mark.parametrize("mode", live.MODES)
def test_bulk(line, mangle, bulk, mode, offload):
    """64 MiB up and 64 MiB down at once, IPv4 to one entity and IPv6 to another at the same time."""
    mangle.attach(line.mid, "m0", mode=mode, text=text())
    if not offload:
        line.snd.offload("s0", tx=False)
        line.mid.offload("m0", tx=False)
    errors = line.snd.checksum_errors(), line.mid.checksum_errors()
    transfers = [Transfer(line, version, tag, target, bulk)
                 for version, (tag, target) in zip((4, 6), ENTITIES.items())]
    for t in transfers:
        t.check()
    assert (line.snd.checksum_errors(), line.mid.checksum_errors()) == errors
    reasons = mangle.reasons()
    assert reasons["tcp_bound"] == 2 and reasons["tcp_cookie"] >= 2, reasons
    # packets as on the wire, whatever the stack has put together
    assert reasons["tcp_flow"] > 2 * BULK // 1500, reasons
    assert "tcp_reset" not in reasons, reasons


# --- many -------------------------------------------------------------------------------------------

def check_counters(mangle, todo, reasons):
    """Each was bound once, by its entity, and refused never."""
    assert reasons["tcp_bound"] == len(todo), reasons
    assert reasons["tcp_cookie"] >= len(todo) and reasons["tcp_handshake"] >= 0.9 * len(todo), reasons
    assert "tcp_reset" not in reasons, reasons
    wanted = streams.by_target(todo)
    assert {row["target"]: row["packets"] for row in mangle.entities().values() if row["packets"]} == wanted
    stats = mangle.stats()
    assert sum(n for k, n in stats["packets"].items() if k != "seen") == stats["packets"]["seen"] == \
        sum(r["packets"] for r in stats["reasons"].values()), stats


@pytest.mark.parametrize("mode", live.MODES)
def test_many(line, mangle, mode):
    """2,000 connections, 200 at a time, over 20 entities and both families."""
    mangle.attach(line.mid, "m0", mode=mode, text=text())
    server = streams.Server(line.mid, TCP_PORTS)
    todo = streams.jobs(2000 * LONG, both_addresses(), SHARED, ENTITIES, seed=mode)
    found, seconds = streams.run(line.snd, todo, 200)
    streams.check(todo, found)
    counts = server.finish()
    assert counts["connections"] == streams.by_target(todo) and counts["resets"] == 0, counts
    check_counters(mangle, todo, mangle.reasons())
    assert seconds < 30 * LONG, f"{len(todo)} connections took {seconds:.1f} s"


def test_nothing_is_sent_twice(line, mangle):
    """A request of several segments, sent at once, is taken at once: on a wire that loses nothing, nothing waits
    for a retransmission."""
    mangle.attach(line.mid, "m0", text=text())
    server = streams.Server(line.mid, TCP_PORTS)
    todo = streams.jobs(200, both_addresses(), SHARED, ENTITIES, seed=11, size=(2000, 20000))
    before = line.snd.snmp()["Tcp.RetransSegs"], line.mid.snmp()["Tcp.RetransSegs"]
    found, _ = streams.run(line.snd, todo, 1)
    after = line.snd.snmp()["Tcp.RetransSegs"], line.mid.snmp()["Tcp.RetransSegs"]
    streams.check(todo, found)
    assert server.finish()["connections"] == streams.by_target(todo)
    again = tuple(b - a for a, b in zip(before, after))
    assert sum(again) <= 10, f"{again} segments were sent again, of {len(todo)} connections"


def test_more_than_the_table_holds(line, mangle):
    """The table of flows has its size and keeps it: the connections that are over make room for new ones."""
    mangle.attach(line.mid, "m0", text=text().replace("services:", "flows: 1024\nservices:", 1))
    server = streams.Server(line.mid, TCP_PORTS)
    todo = streams.jobs(2500, both_addresses(), SHARED, ENTITIES, seed=7, size=(0, 2000))
    found, _ = streams.run(line.snd, todo, 50)
    streams.check(todo, found)
    assert server.finish()["connections"] == streams.by_target(todo)
    table = ctl.js("status")["flows"]
    assert table["size"] == 1024 and 0 < table["used"] <= 1024, table


def test_ports_used_again(line, mangle):
    """The server ends every connection first, so that it is the server's end that waits, and the client uses its
    few ports again at once, each time for another entity, as it may."""
    closing = 6100
    entities = {**dict(list(ENTITIES.items())[:4]), b"same": closing}
    mangle.attach(line.mid, "m0", text=text(entities=entities))
    server = streams.Server(line.mid, tuple(entities.values()), closes=tuple(entities.values()))
    todo = streams.jobs(200, both_addresses(), SHARED, entities, seed=5, size=(0, 3000), closes=True)
    for i, job in enumerate(todo):
        job.sport = 41100 + i // 2 % 10
    # one after the other, so that a port is free when it comes round: 20 times each
    found, seconds = streams.run(line.snd, todo, 1, deadline=10)
    streams.check(todo, found)
    assert server.finish()["connections"] == streams.by_target(todo)
    assert seconds < 30, f"{len(todo)} connections one after the other took {seconds:.1f} s"


# --- flood ------------------------------------------------------------------------------------------

SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a 12345678 00000000 01 030307")  # MSS, SACK, timestamps, window scale
NOBODY = "10.78.0.0"  # /16: flood.c draws the rest


def segment(payload=b"", flags=0x02, options=b""):
    """A TCP segment from nobody, as flood.c wants it."""
    frame = bytearray(netns.craft(options + payload, src=NOBODY, dst=netns.addresses(1, 4)[1], dport=SHARED,
                                  proto=netns.TCP, flags=flags, checksum=0))
    frame[14 + 20 + 12] = (5 + len(options) // 4) << 4
    return bytes(frame)


class Flood:
    """Segments from nobody, `count` at least and until `finish`."""

    def __init__(self, line, program, tmp, frame, count, rate=60000, seed=1):
        self.line = line
        template = tmp / f"template{seed}"
        template.write_bytes(frame)
        self.process = line.snd.popen(program, "s0", template, count, rate, seed, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def finish(self):
        """How many were sent; what has come of them, mangle's counters say: answers to nobody may be lost."""
        return json.loads(self.process.communicate("", timeout=60)[0])["sent"]


@pytest.fixture
def target_of_flood(line, mangle, build):
    """What is answered to nobody goes nowhere: the client's namespace has no use for it."""
    mangle.attach(line.mid, "m0", text=text())
    line.mid.ip("route add 10.78.0.0/16 via 10.77.1.1")
    line.snd.ip("route add blackhole 10.78.0.0/16")
    line.flood = build("flood.c")
    return line


def half_open(ns):
    return ns.run("ss", "-Htan", "state", "syn-recv").stdout.splitlines()


def test_syn_flood(target_of_flood, mangle, tmp_path):
    """At least 100,000 SYNs leave nothing behind, connections that were there go on, and 500 new ones are made
    during at least 100,000 more."""
    line = target_of_flood
    server = streams.Server(line.mid, TCP_PORTS)
    old = streams.jobs(20, both_addresses(), SHARED, ENTITIES, seed=1)
    new = streams.jobs(500, both_addresses(), SHARED, ENTITIES, seed=2)
    held = streams.Held(old)
    seen = {}

    async def flood_alone():
        await asyncio.sleep(0.1)
        seen["before"], seen["flows"] = mangle.reasons(), flows()
        flood = Flood(line, line.flood, tmp_path, segment(options=SYN_OPTIONS), 150_000, seed=1)
        seen["flooded"] = await asyncio.to_thread(flood.finish)
        seen["after"], seen["flows after"] = mangle.reasons(), flows()
        seen["half open"] = half_open(line.mid)

    async def flood_and_connections():
        flood = Flood(line, line.flood, tmp_path, segment(options=SYN_OPTIONS), 150_000, seed=2)
        found = await streams.run_all(new, 50, 30)
        seen["flooded again"] = await asyncio.to_thread(flood.finish)
        seen["after again"] = mangle.reasons()
        return found

    with line.snd.enter():
        _, found = asyncio.run(held.run_while(flood_alone, flood_and_connections))
    streams.check(new, found)
    held.check(at_least=20)
    assert seen["flooded"] >= 100_000 <= seen["flooded again"], seen
    for before, after in (("before", "after"), ("after", "after again")):
        assert seen[after]["tcp_cookie"] - seen[before]["tcp_cookie"] >= 100_000, seen
    assert seen["flows"] > 0, "the connections that are open should be known"
    assert seen["flows after"] == seen["flows"], "a SYN flood fills the table of flows"
    assert flows() <= seen["flows"] + 2 * len(new), "more flows than there were connections"
    assert seen["half open"] == [] == half_open(line.mid)
    counts = server.finish()
    assert counts["connections"] == streams.by_target(old + new) and counts["resets"] == 0, counts
    assert "tcp_reset" not in mangle.reasons()


def test_floods_of_other_segments(target_of_flood, mangle, tmp_path):
    """Data, ACKs and RSTs of connections that nobody has leave nothing behind either."""
    line = target_of_flood
    server = streams.Server(line.mid, TCP_PORTS)
    held = streams.Held(streams.jobs(20, both_addresses(), SHARED, ENTITIES, seed=1))
    tag = next(iter(ENTITIES))
    seen = {}

    async def floods():
        await asyncio.sleep(0.1)
        before, snmp = flows(), line.mid.snmp()
        for seed, (name, frame) in enumerate({"data": segment(tag + bytes(100), 0x18), "ack": segment(b"", 0x10),
                                              "rst": segment(b"", 0x04), "fin": segment(b"", 0x11)}.items()):
            reasons = mangle.reasons()
            flood = Flood(line, line.flood, tmp_path, frame, 40_000, seed=seed)
            seen[name] = await asyncio.to_thread(flood.finish)
            after = mangle.reasons()
            seen[name, "reasons"] = {k: n - reasons.get(k, 0) for k, n in after.items() if n - reasons.get(k, 0)}
        seen["flows"] = before, flows()
        seen["opened"] = line.mid.snmp()["Tcp.PassiveOpens"] - snmp["Tcp.PassiveOpens"]

    with line.snd.enter():
        asyncio.run(held.run_while(floods))
    held.check(at_least=20)
    assert seen["flows"][0] == seen["flows"][1], "segments of no connection fill the table of flows"
    assert seen["opened"] == 0, "segments of no connection have made connections"
    for name in ("data", "ack", "rst", "fin"):
        assert sum(seen[name, "reasons"].values()) >= 30_000, f"the flood of {name} came to nothing: {seen}"
        assert "tcp_bound" not in seen[name, "reasons"], seen
    # one of no known connection gets a RST, and so does a FIN; a RST gets none
    assert seen["data", "reasons"]["tcp_reset"] >= 30_000 <= seen["fin", "reasons"]["tcp_reset"], seen
    assert "tcp_reset" not in seen["rst", "reasons"], seen
    assert server.finish()["resets"] == 0


# --- a bad wire -------------------------------------------------------------------------------------

class ShakyLine:
    """snd:s0 – r0:mid wire:r1 – m0:mid, addresses as Line has them at its first two ends."""

    def __init__(self, lab):
        self.lab = lab
        self.snd, self.wire, self.mid = (lab.ns(n) for n in ("snd", "wire", "mid"))
        for conf in ("all", "default"):
            self.wire.sysctl(f"ipv6/conf/{conf}/disable_ipv6", 1)
        lab.veth(self.snd, "s0", self.wire, "r0")
        lab.veth(self.wire, "r1", self.mid, "m0")
        for ns, dev, own, peer, peer_dev in ((self.snd, "s0", 1, 2, "m0"), (self.mid, "m0", 2, 1, "s0")):
            ns.ip(f"address add 10.77.1.{own}/24 dev {dev}", f"address add fd77:1::{own}/64 dev {dev} nodad",
                  f"neigh replace 10.77.1.{peer} lladdr {netns.mac_of(peer_dev)} dev {dev} nud permanent",
                  f"neigh replace fd77:1::{peer} lladdr {netns.mac_of(peer_dev)} dev {dev} nud permanent")
        for ns, dev in ((self.snd, "s0"), (self.wire, "r0"), (self.wire, "r1"), (self.mid, "m0")):
            ns.offload(dev, tx=False, tso=False, gso=False, gro=False)  # frames as on a wire


@pytest.mark.parametrize("timestamps", (True, False), ids=("timestamps", "no-timestamps"))
def test_bad_wire(lab, mangle, build, timestamps):
    """2 % of the frames lost, 5 % late, 1 % doubled, both ways: 100 connections of 100 kB each, the first segments
    of the connection among what is lost, late and doubled."""
    line = ShakyLine(lab)
    line.snd.sysctl("ipv4/tcp_timestamps", int(timestamps))
    mangle.attach(line.mid, "m0", text=text())
    server = streams.Server(line.mid, TCP_PORTS)
    wire = line.wire.popen(build("shaky.c"), "r0", "r1", 20, 50, 6, 10, 4711, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)
    assert wire.stdout.readline() == "ready\n"
    todo = streams.jobs(100 * LONG, both_addresses(), SHARED, ENTITIES, seed=3, size=(100_000, 110_000))
    found, _ = streams.run(line.snd, todo, 100, deadline=60)
    ends = json.loads(wire.communicate("", timeout=20)[0])
    assert all(e["large"] == 0 for e in ends.values()), f"frames that no wire would take: {ends}"
    assert all(e["lost"] > 50 and e["late"] > 100 and e["doubled"] > 20 for e in ends.values()), \
        f"the wire was too good: {ends}"
    streams.check(todo, found)
    counts = server.finish()
    assert counts["connections"] == streams.by_target(todo) and counts["resets"] == 0, counts
    reasons = mangle.reasons()
    assert reasons["tcp_bound"] == len(todo), reasons


def test_segments_of_few_bytes(line, mangle):
    """Clients that send byte by byte: the tag comes in pieces, and the first segments wait for more."""
    mangle.attach(line.mid, "m0", text=text(size=(8, 65507)))
    server = streams.Server(line.mid, TCP_PORTS)
    todo = streams.jobs(20, both_addresses(), SHARED, ENTITIES, seed=9, size=(500, 500))

    async def by_bytes(job):
        reader, writer = await streams.connect(job)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        message = job.tag + struct.pack("!I", len(job.data)) + job.data
        for i in range(20):
            writer.write(message[i:i + 1])
            await asyncio.sleep(0.003)
        writer.write(message[20:])
        writer.write_eof()
        try:
            wrong = await streams.check_greeting(job, reader, writer)
            return wrong or ("ok" if await reader.read(-1) == message else "other bytes came back")
        except OSError as e:
            return repr(e)
        finally:
            writer.close()

    async def all_of_them():
        return await asyncio.wait_for(asyncio.gather(*map(by_bytes, todo)), 20)

    with line.snd.enter():
        streams.check(todo, asyncio.run(all_of_them()))
    assert server.finish()["connections"] == streams.by_target(todo)
    assert mangle.reasons()["too_short"] >= len(todo)
