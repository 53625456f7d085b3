"""Running mangle-ctl, and keeping the machine as it was found.

The pins live in one fixed place, so whoever uses them holds `exclusive()`: it waits for other
test runs, refuses where mangle is in use, and cleans up whatever happens.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import time
import warnings
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BIN = os.path.abspath(os.environ.get("MANGLE_CTL", REPO / "build" / "mangle-ctl"))
BPFFS = "/sys/fs/bpf"
PIN_DIR = BPFFS + "/mangle"
DEFAULT_CONFIG = "/etc/mangle/mangle.yaml"
LOCK_FILE = "/run/lock/mangle-tests.lock"
TIMEOUT = 60

# mangle-ctl: OBJECT: what was attempted: why (what to do), the last where something is known to help
ERROR_LINE = re.compile(r"mangle-ctl: (?P<object>.+?): (?P<what>.+?): (?P<why>.+?)( \((?P<todo>[^()]*(\([^()]*\)[^()]*)*)\))?")


class Result:
    """One finished run: status, out and err (text; bytes that are no UTF-8 are kept as surrogates)."""

    def __init__(self, argv, done):
        self.argv = argv
        self.status = done.returncode
        self.out = done.stdout.decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise AssertionError(f"no JSON ({e}): {self}") from None

    def json_lines(self):
        try:
            return [json.loads(line) for line in self.out.splitlines()]
        except ValueError as e:
            raise AssertionError(f"a line is no JSON ({e}): {self}") from None

    def __repr__(self):
        def short(text):
            return repr(text if len(text) < 1500 else text[:1500] + "...")

        argv = short(" ".join(os.fsdecode(a) for a in self.argv))
        return f"{argv} -> {self.status}, out {short(self.out)}, err {short(self.err)}"


def run(*args, stdin=b"", timeout=TIMEOUT, prefix=(), **popen):
    """Runs the tool; never raises for its exit status."""
    if isinstance(stdin, str):
        stdin = stdin.encode("utf-8", "surrogateescape")
    argv = [*prefix, BIN, *(a if isinstance(a, bytes) else str(a) for a in args)]
    done = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout, check=False, **popen)
    return Result(argv[len(prefix):], done)


def ok(*args, **kw):
    """Runs the tool and wants exit status 0."""
    r = run(*args, **kw)
    assert r.status == 0, r
    return r


def js(*args, **kw):
    """Runs a reading verb with -j."""
    return ok("-j", *args, **kw).json()


def change(*args, **kw):
    """Runs a changing verb with -j; its answer must have every promised key, of the right type."""
    answer = ok("-j", *args, **kw).json()
    assert isinstance(answer["changed"], bool), answer
    for key in ("added", "removed", "updated", "generation"):
        assert type(answer[key]) is int and answer[key] >= 0, answer
    return answer


def generation():
    return js("status")["generation"]


def bpftool(*args, check=True):
    """What it prints, as JSON; also where PATH does not have it."""
    path = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    return subprocess.run(["bpftool", "-j", *args], check=check, stdout=subprocess.PIPE, timeout=TIMEOUT, env=path)


def of_another_build():
    """What is attached is recorded as of another build, whose programs an upgrade is to replace."""
    pin = PIN_DIR + "/ifaces"
    for row in json.loads(bpftool("map", "dump", "pinned", pin).stdout):
        value = row["value"][:-8] + ["0x01"] * 8  # mangle_iface.build is its last field
        bpftool("map", "update", "pinned", pin, "key", *row["key"], "value", *value)


def snapshot():
    """All that a refused command must leave alone."""
    saved = run("save")
    status = run("-j", "status")
    known = status.json() if status.status == 0 else {}
    pins = sorted(os.listdir(PIN_DIR)) if os.path.isdir(PIN_DIR) else None
    return saved.status, saved.out, known.get("generation"), known.get("interfaces"), pins


def check_error_line(r, pattern=None, stdout_empty=True):
    """One line on standard error, of the promised form, and nothing on standard output."""
    assert r.err.endswith("\n") and r.err.count("\n") == 1, f"not one line on stderr: {r}"
    line = r.err[:-1]
    assert all(c == "\t" or ord(c) >= 0x20 for c in line), f"control character in the line: {r}"
    parts = ERROR_LINE.fullmatch(line)
    assert parts, f"not 'mangle-ctl: OBJECT: what: why (what to do)': {r}"
    in_file = re.search(r":\d+$", parts["object"])
    assert parts["todo"] or r.status != 2 and (not in_file or parts["what"] == "entities-file"), f"no way out: {r}"
    assert not (in_file and "--help" in line), f"help is not about files: {r}"
    if pattern is not None:
        assert re.search(pattern, line, re.I), f"the line lacks /{pattern}/: {r}"
    if stdout_empty:
        assert r.out == "", f"an error wrote to stdout: {r}"
    return line


def assert_error(argv, status, pattern=None, unchanged=True, stdout_empty=True, **kw):
    """The command is refused with this exit status (one, or several that will do) and one line that
    has `pattern` (a regular expression, any case), and changes nothing. Returns the line."""
    before = snapshot() if unchanged else None
    r = run(*argv, **kw)
    assert r.status in (status if isinstance(status, tuple) else (status,)), f"wanted {status}: {r}"
    line = check_error_line(r, pattern, stdout_empty)
    if unchanged:
        assert snapshot() == before, f"a refused command changed something: {r}"
    return line


# --- the machine -------------------------------------------------------------------------------

class Busy(Exception):
    """mangle is in use here, and not by these tests."""


def bpffs_mounted():
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return any(m.split()[1:3] == [BPFFS, "bpf"] for m in mounts)


def pins():
    """Every path under the pin directory, none where it is absent."""
    return sorted(str(p) for p in Path(PIN_DIR).rglob("*")) if os.path.isdir(PIN_DIR) else []


def pinned_maps():
    """What bpftool shows of every map that is pinned there; of other pins, as links, it shows none."""
    shown = [bpftool("map", "show", "pinned", pin, check=False) for pin in pins()]
    return [json.loads(s.stdout) for s in shown if s.returncode == 0]


def somebodys_pins():
    """What is pinned anywhere on bpffs, but for the two files of the kernel's own."""
    return [str(p) for p in Path(BPFFS).rglob("*") if not p.is_dir() and p.suffix != ".debug"]


def purge():
    """Nothing attached, nothing loaded. By force where the tool fails."""
    if not os.path.isdir(PIN_DIR):
        return
    r = run("detach", "--all", "--purge", "--force")
    if r.status or pins():
        shutil.rmtree(PIN_DIR, ignore_errors=True)
    if os.path.isdir(PIN_DIR):
        with contextlib.suppress(OSError):
            os.rmdir(PIN_DIR)
    if r.status:
        warnings.warn(f"pins removed by force, the tool did not: {r}")


@contextlib.contextmanager
def exclusive(netns_prefix=None, wait=900):
    """The machine's pins are the caller's for the while. Raises Busy where somebody else uses
    mangle here. Afterwards everything is gone again: attachments, pins, namespaces whose names
    begin with `netns_prefix`, and the mount of bpffs if there was none before (the value is whether
    there was)."""
    os.makedirs(os.path.dirname(LOCK_FILE), exist_ok=True)  # a bare system has none
    with open(LOCK_FILE, "w", encoding="utf-8") as lock:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(f"another test run holds {LOCK_FILE}") from None
                time.sleep(0.5)
        mounted = bpffs_mounted()
        if os.path.isdir(PIN_DIR):
            r = run("-j", "status")
            if r.status:
                raise Busy(f"{PIN_DIR} exists, and its status cannot be read: {r}")
            if any(i["state"] == "attached" for i in r.json()["interfaces"]):
                raise Busy(f"mangle is attached here: {r.out.strip()}")
            purge()
        if netns_prefix:
            remove_netns(netns_prefix)
        try:
            yield mounted
        finally:
            purge()
            if netns_prefix:
                remove_netns(netns_prefix)
            if not mounted and bpffs_mounted() and not somebodys_pins():
                subprocess.run(["umount", BPFFS], check=False)


# --- network namespaces --------------------------------------------------------------------------

def ip(*args, check=True):
    return subprocess.run(["ip", *args], check=check, stdout=subprocess.PIPE,
                          stderr=None if check else subprocess.DEVNULL, timeout=TIMEOUT).stdout


def remove_dead_netns(kind):
    """Those of test sessions that were killed; their names begin with mgl, the kind, and the session's process."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else ():
        owner = re.fullmatch(rf"(mgl{kind}-(\d+)-).*", name)
        if owner and not os.path.exists(f"/proc/{owner[2]}"):
            remove_netns(owner[1])


def remove_netns(prefix):
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        if name.startswith(prefix):
            ip("netns", "del", name, check=False)
