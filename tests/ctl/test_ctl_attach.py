"""attach, detach, status: what is attached where, and what stays behind."""

import ctypes
import os
import re
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from conftest import dump, entities, service
from mangletest import ctl, netns
from mangletest.ctl import assert_error, change, js, ok, run


CLSACT = Path(os.environ.get("BUILD", ctl.REPO / "build")) / "tests" / "clsact"


def status(world, *args):
    return js("-n", world.a, "status", *args)


def interface(world, dev="veth0"):
    """The row of one interface in status, None without one."""
    found = [i for i in js("status")["interfaces"] if i["name"] == dev]
    assert len(found) <= 1, found
    return found[0] if found else None


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mangle.yaml"
    path.write_text(dump(service(entities=entities(("ABCD", 6001), ("EFGH", "drop")))), encoding="ascii")
    return path


def test_nothing_loaded(fresh):
    s = js("status")
    assert s["interfaces"] == [] and s["services"] == [], s
    assert isinstance(s["version"], str) and type(s["generation"]) is int and isinstance(s["warnings"], list), s
    assert ok("status").out
    assert run("-n", fresh.a, "status", "veth0").status == 3
    assert run("-n", fresh.a, "status", "veth0", "-j").status == 3
    for argv in (["map", "get", "ABCD"], ["map", "del", "ABCD"], ["explain", "--hex", "00" * 60]):
        assert_error(argv, 1)
    for argv in (["map", "list"], ["stats"], ["save"], ["service", "list"], ["map", "save"]):
        r = run(*argv)
        assert r.status in (0, 1), r
        if r.status:
            ctl.check_error_line(r)
    assert change("-n", fresh.a, "detach", "veth0")["changed"] is False
    assert change("detach", "--all")["changed"] is False
    assert change("detach", "--all", "--purge")["changed"] is False
    ok("detach", "--all")
    assert ctl.pins() == []


def test_attach_loads_and_attaches(fresh, config):
    assert change("-n", fresh.a, "attach", "veth0", "--config", config)["changed"] is True
    row = interface(fresh)
    assert row["ifindex"] == fresh.ns_a.ifindex("veth0") and row["state"] == "attached", row
    assert row["mode"] in ("native", "generic") and isinstance(row["dispatcher"], bool), row
    assert type(row["prog_id"]) is int and netns.xdp_on(fresh.ns_a, "veth0") is not None
    if not row["dispatcher"]:
        assert row["prog_id"] == netns.xdp_on(fresh.ns_a, "veth0")
    s = status(fresh)
    assert [(x["name"], x["entities"]) for x in s["services"]] == [("telemetry", 2)], s
    assert s["config"]["differs"] is False and os.path.realpath(s["config"]["file"]) == os.path.realpath(config), s
    assert "veth0" in ok("status").out and "telemetry" in ok("status").out
    assert ok("-n", fresh.a, "status", "veth0").out
    assert [i["name"] for i in status(fresh, "veth0")["interfaces"]] == ["veth0"]


def test_attach_twice(fresh, config):
    ok("-n", fresh.a, "attach", "veth0", "--config", config)
    before = ctl.snapshot()
    for argv in (["veth0"], ["veth0", "--config", config], ["veth0", "--mode", "auto"],
                 ["veth0", "--mode", interface(fresh)["mode"]], ["veth0", "veth0"]):
        assert change("-n", fresh.a, "attach", *argv)["changed"] is False, argv
        ok("-n", fresh.a, "attach", *argv)
        assert ctl.snapshot() == before


@pytest.mark.parametrize("mode, other", [("native", "generic"), ("generic", "native")])
def test_attach_in_another_mode(fresh, config, mode, other):
    ok("-n", fresh.a, "attach", "veth0", "--mode", mode, "--config", config)
    assert interface(fresh)["mode"] == mode
    word = {"native": "xdp", "generic": "xdpgeneric"}[mode]
    assert re.search(rf"\b{word}\b", fresh.ns_a.ip("link show dev veth0")), "the kernel's view"
    assert_error(["-n", fresh.a, "attach", "veth0", "--mode", other], 1, "veth0.*mode|mode.*veth0")
    assert change("-n", fresh.a, "attach", "veth0", "--mode", "auto")["changed"] is False


def test_generic_mode_warns(fresh, config):
    """One tag check then decides for a whole train of datagrams: status says so."""
    ok("-n", fresh.a, "attach", "veth0", "--mode", "generic", "--config", config)
    assert any("veth0" in w or "generic" in w for w in js("status")["warnings"])


def test_attach_two(fresh, config):
    ok("-n", fresh.a, "attach", "veth0", "veth2", "--config", config)
    assert {i["name"] for i in js("status")["interfaces"]} == {"veth0", "veth2"}
    ok("-n", fresh.a, "detach", "veth0")
    assert {i["name"] for i in js("status")["interfaces"]} == {"veth2"}
    assert netns.xdp_on(fresh.ns_a, "veth0") is None
    ok("-n", fresh.b, "attach", "veth1")
    assert {(i["name"], i["ifindex"]) for i in js("status")["interfaces"]} == {
        ("veth2", fresh.ns_a.ifindex("veth2")), ("veth1", fresh.ns_b.ifindex("veth1"))}
    assert run("-n", fresh.a, "status", "veth1").status in (1, 3)
    ok("detach", "--all")
    assert js("status")["interfaces"] == []
    for ns, dev in ((fresh.ns_a, "veth2"), (fresh.ns_b, "veth1")):
        assert netns.xdp_on(ns, dev) is None


def test_same_name_and_index_in_two_namespaces(fresh, config):
    """What is attached is known by network namespace and ifindex."""
    with netns.Lab("mglc-t") as lab:
        c, d = lab.ns("c"), lab.ns("d")
        lab.veth(c, "same0", c, "peer0")
        lab.veth(d, "same0", d, "peer0")
        assert c.ifindex("same0") == d.ifindex("same0")
        ok("-n", c.name, "attach", "same0", "--config", config)
        assert run("-n", c.name, "status", "same0").status == 0
        assert run("-n", d.name, "status", "same0").status == 3
        assert change("-n", d.name, "detach", "same0")["changed"] is False
        ok("-n", d.name, "attach", "same0")
        ok("-n", c.name, "detach", "same0")
        assert run("-n", c.name, "status", "same0").status == 3
        assert run("-n", d.name, "status", "same0").status == 0
        ok("detach", "--all")


def test_all_or_nothing_where_several_are_named(fresh, config):
    assert_error(["-n", fresh.a, "attach", "veth0", "nosuch0", "--config", config], 1, "nosuch0")
    assert netns.xdp_on(fresh.ns_a, "veth0") is None
    assert js("status")["interfaces"] == [] and js("status")["services"] == []
    ok("-n", fresh.a, "attach", "veth0", "--config", config)
    assert_error(["-n", fresh.a, "attach", "veth2", "nosuch0"], 1, "nosuch0")
    assert_error(["-n", fresh.a, "detach", "veth0", "nosuch0"], 1, "nosuch0")
    assert netns.xdp_on(fresh.ns_a, "veth0") is not None


@pytest.mark.parametrize("name, code", [
    ("nosuch0", 1), ("a-name-too-long-for-linux", (1, 2)), ("", (1, 2)), ("veth1", 1), ("a/b", (1, 2)),
    ("..", (1, 2))])
def test_no_such_interface(fresh, config, name, code):
    pattern = re.escape(name) if name else None
    assert_error(["-n", fresh.a, "attach", name, "--config", config], code, pattern)
    assert ctl.pins() == [], "a refused attach leaves nothing"
    assert_error(["-n", fresh.a, "detach", name], code, pattern)


def test_unknown_namespace(fresh, config):
    for argv in (["attach", "veth0", "--config", config], ["detach", "veth0"], ["status", "veth0"],
                 ["doctor", "veth0"]):
        assert_error(["-n", "mglc-nosuch", *argv], (1, 2), "mglc-nosuch")
    assert_error(["-n", "", "attach", "veth0", "--config", config], (1, 2))
    assert_error(["-n", "../../etc/passwd", "attach", "veth0", "--config", config], (1, 2), "passwd")


@pytest.mark.parametrize("mode", ["offload", "", "nativ", "Native"])
def test_unknown_mode(fresh, config, mode):
    assert_error(["-n", fresh.a, "attach", "veth0", "--mode", mode, "--config", config], 2, re.escape(mode))


def test_detach_what_is_not_attached(one, world):
    before = ctl.snapshot()
    assert change("-n", world.a, "detach", "veth2")["changed"] is False
    assert ctl.snapshot() == before
    assert_error(["detach", "--all", "veth0"], 2)


def test_detach_keeps_tables(fresh, config):
    ok("-n", fresh.a, "attach", "veth0", "--config", config)
    ok("map", "set", "WXYZ", "6003")
    saved = ok("save").out
    g = ctl.generation()
    ok("-n", fresh.a, "detach", "veth0")
    assert netns.xdp_on(fresh.ns_a, "veth0") is None
    assert ok("save").out == saved and ctl.generation() >= g
    ok("map", "set", "WXYA", "6004")
    ok("map", "del", "WXYA")
    assert run("-n", fresh.a, "status", "veth0").status == 3
    assert_error(["-n", fresh.a, "attach", "veth0", "--config", config], 1, re.escape(f"use apply {config}"))
    assert netns.xdp_on(fresh.ns_a, "veth0") is None
    ok("-n", fresh.a, "attach", "veth0")
    assert ok("save").out == saved, "attach without a file keeps the tables"
    assert_error(["-n", fresh.a, "attach", "veth0", "--config", config], 1, re.escape(f"use apply {config}"))
    ok("apply", config)
    assert change("-n", fresh.a, "attach", "veth0", "--config", config)["changed"] is False


def test_purge_leaves_nothing(fresh, config):
    ok("-n", fresh.a, "attach", "veth0", "veth2", "--config", config)
    assert change("detach", "--all", "--purge")["changed"] is True
    assert ctl.pins() == [] and js("status")["services"] == []
    for dev in ("veth0", "veth2"):
        assert netns.xdp_on(fresh.ns_a, dev) is None
    other = config.with_name("other.yaml")
    other.write_text(dump(service("other")), encoding="ascii")
    ok("-n", fresh.a, "attach", "veth0", "--config", other)
    assert [s["name"] for s in js("status")["services"]] == ["other"], "loaded anew"
    assert js("map", "list") == []
    ok("detach", "--all")
    assert ctl.pins()
    ok("detach", "--all", "--purge")
    assert ctl.pins() == []


def test_bad_configuration_attaches_nothing(fresh, config):
    config.write_text(config.read_text().replace("udp", "sctp"), encoding="ascii")
    assert_error(["-n", fresh.a, "attach", "veth0", "--config", config], 1, re.escape(str(config)))
    assert_error(["-n", fresh.a, "attach", "veth0", "--config", "/nonexistent/x"], 1, "/nonexistent/x")
    assert netns.xdp_on(fresh.ns_a, "veth0") is None and ctl.pins() == []


def etc_of_its_own(commands=""):
    """A prefix for commands that see an /etc with nothing in it but what `commands` put there."""
    return ["unshare", "-m", "sh", "-ec", f'mount -t tmpfs none /etc; {commands} exec "$@"', "sh"]


def test_built_in_default(fresh, mounted):
    ok("-n", fresh.a, "attach", "veth0", prefix=etc_of_its_own())
    services = js("service", "list")
    assert len(services) == 1
    s = services[0]
    assert (s["name"], s["protocol"], s["ports"], s["tag"], s["size"], s["invalid"], s["unknown"], s["count"]) == (
        "default", "udp", [5000], {"offset": 0, "length": 4}, {"min": 4, "max": 65507}, "pass", "pass", 0), s
    assert ok("-j", "status", prefix=etc_of_its_own()).json()["config"]["differs"] is False
    ok("map", "set", "ABCD", "6001")
    fresh.send("ABCD", listen=6001)
    assert change("-n", fresh.a, "attach", "veth0")["changed"] is False


def test_installed_configuration(fresh, mounted, config):
    where = etc_of_its_own(f"mkdir /etc/mangle; cat {config} > /etc/mangle/mangle.yaml;")
    ok("-n", fresh.a, "attach", "veth0", prefix=where)
    s = ok("-j", "status", prefix=where).json()
    assert [x["name"] for x in s["services"]] == ["telemetry"]
    assert s["config"] == {**s["config"], "file": ctl.DEFAULT_CONFIG, "differs": False}
    ctl.purge()
    where = etc_of_its_own("mkdir /etc/mangle; echo nonsense > /etc/mangle/mangle.yaml;")
    assert_error(["-n", fresh.a, "attach", "veth0"], 1, ctl.DEFAULT_CONFIG, prefix=where)
    assert ctl.pins() == [], "a damaged file is no reason to take the default"


def test_configuration_by_a_relative_path(fresh, config):
    """The file that the running state is compared with is the same from everywhere."""
    ok("-n", fresh.a, "attach", "veth0", "--config", config.name, cwd=config.parent)
    for cwd in (config.parent, "/"):
        s = ok("-j", "status", cwd=cwd).json()["config"]
        assert s["differs"] is False and os.path.samefile(s["file"], config), s
    ok("map", "set", "WXYZ", "1")
    ok("apply", config.name, cwd=config.parent)
    assert ok("-j", "status", cwd="/").json()["config"]["differs"] is False


def test_config_differs(fresh, config):
    def differs():
        return js("status")["config"]["differs"]

    ok("-n", fresh.a, "attach", "veth0", "--config", config)
    assert differs() is False
    ok("map", "set", "WXYZ", "6003")
    assert differs() is True
    ok("map", "del", "WXYZ")
    assert differs() is False
    ok("service", "set", "telemetry", "--unknown", "drop")
    assert differs() is True
    ok("apply", config)
    assert differs() is False
    config.write_text(dump(service(entities=entities(("ABCD", 6002)))), encoding="ascii")
    assert differs() is True
    ok("apply", config)
    assert differs() is False
    config.unlink()
    ok("status")


def test_config_differs_by_its_entities_file(fresh, config):
    config.write_text(dump(service(entities_file="t.map")), encoding="ascii")
    table = config.with_name("t.map")
    table.write_text("ABCD 6001\n", encoding="ascii")
    ok("-n", fresh.a, "attach", "veth0", "--config", config)
    assert js("status")["config"]["differs"] is False
    table.write_text("ABCD 6002\n", encoding="ascii")
    assert js("status")["config"]["differs"] is True
    table.write_text("# the same\n0x41424344\t6001\n", encoding="ascii")
    assert js("status")["config"]["differs"] is False


def test_gone_and_device_made_anew(fresh, config):
    with netns.Lab("mglc-t") as lab:
        c = lab.ns("c")
        lab.veth(c, "gone0", c, "peer0")
        ok("-n", c.name, "attach", "gone0", "--config", config)
        c.ip("link set gone0 down", "link set gone0 up")
        assert interface(fresh, "gone0")["state"] == "attached"
        c.ip("link del gone0")
        rows = js("status")["interfaces"]
        assert [r["state"] for r in rows] == ["gone"], rows
        lab.veth(c, "gone0", c, "peer0")
        assert run("-n", c.name, "status", "gone0").status == 3
        ok("-n", c.name, "attach", "gone0")
        assert run("-n", c.name, "status", "gone0").status == 0
    ok("status")
    ok("detach", "--all")
    assert js("status")["interfaces"] == []


@pytest.mark.parametrize("again", [True, False], ids=["attached again", "detached"])
def test_moved_to_the_index_of_one_that_has_gone(fresh, config, again):
    """Both have the same key then: what is taken for gone is the one that has gone. Which of them is looked at first
    is up to a hash, so there are several."""
    with netns.Lab("mglc-t") as lab:
        c = lab.ns("c")
        for n in range(4):
            d = lab.ns(f"d{n}")
            gone, moves = f"aaa{n}", f"zzz{n}"
            for ns, dev in ((c, gone), (d, moves)):
                ns.ip(f"link add name {dev} index {700 + n} type veth peer name {dev}p", f"link set {dev} up")
                ok("-n", ns.name, "attach", dev, "--config", config)
            c.ip(f"link del {gone}")
            d.ip(f"link set {moves} netns {c.name}")
            c.ip(f"link set {moves} up")
            assert c.ifindex(moves) == 700 + n
            if again:
                ok("-n", c.name, "attach", moves)
                ok("apply", config)
                assert netns.xdp_on(c, moves) is not None
                rows = [r for r in js("status")["interfaces"] if r["state"] == "attached"]
                assert moves in [r["name"] for r in rows], rows
            ok("-n", c.name, "detach", moves)
            assert netns.xdp_on(c, moves) is None


def test_detach_of_several_is_all_or_none(fresh, config):
    """Without CAP_SYS_ADMIN a filter in another network namespace cannot be taken off."""
    with netns.Lab("mglc-t") as lab:
        c, d = lab.ns("c"), lab.ns("d")
        for ns, dev in ((c, "aaa0"), (d, "zzz0")):
            lab.veth(ns, dev, ns, dev + "p")
            ok("-n", ns.name, "attach", dev, "--config", config)
        subprocess.run([CLSACT, "0", "1"], check=True, timeout=60)
        # aaa0 is plain again: what it has can be taken off from anywhere
        ok("-n", c.name, "detach", "aaa0")
        ok("-n", c.name, "attach", "aaa0")
        r = subprocess.run(["nsenter", f"--net=/run/netns/{c.name}", "setpriv", "--bounding-set=-sys_admin", ctl.BIN,
                            "detach", "--all"], stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        assert r.returncode == 1 and r.stderr.startswith("mangle-ctl: zzz0: detaching: ") and "CAP_SYS_ADMIN" in r.stderr, r
        assert netns.xdp_on(c, "aaa0") is not None and netns.xdp_on(d, "zzz0") is not None
        ok("detach", "--all")


def test_explain_beside_one_that_has_gone(fresh, config):
    """Its program was of another build, which no upgrade changes any more."""
    rebuilt = Path(ctl.BIN).parent / "tests" / "rebuilt" / "build" / "mangle-ctl"
    with netns.Lab("mglc-t") as lab:
        c = lab.ns("c")
        for dev in ("gone0", "here0"):
            lab.veth(c, dev, c, dev + "p")
            ok("-n", c.name, "attach", dev, "--config", config)
        c.ip("link del gone0")
        subprocess.run([rebuilt, "upgrade"], check=True, timeout=60, stdout=subprocess.DEVNULL)
        subprocess.run([rebuilt, "explain", "--hex", "00" * 60], check=True, timeout=60, stdout=subprocess.DEVNULL)
        assert_error(["explain", "--hex", "00" * 60], 1)


def test_renamed(fresh, config):
    """Renamed while attached: known by its new name."""
    with netns.Lab("mglc-t") as lab:
        c = lab.ns("c")
        lab.veth(c, "old0", c, "peer0")
        ok("-n", c.name, "attach", "old0", "--config", config)
        c.ip("link set old0 down", "link set old0 name new0", "link set new0 up")
        assert run("-n", c.name, "status", "new0").status == 0
        assert [r["name"] for r in js("-n", c.name, "status")["interfaces"]] == ["new0"]
        ok("-n", c.name, "detach", "new0")
        assert netns.xdp_on(c, "new0") is None


def test_status_of_one(one, world):
    assert run("-n", world.a, "status", "veth2").status == 3
    r = run("-n", world.a, "status", "veth2", "-j")
    assert r.status == 3 and not r.err.count("\n") > 1, r
    assert run("-n", world.a, "status", "nosuch0").status in (1, 3)


def test_pins_are_private(one):
    for path in [ctl.PIN_DIR, *ctl.pins()]:
        st = os.lstat(path)
        assert st.st_uid == 0 and st.st_mode & 0o077 == 0, (path, oct(st.st_mode))


def test_ip_netns_exec_is_refused(fresh, config):
    """`ip netns exec` makes a mount namespace of its own: what is mounted there vanishes with it."""
    assert_error(["attach", "veth0", "--config", config], 1, r"-n\b",
                 prefix=["ip", "netns", "exec", fresh.a])
    assert netns.xdp_on(fresh.ns_a, "veth0") is None and ctl.pins() == []


def test_another_mount_namespace_is_refused(fresh, config):
    """Not mounted there, and what would be mounted there vanishes with it: as `ip netns exec`."""
    assert_error(["-n", fresh.a, "attach", "veth0", "--config", config], 1, r"-n\b",
                 prefix=["unshare", "-m", "sh", "-c", f'while umount {ctl.BPFFS} 2>&-; do :; done; exec "$@"', "sh"])
    assert netns.xdp_on(fresh.ns_a, "veth0") is None and ctl.pins() == []


def test_mounts_bpffs(fresh, config):
    if fresh.bpffs_was_mounted:
        pytest.skip("bpffs was mounted before")
    if ctl.bpffs_mounted() and subprocess.run(["umount", ctl.BPFFS], check=False).returncode:
        pytest.skip("bpffs is in use")
    ok("-n", fresh.a, "attach", "veth0", "--config", config)
    assert ctl.bpffs_mounted()
    assert interface(fresh)["state"] == "attached"


@pytest.fixture
def mounted():
    """bpffs, for tests that put something there themselves."""
    if not ctl.bpffs_mounted():
        subprocess.run(["mount", "-t", "bpf", "bpf", ctl.BPFFS], check=True)


def test_foreign_program_is_left_alone(fresh, mounted, config):
    """Somebody else's XDP program on the interface: refused, and it stays."""
    name = ctl.BPFFS + "/mglc-foreign"
    bpf = Bpf()
    prog = bpf.xdp_pass()
    try:
        bpf.pin(prog, name)
        with fresh.ns_a.enter():  # `ip -n` would not see the pin
            subprocess.run(["ip", "link", "set", "dev", "veth2", "xdp", "pinned", name], check=True)
        theirs = netns.xdp_on(fresh.ns_a, "veth2")
        assert theirs
        assert_error(["-n", fresh.a, "attach", "veth2", "--config", config], 1, "veth2")
        assert netns.xdp_on(fresh.ns_a, "veth2") == theirs
        assert change("-n", fresh.a, "detach", "veth2")["changed"] is False
        assert netns.xdp_on(fresh.ns_a, "veth2") == theirs
    finally:
        fresh.ns_a.ip("link set dev veth2 xdp off", check=False)
        os.close(prog)
        if os.path.exists(name):
            os.unlink(name)


class Bpf:
    """As much of bpf(2) as it takes to be a stranger."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)

    def call(self, cmd, attr):
        buf = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
        fd = self.libc.syscall(321, cmd, buf, 128)
        if fd < 0:
            raise OSError(ctypes.get_errno(), f"bpf({cmd})")
        return fd

    def array(self):
        return self.call(0, b"".join(n.to_bytes(4, "little") for n in (2, 4, 4, 1)))

    def pin(self, fd, path):
        text = ctypes.create_string_buffer(path.encode())
        self.call(6, ctypes.addressof(text).to_bytes(8, "little") + fd.to_bytes(4, "little"))

    def xdp_pass(self):
        code = ctypes.create_string_buffer(bytes.fromhex("b700000002000000" "9500000000000000"))
        licence = ctypes.create_string_buffer(b"GPL")
        return self.call(5, (6).to_bytes(4, "little") + (2).to_bytes(4, "little")
                         + ctypes.addressof(code).to_bytes(8, "little")
                         + ctypes.addressof(licence).to_bytes(8, "little"))


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="knows bpf(2)'s number on x86_64 only")
@pytest.mark.filterwarnings("ignore:pins removed by force")
class TestForeignPins:
    """Foreign or damaged pins are refused, named, left alone."""

    @staticmethod
    def strangers_in(path):
        """Puts a map that is none of mangle's in the place of a pin."""
        bpf = Bpf()
        fd = bpf.array()
        os.unlink(path)
        bpf.pin(fd, path)
        os.close(fd)
        return os.stat(path).st_ino

    def test_one_by_one(self, fresh, config):
        ok("-n", fresh.a, "attach", "veth0", "--config", config)
        names = [os.path.relpath(p, ctl.PIN_DIR) for p in ctl.pins() if os.path.isfile(p)]
        ctl.purge()
        assert names
        refused = 0
        for name in names:
            ok("-n", fresh.a, "attach", "veth0", "--config", config)
            if not os.path.exists(os.path.join(ctl.PIN_DIR, name)):
                ctl.purge()  # a name that changes each time
                continue
            ino = self.strangers_in(os.path.join(ctl.PIN_DIR, name))
            for argv in (["map", "set", "ABCD", "6005"], ["map", "list"], ["stats"], ["status"],
                         ["-n", fresh.a, "attach", "veth2"]):
                r = run(*argv)
                assert r.status in (0, 1), (name, r)
                if r.status:
                    assert os.path.basename(name) in ctl.check_error_line(r), (name, r)
                    refused += 1
            assert os.stat(os.path.join(ctl.PIN_DIR, name)).st_ino == ino, f"{name} was touched"
            ctl.purge()
        assert refused

    def test_a_pin_is_missing(self, fresh, config):
        ok("-n", fresh.a, "attach", "veth0", "--config", config)
        names = [os.path.relpath(p, ctl.PIN_DIR) for p in ctl.pins() if os.path.isfile(p)]
        ctl.purge()
        for name in names:
            ok("-n", fresh.a, "attach", "veth0", "--config", config)
            path = Path(ctl.PIN_DIR, name)
            if path.exists():
                path.unlink()
                for argv in (["map", "set", "ABCD", "6005"], ["map", "list"], ["status"], ["stats"]):
                    r = run(*argv)
                    assert r.status in (0, 1), (name, r)
                    line = ctl.check_error_line(r) if r.status else ""
                    if name in ("gate", "stats", "ifaces", "tables", "flows"):
                        assert f"{path}: opening the pin: it is missing" in line, (name, r)
            ctl.purge()

    def test_somebody_elses_directory(self, fresh, mounted, config):
        os.mkdir(ctl.PIN_DIR, 0o700)
        bpf = Bpf()
        fd = bpf.array()
        path = os.path.join(ctl.PIN_DIR, "stranger")
        bpf.pin(fd, path)
        os.close(fd)
        ino = os.stat(path).st_ino
        for argv in (["-n", fresh.a, "attach", "veth0", "--config", config], ["map", "set", "ABCD", "6001"],
                     ["detach", "--all", "--purge"]):
            r = run(*argv)
            assert r.status in (0, 1), r
            if r.status:
                ctl.check_error_line(r)
            assert os.stat(path).st_ino == ino, (argv, "left alone")


@pytest.mark.skipif(os.path.exists("/dev/log"), reason="a syslog is listening")
def test_one_line_to_syslog_for_every_change(one):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        s.bind("/dev/log")

        def logged(*argv):
            """The lines that this run has sent; there may be others on the machine."""
            with subprocess.Popen([ctl.BIN, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
                p.wait(ctl.TIMEOUT)
            lines = []
            try:
                while True:
                    line, credentials, _, _ = s.recvmsg(65536, 64, socket.MSG_DONTWAIT)
                    if struct.unpack_from("i", credentials[0][2])[0] == p.pid:
                        lines.append(line)
            except BlockingIOError:
                return lines

        try:
            for argv, what in (
                    (["map", "set", "ABCD", "6001"], "map set telemetry ABCD -> 6001: added 1"),
                    (["map", "set", "ABCD", "6002", "--size", "5:9"], "map set telemetry ABCD -> 6002 5:9 (was 6001): added 0"),
                    (["map", "del", "ABCD"], "map del telemetry ABCD (was 6002 5:9): added 0, removed 1"),
                    (["service", "set", "telemetry", "--reply", "on"], "service set telemetry: "),
                    (["map", "set", "ABCD", "6001"], "map set telemetry ABCD -> 6001: added 1"),
                    (["map", "set", "ABCD", "6002"], "map set telemetry ABCD -> 6002 (was 6001): added 0"),
                    (["map", "del", "ABCD"], "map del telemetry ABCD (was 6002): added 0, removed 1"),
                    (["apply", str(one)], f"apply {one}: ")):
                lines = logged(*argv)
                assert len(lines) == 1 and b"mangle" in lines[0] and b"\n" not in lines[0].rstrip(b"\n"), (argv, lines)
                assert what.encode() in lines[0] and b"uid 0" in lines[0], (argv, lines)
            for argv in (["apply", str(one)], ["map", "list"], ["map", "set", "ABCD", "0"], ["map", "del", "ABCD"],
                         ["map", "load", "/dev/null"], ["apply", str(one), "--check"]):
                assert logged(*argv) == [], argv
        finally:
            os.unlink("/dev/log")
