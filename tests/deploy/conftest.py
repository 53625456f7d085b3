"""How mangle is deployed: live tests that need root, and have the machine's pins to themselves."""

import fcntl
import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [p for p in (str(HERE), str(HERE.parent / "lib")) if p not in sys.path]

from mangletest import ctl, netns  # noqa: E402  (the path above comes first)

PREFIX = f"mgld-{os.getpid()}-"


def stop(*_):
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def machine():
    """The machine is ours for the session and afterwards as it was."""
    if os.geteuid():
        pytest.skip("wants root")
    signal.signal(signal.SIGTERM, stop)  # to clean up then too
    try:
        with ctl.exclusive(PREFIX):
            ctl.remove_dead_netns("d")
            yield
    except ctl.Busy as e:
        pytest.skip(str(e))


@pytest.fixture
def lab(machine):  # pylint: disable=unused-argument
    with netns.Lab(PREFIX) as made:
        yield made


@pytest.fixture
def clean(machine):  # pylint: disable=unused-argument
    """Nothing loaded, nothing attached, before and after."""
    ctl.purge()
    yield
    ctl.purge()


# --- the Debian package, and a Debian that has it

def command(*argv, **kw):
    return subprocess.run(list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=600, **kw)


def once(tmp_path_factory, name, make):
    """Path that make(FOLDER) returns; one of the workers of a run makes it, the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with open(base / f"{name}.made", "a+", encoding="utf-8") as made:
        fcntl.flock(made, fcntl.LOCK_EX)
        made.seek(0)
        path = made.read()
        if not path:
            path = str(make(base / name))
            made.write(path)
    return Path(path)


@pytest.fixture(scope="session")
def deb(tmp_path_factory):
    missing = netns.have("dpkg-buildpackage", "dh", "lintian")
    if missing:
        pytest.skip(f"{missing} is not installed")

    def make(_):
        r = command(ctl.REPO / "tools" / "deb", env={**os.environ, "BUILD": os.environ.get("BUILD", "build")},
                    cwd=ctl.REPO)
        assert r.returncode == 0, r.stdout  # lintian's errors and warnings too
        return Path(ctl.REPO, r.stdout.splitlines()[-1])

    return once(tmp_path_factory, "deb", make)


# What a server has, and the tests of its systemd look with.
SERVER = ("systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2")


def install_debian(deb, tmp):
    tmp.mkdir(mode=0o755)
    (tmp / "archive").mkdir()
    fields = command("dpkg-deb", "-f", deb).stdout
    data = deb.read_bytes()
    (tmp / "archive" / "mangle.deb").write_bytes(data)
    (tmp / "archive" / "Packages").write_text(
        f"{fields}Filename: ./mangle.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n",
        encoding="utf-8")
    codename = re.search(r"^VERSION_CODENAME=(.*)$", open("/etc/os-release", encoding="utf-8").read(), re.M)[1]
    sources = command(ctl.REPO / "tools" / "apt-sources", codename, tmp / "acquire")
    assert sources.returncode == 0, sources
    made = command("mmdebstrap", "--quiet", "--variant=minbase", f"--aptopt={tmp}/acquire",
                   f"--include=mangle,{','.join(SERVER)}",
                   "--setup-hook=mkdir -p \"$1\"" + f"{tmp}/archive", f"--setup-hook=cp {tmp}/archive/* \"$1\"{tmp}/archive",
                   codename, tmp / "root", "-", input=sources.stdout + f"deb [trusted=yes] copy:{tmp}/archive ./\n")
    assert made.returncode == 0, made.stdout
    return tmp / "root"


@pytest.fixture(scope="session")
def make_debian(deb, tmp_path_factory):
    """Makes copies of a Debian of this machine's release, where mangle and what it wants has been installed."""
    if os.geteuid():
        pytest.skip("wants root")
    if netns.have("mmdebstrap"):
        pytest.skip("mmdebstrap is not installed")
    root = once(tmp_path_factory, "debian", lambda folder: install_debian(deb, folder))

    def copy(folder):
        folder.chmod(0o755)
        assert not command("cp", "-a", "--reflink=auto", root, folder / "root").returncode
        return folder / "root"
    return copy
