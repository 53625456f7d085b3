"""Network namespaces with real sockets, and a reader of what arrives that trusts nobody.

Sockets are made here, inside the namespace, and used from the test's own process; only what must
run at the same time as the test is a process of its own. A `Lab` owns all it makes and takes it
away again, whatever happens.

Everything about checksums is computed from the bytes of the frame, after the last device has
completed it: `Capture` asks the kernel where a frame still has a checksum to be filled in
(PACKET_VNET_HDR) and fills it in as a network card does, so a frame that only looks right because
veth completes nothing is found out.
"""

import contextlib
import ctypes
import ipaddress
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass

SOL_PACKET = 263
PACKET_STATISTICS, PACKET_AUXDATA, PACKET_VNET_HDR = 6, 8, 15
PACKET_OUTGOING = 4
ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
VNET = struct.Struct("=BBHHHH")  # virtio_net_hdr: flags, gso type, header, gso size, start, offset
VNET_NEEDS_CSUM = 1
AUXDATA = struct.Struct("=IIIHHHH")  # tpacket_auxdata: status, len, snaplen, mac, net, tci, tpid
VLAN_VALID, VLAN_TPID_VALID = 1 << 4, 1 << 6
UDP, TCP = 17, 6
IPV4, IPV6, ARP = 0x0800, 0x86dd, 0x0806
VLAN_TYPES = (0x8100, 0x88a8)

_libc = ctypes.CDLL(None, use_errno=True)


def command(*argv, check=True, stdin=None, timeout=60):
    """Runs a helper; its output is in the error where it fails."""
    done = subprocess.run([str(a) for a in argv], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(str(a) for a in argv)} -> {done.returncode}: {done.stdout}")
    return done


# --- namespaces -----------------------------------------------------------------------------------

class Namespace:
    """One network namespace."""

    def __init__(self, lab, short):
        self.lab, self.name = lab, lab.prefix + short
        command("ip", "netns", "add", self.name)
        self.fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        lab.namespaces[short] = self  # so that it goes, whatever happens
        for key, value in {
                "ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0,
                "ipv6/conf/default/accept_ra": 0, "ipv6/conf/default/router_solicitations": 0,
                # multicast reports at once, not some time during the test
                "ipv6/conf/default/mldv2_unsolicited_report_interval": 1,
                "ipv4/conf/all/rp_filter": 0, "ipv4/conf/default/rp_filter": 0}.items():
            self.sysctl(key, value)
        self.ip("link set lo up")

    @contextlib.contextmanager
    def enter(self):
        """This thread stands in the namespace for the while; sockets made there stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            if _libc.setns(self.fd, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.name}")
            try:
                yield
            finally:
                if _libc.setns(home, CLONE_NEWNET):
                    os._exit(70)  # never go on in the wrong namespace
        finally:
            os.close(home)

    def ip(self, *lines, check=True):
        """Runs lines of `ip -batch` here."""
        argv = ["ip", "-n", self.name, "-batch", "-"]
        done = command(*argv, stdin="".join(line + "\n" for line in lines), check=False)
        if check and done.returncode:  # in one line, as reasons of skipped tests are shown
            raise RuntimeError(f"ip -n {self.name}: {'; '.join(lines)}: {' '.join(done.stdout.split())}")
        return done.stdout

    def run(self, *argv, check=True, **kw):
        return command("ip", "netns", "exec", self.name, *argv, check=check, **kw)

    def popen(self, *argv, **kw):
        """A process in the namespace; the Lab ends it at the latest."""
        process = subprocess.Popen(["ip", "netns", "exec", self.name, *map(str, argv)], **kw)
        self.lab.processes.append(process)
        return process

    def sysctl(self, key, value):
        with self.enter(), open(f"/proc/sys/net/{key}", "w", encoding="ascii") as f:
            f.write(str(value))

    def sysctl_get(self, key):
        with self.enter(), open(f"/proc/sys/net/{key}", encoding="ascii") as f:
            return f.read().strip()

    def snmp(self):
        """The stack's own counters, `Udp.InErrors` and the like, both families."""
        found = {}
        with self.enter():
            with open("/proc/thread-self/net/snmp", encoding="ascii") as f:
                lines = f.read().splitlines()
            for names, values in zip(lines[::2], lines[1::2]):
                group, names = names.split(":")
                found.update(zip((f"{group}.{n}" for n in names.split()),
                                 map(int, values.split(":")[1].split())))
            with open("/proc/thread-self/net/snmp6", encoding="ascii") as f:
                found.update((k, int(v)) for k, v in map(str.split, f))
        return found

    def checksum_errors(self):
        """How many packets this stack has refused for a wrong checksum."""
        now = self.snmp()
        return sum(now.get(k, 0) for k in (
            "Udp.InCsumErrors", "Tcp.InCsumErrors", "Udp6InCsumErrors", "Ip6InCsumErrors"))

    def offload(self, dev, **features):
        """ethtool -K; `tx=True` turns it on. Underscores stand for dashes."""
        words = [w for k, on in features.items() for w in (k.replace("_", "-"), "on" if on else "off")]
        self.run("ethtool", "-K", dev, *words)

    def link_drops(self, dev):
        """Frames the device itself lost, its ring being full."""
        with self.enter(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM), \
                open("/proc/thread-self/net/dev", encoding="ascii") as f:
            for line in f:
                name, _, rest = line.strip().partition(":")
                if name == dev:
                    n = rest.split()
                    return int(n[3]) + int(n[11])
        raise KeyError(dev)

    def socket(self, family, kind, proto=0, buffer=64 << 20):
        with self.enter():
            s = socket.socket(family, kind, proto)
        self.lab.stack.callback(s.close)
        for option in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
            s.setsockopt(socket.SOL_SOCKET, option, buffer)
        return s

    def udp(self, address, port, **kw):
        """A UDP socket bound to an address of the namespace."""
        s = self.socket(family_of(address), socket.SOCK_DGRAM, **kw)
        s.bind((address, port))
        s.setblocking(False)
        return s

    def raw(self, dev, vnet=False):
        """A socket that sends whole Ethernet frames, with `vnet` each led by a virtio_net_hdr."""
        s = self.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        if vnet:
            s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        s.bind((dev, 0))
        return s

    def ifindex(self, dev):
        with self.enter():
            return socket.if_nametoindex(dev)

    def delete(self):
        os.close(self.fd)
        command("ip", "netns", "del", self.name, check=False)


class Lab:
    """Namespaces of one test; leaving it removes all that was made.

    `with Lab(prefix) as lab: a = lab.ns("a"); b = lab.ns("b"); lab.veth(a, "a0", b, "b0")`
    """

    def __init__(self, prefix=f"mgln-{os.getpid()}-"):
        self.prefix = prefix
        self.stack = contextlib.ExitStack()
        self.processes = []
        self.namespaces = {}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self.processes.clear()
        self.stack.close()
        for ns in self.namespaces.values():
            ns.delete()
        self.namespaces.clear()

    @contextlib.contextmanager
    def sockets(self):
        """What sockets are made inside are closed at the end of the block."""
        outer, self.stack = self.stack, contextlib.ExitStack()
        try:
            yield
        finally:
            self.stack.close()
            self.stack = outer

    def ns(self, short):
        return Namespace(self, short)

    def veth(self, a, dev_a, b, dev_b, mtu=1500):
        """A pair, up, with fixed MAC addresses (mac_of(dev)) and nothing that sends by itself."""
        command("ip", "link", "add", dev_a, "mtu", mtu, "address", mac_of(dev_a), "netns", a.name,
                "type", "veth", "peer", "name", dev_b, "mtu", mtu, "address", mac_of(dev_b),
                "netns", b.name)
        a.ip(f"link set {dev_a} multicast off up")
        b.ip(f"link set {dev_b} multicast off up")

    def join(self, a, dev_a, b, dev_b, net, mtu=1500):
        """A pair with 10.77.NET.1 and fd77:NET::1 at its first end, .2 and ::2 at the second, each
        knowing the other's MAC address, so that nothing has to be asked."""
        self.veth(a, dev_a, b, dev_b, mtu)
        for ns, dev, own, peer, peer_dev in ((a, dev_a, 1, 2, dev_b), (b, dev_b, 2, 1, dev_a)):
            ns.ip(f"address add 10.77.{net}.{own}/24 dev {dev}",
                  f"address add fd77:{net}::{own}/64 dev {dev} nodad",
                  f"neigh replace 10.77.{net}.{peer} lladdr {mac_of(peer_dev)} dev {dev} nud permanent",
                  f"neigh replace fd77:{net}::{peer} lladdr {mac_of(peer_dev)} dev {dev} nud permanent")


def mac_of(dev):
    """Every device name has a MAC address of its own."""
    return "02:" + ":".join(f"{b:02x}" for b in dev.encode().rjust(5, b"\0")[-5:])


def xdp_on(ns, dev):
    """The id of the XDP program on a device, None without one."""
    words = command("ip", "-n", ns.name, "-details", "link", "show", "dev", dev).stdout.split()
    for i, word in enumerate(words):
        if word == "prog/xdp":
            return int(words[words.index("id", i) + 1])
    return None


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def addresses(net, version):
    """The two ends of `Lab.join(…, net)`."""
    return (f"10.77.{net}.1", f"10.77.{net}.2") if version == 4 else (f"fd77:{net}::1", f"fd77:{net}::2")


def drain(sockets, wanted, timeout=5.0, quiet=0.0):
    """Reads non-blocking sockets until `wanted` datagrams came in all, or until the time is up, and
    then for `quiet` seconds more, in which nothing more should come. {socket: [payload, …]}"""
    got = {s: [] for s in sockets}
    deadline, total = time.monotonic() + timeout, 0
    while True:
        left = deadline - time.monotonic()
        if total >= wanted:
            left = min(left, quiet)
        ready, _, _ = select.select(sockets, [], [], max(left, 0))
        if not ready:
            return got
        for s in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    got[s].append(s.recv(1 << 16))
                    total += 1


def wait_for(condition, timeout=5.0, step=0.02):
    """Waits until the condition is true; its last value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(step)


# --- checksums ------------------------------------------------------------------------------------

def ones_sum(data):
    """The folded one's-complement sum (RFC 1071) of big-endian 16-bit words. As 2^16 is 1 modulo
    0xffff, it is the remainder of the whole number, but that 0 comes only of nothing but zeros."""
    if len(data) % 2:
        data = bytes(data) + b"\0"
    number = int.from_bytes(data, "big")
    return (number % 0xffff or 0xffff) if number else 0


def pseudo_sum(src, dst, proto, length):
    return ones_sum(ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
                    + struct.pack("!IHBB", length, 0, 0, proto))


def transport_offset(proto):
    """Where the checksum lies in the transport header."""
    return 6 if proto == UDP else 16


@dataclass
class Packet:
    """A frame, read. `l4` is the transport header's offset, None where there is none to read
    (no IP, a later fragment); `body` is all that the IP header says comes behind it."""
    frame: bytes
    vlans: tuple
    ethertype: int
    version: int = 0
    src: str = ""
    dst: str = ""
    proto: int = 0
    l4: int = None
    l4_length: int = 0
    fragment: bool = False
    offset: int = 0
    sport: int = None
    dport: int = None
    checksum: int = None
    payload: bytes = None

    @property
    def body(self):
        return self.frame[self.l4:self.l4 + self.l4_length]

    def sum_ok(self):
        """Whether the transport checksum verifies in full; for UDP a 0 says that there is none."""
        if self.proto == UDP and self.checksum == 0:
            return self.version == 4
        length = struct.unpack_from("!H", self.body, 4)[0] if self.proto == UDP else self.l4_length
        return fold(pseudo_sum(self.src, self.dst, self.proto, length)
                    + ones_sum(self.body[:length])) == 0xffff


def fold(number):
    while number >> 16:
        number = (number & 0xffff) + (number >> 16)
    return number


def read(frame):
    """Reads Ethernet, VLAN tags, IPv4 or IPv6 with extension headers, UDP or TCP."""
    at, tags = 14, []
    ethertype, = struct.unpack_from("!H", frame, 12)
    while ethertype in VLAN_TYPES:
        tags.append((ethertype, struct.unpack_from("!H", frame, at)[0]))
        ethertype, = struct.unpack_from("!H", frame, at + 2)
        at += 4
    p = Packet(frame, tuple(tags), ethertype)
    if ethertype == IPV4:
        p.version = 4
        total, = struct.unpack_from("!H", frame, at + 2)
        flags, = struct.unpack_from("!H", frame, at + 6)
        p.proto = frame[at + 9]
        p.src, p.dst = (str(ipaddress.ip_address(frame[at + i:at + i + 4])) for i in (12, 16))
        end, at = at + total, at + 4 * (frame[at] & 15)
        p.fragment, p.offset = bool(flags & 0x3fff), 8 * (flags & 0x1fff)
    elif ethertype == IPV6:
        p.version = 6
        length, p.proto = struct.unpack_from("!HB", frame, at + 4)
        p.src, p.dst = (str(ipaddress.ip_address(frame[at + i:at + i + 16])) for i in (8, 24))
        at += 40
        end = at + length
        while p.proto in (0, 43, 44, 60) and not p.offset:
            if p.proto == 44:
                flags, = struct.unpack_from("!H", frame, at + 2)
                p.fragment, p.offset = bool(flags & ~6), flags & 0xfff8
                size = 8
            else:
                size = 8 + 8 * frame[at + 1]
            p.proto, at = frame[at], at + size
    else:
        return p
    if p.offset:
        return p
    p.l4, p.l4_length = at, end - at
    if p.proto in (UDP, TCP) and p.l4_length >= (8 if p.proto == UDP else 20):
        p.sport, p.dport = struct.unpack_from("!HH", frame, at)
        p.checksum, = struct.unpack_from("!H", frame, at + transport_offset(p.proto))
        head = 8 if p.proto == UDP else 4 * (frame[at + 12] >> 4)
        last = at + struct.unpack_from("!H", frame, at + 4)[0] if p.proto == UDP else end
        p.payload = frame[at + head:last]
    return p


def complete(frame, start, offset):
    """What a network card does with a frame whose checksum was left to it: the sum from `start` to
    the end, whatever the field holds, goes into the field at `start + offset`."""
    value = ~ones_sum(frame[start:]) & 0xffff
    value = value or 0xffff  # as skb_checksum_help() and cards do
    return frame[:start + offset] + struct.pack("!H", value) + frame[start + offset + 2:]


# --- captures -------------------------------------------------------------------------------------

@dataclass
class Caught:
    """A captured frame: as it left the last device, and as it lay in memory before that."""
    frame: bytes
    partial: bool
    memory: bytes
    outgoing: bool
    gso: int


class Capture:
    """Records what a device of a namespace receives (after its XDP program), or with `outgoing`
    what it sends. Stripped VLAN tags are put back."""

    def __init__(self, ns, dev, outgoing=False):
        self.outgoing = outgoing
        self.socket = s = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, buffer=128 << 20)
        s.setblocking(False)
        s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        s.bind((dev, ETH_P_ALL))

    def frames(self):
        """All that came since the last call."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                data, control, _, address = self.socket.recvmsg(VNET.size + (1 << 17), 64)
                if (address[2] == PACKET_OUTGOING) != self.outgoing:
                    continue
                flags, _, _, gso, start, offset = VNET.unpack_from(data)
                memory = data[VNET.size:]
                status, _, _, _, _, tci, tpid = AUXDATA.unpack(control[0][2][:AUXDATA.size])
                if status & VLAN_VALID:
                    kind = tpid if status & VLAN_TPID_VALID else 0x8100
                    memory = memory[:12] + struct.pack("!HH", kind, tci) + memory[12:]
                    start += 4
                partial = bool(flags & VNET_NEEDS_CSUM)
                found.append(Caught(complete(memory, start, offset) if partial and not gso else memory,
                                    partial, memory, self.outgoing, gso))
        lost = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        assert lost == 0, f"the capture itself lost {lost} frames"
        return found

    def wait(self, count, wanted=lambda packet: True, timeout=5.0):
        """Reads until `count` frames whose packet is wanted have come; those frames' packets."""
        found, deadline = [], time.monotonic() + timeout
        while len(found) < count and time.monotonic() < deadline:
            found += [p for p in (read(c.frame) for c in self.frames()) if wanted(p)]
            if len(found) < count:
                select.select([self.socket], [], [], 0.05)
        return found


# --- crafting -------------------------------------------------------------------------------------

def craft(payload, *, src, dst, sport=40000, dport=5000, proto=UDP, macs=("m0", "s0"), vlans=(),
          checksum="full", seq=1, ack=1, flags=0x18, window=1000, tcp_options=b"", padding=b"", extension=b"",
          options=b"", udp_length=None, ident=1):
    """A whole frame. `macs` names the devices it goes to and comes from; `checksum` is `full`,
    `partial` (the pseudo-header's sum, for hardware to complete), `none` (UDP 0), `wrong`, or a
    number; `extension` is a list of (kind, bytes from the third on, filled to a multiple of 8) for
    IPv6, `options` are IPv4's, `tcp_options` TCP's, filled to a multiple of 4."""
    if proto == UDP:
        head = struct.pack("!HHHH", sport, dport, udp_length or 8 + len(payload), 0)
    else:
        head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                           5 + len(tcp_options) // 4 << 4, flags, window, 0, 0) + tcp_options
    body = head + payload
    pseudo = pseudo_sum(src, dst, proto, len(body))
    full = ~fold(pseudo + ones_sum(body)) & 0xffff
    if proto == UDP and full == 0:
        full = 0xffff
    value = {"full": full, "partial": pseudo, "none": 0, "wrong": full ^ 0x1234}.get(checksum, checksum)
    at = transport_offset(proto)
    body = body[:at] + struct.pack("!H", value) + body[at + 2:]
    s, d = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(s) == 4:
        ethertype = IPV4
        ip = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), ident, 0,
                         64, proto, 0) + s + d + options
        ip = ip[:10] + struct.pack("!H", ~ones_sum(ip) & 0xffff) + ip[12:]
    else:
        ethertype, first, chain = IPV6, proto, b""
        for kind, rest in reversed(extension or ()):
            chain = bytes((first, (len(rest) + 2) // 8 - 1)) + rest + chain
            first = kind
        ip = struct.pack("!IHBB", 6 << 28, len(chain) + len(body), first, 64) + s + d + chain
    tags = b"".join(struct.pack("!HH", kind, tci) for kind, tci in vlans)
    ether = b"".join(bytes.fromhex(mac_of(dev).replace(":", "")) for dev in macs)
    return ether + tags + struct.pack("!H", ethertype) + ip + body + padding


def partial_header(frame):
    """The virtio_net_hdr that makes the kernel take a crafted frame for one whose checksum is still
    to be completed."""
    p = read(frame)
    return VNET.pack(VNET_NEEDS_CSUM, 0, 0, 0, p.l4, transport_offset(p.proto))


PLAIN_HEADER = VNET.pack(0, 0, 0, 0, 0, 0)


def verifies_by_chance(payload, *, src, dst, sport, dport, proto=UDP):
    """Whether a frame with the checksum left to hardware looks complete all the same: the one in
    65,536 that mangle says it cannot tell."""
    p = read(craft(payload, src=src, dst=dst, sport=sport, dport=dport, proto=proto, checksum="partial"))
    return p.sum_ok()


def payload_with_sum(payload, wanted_checksum, *, src, dst, sport, dport, proto=UDP, **kw):
    """The payload with two bytes (at an even place, behind the first eight) changed so that the
    full checksum comes to be `wanted_checksum`."""
    assert len(payload) >= 10
    blank = payload[:8] + b"\0\0" + payload[10:]
    p = read(craft(blank, src=src, dst=dst, sport=sport, dport=dport, proto=proto, **kw))
    # what is in the sum now, and what must be added to it
    now = ~p.checksum & 0xffff
    add = ((~wanted_checksum & 0xffff) - now) % 0xffff
    return payload[:8] + struct.pack("!H", add) + payload[10:]


def payloads(count, tags, seed, size=(8, 1200), start=0):
    """`count` payloads `TAG seq(4) random…` of varied, also odd, lengths, tags in turn: every one
    different, always the same for the same seed."""
    rng = random.Random(seed)
    made = []
    for i in range(start, start + count):
        tag = tags[i % len(tags)]
        made.append(tag + struct.pack("!I", i) + rng.randbytes(rng.randint(*size) - 8 if size[1] > 8 else 0))
    return made


def have(*programs):
    """The first program that is not there, None where all are."""
    return next((p for p in programs if not shutil.which(p)), None)
