"""TCP connection mode and replies, as far as no packet is needed: what is refused, the flow table and
its size, what status and doctor say of the host, and what detach asks for."""

import contextlib
import json
import os
import socket
import subprocess
import time

import pytest

from conftest import dump, entities, service
from flows import (BOUND, ENDED, HOME, LIVE, WAITING, bpftool, connect, flow_lines, flow_ports, flow_table, put_flows)
from mangletest import ctl
from mangletest.ctl import assert_error, change, js, ok, run

SHARED_PORT = "on another shared port"
UDP = ["--proto", "udp", "--tag", "0:4", "--size", "4:100"]
TCP = ["--proto", "tcp", "--tag", "0:4", "--size", "4:100"]


@pytest.fixture
def connections(one):
    """TCP connection mode, where the kernel can."""
    checks = js("doctor")["checks"]
    if [c["state"] for c in checks if c["name"] == "TCP connection mode"] != ["ok"]:
        pytest.skip("wants bpf_sk_assign_tcp_reqsk (Linux 6.9)")
    return one


def document(services, flows=None):
    text = dump(services)
    return text if flows is None else text.replace("version: 1\n", f"version: 1\nflows: {flows}\n")


def listed(name):
    return [s for s in js("service", "list") if s["name"] == name][0]


def unchanged():
    """What runs, saved and applied, is no change."""
    saved = ok("save").out
    assert change("apply", "-", stdin=saved)["changed"] is False
    assert ok("save").out == saved
    assert change("apply", "-", stdin=ok("-j", "save").out)["changed"] is False


# --- replies --------------------------------------------------------------------------------------

def test_reply(one):
    ok("service", "set", "telemetry", "--reply", "on")
    assert listed("telemetry")["reply"] is True
    assert "reply on" in ok("service", "list").out
    unchanged()
    ok("service", "add", "other", "--port", "5001", *UDP, "--reply", "on")
    ok("service", "set", "telemetry", "--reply", "off")
    assert listed("telemetry")["reply"] is False
    unchanged()
    assert change("apply", "-", stdin=dump(service(reply=True)))["changed"] is True


def test_reply_is_for_udp_and_one_port(one):
    for tcp in ([], ["--tcp", "segment"], ["--tcp", "connection"]):
        assert_error(["service", "add", "t", "--port", "5009", *TCP, *tcp, "--reply", "on"], 1, "reply is for UDP")
    assert_error(["service", "add", "t", "--port", "5009,5010", *UDP, "--reply", "on"], 1, "t: .*reply and 2 ports")
    ok("service", "set", "telemetry", "--reply", "on")
    assert_error(["service", "set", "telemetry", "--port", "5000,5001"], 1, "reply and 2 ports")
    assert_error(["service", "set", "telemetry", "--proto", "tcp", "--tcp", "segment"], 1, "reply is for UDP")
    assert_error(["apply", "-"], 1, ":3: .*reply and 2 ports", stdin=dump(service(reply=True, ports=[5, 6])))
    ok("service", "set", "telemetry", "--proto", "any", "--tcp", "segment")


def test_reply_with_targets_of_others(load):
    """Whichever comes last is refused: the setting, the row, the table, the policy, the service."""
    load([service("left", entities=entities(("ABCD", 6001), ("EFGH", 6002))),
          service("right", ports=[5001], entities=entities(("ABCD", 6002), ("EFGH", 7001)))])
    both = "left.*right|right.*left"
    for name in ("left", "right"):
        line = assert_error(["service", "set", name, "--reply", "on"], 1, SHARED_PORT)
        assert "6002" in line and "left" in line and "right" in line, line
    ok("map", "set", "--service", "right", "ABCD", "7002")
    ok("service", "set", "left", "--reply", "on")
    # one row
    for name, port in (("right", "6001"), ("left", "7001")):
        assert_error(["map", "set", "--service", name, "WXYZ", port], 1, both)
        assert_error(["map", "set", "--service", name, "ABCD", port], 1, both)
    # tables
    for verb in ("load", "replace"):
        for check in ([], ["--check"]):
            assert_error(["map", verb, "--service", "right", *check, "-"], 1, both, stdin="WXYZ 6001\n")
    # policies and services
    assert_error(["service", "set", "right", "--unknown", "6002"], 1, both)
    assert_error(["service", "add", "third", "--port", "5002", *UDP, "--unknown", "6001"], 1, "left.*third|third.*left")
    assert_error(["apply", "-"], 1, both, stdin=ok("save").out.replace("7002", "6001"))
    # what is no target of a port, and what TCP does there, is nobody's business
    ok("map", "set", "--service", "right", "WXYZ", "drop")
    ok("service", "add", "third", "--port", "5002", *TCP, "--tcp", "segment", "--unknown", "6001")
    unchanged()
    # what is let go of can be had
    ok("map", "del", "--service", "left", "EFGH")
    ok("map", "set", "--service", "right", "ABCD", "6002")
    ok("map", "set", "--service", "left", "ABCD", "6003")
    ok("map", "set", "--service", "right", "ABCD", "6001")
    ok("map", "flush", "--service", "right")
    ok("map", "set", "--service", "left", "ABCD", "7001")
    unchanged()


def test_reply_with_the_same_shared_port(load):
    """They may share a target: there is one port to give back."""
    load([service("left", reply=True, daddr=["192.0.2.0/24"], entities=entities(("ABCD", 6001))),
          service("right", reply=True, entities=entities(("ABCD", 6001)))])
    ok("map", "set", "--service", "right", "EFGH", "6001")
    assert_error(["service", "set", "right", "--port", "5001"], 1, SHARED_PORT)
    unchanged()


def test_rows_of_a_service_with_reply(load):
    """Not in place, and the same to the eye: counted, kept, windows too."""
    load(service(reply=True, entities=entities(("ABCD", 6001, 10, 20))))
    g = ctl.generation()
    assert change("map", "set", "ABCD", "6001")["changed"] is False
    assert change("map", "set", "ABCD", "6002").items() >= {
        "changed": True, "added": 0, "removed": 0, "updated": 1, "generation": g + 1}.items()
    assert js("map", "get", "ABCD")["size"] == {"min": 10, "max": 20}
    ok("map", "set", "ABCD", "6002", "--size", "none")
    assert js("map", "get", "ABCD")["size"] is None
    assert change("map", "set", "EFGH", "6003", "--size", "5:6")["added"] == 1
    assert js("map", "get", "EFGH")["size"] == {"min": 5, "max": 6}
    assert change("map", "del", "EFGH")["removed"] == 1
    assert change("map", "del", "EFGH", "--if-exists")["changed"] is False
    assert_error(["map", "del", "EFGH"], 1, "EFGH")
    assert ctl.generation() == g + 4
    assert [e["text"] for e in js("map", "list")] == ["ABCD"]


def test_reply_from_ephemeral_ports(load, world):
    def said():
        warnings = js("status")["warnings"]
        checks = js("-n", world.a, "doctor")["checks"]
        texts = [c["text"] for c in checks if c["name"] == "connections" and c["state"] == "warn"]
        assert [w for w in warnings if "ephemeral ports" in w] == texts, (warnings, texts)
        return texts

    world.ns_a.sysctl("ipv4/ip_local_port_range", "40000 41000")
    try:
        load(service(reply=True, entities=entities(("ABCD", 39999), ("EFGH", 41001))))
        assert said() == []
        ok("map", "set", "ABCD", "40000")
        assert len(said()) == 1 and "target 40000, from" in said()[0] and "veth0" in said()[0], said()
        ok("map", "set", "EFGH", "41000")
        assert "target 40000 and 1 more" in said()[0]
        world.ns_a.sysctl("ipv4/ip_local_reserved_ports", "9,39990-40000,40500")
        assert "target 41000, from" in said()[0]
        world.ns_a.sysctl("ipv4/ip_local_reserved_ports", "39990-40000,41000")
        assert said() == []
        world.ns_a.sysctl("ipv4/ip_local_reserved_ports", "\n")
        assert "ephemeral ports" in world.attach().err
        assert "ephemeral ports" not in run("-n", world.a, "-q", "attach", "veth0").err
        ok("service", "set", "telemetry", "--reply", "off")
        assert said() == []
    finally:
        world.ns_a.sysctl("ipv4/ip_local_port_range", "32768 60999")
        world.ns_a.sysctl("ipv4/ip_local_reserved_ports", "\n")


# --- TCP connection mode --------------------------------------------------------------------------

def test_connection_is_the_default(connections):
    ok("service", "add", "t", "--port", "5009,5010", *TCP)
    ok("service", "add", "any", "--proto", "any", "--port", "5011", "--tag", "0:4", "--size", "4:100", "--reply", "on")
    for name in ("t", "any"):
        assert listed(name)["tcp"] == "connection"
    assert "tcp connection" in ok("service", "list").out
    assert not any("segment" in w for w in js("status")["warnings"])
    unchanged()
    ok("service", "set", "t", "--tcp", "segment")
    assert any("segment" in w for w in js("status")["warnings"])
    ok("service", "set", "t", "--tcp", "connection")
    doc = document(service("t", protocol="tcp"))
    ok("apply", "-", stdin=doc)
    assert change("apply", "-", stdin=doc.replace("protocol: tcp", "protocol: tcp\n  tcp: connection"))["changed"] is False


def test_connections_to_targets_of_others(connections):
    ok("service", "add", "one", "--port", "5009", *TCP, "--unknown", "7000")
    ok("service", "add", "two", "--port", "5010", *TCP)
    both = "one.*two|two.*one"
    assert_error(["map", "set", "--service", "two", "ABCD", "7000"], 1, both)
    assert_error(["map", "load", "--service", "two", "-"], 1, both, stdin="ABCD 7000\n")
    assert_error(["service", "set", "two", "--unknown", "7000"], 1, both)
    ok("map", "set", "--service", "two", "ABCD", "7001")
    assert_error(["service", "set", "one", "--unknown", "7001"], 1, both)
    assert_error(["service", "add", "three", "--port", "5011", "--unknown", "7001", *TCP], 1, "two.*three|three.*two")
    ok("service", "set", "two", "--tcp", "segment")
    ok("map", "set", "--service", "two", "ABCD", "7000")
    assert_error(["service", "set", "two", "--tcp", "connection"], 1, both)
    # UDP has targets of its own
    ok("map", "set", "--service", "telemetry", "ABCD", "7000")
    ok("service", "set", "telemetry", "--reply", "on")
    unchanged()


def mptcp(world, family, port):
    with world.ns_a.enter():
        try:
            s = socket.socket(family, socket.SOCK_STREAM, 262)
        except OSError:
            pytest.skip("wants MPTCP")
    s.bind(("" if family == socket.AF_INET else "::", port))
    s.listen()
    return s


def test_what_the_host_must_allow(connections, world):
    def said():
        return [w for w in js("status")["warnings"] if w.startswith("veth0: ")]

    def doctor():
        r = run("-n", world.a, "-j", "doctor")
        return r.status, {c["state"] for c in r.json()["checks"] if c["name"] == "connections"}

    loose = "netfilter/nf_conntrack_tcp_loose"
    settings = [("ipv4/tcp_syncookies", 0, 1), ("ipv4/tcp_rfc1337", 1, 0)]
    with world.ns_a.enter():
        if os.path.exists(f"/proc/sys/net/{loose}"):
            settings.append((loose, 0, 1))
    for path, bad, good in settings:
        world.ns_a.sysctl(path, bad)
        try:
            assert said() == [] and doctor() == (0, set()), "no service needs it"
            ok("service", "add", "t", "--port", "5009", *TCP)
            assert len(said()) == 1 and path.split("/")[1] in said()[0], said()
            assert doctor() == ((1, {"bad"}) if "cookies" in path else (0, {"warn"}))
            assert path.split("/")[1] in world.attach().err
        finally:
            world.ns_a.sysctl(path, good)
        assert said() == [] and doctor() == (0, set())
        ok("service", "del", "t")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_mptcp_listens_on_a_target(connections, world, family):
    def said():
        return [w for w in js("status")["warnings"] if "MPTCP" in w]

    ok("service", "add", "t", "--port", "5009", "--unknown", "7001", *TCP)
    ok("map", "set", "--service", "t", "ABCD", "7000")
    with mptcp(world, family, 7002):
        assert said() == []
        with mptcp(world, family, 7000):
            assert len(said()) == 1 and "port 7000:" in said()[0], said()
            with mptcp(world, family, 7001):
                assert "port 7000 and 1 more" in said()[0]
            ok("service", "set", "t", "--tcp", "segment")
            assert said() == []
            ok("service", "set", "t", "--tcp", "connection")
        assert said() == []
    with mptcp(world, family, 5009):  # `pass` leads there
        assert "port 5009:" in said()[0]


# --- the flow table -------------------------------------------------------------------------------

def flows():
    return js("status")["flows"]


def test_flow_table_comes_with_the_first_service(connections, fresh):
    ok("apply", "-", stdin=document(service()))
    assert flows() is None and flow_table() == (None, None)
    assert "flows" not in ok("status").out
    ok("apply", "-", stdin=document(service(), flows=2048))
    assert flows() is None, "nothing needs it yet"
    assert "flows: 2048" in ok("save").out and '"flows":2048' in ok("-j", "save").out
    ok("service", "add", "t", "--port", "5009", *TCP)
    assert flows() == {"size": 2048, "used": 0}
    assert "flows: 0 of 2048\n" in ok("status").out
    number, info = flow_table()
    assert info["type"] == "lru_hash" and info["max_entries"] >= 2 * 2048
    put_flows(flow_lines(number, ("192.0.2.1", 1000), ("192.0.2.9", 7000), WAITING)
              + flow_lines(number, ("192.0.2.1", 1001), ("192.0.2.9", 7000), BOUND)
              + flow_lines(number, ("2001:db8::1", 1001), ("2001:db8::9", 7000), LIVE))
    assert flows() == {"size": 2048, "used": 3}
    # other changes leave it alone, its last service too
    ok("service", "set", "t", "--unknown", "7000")
    ok("service", "del", "t")
    assert flow_table()[0] == number and flows()["used"] == 3
    unchanged()


def test_a_full_flow_table_is_said(connections, fresh):
    ok("apply", "-", stdin=document(service("t", protocol="tcp"), flows=1024))
    number, _ = flow_table()

    def fill(first, last):
        put_flows([line for i in range(first, last)
                   for line in flow_lines(number, ("192.0.2.1", 1000 + i), ("192.0.2.9", 7000), LIVE)])
        return [w for w in js("status")["warnings"] if w.startswith("flows: ")]

    assert fill(0, 900) == []
    (nearly,) = fill(900, 930)
    assert "930 of 1024: nearly full" in nearly
    (full,) = fill(930, 1024)
    assert "1024 of 1024: full" in full and "flows: 1024 of 1024 FULL\n" in ok("status").out
    assert any(c["name"] == "flows" and c["state"] == "warn" for c in js("doctor")["checks"])
    assert run("status", "--exit-code").status in (1, 3)


def test_flows_in_the_file(connections):
    t = service("t", protocol="tcp")
    assert change("apply", "-", stdin=document(t))["changed"]
    assert flows()["size"] == 65536 and "flows" not in ok("save").out and '"flows"' not in ok("-j", "save").out
    assert change("apply", "-", stdin=document(t, flows=65536))["changed"] is False
    g = ctl.generation()
    assert change("apply", "-", "--check", stdin=document(t, flows=1024))["updated"] == 1
    assert "~ flows" in ok("apply", "-", "--check", stdin=document(t, flows=1024)).out
    assert flows()["size"] == 65536
    assert change("apply", "-", stdin=document(t, flows=1024)).items() >= {
        "changed": True, "added": 0, "removed": 0, "updated": 1, "generation": g + 1}.items()
    assert flows()["size"] == 1024
    unchanged()
    assert change("service", "set", "t", "--unknown", "7000")["updated"] == 1
    assert flows()["size"] == 1024, "what changes services does not change it"
    for bad in ("1023", "4194305", "'2048'", "-1", "many", "[2048]"):
        assert_error(["apply", "-"], 1, ":2: .*flows", stdin=document(t, flows=bad))
    assert change("apply", "-", stdin=document(t))["updated"] >= 1
    assert flows()["size"] == 65536


def test_another_size_keeps_connections(connections):
    t = service("t", protocol="tcp")
    ok("apply", "-", stdin=document(t, flows=2048))
    number = flow_table()[0]
    put_flows([line for i in range(1000)
               for line in flow_lines(number, ("192.0.2.1", 1000 + i), ("192.0.2.9", 7000), LIVE)])
    before = sorted(map(str, json.loads(bpftool("map", "dump", "id", number))))
    assert len(before) == 2000
    for size in (8192, 65536, 2048):
        ok("apply", "-", stdin=document(t, flows=size))
        assert flow_table()[0] != number
        number = flow_table()[0]
        assert sorted(map(str, json.loads(bpftool("map", "dump", "id", number)))) == before
        assert flows() == {"size": size, "used": 1000}
        assert len([p for p in ctl.pins() if p.endswith(f"inner/{number}")]) == 1
    # nothing of the tables before is left
    inner = [int(os.path.basename(p)) for p in ctl.pins() if "/inner/" in p]
    kinds = [json.loads(bpftool("map", "show", "id", i))["type"] for i in inner]
    assert kinds.count("lru_hash") == 1, kinds


def test_killed_while_the_size_changes(connections):
    t = service("t", protocol="tcp")
    docs = [document(t, flows=size).encode() for size in (4096, 8192)]
    ok("apply", "-", stdin=docs[0])
    number = flow_table()[0]
    put_flows([line for i in range(2000)
               for line in flow_lines(number, ("192.0.2.1", 1000 + i), ("192.0.2.9", 7000), LIVE)])
    start = time.monotonic()
    ok("apply", "-", stdin=docs[1])
    took = time.monotonic() - start
    for i in range(20):
        with subprocess.Popen([ctl.BIN, "apply", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as p:
            p.stdin.write(docs[i % 2])
            p.stdin.close()
            time.sleep(took * i / 20)
            p.kill()
        now = flows()
        assert now["used"] == 2000 and now["size"] in (4096, 8192), f"killed after {took * i / 20:.4f} s: {now}"
        assert flow_table()[1]["max_entries"] // 8192 == now["size"] // 4096
        g = ctl.generation()
        ok("service", "set", "t", "--unknown", str(7000 + i), "--wait", "0")
        assert ctl.generation() == g + 1
        unchanged()


def test_killed_while_the_first_is_made(one, connections):
    docs = [document(service()).encode(), document([service(), service("t", protocol="tcp", ports=[5009])]).encode()]
    start = time.monotonic()
    ok("apply", "-", stdin=docs[1])
    took = time.monotonic() - start
    for i in range(10):
        ctl.purge()
        ok("apply", "-", stdin=docs[0])
        with subprocess.Popen([ctl.BIN, "apply", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as p:
            p.stdin.write(docs[1])
            p.stdin.close()
            time.sleep(took * i / 10)
            p.kill()
        loaded = len(js("service", "list")) == 2
        assert (flows() is not None) == loaded and (flow_table()[0] is not None) == loaded
        ok("apply", "-", stdin=docs[1])
        assert flows() == {"size": 65536, "used": 0}


# --- detach ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("family, bind_to, server, client", [
    (socket.AF_INET, "", "127.0.0.1", "127.0.0.2"),
    (socket.AF_INET6, "::", "127.0.0.1", "127.0.0.2"),  # as ::ffff:127.0.0.1
    (socket.AF_INET6, "::1", "::1", "::1"),
], ids=["v4", "dual", "v6"])
def test_detach_asks_for_bound_connections(connections, world, family, bind_to, server, client):
    ok("service", "add", "t", "--port", "5009", *TCP, "--unknown", "7000")
    number = flow_table()[0]
    inode = os.fstat(world.ns_a.fd).st_ino
    with contextlib.ExitStack() as stack:
        far, near = connect(world, stack, family, server, client, bind_to)
        ends = (client, near.getsockname()[1]), (server, 7000)
        # neither of these is a bound connection that lives here
        put_flows(flow_lines(number, *ends, WAITING, netns=inode)
                  + flow_lines(number, *ends, LIVE, netns=inode + 1)
                  + flow_lines(number, (client, 9), ends[1], LIVE, netns=inode)
                  + flow_lines(number, ends[0], (server, 7001), LIVE, shared=5010, netns=inode))
        ok("-n", world.a, "detach", "veth0")
        assert world.attach().status == 0
        for state in (BOUND, LIVE):
            put_flows(flow_lines(number, *ends, state, netns=inode))
            for argv in (["veth0"], ["--all"], ["--all", "--purge"]):
                line = assert_error(["-n", world.a, "detach", *argv], 1, "veth0: detaching: 1 bound TCP connection would")
                assert "--force" in line, line
        # not while another interface serves the same namespace
        assert world.attach(dev="veth2").status == 0
        ok("-n", world.a, "detach", "veth2")
        assert_error(["-n", world.a, "detach", "veth0"], 1, "--force")
        assert world.attach(dev="veth2").status == 0
        ok("-n", world.a, "detach", "veth0")
        assert_error(["-n", world.a, "detach", "veth2"], 1, "veth2")
        ok("-n", world.a, "detach", "veth2", "--force")
        assert world.attach().status == 0
        # half closed it lives still; what is in TIME_WAIT does not
        far.shutdown(socket.SHUT_WR)
        assert near.recv(1) == b""
        assert_error(["-n", world.a, "detach", "veth0"], 1, "--force")
        near.close()
        far.close()
        time.sleep(0.1)
        ok("-n", world.a, "detach", "veth0")


# --- changes that cut off -------------------------------------------------------------------------


def test_changes_ask_for_bound_connections(connections, world):
    t = service("t", protocol="tcp", ports=[5009], unknown=7000)
    ok("apply", "-", stdin=document(t))
    number, inode = flow_table()[0], os.fstat(world.ns_a.fd).st_ino
    assert world.attach().status == 0
    taking = [["service", "del", "t"], ["service", "set", "t", "--port", "5010"],
              ["service", "set", "t", "--tcp", "segment"], ["service", "set", "t", "--proto", "udp"]]
    files = [document([]), document({**t, "tcp": "segment"}), document({**t, "ports": [5010]})]
    with contextlib.ExitStack() as stack:
        near = connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "")[1]
        other = connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "", port=7001)[1]
        ends, others = [((HOME[0], s.getsockname()[1]), (HOME[1], s.getpeername()[1])) for s in (near, other)]
        put_flows(flow_lines(number, *ends, LIVE, netns=inode))
        g = ctl.generation()
        line = "t: taking TCP port 5009 away: 1 bound connection would be cut off .close it, or use --force.$"
        for argv in taking:
            assert_error(argv, 1, line)
        for text in files:
            assert_error(["apply", "-"], 1, line, stdin=text)
            assert_error(["apply", "-", "--check"], 1, line, stdin=text)
        # that of another port is another matter
        ok("service", "add", "u", "--port", "5008", "--unknown", "7001", *TCP)
        put_flows(flow_lines(number, *others, BOUND, shared=5008, netns=inode))
        for argv in taking:
            assert_error(argv, 1, line)
        assert_error(["service", "del", "u"], 1, "u: taking TCP port 5008 away: 1 bound")
        put_flows(flow_lines(number, *others, BOUND, netns=inode))
        assert_error(["service", "del", "t"], 1, "2 bound connections would be cut off .close them, ")
        ok("service", "del", "u", "--force")
        assert ctl.generation() == g + 2
        # what leaves them where they are
        ok("service", "set", "t", "--action", "observe")
        ok("service", "set", "t", "--port", "5009,5010")
        ok("service", "add", "heir", "--port", "5009", "--daddr", "127.0.0.0/8", *TCP)
        ok("service", "del", "t")
        ok("apply", "-", stdin=document({**t, "name": "renamed"}))
        # whom nobody serves now is not cut off by that
        ok("-n", world.a, "detach", "veth0", "--force")
        ok("apply", "-", stdin=document([]))
        ok("apply", "-", stdin=document(t))
        assert world.attach().status == 0
        for argv in (["service", "del", "t"], ["service", "set", "t", "--tcp", "segment"]):
            assert_error(argv, 1, "taking TCP port 5009 away")
            ok(*argv, "--force")
            ok("apply", "-", "--force", stdin=document(t))
        assert_error(["apply", "-"], 1, "taking TCP port 5009 away", stdin=files[0])
        ok("apply", "-", "--check", "--force", stdin=files[0])
        ok("apply", "-", "--force", stdin=files[0])


def test_what_is_no_bound_connection(connections, world):
    ok("service", "add", "t", "--port", "5009", "--unknown", "7000", *TCP)
    number, inode = flow_table()[0], os.fstat(world.ns_a.fd).st_ino
    assert world.attach().status == 0
    with contextlib.ExitStack() as stack:
        near = connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "")[1]
        passed = connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "", port=5009)[1]
        ends = (HOME[0], near.getsockname()[1]), (HOME[1], 7000)
        put_flows(flow_lines(number, *ends, WAITING, netns=inode)
                  + flow_lines(number, *ends, LIVE, netns=inode + 1)
                  + flow_lines(number, *ends, LIVE, shared=5008, netns=inode)
                  + flow_lines(number, (HOME[0], 9), ends[1], LIVE, netns=inode)
                  + flow_lines(number, (HOME[0], passed.getsockname()[1]), (HOME[1], 5009), LIVE, netns=inode))
        ok("service", "del", "t")


# --- connections that are over --------------------------------------------------------------------

@pytest.mark.parametrize("how", ["attach", "service", "second"])
def test_entries_of_connections_that_are_over(connections, world, how):
    """Before the program acts on the flow table, nothing is left in it that would take a later connection."""
    add = ["service", "add", "t", "--port", "5009", "--unknown", "7000", *TCP]
    begin = {"attach": ["-n", world.a, "attach", "veth0"], "service": add, "second": ["-n", world.a, "attach", "veth2"]}[how]
    ctl.purge()
    ok(*add)
    number, inode = flow_table()[0], os.fstat(world.ns_a.fd).st_ino
    if how == "second":
        ok("-n", world.a, "attach", "veth0")
    elif how == "service":
        ok("-n", world.a, "attach", "veth0")
        ok("service", "del", "t")
    with contextlib.ExitStack() as stack:
        bound = connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "")[1].getsockname()[1]
        # one that went on without mangle, while the old one's server has not heard of its end
        half = connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "", port=7001)[1].getsockname()[1]
        connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "", port=5009, own=half)
        passed = connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "", port=5009)[1].getsockname()[1]
        later = connect(world, stack, socket.AF_INET, HOME[1], HOME[0], "", port=5009)[1].getsockname()[1]

        def lines(port, target, state=LIVE, shared=5009, netns=inode):
            return flow_lines(number, (HOME[0], port), (HOME[1], target), state, shared, netns)

        dead = lines(9, 7000) + lines(10, 7000, BOUND) + lines(11, 0, WAITING) + lines(12, 7000, ENDED) + lines(13, 5009)
        put_flows(lines(bound, 7000) + lines(passed, 5009) + dead
                  + lines(half, 7001) + lines(later, 7000) + lines(later, 7000, WAITING)
                  + lines(14, 7000, shared=5008) + lines(15, 7000, netns=inode + 1)
                  + lines(16, 7000)[1:])  # a way back alone
        kept = {(bound, 5009, False), (bound, 7000, True), (passed, 5009, False),
                (14, 5008, False), (14, 7000, True), (15, 5009, False), (15, 7000, True)}
        gone = {(9, 5009, False), (9, 7000, True), (10, 5009, False), (10, 7000, True), (11, 5009, False),
                (12, 5009, False), (13, 5009, False), (16, 7000, True)}
        taken = {(half, 5009, False), (half, 7001, True), (later, 5009, False), (later, 7000, True)}
        before = kept | gone | taken
        assert flow_ports(number) == before
        if how == "second":
            ok("-n", world.a, "attach", "veth0")
            assert flow_ports(number) == before, "nothing begins there"
        assert_error([*begin, "--mode", "nonsense"] if how != "service" else [*add, "--tcp", "nonsense"], 2, "nonsense")
        ok(*begin, *(["--force"] if how == "service" else []))
        assert flow_ports(number) == (kept | gone if how == "second" else kept)
        put_flows(dead)
        ok(*begin)
        assert flow_ports(number) >= gone - {(16, 7000, True)}, "nothing begins anew"
