"""Where the tool cannot look, by a missing capability, a full table of descriptors or a refused call, it says that
it cannot tell, and refuses what may cut connections off. Nothing that could not be read counts as empty."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest
from conftest import PREFIX, dump, entities, service
from flows import HOME, LIVE, connect, flow_lines, flow_ports, flow_table, put_flows
from mangletest import ctl, netns
from mangletest.ctl import assert_error, js, ok, run

TCP = service("t", protocol="tcp", ports=[5009], unknown=7000)
TAKE_22 = ["service", "add", "x", "--protocol", "tcp", "--ports", "22", "--tag", "0:4", "--size", "4:100"]
LISTS = ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6")
BLIND = "cannot tell whether "
# The second where the machine keeps somebody's processes from root too.
NOWHERE = "network namespace: (no name .ip netns. and no process leads to it|it has no name .ip netns., and " \
          "(some processes|processes outside this PID namespace))"


@pytest.fixture(autouse=True)
def _strace():
    if not shutil.which("strace"):
        pytest.skip("wants strace")


def injected(call, error, *paths, when="", log="/dev/null"):
    """The prefix of a command of which this call fails, on these paths only if there are any."""
    where = [word for path in paths for word in ("-P", path)]
    return ["strace", "-f", "--quiet=all", "-o", log, *where, "-e", f"trace={call}",
            "-e", f"inject={call}:error={error}{when}"]


def nth_read(path, argv, stdin):
    """Of the command, the number of the first read of that file: fds have other paths than strace asks for."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as log:
        run(*argv, stdin=stdin, prefix=["strace", "-f", "--quiet=all", "-o", log.name, "-e", "trace=openat,read"])
        calls = [line.split(None, 1)[1] for line in log if re.match(r"\d+ +(openat|read)\(", line)]
    opened = max(i for i, call in enumerate(calls) if f'"{path}"' in call)
    return sum(call.startswith("read(") for call in calls[:opened]) + 1


def with_caps(*caps):
    return ["setpriv", "--bounding-set=-all" + "".join(f",+{c}" for c in caps), "--inh-caps=-all", "--ambient-caps=-all"]


class Bound:
    """In a namespace: a bound connection of service t, and one to port 22 that is nobody's yet."""

    def __init__(self, ns, stack):
        self.inode = os.fstat(ns.fd).st_ino
        place = type("Place", (), {"ns_a": ns})
        near = connect(place, stack, socket.AF_INET, HOME[1], HOME[0], "")[1]
        connect(place, stack, socket.AF_INET, HOME[1], HOME[0], "", port=22)
        self.ends = (HOME[0], near.getsockname()[1]), (HOME[1], 7000)
        self.again()

    def again(self):
        put_flows(flow_lines(flow_table()[0], *self.ends, LIVE, netns=self.inode))


def taking():
    """What would cut one of the two off: the command line, and standard input."""
    return [(["apply", "-"], dump(service())), (["service", "del", "t"], ""), (["detach", "--all"], ""), (TAKE_22, "")]


@pytest.fixture
def bound(load, world):
    load(TCP)
    with contextlib.ExitStack() as stack:
        yield Bound(world.ns_a, stack)
    ctl.purge()


def refusals(pattern, prefix=()):
    """What each of them says; none has changed anything."""
    before = ctl.snapshot()
    lines = [assert_error(argv, 1, pattern, unchanged=False, prefix=prefix, stdin=stdin) for argv, stdin in taking()]
    assert ctl.snapshot() == before, "a refused command changed something"
    return lines


def refused(why, prefix=()):
    for line in refusals(f"{BLIND}.*{why}", prefix):
        assert "--force" in line, line


def told(prefix=()):
    """Refused, and not since something could not be seen."""
    for line in refusals("would be cut off|could be cut off", prefix):
        assert "cannot tell" not in line, line


# --- capabilities ---------------------------------------------------------------------------------

@pytest.mark.parametrize("caps", [("bpf",), ("bpf", "net_admin", "perfmon"), ("bpf", "net_admin", "perfmon", "sys_ptrace")],
                         ids="+".join)
def test_who_may_not_enter_the_namespace(bound, caps):  # pylint: disable=unused-argument
    refused("its network namespace: CAP_SYS_ADMIN is missing", with_caps(*caps))
    ok("service", "del", "t", "--force", prefix=with_caps(*caps))


def test_who_may_enter_it_is_told(bound):  # pylint: disable=unused-argument
    told(with_caps("bpf", "net_admin", "perfmon", "sys_admin"))


def test_nobody_to_be_cut_off(load):
    """No connection is known there: then it need not be entered."""
    load(TCP)
    ok("service", "set", "t", "--unknown", "7001", "--force", prefix=with_caps("bpf"))
    ok("service", "del", "t", prefix=with_caps("bpf"))
    ok("detach", "--all", prefix=with_caps("bpf"))


def test_status_says_what_it_cannot_see(bound):  # pylint: disable=unused-argument
    said = js("status", prefix=with_caps("bpf"))
    assert [i["state"] for i in said["interfaces"]] == ["attached"]
    assert [w for w in said["warnings"]
            if re.search("veth0: cannot tell whether it is still attached: .*CAP_SYS_ADMIN is missing", w)], said
    assert [w for w in said["warnings"] if re.search("veth0: cannot tell what the host allows", w)], said
    assert not [w for w in js("status")["warnings"] if "cannot tell" in w]


# --- a namespace without a name -------------------------------------------------------------------

@contextlib.contextmanager
def nameless(ns):
    """Takes its name away."""
    path = f"/run/netns/{ns.name}"
    subprocess.run(["umount", "-l", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-c", "--bind", f"/proc/{os.getpid()}/fd/{ns.fd}", path], check=True)


@contextlib.contextmanager
def container(stack):
    """A namespace with an attached interface and bound connections."""
    with netns.Lab(PREFIX + "n-") as lab:
        ns = lab.ns("c")
        lab.join(ns, "veth0", lab.ns("d"), "veth1", 3)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(dump(TCP))
            f.flush()
            ok("-n", ns.name, "attach", "veth0", "--config", f.name)
        try:
            Bound(ns, stack)
            yield ns
        finally:
            ctl.purge()


# As in the unit, before it had CAP_SYS_PTRACE.
HIDDEN = ["unshare", "-m", "sh", "-c", 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"', "-",
          *with_caps("bpf", "net_admin", "perfmon", "sys_admin")]
UNIT = [*HIDDEN[:-3], *with_caps("bpf", "net_admin", "perfmon", "sys_admin", "sys_ptrace")]


def test_a_container_behind_hidepid(fresh):  # pylint: disable=unused-argument
    """A process of another user is in it, which the run may not look at; with the unit's capabilities it may."""
    with contextlib.ExitStack() as stack, container(stack) as ns:
        there = ns.popen("setpriv", "--reuid=65534", "--clear-groups", "sleep", "100")
        time.sleep(0.3)
        try:
            with nameless(ns):
                refused("its network namespace: CAP_SYS_PTRACE is missing", HIDDEN)
                told(UNIT)
        finally:
            there.kill()


def test_a_namespace_that_nothing_leads_to(fresh):  # pylint: disable=unused-argument
    """It lives, since somebody holds it open: its link has a device. Once that has gone, nothing lives there."""
    with contextlib.ExitStack() as stack, container(stack) as ns:
        with nameless(ns):
            refused(NOWHERE)
            said = js("status")
            assert [i["state"] for i in said["interfaces"]] == ["attached"]
            assert [w for w in said["warnings"] if "veth0: cannot tell whether it is still attached" in w], said
        ns.ip("link del veth0")
        assert [i["state"] for i in js("status")["interfaces"]] == ["gone"]
        with nameless(ns):
            assert [i["state"] for i in js("status")["interfaces"]] == ["gone"]
            ok("detach", "--all")


def test_programs_that_cannot_be_attached_there(fresh):  # pylint: disable=unused-argument
    """The first service with connections wants a program on every interface: there is no change without it."""
    with contextlib.ExitStack() as stack, netns.Lab(PREFIX + "n-") as lab:
        ns = lab.ns("c")
        lab.join(ns, "veth0", lab.ns("d"), "veth1", 3)
        stack.callback(ctl.purge)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(dump(service(entities=entities(("ABCD", 6001)))))
            f.flush()
            ok("-n", ns.name, "attach", "veth0", "--config", f.name)
        with nameless(ns):
            for argv in (["apply", "-"], ["apply", "-", "--force"]):
                assert_error(argv, 1, NOWHERE, stdin=dump(TCP))
        ok("apply", "-", stdin=dump(TCP))


# --- lists that cannot be read --------------------------------------------------------------------

def test_sockets_that_cannot_be_opened(bound):  # pylint: disable=unused-argument
    for path in LISTS:
        for error, why in (("ENOMEM", "Cannot allocate memory"), ("EMFILE", "Too many open files"),
                           ("EINTR", "Interrupted"), ("EACCES", "Permission denied")):
            refused(f"{path}: {why}", injected("openat", error, path))


def test_sockets_that_cannot_be_read(bound):  # pylint: disable=unused-argument
    """At once, and broken off after the first part, where enough sockets are there for several."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        for _ in range(60):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            stack.enter_context(listener.accept()[0])
        before = ctl.snapshot()
        for path in LISTS:
            for argv, stdin in taking():
                nth = nth_read(path, argv, stdin)
                assert_error(argv, 1, f"{BLIND}.*{path}: Input/output error", stdin=stdin, unchanged=False,
                             prefix=injected("read", "EIO", when=f":when={nth}"))
        # TAKE_22 reads those of this namespace first
        nth = nth_read(LISTS[0], TAKE_22, "")
        assert_error(TAKE_22, 1, f"{BLIND}.*{LISTS[0]}: Input/output error", unchanged=False,
                     prefix=injected("read", "EIO", when=f":when={nth + 1}"))
        assert ctl.snapshot() == before


def test_entries_that_stay(bound, world):
    """Before it is attached again, entries of connections that are over go; not where that cannot be told."""
    number = flow_table()[0]
    ok("-n", world.a, "detach", "veth0", "--force")
    known = flow_ports(number)
    assert known
    blind = injected("openat", "ENOMEM", *LISTS)
    assert_error(["-n", world.a, "attach", "veth0"], 1, "cannot tell which ones are: .*--force", prefix=blind)
    assert flow_ports(number) == known
    put_flows(flow_lines(number, (HOME[0], 9), bound.ends[1], LIVE, netns=bound.inode))
    known = flow_ports(number)
    ok("-n", world.a, "attach", "veth0", "--force", prefix=blind)
    assert flow_ports(number) == known, "with --force all stay"


def test_settings_that_cannot_be_read(bound):  # pylint: disable=unused-argument
    for path in ("ipv4/tcp_syncookies",):
        prefix = injected("openat", "EMFILE", f"/proc/sys/net/{path}")
        said = js("status", prefix=prefix)["warnings"]
        assert [w for w in said if f"cannot read /proc/sys/net/{path}: Too many open files" in w], said
    said = js("status", prefix=injected("socket", "EMFILE"))["warnings"]
    assert [w for w in said if "cannot tell which ports MPTCP listens on" in w or "offloads" in w], said


def test_no_ipv6_is_no_error(bound):  # pylint: disable=unused-argument
    """A kernel that was told to have none lacks the second list."""
    told(injected("openat", "ENOENT", LISTS[1]))


# --- what the kernel can do -----------------------------------------------------------------------

def test_a_probe_that_fails_is_no_answer_of_the_kernel(fresh, tmp_path):
    """Out of memory or descriptors, or with types that cannot be read: nothing is attached in another way for that."""
    log, path = tmp_path / "log", tmp_path / "any.yaml"
    path.write_text(dump(service(protocol="any", reply=True)), encoding="utf-8")
    attach = ["-n", fresh.a, "attach", "veth0", "--config", path]
    run(*attach, prefix=["strace", "-f", "--quiet=all", "-o", log, "-e", "trace=bpf"])
    ctl.purge()
    calls = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if " bpf(" in line]
    probes = [n for n, call in enumerate(calls, 1) if 'prog_name="mangle_probe"' in call]
    assert len(probes) == 2, calls
    for n in probes:
        for error, why in (("ENOMEM", "Cannot allocate memory"), ("EMFILE", "Too many open files"),
                           ("EPERM", "Operation not permitted")):
            assert_error(attach, 1, f"kernel: probing its features: {why}",
                         prefix=injected("bpf", error, when=f":when={n}"))
    for n in (n for n, call in enumerate(calls, 1) if 'prog_name="mangle_clock"' in call):
        assert_error(attach, 1, "clock: measuring the kernel's ticks: Too many open files", unchanged=False,
                     prefix=injected("bpf", "EMFILE", when=f":when={n}"))
        ctl.purge()
    types = injected("openat", "EMFILE", "/sys/kernel/btf/vmlinux")
    if "kernel has no bpf_sk_assign_tcp_reqsk" in run(*attach).err:
        pytest.skip("wants TCP connection mode (Linux 6.9)")
    ctl.purge()
    assert_error(attach, 1, "cannot tell whether the kernel supports it: its types cannot be read", prefix=types)
    assert [c for c in run("-j", "doctor", prefix=types).json()["checks"]
            if c["name"] == "TCP connection mode" and c["state"] == "bad" and "cannot tell" in c["text"]]


def test_a_mount_namespace_that_cannot_be_told(fresh):  # pylint: disable=unused-argument
    """doctor does not say that bpffs would be mounted where mangle-ctl would refuse it."""
    blind = injected("newfstatat", "EIO", "/proc/self/ns/mnt")
    prefix = ["unshare", "-m", "sh", "-c", f'while umount -l {ctl.BPFFS} 2>/dev/null; do :; done; exec "$@"', "sh", *blind]
    found = [c for c in run("-j", "doctor", prefix=prefix).json()["checks"] if c["name"] in ("bpffs", "tables")]
    assert [c["state"] for c in found] == ["bad"] and "Input/output error" in found[0]["text"], found


# --- units ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("status, said", [(0, "could not be stopped: it is active"), (1, "cannot tell whether it is active"),
                                          (3, None), (4, None), (None, "cannot tell whether it is active")])
def test_a_unit_whose_state_cannot_be_told(fresh, tmp_path, status, said):  # pylint: disable=unused-argument
    """systemctl's answers to is-active where systemd runs, and what else it says (1), or that there is no systemctl."""
    if status is not None:
        (tmp_path / "systemctl").write_text(f"#!/bin/sh\n[ \"$2\" = is-active ] && exit {status} || exit 1\n", encoding="utf-8")
        (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "timeout").symlink_to(shutil.which("timeout"))
    (tmp_path / "sh").symlink_to("/bin/sh")
    booted = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && "
    r = run("detach", "--all", prefix=["unshare", "-m", "sh", "-c", f'{booted}PATH={tmp_path} exec "$@"', "-"])
    assert r.status == 0 and (said in r.err if said else not r.err), r


# --- there and not back ---------------------------------------------------------------------------

def test_the_way_back(fresh, tmp_path):
    """Nothing more is done in the wrong namespace."""
    path = tmp_path / "both.yaml"
    path.write_text(dump(service(protocol="any", reply=True, entities=entities(("ABCD", 6001)))), encoding="utf-8")
    ok("-n", fresh.a, "attach", "veth0", "--config", path)
    ends, log, calls = 0, tmp_path / "log", "INJECTED"
    for n in range(1, 100):
        if "INJECTED" not in calls:  # there are no more of them
            break
        ctl.run("-n", fresh.b, "detach", "veth3", "--force")
        before = netns.xdp_on(fresh.ns_a, "veth0"), netns.xdp_on(fresh.ns_a, "veth2")
        r = run("-n", fresh.b, "attach", "veth3", prefix=injected("setns", "ENOMEM", when=f":when={n}", log=log))
        calls = log.read_text(encoding="utf-8")
        assert (netns.xdp_on(fresh.ns_a, "veth0"), netns.xdp_on(fresh.ns_a, "veth2")) == before, (n, r)
        if r.status:
            ctl.check_error_line(r, "Cannot allocate memory")
        else:
            assert netns.xdp_on(fresh.ns_b, "veth3"), (n, r)
        ends += "returning to the network namespace" in r.err
    assert ends >= 2 and "INJECTED" not in calls, (ends, calls)


# --- descriptors ----------------------------------------------------------------------------------

def test_full_tables_of_descriptors(bound):
    """By an ordinary limit: what is refused without is refused with it, and nothing is called damaged."""
    limited = ["sh", "-c", 'ulimit -n "$0"; exec "$@"']
    for argv, stdin in taking()[:3]:
        told = 0
        for n in range(4, 22):
            r = run(*argv, stdin=stdin, prefix=[*limited, str(n)])
            assert r.status != 0, (n, r)
            assert "remove it" not in r.err and "damaged" not in r.err, (n, r)
            told += "would be cut off (" in r.err
        assert told, "even the highest was too low"
    assert (bound.ends[0][1], 5009, False) in flow_ports(flow_table()[0])
