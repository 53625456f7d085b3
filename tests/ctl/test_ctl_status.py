"""What status and doctor say: what is wrong as a warning or an error, what needs nothing done as a note, and nothing that is
not so. What services and hosts ask for beside that is in test_ctl_connections_replies.py."""

import contextlib
import os
import re
import shutil
import subprocess

import pytest

from mangletest import ctl, netns
from mangletest.ctl import js, ok, run

from conftest import dump, entities, service

DEFAULT = ctl.DEFAULT_CONFIG


@pytest.fixture
def etc(tmp_path):
    """etc(text): a prefix for commands whose /etc has nothing but that configuration file, or, with None, not even that."""
    numbers = iter(range(100))

    def call(text):
        commands = "mount -t tmpfs none /etc;"
        if text is not None:
            path = tmp_path / f"etc{next(numbers)}.yaml"
            path.write_text(text, encoding="utf-8")
            commands += f"mkdir /etc/mangle; cat {path} > {DEFAULT};"
        return ["unshare", "-m", "sh", "-ec", commands + ' exec "$@"', "sh"]

    return call


@contextlib.contextmanager
def other_end(world, state):
    """veth0's peer is up or down for the while: without it veth0 has no carrier."""
    ctl.ip("-n", world.b, "link", "set", "veth1", state)
    try:
        yield
    finally:
        ctl.ip("-n", world.b, "link", "set", "veth1", "up")


def well(*args, prefix=()):
    """The exit status of a monitor, which agrees with what is listed as JSON and as text."""
    answer = run("-j", "status", "--exit-code", *args, prefix=prefix)
    listed = answer.json()
    assert set(listed["errors"]) <= set(listed["warnings"])
    assert answer.status == (1 if listed["errors"] else 3 if listed["warnings"] else 0), answer
    text = run("status", "--exit-code", *args, prefix=prefix)
    assert text.status == answer.status
    if ": not attached" in text.out.splitlines()[0]:  # all that is said of an interface that is not
        assert text.out.splitlines() == listed["errors"][:1], (text, listed)
    else:
        lines = [line.split(": ", 1) for line in text.out.splitlines() if line.startswith(("error: ", "warning: "))]
        assert sorted(lines) == sorted([["error", e] for e in listed["errors"]] +
                                       [["warning", w] for w in listed["warnings"] if w not in listed["errors"]])
    return answer.status


def said(level="warnings", prefix=()):
    return js("status", prefix=prefix)[level]


def test_what_needs_nothing_done_is_info(world, one):
    checks = js("-n", world.a, "doctor", "veth0")["checks"]
    assert {c["state"] for c in checks} <= {"ok", "info", "warn", "bad"}, checks
    for c in checks:
        if "VLAN stripping is on" in c["text"] or "does not let programs share" in c["text"]:
            assert c["state"] == "info" and "(" not in c["text"], c
    text = run("-n", world.a, "doctor", "veth0").out
    assert all(line.split()[0] in ("ok", "info", "warn", "bad") for line in text.splitlines()), text


def test_status_lists_notes_apart_from_warnings(load, world):
    load(service(action="observe", interface="nosuch0"))
    answer = js("status")
    lines = ok("status").out.splitlines()
    assert answer["warnings"] == [re.sub("^(warning|error): ", "", line) for line in lines
                                  if line.startswith(("warning: ", "error: "))]
    assert answer["info"] == [line[6:] for line in lines if line.startswith("note: ")]
    for text in answer["warnings"]:
        first = text.split(":")[0] + ":"
        assert not text[len(first):].lstrip().startswith(first), f"named twice: {text}"


# --- the configuration file -----------------------------------------------------------------------

ROWS = dump(service(entities=entities(("ABCD", 6001), ("EFGH", 6002))))


@pytest.mark.parametrize("text,state,line", [
    (None, "not_loaded", "no file (the built-in default is not loaded; mangle-ctl attach IFACE)"),
    (ROWS, "not_loaded", f"{DEFAULT} (not loaded: 1 service, 2 entities; mangle-ctl attach IFACE)"),
    (ROWS + "\tx: [\n", "broken", f"{DEFAULT} (broken)"),
], ids=["none", "good", "broken"])
def test_nothing_loaded(fresh, etc, text, state, line):
    prefix = etc(text)
    answer = js("status", prefix=prefix)
    config = answer["config"]
    assert config["state"] == state and config["differs"] is (text is not None)
    assert config["file"] == (DEFAULT if text else None)
    out = run("status", prefix=prefix).out
    assert f"\nconfiguration: {line}\n" in out
    assert any("packets reach the shared ports unchanged (mangle-ctl attach IFACE)" in w for w in answer["warnings"])
    assert any(f"{DEFAULT}:{len((text or '').splitlines())}: " in w for w in answer["warnings"]) == (state == "broken")
    assert (state == "broken") == bool(config["error"])
    assert ok("status", prefix=prefix) and well(prefix=prefix) == 1
    assert ctl.pins() == []


def test_what_runs_and_what_the_file_says(load, world, etc):
    path = load(service(entities=entities(("ABCD", 6001))))

    def config(state, line, status):
        answer = js("status")["config"]
        assert answer["state"] == state and answer["differs"] is (state != "same"), answer
        assert f"\nconfiguration: {path} ({line})\n" in ok("status").out, ok("status")
        assert well() == status
        return answer

    assert config("same", "as it runs", 0)["entities"] == 1
    ok("map", "set", "EFGH", "6002")
    ok("map", "set", "ABCD", "6002")
    answer = config("differs", "differs: 2 entities", 3)
    assert (answer["changed_services"], answer["changed_entities"], answer["entities"]) == (0, 2, 1)
    ok("service", "set", "telemetry", "--unknown", "drop")
    config("differs", "differs: 1 service, 2 entities", 3)
    assert any(w.endswith(f"(mangle-ctl apply --check {path})") for w in said())
    good = path.read_text(encoding="utf-8")
    path.write_text(good + "\tx: [\n", encoding="utf-8")
    config("broken", "broken", 3)
    assert any(f"can no longer be loaded: {path}:" in w for w in said())
    path.unlink()
    config("missing", "missing", 3)
    path.write_text(good, encoding="utf-8")
    ok("apply", path)
    config("same", "as it runs", 0)
    # The next boot loads another one.
    assert any(f"the next boot loads {DEFAULT}, which differs" in w for w in said("info", etc(ROWS)))
    assert well(prefix=etc(ROWS)) == 0
    assert any(f"cannot be loaded: {DEFAULT}:" in w for w in said(prefix=etc("version: 7\n")))
    assert well(prefix=etc("version: 7\n")) == 1


def test_the_file_of_the_next_boot_is_broken(fresh, etc):
    ok("-n", fresh.a, "attach", "veth0", prefix=etc(ROWS))
    assert well(prefix=etc(ROWS)) == 0
    broken = etc(ROWS + "\tx: [\n")
    assert any("is what the next boot loads" in w for w in said(prefix=broken))
    assert "\nerror: the configuration file can no longer be loaded, and is" in run("status", prefix=broken).out
    assert well(prefix=broken) == 1


def test_no_file(fresh, etc):
    nothing = etc(None)
    ok("-n", fresh.a, "attach", "veth0", prefix=nothing)
    config = js("status", prefix=nothing)["config"]
    assert (config["file"], config["state"], config["differs"]) == (None, "same", False)
    assert "no file (the built-in default runs)" in ok("status", prefix=nothing).out and well(prefix=nothing) == 0
    ok("map", "set", "ABCD", "6001")
    config = js("status", prefix=nothing)["config"]
    assert (config["file"], config["state"], config["differs"]) == (None, "missing", True)
    assert any("a reboot discards it (mangle-ctl save prints it)" in w for w in said(prefix=nothing))
    assert well(prefix=nothing) == 3


# --- attachments ----------------------------------------------------------------------------------

def test_loaded_and_not_attached(one, world):
    assert well() == 0
    ok("-n", world.a, "detach", "veth0")
    assert any("packets reach the shared ports unchanged" in w for w in said()) and well() == 1
    assert run("-n", world.a, "status", "veth0").status == 3
    assert run("-n", world.a, "status", "veth0", "--exit-code").status == 1


def test_no_service(one, world):
    ok("service", "del", "telemetry")
    assert any("no service is loaded" in w for w in said()) and well() == 1


def test_link_state(one, world):
    def links():
        return [i["link"] for i in js("status")["interfaces"]]

    assert links() == ["up"]
    with other_end(world, "down"):
        assert links() == ["no_carrier"] and any(w.startswith("veth0: no carrier: ") for w in said())
        assert re.search(r"^  veth0 +no carrier ", ok("status").out, re.M) and well() == 3
    ctl.ip("-n", world.a, "link", "set", "veth0", "down")
    try:
        assert links() == ["down"]
        assert any(f"(ip -n {world.a} link set veth0 up)" in w for w in said()) and well() == 3
    finally:
        ctl.ip("-n", world.a, "link", "set", "veth0", "up")
    assert well() == 0


@contextlib.contextmanager
def another(world, *names):
    """Network namespaces that nobody keeps open, each with an interface same0 that is attached."""
    made = [world.a[:-1] + name for name in names]
    try:
        for name in made:
            ctl.ip("netns", "add", name)
            ctl.ip("-n", name, "link", "add", "same0", "up", "type", "veth", "peer", "name", "same1")
            ctl.ip("-n", name, "link", "set", "same1", "up")
            ok("-n", name, "attach", "same0")
        yield made
    finally:
        for name in made:
            ctl.ip("netns", "del", name, check=False)


# --- services -------------------------------------------------------------------------------------

def test_interfaces_of_services(load, world):
    def places():
        return {s["name"]: s["interface_state"] for s in js("status")["services"]}

    load([service("any"), service("here", ports=[1], interface="veth0"), service("there", ports=[2], interface="veth2"),
          service("gone", ports=[3], interface="eth7"), service("gone2", ports=[4], interface="eth7")])
    assert places() == {"any": None, "here": "attached", "there": "not_attached", "gone": "missing", "gone2": "missing"}
    out = ok("status").out
    assert re.search(r"^  there +udp +2 +enforce +0 +\S+ +veth2: NOT ATTACHED$", out, re.M), out
    assert re.search(r"^  gone +udp +3 +enforce +0 +\S+ +eth7: DOES NOT EXIST$", out, re.M), out
    assert all(len(line) <= 80 for line in out.splitlines() if line.startswith("  ")), out
    assert len([w for w in said() if "eth7" in w]) == 1 and any(w.startswith("services gone, gone2: interface eth7 ") for w in said())
    assert any("service there: interface veth2 is not attached" in w for w in said()) and well() == 3
    assert js("-n", world.a, "status", "veth0")["services"] == js("status")["services"]
    ok("-n", world.a, "attach", "veth2")
    assert places()["there"] == "attached" and not any("veth2" in w for w in said())
    ok("-n", world.a, "detach", "veth2")


def test_a_renamed_interface_is_what_it_was_to_services(load, world):
    load([service("old", interface="veth0"), service("new", ports=[1], interface="renamed0")])
    ctl.ip("-n", world.a, "link", "set", "veth0", "name", "renamed0")
    try:
        places = {s["name"]: s["interface_state"] for s in js("status")["services"]}
        assert places == {"old": "attached", "new": "not_attached"}
        assert any("interface renamed0 was attached under the name veth0" in w for w in said())
    finally:
        ctl.ip("-n", world.a, "link", "set", "renamed0", "name", "veth0")


def test_observe(load):
    load([service("a", action="observe"), service("b", ports=[1])])
    assert any(w.startswith("service a: observe: ") for w in said()) and well() == 3
    assert re.search(r"^  a +udp +5000 +OBSERVE ", ok("status").out, re.M)
    for name in "cdef":
        ok("service", "add", name, "--proto", "udp", "--port", str(ord(name)), "--tag", "0:4", "--size", "4:99",
           "--action", "observe")
    assert any(w.startswith("services a, c, d and 2 more: observe: ") for w in said())


# --- records of what is gone ----------------------------------------------------------------------

def records():
    return {(i["name"], i["netns"]): i["state"] for i in js("status")["interfaces"]}


def test_detach_gone(one, world):
    with another(world, "c", "d", "e") as (c, d, e):
        assert ctl.change("detach", "--gone")["changed"] is False
        ctl.ip("netns", "del", d)
        ctl.ip("-n", e, "link", "del", "same0")
        assert netns.wait_for(lambda: records()["same0", d] == "gone"), "the kernel is a moment late"
        for name in (d, e):
            assert any(w.startswith("same0: ") and f"network namespace {name}" in w and "gone" in w for w in said())
        assert well() == 3 and records()["same0", d] == "gone"
        # by name and namespace, though that cannot be entered
        assert ctl.change("-n", d, "detach", "--gone", "nosuch0")["changed"] is False
        assert "same0: detached" in ok("-n", d, "detach", "--gone", "same0").out
        assert records() == {("veth0", world.a): "attached", ("same0", c): "attached", ("same0", e): "gone"}
        assert ctl.change("detach", "--gone")["changed"] is True
        assert records() == {("veth0", world.a): "attached", ("same0", c): "attached"}
        assert not any("gone" in w for w in said())
    for wrong in (["detach", "--gone", "--all"], ["detach", "--gone", "--purge"], ["detach"]):
        ctl.assert_error(wrong, 2, "arguments")
    assert ctl.change("detach", "--gone")["changed"] is True


def test_detach_gone_with_nothing_loaded(fresh):
    assert ctl.change("detach", "--gone")["changed"] is False
    assert ctl.change("detach", "--gone", "nosuch0")["changed"] is False


def test_a_program_that_somebody_took_off_is_no_record_of_what_is_gone(one, world):
    """The device is there: only what attaches or detaches it ends that."""
    (pin,) = [p for p in ctl.pins() if re.search(r"/link-\d+$", p)] or pytest.skip("attached by the dispatcher")
    subprocess.run(["rm", pin], check=True)
    assert any(f"(mangle-ctl -n {world.a} attach veth0)" in w for w in said()) and well() == 1
    assert ctl.change("detach", "--gone")["changed"] is False
    assert world.attach().status == 0 and well() == 0


def test_detach_of_one_in_another_namespace(one, world):
    with another(world, "c") as (c,):
        r = ok("-n", world.a, "detach", "veth2")
        assert r.out == "veth2: not attached\nnothing to change\n" and r.err == "", r
        line = ctl.assert_error(["-n", world.a, "detach", "same0"], 1, f"attached in network namespace {c}")
        assert line.endswith(f"(mangle-ctl -n {c} detach same0)")
        ctl.assert_error(["-n", world.a, "detach", "veth0", "--purge"], 1,
                         f"same0: removing the tables: it is still attached, in network namespace {c}")
        # one of that name is here too
        other = world.lab.ns("d")
        ctl.ip("-n", other.name, "link", "add", "same0", "type", "veth", "peer", "name", "same1")
        r = ok("-n", other.name, "detach", "same0")
        assert r.out == "same0: not attached\nnothing to change\n"
        assert r.err == (f"mangle-ctl: warning: same0: it is also attached in network namespace {c}, "
                         "and stays attached there (use -n NAME)\n")
        assert run("-q", "-n", other.name, "detach", "same0").out == ""
        r = run("-n", other.name, "status", "same0")
        assert r.status == 3 and r.out == f"same0: not attached (an interface of that name is attached in network namespace {c})\n", r
        ctl.ip("-n", other.name, "link", "property", "add", "dev", "same0", "altname", "alternative0")
        ok("-n", other.name, "attach", "alternative0")
        assert ok("-n", other.name, "detach", "alternative0").out == "same0: detached\n"
        assert ok("-n", other.name, "detach", "alternative0").out == "alternative0: not attached\nnothing to change\n"
        ctl.ip("netns", "del", other.name)


# --- doctor ---------------------------------------------------------------------------------------

def checks(*args, prefix=()):
    return {(c["name"], c["state"]): c["text"] for c in run("-j", "doctor", *args, prefix=prefix).json()["checks"]}


def test_doctor_reads_what_the_next_boot_loads(fresh, etc):
    def configuration(text):
        prefix = etc(text)
        found = {state: text for (name, state), text in checks(prefix=prefix).items() if name == "configuration"}
        assert len(found) == 1 and ctl.pins() == []
        assert run("doctor", prefix=prefix).status == ("bad" in found)
        return found

    assert "2 entities, can be loaded" in configuration(ROWS)["ok"]
    assert f"(there is no {DEFAULT})" in configuration(None)["ok"]
    assert f"{DEFAULT}:{len(ROWS.splitlines()) + 1}: " in configuration(ROWS + "\tx: [\n")["bad"]
    assert "nosuch.map: " in configuration(dump(service(entities_file="nosuch.map")))["bad"]


def test_doctor_of_what_runs(load, world, etc):
    path = load([service(entities=entities(("ABCD", 6001))), service("b", ports=[1], action="observe", interface="eth7")])
    same, other = etc(path.read_text(encoding="utf-8")), etc(ROWS)
    assert "as it runs" in checks(prefix=same)["configuration", "ok"]
    assert "what runs differs from it" in checks(prefix=other)["configuration", "warn"]
    assert [c["text"] for c in run("-j", "doctor", prefix=same).json()["checks"] if c["name"] == "services"] == [
        w for w in said(prefix=same) if w.startswith("service b")]
    with other_end(world, "down"):
        assert "no carrier" in checks(prefix=same)["veth0", "warn"]
    ok("-n", world.a, "detach", "--all")
    assert "packets reach the shared ports unchanged" in checks(prefix=same)["interfaces", "warn"]


def test_doctor_of_a_well_machine_has_nothing_to_say(load, world, etc):
    path = load(service(entities=entities(("ABCD", 6001))))
    prefix = etc(path.read_text(encoding="utf-8"))
    found = run("-j", "doctor", prefix=prefix).json()["checks"]
    assert {c["state"] for c in found} <= {"ok", "info"}, found
    assert well(prefix=prefix) == 0


def test_doctor_names_nothing_twice():
    assert not [c for c in run("-j", "doctor", "nosuch0").json()["checks"] if c["text"].startswith(c["name"] + ":")]
    assert re.search("^bad +nosuch0: looking for the interface: ", run("doctor", "nosuch0").out, re.M)


def test_doctor_without_bpffs(fresh, world):
    """It is missing in this mount namespace: said once, and not that it would be mounted."""
    prefix = ["unshare", "-m", "sh", "-c", f'while umount -l {ctl.BPFFS} 2>/dev/null; do :; done; exec "$@"', "sh"]
    found = [c for c in run("-j", "doctor", prefix=prefix).json()["checks"] if c["name"] in ("bpffs", "tables")]
    assert [c["state"] for c in found] == ["bad"] and "not mounted in this mount namespace" in found[0]["text"], found


def test_doctor_of_root_without_capabilities(fresh, world):
    prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    found = [c["text"] for c in run("-j", "doctor", "lo", prefix=prefix).json()["checks"]]
    assert any("CAP_BPF is missing" in text and "Permissions in mangle-ctl(8)" in text for text in found), found
    assert not any("run as root" in text or "may refuse native mode" in text for text in found), found


# --- builds ---------------------------------------------------------------------------------------

def test_upgrade_says_from_what_to_what(one, world):
    def build():
        return js("status")["interfaces"][0]["build"]

    own = build()
    assert re.fullmatch("[0-9a-f]{8}", own)
    g = ctl.generation()
    answer = ctl.change("upgrade")
    assert answer["changed"] is False and answer["generation"] == g
    for argv in (["upgrade"], ["upgrade", "--if-needed"]):
        assert ok(*argv).out == f"veth0: already has this build ({own})\nnothing to change\n"
    if not shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin"):
        pytest.skip("wants bpftool")
    ctl.of_another_build()
    assert build() == "01010101" and js("status")["interfaces"][0]["own_build"] is False
    assert any(f"of another build (01010101) than this mangle-ctl ({own})" in w for w in said()) and well() == 3
    assert re.fullmatch(rf"veth0: upgraded, build 01010101 -> {own} \(native, \w+, program \d+\)\n", ok("upgrade").out)
    ctl.of_another_build()
    assert ctl.change("upgrade", "--if-needed")["changed"] is True and build() == own and well() == 0
    program = js("status")["interfaces"][0]["prog_id"]
    assert ctl.change("upgrade", "--if-needed")["changed"] is False
    [now] = js("status")["interfaces"]
    assert now["own_build"] is True and now["prog_id"] == program, "nothing was to be done"
