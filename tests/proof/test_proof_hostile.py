"""Hostile senders, as fast as the generator goes: nothing of mangle grows, honest packets arrive, and the honest
rate beside a flood is that beside as many harmless packets."""

import contextlib
import json
import os
import statistics
import struct
import subprocess
import time

import pytest
from mangletest import ctl, live, netns, proof
from mangletest.netns import craft


ENTITIES = {b"%04x" % (i * 16 + 3): 6000 + i % 16 for i in range(4096)}
TAGS, PORTS = list(ENTITIES), list(range(6000, 6016))
SERVICES = live.config(
    live.service("udp", entities=ENTITIES),
    live.service("tcp", protocol="tcp", entities=dict(list(ENTITIES.items())[:100])))
NOBODY = "10.78.0.0"  # /16
HONEST = "10.77.1.9"  # another address of the receiver: what floods leave by is not for its sockets
FREE = 5999  # a port without a service
TAG = "42a,44b,46A,48B"  # of UDP over IPv4, the four bytes behind it balance the checksum
FLOW = "28a,18A,38A,34b,40B"  # of TCP over IPv4: source, balanced by the identifier and the sequence number
SYN_OPTIONS = bytes.fromhex("020405b40402080a123456780000000001030307")


def ends(version):
    source, near = netns.addresses(1, version)
    return {"src": source, "dst": near}


def udp(payload=bytes(32), version=4, **more):
    return craft(payload, **{**ends(version), "sport": 41000, **more})


def tcp(flags, payload=b"", dport=live.SHARED, options=b""):
    return [(FLOW, craft(payload, src=NOBODY, dst=netns.addresses(1, 4)[1], sport=0, dport=dport, proto=netns.TCP,
                         flags=flags, seq=0, ident=0, tcp_options=options))]


def as_they_are(*frames):
    return [("-", frame) for frame in frames]


def ordinary(length, version=4):
    """Frames of that length to entities."""
    room = length - (42 if version == 4 else 62)
    return as_they_are(*(udp(tag + bytes(room - 4), version) for tag in TAGS[::64]))


def patched(frame, *patches):
    """The frame with 16-bit words in other places; IPv4's checksum is made right, so that all is seen but that."""
    frame = bytearray(frame)
    for at, word in patches:
        struct.pack_into("!H", frame, at, word)
    if frame[12:14] == b"\x08\x00":
        size = 4 * (frame[14] & 15)
        frame[24:26] = bytes(2)
        struct.pack_into("!H", frame, 24, ~netns.ones_sum(bytes(frame[14:14 + size])) & 0xffff)
    return bytes(frame)


def fragments():
    """First fragments with the tag in them, and later ones that lie over it and over one another."""
    made = []
    for ident in range(1, 513):
        whole = udp(TAGS[ident].ljust(72, b"x"), ident=ident)  # 80 bytes behind the IP header
        for offset, size, more in ((0, 48, True), (8, 48, True), (24, 16, True), (40, 40, False), (0, 48, True)):
            made.append(patched(whole[:34] + whole[34 + offset:34 + offset + size], (16, 20 + size),
                                (20, offset // 8 | more << 13)))
    return as_they_are(*made)


def lengths():
    v4, v6 = udp(), udp(version=6)
    return as_they_are(*(patched(v4, (38, n)) for n in (0, 7, 41, 65535)),  # UDP
                       *(patched(v4, (16, n)) for n in (0, 19, 27, 61, 65535)),  # IPv4
                       *(patched(v4, (14, n)) for n in (0x4000, 0x4400, 0x4f00, 0x5500)),  # version, header length
                       *(patched(v6, (18, n)) for n in (0, 7, 41, 65535)),  # IPv6
                       *(patched(f[1], (46, n)) for f in tcp(0x18, bytes(32)) for n in (0x4018, 0xf018)))


def bombs():
    option = (60, b"\x01\x04" + bytes(4))
    return as_they_are(*(udp(version=6, extension=[option] * n) for n in (7, 8, 9, 16)),
                       udp(version=6, extension=[(0, b"\x01\x04" + bytes(4))] + [(43, b"\0\0" + bytes(4))] * 7),
                       udp(version=6, extension=[(60, b"\x01\x8e" + bytes(148))]))


# What comes, what it is compared with, and a reason that it must have been counted under.
FLOODS = {
    "random tags": ([(TAG, udp())], ordinary(74), "unknown_tag"),
    "runts": (as_they_are(*(udp(bytes(n), padding=bytes(18 - n)) for n in range(4))), ordinary(60), "too_short"),
    "bad lengths": (lengths(), ordinary(74), "malformed_ip"),
    "extension header bombs": (bombs(), ordinary(190, 6), "not_udp_tcp"),
    "overlapping fragments": (fragments(), ordinary(82), "later_fragment"),
    "SYN": (tcp(0x02, options=SYN_OPTIONS), tcp(0x02, dport=FREE, options=SYN_OPTIONS), "tcp_cookie"),
    "ACK": (tcp(0x10), tcp(0x10, dport=FREE), "tcp_reset"),
    "RST": (tcp(0x04), tcp(0x04, dport=FREE), "tcp_handshake"),
    "TCP data": (tcp(0x18, TAGS[0] + bytes(28)), tcp(0x18, TAGS[0] + bytes(28), dport=FREE), "tcp_reset"),
}
HOSTILE, HARMLESS = 0, 1


class Storm:
    """The generator, on one CPU, in front of m0."""

    def __init__(self, line, program, tmp, cpu):
        frames = tmp / f"frames{cpu}"
        with open(frames, "w", encoding="ascii") as f:
            for n, (hostile, harmless, _) in enumerate(FLOODS.values()):
                for side, made in ((HOSTILE, hostile), (HARMLESS, harmless)):
                    f.writelines(f"{2 * n + side} {fields} {frame.hex()}\n" for fields, frame in made)
        self.process = line.snd.popen("taskset", "-c", cpu, program, "s0", frames, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    @contextlib.contextmanager
    def blowing(self, kind, side=HOSTILE, rate=0):
        """It storms while the block runs; the value has what was sent and the seconds, after the block."""
        done = {}
        self.say(f"{2 * list(FLOODS).index(kind) + side} {rate:.0f}")
        yield done
        self.say("")
        done.update(json.loads(self.process.stdout.readline()))


@pytest.fixture
def place(lab, clean, tmp_path):  # pylint: disable=unused-argument
    """The line, with mangle on m0, and another into the same host, with mangle on h1, for honest packets alone."""
    line = live.Line(lab)
    line.apart = lab.ns("apart")
    lab.join(line.apart, "h0", line.mid, "h1", 3)
    line.mangle = live.Mangle(tmp_path)
    line.mangle.attach(line.mid, "m0", "h1", text=SERVICES)
    line.mid.ip("route add 10.78.0.0/16 via 10.77.1.1", f"address add {HONEST}/24 dev m0")  # answers to nobody
    line.snd.ip(f"neigh replace {HONEST} lladdr {netns.mac_of('m0')} dev s0 nud permanent")
    line.snd.ip("route add blackhole 10.78.0.0/16")
    return line


GUESSED = 2  # of a million random acknowledgements 1 in 537 has a cookie by chance, which has 29 bits


def footprint():
    """What mangle's maps hold: how many there are, bytes, and the flow table's size. Of connections it holds those
    alone whose cookie was guessed."""
    maps = ctl.pinned_maps()
    assert maps, "no maps are pinned"
    flows = ctl.js("status")["flows"]
    assert flows["used"] <= GUESSED, flows
    return {"maps": len(maps), "bytes": sum(m["bytes_memlock"] for m in maps), "size": flows["size"]}


def kernel_memory():
    """kB of what the kernel keeps for itself."""
    with open("/proc/meminfo", encoding="ascii") as f:
        found = {line.split(":")[0]: int(line.split()[1]) for line in f}
    return found["SUnreclaim"] + found["Percpu"]


def last_cpu():
    return max(os.sched_getaffinity(0))


def test_nothing_grows(place, program, compiled, tmp_path):
    """Every flood at full rate, on the CPU and the wire that the honest packets take too."""
    storm = Storm(place, program("storm"), tmp_path, last_cpu())
    before, memory = footprint(), kernel_memory()
    stream = live.Stream(compiled("../lib/blast.c"), place, TAGS, PORTS, rate=20000, modulo=16, tmp=tmp_path,
                         destination=HONEST)
    flooded = 0
    for kind, (_, _, reason) in FLOODS.items():
        counted = place.mangle.reasons().get(reason, 0)
        with storm.blowing(kind) as done:
            time.sleep(proof.size(1, 10))
        flooded += done["sent"]
        counted = place.mangle.reasons()[reason] - counted
        assert counted > 1000, f"{kind}: {done['sent']} sent, and {reason} was counted {counted} times"
        assert footprint() == before, f"{kind}: mangle's maps have grown"
    answer = stream.finish()
    assert {k: answer[k] for k in ("duplicates", "shared", "misplaced", "odd")} == \
        {"duplicates": 0, "shared": 0, "misplaced": 0, "odd": 0}, answer
    assert answer["unique"] >= 0.95 * answer["sent"] >= 10000, answer
    grown = []  # what the kernel itself keeps for a while (fragments: 30 s) is given time
    assert netns.wait_for(lambda: grown.append(kernel_memory() - memory) or grown[-1] < 32 << 10, 40, 1), \
        f"the kernel holds {grown[-1]} kB more"
    proof.figure("hostile senders", f"{len(FLOODS)} kinds, {flooded:,} frames: maps, their bytes and connections known "
                 f"as before, kernel memory {grown[-1]:+,} kB; of {answer['sent']:,} honest packets beside them "
                 f"{answer['sent'] - answer['unique']} lost, 0 wrong")


SLICE, ROUNDS, AGREE = 0.25, 15, 0.05


@pytest.mark.skipif(not proof.LONG, reason="a matter of rates: only in the long form")
@pytest.mark.parametrize("kind", FLOODS)
def test_honest_rate(place, program, compiled, tmp_path, kind):
    """An honest sender that sends as fast as it can, by a wire and a CPU of its own: beside three quarters of the
    full rate of either it delivers as much as beside as many harmless frames."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("wants two CPUs")
    storm = Storm(place, program("storm"), tmp_path, min(os.sched_getaffinity(0)))
    source, near = netns.addresses(3, 4)
    # full at once, and nobody reads them: what came to them is counted, and takes no CPU from the senders
    for port in PORTS:
        place.mid.udp(near, port, buffer=4096)
    listing = tmp_path / "tags"
    listing.write_text("".join(tag.hex() + "\n" for tag in TAGS), encoding="ascii")
    honest = place.apart.popen(compiled("../lib/blast.c"), "send", source, 40000, near, live.SHARED, 0, listing,
                               tmp_path / "sent", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert honest.stdout.readline() == "ready\n"

    def beside(side, rate):
        """Honest packets a second, and the flood's frames."""
        with storm.blowing(kind, side, rate) as done:
            time.sleep(0.03)
            began, came = time.monotonic(), place.mid.snmp()["Udp.RcvbufErrors"]
            time.sleep(SLICE)
            came = (place.mid.snmp()["Udp.RcvbufErrors"] - came) / (time.monotonic() - began)
        return came, done["sent"] / done["seconds"]

    full = min(beside(side, 0)[1] for side in (HOSTILE, HARMLESS) for _ in range(3))
    ratios, flood = [], 0.75 * full
    for _ in range(2 * ROUNDS):
        first, middle, last = (beside(side, flood) for side in (HARMLESS, HOSTILE, HARMLESS))
        kept = min(first[1], middle[1], last[1]) > 0.97 * flood  # each at the rate that was asked for
        if kept and abs(first[0] / last[0] - 1) < AGREE:
            ratios.append(2 * middle[0] / (first[0] + last[0]))
        if len(ratios) == ROUNDS:
            break
    honest.communicate("", timeout=20)
    if len(ratios) < 5:
        pytest.skip(f"machine too noisy: {len(ratios)} of {2 * ROUNDS} rounds agreed")
    low, median, high = statistics.quantiles(ratios, n=4)
    proof.figure(f"honest rate beside {kind}", f"{median:.3f} of that beside harmless frames (quartiles {low:.3f} "
                 f"{high:.3f}, {len(ratios)} rounds), {flood / 1000:.0f} thousand a second of either")
    assert median >= 0.95, ratios
