"""What a first user does, and what the tool then says about it: steering with the built-in
default, exact counters, observing, no resident process, and leaving nothing behind."""

import json
import os
import re
import socket
import struct
import subprocess
import time
from collections import Counter

import pytest
from mangletest import ctl, frames, netns

import live

ENTITIES = {b"ABCD": 6001, b"EFGH": 6002, b"DROP": "drop", b"PASS": "pass"}
TARGETS = {k: v for k, v in ENTITIES.items() if isinstance(v, int)}


def judge(frame):
    """Reason, verdict and entity of a frame under the default service with ENTITIES, told anew."""
    p = netns.read(frame)
    if not p.version:
        return "not_ip", "passed", None
    if p.offset:
        return "later_fragment", "passed", None
    if p.proto not in (netns.UDP, netns.TCP):
        return "not_udp_tcp", "passed", None
    if p.proto == netns.TCP or p.dport != live.SHARED:
        return "no_service", "passed", None
    if len(p.payload) < 4:
        return "too_short", "passed", None
    target = ENTITIES.get(p.payload[:4])
    if target is None:
        return "unknown_tag", "passed", None
    return {"drop": ("entity_drop", "dropped"), "pass": ("entity_pass", "passed")}.get(
        target, ("rewritten", "rewritten")) + (p.payload[:4],)


@pytest.mark.parametrize("mode", live.MODES)
def test_first_try(line, mangle, mode):
    """attach, map set, and the packets of one entity come in on a port of its own."""
    config = [] if not os.path.exists(ctl.DEFAULT_CONFIG) else ["--config", mangle.file(live.config())]
    ctl.ok("-n", line.mid.name, "attach", "m0", "--mode", mode, *config)
    ctl.ok("map", "set", "ABCD", "6001")
    sockets = live.receivers(line, 4, "local", (live.SHARED, 6001))
    datagrams = netns.payloads(20, [b"ABCD", b"WXYZ"], seed=0)
    live.send_udp(line, 4, "local", datagrams)
    live.expect_equal(live.by_port(sockets, 20), live.steer(datagrams, {b"ABCD": 6001}))
    ctl.ok("map", "del", "ABCD")
    live.send_udp(line, 4, "local", datagrams)
    live.expect_equal(live.by_port(sockets, 20), live.steer(datagrams, {}))


def test_readme(line, mangle):  # pylint: disable=unused-argument
    """The commands of README.md print what it shows, but for times and for what else was on the wire."""
    if os.path.exists(ctl.DEFAULT_CONFIG):
        pytest.skip(f"{ctl.DEFAULT_CONFIG} is there: the built-in default would not be loaded")
    text = (ctl.REPO / "README.md").read_text(encoding="utf-8").replace("eth0", "m0")
    block = re.search(r"^## Six commands\n\n```\n(.*?)^```$", text, re.M | re.S)[1]
    commands = re.findall(r"^# mangle-ctl (.*)\n((?:[^#].*\n)*)", block, re.M)
    assert len(commands) == 6, commands

    def alike(output):
        for pattern, word in ((r"\d{4}-\d\d-\d\dT[\d:]{8}Z", "TIME"), (r"^all packets .*$", "all packets"),
                              (r"\(native, .*\)$", "(native)")):
            output = re.sub(pattern, word, output, flags=re.M)
        return output

    for command, shown in commands:
        if command == "map list":
            sockets = live.receivers(line, 4, "local", (live.SHARED, 6001, 6002))
            live.send_udp(line, 4, "local", [b"ABCD 21.5 C"] * 3 + [b"EFGH 19.0 C"] * 2 + [b"WXYZ 7"])
            live.by_port(sockets, 6)
        assert alike(ctl.ok("-n", line.mid.name, *command.split()).out) == alike(shown), command


def test_examples_of_the_manual(line, mangle, tmp_path):  # pylint: disable=unused-argument
    """EXAMPLES of mangle-ctl(8) as they stand, one after the other; interfaces, namespaces and paths have the test's names. eth0 is
    in the namespace mid, `blue` is snd, --watch ends after a second, and what tcpdump captures is made here."""
    if os.path.exists(ctl.DEFAULT_CONFIG):
        pytest.skip(f"{ctl.DEFAULT_CONFIG} is there: the built-in default would not be loaded")
    page = (ctl.REPO / "deploy/mangle-ctl.8").read_text(encoding="utf-8")
    examples = re.search(r"^\.Sh EXAMPLES\n(.*?)^\.Sh", page, re.M | re.S)[1]
    typed = "".join(re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", examples, re.M | re.S)).replace("\\e\n", "\\\n")
    assert typed.count("mangle-ctl ") == 17 and "\\e" not in typed, typed
    for word, own in (("-n blue attach veth0", f"-n {line.snd.name} attach s0"), ("/etc/mangle", str(tmp_path)), ("eth0", "m0")):
        assert word in typed
        typed = typed.replace(word, own)
    (tmp_path / "feed.map").write_text("CUSTOMER 6001\n0x0001020304050607 6002 100:200\n", encoding="utf-8")
    (tmp_path / "some.pcap").write_bytes(frames.pcap([frames.frame("ABCD")]))
    script = f"""set -eu
mangle-ctl() {{ case "$*" in *--watch) timeout 1 {ctl.BIN} "$@" || [ $? = 124 ] ;; -n*) {ctl.BIN} "$@" ;;
*) {ctl.BIN} -n {line.mid.name} "$@" ;; esac; }}
tcpdump() {{ :; }}
ss() {{ ip netns exec {line.mid.name} ss "$@"; }}
{typed}"""
    if "needs Linux 6.9" in ctl.run("service", "add", "x", "--protocol", "tcp", "--ports", "1", "--tag", "0:4", "--size", "4:9").err:
        pytest.skip("wants TCP connection mode (Linux 6.9)")
    ctl.purge()
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done
    assert "nothing to change" in done.stdout, "what feed.map has is loaded: replacing it changes nothing"
    assert re.search(r"^packet 1: .*6001|^1 .*6001", done.stdout, re.M), done.stdout
    assert "orders" in (tmp_path / "mangle.yaml").read_text(encoding="utf-8")
    assert ctl.js("apply", "--check", str(tmp_path / "mangle.yaml"))["changed"] is False


def test_example_of_mangle_yaml(mangle, tmp_path):  # pylint: disable=unused-argument
    """The file in mangle.yaml(5) is one, and the command behind it is right."""
    page = (ctl.REPO / "deploy/mangle.yaml.5").read_text(encoding="utf-8")
    examples = re.search(r"^\.Sh EXAMPLES\n(.*?)^\.Sh", page, re.M | re.S)[1]
    text, command = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", examples, re.M | re.S)
    (tmp_path / "mangle.yaml").write_text(text.replace("\\e", "\\"), encoding="utf-8")
    (tmp_path / "telemetry.map").write_text("GHIJ 6003\n", encoding="utf-8")
    words = command.replace("/etc/mangle", str(tmp_path)).split()
    assert words[0] == "mangle-ctl"
    assert ctl.js(*words[1:])["added"] == 3 + 5, "services, and entities with those of the file"


@pytest.mark.parametrize("mode", live.MODES)
def test_counters(line, mangle, mode):
    """Every frame that was sent, whatever it was, is counted once, with its length, under its reason,
    and each entity has its own."""
    mangle.attach(line.mid, "m0", mode=mode, text=live.config(live.service(entities=ENTITIES)))
    src, dst, _, _ = line.ends(4, "local")
    src6, dst6, _, _ = line.ends(6, "local")
    sockets = live.receivers(line, 4, "local", (live.SHARED, *TARGETS.values()))
    rows = mangle.entities()
    sent = netns.Capture(line.snd, "s0", outgoing=True)
    before = mangle.stats()
    started = time.time()

    datagrams = netns.payloads(300, [*ENTITIES, b"none"], seed=3) + [b"", b"A", b"ABC", b"ABCD"]
    live.send_udp(line, 4, "local", datagrams)
    raw = line.snd.raw("s0")
    short = netns.craft(b"ABCD", src=src, dst=dst)
    for frame in (
            netns.craft(b"ABCDEFGH", src=src6, dst=dst6), netns.craft(b"ABCD", src=src, dst=dst, dport=5001),
            netns.craft(b"ABCD", src=src, dst=dst, proto=netns.TCP),
            netns.craft(b"AB", src=src, dst=dst, padding=b"CD" + bytes(14)),   # what is behind the
            short + bytes(60 - len(short)),                                    # datagram is no payload
            short[:12] + b"\x08\x06" + bytes(46), short[:12] + b"\x88\xb5" + bytes(46),
            bytes.fromhex("ffffffffffff") + short[6:12] + b"\x08\x06" + bytes(100)):
        raw.send(frame)
    for family, proto, kind, address in ((socket.AF_INET, 1, 8, dst), (socket.AF_INET6, 58, 128, dst6)):
        echo = line.snd.socket(family, socket.SOCK_RAW, proto)
        request = struct.pack("!BBHI", kind, 0, 0, 7)
        echo.sendto(request[:2] + struct.pack("!H", ~netns.ones_sum(request) & 0xffff) + request[4:], (address, 0))

    expected = live.steer(datagrams, {**TARGETS})
    expected[live.SHARED] = [d for d in expected[live.SHARED] if d[:4] != b"DROP"]
    expected[live.SHARED] += [b"AB"]
    expected[6001] += [b"ABCD"]
    wanted = sum(map(len, expected.values()))
    live.expect_equal(live.by_port(sockets, wanted), expected)

    reasons, verdicts, entities = Counter(), Counter(), Counter()
    reason_bytes, entity_bytes = Counter(), Counter()
    seen = [c.memory for c in sent.frames()]
    for frame in seen:
        reason, verdict, entity = judge(frame)
        reasons[reason] += 1
        reason_bytes[reason] += len(frame)
        verdicts[verdict] += 1
        if entity:
            entities[entity] += 1
            entity_bytes[entity] += len(frame)
    assert len(reasons) == 8, f"the test did not send all it means to: {reasons}"

    after = mangle.stats()
    got_verdicts, got_reasons = live.change(before, after)
    assert got_reasons == {r: (n, reason_bytes[r]) for r, n in reasons.items()}
    assert got_verdicts == {"seen": len(seen), "answered": 0, **verdicts}
    assert after["packets"]["seen"] == sum(r["packets"] for r in after["reasons"].values())

    now = mangle.entities()
    for tag, target in ENTITIES.items():
        row = now[tag.hex()]
        assert row["target"] == target and row["text"] == tag.decode()
        assert row["packets"] - rows[tag.hex()]["packets"] == entities[tag], row
        assert row["bytes"] - rows[tag.hex()]["bytes"] == entity_bytes[tag], row
        assert started - 2 <= row["last_seen"] <= time.time() + 1, (row, started)
        assert rows[tag.hex()]["last_seen"] is None
    assert ctl.js("map", "get", "ABCD") == now["41424344"]


def test_counters_of_several_cpus(line, mangle):
    """The same from senders on every CPU at once: not one frame is lost in a race of counters."""
    mangle.attach(line.mid, "m0", mode="generic", text=live.config(live.service(entities={b"ABCD": 6001})))
    code = ("import os, socket, sys\n"
            "cpu, count = int(sys.argv[1]), int(sys.argv[2])\n"
            "os.sched_setaffinity(0, {cpu})\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.connect(('10.77.1.2', 5000))\n"
            "for i in range(count): s.send(b'ABCDEFGH')\n")
    keep = live.receivers(line, 4, "local", (live.SHARED, 6001))
    before = line.snd.link_drops("s0"), line.mid.link_drops("m0")
    was = mangle.stats()
    cpus, count = sorted(os.sched_getaffinity(0)), 20000
    running = [line.snd.popen("/usr/bin/python3", "-c", code, cpu, count) for cpu in cpus]
    assert [p.wait(60) for p in running] == [0] * len(cpus)
    lost = line.snd.link_drops("s0") + line.mid.link_drops("m0") - sum(before)
    time.sleep(0.1)
    _, reasons = live.change(was, mangle.stats())
    sent = count * len(cpus) - lost
    assert reasons["rewritten"] == (sent, 50 * sent)
    row = mangle.entities()["41424344"]
    assert (row["packets"], row["bytes"]) == (sent, 50 * sent)
    assert keep


@pytest.mark.parametrize("mode", live.MODES)
def test_observe(line, mangle, mode):
    """Nothing changes on the wire and nothing is dropped; the counters tell what would have been."""
    entities = {**ENTITIES}
    mangle.attach(line.mid, "m0", mode=mode, text=live.config(live.service(
        entities=entities, action="observe", invalid="drop", unknown=6010, size=(8, 1000))))
    datagrams = netns.payloads(200, [*ENTITIES, b"none"], seed=9, size=(8, 900)) + [b"ABCD", bytes(1200)]
    reasons = Counter({"too_short": 1, "too_long": 1})
    for d in datagrams[:200]:
        reasons[{"DROP": "entity_drop", "PASS": "entity_pass", "none": "unknown_tag"}.get(
            d[:4].decode(), "rewritten")] += 1
    for sender in (True, False):
        line.offload(sender)
        with line.lab.sockets():
            sockets = live.receivers(line, 4, "local", (live.SHARED, 6001, 6002, 6010))
            sent = netns.Capture(line.snd, "s0", outgoing=True)
            came = netns.Capture(line.mid, "m0")
            before = mangle.stats()
            live.send_udp(line, 4, "local", datagrams)
            live.expect_equal(live.by_port(sockets, len(datagrams)), {live.SHARED: datagrams})
            frames = [c.memory for c in sent.frames()]
            assert [c.memory for c in came.frames()] == frames
        verdicts, got = live.change(before, mangle.stats())
        icmp = {"not_udp_tcp": len(frames) - len(datagrams)}  # a multicast report, some day
        assert {k: v[0] for k, v in got.items()} == reasons + Counter(icmp)
        assert verdicts["seen"] == sum(v for k, v in verdicts.items() if k != "seen") == len(frames)
    rows = mangle.entities()
    assert rows["41424344"]["packets"] == 2 * sum(d[:4] == b"ABCD" for d in datagrams[:200])
    ctl.ok("service", "set", "default", "--action", "enforce")
    with line.lab.sockets():
        sockets = live.receivers(line, 4, "local", (live.SHARED, 6001, 6002, 6010))
        live.send_udp(line, 4, "local", datagrams)
        expected = live.steer([d for d in datagrams[:200] if d[:4] != b"DROP"],
                              {**TARGETS, b"PASS": live.SHARED}, unknown=6010)
        live.expect_equal(live.by_port(sockets, sum(map(len, expected.values()))), expected)


def own_processes():
    """Processes of the tool that this test session has started."""
    mark = f"MANGLE_TEST_SESSION={os.environ['MANGLE_TEST_SESSION']}".encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.samefile(f"/proc/{pid}/exe", ctl.BIN):
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if mark in f.read().split(b"\0"):
                        found.append(int(pid))
        except OSError:
            continue
    return found


def test_no_resident_process(line, mangle):
    """What is attached goes on working when every process of mangle has ended."""
    mangle.attach(line.mid, "m0", text=live.config(live.service(entities=TARGETS)))
    assert not netns.wait_for(lambda: not own_processes()) or own_processes() == []
    datagrams = netns.payloads(100, [*TARGETS], seed=1)
    sockets = live.receivers(line, 4, "local", (live.SHARED, *TARGETS.values()))
    live.send_udp(line, 4, "local", datagrams)
    live.expect_equal(live.by_port(sockets, 100), live.steer(datagrams, TARGETS))
    assert own_processes() == []


def bpf_ids(kind):
    out = subprocess.run(["bpftool", "-j", kind, "list"], stdout=subprocess.PIPE, check=True).stdout
    return {row["id"]: row for row in json.loads(out)}


def ids_of_mine(mangle):
    """Kind and id of each program that is attached and of each map that is pinned or used by one: other tests use
    BPF on this machine at the same time, so nothing is told by its name or by its not having been there before."""
    programs = {a["prog_id"] for a in mangle.attached()}
    maps = {i for p, row in bpf_ids("prog").items() if p in programs for i in row["map_ids"]}
    maps |= {m["id"] for m in ctl.pinned_maps()}
    return {("prog", i) for i in programs} | {("map", i) for i in maps}


def test_purge_leaves_nothing(line, lab, mangle):
    """detach --all --purge: no pin, no program, no map, no program on any interface."""
    if netns.have("bpftool"):
        pytest.skip("bpftool is not installed")
    other = lab.ns("other")
    lab.join(line.snd, "s9", other, "m9", 9)
    mangle.attach(line.mid, "m0", text=live.config(live.service(entities=TARGETS)))
    mangle.attach(other, "m9", mode="generic")
    assert len(mangle.attached()) == 2
    mine = ids_of_mine(mangle)
    for port in (6001, 6002):  # tables come and go too
        before = len(mine)
        ctl.ok("map", "replace", "-", stdin=live.table({b"%04d" % i: port for i in range(100)}))
        mine |= ids_of_mine(mangle)
        assert len(mine) > before
    ctl.ok("detach", "--all", "--purge")
    assert ctl.pins() == [] and not os.path.exists(ctl.PIN_DIR)
    assert netns.xdp_on(line.mid, "m0") is None and netns.xdp_on(other, "m9") is None
    for ns, dev in ((line.mid, "m0"), (other, "m9")):
        tc = ns.run("bash", "-c", f"tc filter show dev {dev} ingress; tc filter show dev {dev} egress").stdout
        assert "mangle" not in tc and "bpf" not in tc, tc

    def left():  # the kernel frees them a little later
        return mine & {(kind, i) for kind in ("map", "prog") for i in bpf_ids(kind)}

    netns.wait_for(lambda: not left())
    assert not left()
    ctl.ok("detach", "--all", "--purge")  # and once more: 0, as it already is so


def test_status_and_stats_from_elsewhere(line, lab, mangle):
    """Tables and counters are the host's, whatever namespace a command looks at; interfaces are not."""
    other = lab.ns("other")
    lab.join(line.snd, "s9", other, "m9", 9)
    mangle.attach(line.mid, "m0", text=live.config(live.service(entities=TARGETS)))
    datagrams = netns.payloads(10, [*TARGETS], seed=1)
    sockets = live.receivers(line, 4, "local", TARGETS.values())
    live.send_udp(line, 4, "local", datagrams)
    live.expect_equal(live.by_port(sockets, 10), live.steer(datagrams, TARGETS))
    everywhere = []
    for prefix in ((), ("-n", line.mid.name), ("-n", other.name)):
        status = ctl.js(*prefix, "status")
        everywhere.append((ctl.js(*prefix, "stats"), ctl.js(*prefix, "map", "list"), status["services"],
                           status["generation"]))
    assert everywhere[0] == everywhere[1] == everywhere[2]
    assert ctl.run("-n", line.mid.name, "status", "m0").status == 0
    assert ctl.run("-n", other.name, "status", "m9").status == 3
    attached = mangle.attached()
    assert [(i["name"], i["ifindex"], i["mode"]) for i in attached] == [
        ("m0", line.mid.ifindex("m0"), "native")], attached
    assert attached[0]["prog_id"] == netns.xdp_on(line.mid, "m0") or attached[0]["dispatcher"]
    # and from a shell inside of the namespace, where bpffs cannot be seen, `-n` is what is asked for
    r = line.mid.run(ctl.BIN, "attach", "m0", check=False)
    assert r.returncode == 1 and re.search(r"(?<![\w-])(-n|--netns)\b", r.stdout), r.stdout
    assert r.stdout.count("\n") == 1


def test_last_seen_is_right_to_a_second(line, mangle):
    """At whatever fraction of a second the packet comes."""
    mangle.attach(line.mid, "m0", text=live.config(live.service(entities=TARGETS)))
    sockets = live.receivers(line, 4, "local", TARGETS.values())
    errors = []
    for _ in range(12):
        live.send_udp(line, 4, "local", [b"ABCD"])
        sent = time.time()
        errors.append(mangle.entities()["41424344"]["last_seen"] - sent)
        time.sleep(0.09)
    assert all(-1.02 <= e <= 1.02 for e in errors), [f"{e:+.2f}" for e in errors]
    assert sockets
