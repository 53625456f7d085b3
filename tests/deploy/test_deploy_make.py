"""What `make` says and does where nothing is installed, and what install and uninstall leave."""

import re
import subprocess

from mangletest import ctl


def make(*argv):
    return subprocess.run(["make", "--no-print-directory", *map(str, argv)], cwd=ctl.REPO, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=300)


def test_help():
    said = make("help")
    assert said.returncode == 0 and len(said.stdout) < 3000, said
    named = re.findall(r"^make (\S+)", said.stdout, re.M)
    assert {"check", "demo", "deb", "install", "uninstall", "clean", "lint"} <= set(named)
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", (ctl.REPO / "Makefile").read_text(encoding="utf-8"), re.M)).split()
    assert not [t for t in named if t not in phony and t != "builds"]


def test_what_is_missing_is_named():
    said = make("toolchain", "CLANG=no-such-clang")
    assert said.returncode and "no-such-clang is not installed (make deps FOR=\"build run\")" in said.stdout, said


def test_deps_alone_installs_packages():
    text = (ctl.REPO / "Makefile").read_text(encoding="utf-8")
    assert text.count("tools/install-packages") == 1 and "apt-get" not in text
    named = re.findall(r"call deps,([a-z ]+)", text)
    assert named and all((ctl.REPO / "tools/packages" / name).exists() for names in named for name in names.split())
    said = make("deps", "FOR=no-such-list")
    assert said.returncode and "tools/packages/no-such-list: cannot be read" in said.stdout, said


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def test_uninstall_removes_what_install_has_put_there(tmp_path):
    assert make("install", f"DESTDIR={tmp_path}").returncode == 0
    installed = files(tmp_path)
    assert {"usr/sbin/mangle-ctl", "usr/libexec/mangle/unit", "etc/mangle/mangle.yaml"} <= set(installed)
    edited = tmp_path / "etc/mangle/unit.conf"
    edited.write_text("MANGLE_ON_STOP=keep\n", encoding="utf-8")
    said = make("uninstall", f"DESTDIR={tmp_path}")
    assert said.returncode == 0 and said.stdout == f"kept: {edited} (edited)\n", said
    assert files(tmp_path) == ["etc/mangle/unit.conf"]
    edited.unlink()
    assert make("install", f"DESTDIR={tmp_path}").returncode == 0 and files(tmp_path) == installed
    assert make("uninstall", f"DESTDIR={tmp_path}").stdout == ""
    assert not files(tmp_path) and not (tmp_path / "etc/mangle").exists()
