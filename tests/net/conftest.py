"""Live tests: they need root, and have the machine's pins to themselves while they run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [p for p in (str(HERE), str(HERE.parent / "lib")) if p not in sys.path]

from mangletest import ctl, netns  # noqa: E402  (the path above comes first)

import live  # noqa: E402

PREFIX = f"mgln-{os.getpid()}-"
os.environ["MANGLE_TEST_SESSION"] = PREFIX  # to know our own processes by


@pytest.fixture(scope="session", autouse=True)
def machine():
    """The machine is ours for the session and afterwards as it was."""
    if os.geteuid():
        pytest.skip("live tests need root", allow_module_level=True)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # to clean up then too
    before = {"bpffs": ctl.bpffs_mounted()}
    with ctl.exclusive(PREFIX):
        ctl.remove_dead_netns("n")
        yield before


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Compiles what the tests run beside mangle: build("flood.c"), build("pass.bpf.c")."""
    made = {}
    folder = tmp_path_factory.mktemp("build")

    def compile_one(source, *flags):
        key = (source, flags)
        if key not in made:
            bpf = source.endswith(".bpf.c")
            compiler = "clang" if bpf else "cc"
            if netns.have(compiler):
                pytest.skip(f"{compiler} is not installed")
            out = folder / f"{len(made)}-{Path(source).stem}{'.o' if bpf else ''}"
            argv = [compiler, "-O2", "-g", "-Wall", *flags]
            argv += ["-target", "bpf", "-c", f"-I/usr/include/{os.uname().machine}-linux-gnu"] if bpf else []
            subprocess.run([*argv, "-o", out, HERE / source], check=True)
            made[key] = out
        return made[key]

    return compile_one


@pytest.fixture(scope="session")
def blast(build):
    return build("../lib/blast.c")


@pytest.fixture
def lab():
    with netns.Lab(PREFIX) as made:
        yield made


@pytest.fixture(scope="module")
def lasting():
    """One line for all tests of a file, since making it takes longer than most of them."""
    with netns.Lab() as lab:
        yield live.Line(lab)
        ctl.purge()


@pytest.fixture
def line(lab):
    return live.Line(lab)


@pytest.fixture
def mangle(tmp_path):
    """The tool, with nothing loaded before and after."""
    ctl.purge()
    yield live.Mangle(tmp_path)
    ctl.purge()
