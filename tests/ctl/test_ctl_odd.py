"""What is taken and may not be meant: warned about once, with the change that brings it."""

import pytest
from conftest import entities, service
from mangletest import ctl
from mangletest.ctl import assert_error, ok

ADD = ["--proto", "udp", "--tag", "0:4", "--size", "4:100"]


def warnings(*args, **kw):
    """What the command, which is carried out, warns about."""
    lines = ok(*args, **kw).err.splitlines()
    assert all(line.startswith("mangle-ctl: warning: ") for line in lines), lines
    return [line.removeprefix("mangle-ctl: warning: ") for line in lines]


def warns(said, *parts):
    """One warning, which has these parts."""
    assert len(said) == 1 and all(p in said[0] for p in parts), (said, parts)


def test_windows_partly_outside(load):
    load(service(size={"min": 16, "max": 1400}))
    warns(warnings("map", "set", "ABCD", "6001", "--size", "10:2000"), "service telemetry: size 10:2000 of ABCD", "16:1400")
    assert not warnings("map", "set", "ABCD", "6002"), "it stays as it was"
    assert not warnings("map", "set", "EFGH", "6003", "--size", "16:1400")
    warns(warnings("map", "load", "-", stdin="IJKL 6004 0:16\nMNOP 6005 1400:1401\nQRST 6006 20:30\n"),
          "size 10:2000 of ABCD is partly", "(and 2 more like it)")
    assert not warnings("map", "load", "-", stdin="UVWX 6007\n"), "said already"
    warns(warnings("service", "set", "telemetry", "--size", "16:1401"), "16:1401", "size 10:2000 of ABCD", "(and 1 more like it)")
    assert not warnings("service", "set", "telemetry", "--size", "0:2000")
    assert "all the same" not in ok("status").out


def test_target_is_a_shared_port(load):
    load([service("left"), service("right", ports=[5001, 5002]), service("tcp", ports=[5003], protocol="tcp", tcp="segment")])
    warns(warnings("map", "set", "--service", "left", "ABCD", "5000"), "service left: target 5000 of ABCD is its own shared port")
    assert not warnings("map", "set", "--service", "left", "ABCD", "5000"), "nothing has changed"
    warns(warnings("map", "set", "--service", "left", "EFGH", "5002"), "target 5002 of EFGH is the shared port of service right")
    assert not warnings("map", "set", "--service", "left", "IJKL", "5003"), "that is TCP's"
    warns(warnings("service", "set", "right", "--unknown", "5000"), "service right: target 5000 of unknown tags", "of service left")
    assert not warnings("service", "set", "right", "--unknown", "pass")
    warns(warnings("service", "set", "left", "--reply", "on"), "target 5002 of EFGH", "; datagrams sent from it get another shared port")
    ok("map", "set", "--service", "left", "EFGH", "drop")
    warns(warnings("map", "load", "--service", "left", "-", stdin="MNOP 5000\n"), "target 5000 of ABCD", "(and 1 more like it)")


def test_target_used_twice(load):
    load([service("left"), service("right", ports=[5001])])
    on = ["--service", "left"]
    assert not warnings("map", "set", *on, "ABCD", "6001")
    warns(warnings("map", "set", *on, "EFGH", "6001"), "service left: EFGH has target 6001, which ABCD has too")
    assert not warnings("map", "set", "--service", "right", "ABCD", "6001"), "another service is another table"
    assert not warnings("map", "set", *on, "EFGH", "drop") and not warnings("map", "set", *on, "ABCD", "drop")
    warns(warnings("map", "replace", *on, "-", stdin="".join(f"A{i:03} {6000 + i // 2}\n" for i in range(10))),
          "A001 has target 6000, which A000 has too (and 4 more like it)")
    assert not warnings("-q", "map", "set", *on, "EFGH", "6001")


def test_interface_that_is_not_there(load):
    load(service())
    warns(warnings("service", "add", "z", "--port", "6020", "--iface", "eth7", *ADD), "z: interface eth7 does not exist here")
    warns(warnings("service", "set", "telemetry", "--iface", "eth8"), "telemetry: interface eth8 does not exist")
    assert not warnings("service", "set", "telemetry", "--iface", "any")
    warns(warnings("service", "set", "z", "--iface", "veth2"), "z: interface veth2 is not attached")
    assert not warnings("service", "set", "z", "--iface", "veth0")


def test_interface_where_nothing_is_attached(fresh):
    warns(warnings("service", "add", "z", "--port", "6020", "--iface", "eth7", *ADD), "service z: interface eth7 does not exist here")
    assert not warnings("service", "set", "z", "--iface", "lo")


def test_with_what_attach_loads(fresh, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\nservices:\n  - name: web\n    protocol: udp\n    ports: 5000\n    tag: { offset: 0, length: 4 }\n"
                    "    size: { min: 4, max: 100 }\n    entities: [{ tag: ABCD, target: 5000 }]\n", encoding="ascii")
    warns(warnings("apply", path, "--check"), "service web: target 5000 of ABCD")
    r = fresh.attach("--config", path)
    assert r.status == 0 and "service web: target 5000 of ABCD is its own shared port" in r.err, r


@pytest.mark.parametrize("name", ["aaa", "zzz"])
def test_a_conflict_is_blamed_on_what_comes(load, name):
    load([service("bulk", reply=True, entities=entities(("ABCD", 6001))), service("ccc", ports=[5001])])
    assert_error(["service", "add", name, "--port", "5000", *ADD], 1, f"^mangle-ctl: {name}: .*service 'bulk'")
    assert_error(["map", "set", "--service", "ccc", "ABCD", "6001"], 1, "^mangle-ctl: ccc: .*service 'bulk'")
    assert_error(["map", "load", "--service", "ccc", "-"], 1, "^mangle-ctl: ccc: .*service 'bulk'", stdin="ABCD 6001\n")
    assert_error(["map", "replace", "--service", "ccc", "-"], 1, "^mangle-ctl: ccc: .*service 'bulk'", stdin="ABCD 6001\n")
    ok("map", "set", "--service", "ccc", "EFGH", "6002")
    assert_error(["map", "set", "--service", "bulk", "EFGH", "6002"], 1, "^mangle-ctl: bulk: .*service 'ccc'")
    assert ctl.js("map", "list", "--service", "bulk")[0]["target"] == 6001
