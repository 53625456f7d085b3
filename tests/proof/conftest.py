"""Proofs that RELIABILITY.md speaks of. They need root, and have the machine's pins to themselves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [p for p in (str(HERE), str(HERE.parent / "lib")) if p not in sys.path]

from mangletest import ctl, netns, proof  # noqa: E402  (the path above comes first)

PREFIX = f"mglp-{os.getpid()}-"
BUILD = os.path.abspath(os.environ.get("BUILD", HERE.parents[1] / "build"))


class Early:
    """In the long form nobody waits for the end to be told what has failed."""

    def __init__(self, config):
        self.plugins = config.pluginmanager

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.plugins.get_plugin("terminalreporter").write_line(f"\n{report.nodeid}: failed\n{report.longreprtext[-4000:]}")


def pytest_configure(config):
    if proof.LONG and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Early(config))


def stop(*_):
    raise KeyboardInterrupt


@pytest.fixture(scope="session", autouse=True)
def machine():
    """The machine is ours for the session and afterwards as it was."""
    if os.geteuid():
        pytest.skip("wants root", allow_module_level=True)
    for number in (signal.SIGTERM, signal.SIGINT):  # to clean up then too, and in the background
        signal.signal(number, stop)
    with ctl.exclusive(PREFIX):
        ctl.remove_dead_netns("p")
        yield


@pytest.fixture(scope="session")
def program():
    """program("diff"): a test program that make has built, build/tests/diff."""

    def path(name):
        found = os.path.join(BUILD, "tests", name)
        assert os.access(found, os.X_OK), f"not built: {found} (make build-tests)"
        return found

    return path


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """compiled("blast.c"): a C program that lies beside the tests."""
    made = {}
    folder = tmp_path_factory.mktemp("build")

    def compile_one(source, *flags):
        key = (source, flags)
        if key not in made:
            out = folder / f"{len(made)}-{Path(source).stem}"
            subprocess.run(["cc", "-O2", "-g", "-Wall", *flags, "-o", out, HERE / source], check=True)
            made[key] = out
        return made[key]

    return compile_one


@pytest.fixture
def lab():
    with netns.Lab(PREFIX) as made:
        yield made


@pytest.fixture
def clean():
    """Nothing loaded, nothing attached, before and after."""
    ctl.purge()
    yield
    ctl.purge()
