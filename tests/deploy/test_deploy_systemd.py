"""The unit where a systemd runs: a whole Debian as processes of its own, with devices, bpffs and cgroups of its own. What
takes a boot from a disk, or a kernel of Debian's, is in tests/vm/system."""

import json
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from conftest import command
from mangletest import netns

CONFIG = """version: 1
services:
  - name: default
    protocol: udp
    ports: [5000]
    tag: { offset: 0, length: 4 }
    size: { min: 4, max: 1400 }
    entities:
      - { tag: "ABCD", target: 6001 }
"""
BROKEN = CONFIG.replace("6001", "99999")

# What it wants to boot in namespaces. /run/udev/control: without a udev that answers there, systemd waits for no device.
INSIDE = """
set -e
mount --bind {root} {root}
cd {root}
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup || exit 77
mount -t bpf bpf sys/fs/bpf
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node && mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mkdir run/udev
touch run/udev/control
hostname debian
pivot_root . mnt || exit 77
umount -l /mnt
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal
"""


class Machine:
    """A Debian that runs."""

    def __init__(self, root):
        self.root = root
        self.process = self.init = None
        for unit in "console-getty.service", "systemd-networkd-wait-online.service":
            (root / "etc/systemd/system" / unit).unlink(missing_ok=True)
            (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
        self.configure(CONFIG)

    def configure(self, text):
        (self.root / "etc/mangle/mangle.yaml").write_text(text, encoding="utf-8")

    def boot(self):
        with open(self.root.parent / "console", "w", encoding="utf-8") as console:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                ["unshare", "--mount", "--propagation", "private", "--pid", "--uts", "--ipc", "--net", "--cgroup",
                 "--fork", "--kill-child", "bash", "-c", INSIDE.format(root=self.root)],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        assert netns.wait_for(lambda: self.process.poll() is not None or children.read_text(encoding="ascii").strip())
        if self.process.poll() is None:
            self.init = children.read_text(encoding="ascii").strip()
        netns.wait_for(lambda: self.process.poll() is not None or not self.sh("test -S /run/systemd/private").returncode, 20)
        said = (self.root.parent / "console").read_text(encoding="utf-8")
        if self.process.poll() == 77:
            pytest.skip(f"systemd does not run here: {said.strip()}")
        assert self.process.poll() is None, said
        return self

    def halt(self):
        self.process.kill()
        self.process.wait()

    def sh(self, script):
        """Runs a script in it, whose output and standard error come as one."""
        return command("nsenter", "--target", self.init, "--all", "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                       "LC_ALL=C.UTF-8", "SYSTEMD_PAGER=", "sh", "-c", script)

    def ok(self, script):
        done = self.sh(script)
        assert done.returncode == 0, done
        return done.stdout

    def fails(self, script):
        done = self.sh(script)
        assert done.returncode, done

    def state(self, unit):
        return self.sh(f"systemctl is-active {shlex.quote(unit)}").stdout.strip()

    def becomes(self, state, unit):
        assert netns.wait_for(lambda: self.state(unit) == state, 20), self.status(unit)

    def status(self, unit):
        return self.sh(f"systemctl status --full --no-pager {shlex.quote(unit)}").stdout

    def says(self, unit):
        """The line of the unit's status that stays."""
        return re.search(r"^ *Status: \"(.*)\"$", self.status(unit), re.M)[1]

    def attached(self):
        status = json.loads(self.ok("mangle-ctl -q -j status"))
        return [i["name"] for i in status["interfaces"] if i["state"] == "attached"]

    def targets(self):
        return re.findall(r"^ABCD\s+(\d+)", self.ok("mangle-ctl map save"), re.M)

    def add(self, name):
        self.ok(f"ip link add {name} type veth peer name {name}-s && udevadm settle")


@pytest.fixture(scope="module")
def running(make_debian, deb, tmp_path_factory):
    made = Machine(make_debian(tmp_path_factory.mktemp("systemd"))).boot()
    try:
        assert made.sh("systemctl is-system-running --wait").stdout.strip() == "running", made.sh("systemctl --failed").stdout
        shutil.copy(deb, made.root / "mangle.deb")
        yield made
    finally:
        made.halt()
        shutil.rmtree(made.root)


@pytest.fixture
def machine(running):  # pylint: disable=redefined-outer-name
    """Before and after: eth0 is there, nothing is attached, and no unit has anything to say."""
    running.configure(CONFIG)
    running.add("eth0")
    yield running
    running.sh("systemctl stop 'mangle@*.service'; mangle-ctl detach --all --purge; systemctl reset-failed;"
               "rm -rf /run/mangle/* /etc/systemd/system/*.wants/mangle@*; systemctl daemon-reload;"
               "for dev in $(ls /sys/class/net); do [ $dev = lo ] || ip link del $dev; done; udevadm settle")


def test_restart_applies_the_configuration(machine):
    machine.ok("systemctl start mangle@eth0")
    assert machine.attached() == ["eth0"] and machine.targets() == ["6001"]
    assert machine.says("mangle@eth0") == "eth0: attached, /etc/mangle/mangle.yaml applied"
    for act, port in ("restart", "6002"), ("reload", "6003"), ("stop mangle@eth0 && systemctl start", "6004"):
        machine.configure(CONFIG.replace("6001", port))
        machine.ok(f"systemctl {act} mangle@eth0")
        assert machine.targets() == [port], act


@pytest.mark.parametrize("act, state", [
    ("restart", "failed"), ("reload", "active"), ("stop mangle@eth0 && systemctl start", "failed")])
@pytest.mark.parametrize("text, why", [(BROKEN, r"mangle\.yaml:9: .*99999"), (None, "mangle.yaml: .*No such file")])
def test_a_broken_file_leaves_what_is_in_force(machine, act, state, text, why):
    """The command fails, status says why, and packets go on being mangled; with the file mended it is well again."""
    machine.add("eth1")
    machine.ok("systemctl start mangle@eth0 mangle@eth1")
    machine.ok("mangle-ctl map set EFGH 6005")
    machine.configure(text or "")
    if text is None:
        machine.ok("rm /etc/mangle/mangle.yaml")
    machine.fails(f"systemctl {act} mangle@eth0")
    assert sorted(machine.attached()) == ["eth0", "eth1"]
    assert machine.targets() == ["6001"] and "EFGH" in machine.ok("mangle-ctl map save")
    assert machine.state("mangle@eth0") == state
    assert re.search(f"^eth0: stays attached with the tables as they were: .*{why}", machine.says("mangle@eth0"))
    machine.configure(CONFIG.replace("6001", "6002"))
    machine.ok(f"systemctl {'restart' if state == 'failed' else 'reload'} mangle@eth0")
    assert machine.targets() == ["6002"] and machine.state("mangle@eth0") == "active"
    assert machine.says("mangle@eth0") == "eth0: attached, /etc/mangle/mangle.yaml applied"


def test_nothing_is_attached_with_a_broken_file_alone(machine):
    machine.configure(BROKEN)
    machine.fails("systemctl start mangle@eth0")
    assert machine.state("mangle@eth0") == "failed" and machine.attached() == []
    assert "99999" in machine.status("mangle@eth0")
    machine.ok("rm /etc/mangle/mangle.yaml")
    machine.fails("systemctl start mangle@eth0")
    assert machine.says("mangle@eth0") == "/etc/mangle/mangle.yaml: loading it: there is no such file"
    machine.configure(CONFIG)
    machine.ok("systemctl start mangle@eth0")
    assert machine.targets() == ["6001"]


def test_tables_that_were_loaded_before_stay(machine):
    """Of another interface's, or by hand: a start does not take run-time changes away, and says what it has not done."""
    machine.ok("mangle-ctl attach eth0 && mangle-ctl map set ABCD 6009")
    machine.ok("systemctl start mangle@eth0")
    assert machine.targets() == ["6009"]
    assert re.search("mangle.yaml not applied: .*systemctl reload mangle@eth0.service", machine.says("mangle@eth0"))
    machine.ok("systemctl reload mangle@eth0")
    assert machine.targets() == ["6001"]
    assert machine.says("mangle@eth0") == "eth0: attached, /etc/mangle/mangle.yaml applied"


@pytest.mark.parametrize("instance, why", [
    ("eth9", r"eth9: attaching: no such interface \(see ip link; .*starts when eth9 appears\)"),
    ("br-lan", r"br/lan: .*systemctl start \"\$\(systemd-escape --template=mangle@.service br-lan\)\""),
    (r"br\x5cx2dlan", r"br\\x2dlan: .*systemctl start \"\$\(systemd-escape --template=mangle@.service br-lan\)\""),
    ("br-wan", r"br/wan: .*systemd-escape --template=mangle@.service NAME"),
    ("lo", "lo: .*mangle-ctl attach lo")])
def test_an_interface_that_is_not_there_is_said_at_once(machine, instance, why):
    machine.ok("ip link add br-lan type bridge && udevadm settle")
    began = time.monotonic()
    machine.fails(f"systemctl start 'mangle@{instance}'")
    assert time.monotonic() - began < 5
    assert machine.state(f"mangle@{instance}") == "failed"
    assert re.match(why, machine.says(f"mangle@{instance}"))
    machine.ok('systemctl start "$(systemd-escape --template=mangle@.service br-lan)"')
    assert machine.attached() == ["br-lan"]


def test_a_device_that_comes_later(machine):
    machine.fails("systemctl enable --now mangle@late")
    for _ in range(2):
        machine.add("late")
        machine.becomes("active", "mangle@late")
        assert machine.attached() == ["late"]
        machine.ok("mangle-ctl map set ABCD 6009")
        machine.ok("ip link del late")
        machine.becomes("inactive", "mangle@late")
        assert machine.says("mangle@late") == "late: not attached"
    machine.add("late")
    machine.becomes("active", "mangle@late")
    assert machine.targets() == ["6009"], "what was changed at run time is there after a flap"
    assert "mangle.yaml not applied" in machine.says("mangle@late")
    machine.ok("systemctl restart mangle@late")
    assert machine.targets() == ["6001"]


def test_no_unit_is_active_where_nothing_is_attached(machine):
    machine.add("eth1")
    machine.ok("ip link add br-lan type bridge && udevadm settle")
    lan = r"mangle@br\x2dlan.service"
    machine.ok(f"systemctl start mangle@eth0 mangle@eth1 '{lan}'")
    assert machine.ok("mangle-ctl detach eth1") == "eth1: detached\nmangle@eth1.service: stopped\n"
    assert machine.ok("mangle-ctl detach br-lan") == f"br-lan: detached\n{lan}: stopped\n"
    assert [machine.state(u) for u in ("mangle@eth0", "mangle@eth1", lan)] == ["active", "inactive", "inactive"]
    machine.ok("systemctl start mangle@eth1")
    assert sorted(machine.attached()) == ["eth0", "eth1"]
    # one of this name in another network namespace is none of the unit's
    machine.ok("ip netns add other && ip -n other link add eth1 type veth peer name eth1-s && "
               "mangle-ctl -n other attach eth1 && mangle-ctl -n other detach eth1 && ip netns del other")
    assert machine.state("mangle@eth1") == "active"
    assert machine.ok("mangle-ctl -j detach eth1 && mangle-ctl attach eth1").count("stopped") == 0
    assert sorted(machine.attached()) == ["eth0", "eth1"], "a unit that is stopped late takes nothing off"
    machine.ok("mangle-ctl detach --all --purge")
    assert [machine.state(u) for u in ("mangle@eth0", "mangle@eth1")] == ["inactive", "inactive"]
    machine.ok("systemctl start mangle@eth0")
    assert machine.attached() == ["eth0"]


def test_stop(machine):
    machine.ok("systemctl enable --now mangle@eth0 && systemctl stop mangle@eth0")
    assert machine.attached() == [] and machine.says("mangle@eth0") == "eth0: not attached"
    machine.ok("echo MANGLE_ON_STOP=keep >>/etc/mangle/unit.conf && systemctl start mangle@eth0 && systemctl stop mangle@eth0")
    machine.ok("sed -i '/^MANGLE_ON_STOP/d' /etc/mangle/unit.conf")
    assert machine.attached() == ["eth0"] and machine.says("mangle@eth0") == "eth0: stays attached (MANGLE_ON_STOP=keep)"


def test_what_is_enabled_starts_when_the_package_comes_again(machine):
    """But an upgrade starts nothing that somebody has stopped."""
    machine.ok("systemctl enable --now mangle@eth0; systemctl enable mangle@eth9")
    assert "packets reach the shared ports" in machine.ok("dpkg -r mangle")
    assert machine.state("mangle@eth0") == "inactive" and "xdp" not in machine.ok("ip link show eth0")
    said = machine.ok("dpkg -i /mangle.deb")
    assert machine.state("mangle@eth0") == "active" and machine.attached() == ["eth0"], said
    assert machine.state("mangle@eth9") == "inactive"
    machine.ok("systemctl stop mangle@eth0 && dpkg -i /mangle.deb")
    assert machine.state("mangle@eth0") == "inactive" and machine.attached() == []


def test_a_boot_is_not_held_up(machine):
    """By a device that does not come; one that comes late is attached before the network is online where that waits for
    it."""
    machine.ok("systemctl enable mangle@late mangle@never")
    (machine.root / "etc/systemd/system/late.service").write_text("""[Unit]
Before=network-online.target
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=sh -c 'sleep 5; ip link add late type veth peer name late-s; udevadm settle'
[Install]
WantedBy=network-online.target
""", encoding="utf-8")
    machine.ok("systemctl enable late.service && systemctl add-wants multi-user.target network-online.target")
    machine.halt()
    machine.boot()
    try:
        assert machine.sh("systemctl is-system-running --wait").stdout.strip() == "running", machine.sh("systemctl --failed")
        since = {unit: int(machine.ok(f"systemctl show -p ActiveEnterTimestampMonotonic --value {unit}"))
                 for unit in ("mangle@late.service", "network-online.target", "basic.target")}
        assert machine.attached() == ["late"] and machine.state("mangle@never") == "inactive"
        assert since["mangle@late.service"] < since["network-online.target"] < since["basic.target"] + 30e6, since
        assert "never: attaching: no such interface yet; the unit starts when it appears" in machine.status("mangle@never")
    finally:
        machine.ok("systemctl disable late.service; rm /etc/systemd/system/*.wants/network-online.target")
