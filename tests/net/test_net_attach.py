"""Attaching: twice, next to another program, on several interfaces, and through all that happens to
an interface afterwards. What counts is what packets do, and that `status` says the same."""

import contextlib
import os
import subprocess

import pytest
from mangletest import ctl, netns

import live

ENTITIES = {b"ABCD": 6001, b"EFGH": 6002}
TEXT = live.config(live.service(entities=ENTITIES))


def steers(sender, receiver, source, destination, entities=None, count=20):
    """Whether packets are mangled on the way: True or False, and an error if some are and some not."""
    entities = ENTITIES if entities is None else entities
    with sender.lab.sockets():
        sockets = {p: receiver.udp(destination, p) for p in (live.SHARED, *entities.values())}
        datagrams = netns.payloads(count, list(entities), seed=1)
        s = sender.udp(source, 40000)
        for d in datagrams:
            s.sendto(d, (destination, live.SHARED))
        s.close()
        got = live.by_port(sockets, count)
        if len(got[live.SHARED]) == count:
            return False
        live.expect_equal(got, live.steer(datagrams, entities))
        return True


def attached(ns, dev):
    """What `status IFACE` says: its exit status is the answer."""
    r = ctl.run("-n", ns.name, "status", dev)
    assert r.status in (0, 3), r
    return r.status == 0


# --- once, twice, in another mode -------------------------------------------------------------------

@pytest.mark.parametrize("mode", live.MODES)
def test_twice(line, mangle, mode):
    mangle.attach(line.mid, "m0", mode=mode, text=TEXT)
    status, program = ctl.js("status"), netns.xdp_on(line.mid, "m0")
    assert program
    for options in ((), ("--mode", mode), ("--mode", "auto"), ("--config", mangle.file(TEXT))):
        r = ctl.change("-n", line.mid.name, "attach", "m0", *options)
        assert (r["changed"], r["added"], r["removed"], r["updated"]) == (False, 0, 0, 0), r
    again = ctl.js("status")
    assert (again["interfaces"], again["generation"]) == (status["interfaces"], status["generation"])
    assert netns.xdp_on(line.mid, "m0") == program
    other = "generic" if mode == "native" else "native"
    ctl.assert_error(["-n", line.mid.name, "attach", "m0", "--mode", other], 1, "m0")
    different = mangle.file(live.config(live.service(entities={b"ABCD": 6009})))
    ctl.assert_error(["-n", line.mid.name, "attach", "m0", "--config", different], 1, "apply")
    assert netns.xdp_on(line.mid, "m0") == program
    assert steers(line.snd, line.mid, *netns.addresses(1, 4))
    ctl.ok("-n", line.mid.name, "detach", "m0")
    assert netns.xdp_on(line.mid, "m0") is None and not attached(line.mid, "m0")
    assert not steers(line.snd, line.mid, *netns.addresses(1, 4))
    ctl.ok("-n", line.mid.name, "detach", "m0")  # it already is so


def test_auto_is_native_where_it_can_be(line, mangle):
    mangle.attach(line.mid, "m0", mode="auto", text=TEXT)
    assert [i["mode"] for i in mangle.attached()] == ["native"]
    assert "xdpgeneric" not in line.mid.ip("link show dev m0")
    assert steers(line.snd, line.mid, *netns.addresses(1, 4))


def test_tables_survive_detach(line, mangle):
    """Without --purge the tables stay, edits at run time included, and the next attach uses them."""
    mangle.attach(line.mid, "m0", text=TEXT)
    ctl.ok("map", "set", "EFGH", "6003")
    saved = ctl.ok("save").out
    ctl.ok("-n", line.mid.name, "detach", "m0")
    assert ctl.ok("save").out == saved
    ctl.ok("-n", line.mid.name, "attach", "m0")
    assert steers(line.snd, line.mid, *netns.addresses(1, 4), entities={**ENTITIES, b"EFGH": 6003})
    assert ctl.ok("save").out == saved


# --- somebody else's program ------------------------------------------------------------------------

@pytest.mark.parametrize("foreign", live.MODES)
@pytest.mark.parametrize("mode", ("auto", *live.MODES))
def test_foreign_program_is_left_alone(line, mangle, build, foreign, mode):
    program = build("pass.bpf.c")
    line.mid.ip(f"link set dev m0 {'xdpgeneric' if foreign == 'generic' else 'xdpdrv'} obj {program} sec xdp")
    theirs = netns.xdp_on(line.mid, "m0")
    assert theirs
    r = ctl.run("-n", line.mid.name, "attach", "m0", "--mode", mode, "--config", mangle.file(TEXT))
    assert r.status == 1, r
    ctl.check_error_line(r, r"\bm0\b")
    assert netns.xdp_on(line.mid, "m0") == theirs
    assert not attached(line.mid, "m0") and not mangle.attached()
    r = ctl.run("-n", line.mid.name, "detach", "m0")
    assert netns.xdp_on(line.mid, "m0") == theirs, f"detach took off a program that is not ours: {r}"
    ctl.ok("detach", "--all", "--purge")
    assert netns.xdp_on(line.mid, "m0") == theirs
    # and not even the other interface, where two are named and one cannot be
    r = ctl.run("-n", line.mid.name, "attach", "m1", "m0", "--mode", mode, "--config", mangle.file(TEXT))
    assert r.status == 1, r
    assert netns.xdp_on(line.mid, "m1") is None and not mangle.attached()
    line.mid.ip("link set dev m0 xdpgeneric off" if foreign == "generic" else "link set dev m0 xdpdrv off")
    mangle.attach(line.mid, "m0", mode=mode, text=TEXT)
    assert steers(line.snd, line.mid, *netns.addresses(1, 4))


@pytest.mark.parametrize("mode", live.MODES)
def test_tc_sees_whole_frames(line, mangle, build, mode):
    """Filters of others find the Ethernet header where it belongs, as they do without mangle."""
    line.mid.run("tc", "qdisc", "add", "dev", "m0", "clsact")
    line.mid.run("tc", "filter", "add", "dev", "m0", "ingress", "bpf", "da", "obj", build("tcwhole.bpf.c"), "sec", "tc")
    mangle.attach(line.mid, "m0", mode=mode, text=TEXT)
    for version in (4, 6):
        assert steers(line.snd, line.mid, *netns.addresses(1, version))


def test_no_such_interface(line, mangle):
    ctl.assert_error(["-n", line.mid.name, "attach", "nope0", "--config", mangle.file(TEXT)], 1, "nope0")
    ctl.assert_error(["-n", line.snd.name, "attach", "m0", "--config", mangle.file(TEXT)], 1, "m0")
    ctl.assert_error(["-n", "mgln-no-such-namespace", "attach", "m0"], 1, "mgln-no-such-namespace")
    r = ctl.run("-n", line.mid.name, "attach", "m0", "nope0", "--config", mangle.file(TEXT))
    assert r.status == 1 and netns.xdp_on(line.mid, "m0") is None, r


# --- several interfaces -----------------------------------------------------------------------------

@pytest.mark.parametrize("apart", (False, True), ids=("same-namespace", "two-namespaces"))
@pytest.mark.parametrize("mode", live.MODES)
def test_two_interfaces_one_table(line, mangle, mode, apart):
    other = line.lab.ns("other") if apart else line.mid
    line.lab.join(line.snd, "s9", other, "m0" if apart else "m9", 9)
    dev = "m0" if apart else "m9"  # the same name twice, in different namespaces
    first, second = netns.addresses(1, 4), netns.addresses(9, 4)
    if apart:
        mangle.attach(line.mid, "m0", mode=mode, text=live.config())
        mangle.attach(other, dev, mode=mode)
    else:
        mangle.attach(line.mid, "m0", dev, mode=mode, text=live.config())
    assert len(mangle.attached()) == 2
    for tag, port in ENTITIES.items():
        ctl.ok("map", "set", tag.decode(), port)
    assert steers(line.snd, line.mid, *first) and steers(line.snd, other, *second, count=30)
    assert mangle.reasons()["rewritten"] == 50
    assert sum(r["packets"] for r in mangle.entities().values()) == 50
    ctl.ok("-n", line.mid.name, "detach", "m0")
    assert not attached(line.mid, "m0") and attached(other, dev)
    assert not steers(line.snd, line.mid, *first) and steers(line.snd, other, *second)
    assert mangle.reasons()["rewritten"] == 70
    ctl.ok("-n", line.mid.name, "attach", "m0", "--mode", mode)
    assert steers(line.snd, line.mid, *first)
    assert mangle.reasons()["rewritten"] == 90
    ctl.ok("detach", "--all")
    assert netns.xdp_on(line.mid, "m0") is None and netns.xdp_on(other, dev) is None
    assert not mangle.attached()


# --- what happens to an interface ---------------------------------------------------------------------

@pytest.mark.parametrize("mode", live.MODES)
def test_deleted_and_recreated(line, mangle, mode):
    mangle.attach(line.mid, "m0", mode=mode, text=TEXT)
    line.snd.ip("link del s0")
    r = ctl.run("-n", line.mid.name, "status", "m0")
    assert r.status != 0, r
    assert not mangle.attached()
    assert ctl.ok("map", "list").out  # tables stay
    line.lab.join(line.snd, "s0", line.mid, "m0", 1)
    assert not attached(line.mid, "m0") and not mangle.attached()
    assert not steers(line.snd, line.mid, *netns.addresses(1, 4))
    ctl.ok("-n", line.mid.name, "attach", "m0", "--mode", mode)
    assert attached(line.mid, "m0") and len(mangle.attached()) == 1
    assert steers(line.snd, line.mid, *netns.addresses(1, 4))
    ctl.ok("-n", line.mid.name, "detach", "m0")
    assert netns.xdp_on(line.mid, "m0") is None and not mangle.attached()


def test_gone_is_said(line, mangle):
    """The interface is gone: status says so as long as it is remembered, and detach --all clears it."""
    mangle.attach(line.mid, "m0", text=TEXT)
    line.snd.ip("link del s0")
    states = [i["state"] for i in ctl.js("status")["interfaces"]]
    assert states == ["gone"]
    ctl.ok("detach", "--all")
    assert ctl.js("status")["interfaces"] == []


def test_namespace_deleted(lab, mangle):
    """The whole namespace goes: the tool goes on, and cleans up."""
    line = live.Line(lab)
    other = lab.ns("doomed")
    lab.join(line.snd, "s9", other, "m9", 9)
    mangle.attach(line.mid, "m0", text=TEXT)
    mangle.attach(other, "m9")
    lab.namespaces.pop("doomed").delete()
    assert netns.wait_for(lambda: [i["name"] for i in mangle.attached()] == ["m0"]), ctl.ok("-j", "status")
    assert steers(line.snd, line.mid, *netns.addresses(1, 4))
    ctl.ok("map", "set", "IJKL", "6003")
    ctl.ok("detach", "--all")
    assert netns.xdp_on(line.mid, "m0") is None


@pytest.mark.parametrize("mode", live.MODES)
def test_down_and_up(line, mangle, mode):
    mangle.attach(line.mid, "m0", mode=mode, text=TEXT)
    for ns, dev in ((line.mid, "m0"), (line.snd, "s0")):
        ns.ip(f"link set {dev} down", f"link set {dev} up")
        assert netns.wait_for(lambda: "LOWER_UP" in line.mid.ip("link show m0"))
        restore_neighbours(line)
        assert attached(line.mid, "m0")
        assert steers(line.snd, line.mid, *netns.addresses(1, 4))


def restore_neighbours(line):
    """Taking a link down forgets even permanent neighbours."""
    line.snd.ip(f"neigh replace 10.77.1.2 lladdr {netns.mac_of('m0')} dev s0 nud permanent")
    line.mid.ip(f"neigh replace 10.77.1.1 lladdr {netns.mac_of('s0')} dev m0 nud permanent")


@pytest.mark.parametrize("mode", live.MODES)
def test_renamed(line, mangle, mode):
    mangle.attach(line.mid, "m0", mode=mode, text=TEXT)
    index = line.mid.ifindex("m0")
    line.mid.ip("link set m0 down", "link set m0 name new0", "link set new0 up")
    restore = f"neigh replace 10.77.1.1 lladdr {netns.mac_of('s0')} dev new0 nud permanent"
    line.mid.ip(restore)
    assert attached(line.mid, "new0")
    assert [(i["name"], i["ifindex"]) for i in mangle.attached()] == [("new0", index)]
    assert ctl.run("-n", line.mid.name, "status", "m0").status != 0
    assert steers(line.snd, line.mid, *netns.addresses(1, 4))
    assert ctl.change("-n", line.mid.name, "attach", "new0", "--mode", mode)["changed"] is False
    ctl.ok("-n", line.mid.name, "detach", "new0")
    assert netns.xdp_on(line.mid, "new0") is None


@pytest.mark.parametrize("mode", live.MODES)
def test_moved_to_another_namespace(line, mangle, mode):
    """The program goes with the device; whatever comes of it, status says what packets find."""
    mangle.attach(line.mid, "m0", mode=mode, text=TEXT)
    other = line.lab.ns("other")
    line.mid.ip(f"link set m0 netns {other.name}")
    other.ip("address add 10.77.1.2/24 dev m0", "link set m0 up",
             f"neigh replace 10.77.1.1 lladdr {netns.mac_of('s0')} dev m0 nud permanent")
    netns.wait_for(lambda: "LOWER_UP" in other.ip("link show m0"))
    line.snd.ip(f"neigh replace 10.77.1.2 lladdr {netns.mac_of('m0')} dev s0 nud permanent")
    mangled = steers(line.snd, other, *netns.addresses(1, 4))
    assert mangled == (netns.xdp_on(other, "m0") is not None)
    assert attached(other, "m0") == mangled
    assert len(mangle.attached()) == int(mangled)
    assert ctl.run("-n", line.mid.name, "status", "m0").status != 0
    ctl.ok("-n", other.name, "attach", "m0", "--mode", mode)
    assert steers(line.snd, other, *netns.addresses(1, 4)) and attached(other, "m0")
    ctl.ok("-n", other.name, "detach", "m0")
    assert netns.xdp_on(other, "m0") is None and not mangle.attached()


# --- bpffs ------------------------------------------------------------------------------------------

def initial_mount_namespace():
    own = os.readlink("/proc/self/ns/mnt")
    for pid in (1, 2):  # init's is not always shown, kthreadd's is the same
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{pid}/ns/mnt") == own
    return False


@pytest.fixture
def without_bpffs(machine):
    """bpffs is not mounted; it can be taken off only where our session has put it there."""
    if ctl.bpffs_mounted():
        if machine["bpffs"]:
            pytest.skip("bpffs was mounted before the tests and is left alone")
        others = set(os.listdir(ctl.BPFFS)) - {"maps.debug", "progs.debug"}  # these the kernel makes
        if others or subprocess.run(["umount", ctl.BPFFS], check=False).returncode:
            pytest.skip("bpffs is in use by others")


def test_bpffs_is_mounted_where_missing(line, mangle, without_bpffs):
    if not initial_mount_namespace():
        pytest.skip("the tests run in a mount namespace of their own")
    mangle.attach(line.mid, "m0", text=TEXT)
    assert ctl.bpffs_mounted() and ctl.pins()
    mode = os.stat(ctl.PIN_DIR)
    assert mode.st_uid == 0 and not mode.st_mode & 0o077, oct(mode.st_mode)
    assert steers(line.snd, line.mid, *netns.addresses(1, 4))


def test_bpffs_missing_elsewhere(line, mangle, without_bpffs):
    """In a mount namespace that vanishes mangle mounts nothing, and names what to do."""
    r = line.mid.run(ctl.BIN, "attach", "m0", "--config", mangle.file(TEXT), check=False)
    assert r.returncode == 1 and r.stdout.count("\n") == 1, r
    assert "-n" in r.stdout
    assert netns.xdp_on(line.mid, "m0") is None and not ctl.bpffs_mounted()
