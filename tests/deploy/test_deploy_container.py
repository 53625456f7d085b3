"""mangle in a container: the root is built, and run as deploy/container/README.md says. The command lines
are the README's own, with the places replaced that would touch this machine's.

A runtime works in mount and process namespaces of its own, with a /run and a store for images of its own:
what it leaves behind is gone with them. Network namespaces and bpffs are the machine's."""

import hashlib
import os
import re
import resource
import shlex
import shutil
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest
from mangletest import ctl, netns

HERE = ctl.REPO / "deploy" / "container"
README = (HERE / "README.md").read_text(encoding="utf-8")
MANUAL = (ctl.REPO / "deploy" / "mangle-ctl.8").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
CACHE = Path(os.environ.get("MANGLE_CONTAINER_CACHE", "/var/cache/mangle-container"))
MADE_OF = (HERE / "build", ctl.REPO / "tools" / "apt-sources", ctl.REPO / "tools" / "packages" / "run",
           Path("/etc/os-release"), Path(ctl.BIN))
STORE = "/var/lib/containers"  # podman has a cache there wherever its images are
CAPS = ("BPF", "NET_ADMIN", "PERFMON")
NS = "@ns"  # stands for the network namespace's name in what is made of the README
CONFIG = """version: 1
services:
  - name: feed
    protocol: udp
    ports: [5000]
    tag: { offset: 0, length: 4 }
    size: { min: 4, max: 1400 }
"""

# What a runtime finds: its own /run, where only network namespaces are the machine's; no cgroups of two
# versions, which crun does not take. The shell waits for whatever ends here, as an init does.
INSIDE = """
set -e
mount -t proc proc /proc
mkdir -p {tmp}/netns
mount --rbind /run/netns {tmp}/netns
mount -t tmpfs tmpfs /run
mkdir /run/netns
mount --rbind {tmp}/netns /run/netns
mount -t tmpfs tmpfs /dev/shm
mkdir -p {STORE}
mount -t tmpfs tmpfs {STORE}
! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified
set +e
cd {tmp}
{script}
exit $?
"""


def block(*words, kind="sh"):
    """The one block of the README that has all of these words."""
    found = [text for k, text in BLOCKS if k == kind and all(w in text for w in words)]
    assert len(found) == 1, (words, found)
    return found[0]


def replaced(text, places):
    for old, new in places.items():
        assert old in text, f"the README no longer has {old!r}"
        text = text.replace(old, new)
    return text


class Runtime:
    """`once` prepares, `command` is the README's mangle-ctl, which run() calls."""

    def __init__(self, tmp):
        self.tmp = tmp
        self.env = dict(os.environ)
        (tmp / "etc").mkdir()
        (tmp / "etc" / "mangle.yaml").write_text(CONFIG, encoding="utf-8")

    def shell(self, script, stdin=""):
        script = INSIDE.format(tmp=self.tmp, script=script, STORE=STORE)
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child", "bash", "-c", script],
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env, timeout=60,
            check=False)

    def prepare(self, script):
        done = self.shell("set -e\n" + script)
        assert done.returncode == 0, done
        return done

    def need(self, script):
        done = self.shell(script)
        if done.returncode:
            pytest.skip(f"{self.name} does not run here: {done.stderr.strip() or done.stdout.strip()}")

    def run(self, ns, *args, stdin="", but=()):
        """mangle-ctl in the container; `but` are further replacements in its command."""
        path = self.tmp / "mangle-ctl"
        path.write_text(replaced(self.command, dict(but)).replace(NS, ns.name), encoding="utf-8")
        path.chmod(0o755)
        return self.shell(shlex.join([str(path), *map(str, args)]), stdin)

    def ok(self, *args, **kw):
        done = self.run(*args, **kw)
        assert done.returncode == 0, done
        return done


class Podman(Runtime):
    name, programs = "podman", ("podman", "crun", "jq")

    def __init__(self, tmp, root):
        super().__init__(tmp)
        # Where a container and its image lie, and what is no privilege: limits, which may be tighter here
        # than podman likes, and no cgroups, which need an init that minds them.
        limits = {name: resource.getrlimit(number)[1] for name, number in
                  (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))}
        limits = ", ".join(f'"{n}={hard}:{hard}"' for n, hard in limits.items() if hard != resource.RLIM_INFINITY)
        (tmp / "containers.conf").write_text(
            f'[containers]\ncgroups = "disabled"\ndefault_ulimits = [{limits}]\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n', encoding="utf-8")
        (tmp / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp}/graph"\nrunroot = "/run/containers/storage"\n',
            encoding="utf-8")
        self.env.update(CONTAINERS_CONF=str(tmp / "containers.conf"), CONTAINERS_STORAGE_CONF=str(tmp / "storage.conf"))
        self.need("podman info")
        places = {"/etc/mangle/seccomp.json": f"{tmp}/etc/seccomp.json"}
        self.prepare(replaced(block("podman import"), places | {
            "mkdir -p /etc/mangle": ":", "mangle.tar": str(root)}))
        self.command = replaced(block("podman run"), places | {
            "--network=host": f"--network=ns:/run/netns/{NS}", "-v /etc/mangle:": f"-v {tmp}/etc:"})
        self.need("podman run --rm --network=host localhost/mangle --version")

    without_cap = staticmethod(lambda cap: {f" --cap-add={cap}": ""})
    without_bpffs = {"-v /sys/fs/bpf:/sys/fs/bpf ": ""}
    with_sys_admin = {"--cap-add=BPF": "--cap-add=SYS_ADMIN --cap-add=BPF"}

    def left(self):
        return self.prepare("podman ps --all --quiet").stdout


class Crun(Runtime):
    name, programs = "crun", ("crun", "jq")

    def __init__(self, tmp, root):
        super().__init__(tmp)
        self.need(f"mkdir {tmp}/spec && cd {tmp}/spec && crun spec")  # it looks at cgroups already
        self.prepare(replaced(block("crun spec"), {
            "/etc/mangle ": "", "/var/lib/mangle": f"{tmp}/bundle", "mangle.tar": str(root)}))
        self.command = replaced(block("crun run"), {
            "/var/lib/mangle": f"{tmp}/bundle", '"source": "/etc/mangle"': f'"source": "{tmp}/etc"',
            "exec crun": f"exec nsenter --net=/run/netns/{NS} crun"})
        self.need(f"cd {tmp}/bundle && jq '.process.terminal = false | .process.args = [\"/usr/sbin/mangle-ctl\", "
                  "\"--version\"]' config.json > probe.json && crun run --config probe.json probe")

    @staticmethod
    def without_cap(cap):
        have = ", ".join(f'"CAP_{c}"' for c in CAPS)
        return {f"[{have}]": "[" + ", ".join(f'"CAP_{c}"' for c in CAPS if c != cap) + "]"}

    without_bpffs = {'{"source": "/sys/fs/bpf", "destination": "/sys/fs/bpf", "options": ["rbind", "rw"]},': ""}
    with_sys_admin = {'"CAP_BPF"': '"CAP_SYS_ADMIN", "CAP_BPF"'}

    def left(self):
        return self.prepare("crun list --quiet").stdout


@pytest.fixture(scope="session")
def root():
    """The root as a tar file, made anew when what it is made of has changed."""
    if os.geteuid():
        pytest.skip("wants root")
    if netns.have("mmdebstrap"):
        pytest.skip("mmdebstrap is not installed")
    assert os.access(ctl.BIN, os.X_OK), f"not built: {ctl.BIN}"
    made_of = hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in MADE_OF)).hexdigest()
    path = CACHE / f"root-{made_of[:16]}.tar"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for old in CACHE.glob("root-*"):
            old.unlink()
        part = path.with_suffix(f".{os.getpid()}")
        subprocess.run([HERE / "build", part], check=True, timeout=600, env={**os.environ, "MANGLE_CTL": ctl.BIN})
        part.rename(path)
    return path


@pytest.fixture(scope="module", params=[Podman, Crun], ids=lambda kind: kind.name)
def runtime(request, machine, root, tmp_path_factory):  # pylint: disable=unused-argument
    missing = netns.have("unshare", *request.param.programs)
    if missing:
        pytest.skip(f"{missing} is not installed")
    os.makedirs("/run/netns", exist_ok=True)
    if not ctl.bpffs_mounted():  # as systemd does; whoever has the machine unmounts it
        netns.command("mount", "-t", "bpf", "bpf", ctl.BPFFS)
    tmp = tmp_path_factory.mktemp(request.param.name)
    had_store = os.path.isdir(STORE)
    try:
        yield request.param(tmp, root)
    finally:
        shutil.rmtree(tmp)
        if not had_store and os.path.isdir(STORE):
            os.rmdir(STORE)


class Place:
    """A namespace with v0, where mangle is to be, and one that sends to it."""

    def __init__(self, lab):
        self.lab, self.ns, self.peer = lab, lab.ns("a"), lab.ns("b")
        lab.join(self.ns, "v0", self.peer, "v1", 1)

    def arrive(self, *payloads):
        """Sends these to port 5000; {port: what came}."""
        server, client = netns.addresses(1, 4)
        with self.lab.sockets():
            sinks = {port: self.ns.udp(server, port) for port in (5000, 6001, 6002)}
            source = self.peer.udp(client, 0)
            for p in payloads:
                source.sendto(p, (server, 5000))
            got = netns.drain(list(sinks.values()), len(payloads), quiet=0.02)
            return {port: got[s] for port, s in sinks.items() if got[s]}


@pytest.fixture
def place(lab, clean):  # pylint: disable=unused-argument
    return Place(lab)


def test_root(root):
    with tarfile.open(root) as tar:
        files = [m for m in tar if not m.isdir()]
    programs = [m.name for m in files if "/share/" not in m.name and not re.search(r"/lib(64)?/", m.name)]
    assert programs == ["./usr/sbin/mangle-ctl"]
    assert sum(m.name.endswith("/xdp-dispatcher.o") for m in files) == 1
    assert sum(m.size for m in files) < 20 << 20
    licensed = {m.name.split("/")[-2] for m in files if m.name.endswith("/copyright")}
    assert {"libc6", "libbpf1", "libxdp1"} <= licensed
    said = int(re.search(r"(\d+) MB", README)[1])
    assert abs(root.stat().st_size / 1e6 - said) < 2, "the size that the README states"


def test_mangles_when_the_container_is_gone(runtime, place):
    ns = place.ns
    sent = b"ABCD to 6001", b"EFGH to 6002", b"ZZZZ passes"
    before = place.arrive(*sent)
    assert before == {5000: list(sent)}
    assert runtime.ok(ns, "doctor", "v0").stdout
    assert "v0: attached" in runtime.ok(ns, "attach", "v0").stdout
    runtime.ok(ns, "map", "set", "ABCD", 6001)
    runtime.ok(ns, "map", "load", "-", stdin="EFGH 6002\n")
    assert runtime.left() == ""
    assert place.arrive(*sent) == {6001: [sent[0]], 6002: [sent[1]], 5000: [sent[2]]}
    # what it left is the machine's: seen from outside, and by the next container
    assert ctl.run("-n", ns.name, "status", "v0").status == 0
    assert [s["name"] for s in ctl.js("service", "list")] == ["feed"], "from /etc/mangle"
    assert "ABCD" in runtime.ok(ns, "map", "list").stdout
    assert runtime.run(ns, "status", "lo").returncode == 3, "exit statuses come through"
    assert "v0: detached" in runtime.ok(ns, "detach", "--force", "--", "v0").stdout
    assert place.arrive(*sent) == before
    assert runtime.left() == ""


def test_tcp(runtime, place):
    """The programs at tc's hooks need no more."""
    ns = place.ns
    runtime.ok(ns, "attach", "v0")
    runtime.ok(ns, "service", "set", "feed", "--reply", "on")
    runtime.ok(ns, "service", "add", "shop", "--proto", "tcp", "--port", 7000, "--tag", "0:4", "--size", "4:65507")
    runtime.ok(ns, "detach", "--all", "--purge")
    assert not ctl.pins()


def refused(done, pattern):
    assert done.returncode == 1 and not done.stdout, done
    assert done.stderr.startswith("mangle-ctl: ") and done.stderr.count("\n") == 1, done
    assert re.search(pattern, done.stderr), done


@pytest.mark.parametrize("cap", CAPS)
def test_each_capability_is_needed(runtime, place, cap):
    refused(runtime.run(place.ns, "attach", "v0", but=runtime.without_cap(cap)), f"CAP_{cap} is missing")
    assert netns.xdp_on(place.ns, "v0") is None
    assert place.arrive(b"ABCD") == {5000: [b"ABCD"]}


def test_the_rest_is_needed(runtime, place):
    # also where it could mount one, which would vanish with the container
    for more in {}, runtime.with_sys_admin:
        refused(runtime.run(place.ns, "attach", "v0", but={**runtime.without_bpffs, **more}),
                "not mounted in this mount namespace.*in a container, bind")
    if runtime.name == "podman":
        seccomp = re.search(r" --security-opt=seccomp=\S+", runtime.command)[0]
        refused(runtime.run(place.ns, "attach", "v0", but={seccomp: ""}), "Operation not permitted")
        said = runtime.run(place.ns, "doctor", but={seccomp: ""})
        assert said.returncode == 1 and "bpf(2) is refused despite the capabilities" in said.stdout, said
        # podman's own profile does for whoever has CAP_SYS_ADMIN
        runtime.ok(place.ns, "attach", "v0", but={seccomp: " --cap-add=SYS_ADMIN"})
    else:
        assert netns.xdp_on(place.ns, "v0") is None


@pytest.mark.parametrize("runtime", [Podman], indirect=True, ids=["podman"])
def test_log(runtime, place):
    """One line reaches the host's log where the README's option says so."""
    option = re.search(r"`(-v /dev/log:/dev/log --env=SUDO_USER)`", README)[1]
    path = runtime.tmp / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        log.settimeout(5)
        runtime.env["SUDO_USER"] = "somebody"
        try:
            runtime.ok(place.ns, "apply", "/etc/mangle/mangle.yaml", but={
                "-v /sys/fs/bpf": option.replace("/dev/log:", f"{path}:") + " -v /sys/fs/bpf"})
        finally:
            del runtime.env["SUDO_USER"]
        assert re.search(r"mangle-ctl\[\d+\]: .*somebody.*generation 1", log.recv(4096).decode())


def test_privileges_are_those_of_the_manual():
    row = re.search(r"^\.It attach, explain Ta (.*)$", MANUAL, re.M)[1].split("Ta")
    needed = [c for c, cell in zip((*CAPS, "SYS_ADMIN"), row) if cell.strip() == "yes"]
    assert needed == list(CAPS)
    assert re.findall(r"--cap-add=(\w+)", block("podman run")) == needed
    assert re.findall(r'"CAP_(\w+)"', block("crun run")) == needed
    assert "--cap-drop=all" in block("podman run")
    assert re.findall(r"^\| `CAP_(\w+)`", README, re.M) == [*needed, "SYS_ADMIN"]


def test_unit(tmp_path):
    if netns.have("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "mangle@.service"
    path.write_text(replaced(block("[Unit]", kind="ini"), {"/usr/local/sbin/mangle-ctl": ctl.BIN}), encoding="utf-8")
    done = netns.command("systemd-analyze", "verify", "--man=no", path, check=False)
    assert done.returncode == 0 and path.name not in done.stdout, done
