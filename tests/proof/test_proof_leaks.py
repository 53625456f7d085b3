"""Nothing left behind: no BPF object, pin, file descriptor or memory, after cycles of all that the tool
does, and valgrind finds nothing in any verb."""

import re
from pathlib import Path

import pytest
from mangletest import ctl, netns, proof, tc

KINDS = {"udp": "protocol: udp", "reply": "protocol: udp\n    reply: true", "tcp": "protocol: tcp"}
FRAME = "02" * 12 + "0800" + "45" + "00" * 40
VALGRIND = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible", "--track-fds=yes",
            "--error-exitcode=99", "--num-callers=20", f"--suppressions={Path(__file__).with_name('valgrind.supp')}"]
ROUNDS = proof.size(12, 500)


class Place:
    """A namespace with v0, and configuration files: KIND (one entity) and KIND2 (another)."""

    def __init__(self, lab, tmp_path):
        self.ns, self.tmp = lab.ns("a"), tmp_path
        lab.veth(self.ns, "v0", lab.ns("b"), "v1")
        for kind, settings in KINDS.items():
            for name, target in ((kind, 6001), (kind + "2", 6002)):
                self.file(name, f"version: 1\nservices:\n  - name: s\n    {settings}\n    ports: [5000]\n"
                                "    tag: { offset: 0, length: 4 }\n    size: { min: 4, max: 1400 }\n"
                                f"    entities:\n      - {{ tag: ABCD, target: {target} }}\n")
        self.file("rows", "EFGH 6003\nIJKL 6004 10:20\n")
        self.file("rows2", "EFGH 6103\nIJKL 6104 10:20\n")
        self.file("bad", "version: 1\nservices:\n  - name: [\n")

    def file(self, name, text):
        (self.tmp / name).write_text(text, encoding="utf-8")

    def argv(self, line):
        """@NAME is a file."""
        return ["-n", self.ns.name, *(self.tmp / w[1:] if w[0] == "@" else w for w in line.split())]

    def run(self, line, **kw):
        return ctl.run(*self.argv(line), **kw)

    def ok(self, line):
        return ctl.ok(*self.argv(line))

    def machine(self):
        """What the machine looks like, by what mangle could have changed. libxdp leaves its folder."""
        pins = sorted(str(p) for p in Path(ctl.BPFFS).rglob("*") if not str(p).startswith(ctl.BPFFS + "/xdp"))
        links = netns.command("ip", "-n", self.ns.name, "-details", "link", "show").stdout
        with open("/proc/self/mounts", encoding="utf-8") as f:
            mounts = sorted(line for line in f if "bpf" in line)
        return pins, links, tc.qdiscs(self.ns, "v0"), mounts


@pytest.fixture
def place(lab, clean, tmp_path):  # pylint: disable=unused-argument
    return Place(lab, tmp_path)


def kernel_memory():
    """Bytes that the kernel holds for itself."""
    with open("/proc/meminfo", encoding="ascii") as f:
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in f}
    return sum(sizes[k] for k in ("SUnreclaim", "KernelStack", "VmallocUsed", "Percpu")) * 1024


def cycle(place, number):
    """All that an interface goes through, with another kind of service and mode from time to time."""
    kind = "udp" if number % 3 else ("tcp", "reply")[number // 3 % 2]
    if kind == "tcp" and not can_connect():
        kind = "reply"
    mode = "generic" if number % 4 == 3 else "native"
    place.ok(f"attach v0 --mode {mode} --config @{kind}")
    place.ok(f"apply @{kind}2")
    place.ok("map set EFGH 6003")
    if number % 3 == 1:  # the tc programs come, and go
        place.ok("apply @reply")
        place.ok("apply @udp")
    if number % 2:
        place.ok("upgrade")
    if number % 4 == 1:  # refused half way
        assert place.run("attach v0 --mode generic").status == 1
        assert place.run("apply @bad").status == 1
    if number % 3:
        place.ok("detach v0")
    place.ok("detach --all --purge")


def can_connect():
    return any(c["name"] == "TCP connection mode" and c["state"] == "ok" for c in ctl.js("doctor")["checks"])


def test_cycles(place):
    cycle(place, 0)  # on a machine that was never used bpffs is mounted, and libxdp makes its folder
    machine, before = place.machine(), tc.objects()
    windows = []
    for number in range(ROUNDS):
        cycle(place, number)
        if number * 5 // ROUNDS == len(windows):
            windows.append(kernel_memory())
        windows[-1] = min(windows[-1], kernel_memory())
    left = set()

    def gone():
        nonlocal left
        left = tc.objects() - before if not left else left & tc.objects()
        return not left

    # Freed by the kernel a moment later; what others on the machine have made goes too.
    assert netns.wait_for(gone, timeout=60, step=0.2), sorted(left)
    assert place.machine() == machine
    rise = (windows[-1] - windows[0]) / ROUNDS
    growing = all(a < b for a, b in zip(windows, windows[1:]))
    if proof.LONG:
        # A table or program that stays takes more than that in each cycle.
        assert not growing or rise < 4096, f"kernel memory by fifths of the cycles: {windows}"
    proof.figure(f"{ROUNDS} cycles of attach, apply, upgrade, detach leave nothing",
                 "0 programs, maps, links and BTF objects left; pins, mounts and interfaces as before; "
                 f"kernel memory by fifths: {', '.join(f'{w / 1e6:.1f}' for w in windows)} MB")


# --- valgrind -------------------------------------------------------------------------------------

# (exit status, command line), in an order in which each finds what it needs
SHORT = [
    (0, "attach v0 --config @tcp"), (0, "upgrade"), (0, "apply @udp2"), (0, "map load @rows"),
    (0, "map list --sort packets"), (0, "map save"), (0, "status"), (0, "stats"), (0, f"explain --hex {FRAME}"),
    (0, "service add t --proto udp --port 9 --tag 0:4 --size 4:99 --reply on --entities @rows2"),
    (0, "service list"), (0, "save"), (0, "doctor v0"), (0, "detach --all --purge"),
]
LONG = [
    (1, "detach nosuch0"), (1, "attach v0 --config @bad"), (1, "status nosuch0"), (3, "status v0"), (0, "doctor"),
    (1, "save"), (0, "attach v0 --mode generic --config @reply"), (1, "attach v0 --mode native"),
    (1, "attach v0 --config @udp"), (0, "attach v0"), (0, "apply @tcp2"), (0, "apply @tcp2"), (1, "apply @bad"),
    (0, "apply @udp --check"), (3, "apply @udp --check --exit-code"), (0, "-j apply @udp"),
    (0, "-j upgrade"),
    (0, "map set EFGH 6003 --size 4:90"), (0, "map set EFGH drop"), (0, "-j map get EFGH"), (1, "map get ZZZZ"),
    (1, "map set ZZ 6003"), (1, "map load @bad"), (0, "-j map load @rows --check"), (0, "-j map list"),
    (0, "map list --match A* --limit 1"), (0, "map del EFGH"), (1, "map del EFGH"), (0, "map replace @rows"),
    (0, "map flush"), (0, "-j status"), (0, "-j stats"),
    (0, f"-j explain --hex {FRAME}"), (1, "explain @bad"), (0, "service set s --reply on"),
    (1, "service set s --port 1,2"), (0, "service add t --proto tcp --port 9 --tag 0:4 --size 4:99 --saddr 10.0.0.0/8"),
    (0, "-j service list"), (0, "service set s --action observe"), (0, "service del t"), (0, "-j save"),
    (0, "-j doctor v0"), (2, "map"), (2, "frobnicate"), (0, "--help"), (0, "--version"),
    (0, "help map set"), (0, "version"), (2, "help nosuch"), (0, "detach v0"), (0, "attach v0"), (0, "-j detach --all --purge"),
]


def problems(log):
    """What valgrind found in a run: errors, leaks, file descriptors that are open at its end."""
    found = []
    if not re.search(r"ERROR SUMMARY: 0 errors", log):
        found.append("errors")
    for kind in ("definitely", "indirectly", "possibly"):
        if re.search(rf"{kind} lost: (?!0 bytes)", log):
            found.append(f"{kind} lost")
    found += [b.splitlines()[0] for b in re.split(r"==\d+== Open ", log)[1:] if "<inherited from parent>" not in b]
    return found


def test_valgrind(place):
    if netns.have("valgrind"):
        pytest.skip("valgrind is not installed")
    runs = SHORT + LONG if proof.LONG else SHORT
    verbs = re.findall(r"^  (\S+(?: \S+)?)  +\S", ctl.ok("--help").out.split("Options")[0], re.M)
    assert len(verbs) > 15
    unseen = [v for v in verbs if not any(re.search(rf"(^|-j ){v}( |$)", line) for _, line in SHORT + LONG)]
    assert not unseen, f"verbs that are not tried: {unseen}"
    bad = []
    for wanted, line in runs:
        log = place.tmp / "valgrind.log"
        r = place.run(line, prefix=[*VALGRIND, f"--log-file={log}"], timeout=300)
        text = log.read_text(encoding="utf-8", errors="replace")
        if r.status != wanted or problems(text):
            bad.append(f"{line}: {r} {problems(text)}\n{text}")
    assert not bad, "\n\n".join(bad)
    proof.figure("valgrind: no error, leak or open file descriptor in any verb",
                 f"{len(runs)} runs, {sum(1 for status, _ in runs if status)} of them of refused commands")
