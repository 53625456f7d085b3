"""The systemd unit, as far as it can be judged without a running systemd (test_deploy_systemd.py and tests/vm/system have
one)."""

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
    assert {"no", "net"} & set(values.get("RestrictNamespaces", ["no"])), "attachments in other network namespaces"
    for value in values.get("RestrictAddressFamilies", ()):
        assert "AF_NETLINK" in value or value.startswith("~"), "XDP is attached over netlink"
    filters = " ".join(values.get("SystemCallFilter", ()))
    if "@system-service" in filters:
        assert re.search(r"(?<![~\w])bpf\b", filters), "@system-service lacks bpf()"
    assert not {"yes", "true", "on", "1"} & set(values.get("ProtectKernelTunables", ())), \
        "it makes /sys/fs/bpf read-only"
    assert any("sys-subsystem-net-devices-%i.device" in v for v in values.get("WantedBy", ())), \
        "BindsTo= alone never starts it"
    assert not any(".device" in v for v in values.get("After", ())), "who starts it by hand would wait for the device"


def test_upgrade(tmp_path):
    """Where something is loaded, mangle-ctl sees whether it is of another build."""
    def run(upgrade, before=True, after=True):
        tables = tmp_path / "config"
        tables.touch()
        if not before:
            tables.unlink()
        (tmp_path / "called").unlink(missing_ok=True)
        (tmp_path / "mangle-ctl").write_text(
            f"#!/bin/sh\necho \"$*\" >>{tmp_path}/called\n{'' if after else f'rm {tables}'}\nexit {upgrade}\n", encoding="utf-8")
        (tmp_path / "mangle-ctl").chmod(0o755)
        script = (DEPLOY / "unit").read_text(encoding="utf-8").replace("/sys/fs/bpf/mangle/config", str(tables))
        r = subprocess.run(["sh", "-c", script, "unit", "upgrade"], text=True, check=False,
                           env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        called = (tmp_path / "called").exists() and (tmp_path / "called").read_text(encoding="utf-8")
        assert called in (False, "--wait 30 upgrade --if-needed\n")
        return r.returncode, bool(called)

    assert run(0, before=False) == (0, False)
    assert run(0) == (0, True)
    assert run(1) == (1, True)
    # another instance was making them, and has failed
    assert run(1, after=False) == (0, True)


JOBS = "117 other.service start waiting\n118 mangle@br\\x2dlan.service %s running\n119 mangle@eth1.service restart waiting\n"


def write_programs(folder, system, job, device, enabled=True):
    """A systemctl that says so (device: came before the unit began, or after), and one mangle-ctl, which both note what
    they are told to do."""
    programs = {"systemctl": f"""#!/bin/sh
case $* in
"--quiet is-active network-online.target") false;;
is-system-running) echo {system}; [ {system} = running ];;
list-jobs*) cat <<'END'
{JOBS % job}END
;;
"show -p ActiveEnterTimestampMonotonic --value sys-subsystem-net-devices-"*.device) echo {device};;
"show -p ActiveEnterTimestampMonotonic --value mangle@"*.service) echo 1000;;
"--quiet is-enabled mangle@"*.service) {str(enabled).lower()};;
"--quiet is-active sys-subsystem-net-devices-"*.device) [ {device} != 0 ];;
*) echo "systemctl $*" >>{folder}/called;;
esac
""", "mangle-ctl": f"#!/bin/sh\necho \"$*\" >>{folder}/called\n"}
    for name, text in programs.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize("device, enabled, started", [(500, True, False), (1500, True, True), (1500, False, False), (0, True, True)])
def test_stop_when_the_device_is_another_one(tmp_path, device, enabled, started):
    """It went and came again while the unit was being stopped for it: systemd does not start it then. 0: nor has it
    heard of the device yet."""
    write_programs(tmp_path, "running", "stop", device, enabled)
    subprocess.run([DEPLOY / "unit", "stop", "mangle@lo.service", "lo"], check=True,
                   env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "RUNTIME_DIRECTORY": str(tmp_path)})
    assert (tmp_path / "apply-mangle@lo.service").exists() == (device == 500), "the next start is not the administrator's"
    did = (tmp_path / "called").read_text(encoding="utf-8")
    assert did == "--wait 30 detach --force -- lo\n" + "systemctl --no-block start mangle@lo.service\n" * started


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
    write_programs(tmp_path, system, job, 500)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RUNTIME_DIRECTORY": str(tmp_path),
           **({} if setting is None else {"MANGLE_ON_STOP": setting})}
    r = subprocess.run([DEPLOY / "unit", "stop", "mangle@br\\x2dlan.service", "br-lan"], env=env, text=True, check=False,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert r.returncode == status and r.stderr.count("<3>") == status and not r.stdout, r
    did = (tmp_path / "called").read_text(encoding="utf-8") if (tmp_path / "called").exists() else None
    assert did == ("--wait 30 detach --force -- br-lan\n" if called else None)


@pytest.mark.parametrize("act, system, device, interface, status, level", [
    ("check", "running", 500, "lo", 0, None),
    ("check", "starting", 500, "lo", 0, None),
    ("check", "running", 500, "eth9", 1, 3),  # it may have gone just now
    ("check", "running", 0, "eth9", 1, 3),
    ("check", "running", 0, "lo", 1, 3),
    ("wait", "running", 500, "eth9", 0, None),
    ("wait", "running", 0, "eth9", 0, None),
    ("wait", "starting", 500, "lo", 0, None),
    ("wait", "starting", 0, "eth9", 1, 5),  # its device starts it
    ("wait", "initializing", 0, "eth9", 1, 5),
])
def test_check(tmp_path, act, system, device, interface, status, level):
    write_programs(tmp_path, system, "start", device)
    (tmp_path / "mangle.yaml").touch()
    script = (DEPLOY / "unit").read_text(encoding="utf-8").replace("boot_wait=15", "boot_wait=1")
    script = script.replace("/etc/mangle/mangle.yaml", str(tmp_path / "mangle.yaml"))
    r = subprocess.run(["sh", "-c", script, "unit", act, f"mangle@{interface}.service", interface], text=True, check=False,
                       env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert r.returncode == status and not r.stdout, r
    assert re.findall(r"^<(\d)>mangle: (\S+): ", r.stderr, re.M) == [(str(level), interface)] * (level is not None), r


@pytest.mark.parametrize("mark, answer, status, called, marked, said", [
    (False, 0, 0, "apply --check --exit-code", False, "<6>mangle: lo: attached, .* applied$"),
    (False, 3, 0, "apply --check --exit-code", False, "<4>mangle: lo: attached, .* not applied: "),
    (False, 1, 1, "apply --check --exit-code", True, "<3>mangle: lo: attached with the tables that were loaded before: why$"),
    (False, 4, 1, "apply --check --exit-code", True, "<3>mangle: lo: .*: why$"),
    (True, 0, 0, "apply", False, "<6>mangle: lo: attached, .* applied$"),
    (True, 1, 1, "apply", True, "<3>mangle: lo: stays attached with the tables as they were: why$"),
])
def test_configure(tmp_path, mark, answer, status, called, marked, said):
    """After a stop or a failure the file is applied; else it is compared. What failed is tried again by the next start."""
    path = tmp_path / "apply-mangle@lo.service"
    if mark:
        path.touch()
    (tmp_path / "mangle-ctl").write_text(
        f"#!/bin/sh\necho \"$*\" >>{tmp_path}/called\n[ {answer} = 0 ] || echo 'mangle-ctl: why' >&2\nexit {answer}\n",
        encoding="utf-8")
    (tmp_path / "mangle-ctl").chmod(0o755)
    r = subprocess.run([DEPLOY / "unit", "configure", "mangle@lo.service", "lo"], text=True, check=False,
                       env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "RUNTIME_DIRECTORY": str(tmp_path)},
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert r.returncode == status and re.search(said, r.stderr.strip().splitlines()[-1]), r
    assert (tmp_path / "called").read_text(encoding="utf-8") == f"--wait 30 {called} -- /etc/mangle/mangle.yaml\n"
    assert path.exists() == marked
