"""The systemd unit, as far as it can be judged without a running systemd (tests/vm/system has one)."""

import os
import re
import subprocess

import pytest
from mangletest import ctl, netns

DEPLOY = ctl.REPO / "deploy"
UNIT = DEPLOY / "mangle@.service"
TEXT = UNIT.read_text(encoding="utf-8")


def test_verify(tmp_path):
    if netns.have("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    # it is judged as installed, but nothing is: what it starts is where it is built
    copy = tmp_path / UNIT.name
    text = re.sub(r"(?<==)([-+:@!|]*)\S*/mangle-ctl\b", rf"\g<1>{ctl.BIN}", TEXT)
    copy.write_text(text.replace("@LIBEXECDIR@/mangle/unit", str(DEPLOY / "unit")), encoding="utf-8")
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    ours = [line for line in r.stdout.splitlines() if "mangle" in line]
    assert r.returncode == 0 and not ours, r.stdout


def test_the_sandbox_lets_it_work():
    """What is known to break it: see the comments at each."""
    settings = re.findall(r"^(\w+)=(.*)$", TEXT, re.M)
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


JOBS = "117 other.service start waiting\n118 mangle@br\\x2dlan.service %s running\n119 mangle@eth1.service restart waiting\n"


@pytest.mark.parametrize("system, job, setting, status, called", [
    ("running", "stop", None, 0, True),
    ("degraded", "stop", "detach", 0, True),
    ("running", "restart", None, 0, False),
    ("running", "restart", "detach", 0, False),
    ("stopping", "stop", None, 0, False),
    ("running", "stop", "keep", 0, False),
    ("running", "stop", "Detach", 1, False),
    ("running", "stop", "", 0, True),
])
def test_stop(tmp_path, system, job, setting, status, called):
    """Detaches, unless it is restarted, the system goes down, or the administrator has said otherwise; and is never
    refused where connections are bound: who stops the unit has said what he wants."""
    programs = {"systemctl": f"#!/bin/sh\ncase $1 in is-system-running) echo {system}; [ {system} = running ];;\n"
                             f"list-jobs) cat <<'END'\n{JOBS % job}END\nesac\n",
                "mangle-ctl": f"#!/bin/sh\necho \"$*\" >{tmp_path}/called\n"}
    for name, text in programs.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **({} if setting is None else {"MANGLE_ON_STOP": setting})}
    r = subprocess.run([DEPLOY / "unit", "stop", "mangle@br\\x2dlan.service", "br-lan"], env=env, text=True, check=False,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert r.returncode == status and len(r.stderr.splitlines()) == status and not r.stdout, r
    did = (tmp_path / "called").read_text(encoding="utf-8") if (tmp_path / "called").exists() else None
    assert did == ("--wait 30 detach --force -- br-lan\n" if called else None)
