"""Counters: stats, what an entity has counted, when it was last seen. With real packets."""

import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import dump, entities, service
from mangletest import ctl, netns
from mangletest.ctl import js, ok
from mangletest.frames import frame

REASONS = {"not_ip", "malformed_ip", "later_fragment", "not_udp_tcp", "routing_header", "tcp_fragment",
           "malformed_l4", "no_service", "no_payload", "too_short", "too_long", "no_tag", "unknown_tag",
           "entity_drop", "entity_pass", "rewritten"}
VERDICTS = ("rewritten", "passed", "dropped", "answered")


def consistent(s):
    p = s["packets"]
    assert p["seen"] == sum(p[v] for v in VERDICTS) == sum(r["packets"] for r in s["reasons"].values()), s


def stats():
    s = js("stats")
    assert REASONS <= s["reasons"].keys(), REASONS - s["reasons"].keys()
    for r in s["reasons"].values():
        assert type(r["packets"]) is int and type(r["bytes"]) is int
    for part in (s, *s["services"].values()):
        consistent(part)
    return s


def rows(*args):
    return {e["text"] or e["tag"]: e for e in js("map", "list", *args)}


@pytest.fixture
def clean(fresh, tmp_path):
    """clean(services): freshly loaded, so all counters begin at 0, and attached to veth0."""
    def call(services):
        path = tmp_path / "clean.yaml"
        path.write_text(dump(services), encoding="ascii")
        r = fresh.attach("--config", path)
        assert r.status == 0, r
        return fresh
    return call


def test_before_any_packet(clean):
    clean(service(entities=entities(("ABCD", 6001))))
    s = stats()["services"]["telemetry"]
    assert s["packets"] == dict.fromkeys(("seen", *VERDICTS), 0)
    row = rows()["ABCD"]
    assert (row["packets"], row["bytes"], row["last_seen"]) == (0, 0, None)


def test_every_verdict_counts(clean):
    world = clean([service("telemetry", invalid="drop", size={"min": 6, "max": 100}, entities=entities(
        ("ABCD", 6001), ("EFGH", "drop"), ("IJKL", "pass"), ("MNOP", 6002, 10, 12))),
        service("other", ports=[5001], unknown=6003)])
    before = stats()
    world.send(*["ABCD--"] * 7, listen=6001)
    world.send(*["ABCD-------"] * 3, listen=6001, version=6)
    world.send(*["IJKL--"] * 2)
    world.send("MNOP123456", listen=6002)
    world.send("WXYZ--")
    world.send("zzzz", "yyyy", port=5001, listen=6003)
    world.send("ABCD--", port=5002)
    server, client = netns.addresses(1, 4)
    with world.lab.sockets():
        s = world.ns_b.udp(client, 0)
        for text in ("EFGH--", "EFGH---", "short", "A" * 101, "MNOP12345"):
            s.sendto(text.encode(), (server, 5000))
    world.send("ABCD--", listen=6001)  # arrives after the dropped ones: they have been counted by now
    after = stats()
    tele = after["services"]["telemetry"]
    assert tele["packets"] == {"seen": 20, "rewritten": 12, "passed": 3, "dropped": 5, "answered": 0}, tele
    assert {k: v["packets"] for k, v in tele["reasons"].items() if v["packets"]} == {
        "rewritten": 12, "entity_pass": 2, "unknown_tag": 1, "entity_drop": 2, "too_short": 2, "too_long": 1}
    other = after["services"]["other"]
    assert other["packets"] == {"seen": 2, "rewritten": 2, "passed": 0, "dropped": 0, "answered": 0}
    assert other["reasons"]["unknown_tag"] == {**other["reasons"]["unknown_tag"], "packets": 2, "bytes": 2 * (42 + 4)}
    assert tele["reasons"]["entity_pass"]["bytes"] == 2 * (42 + 6)
    assert after["packets"]["rewritten"] - before["packets"]["rewritten"] == 14
    assert after["packets"]["dropped"] - before["packets"]["dropped"] == 5
    assert after["reasons"]["no_service"]["packets"] - before["reasons"]["no_service"]["packets"] == 1
    got = rows("--service", "telemetry")
    assert {k: (e["packets"], e["bytes"]) for k, e in got.items()} == {
        "ABCD": (11, 8 * (42 + 6) + 3 * (62 + 11)), "EFGH": (2, 42 + 6 + 42 + 7), "IJKL": (2, 2 * 48),
        "MNOP": (2, 42 + 10 + 42 + 9)}, "an entity counts every frame whose verdict it gave"
    text = ok("stats", "-v").out
    for word in ("telemetry", "other", "entity_drop", "unknown_tag", "too_long"):
        assert word in text, word
    one = js("stats", "--service", "other")
    assert "other" in one["services"] and "telemetry" not in one["services"]


def test_last_seen(clean):
    world = clean(service(entities=entities(("ABCD", 6001), ("EFGH", 6002))))
    first = time.time()
    world.send("ABCD", listen=6001)
    seen = rows()["ABCD"]["last_seen"]
    assert first - 1.1 <= seen <= time.time() + 1.1, "UTC since 1970, right to a second"
    assert abs(js("map", "get", "ABCD")["last_seen"] - seen) <= 1
    assert rows()["EFGH"]["last_seen"] is None
    assert set(rows("--idle", "60")) == {"EFGH"}
    time.sleep(2.2)
    assert abs(rows()["ABCD"]["last_seen"] - seen) <= 1, "does not go on by itself"
    assert set(rows("--idle", "1")) == {"ABCD", "EFGH"}
    assert set(rows("--idle", "60")) == {"EFGH"}
    again = time.time()
    world.send("ABCD", listen=6001)
    assert again - 1.1 <= rows()["ABCD"]["last_seen"] <= time.time() + 1.1
    assert rows()["ABCD"]["last_seen"] > seen


def test_sorting(clean):
    world = clean(service(entities=entities(("AAAA", 6001), ("BBBB", 6001), ("CCCC", 6001), ("DDDD", 6001))))
    world.send(*["BBBB" + "x" * 1000], listen=6001)
    time.sleep(2.1)
    world.send(*["CCCC"] * 5, listen=6001)
    time.sleep(2.1)
    world.send(*["AAAA"] * 3, listen=6001)

    def order(*args):
        return [e["text"] for e in js("map", "list", *args)]

    assert order("--sort", "tag") == ["AAAA", "BBBB", "CCCC", "DDDD"]
    assert order("--sort", "packets") == ["CCCC", "AAAA", "BBBB", "DDDD"], "most first"
    assert order("--sort", "bytes") == ["BBBB", "CCCC", "AAAA", "DDDD"], "most first"
    seen = order("--sort", "last-seen")
    assert seen in (["AAAA", "CCCC", "BBBB", "DDDD"], ["DDDD", "BBBB", "CCCC", "AAAA"]), seen
    assert order("--sort", "packets", "--limit", "2") == ["CCCC", "AAAA"]
    assert order("--sort", "packets", "--match", "[AB]*") == ["AAAA", "BBBB"]
    text = ok("map", "list", "--sort", "packets").out
    assert text.index("CCCC") < text.index("AAAA") < text.index("BBBB") < text.index("DDDD")


@pytest.mark.parametrize("how", ["set", "load", "replace", "apply", "window", "service set", "attach again"])
def test_counters_go_on(clean, tmp_path, how):
    """Counters of entities in both the old table and the new go on; of new ones begin at 0."""
    world = clean(service(entities=entities(("ABCD", 6001), ("EFGH", 6002))))
    world.send(*["ABCD"] * 4, listen=6001)
    world.send(*["EFGH"] * 2, listen=6002)
    was = rows()["ABCD"]
    counted = stats()["services"]["telemetry"]
    if how == "set":
        ok("map", "set", "ABCD", "6003")
    elif how == "load":
        ok("map", "load", "-", stdin="ABCD 6003\nWXYZ 6004\n")
    elif how == "replace":
        ok("map", "replace", "-", stdin="WXYZ 6004\nABCD 6003\nAAAA 6005\n")
    elif how == "apply":
        ok("apply", "-", stdin=dump([service("added", ports=[5009]), service(
            size={"min": 4, "max": 1000}, entities=entities(("AAAA", 6005), ("ABCD", 6003), ("WXYZ", 6004)))]))
    elif how == "window":
        ok("map", "set", "ABCD", "6003", "--size", "4:100")
    elif how == "service set":
        ok("map", "set", "ABCD", "6003")
        ok("service", "set", "telemetry", "--invalid", "drop", "--size", "4:1000")
    else:
        ok("map", "set", "ABCD", "6003")
        ok("-n", world.a, "detach", "veth0")
        ok("-n", world.a, "attach", "veth0")
    now = rows()["ABCD"]
    assert (now["packets"], now["bytes"]) == (was["packets"], was["bytes"])
    assert abs(now["last_seen"] - was["last_seen"]) <= 1
    assert stats()["services"]["telemetry"]["reasons"] == counted["reasons"]
    world.send("ABCD", listen=6003)
    assert rows()["ABCD"]["packets"] == 5
    if "WXYZ" in rows():
        assert rows()["WXYZ"]["packets"] == 0


def test_counters_go_on_as_the_table_grows_and_shrinks(clean):
    world = clean(service(entities=entities(*((f"{i:04d}", 6001) for i in range(50)))))
    world.send(*(f"{i:04d}" for i in range(50) for _ in range(i)), listen=6001)
    keep = "".join(f"{i:04d} {6001 + i}\n" for i in range(50))
    more = [f"0x{i:08x} 1\n" for i in range(60000)]
    for text in (keep + "".join(more), keep, "".join(more[:30000]) + keep, keep + "WXYZ 1\n"):
        ok("map", "replace", "-", stdin=text)
        got = rows()
        assert {i: got[f"{i:04d}"]["packets"] for i in range(50)} == {i: i for i in range(50)}
        assert all(e["packets"] == 0 and e["last_seen"] is None for t, e in got.items() if not t.isdigit() or len(t) > 4)


@pytest.mark.parametrize("how", ["replace", "set", "apply", "service"])
def test_nothing_is_missed_while_tables_change(clean, how):
    """Packets keep coming, the whole time on the right port, and each of them is counted."""
    world = clean(service(entities=entities(("ABCD", 6001))))
    end, sent = threading.Event(), []

    def sender():
        while not end.is_set():
            world.send(*["ABCD"] * 500, listen=6001)
            sent.append(500)

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(sender)
        try:
            for i in range(40):
                few = "ABCD 6001\n" + "".join(f"{n:04d} 1\n" for n in range(i % 5 * 300))
                if how == "replace":
                    ok("map", "replace", "-", stdin=few)
                elif how == "set":
                    ok("map", "set", "WXYZ", str(i % 2 + 1))
                    ok("map", "set", "ABCD", "6001", "--size", f"4:{1000 + i % 2}")
                    ok("map", "del", "WXYZ")
                elif how == "apply":
                    ok("apply", "-", stdin=dump([service("other", ports=[5009 + i % 2]), service(
                        size={"min": 4, "max": 1000 + i % 2}, entities=entities(("ABCD", 6001), (f"{i:04d}", 1)))]))
                else:
                    ok("service", "set", "telemetry", "--size", f"4:{1000 + i % 2}")
                    ok("service", "add", "other", "--proto", "udp", "--port", "5009", "--tag", "0:4", "--size", "4:100")
                    ok("service", "del", "other")
        finally:
            end.set()
        job.result()  # raises where a packet did not arrive on its port
    row = next(e for e in js("map", "list", "--service", "telemetry") if e["text"] == "ABCD")
    s = stats()["services"]["telemetry"]["packets"]
    assert (row["packets"], s["seen"], s["rewritten"]) == (sum(sent),) * 3


def test_removed_and_added_again_begins_at_zero(clean):
    world = clean(service(entities=entities(("ABCD", 6001))))
    world.send(*["ABCD"] * 4, listen=6001)
    ok("map", "del", "ABCD")
    ok("map", "set", "EFGH", "6001")
    ok("map", "set", "ABCD", "6001")
    for tag in ("ABCD", "EFGH"):
        assert (rows()[tag]["packets"], rows()[tag]["last_seen"]) == (0, None), "no stranger's count"


def test_observe(clean):
    world = clean(service(action="observe", invalid="drop", unknown="drop",
                          entities=entities(("ABCD", 6001), ("EFGH", "drop"))))
    world.send("ABCD", "EFGH", "WXYZ", "A")
    s = stats()["services"]["telemetry"]
    assert s["packets"]["seen"] == 4
    assert {k: v["packets"] for k, v in s["reasons"].items() if v["packets"]} == {
        "rewritten": 1, "entity_drop": 1, "unknown_tag": 1, "too_short": 1}
    assert rows()["ABCD"]["packets"] == 1 and rows()["EFGH"]["packets"] == 1


def test_interface(clean):
    """A service that names an interface has its packets only, and goes before one that names none,
    even if that one names the protocol."""
    world = clean([service("any"), service("first", interface="veth0", protocol="any", tcp="segment"),
                   service("second", interface="veth2", ports=[5001])])
    ok("-n", world.a, "attach", "veth2")
    for net, port, name in ((1, 5000, "first"), (2, 5000, "any"), (2, 5001, "second"), (1, 5001, None)):
        before = {n: s["packets"]["seen"] for n, s in stats()["services"].items()}
        world.send("WXYZ", port=port, net=net)
        after = {n: s["packets"]["seen"] for n, s in stats()["services"].items()}
        assert {n for n in after if after[n] != before[n]} == ({name} if name else set()), (net, port)


def test_both_interfaces_count_into_one_table(clean):
    world = clean(service(entities=entities(("ABCD", 6001))))
    ok("-n", world.a, "attach", "veth2", "--mode", "generic")
    world.send(*["ABCD"] * 30, listen=6001)
    world.send(*["ABCD"] * 20, listen=6001, net=2)
    assert rows()["ABCD"]["packets"] == 50


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_exact(fresh, tmp_path, mode):
    path = tmp_path / "c.yaml"
    path.write_text(dump(service(entities=entities(*((f"{i:04d}", 6001) for i in range(50))))), encoding="ascii")
    assert fresh.attach("--config", path, "--mode", mode).status == 0
    payloads = [f"{i % 50:04d}" + "x" * (i % 17) for i in range(2000)]
    fresh.send(*payloads, listen=6001)
    for tag, row in rows().items():
        mine = [len(p) + 42 for p in payloads if p.startswith(tag)]
        assert (row["packets"], row["bytes"]) == (len(mine), sum(mine)), tag


def test_bytes_count_from_the_ethernet_header_on(clean):
    """Padding that came with the frame counts too: the frame is what is counted."""
    world = clean(service(entities=entities(("ABCD", 6001))))
    server, client = netns.addresses(1, 4)
    data = frame("ABCD", src=client, dst=server, trailer=b"\0" * 14)
    data = bytes.fromhex((netns.mac_of("veth0") + netns.mac_of("veth1")).replace(":", "")) + data[12:]
    with world.lab.sockets():
        sink = world.ns_a.udp(server, 6001)
        world.ns_b.raw("veth1").send(data)
        assert netns.drain([sink], 1)[sink] == [b"ABCD"]
    assert rows()["ABCD"]["bytes"] == len(data) == 60


@pytest.mark.parametrize("options", [[], ["-j"]])
def test_watch(one, options):
    """Goes on until it is told to end."""
    with subprocess.Popen([ctl.BIN, "stats", "--watch", *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as p:
        try:
            first = p.stdout.read1(65536)
            assert first, "prints at once"
            assert p.stdout.read1(65536), "and again"
            assert p.poll() is None
            p.send_signal(signal.SIGINT)
            assert p.wait(5) in (0, -signal.SIGINT, 130)
            assert p.stderr.read() == b""
        finally:
            p.kill()
    assert b"telemetry" in first or b"rewritten" in first


def test_watch_ends_with_its_reader(one):
    with subprocess.Popen([ctl.BIN, "stats", "--watch", "-j"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        try:
            assert p.stdout.read1(10)
            p.stdout.close()
            p.wait(15)
        finally:
            p.kill()


def test_stats_after_services_changed(two, world):
    """A service's numbers leave with it; the sums stay right."""
    world.send("ABCD", listen=6001)
    ok("service", "del", "left")
    s = stats()
    assert set(s["services"]) == {"right"}
    ok("service", "add", "left", "--proto", "udp", "--port", "5000", "--tag", "0:4", "--size", "4:100")
    assert stats()["services"]["left"]["packets"]["seen"] == 0
