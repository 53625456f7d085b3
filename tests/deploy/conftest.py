"""How mangle is deployed: live tests that need root, and have the machine's pins to themselves."""

import os
import signal
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
