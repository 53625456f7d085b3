"""bench/generate: the frames that it says it sends, read by somebody else, and what mangle makes of
them."""

import json
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from mangletest import ctl, netns

GENERATE = Path(__file__).resolve().parents[2] / "build/bench/generate"
ENTITIES = 200
# As `unknown` passes, its frames can be read; invalid ones are dropped.
CONFIG = """version: 1
services:
  - name: load
    protocol: any
    tcp: segment
    ports: [5000]
    tag: {{ offset: {offset}, length: 4 }}
    size: {{ min: 8, max: 9000 }}
    invalid: drop
    unknown: pass
    targets: 10000-59999
    entities-file: {table}
"""


def generate(ns, *options):
    done = ns.run(GENERATE, "--json", *options)
    return json.loads(done.stdout)["sent"]


@pytest.fixture
def load(line, mangle):
    """mangle on m0 for the tags of so many entities; returns tag to port."""
    if not GENERATE.exists():
        pytest.skip("build/bench/generate is not built")

    def attach(offset=0, mtu=1500):
        if mtu != 1500:
            line.snd.ip(f"link set s0 mtu {mtu}")
            line.mid.ip(f"link set m0 mtu {mtu}")
        text = subprocess.run([GENERATE, "--table", "-e", str(ENTITIES)], check=True, text=True,
                              capture_output=True).stdout
        table = {bytes.fromhex(row.split()[0][2:]): int(row.split()[1]) for row in text.splitlines()}
        assert len(table) == ENTITIES and min(table) == bytes(4)
        config = mangle.file(CONFIG.format(offset=offset, table=mangle.file(text)))
        ctl.ok("-n", line.mid.name, "attach", "m0", "--mode", "native", "--config", config)
        return table

    return attach


def reasons():
    return {k: v["packets"] for k, v in ctl.js("stats")["services"]["load"]["reasons"].items()
            if v["packets"]}


@pytest.mark.parametrize("options, size, offset", [
    ((), 60, 0),
    (("--flows",), 60, 0),
    (("-s", "200", "--tag-offset", "10"), 196, 10),
    (("-p", "tcp"), 62, 0),
    (("-f", "6"), 70, 0),
    (("-f", "6", "-p", "tcp", "-s", "1518", "--vlans", "1"), 1514, 0),
    (("--vlans", "2"), 60, 0),
])
def test_frames(line, load, options, size, offset):
    """Every entity in turn: each frame arrives whole, at its entity's port, with a right checksum."""
    table = load(offset)
    capture = netns.Capture(line.mid, "m0")
    sent = generate(line.snd, "-d", "s0", "-n", str(2 * ENTITIES), "-e", str(ENTITIES), "--dist", "turn",
                    "--numbered", *options)
    assert sent == 2 * ENTITIES
    packets = capture.wait(sent, lambda p: p.dport is not None and p.dport >= 10000)
    assert len(packets) == sent
    for number, packet in enumerate(packets):
        tag, found = struct.unpack_from("!4sI", packet.payload, offset)
        assert (found, packet.dport) == (number, table[tag])
        assert packet.sum_ok() and len(packet.frame) == size
    assert Counter(p.dport for p in packets) == Counter(2 * list(table.values()))
    assert len({p.sport for p in packets}) == (ENTITIES if "--flows" in options else 1)
    assert reasons() == {"rewritten": sent}


@pytest.mark.parametrize("proto, reason", [("udp", "too_short"), ("tcp", "malformed_l4")])
def test_shares(line, load, proto, reason):
    """Shares of unknown and invalid frames are what was wished, and nothing is lost."""
    load()
    sent = generate(line.snd, "-d", "s0", "-n", "100000", "-e", str(ENTITIES), "--unknown", "20",
                    "--invalid", "10", "-p", proto)
    found = reasons()
    assert sum(found.values()) == sent == 100000
    assert found[reason] == pytest.approx(10000, rel=0.05)
    assert found["unknown_tag"] == pytest.approx(18000, rel=0.05)
    assert found["rewritten"] == pytest.approx(72000, rel=0.05)


@pytest.mark.parametrize("dist", ["uniform", "one", "zipf:1"])
def test_distribution(line, load, dist):
    """Entities are hit as often as their distribution says."""
    load()
    generate(line.snd, "-d", "s0", "-n", "200000", "-e", str(ENTITIES), "--dist", dist)
    hits = sorted((e["packets"] for e in ctl.js("map", "list")), reverse=True)
    assert sum(hits) == 200000
    if dist == "one":
        assert hits[0] == 200000
    elif dist == "uniform":
        assert hits[0] < 1.3 * 1000 and hits[-1] > 0.7 * 1000
    else:
        whole = sum(1 / rank for rank in range(1, ENTITIES + 1))
        for rank in (1, 2, 5, 20, 100):
            assert hits[rank - 1] == pytest.approx(200000 / rank / whole, rel=0.25)


def test_rate_and_time(line, load):
    load()
    done = json.loads(line.snd.run(GENERATE, "-j", "-d", "s0", "-r", "20000", "-t", "1").stdout)
    assert done["sent"] == reasons()["rewritten"]
    assert 0.5 < done["sent"] / (20000 * done["seconds"]) <= 1.01


@pytest.mark.parametrize("options, words", [
    (("-d", "s0", "-s", "63"), "size 63"),
    (("-d", "s0", "-s", "64k"), "size 64k"),
    (("-d", "s0", "-p", "sctp"), "protocol sctp"),
    (("-d", "s0", "--dist", "zipf:"), "zipf's exponent"),
    (("-d", "s0", "--tag-offset", "3"), "tag offset 3"),
    (("-d", "s0", "-P", "0"), "port 0"),
    (("-d", "s0", "--mac", "1:2"), "MAC 1:2"),
    ((), "no interface"),
])
def test_wrong_options(line, options, words):
    if not GENERATE.exists():
        pytest.skip("build/bench/generate is not built")
    done = line.snd.run(GENERATE, *options, check=False)
    assert done.returncode == 2 and words in done.stdout.splitlines()[0]


@pytest.mark.parametrize("options, words", [
    (("-d", "nowhere"), "nowhere"),
    (("-d", "s0", "-s", "64", "-f", "6"), "at least 74"),
])
def test_cannot_send(line, options, words):
    if not GENERATE.exists():
        pytest.skip("build/bench/generate is not built")
    done = line.snd.run(GENERATE, *options, check=False)
    assert done.returncode == 1 and words in done.stdout and len(done.stdout.splitlines()) == 1
