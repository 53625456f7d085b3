"""The Debian package: built, installed into a throw-away Debian, upgraded, removed, purged. What wants a running
systemd is in tests/vm/system."""

import gzip
import os
import re
import shutil

import pytest
from conftest import command
from mangletest import ctl, netns

CONFFILES = {"/etc/mangle/mangle.yaml", "/etc/mangle/unit.conf"}
MAN = "/usr/share/man/man8"
FILES = CONFFILES | {
    "/lib/systemd/system/mangle@.service", "/usr/libexec/mangle/unit", "/usr/sbin/mangle-ctl",
    "/usr/share/bash-completion/completions/mangle-ctl", "/usr/share/zsh/vendor-completions/_mangle-ctl",
    "/usr/share/fish/vendor_completions.d/mangle-ctl.fish", "/usr/share/doc/mangle/README.md.gz",
    "/usr/share/man/man5/mangle.yaml.5.gz", f"{MAN}/mangle-ctl.8.gz", f"{MAN}/mangle.8.gz", f"{MAN}/mangle@.8.gz",
    f"{MAN}/mangle@.service.8.gz",
    *(f"/usr/share/doc/mangle/examples/{p.name}" for p in (ctl.REPO / "deploy" / "examples").iterdir())}
VERSION = re.search(r"^## \[([\d.]+)\]", (ctl.REPO / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[1]


@pytest.fixture(scope="module")
def debian(make_debian, tmp_path_factory):
    """A Debian of this machine's release, where mangle and what it wants has been installed."""
    root = make_debian(tmp_path_factory.mktemp("package"))
    yield root
    shutil.rmtree(root)


def inside(debian, *argv):
    r = command("chroot", debian, *argv, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})
    assert r.returncode == 0, r
    return r.stdout


def test_contents(deb):
    listed = command("dpkg-deb", "-c", deb).stdout
    names = {line.split()[5][1:] for line in listed.splitlines() if not line.startswith("d")}
    assert FILES <= names, FILES - names
    assert all(line.split()[1] == "root/root" for line in listed.splitlines()), listed
    assert set(command("dpkg-deb", "-I", deb, "conffiles").stdout.split()) == CONFFILES


def test_installed(debian):
    assert inside(debian, "mangle-ctl", "--version") == f"mangle-ctl {VERSION}\n"
    assert inside(debian, "dpkg-query", "-W", "-f", "${Status}", "mangle") == "install ok installed"
    assert not re.search("not found", inside(debian, "ldd", "/usr/sbin/mangle-ctl"))
    assert (debian / "usr/lib" / f"{os.uname().machine}-linux-gnu" / "bpf/xdp-dispatcher.o").exists(), "libxdp's"


def test_readme_points_to_what_is_there(debian):
    text = gzip.decompress((debian / "usr/share/doc/mangle/README.md.gz").read_bytes()).decode("utf-8")
    for link in re.findall(r"\]\(([^)]*)\)", text):
        assert (debian / "usr/share/doc/mangle" / link).exists(), link
    assert "make check" not in text and "## Install" in text


def test_hardened(debian):
    if netns.have("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    r = command("systemd-analyze", f"--root={debian}", "security", "--offline=yes", "--no-pager", "mangle@eth0.service")
    score = re.search(r"exposure level for \S+: ([\d.]+)", r.stdout)
    # 0.5 of it: without CAP_SYS_PTRACE and with ProtectProc= it would not see who has connections elsewhere
    assert score and float(score[1]) <= 2.5, r


def test_upgrade_remove_purge(debian, deb, tmp_path):
    edited = debian / "etc/mangle/unit.conf"
    edited.write_text(edited.read_text(encoding="utf-8") + "MANGLE_ON_STOP=keep\n", encoding="utf-8")
    assert not command("dpkg-deb", "-R", deb, tmp_path / "tree").returncode
    control = tmp_path / "tree/DEBIAN/control"
    control.write_text(control.read_text(encoding="utf-8").replace(f"Version: {VERSION}", f"Version: {VERSION}+1"),
                       encoding="utf-8")
    assert not command("dpkg-deb", "--root-owner-group", "-b", tmp_path / "tree", debian / "next.deb").returncode
    inside(debian, "dpkg", "-i", "--force-confdef", "/next.deb")
    assert inside(debian, "dpkg-query", "-W", "-f", "${Version}", "mangle") == f"{VERSION}+1"
    assert "keep" in edited.read_text(encoding="utf-8")
    wanted = debian / "etc/systemd/system/network-online.target.wants/mangle@eth0.service"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.symlink_to("/lib/systemd/system/mangle@.service")
    inside(debian, "dpkg", "-r", "mangle")
    left = {f for f in FILES if (debian / f[1:]).exists()}
    assert left == CONFFILES and wanted.is_symlink()
    inside(debian, "dpkg", "-P", "mangle")
    assert not [f for f in FILES if (debian / f[1:]).exists()] and not (debian / "etc/mangle").exists()
    assert not wanted.is_symlink(), "what `systemctl enable` made"


@pytest.mark.parametrize("name", ["telemetry", "tcp", "trial"])
def test_examples(name):
    """As far as can be told without a kernel: nothing is loaded, so whatever is right would be added."""
    assert ctl.js("apply", "--check", ctl.REPO / "deploy" / "examples" / f"{name}.yaml")["added"]
