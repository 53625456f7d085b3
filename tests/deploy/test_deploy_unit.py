"""The systemd unit, as far as it can be judged without a running systemd."""

import re
import subprocess

import pytest
from mangletest import ctl, netns

UNIT = ctl.REPO / "deploy" / "mangle@.service"


def unit():
    if not UNIT.exists():
        pytest.skip(f"no {UNIT.relative_to(ctl.REPO)} yet")
    return UNIT.read_text(encoding="utf-8")


def test_verify(tmp_path):
    text = unit()
    if netns.have("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    # it is judged as installed, but the tool is not: its own path stands in for the installed one
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"(?<==)([-+:@!|]*)\S*/mangle-ctl\b", rf"\g<1>{ctl.BIN}", text), encoding="utf-8")
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    ours = [line for line in r.stdout.splitlines() if "mangle" in line]
    assert r.returncode == 0 and not ours, r.stdout


def test_the_sandbox_lets_it_work():
    """What is known to break it: see the comments at each."""
    text = unit()
    settings = re.findall(r"^(\w+)=(.*)$", text, re.M)
    values = {}
    for key, value in settings:
        values.setdefault(key, []).append(value)
    assert not {"yes", "true", "on", "1"} & set(values.get("PrivateNetwork", ())), "the host's interfaces"
    for value in values.get("RestrictAddressFamilies", ()):
        assert "AF_NETLINK" in value or value.startswith("~"), "XDP is attached over netlink"
    filters = " ".join(values.get("SystemCallFilter", ()))
    if "@system-service" in filters:
        assert re.search(r"(?<![~\w])bpf\b", filters), "@system-service lacks bpf()"
    assert not {"yes", "true", "on", "1"} & set(values.get("ProtectKernelTunables", ())), \
        "it makes /sys/fs/bpf read-only"
    assert any("sys-subsystem-net-devices-%i.device" in v for v in values.get("WantedBy", ())), \
        "BindsTo= alone never starts it"


def test_stopping_is_never_refused():
    """Bound connections forbid `detach`; who stops the unit has said what he wants."""
    stop = re.search(r"^ExecStop=(.*)$", unit(), re.M).group(1).split()
    assert "detach" in stop and "--force" in stop, stop
