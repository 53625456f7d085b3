# SPDX-License-Identifier: GPL-2.0-only
"""The laboratory of the sections in Python: two namespaces, wires between them, mangle-ctl; and the frame
of such a section's program. What lab.c is to the sections in C."""

import json
import os
import signal
import struct
import subprocess
import sys

import rows
from rows import Complaint

TX, RX = "mglb-tx", "mglb-rx"
PINS = "/sys/fs/bpf/mangle"
SHARED_PORT, FIRST_PORT = 5000, 10000
BUILD = os.environ.get("BUILD", "build")
CTL = os.environ.get("MANGLE_CTL", os.path.join(BUILD, "mangle-ctl"))
# The client's, the server's: station.c's.
CPUS = (max(os.sysconf("SC_NPROCESSORS_ONLN") - 2, 0), os.sysconf("SC_NPROCESSORS_ONLN") - 1)
FILES = os.path.join(BUILD, "bench")  # what is built for the benchmark, and what it writes


def run(*argv, stdin=None):
    """A program's standard output."""
    try:
        done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True,
                              check=False)
    except OSError as e:
        raise Complaint(f"{argv[0]}: run: {e.strerror}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise Complaint(f"{' '.join(map(str, argv))}: exit status {done.returncode}: {said}")
    return done.stdout


def tag(i):
    """Entity I's tag as text: frame.h's frame_tag()."""
    i ^= i >> 16
    i = i * 0x85ebca6b & 0xffffffff
    i ^= i >> 13
    i = i * 0xc2b2ae35 & 0xffffffff
    return "0x" + struct.pack("<I", i ^ i >> 16).hex()


def write_table(name, entities, port):
    """A table file: entities, all with one target. Its path."""
    path = os.path.join(FILES, name)
    with open(path, "w", encoding="ascii") as f:
        for i in range(entities):
            f.write(f"{tag(i)} {port}\n")
    return path


def refuse():
    """Stops what would disturb or be disturbed: mangle in use, another benchmark."""
    if os.geteuid():
        raise Complaint("needs root")
    if os.path.exists(PINS):
        raise Complaint(f"mangle is loaded here ({PINS}): it would lose its tables (detach --all --purge)")
    if any(name.startswith("mglb-") for name in netns_names()):
        raise Complaint("namespaces mglb-… exist: another run, or what one left (ip netns del)")


def netns_names():
    return os.listdir("/run/netns") if os.path.isdir("/run/netns") else []


class Lab:
    """Removes all that it has made, and what mangle has loaded, whatever happens."""

    def __init__(self):
        self.wires = 0
        self.bpffs_was_mounted = self.bpffs_is_mounted()

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
        try:
            for ns in (TX, RX):
                run("ip", "netns", "add", ns)
                run("ip", "-n", ns, "link", "set", "lo", "up")
                # Nothing but the benchmark's packets shall be on the wires.
                run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                    "net.ipv6.conf.default.disable_ipv6=1")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for argv in ([CTL, "--quiet", "detach", "--all", "--purge", "--force"],
                     *(["ip", "netns", "del", ns] for ns in (TX, RX))):
            subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        # mangle mounts it, libxdp leaves an empty directory; what else is there is somebody's.
        if not self.bpffs_was_mounted and self.bpffs_is_mounted():
            subprocess.run("rmdir /sys/fs/bpf/xdp 2>/dev/null; "
                           "test -n \"$(ls -A /sys/fs/bpf)\" || umount /sys/fs/bpf", shell=True, check=False)

    @staticmethod
    def bpffs_is_mounted():
        with open("/proc/self/mounts", encoding="utf-8") as f:
            return any(line.split()[1:3] == ["/sys/fs/bpf", "bpf"] for line in f)

    def wire(self, name, gro=False, offloads=False, addresses=1):
        """A veth pair, of one name at both ends. The first of its receiving end's addresses."""
        self.wires += 1
        net = f"10.77.{self.wires}"
        run("ip", "-n", TX, "link", "add", name, "address", "02:00:00:00:00:01", "type", "veth",
            "peer", "name", name, "address", "02:00:00:00:00:02", "netns", RX)
        ends = ((TX, [1], 1), (RX, range(2, 2 + addresses), 2))
        for (ns, own, _), (_, others, mac) in (ends, ends[::-1]):
            if not offloads:  # what comes from a cable has a whole checksum
                run("ip", "netns", "exec", ns, "ethtool", "-K", name, "tx", "off")
            run("ip", "-n", ns, "link", "set", name, "up")
            # Nobody asks for addresses meanwhile.
            run("ip", "-n", ns, "-batch", "-", stdin="".join(
                [f"address add {net}.{a}/24 dev {name}\n" for a in own] +
                [f"neigh replace {net}.{a} lladdr 02:00:00:00:00:0{mac} dev {name} nud permanent\n"
                 for a in others]))
        if gro:
            run("ip", "netns", "exec", RX, "ethtool", "-K", name, "gro", "on")
        return f"{net}.2"

    @staticmethod
    def steer(name):
        """Makes a wire more like a cable between two machines: a full queue holds the sender back instead of losing
        frames (Linux 6.16); what comes in at an end is merged where veth can, and handled by that end's CPU, in its
        order."""
        for ns, cpu in zip((TX, RX), CPUS):
            mask = f"{1 << cpu % 32:x}" + cpu // 32 * ",00000000"
            run("tc", "-n", ns, "qdisc", "replace", "dev", name, "root", "pfifo")
            run("ip", "netns", "exec", ns, "ethtool", "-K", name, "gro", "on")
            run("ip", "netns", "exec", ns, "sh", "-c", f"echo {mask} > /sys/class/net/{name}/queues/rx-0/rps_cpus")

    @staticmethod
    def noop(name, mode="native"):
        """Attaches the program that does nothing to a wire's receiving end."""
        hook, section = {"native": ("xdpdrv", "xdp.frags"), "generic": ("xdpgeneric", "xdp")}[mode]  # mangle's
        run("ip", "-n", RX, "link", "set", name, hook, "object", os.path.join(FILES, "noop.bpf.o"), "section",
            section)

    @staticmethod
    def ctl(*args, stdin=None):
        return run(CTL, "--quiet", *args, stdin=stdin)

    def attach(self, name, mode="native", protocol="udp"):
        """Attaches mangle to a wire's receiving end: one service, port 5000, tag 0:4."""
        path = os.path.join(FILES, "lab.yaml")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"version: 1\nservices:\n  - name: plain\n    protocol: {protocol}\n"
                    f"    ports: [{SHARED_PORT}]\n    tag: {{ offset: 0, length: 4 }}\n"
                    "    size: { min: 16, max: 1400 }\n    invalid: drop\n    unknown: drop\n")
        config = [] if os.path.exists(PINS) else ["--config", path]
        self.ctl("-n", RX, "attach", name, "--mode", mode, *config)

    def packets(self):
        """Packets by verdict, and `seen`."""
        return json.loads(run(CTL, "-j", "stats"))["packets"]

    def reasons(self):
        """Packets by reason."""
        return {name: one["packets"] for name, one in json.loads(run(CTL, "-j", "stats"))["reasons"].items()}


def main(section, measure):
    """The program of a section: SECTION --rows FILE. `measure(lab)` yields rows. The exit status."""
    if len(sys.argv) != 3 or sys.argv[1] != "--rows":
        print(f"usage: bench/{section} --rows FILE", file=sys.stderr)
        return 2
    try:
        refuse()
        with open(sys.argv[2], "w", encoding="utf-8") as f, Lab() as lab:
            for one in measure(lab):
                f.write(json.dumps(one) + "\n")
                f.flush()
                print(f"{one['what']:<64} {rows.number(one['value']):>9} {one['unit']:<6} "
                      f"{rows.number(one['low'])} to {rows.number(one['high'])}  "
                      f"{one['rounds']}/{one['tried']}  {rows.bar(one)}  {one['verdict']}", flush=True)
    except Complaint as e:
        print(f"bench: {section}: {e}", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"bench: {section}: {e.filename}: {e.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
