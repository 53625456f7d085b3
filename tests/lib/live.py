"""What the live tests share: configurations as text, the line of three namespaces, one batch of
packets through it, and the processes that send and receive while something else happens."""

import contextlib
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from collections import Counter

from mangletest import ctl, netns
from mangletest.netns import TCP, UDP

# What runs long: MANGLE_LONG=10 does ten times as many rounds.
LONG = int(os.environ.get("MANGLE_LONG", "1"))
MODES = ("native", "generic")
SHARED = 5000


# --- configurations -------------------------------------------------------------------------------

def tag_text(tag):
    return tag if isinstance(tag, str) else "0x" + tag.hex()


def service(name="default", *, protocol="udp", ports=(SHARED,), tag=(0, 4), size=(4, 65507),
            entities=None, **optional):
    """One service of a configuration file; `optional` are its other keys."""
    lines = [f"name: {name}", f"protocol: {protocol}", f"ports: [{', '.join(map(str, ports))}]",
             f"tag: {{ offset: {tag[0]}, length: {tag[1]} }}",
             f"size: {{ min: {size[0]}, max: {size[1]} }}"]
    for key, value in optional.items():
        if isinstance(value, (list, tuple)):
            value = "[" + ", ".join(f'"{v}"' for v in value) + "]"
        elif isinstance(value, bool):
            value = str(value).lower()
        lines.append(f"{key}: {value}")
    if entities:
        lines.append("entities:")
        lines += [f'  - {{ tag: "{tag_text(t)}", target: {target} }}' for t, target in entities.items()]
    return "  - " + "\n    ".join(lines) + "\n"


def config(*services):
    return "version: 1\nservices:\n" + "".join(services or (service(),))


def table(entities):
    """Lines of a table file."""
    return "".join(f"{tag_text(t)} {target}\n" for t, target in entities.items())


class Mangle:
    """The tool, and the files it is given."""

    def __init__(self, tmp_path):
        self.tmp = tmp_path
        self.files = 0

    def file(self, text, suffix=".yaml"):
        self.files += 1
        path = self.tmp / f"file{self.files}{suffix}"
        path.write_text(text, encoding="utf-8")
        return path

    def attach(self, ns, *devs, mode="native", text=None, **kw):
        options = [] if text is None else ["--config", self.file(text)]
        return ctl.ok("-n", ns.name, "attach", *devs, "--mode", mode, *options, **kw)

    def apply(self, text):
        return ctl.ok("apply", "-", stdin=text)

    def stats(self):
        return ctl.js("stats")

    def reasons(self):
        """Packets by reason, those that never happened left out."""
        return {k: v["packets"] for k, v in self.stats()["reasons"].items() if v["packets"]}

    def entities(self, *args):
        """Rows of `map list` by tag in hex digits."""
        return {row["tag"][2:]: row for row in ctl.js("map", "list", *args)}

    def attached(self):
        """What status says is attached."""
        return [i for i in ctl.js("status")["interfaces"] if i["state"] == "attached"]


def change(before, after):
    """What two answers of `stats` differ by: packets by verdict, packets and bytes by reason."""
    verdicts = {k: after["packets"][k] - before["packets"][k] for k in after["packets"]}
    reasons = {}
    for name, now in after["reasons"].items():
        was = before["reasons"][name]
        if now != was:
            reasons[name] = (now["packets"] - was["packets"], now["bytes"] - was["bytes"])
    return verdicts, reasons


# --- the line -------------------------------------------------------------------------------------

class Line:
    """snd:s0 – m0:mid:m1 – f0:far. Sent at s0, mangled at m0, received in mid or in far."""

    def __init__(self, lab, mtu=1500):
        self.lab = lab
        self.snd, self.mid, self.far = (lab.ns(n) for n in ("snd", "mid", "far"))
        lab.join(self.snd, "s0", self.mid, "m0", 1, mtu)
        lab.join(self.mid, "m1", self.far, "f0", 2, mtu)
        self.mid.sysctl("ipv4/ip_forward", 1)
        self.mid.sysctl("ipv6/conf/all/forwarding", 1)
        self.snd.ip("route add default via 10.77.1.2", "route add default via fd77:1::2")
        self.far.ip("route add default via 10.77.2.1", "route add default via fd77:2::1")

    def ends(self, version, path):
        """(source, destination, receiving namespace, its device)"""
        source, near = netns.addresses(1, version)
        if path == "local":
            return source, near, self.mid, "m0"
        return source, netns.addresses(2, version)[1], self.far, "f0"

    def offload(self, sender=True, egress=True):
        self.snd.offload("s0", tx=sender)
        self.mid.offload("m1", tx=egress)


PATHS = {"local": True, "forwarded-egress-on": True, "forwarded-egress-off": False}


def send_udp(line, version, path, datagrams, sport=40000, gso=0):
    """Sends from a UDP socket. Returns nothing; the receivers are to be open by then."""
    source, destination, _, _ = line.ends(version, path)
    s = line.snd.udp(source, sport)
    s.setblocking(True)
    if gso:
        s.setsockopt(17, 103, gso)  # SOL_UDP, UDP_SEGMENT
    s.connect((destination, SHARED))
    for datagram in datagrams:
        s.send(datagram)
    s.close()


def receivers(line, version, path, ports):
    _, destination, ns, _ = line.ends(version, path)
    return {port: ns.udp(destination, port) for port in ports}


def by_port(sockets, wanted, timeout=5.0, quiet=0.05):
    got = netns.drain(list(sockets.values()), wanted, timeout, quiet)
    return {port: got[s] for port, s in sockets.items()}


def expect_equal(got, expected):
    """Every socket has got just its own datagrams, whole; says briefly what is different."""
    for port in expected.keys() | got.keys():
        want, have = Counter(expected.get(port, ())), Counter(got.get(port, ()))
        if want != have:
            lost, more = want - have, have - want
            raise AssertionError(
                f"port {port}: {sum(want.values())} wanted, {sum(have.values())} came; "
                f"{sum(lost.values())} lost {[x[:12].hex() for x in list(lost)[:3]]}, "
                f"{sum(more.values())} not wanted {[x[:12].hex() for x in list(more)[:3]]}; "
                f"by port { {p: len(v) for p, v in got.items()} }")


def steer(datagrams, entities, unknown=SHARED, tag=slice(0, 4)):
    """Where the datagrams should arrive: {port: [datagram, …]}"""
    out = {port: [] for port in (*entities.values(), SHARED)}
    for d in datagrams:
        out.setdefault(entities.get(d[tag], unknown), []).append(d)
    return out


def check_wire(packets, count):
    """All have come, and every checksum verifies in full."""
    assert len(packets) == count, f"{len(packets)} frames of {count} at the final place"
    bad = [p for p in packets if not p.sum_ok()]
    assert not bad, f"{len(bad)} of {count} frames with a wrong checksum, e.g. {bad[0].frame[:64].hex()}"


# --- processes ------------------------------------------------------------------------------------

class Stream:
    """A paced sender and a counting receiver, both processes of their own. Datagrams are
    `prefix sequence(8)`, the prefixes in turn; port number i of `ports` takes the sequence numbers
    that are i modulo `modulo`, any other place is counted as misplaced. Every `modulo` ports are a
    group: where, in the order they were sent, packets change to another group is a turn."""

    def __init__(self, blast, line, prefixes, ports, *, rate=20000, modulo=1, destination=None, sport=40000,
                 tmp):
        source, near, ns, _ = line.ends(4, "local")
        destination = destination or near
        self.line = line
        listing = tmp / f"prefixes{id(self)}"
        listing.write_text("".join(p.hex() + "\n" for p in prefixes), encoding="ascii")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.drops = self.lost_elsewhere()
        self.receiver = ns.popen(blast, "recv", destination, listing, modulo, SHARED, *ports, **pipes)
        assert self.receiver.stdout.readline() == "ready\n"
        progress = tmp / f"sent{id(self)}"
        self.sender = line.snd.popen(blast, "send", source, sport, destination, SHARED, rate, listing, progress,
                                     **pipes)
        assert self.sender.stdout.readline() == "ready\n"
        with open(progress, "rb") as f:
            self.progress = mmap.mmap(f.fileno(), 8, prot=mmap.PROT_READ)

    def sent(self):
        """The sequence number of the next packet: it has not been sent yet."""
        return int.from_bytes(self.progress[:8], sys.byteorder)

    def wait(self, packets):
        """Until so many more have been sent."""
        goal = self.sent() + packets
        assert netns.wait_for(lambda: self.sent() >= goal, step=0.0005), "the sender stands still"

    def lost_elsewhere(self):
        """What devices and sockets themselves own up to."""
        udp = self.line.mid.snmp()
        return (self.line.snd.link_drops("s0"), self.line.mid.link_drops("m0"), udp["Udp.RcvbufErrors"])

    def finish(self):
        """Stops both. The answer has `sent`, `unique`, `duplicates`, `misplaced`, `shared`, `odd`, and
        `lost`, less what the veth ring and full sockets lost."""
        sent = json.loads(self.sender.communicate("", timeout=20)[0])
        time.sleep(0.1)
        answer = json.loads(self.receiver.communicate("", timeout=20)[0])
        answer.update(sent)
        after = self.lost_elsewhere()
        answer["elsewhere"] = sum(b - a for a, b in zip(self.drops, after))
        answer["lost"] = answer["sent"] - answer["unique"] - answer["elsewhere"]
        return answer


def check_stream(answer, at_least):
    """Nothing lost, nothing twice, nothing altered, nothing on the shared port or on another entity's."""
    assert answer["sent"] >= at_least, f"the sender was too slow to show anything: {answer}"
    assert answer["elsewhere"] <= answer["sent"] // 20, f"the line lost too much to judge: {answer}"
    assert {k: answer[k] for k in ("lost", "duplicates", "shared", "misplaced", "odd")} == \
        {"lost": 0, "duplicates": 0, "shared": 0, "misplaced": 0, "odd": 0}, answer


def check_turns(answer, changes):
    """Each change, told as (`sent()` before the command, `sent()` after it, group from then on), turns
    the packets once: all that were sent before the turn went by the old state and all after it by the
    new one, and packets sent before the command are all before the turn, those sent after it all after it."""
    turns = answer["turns"]
    for i, (begin, end, group) in enumerate(changes):
        assert i < len(turns), f"{len(turns)} turns for {len(changes)} changes: {turns}"
        last, first, now = turns[i]
        assert now == group and begin - 1 <= first and last < end, \
            f"change {i} was made from {begin} to {end}: {turns[i]} of {turns}"  # begin - 1 is on its way
    assert len(turns) == len(changes), f"{len(turns)} turns for {len(changes)} changes: {turns}"


@contextlib.contextmanager
def running(*argv, **kw):
    """A run of the tool that goes on while the block runs."""
    process = subprocess.Popen([ctl.BIN, *map(str, argv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def sequence(payload):
    return struct.unpack_from("!I", payload, 4)[0]


PROTOCOLS = {"udp": UDP, "tcp": TCP}
