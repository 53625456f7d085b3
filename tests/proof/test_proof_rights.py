"""Least privilege: what the manual's table of capabilities says is enough, and all of it is needed.

The sets are read from mangle-ctl(8). Commands run as root with a capability bounding set, as a unit
or a container would have it, and as a user who has none."""

import os
import re
import shutil
import tempfile
from itertools import combinations
from pathlib import Path

import pytest
from mangletest import ctl, netns, proof, tc

MANUAL = ctl.REPO / "deploy" / "mangle-ctl.8"
UNIT = ctl.REPO / "deploy" / "mangle@.service"
CAPS = ("BPF", "NET_ADMIN", "PERFMON", "SYS_ADMIN")
ROW = re.compile(r"^\.It (.*?) Ta (.*?) ?Ta (.*?) ?Ta (.*?) ?Ta ?(.*)$", re.M)
SECTION = MANUAL.read_text(encoding="utf-8").split(".Ss Permissions\n")[1].split(".Ss")[0]
TABLE = {m[1]: {c for c, cell in zip(CAPS, m.groups()[1:]) if cell == "yes"}
         for m in ROW.finditer(SECTION) if m[2] != CAPS[0]}

KINDS = {"udp": "protocol: udp", "reply": "protocol: udp\n    reply: true", "tcp": "protocol: tcp",
         "segment": "protocol: tcp\n    tcp: segment"}
# row of the table, what is loaded before ("": nothing, which attaches nothing either), command line
CASES = [
    ("attach, explain", "", "attach v0 --config @udp"),
    ("attach, explain", "", "attach v0 --config @udp --mode generic"),
    ("attach, explain", "", "attach v0 --config @reply"),
    ("attach, explain", "", "attach v0 --config @segment"),
    ("attach, explain", "", "attach v0 --config @tcp"),
    ("attach, explain", "udp", "explain --hex " + "00" * 60),
    ("first TCP or reply", "udp", "service set s --reply on"),
    ("first TCP or reply", "udp", "service set s --proto tcp"),
    ("first TCP or reply", "udp", "service add t --proto tcp --port 9 --tag 0:4 --size 4:99"),
    ("first TCP or reply", "udp", "apply @tcp"),
    ("upgrade", "udp", "upgrade"),
    ("upgrade", "tcp", "upgrade"),
    ("map, service, apply", "", "apply @udp"),
    ("map, service, apply", "udp", "apply @segment"),
    ("map, service, apply", "reply", "apply @udp"),
    ("map, service, apply", "udp", "service add other --proto udp --port 9 --tag 0:4 --size 4:99"),
    ("map, service, apply", "tcp", "service set s --size 4:99"),
    ("map, service, apply", "reply", "service set s --reply off"),
    ("map, service, apply", "tcp", "service del s"),
    ("map, service, apply", "udp", "map set EFGH 6002"),
    ("map, service, apply", "tcp", "map set EFGH 6002"),
    ("map, service, apply", "tcp", "map del ABCD"),
    ("map, service, apply", "udp", "map flush"),
    ("map, service, apply", "udp", "map load @rows"),
    ("map, service, apply", "udp", "map replace @rows"),
    ("map list, map get", "udp", "map list"),
    ("map list, map get", "udp", "map get ABCD"),
    ("status, stats, save", "tcp", "status"),
    ("status, stats, save", "tcp", "stats"),
    ("status, stats, save", "tcp", "save"),
    ("map save, service list", "udp", "map save"),
    ("map save, service list", "udp", "service list"),
    ("detach", "udp", "detach v0"),
    ("detach", "tcp", "detach v0"),
    ("detach", "tcp", "detach --all --purge"),
    ("--netns", "udp", "-n @ns status v0"),
    ("--netns", "", "-n @ns attach v0 --config @tcp"),
]
READING = ("map list, map get", "status, stats, save", "map save, service list")


class Place:
    """A namespace with v0, and what @words of command lines stand for."""

    def __init__(self, lab, tmp_path):
        self.ns = lab.ns("a")
        lab.veth(self.ns, "v0", lab.ns("b"), "v1")
        files = {"rows": "EFGH 6002\n"}
        for name, kind in KINDS.items():
            files[name] = (f"version: 1\nservices:\n  - name: s\n    {kind}\n    ports: [5000]\n"
                           "    tag: { offset: 0, length: 4 }\n    size: { min: 4, max: 1400 }\n"
                           "    entities:\n      - { tag: ABCD, target: 6001 }\n")
        self.words = {"@ns": self.ns.name}
        for name, text in files.items():
            self.words["@" + name] = tmp_path / name
            (tmp_path / name).write_text(text, encoding="utf-8")

    def argv(self, line):
        return [self.words[word] if word.startswith("@") else word for word in line.split()]

    def load(self, kind):
        """Attached with this service, or nothing at all."""
        ctl.purge()
        if kind:
            ctl.ok("-n", self.ns.name, "attach", "v0", "--config", self.words["@" + kind])

    def setpriv(self, *how):
        """The prefix of a command in the namespace of v0."""
        return ("nsenter", f"--net=/run/netns/{self.ns.name}", "setpriv", *how)

    def run(self, caps, *argv):
        """As root that has these capabilities."""
        return ctl.run(*argv, prefix=self.setpriv("--bounding-set=-all" + "".join(f",+{c.lower()}" for c in caps)))

    def state(self):
        return (ctl.snapshot(), netns.xdp_on(self.ns, "v0"),
                [tc.tcx(self.ns, "v0", hook) for hook in ("ingress", "egress")] if tc.have_tcx() else None)


@pytest.fixture
def place(lab, clean, tmp_path):  # pylint: disable=unused-argument
    made = Place(lab, tmp_path)
    made.load("udp")  # bpffs is mounted, which has a row of its own
    ctl.purge()
    return made


def refused_sets(needed):
    """One of the set missing; in the long form every other set that does not have it all."""
    if "SYS_ADMIN" in needed:  # which stands for others
        return [needed - {"SYS_ADMIN"}]
    if not proof.LONG:
        return [needed - {c} for c in needed]
    return [set(s) for n in range(3) for s in combinations(CAPS[:3], n) if not needed <= set(s)]


def test_every_verb(place):
    assert {row for row, _, _ in CASES} == TABLE.keys() - {"by dispatcher", "mounting bpffs", "guards elsewhere"}
    refused = worked = 0
    loaded = None
    for row, kind, line in CASES:
        needed = TABLE[row]
        if "-n" in line and "attach" in line:
            needed = needed | TABLE["attach, explain"]
        if kind != loaded:
            place.load(kind)
            before = place.state()
        for caps in refused_sets(needed):
            if "map del" in line:
                break  # of one row, in place, it asks for less
            r = place.run(caps, *place.argv(line))
            assert r.status == 1, (line, caps, r)
            said = ctl.check_error_line(r, r"CAP_\w+ (is|are) missing \(see doctor\)")
            named = set(re.findall(r"CAP_(\w+)", said))
            assert named and named <= needed - caps and (len(needed - caps) > 1 or named == needed - caps), (caps, said)
            refused += 1
        assert place.state() == before, (line, "refused, and changed something")
        r = place.run(needed, *place.argv(line))
        assert r.status == 0 and "CAP_" not in r.err, (line, needed, r)
        worked += 1
        loaded = kind if row in READING or "explain" in line else None
    proof.figure("least privilege: every verb with the capabilities of the manual's table, refused without",
                 f"{worked} command lines worked with exactly those, {refused} were refused with one line that "
                 "names what is missing, and changed nothing")


def test_guards_elsewhere(place):
    """A service that takes a TCP port, from outside of the namespace that v0 is in."""
    place.load("udp")
    before = place.state()
    line = place.argv("service add t --proto tcp --tcp segment --port 9 --tag 0:4 --size 4:99")
    outside = [word for word in place.setpriv() if not word.startswith(("nsenter", "--net"))]
    for caps, done in ({"bpf"}, False), ({"bpf", *map(str.lower, TABLE["guards elsewhere"])}, True):
        prefix = [*outside, "--bounding-set=-all" + "".join(f",+{c}" for c in sorted(caps))]
        r = ctl.run(*line, prefix=prefix)
        assert r.status == (0 if done else 1), r
        if not done:
            ctl.check_error_line(r, "v0: .*cannot tell whether .*CAP_SYS_ADMIN is missing .*--force")
            assert place.state() == before
            ctl.ok(*line, "--force", prefix=prefix)
            ctl.ok("service", "del", "t")


def test_doctor_says_what_is_missing_for_what(place):
    place.load("udp")
    for missing in ([c] for c in CAPS[:3]):
        r = place.run(set(CAPS[:3]) - set(missing), "-j", "doctor")
        assert r.status == 1, r
        bad = [c["text"] for c in r.json()["checks"] if c["state"] == "bad"]
        assert bad and all(f"CAP_{missing[0]} is missing" in text for text in bad), bad
        assert any("programs cannot be loaded" in text for text in bad), bad
        assert any("tables cannot be changed" in text for text in bad) == (missing == ["BPF"]), bad
    r = place.run(set(CAPS[:3]), "-j", "doctor")
    assert r.status == 0, r
    for name in ("permissions", "dispatcher"):
        assert any(c["name"] == name and c["state"] == "warn" and "CAP_SYS_ADMIN is missing" in c["text"]
                   for c in r.json()["checks"]), r
    r = place.run(set(CAPS), "-j", "doctor")
    assert not [c for c in r.json()["checks"] if c["name"] == "permissions" and c["state"] != "ok"], r


def test_the_unit_has_them(place):
    caps = re.search(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(encoding="utf-8"), re.M)[1]
    caps = {c.removeprefix("CAP_") for c in caps.split()}
    assert TABLE["by dispatcher"] == set(CAPS), "the dispatcher's are all"
    assert caps == {*CAPS, "SYS_PTRACE"}, "the last one finds namespaces without a name: see Guards elsewhere"
    place.load("")
    for line in ("attach v0 --config @tcp", "apply @reply", "apply @tcp", "detach --force v0"):
        r = place.run(caps, *place.argv(line))
        assert r.status == 0, r


@pytest.fixture
def public(monkeypatch, place):
    """The tool and the files are where everybody may read them."""
    folder = tempfile.mkdtemp(prefix="mangle-rights-")
    os.chmod(folder, 0o755)
    monkeypatch.setattr(ctl, "BIN", shutil.copy(ctl.BIN, folder))
    for word, path in place.words.items():
        if isinstance(path, Path):
            place.words[word] = shutil.copy(path, folder)
    yield
    shutil.rmtree(folder)


def test_anyone_else(place, public):  # pylint: disable=unused-argument
    """A user without capabilities, and one who has all of the table's and may read and write everything."""
    nobody = place.setpriv("--reuid=65534", "--regid=65534", "--clear-groups")
    caps = "+bpf,+net_admin,+perfmon,+sys_admin,+dac_override"
    almost_root = (*nobody, f"--inh-caps={caps}", f"--ambient-caps={caps}")
    refused = 0
    for kind in ("tcp", ""):
        place.load(kind)
        before = place.state()
        for who in (nobody, almost_root):
            for row, _, line in CASES:
                shows = row in READING or re.search("status|explain", line)
                if shows and who is almost_root or not kind and not re.search("attach|apply|service add", line):
                    continue  # who may read everything may read this; of nothing everybody is told
                r = ctl.run(*place.argv(line), prefix=who)
                assert r.status == 1, r
                ctl.check_error_line(r, "root is needed|CAP_")
                refused += 1
            assert place.state() == before, (kind, who)
    proof.figure("anyone but root is refused with one line",
                 f"{refused} command lines, as a user without capabilities and as one who has all of these; "
                 "nothing changed")
