"""The control tool, seen from outside: what the manual promises, no more.

Run as root: `/usr/bin/python3 -m pytest tests/ctl`; MANGLE_CTL names another build of the tool.
Tests run one after the other, since pins have one fixed place. Interfaces are veth pairs between
the namespaces mglc-a (where mangle is attached) and mglc-b (which sends).
"""

import os
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from mangletest import ctl, netns  # noqa: E402

PREFIX = "mglc-"


def service(name="telemetry", **settings):
    """A service of the configuration file: UDP, port 5000, tag 0:4, and what is set here
    (`entities_file` and the like name keys with a dash; None leaves a key out)."""
    made = {"name": name, "protocol": "udp", "ports": [5000], "tag": {"offset": 0, "length": 4},
            "size": {"min": 4, "max": 1400}}
    made.update({k.replace("_", "-"): v for k, v in settings.items()})
    return {k: v for k, v in made.items() if v is not None}


def entities(*rows):
    """("ABCD", 6001), ("EFGH", "drop", 10, 20), … as the configuration file has them."""
    return [{"tag": r[0], "target": r[1], **({"size": {"min": r[2], "max": r[3]}} if len(r) > 2 else {})}
            for r in rows]


def dump(services):
    """A configuration file's text."""
    if isinstance(services, str):
        return services
    if isinstance(services, dict):
        services = [services]
    return yaml.safe_dump({"version": 1, "services": services}, sort_keys=False)


class World:
    """Two namespaces, two veth pairs: veth0 and veth2 in mglc-a, their peers in mglc-b."""

    a, b = PREFIX + "a", PREFIX + "b"

    def __init__(self, lab, bpffs_was_mounted):
        self.lab, self.bpffs_was_mounted = lab, bpffs_was_mounted
        self.ns_a, self.ns_b = lab.ns("a"), lab.ns("b")
        lab.join(self.ns_a, "veth0", self.ns_b, "veth1", 1)
        lab.join(self.ns_a, "veth2", self.ns_b, "veth3", 2)

    def attach(self, *args, dev="veth0"):
        return ctl.run("-n", self.a, "attach", dev, *args)

    def attached(self):
        """Whether veth0 is attached."""
        return bool(ctl.pins()) and ctl.run("-n", self.a, "status", "veth0").status == 0

    def send(self, *payloads, port=5000, net=1, version=4, listen=None):
        """Sends UDP payloads from mglc-b to `port`, and waits until all have come out on the port
        `listen` (or on `port`) in mglc-a."""
        server, client = netns.addresses(net, version)
        with self.lab.sockets():
            sink = self.ns_a.udp(server, listen or port, buffer=4 << 20)
            source = self.ns_b.udp(client, 0, buffer=4 << 20)
            for i, p in enumerate(payloads, 1):
                source.sendto(p if isinstance(p, bytes) else p.encode("ascii"), (server, port))
                if i % 100 == 0:
                    assert len(netns.drain([sink], 100)[sink]) == 100
            left = len(payloads) % 100
            assert len(netns.drain([sink], left)[sink]) == left, "packets did not arrive"


@pytest.fixture(scope="session")
def world():
    if os.geteuid() != 0:
        pytest.skip("wants root")
    assert os.access(ctl.BIN, os.X_OK), f"not built: {ctl.BIN}"
    missing = netns.have("ip")
    if missing:
        pytest.skip(f"wants {missing}")
    try:
        with ctl.exclusive(PREFIX) as mounted, netns.Lab(PREFIX) as lab:
            yield World(lab, mounted)
    except ctl.Busy as e:
        pytest.skip(str(e))


@pytest.fixture(autouse=True)
def _everywhere(world):  # pylint: disable=unused-argument,redefined-outer-name
    """No test runs outside of the session's care."""


@pytest.fixture
def fresh(world):  # pylint: disable=redefined-outer-name
    """Nothing loaded, nothing attached, before and after."""
    ctl.purge()
    yield world
    ctl.purge()


def bring(world, path):  # pylint: disable=redefined-outer-name
    """Makes veth0 attached, and nothing else, and the running state equal to a configuration file."""
    if world.attached() and len(ctl.js("status")["interfaces"]) == 1:
        ctl.ok("-n", world.a, "apply", path)
    else:
        ctl.purge()
        r = world.attach("--config", path)
        assert r.status == 0, r


@pytest.fixture
def load(world, tmp_path):  # pylint: disable=redefined-outer-name
    """load(services): attached, and the running state is this. Counters may go on from before."""

    def call(services, file="loaded.yaml"):
        path = tmp_path / file
        path.write_text(dump(services), encoding="utf-8")
        bring(world, path)
        return path

    return call


@pytest.fixture
def one(load):  # pylint: disable=redefined-outer-name
    """One service, telemetry, without entities."""
    return load(service())


@pytest.fixture
def two(load):  # pylint: disable=redefined-outer-name
    """Two services, left (port 5000) and right (port 5001), with one entity each."""
    return load([service("left", entities=entities(("ABCD", 6001))),
                 service("right", ports=[5001], entities=entities(("EFGH", 6002)))])
