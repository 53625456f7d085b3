# SPDX-License-Identifier: GPL-2.0-only
"""The traffic of the demo: what is sent, and what ought to become of it with demo.yaml loaded.

A datagram is tag, row number (1 byte), sequence number (2 bytes), and text up to its size; so
whoever gets it can tell which row it is of, and that it is one of its own.
"""
import struct
from dataclasses import dataclass

SHARED = 5000
PORTS = (SHARED, 6001, 6002, 6003)
LATER = 6004  # given out while the demo runs
HEAD = struct.Struct("!4sBH")
IPV4, IPV6 = "192.0.2.1", "2001:db8::1"  # the server


@dataclass
class Row:
    name: str
    tag: bytes
    target: str   # as the table has it
    sent: tuple   # datagrams over IPv4, over IPv6
    size: int     # bytes of payload
    reason: str   # under which mangle counts them
    arrives: int  # on this port, 0: nowhere
    why: str

    @property
    def total(self):
        return sum(self.sent)

    @property
    def shown(self):
        return self.tag.decode() if self.tag.isalnum() else "0x" + self.tag.hex()


ROWS = (
    Row("pump", b"PUMP", "6001", (40, 20), 24, "rewritten", 6001,
        "PUMP is in the table with port 6001: the destination port became 6001, the checksum was fixed,"
        " and nothing else changed."),
    Row("fan", b"FANS", "6002", (30, 30), 40, "rewritten", 6002,
        "Likewise, with a port of its own. One table serves IPv4 and IPv6."),
    Row("boiler", bytes.fromhex("b01100ff"), "6003", (0, 25), 64, "rewritten", 6003,
        "A tag may be any bytes. This entity is heard over IPv6 only."),
    Row("door", b"DOOR", "drop", (15, 10), 24, "entity_drop", 0,
        "The table says drop: its packets end before the kernel's stack sees them."),
    Row("clock", b"TIME", "pass", (10, 5), 24, "entity_pass", SHARED,
        "The table says pass: they are known, counted, and left on port 5000 as they came."),
    Row("(unknown)", b"NEW1", "-", (12, 8), 24, "unknown_tag", SHARED,
        "NEW1 is not in the table. This service has `unknown: pass`, so it stays on port 5000."),
    Row("(short)", b"PUMP", "-", (6, 4), 7, "too_short", 0,
        "7 bytes of payload; valid are 16 to 64. This service has `invalid: drop`."),
    Row("(long)", b"PUMP", "-", (4, 6), 100, "too_long", 0,
        "100 bytes of payload; the tag is known, but the packet is no valid reading."),
)
NEW = 5  # the row whose tag is added to the table later


def payload(row, seq):
    r = ROWS[row]
    return (HEAD.pack(r.tag, row, seq) + b" reading of an entity" * 5)[:r.size]


def judge(data):
    """(row, sequence number) of a received datagram, None where it is none of the source's."""
    if len(data) < HEAD.size:
        return None
    _, row, seq = HEAD.unpack_from(data)
    return (row, seq) if row < len(ROWS) and data == payload(row, seq) else None
