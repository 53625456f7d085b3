"""What status and doctor say: what is wrong as a warning, what needs nothing done as a note, and neither of what is not so."""

from mangletest import ctl
from mangletest.ctl import js, ok


def test_what_needs_nothing_done_is_info(world, one):
    checks = js("-n", world.a, "doctor", "veth0")["checks"]
    assert {c["state"] for c in checks} <= {"ok", "info", "warn", "bad"}, checks
    for c in checks:
        if "VLAN stripping is on" in c["text"] or "does not let programs share" in c["text"]:
            assert c["state"] == "info" and "(" not in c["text"], c
    text = ctl.run("-n", world.a, "doctor", "veth0").out
    assert all(line.split()[0] in ("ok", "info", "warn", "bad") for line in text.splitlines()), text


def test_status_lists_notes_apart_from_warnings(one):
    said = js("status")
    assert isinstance(said["warnings"], list) and isinstance(said["info"], list)
    lines = ok("status").out.splitlines()
    assert [line[9:] for line in lines if line.startswith("warning: ")] == said["warnings"]
    assert [line[6:] for line in lines if line.startswith("note: ")] == said["info"]
