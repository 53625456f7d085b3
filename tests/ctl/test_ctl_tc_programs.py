"""The programs at tc's hooks: there while a service needs them, on every attached interface, beside
whatever others have there."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import dump, service
from mangletest import ctl, netns, tc

CLSACT = Path(os.environ.get("BUILD", ctl.REPO / "build")) / "tests" / "clsact"
REPLY = ("service", "add", "rep", "--proto", "udp", "--port", "5100", "--tag", "0:4", "--size", "4:100", "--reply", "on")
TCP = ("service", "add", "con", "--proto", "tcp", "--port", "5200", "--tag", "0:4", "--size", "4:100")
NAMES = {"ingress": "tc_in", "egress": "tc_out"}
GONE = "the tc programs are gone"


@pytest.fixture(autouse=True)
def _tcx(world):  # pylint: disable=unused-argument
    if not tc.have_tcx():
        pytest.skip("wants tcx")


def needs_connection():
    if ctl.run("apply", "-", "--check", stdin=dump(service(protocol="tcp"))).status:
        pytest.skip("wants bpf_sk_assign_tcp_reqsk")


def ours(ns, dev):
    """The hooks at which a program of ours is, by tcx links, and their ids."""
    found = {}
    for hook, name in NAMES.items():
        ids = [i for i in tc.tcx(ns, dev, hook) if tc.name(i) == name]
        assert len(ids) <= 1, f"{hook}: {ids}"
        if ids:
            found[hook] = ids[0]
    return found


def pinned():
    return sorted(int(p.rsplit("-", 1)[1]) for p in ctl.pins() if "/tc-" in p)


def linked():
    """Programs of the pinned links: a pin has the name of the first one that its link had."""
    return sorted(json.loads(netns.command("bpftool", "-j", "link", "show", "pinned", pin).stdout)["prog_id"]
                  for pin in ctl.pins() if "/tc-" in pin)


def hooks(world, dev="veth0", ns=None):
    """The hooks that have a program of ours."""
    return sorted(ours(ns or world.ns_a, dev))


# --- there while they are needed --------------------------------------------------------------------

def test_nothing_without_need(load, world):
    load(service())
    assert hooks(world) == [] and pinned() == []


def test_reply_and_back(load, world):
    load(service())
    ctl.ok(*REPLY)
    found = ours(world.ns_a, "veth0")
    assert list(found) == ["egress"] and pinned() == sorted(found.values())
    ctl.ok("map", "set", "ABCD", "6001", "--service", "rep")
    ctl.ok("service", "set", "rep", "--size", "4:200")
    assert ours(world.ns_a, "veth0") == found
    ctl.ok("service", "set", "rep", "--reply", "off")
    assert hooks(world) == [] and pinned() == []
    ctl.ok("service", "set", "rep", "--reply", "on")
    assert hooks(world) == ["egress"]
    ctl.ok("service", "del", "rep")
    assert hooks(world) == [] and pinned() == []
    assert world.attached()


def test_connection_and_back(load, world):
    load(service())
    needs_connection()
    ctl.ok(*TCP)
    assert hooks(world) == ["egress", "ingress"] and len(pinned()) == 2
    ctl.ok("service", "set", "con", "--tcp", "segment")
    assert hooks(world) == []
    ctl.ok("service", "set", "con", "--tcp", "connection")
    ctl.ok(*REPLY)
    assert hooks(world) == ["egress", "ingress"]
    ctl.ok("service", "del", "con")
    assert hooks(world) == ["egress"]
    ctl.ok(*TCP)  # ingress comes to it: one instance again
    found = ours(world.ns_a, "veth0")
    assert sorted(found) == ["egress", "ingress"] and linked() == sorted(found.values())
    ctl.ok("apply", "-", stdin=dump(service()))
    assert hooks(world) == [] and pinned() == []


def test_check_changes_nothing(load, world):
    load(service())
    ctl.ok("apply", "-", "--check", stdin=dump(service(reply=True)))
    assert hooks(world) == []


def test_attach_with_need(fresh, tmp_path):
    path = tmp_path / "reply.yaml"
    path.write_text(dump(service(reply=True)), encoding="utf-8")
    assert fresh.attach("--config", path).status == 0
    assert hooks(fresh) == ["egress"]
    assert fresh.attach(dev="veth2").status == 0
    assert hooks(fresh, "veth2") == ["egress"] and len(pinned()) == 2
    ctl.ok("-n", fresh.a, "detach", "veth0")
    assert hooks(fresh) == [] and hooks(fresh, "veth2") == ["egress"] and len(pinned()) == 1
    ctl.ok("detach", "--all", "--purge")
    assert hooks(fresh, "veth2") == [] and not os.path.isdir(ctl.PIN_DIR)


def test_two_namespaces(load, world):
    load(service())
    ctl.ok("-n", world.b, "attach", "veth3")
    ctl.ok(*REPLY)
    assert hooks(world) == ["egress"] and hooks(world, "veth3", world.ns_b) == ["egress"]
    assert hooks(world, "veth2") == [] and hooks(world, "veth1", world.ns_b) == []
    ctl.ok("service", "del", "rep")
    assert hooks(world) == [] and hooks(world, "veth3", world.ns_b) == [] and pinned() == []


# --- others -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("hook", NAMES)
def test_before_the_programs_of_others(load, world, hook):
    load(service())
    needs_connection()
    with tc.foreign(world.ns_a, "veth0", hook, 2) as theirs:
        ctl.ok(*TCP)
        assert tc.tcx(world.ns_a, "veth0", hook) == [ours(world.ns_a, "veth0")[hook], *theirs]
        with tc.foreign(world.ns_a, "veth0", hook) as later:
            assert tc.tcx(world.ns_a, "veth0", hook)[1:] == [*theirs, *later]
            ctl.ok("service", "del", "con")
            assert tc.tcx(world.ns_a, "veth0", hook) == [*theirs, *later]


def test_filters_of_others(load, world):
    load(service())
    tc.tool(world.ns_a, "qdisc", "add", "dev", "veth0", "clsact")
    try:
        for hook in NAMES:
            tc.tool(world.ns_a, "filter", "add", "dev", "veth0", hook, "prio", "7", "u32", "match", "u32", "0", "0",
                    "flowid", "1:1")
        before = [tc.filters(world.ns_a, "veth0", hook) for hook in NAMES]
        ctl.ok(*REPLY)
        assert hooks(world) == ["egress"]
        assert [tc.filters(world.ns_a, "veth0", hook) for hook in NAMES] == before
        ctl.ok("detach", "--all", "--purge")
        assert [tc.filters(world.ns_a, "veth0", hook) for hook in NAMES] == before
    finally:
        tc.tool(world.ns_a, "qdisc", "del", "dev", "veth0", "clsact")


# --- all or nothing -----------------------------------------------------------------------------------

@pytest.mark.parametrize("hook", NAMES)
def test_one_interface_that_has_no_room(load, world, hook):
    """The kernel takes no more at that hook of one of them: then none has ours."""
    load(service())
    needs_connection()
    ctl.ok("-n", world.a, "attach", "veth2")
    full = "veth2"
    with tc.foreign(world.ns_a, full, hook, None) as theirs:
        ctl.assert_error(TCP, 1, full)
        assert hooks(world) == [] and tc.tcx(world.ns_a, full, hook) == theirs and pinned() == []
        assert "con" not in ctl.ok("service", "list").out
        ctl.assert_error(("apply", "-"), 1, full, stdin=dump([service(), service("con", protocol="tcp", ports=[1])]))
    ctl.ok(*REPLY)
    with tc.foreign(world.ns_a, full, "ingress", None):
        ctl.assert_error(TCP, 1, full, unchanged=False)  # but which of two alike is there
        assert "con" not in ctl.ok("service", "list").out
        assert hooks(world) == ["egress"] and hooks(world, full) == ["egress"] and len(pinned()) == 2


def test_attach_that_fails(fresh, tmp_path):
    """The hook is full, or XDP is taken: nothing is left, and the next attach does it."""
    path = tmp_path / "reply.yaml"
    path.write_text(dump(service(reply=True)), encoding="utf-8")
    with tc.foreign(fresh.ns_a, "veth0", "egress", None):
        ctl.check_error_line(fresh.attach("--config", path), "veth0")
        assert netns.xdp_on(fresh.ns_a, "veth0") is None and not ctl.pins()
    assert fresh.attach("--config", path, dev="veth2").status == 0
    with tc.foreign(fresh.ns_a, "veth0", "xdp"):
        before = ctl.snapshot()
        ctl.check_error_line(fresh.attach(), "another XDP program")
        assert hooks(fresh) == [] and hooks(fresh, "veth2") == ["egress"]
        assert ctl.snapshot() == before and len(pinned()) == 1
    assert fresh.attach().status == 0
    assert hooks(fresh) == ["egress"]


def test_killed(fresh, tmp_path):
    """Whenever a run is killed, the next one finds its way."""
    path = tmp_path / "reply.yaml"
    path.write_text(dump(service(reply=True)), encoding="utf-8")
    start = time.monotonic()
    assert fresh.attach("--config", path).status == 0
    took = time.monotonic() - start
    ctl.purge()
    for i in range(12):
        with subprocess.Popen([ctl.BIN, "-n", fresh.a, "attach", "veth0", "--config", path],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
            time.sleep(took * i / 12)
            p.send_signal(signal.SIGKILL)
        if i % 2:
            assert fresh.attach("--config", path).status == 0
            assert fresh.attached() and hooks(fresh) == ["egress"] and len(pinned()) == 1
        if os.path.isdir(ctl.PIN_DIR):
            ctl.ok("detach", "--all", "--purge")
        assert hooks(fresh) == [] and netns.xdp_on(fresh.ns_a, "veth0") is None
        assert not os.path.isdir(ctl.PIN_DIR)


# --- what becomes of them -----------------------------------------------------------------------------

def warned():
    return any(GONE in w for w in ctl.js("status")["warnings"])


def test_removed_by_somebody(load, world):
    load(service(reply=True))
    assert not warned()
    pin = next(p for p in ctl.pins() if "/tc-" in p)
    subprocess.run(["bpftool", "link", "detach", "pinned", pin], check=True)
    assert hooks(world) == [] and warned()
    assert world.attach().status == 0
    assert hooks(world) == ["egress"] and not warned() and len(pinned()) == 1
    os.unlink(next(p for p in ctl.pins() if "/tc-" in p))
    assert netns.wait_for(lambda: hooks(world) == []) and warned()
    ctl.ok("service", "set", "telemetry", "--size", "4:99")  # so does a change of services
    assert hooks(world) == ["egress"] and not warned() and len(pinned()) == 1


def test_device_that_moves(load, world):
    """The link goes with it, and its program goes by the old namespace until it is attached again."""
    load(service(reply=True))
    lab = world.lab
    lab.veth(world.ns_a, "mover", world.ns_b, "movee")
    try:
        assert world.attach(dev="mover").status == 0
        first = ours(world.ns_a, "mover")
        netns.command("ip", "-n", world.a, "link", "set", "mover", "netns", world.b)
        assert warned()
        ctl.ok("-n", world.b, "attach", "mover")
        now = ours(world.ns_b, "mover")
        assert list(now) == ["egress"] and now != first and not warned() and len(pinned()) == 2
        netns.command("ip", "-n", world.b, "link", "set", "mover", "netns", world.a)
        ctl.ok("-n", world.a, "detach", "mover")
        assert hooks(world, "mover") == [] and len(pinned()) == 1
    finally:
        netns.command("ip", "-n", world.b, "link", "del", "movee")


def test_device_that_goes(load, world):
    load(service(reply=True))
    world.lab.veth(world.ns_a, "mover", world.ns_b, "movee")
    assert world.attach(dev="mover").status == 0
    netns.command("ip", "-n", world.b, "link", "del", "movee")
    ctl.ok("service", "set", "telemetry", "--reply", "off")
    ctl.ok("service", "set", "telemetry", "--reply", "on")
    assert hooks(world) == ["egress"]
    ctl.ok("detach", "--all", "--purge")
    assert not os.path.isdir(ctl.PIN_DIR)


# --- kernels without tcx ------------------------------------------------------------------------------

def clsact(ingress, egress):
    subprocess.run([CLSACT, str(int(ingress)), str(int(egress))], check=True, timeout=60)


def our_filters(world, dev="veth0"):
    """{hook: (priority, id)}"""
    return {hook: (prio, prog) for hook, name in NAMES.items() for prio, kind, prog in tc.filters(world.ns_a, dev, hook)
            if kind == "bpf" and tc.name(prog) == name}


def u32(world, hook, prio):
    tc.tool(world.ns_a, "filter", "add", "dev", "veth0", hook, "prio", str(prio), "u32", "match", "u32", "0", "0",
            "flowid", "1:1")


@pytest.fixture
def old(load, world):
    """Attached, and egress is there as before Linux 6.6, with a qdisc of our own."""
    load(service())
    yield lambda: clsact(False, True)
    ctl.purge()
    if "clsact" in tc.qdiscs(world.ns_a, "veth0"):
        tc.tool(world.ns_a, "qdisc", "del", "dev", "veth0", "clsact")


def test_clsact(old, world):
    old()
    found = our_filters(world)
    assert list(found) == ["egress"] and pinned() == [] and hooks(world) == []
    ctl.ok(*REPLY)  # is there already
    assert our_filters(world) == found and hooks(world) == [] and not warned()
    ctl.ok("service", "del", "rep")
    assert our_filters(world) == {} and "clsact" not in tc.qdiscs(world.ns_a, "veth0")


def test_clsact_ingress_comes_to_it(old, world):
    needs_connection()
    old()
    found = our_filters(world)
    ctl.ok(*TCP)
    now = our_filters(world)
    assert sorted(now) == ["egress", "ingress"]
    assert now["egress"][0] == found["egress"][0] and now["egress"] != found["egress"]
    assert len(tc.filters(world.ns_a, "veth0", "egress")) == 1
    ctl.ok(*REPLY)
    ctl.ok("service", "del", "con")
    assert list(our_filters(world)) == ["egress"]
    ctl.ok("detach", "--all", "--purge")
    assert "clsact" not in tc.qdiscs(world.ns_a, "veth0")


@pytest.mark.parametrize("prio", (7, 1))
def test_clsact_of_others(old, world, prio):
    tc.tool(world.ns_a, "qdisc", "add", "dev", "veth0", "clsact")
    u32(world, "egress", prio)
    before = tc.filters(world.ns_a, "veth0", "egress")
    old()
    ours_prio = our_filters(world)["egress"][0]
    assert ours_prio < prio or prio == 1 and ours_prio > 1
    assert [f for f in tc.filters(world.ns_a, "veth0", "egress") if f[1] == "u32"] == before
    ctl.ok("detach", "--all")
    assert tc.filters(world.ns_a, "veth0", "egress") == before
    tc.tool(world.ns_a, "filter", "del", "dev", "veth0", "egress")
    world.attach()
    old()
    ctl.ok("detach", "--all")
    assert "clsact" in tc.qdiscs(world.ns_a, "veth0"), "it is not ours"


def test_clsact_of_ours_that_others_use(old, world):
    old()
    u32(world, "ingress", 3)
    ctl.ok("detach", "--all")
    assert our_filters(world) == {} and "clsact" in tc.qdiscs(world.ns_a, "veth0")
    assert [f[:2] for f in tc.filters(world.ns_a, "veth0", "ingress")][-1] == (3, "u32")


def test_clsact_removed_by_somebody(old, world):
    ctl.ok(*REPLY)
    clsact(False, False)
    old()
    assert our_filters(world) and not warned()
    tc.tool(world.ns_a, "qdisc", "del", "dev", "veth0", "clsact")
    assert warned()
    assert world.attach().status == 0
    assert not warned() and hooks(world) == ["egress"]


def test_upgrade_without_a_filter_that_somebody_removed(old, world):
    ctl.ok(*REPLY)
    clsact(False, False)
    old()
    tc.tool(world.ns_a, "filter", "del", "dev", "veth0", "egress")
    ctl.ok("upgrade")
    assert warned() and our_filters(world) == {}
    assert world.attach().status == 0
    assert not warned()


def test_upgrade_after_one_that_was_killed(old, world):
    """It had recorded the program that was to take the place of the filter's, and not put it there."""
    def bpftool(*argv):
        return subprocess.run(["bpftool", "-j", *argv], check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout

    def little(number):
        return [f"0x{b:02x}" for b in number.to_bytes(4, "little")]

    old()
    pin = f"{ctl.PIN_DIR}/ifaces"
    row = json.loads(bpftool("map", "dump", "pinned", pin))[0]
    key, value = row["key"], row["value"]
    there = little(our_filters(world)["egress"][1])
    (tc_out,) = (at for at in range(80, len(value), 4) if value[at:at + 4] == there)  # behind the names
    tc_was_out = tc_out + 8
    value[tc_out:tc_out + 4] = little(0x7fffff00)
    value[tc_was_out:tc_was_out + 4] = there
    bpftool("map", "update", "pinned", pin, "key", *key, "value", *value)
    ctl.ok("upgrade")
    assert little(our_filters(world)["egress"][1]) != there and not warned()
    assert len(tc.filters(world.ns_a, "veth0", "egress")) == 1
    ctl.ok("detach", "--all")
    assert our_filters(world) == {}


def test_ingress_qdisc_is_refused(old, world):
    """It takes filters for egress, and has them on ingress."""
    tc.tool(world.ns_a, "qdisc", "add", "dev", "veth0", "ingress")
    try:
        done = subprocess.run([CLSACT, "0", "1"], stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        assert done.returncode == 1 and "veth0: " in done.stderr and "clsact" in done.stderr
        assert tc.filters(world.ns_a, "veth0", "ingress") == [] and not warned()
    finally:
        tc.tool(world.ns_a, "qdisc", "del", "dev", "veth0", "ingress")
    old()
    assert list(our_filters(world)) == ["egress"]


def test_clsact_device_that_moves(old, world):
    """Filters do not go with it; what is at its new place is not ours to remove."""
    world.lab.veth(world.ns_a, "mover", world.ns_b, "movee")
    try:
        assert world.attach(dev="mover").status == 0
        old()
        assert list(our_filters(world, "mover")) == ["egress"]
        netns.command("ip", "-n", world.a, "link", "set", "mover", "netns", world.b)
        assert warned()
        tc.tool(world.ns_b, "qdisc", "add", "dev", "mover", "clsact")
        ctl.ok("-n", world.b, "detach", "mover")
        assert "clsact" in tc.qdiscs(world.ns_b, "mover")
    finally:
        netns.command("ip", "-n", world.b, "link", "del", "movee")
