"""Commands that are killed, or told by the kernel that it will not, at one system call after the other.

strace does it (`-e inject`). Two lanes work side by side, each a process with a mount namespace, a bpffs,
two network namespaces and sockets of its own. After each fault real packets say what state the data path is
in; a state is where every one of them comes out.
"""

import contextlib
import ctypes
import itertools
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import traceback
import zlib
from dataclasses import dataclass, field
from typing import Callable

import yaml
from mangletest import ctl, netns

SERVER, CLIENT = netns.addresses(1, 4)
ERRORS = ("ENOMEM", "EPERM", "ENOSPC", "EINTR")

# --- lanes ------------------------------------------------------------------------------------------

MS_REC, MS_PRIVATE, CLONE_NEWNS = 1 << 14, 1 << 18, 1 << 17
_libc = ctypes.CDLL(None, use_errno=True)


def own_bpffs():
    """From here on this process has a mount namespace and a bpffs of its own."""
    for failed in (_libc.unshare(CLONE_NEWNS),
                   _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
                   _libc.mount(b"bpf", ctl.BPFFS.encode(), b"bpf", 0, b"mode=0700")):
        if failed:
            raise OSError(ctypes.get_errno(), "a mount namespace and bpffs")


def in_lanes(labs, work):
    """work(lane's number, its Lab) for every Lab, each in a child; what they return, in order."""
    children = []
    try:
        for number, lab in enumerate(labs):
            back, to = os.pipe()
            pid = os.fork()
            if not pid:
                os.close(back)
                run_lane(to, number, lab, work)
            os.close(to)
            children.append((pid, open(back, "rb")))  # pylint: disable=consider-using-with
        answers = []
        for pid, pipe in children:
            with pipe:
                text = pipe.read()
            assert text, "a lane ended without an answer"
            answers.append(json.loads(text))
        broken = [a["broken"] for a in answers if "broken" in a]
        assert not broken, "\n".join(broken)
        return [a["answer"] for a in answers]
    finally:
        for pid, _ in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def run_lane(to, number, lab, work):
    """In the child, which never returns."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        own_bpffs()
        answer = {"answer": work(number, lab)}
    except BaseException:  # pylint: disable=broad-except
        answer = {"broken": traceback.format_exc()}
    with contextlib.suppress(BaseException):
        ctl.purge()
    try:
        with open(to, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


# --- the data path ----------------------------------------------------------------------------------

UDP_PORTS = (5000, 5001, 6001, 6002, 6003, 6004, 6005, 6009)
TCP_PORTS = (5002, 6011, 6012)


class Way:
    """veth0 of namespace a, where mangle is attached, and who sends to it from namespace b.
    Configuration files go to `folder`."""

    def __init__(self, lab, folder):
        self.folder = folder
        self.a, self.b = lab.namespaces["a"], lab.namespaces["b"]
        self.sinks = {port: self.a.udp(SERVER, port, buffer=1 << 20) for port in UDP_PORTS}
        self.source = self.b.udp(CLIENT, 40000, buffer=1 << 20)
        self.listeners = {}
        for port in TCP_PORTS:
            s = self.a.socket(socket.AF_INET, socket.SOCK_STREAM, buffer=1 << 16)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((SERVER, port))
            s.listen()
            s.setblocking(False)
            self.listeners[port] = s
        self.number = itertools.count()
        self.sent = {}  # (port, tag): how many

    def file(self, text):
        """A file with that text, always the same for the same text."""
        path = os.path.join(self.folder, f"{zlib.crc32(text.encode())}.yaml")
        if not os.path.exists(path):
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        return path

    def udp(self, probes, answered):
        """Which port each (port, tag) comes out at; None where it does not. Where `answered`, the
        answer must come from the port that was asked, or the value is a text that says so."""
        waiting = {}
        for port, tag in probes:
            payload = tag.encode() + struct.pack("!Q", next(self.number))
            waiting[payload] = (port, tag)
            self.sent[port, tag] = self.sent.get((port, tag), 0) + 1
            self.source.sendto(payload, (SERVER, port))
        came = dict.fromkeys(probes)
        by_socket = {s: port for port, s in self.sinks.items()}
        while waiting:
            ready, _, _ = select.select(list(by_socket), [], [], 2)
            if not ready:
                break
            for s in ready:
                payload, peer = s.recvfrom(64)
                if payload not in waiting:
                    continue  # of a probe that was given up
                probe = waiting.pop(payload)
                came[probe] = by_socket[s]
                if answered:
                    s.sendto(payload, peer)
                    if not select.select([self.source], [], [], 2)[0]:
                        came[probe] = f"{by_socket[s]}, no answer"
                        continue
                    source = self.source.recvfrom(64)[1][1]
                    if source != probe[0]:
                        came[probe] = f"{by_socket[s]}, answered from {source}"
        return came

    def tcp(self, port, tag):
        """The port whose listener gets a connection that begins with the tag, and echoes."""
        by_socket = {s: number for number, s in self.listeners.items()}
        with self.b.enter():
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with client:
            client.settimeout(2)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST: no TIME_WAIT
            try:
                client.connect((SERVER, port))
                client.sendall(tag.encode())
                ready, _, _ = select.select(list(by_socket), [], [], 2)
                if not ready:
                    return "nobody accepts"
                server, _ = ready[0].accept()
                with server:
                    server.settimeout(2)
                    server.sendall(server.recv(64))
                    assert client.recv(64) == tag.encode()
                    return by_socket[ready[0]]
            except OSError as e:
                return f"{e}"

    def look(self, state):
        """The state as packets see it: {"5000 AAAA": port, …}, of the same packets as `state` has."""
        udp, tcp = ([tuple(key.split()) for key in part] for part in (state.get("udp", {}), state.get("tcp", {})))
        seen = {}
        if udp:
            came = self.udp([(int(port), tag) for port, tag in udp], state.get("answered"))
            seen["udp"] = {f"{port} {tag}": to for (port, tag), to in came.items()}
        if tcp:
            seen["tcp"] = {f"{port} {tag}": self.tcp(int(port), tag) for port, tag in tcp}
        return seen


# --- commands ---------------------------------------------------------------------------------------

def service(name, port, entities, **settings):
    return {"name": name, "protocol": "udp", "ports": [port], "tag": {"offset": 0, "length": 4},
            "size": {"min": 4, "max": 1400}, **settings,
            "entities": [{"tag": tag, "target": target} for tag, target in entities.items()]}


def document(*services):
    return yaml.safe_dump({"version": 1, "services": list(services)}, sort_keys=False)


OLD = document(service("s", 5000, {"AAAA": 6001, "BBBB": 6002}))
NEW = document(service("s", 5000, {"AAAA": 6003, "BBBB": 6002, "CCCC": 6004}, unknown=6009),
               service("t", 5001, {"AAAA": 6005}))
TABLE = "AAAA 6003\nCCCC 6004\n"
EMPTY = "version: 1\nservices: []\n"
PLAIN = document(service("s", 5000, {"AAAA": 6001}))
TCP_AND_REPLIES = document(service("s", 5000, {"AAAA": 6002}, reply=True),
                           service("c", 5002, {"AAAA": 6011, "BBBB": 6012}, protocol="tcp"))


def udp_state(aaaa, bbbb, cccc, zzzz, other):
    return {"udp": {"5000 AAAA": aaaa, "5000 BBBB": bbbb, "5000 CCCC": cccc, "5000 ZZZZ": zzzz, "5001 AAAA": other}}


def tc_state(udp, aaaa, bbbb):
    return {"udp": {"5000 AAAA": udp}, "tcp": {"5002 AAAA": aaaa, "5002 BBBB": bbbb}, "answered": True}


NOTHING = udp_state(5000, 5000, 5000, 5000, 5001)
IN_OLD = udp_state(6001, 6002, 5000, 5000, 5001)
IN_NEW = udp_state(6003, 6002, 6004, 6009, 6005)
IN_TABLE = udp_state(6003, 5000, 6004, 5000, 5001)
NO_TC = tc_state(5000, 5002, 5002)
WITH_TC = tc_state(6002, 6011, 6012)


def attach(way, text):
    ctl.ok("-n", way.a.name, "attach", "veth0", "--config", way.file(text))


def nothing(_):
    ctl.purge()


def attached(text, fresh=False):
    """A setup: attached, with this configuration, and nothing else before it if `fresh`."""
    def setup(way):
        if not fresh and ctl.run("-n", way.a.name, "status", "veth0").status == 0:
            ctl.ok("apply", "-", stdin=text)
        else:
            ctl.purge()
            attach(way, text)
    return setup


@dataclass
class Command:
    """A row of what is tried: from the state `old`, made by `setup`, the command leads to `new`."""
    name: str
    setup: Callable
    argv: Callable  # of the Way
    old: dict
    new: dict
    stdin: str = ""
    apart: bool = False  # UDP and TCP have programs of their own, which come and go one after the other
    dear: int = 0  # how long it takes: fewer of its calls are tried
    kept: tuple = ()  # (port, tag, service): an entity of both states, whose counter goes on


COMMANDS = [
    Command("apply", attached(OLD), lambda way: ["apply", "-"], IN_OLD, IN_NEW, stdin=NEW, kept=(5000, "BBBB", "s")),
    Command("map replace", attached(OLD), lambda way: ["map", "replace", "-"], IN_OLD, IN_TABLE, stdin=TABLE,
            kept=(5000, "AAAA", "s")),
    Command("detach", attached(OLD), lambda way: ["-n", way.a.name, "detach", "veth0"], IN_OLD, NOTHING),
    Command("attach", nothing, lambda way: ["-n", way.a.name, "attach", "veth0", "--config", way.file(NEW)],
            NOTHING, IN_NEW, dear=1),
    Command("upgrade", attached(OLD), lambda way: ["upgrade"], IN_OLD, IN_OLD, dear=1, kept=(5000, "AAAA", "s")),
    Command("apply, TCP and replies", attached(PLAIN, fresh=True), lambda way: ["apply", "-"],
            tc_state("6001, answered from 6001", 5002, 5002),
            WITH_TC, stdin=TCP_AND_REPLIES, dear=2),
    Command("detach, TCP and replies", attached(TCP_AND_REPLIES), lambda way: ["-n", way.a.name, "detach", "veth0"],
            WITH_TC, NO_TC, apart=True, dear=2),
    Command("attach, TCP and replies", nothing,
            lambda way: ["-n", way.a.name, "attach", "veth0", "--config", way.file(TCP_AND_REPLIES)],
            NO_TC, WITH_TC, apart=True, dear=2),
    Command("upgrade, TCP and replies", attached(TCP_AND_REPLIES), lambda way: ["upgrade"], WITH_TC, WITH_TC, dear=2),
]

# --- system calls -----------------------------------------------------------------------------------

# What else than memory and files of the process's own can be different afterwards; and what tells where it is
# and what is to be swept.
CHANGING = re.compile(r"bpf\(BPF_(OBJ_PIN|MAP_UPDATE|MAP_DELETE|LINK_(CREATE|UPDATE|DETACH))"
                      r"|(mkdir|rmdir|unlink|unlinkat|rename|mount|flock|sendto|sendmsg|write)\(|openat\(.*O_CREAT"
                      r"|newfstatat\(AT_FDCWD, .*ns/net\"|openat\(.*mangle/inner\"")


@dataclass
class Call:
    name: str
    nth: int  # of that name
    text: str
    early: bool = False  # before main: the loader and the libraries' constructors
    changes: bool = False
    dull: bool = field(default=False)  # a read in the middle of many: of the kernel's types

    def __str__(self):
        return f"{self.name} {self.nth} ({self.text[:100]})"


def strace(*options, log="/dev/null"):
    return ("strace", "-f", "-qq", "-o", log, *options)


def traced(argv, stdin, status=0):
    """[(name, text)] of the system calls of a run that succeeds, or ends with that status."""
    with tempfile.NamedTemporaryFile(prefix="mangle-faults-", mode="r", encoding="utf-8", errors="replace") as log:
        r = ctl.run(*argv, stdin=stdin, prefix=strace("-s", "16", log=log.name))
        assert r.status == status, r
        lines = [re.sub(r"^\d+ +", "", line.rstrip("\n")) for line in log]
    return [(line.split("(", 1)[0], line) for line in lines if re.match(r"\w+\(", line)]


def calls_of(argv, stdin, status=0):
    """All of them but execve, which is the beginning."""
    early = len([name for name, text in traced(["--version"], "") if not re.match(r"(newfstatat|fstat|write)\(1,", text)]) - 1
    counts, calls = {}, []
    lines = traced(argv, stdin, status)
    for index, (name, text) in enumerate(lines):
        counts[name] = counts.get(name, 0) + 1
        if index:
            calls.append(Call(name, counts[name], text, early=index < early,
                              changes=bool(CHANGING.match(text)),
                              dull=all(lines[i][0] == "read" for i in range(index - 4, min(index + 5, len(lines))))))
    return calls


# --- one fault --------------------------------------------------------------------------------------

def shape():
    """The pins, but for the numbers in their names, of which there are others each time."""
    return sorted(re.sub(r"\d+$", "#", path) for path in ctl.pins())


def running():
    """What `save` and `status` say, but for what is other each time."""
    status = ctl.js("status")
    for iface in status["interfaces"]:
        del iface["prog_id"]
    if status["flows"]:
        del status["flows"]["used"]
    del status["config"], status["generation"]
    return {"save": ctl.run("save").out, **status}


def inject(argv, stdin, call, action):
    options = ["-e", f"trace={call.name}", "-e", f"inject={call.name}:{action}:when={call.nth}"]
    return ctl.run(*argv, stdin=stdin, prefix=strace(*options), timeout=ctl.TIMEOUT)


class Trial:
    """One command, tried again and again in one lane."""

    def __init__(self, command, way):
        self.command, self.way = command, way
        self.argv = command.argv(way)
        self.failures, self.counts, self.after, self.last = [], {}, [], ""
        self.clean()

    def clean(self):
        """What a run without faults is like, and leaves."""
        c = self.command
        c.setup(self.way)
        assert self.settled() == ("new" if c.old == c.new else "old"), "before anything"
        self.old_shape, self.old_saved = shape(), ctl.run("save").out
        self.calls = calls_of(self.argv, c.stdin)
        assert self.settled() == "new", f"{c.name} does not do what it is here for: {self.way.look(c.new)}"
        self.shape, self.running = shape(), running()
        c.setup(self.way)
        self.before = ctl.generation()
        ctl.ok(*self.argv, stdin=c.stdin)
        self.rises = ctl.generation() - self.before

    def settled(self):
        """"new", "old", or what it is instead. An interface's programs may still be on their way off
        for a moment, after the last process that held them has ended."""
        c = self.command
        moving = c.old in (NOTHING, NO_TC) or c.new in (NOTHING, NO_TC)
        for _ in range(4 if moving else 1):
            seen = self.way.look(c.new)
            for name, state in (("new", c.new), ("old", c.old)):
                if all(seen[part] == state[part] for part in seen):
                    return name
            if c.apart and all(seen[part] in (c.old[part], c.new[part]) for part in seen):
                return "between"
        return f"neither: {seen}"

    def fail(self, what, said):
        self.failures.append(f"{self.command.name}: {what}: {said}")
        print(self.failures[-1], flush=True)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def arrange(self):
        self.command.setup(self.way)
        if shape() != self.old_shape:
            self.fail(self.last, f"the next change leaves {sorted(ctl.pins())}, where a clean run has {self.old_shape}")
            ctl.purge()
            self.command.setup(self.way)
        self.before = ctl.generation()
        self.way.sent.clear()
        self.packets = self.kept_packets()

    def kept_packets(self):
        """How many packets the entity has counted that is there before and after."""
        if not self.command.kept:
            return 0
        _, tag, name = self.command.kept
        return ctl.js("map", "get", tag, "--service", name)["packets"]

    def injected(self, call, action):
        return inject(self.argv, self.command.stdin, call, action)

    def again(self, what):
        """The same command once more reaches its goal, and nothing is left over."""
        c = self.command
        try:
            r = ctl.run(*self.argv, stdin=c.stdin, timeout=ctl.TIMEOUT)
        except subprocess.TimeoutExpired:
            r = None
        if not r or r.status:
            self.fail(what, f"the same command again: {r or 'hangs'}")
            ctl.purge()
            return
        seen = self.settled()
        if seen != "new":
            self.fail(what, f"the same command again leads to {seen}")
        if shape() != self.shape:
            self.fail(what, f"pins left: {sorted(set(ctl.pins()))}, where a clean run leaves {self.shape}")
        now = running()
        on = netns.xdp_on(self.way.a, "veth0")
        if [on] != ([i["prog_id"] for i in ctl.js("status")["interfaces"]] or [None]):
            self.fail(what, f"program {on} is on veth0, and status says {ctl.js('status')}")
        for key, value in self.running.items():
            if now[key] != value:
                self.fail(what, f"the same command again: {key} {now[key]}, where a clean run has {value}")
        if ctl.generation() - self.before != self.rises:
            self.fail(what, f"generation rose by {ctl.generation() - self.before}, not {self.rises}")
        if c.kept:
            packets, sent = self.kept_packets() - self.packets, self.way.sent[c.kept[:2]]
            if packets != sent:
                self.fail(what, f"{c.kept[1]} counted {packets} packets of {sent}")

    def killed(self, call):
        what = f"killed at {call}"
        self.arrange()
        self.last = what
        r = self.injected(call, "signal=SIGKILL")
        self.count("killed" if r.status == -signal.SIGKILL else "not come to")
        if r.status not in (0, -signal.SIGKILL):
            self.fail(what, f"not killed: {r}")
        seen = self.settled()
        self.count(f"left {seen}")
        if seen.startswith("neither"):
            self.fail(what, seen)
        if call.nth % 2:  # readers come first sometimes, and finish what was begun
            saved = ctl.run("save")
            if saved.out not in (self.old_saved, self.running["save"], "" if self.old_saved else EMPTY):
                self.fail(what, f"save: {saved}")
            if self.settled() != seen:
                self.fail(what, f"{seen}, and after save {self.settled()}")
        self.again(what)

    def refused(self, call, error):
        what = f"{error} from {call}"
        self.arrange()
        self.last = what
        try:
            r = self.injected(call, f"error={error}")
        except subprocess.TimeoutExpired:
            self.fail(what, "hangs")
            ctl.purge()
            return
        self.count("refused a call")
        seen = self.settled()
        if r.status not in (0, 1, 4):
            self.fail(what, f"ends with {r}")
        elif r.status:
            self.count("said so")
            lines = [line for line in r.err.splitlines() if not line.startswith("mangle-ctl: warning: ")]
            if len(lines) != 1 or not ctl.ERROR_LINE.fullmatch(lines[0]):
                self.fail(what, f"not one line of the promised form: {r}")
            if seen == "new" and self.command.old != self.command.new:
                self.after.append(f"{what}: {r.err.strip()}")
        elif seen != "new":
            self.fail(what, f"exit 0, and the state is {seen}")
        if seen.startswith("neither"):
            self.fail(what, f"{seen}: {r}")
        self.again(what)


# --- guards -----------------------------------------------------------------------------------------

# Where a guard looks: what it must not take for an empty answer.
LOOKING = re.compile(r"(openat|newfstatat|readlink|access|statx|statfs)\(.*(/proc/|/run/netns|mangle)|(setns|socket|bind|sendto|sendmsg"
                     r"|recvmsg|recvfrom|capget|getdents64|read|mmap|bpf)\(")
GUARDED_PORT = 5009


@dataclass
class Guarded:
    """A command that a guard refuses, since it would cut off a connection in the namespace of veth0."""
    name: str
    argv: list
    stdin: str = ""


GUARDED = [
    Guarded("apply", ["apply", "-"], stdin=PLAIN),
    Guarded("service del", ["service", "del", "c"]),
    Guarded("detach --all", ["detach", "--all"]),
    Guarded("service add", ["service", "add", "x", "--protocol", "tcp", "--ports", str(GUARDED_PORT), "--tag", "0:4", "--size", "4:100"]),
]


class Connection:
    """A connection from namespace b, that mangle has bound where the port is a service's."""

    def __init__(self, way, port, tag, listener):
        with way.b.enter():
            self.client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.client.settimeout(5)
        self.client.connect((SERVER, port))
        self.client.sendall(tag)
        assert select.select([listener], [], [], 5)[0], "nobody accepts"
        self.server, _ = listener.accept()
        self.server.settimeout(5)
        assert self.server.recv(64) == tag

    def lives(self):
        """What is sent either way arrives."""
        try:
            self.client.sendall(b"still there?")
            if self.server.recv(64) != b"still there?":
                return False
            self.server.sendall(b"yes")
            return self.client.recv(64) == b"yes"
        except OSError:
            return False

    def close(self):
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.server.close()


class Guard:
    """Connections that live, and commands that would cut them off: refused without a fault, so not done with one."""

    def __init__(self, way):
        self.way, self.failures, self.counts = way, [], {}
        self.own = way.a.socket(socket.AF_INET, socket.SOCK_STREAM, buffer=1 << 16)
        self.own.bind((SERVER, GUARDED_PORT))
        self.own.listen()
        self.held = []
        self.arrange()

    def arrange(self):
        for connection in self.held:
            connection.close()
        ctl.run("detach", "--all", "--purge", "--force")
        attach(self.way, TCP_AND_REPLIES)
        self.held = [Connection(self.way, 5002, b"AAAA", self.way.listeners[6011]),
                     Connection(self.way, GUARDED_PORT, b"AAAA", self.own)]
        self.generation = ctl.generation()

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def fail(self, what, said):
        self.failures.append(f"{what}: {said}")
        print(self.failures[-1], flush=True)
        self.arrange()

    def calls(self, command):
        assert "would be cut off" in (said := ctl.run(*command.argv, stdin=command.stdin).err) or "could be cut off" in said, said
        return calls_of(command.argv, command.stdin, status=1)

    def refused(self, command, call, error):
        """The command with that fault, which changes nothing."""
        what = f"{command.name}: {error} from {call}"
        r = inject(command.argv, command.stdin, call, f"error={error}")
        self.count("cannot tell" if "cannot tell" in r.err else "told" if "cut off" in r.err else "another reason")
        if r.status not in (1, 4):
            self.fail(what, f"done: {r}")
        elif len(r.err.splitlines()) != 1 or not ctl.ERROR_LINE.fullmatch(r.err.strip()):
            self.fail(what, f"not one line of the promised form: {r}")
        elif "remove it" in r.err or "damaged" in r.err:
            self.fail(what, f"nothing is damaged: {r}")
        elif not all(c.lives() for c in self.held):
            self.fail(what, f"cut off: {r}")
        elif ctl.generation() != self.generation:
            self.fail(what, f"changed: {r}")

    def again(self):
        """Attaching anew, while the connections live on: the command line, and its calls."""
        argv = ["-n", self.way.a.name, "attach", "veth0"]
        ctl.ok("detach", "--all", "--force")
        calls = calls_of(argv, "")
        assert all(c.lives() for c in self.held)
        return argv, calls

    def attached(self, argv, call, error):
        """It may fail. But whoever is known stays known."""
        what = f"attach: {error} from {call}"
        ctl.ok("detach", "--all", "--force")
        r = inject(argv, "", call, f"error={error}")
        self.count("attached" if not r.status else "cannot tell" if "cannot tell" in r.err else "another reason")
        if r.status not in (0, 1, 4):
            self.fail(what, f"ends with {r}")
        if r.status:
            ctl.ok(*argv)
        if not all(c.lives() for c in self.held):
            self.fail(what, f"cut off: {r}")
