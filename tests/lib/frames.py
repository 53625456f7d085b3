"""Frames and captures, built by hand: the tests' own idea of them, shared with nothing they test."""

import ipaddress
import struct

ETH = bytes.fromhex("020000000001" "020000000002")
LINKTYPE_ETHERNET = 1


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def transport(proto, src, dst, sport, dport, payload):
    """A UDP or TCP header and payload with a right checksum."""
    src, dst = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if proto == 17:
        head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    else:
        head = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 5 << 4, 0x18, 1000, 0, 0)
    length = len(head) + len(payload)
    if len(src) == 4:
        pseudo = src + dst + struct.pack("!BBH", 0, proto, length)
    else:
        pseudo = src + dst + struct.pack("!IHBB", length, 0, 0, proto)
    c = checksum(pseudo + head + payload)
    at = 6 if proto == 17 else 16
    if proto == 17 and c == 0:
        c = 0xffff
    return head[:at] + struct.pack("!H", c) + head[at + 2:] + payload


def frame(payload=b"", dport=5000, *, proto=17, src="198.51.100.7", dst="192.0.2.1", sport=40000,
          vlans=(), trailer=b""):
    """An Ethernet frame with one UDP (17) or TCP (6) packet, IPv4 or IPv6 as the addresses are.
    Payloads given as text are ASCII."""
    if isinstance(payload, str):
        payload = payload.encode("ascii")
    l4 = transport(proto, src, dst, sport, dport, payload)
    s, d = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(s) == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(l4), 1, 0, 64, proto, 0) + s + d
        l3 = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        ethertype = 0x0800
    else:
        l3 = struct.pack("!IHBB", 6 << 28, len(l4), proto, 64) + s + d
        ethertype = 0x86dd
    tags = b"".join(struct.pack("!HH", 0x8100, v) for v in vlans)
    return ETH + tags + struct.pack("!H", ethertype) + l3 + l4 + trailer


def pcap(frames, linktype=LINKTYPE_ETHERNET, order="<", nanoseconds=False, cut=()):
    """A classic capture. `cut` names the packets (from 1) of which the last 10 bytes are missing."""
    magic = 0xa1b23c4d if nanoseconds else 0xa1b2c3d4
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, linktype)
    for i, f in enumerate(frames, 1):
        kept = f[:-10] if i in cut else f
        out += struct.pack(order + "IIII", 1_700_000_000 + i, 1000 * i, len(kept), len(f)) + kept
    return out


def sll(packet, sent=False):
    """An Ethernet frame as `tcpdump -i any` of old captures it: LINUX_SLL, link type 113."""
    head = struct.pack("!HHH", 4 if sent else 0, 1, 6) + packet[6:12] + b"\0\0"
    return head + packet[12:]


def sll2(packet, sent=False):
    """The same of today: LINUX_SLL2, link type 276."""
    return packet[12:14] + struct.pack("!HIHBB", 0, 7, 1, 4 if sent else 0, 6) + packet[6:12] + b"\0\0" + packet[14:]


def block(kind, body, order="<"):
    """A block of pcapng."""
    body += b"\0" * (-len(body) % 4)
    n = 12 + len(body)
    return struct.pack(order + "II", kind, n) + body + struct.pack(order + "I", n)


def pcapng_of(interfaces, packets, order="<"):
    """One section with interfaces (link type, snaplen, options), and packets (interface, bytes, time in ticks)."""
    out = block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1), order)
    for linktype, snaplen, options in interfaces:
        out += block(1, struct.pack(order + "HHI", linktype, 0, snaplen) + options, order)
    for interface, data, ticks in packets:
        out += block(6, struct.pack(order + "IIIII", interface, ticks >> 32, ticks & 0xffffffff, len(data), len(data)) + data, order)
    return out


def pcapng(frames, linktype=LINKTYPE_ETHERNET, order="<", cut=(), strangers=True):
    """One section, one interface, enhanced packet blocks; with `strangers` also blocks that a
    reader must step over (options, a custom block, statistics)."""

    option = struct.pack(order + "HH", 4, 5) + b"hello\0\0\0" + struct.pack(order + "HH", 0, 0)
    out = block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1) + (option if strangers else b""), order)
    out += block(1, struct.pack(order + "HHI", linktype, 0, 262144), order)
    if strangers:
        out += block(0x0bad, b"skip me", order)
    for i, f in enumerate(frames, 1):
        kept = f[:-10] if i in cut else f
        out += block(6, struct.pack(order + "IIIII", 0, 0, i, len(kept), len(f)) + kept, order)
    if strangers:
        out += block(5, struct.pack(order + "III", 0, 0, 1), order)
    return out


def read_times(data):
    """The times of a classic capture in nanoseconds: (seconds, nanoseconds)."""
    assert data[:4] == b"\x4d\x3c\xb2\xa1", data[:4]
    at, times = 24, []
    while at < len(data):
        seconds, part, caplen, _ = struct.unpack_from("<IIII", data, at)
        times.append((seconds, part))
        at += 16 + caplen
    return times


def read_pcap(data):
    """The frames of a classic capture in either byte order."""
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    magic, _, _, _, _, _, linktype = struct.unpack_from(order + "IHHiIII", data)
    assert magic in (0xa1b2c3d4, 0xa1b23c4d), hex(magic)
    assert linktype == LINKTYPE_ETHERNET, linktype
    at, frames = 24, []
    while at < len(data):
        _, _, caplen, length = struct.unpack_from(order + "IIII", data, at)
        assert caplen == length and at + 16 + caplen <= len(data), (at, caplen, length)
        frames.append(data[at + 16:at + 16 + caplen])
        at += 16 + caplen
    return frames
