"""What lies at tc's hooks, tcx links, which the tools of older systems cannot list, and filters; and
which objects of BPF there are at all."""

import contextlib
import ctypes
import errno
import json
import os
import platform
import socket
import struct
import subprocess

MAP_LOOKUP, MAP_UPDATE, PROG_LOAD, OBJ_PIN, OBJ_GET, LINK_CREATE, PROG_QUERY = 1, 2, 5, 6, 7, 28, 16
NEXT_ID = {"program": 11, "map": 12, "BTF": 23, "link": 31}
SCHED_CLS, XDP = 3, 6
HOOKS = {"ingress": 46, "egress": 47, "xdp": 37}
SYSCALL = {"x86_64": 321, "aarch64": 280}
RETURN_NEXT = struct.pack("<BBhiBBhi", 0xb7, 0, 0, -1, 0x95, 0, 0, 0)  # r0 = TC_ACT_UNSPEC, exit

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attr):
    buffer = ctypes.create_string_buffer(attr, max(len(attr), 128))
    got = _libc.syscall(SYSCALL[platform.machine()], command, buffer, len(buffer))
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got, buffer.raw


def have_tcx():
    """Whether the kernel has tcx."""
    fd = load()
    try:
        link(fd, 0xffffffff, "ingress")
    except OSError as e:
        return e.errno == errno.ENODEV  # it looked for the interface
    finally:
        os.close(fd)
    return True


def load(hook="ingress"):
    """A program that leaves every packet to the next one (and drops them all in XDP): a file descriptor."""
    kind = XDP if hook == "xdp" else SCHED_CLS
    code, text = ctypes.create_string_buffer(RETURN_NEXT), ctypes.create_string_buffer(b"GPL")
    return _bpf(PROG_LOAD, struct.pack("<IIQQ", kind, 2, ctypes.addressof(code), ctypes.addressof(text)))[0]


def link(program, ifindex, hook):
    """Attaches the program by a link, after those that are there: a file descriptor."""
    return _bpf(LINK_CREATE, struct.pack("<IIII", program, ifindex, HOOKS[hook], 0))[0]


def pin(fd, path):
    name = ctypes.create_string_buffer(os.fsencode(path))
    _bpf(OBJ_PIN, struct.pack("<QII", ctypes.addressof(name), fd, 0))


def pinned(path):
    """What is pinned there: a file descriptor."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    return _bpf(OBJ_GET, struct.pack("<QII", ctypes.addressof(name), 0, 0))[0]


def value_of(array, size):
    """What the first place of a pinned array holds."""
    key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(size)
    _bpf(MAP_LOOKUP, struct.pack("<IIQQQ", array, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
    return value.raw


def set_value(array, new):
    key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(new, len(new))
    _bpf(MAP_UPDATE, struct.pack("<IIQQQ", array, 0, ctypes.addressof(key), ctypes.addressof(value), 0))


def prog_id(fd):
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("prog_id"))


@contextlib.contextmanager
def foreign(ns, dev, hook, count=1):
    """Somebody else's programs, as many as there is room for where count is None: their ids, in
    their order."""
    fds, ids = [], []
    try:
        with ns.enter():
            while count is None or len(ids) < count:
                fds.append(load(hook))
                try:
                    fds.append(link(fds[-1], socket.if_nametoindex(dev), hook))
                except OSError as e:
                    if count is None and e.errno == errno.ERANGE:
                        break
                    raise
                ids.append(prog_id(fds[-2]))
        yield ids
    finally:
        for fd in fds:
            os.close(fd)


def tcx(ns, dev, hook):
    """Ids of the programs at the hook, in the order in which they run."""
    ids = (ctypes.c_uint32 * 128)()
    with ns.enter():
        attr = struct.pack("<IIIIQII", socket.if_nametoindex(dev), HOOKS[hook], 0, 0, ctypes.addressof(ids),
                           len(ids), 0)
        _, answer = _bpf(PROG_QUERY, attr)
    return list(ids[:struct.unpack_from("<I", answer, 24)[0]])


def tool(ns, *args):
    """tc in the namespace, with the mounts of this process."""
    return subprocess.run(["nsenter", f"--net=/run/netns/{ns.name}", "tc", *args], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=60).stdout


def filters(ns, dev, hook):
    """(priority, kind, program's id or None), in the order in which they run."""
    return [(f["pref"], f["kind"], f["options"].get("prog", {}).get("id"))
            for f in json.loads(tool(ns, "-j", "filter", "show", "dev", dev, hook))
            if "handle" in f.get("options", {}) or "fh" in f.get("options", {})]


def qdiscs(ns, dev):
    return [q["kind"] for q in json.loads(tool(ns, "-j", "qdisc", "show", "dev", dev))]


def name(program):
    """Its name; None where it has just gone."""
    done = subprocess.run(["bpftool", "-j", "prog", "show", "id", str(program)], check=False,
                          stdout=subprocess.PIPE, text=True, timeout=60)
    return json.loads(done.stdout).get("name") if done.returncode == 0 else None


def objects():
    """(kind, id) of all that the kernel has of BPF, whoever made it."""
    found = set()
    for kind, command in NEXT_ID.items():
        at = 0
        while True:
            try:
                at = struct.unpack_from("<I", _bpf(command, struct.pack("<II", at, 0))[1], 4)[0]
            except FileNotFoundError:
                break
            found.add((kind, at))
    return found
