"""upgrade: another build of the same layout, and one of another layout version, in the place of what runs. What is
lost under traffic is in test_proof_live.py; what becomes of killed upgrades beside that in test_proof_faults.py."""

import os
import socket
import subprocess
import time
from collections import Counter

import pytest
from mangletest import ctl, live, netns, proof

ENTITIES = {b"ABCD": 6001, b"EFGH": "drop", b"IJKL": 6002}
CONFIG = live.config(
    live.service("udp", entities=ENTITIES, reply=True),
    live.service("long", protocol="any", ports=(5001, 5002), tag=(-8, 8), size=(8, 1400), daddr=["10.77.0.0/16"],
                 unknown=6009, tcp="segment", targets="6000-6999", entities={b"ABCDEFGH": "pass"}))


@pytest.fixture(scope="session")
def rebuilt(program):
    return program("rebuilt/build/mangle-ctl")


@pytest.fixture(scope="session")
def later(program):
    return program("next-layout/build/mangle-ctl")


@pytest.fixture
def by(clean, monkeypatch):  # pylint: disable=unused-argument
    """by(path): from here on that build is the tool. The last one clears up what it alone understands."""
    yield lambda path: monkeypatch.setattr(ctl, "BIN", path)
    ctl.purge()


@pytest.fixture(params=live.MODES)
def line(request, lab, clean, tmp_path):  # pylint: disable=unused-argument
    made = live.Line(lab)
    made.mangle = live.Mangle(tmp_path)
    made.mangle.attach(made.mid, "m0", mode=request.param, text=CONFIG)
    ctl.ok("map", "set", "ABCD", "6001", "--name", 'pump "north"', "--service", "udp")
    return made


def listing():
    """Every pin; inner maps and links go by the kernel's ids, so only how many there are."""
    return sorted(p if not p.rsplit("/", 1)[1].strip("link-tc").isdigit() else os.path.dirname(p) + "/ID"
                  for p in map(str, ctl.pins()))


def arrive(line, *wanted):
    """Payloads go in at the shared ports, and come out where wanted: (payload, sent to, arrives at; None nowhere)."""
    client, server = netns.addresses(1, 4)
    ports = sorted({w[2] for w in wanted if w[2]} | {w[1] for w in wanted})
    with line.lab.sockets():
        sinks = {port: line.mid.udp(server, port) for port in ports}
        source = line.snd.udp(client, 0)
        for payload, port, _ in wanted:
            source.sendto(payload, (server, port))
        got = netns.drain(list(sinks.values()), sum(w[2] is not None for w in wanted), quiet=0.05)
        seen = {port: [m[0] if isinstance(m, tuple) else m for m in got[s]] for port, s in sinks.items()}
    for payload, _, at in wanted:
        assert [p for p, all_ in seen.items() if payload in all_] == ([at] if at else []), (payload, at, seen)


def works(line):
    arrive(line, (b"ABCD1", 5000, 6001), (b"EFGH1", 5000, None), (b"IJKL1", 5000, 6002), (b"none1", 5000, 5000),
           (b"xxxABCDEFGH", 5001, 5001), (b"nothing-known", 5002, 6009))


def counted():
    """What mangle has counted, what others on the line send by themselves left out."""
    stats = ctl.js("stats")
    return {"rows": {(r["service"], r["tag"]): (r["packets"], r["bytes"]) for r in ctl.js("map", "list")},
            "services": stats["services"], "rewritten": stats["reasons"]["rewritten"]}


def state():
    return {"save": ctl.ok("save").out, "generation": ctl.generation(), "pins": listing(), **counted()}


def doubled(before):
    """What `works` had counted once, after it has run a second time."""
    return {k: (2 * p, 2 * b) for k, (p, b) in before["rows"].items()}


def test_another_build(line, rebuilt, by):
    first = ctl.BIN
    works(line)
    before, program = state(), line.mangle.attached()[0]["prog_id"]
    for build in (rebuilt, first):
        by(build)
        assert ctl.run("-n", line.mid.name, "explain", "--hex", "00" * 64).status == 1, "another build's program"
        assert ctl.change("upgrade").items() >= {"changed": True, "added": 0, "removed": 0, "updated": 0,
                                                 "generation": before["generation"]}.items()
        now = line.mangle.attached()
        assert len(now) == 1 and now[0]["prog_id"] != program
        program = now[0]["prog_id"]
        assert state() == before
        ctl.ok("explain", "--hex", "00" * 64)
    works(line)
    assert counted()["rows"] == doubled(before)
    ctl.ok("-n", line.mid.name, "detach", "m0")
    assert not [p for p in listing() if p.endswith("/ID") and "inner" not in p]


def test_another_layout(line, later, by):
    first = ctl.BIN
    works(line)
    before, program = state(), line.mangle.attached()[0]["prog_id"]
    by(later)
    for refused in (("status",), ("map", "set", "--service", "udp", "ZZZZ", "6003"), ("save",)):
        r = ctl.run(*refused)
        assert r.status == 1 and "layout version 5" in r.err and "(use mangle-ctl upgrade)" in r.err, r
    with subprocess.Popen([first, "stats", "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout.readline()
        assert ctl.change("upgrade")["changed"]
        said = watching.communicate(timeout=60)[1]
        assert watching.returncode == 1 and "layout version 6, this mangle-ctl has version 5" in said, "who watches sees it"
    assert state() == before
    assert line.mangle.attached()[0]["prog_id"] != program
    works(line)
    assert counted()["rows"] == doubled(before)
    ctl.ok("map", "set", "--service", "udp", "ZZZZ", "6003")
    arrive(line, (b"ZZZZ1", 5000, 6003))
    by(first)
    for refused in (("status",), ("upgrade",), ("-n", line.mid.name, "attach", "m0"), ("detach", "--all", "--purge")):
        r = ctl.run(*refused)
        assert r.status == 1 and "layout version 6, this mangle-ctl has version 5" in r.err, r
        ctl.check_error_line(r)
    works(line)
    by(later)
    assert not ctl.change("upgrade")["changed"], "it has this build already"
    works(line)
    proof.figure("upgrade to another layout version",
                 "services, entities, counters, generation as before, 0 stale pins; downgrade refused")


def killed_at(call, number):
    """strace's options to kill the tool at its number-th call of that kind."""
    return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:signal=SIGKILL:when={number}"]


def failing_at(call, number, error):
    return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:error={error}:when={number}"]


def calls_of(tmp_path, *argv):
    """How often a run makes each of the calls that change something."""
    log = tmp_path / "strace"
    kinds = ("bpf", "mkdir", "rename", "unlink", "rmdir")
    subprocess.run(["strace", "-qq", "-f", "-o", log, "-e", "trace=" + ",".join(kinds), *argv], check=True,
                   stdout=subprocess.DEVNULL)
    names = [entry.split(None, 1)[1].split("(")[0] for entry in log.read_text().splitlines() if "(" in entry]
    return [(kind, n + 1) for kind in kinds for n in range(names.count(kind))]


def some(places, fault):
    """In the long form it is killed at all of them, and refused with one error in turn; else at a few, spread."""
    if not proof.LONG:
        return places[::max(1, len(places) // 12)]
    return {"SIGKILL": places, "ENOMEM": places[::2], "EPERM": places[1::2]}[fault]


@pytest.fixture
def pair(lab, clean, tmp_path):  # pylint: disable=unused-argument
    """Two interfaces, so that one may be ahead of the other."""
    made = live.Line(lab)
    made.mangle = live.Mangle(tmp_path)
    return made


def attach_both(pair):
    ctl.purge()
    ctl.ok("-n", pair.mid.name, "attach", "m0", "m1", "--config", pair.mangle.file(CONFIG))
    works(pair)


@pytest.mark.parametrize("fault", ["SIGKILL", "ENOMEM", "EPERM"])
def test_interrupted(pair, later, by, fault, tmp_path):
    """At every call that changes something: packets go where they did, and upgrade again gets there."""
    first, done = ctl.BIN, 0
    attach_both(pair)
    by(later)
    places = calls_of(tmp_path, later, "upgrade")
    assert len(places) > 40, places
    for place in some(places, fault):
        ctl.purge()
        by(first)
        attach_both(pair)
        before = state()
        by(later)
        prefix = killed_at(*place) if fault == "SIGKILL" else failing_at(*place, fault)
        r = ctl.run("upgrade", prefix=prefix)
        if fault != "SIGKILL" and r.status:
            ctl.check_error_line(r)
        works(pair)
        ctl.ok("upgrade")
        works(pair)
        now = state()
        assert Counter(now["pins"]) - Counter(before["pins"]) == Counter(before["pins"]) - Counter(now["pins"]), place
        assert (now["save"], now["generation"]) == (before["save"], before["generation"]), place
        assert now["rows"] == {k: (3 * p, 3 * b) for k, (p, b) in before["rows"].items()}, place
        assert len(pair.mangle.attached()) == 2
        done += 1
    proof.figure(f"upgrade to another layout version, {fault} at calls that change something",
                 f"{done} of {len(places)} places: packets mangled throughout, the second upgrade complete, counters exact")


def test_connections_go_on(lab, clean, rebuilt, later, by, tmp_path):  # pylint: disable=unused-argument
    """Bound TCP connections live through both kinds of upgrade."""
    line = live.Line(lab)
    mangle = live.Mangle(tmp_path)
    text = live.config(live.service(protocol="tcp", size=(4, 65507), entities={b"ABCD": 6001}))
    r = ctl.run("-n", line.mid.name, "attach", "m0", "--mode", "native", "--config", mangle.file(text))
    if r.status and "6.9" in r.err:
        pytest.skip("TCP connection mode: this kernel cannot")
    assert r.status == 0, r
    client, server = netns.addresses(1, 4)
    with lab.sockets():
        listener = line.mid.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((server, 6001))
        listener.listen(8)
        source = line.snd.socket(socket.AF_INET, socket.SOCK_STREAM)
        source.settimeout(5)
        listener.settimeout(5)
        source.connect((server, 5000))
        source.sendall(b"ABCDhello")
        bound, _ = listener.accept()
        bound.settimeout(5)
        assert bound.recv(100) == b"ABCDhello"
        for build in (rebuilt, later):
            by(build)
            ctl.ok("upgrade")
            for text in (b"there", b"and back"):
                source.sendall(text)
                assert bound.recv(100) == text
                bound.sendall(text[::-1])
                assert source.recv(100) == text[::-1]
            again = line.snd.socket(socket.AF_INET, socket.SOCK_STREAM)
            again.settimeout(5)
            again.connect((server, 5000))
            again.sendall(b"ABCDanew")
            other, _ = listener.accept()
            other.settimeout(5)
            assert other.recv(100) == b"ABCDanew"
            other.close()
            again.close()
        bound.close()
    time.sleep(0.1)
    ctl.ok("-n", line.mid.name, "detach", "m0", "--force")
