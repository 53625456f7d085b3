"""Changes under load: not one packet is lost, goes unmangled, or finds a mixture of old and new."""

import signal
import threading
import time

import pytest
from mangletest import ctl, netns

import live
from live import LONG

COUNT = 4096
MANY = 100000
PORTS = list(range(6000, 6008))
TAGS = [b"%04x" % (i * 16 + 3) for i in range(COUNT)]
# the two tables have all tags in common; tag i leads to PORTS[i mod 4], or to PORTS[4 + i mod 4]
TABLES = [live.table({t: PORTS[4 * half + i % 4] for i, t in enumerate(TAGS)}) for half in (0, 1)]
RATE = 60000


@pytest.fixture
def loaded(line, mangle, request):
    mode = getattr(request, "param", "native")
    mangle.attach(line.mid, "m0", mode=mode, text=live.config())
    ctl.ok("map", "load", "-", stdin=TABLES[0])
    line.mangle = mangle
    return line


@pytest.fixture
def stream(loaded, blast, tmp_path):
    """Traffic over all entities; the sequence number's last two bits say which ports it may go to."""
    made = live.Stream(blast, loaded, TAGS, PORTS, rate=RATE, modulo=4, tmp=tmp_path)
    made.ring = made.drops[0] + made.drops[1]
    time.sleep(0.2)
    return made


both_modes = pytest.mark.parametrize("loaded", live.MODES, indirect=True)


def replace(stream, files, times):
    """Replaces the table `times` times, first by files[1], and ends the stream. Not one packet is
    lost, mixed up, or on the shared port, and each replacement turns them once."""
    changes = []
    for i in range(1, times + 1):
        begin = stream.sent()
        r = ctl.change("map", "replace", files[i % 2])
        changes.append((begin, stream.sent(), i % 2))
        assert (r["changed"], r["added"], r["removed"]) == (True, 0, 0) and r["updated"] >= COUNT, r
        stream.wait(100)  # so that every turn is to be seen
    answer = stream.finish()
    live.check_stream(answer, 20000)
    assert answer["sent"] > 0.8 * RATE * answer["seconds"], f"the sender was too slow: {answer}"
    live.check_turns(answer, changes)
    assert all(answer["ports"].values()), answer
    return answer


def table_files(tmp_path, tables):
    files = [tmp_path / f"table{i}" for i in range(len(tables))]
    for path, text in zip(files, tables):
        path.write_text(text, encoding="ascii")
    return files


@both_modes
def test_replace(loaded, stream, tmp_path):
    """50 replacements of a table of 4,096 entities; the counters go on through all of them."""
    times, generation = 50 * LONG, ctl.generation()
    answer = replace(stream, table_files(tmp_path, TABLES), times)
    assert ctl.generation() == generation + times
    ring = loaded.snd.link_drops("s0") + loaded.mid.link_drops("m0") - stream.ring
    reasons = loaded.mangle.reasons()
    assert reasons["rewritten"] == answer["sent"] - ring
    assert sum(r["packets"] for r in loaded.mangle.entities().values()) == answer["sent"] - ring


def test_replace_many(loaded, blast, tmp_path):
    """The same with 100,000 entities, which takes longer than the packets take to go round."""
    tags = [i.to_bytes(4, "big") for i in range(MANY)]
    files = table_files(tmp_path, [live.table({t: PORTS[4 * half + i % 4] for i, t in enumerate(tags)})
                                   for half in (0, 1)])
    ctl.ok("map", "replace", files[0])
    replace(live.Stream(blast, loaded, tags, PORTS, rate=RATE, modulo=4, tmp=tmp_path), files, 8 * LONG)


@both_modes
def test_apply_changes_service_and_table_together(loaded, blast, tmp_path):
    """The service's tag place and its table change at once: of the two tags in each packet one is
    in the old table only and one in the new one only, so that any mixture shows as unknown."""
    prefixes = [b"o%03dn%03d" % (i, i) for i in range(512)]
    configs = [live.config(live.service(tag=(4 * half, 4), size=(8 + half, 1000), ports=(5000, 5001 + half), entities={
        p[4 * half:4 * half + 4]: PORTS[4 * half + i % 4] for i, p in enumerate(prefixes)})) for half in (0, 1)]
    loaded.mangle.apply(configs[0])
    stream = live.Stream(blast, loaded, prefixes, PORTS, rate=RATE, modulo=4, tmp=tmp_path)
    time.sleep(0.2)
    files = [loaded.mangle.file(c) for c in configs]
    for i in range(40):
        assert ctl.change("apply", files[(i + 1) % 2])["changed"]
    time.sleep(0.1)
    answer = stream.finish()
    live.check_stream(answer, 10000)
    assert all(answer["ports"].values()), answer


def test_rows_come_and_go(loaded, stream):
    """Other rows are set, loaded and deleted, and other services come and go."""
    for i in range(25):
        ctl.ok("map", "set", f"x{i:03d}", "6100")
        ctl.ok("map", "load", "-", stdin=live.table({b"y%03d" % j: 6101 for j in range(i + 1)}))
        ctl.ok("map", "del", f"x{i:03d}", f"y{i:03d}")
        ctl.ok("map", "set", "0003", PORTS[4 * (i % 2)])  # one that is in use, to and fro
    for i in range(5):
        ctl.ok("service", "add", f"more{i}", "--proto", "udp", "--port", "5100", "--daddr", f"192.0.2.{i}/32",
               "--tag", "0:4", "--size", "4:100")
        ctl.ok("service", "set", f"more{i}", "--unknown", "drop")
    for i in range(5):
        ctl.ok("service", "del", f"more{i}")
    live.check_stream(stream.finish(), 10000)


def test_growing(loaded, stream):
    """The table grows from 4,096 to 100,000, in steps, and shrinks again."""
    more = [b"\xfe" + i.to_bytes(3, "big") for i in range(MANY - COUNT)]
    for _ in range(LONG):
        for first, last in ((0, 2000), (2000, 20000), (20000, len(more))):
            ctl.ok("map", "load", "-", stdin=live.table(dict.fromkeys(more[first:last], 6100)))
        assert ctl.js("status")["services"][0]["entities"] == MANY
        ctl.ok("map", "replace", "-", stdin=TABLES[0])
    answer = stream.finish()
    live.check_stream(answer, 5000)
    live.check_turns(answer, [])


def test_upgrade(loaded, stream):
    """The program is put in place of itself; tables and counters are kept."""
    for _ in range(5):
        ctl.ok("upgrade")
    time.sleep(0.1)
    answer = stream.finish()
    live.check_stream(answer, 3000)
    ring = loaded.snd.link_drops("s0") + loaded.mid.link_drops("m0") - stream.ring
    assert loaded.mangle.reasons()["rewritten"] == answer["sent"] - ring
    assert len(loaded.mangle.attached()) == 1


def test_another_interface_comes_and_goes(loaded, stream):
    other = loaded.lab.ns("other")
    loaded.lab.join(loaded.far, "f9", other, "m9", 9)
    for _ in range(5):
        loaded.mangle.attach(other, "m9")
        ctl.ok("-n", loaded.mid.name, "attach", "m0")  # which is there already
        ctl.ok("-n", other.name, "detach", "m9")
    live.check_stream(stream.finish(), 3000)


def test_bad_files_change_nothing(loaded, stream, tmp_path):
    """Refused changes leave packets alone too."""
    bad = tmp_path / "bad"
    bad.write_text(TABLES[1] + "0003 70000\n", encoding="ascii")
    for _ in range(3):
        assert ctl.run("map", "replace", bad).status == 1
        assert ctl.run("map", "load", bad).status == 1
        assert ctl.run("apply", "-", stdin=live.config(live.service(entities={b"ABCD": 70000}))).status == 1
    answer = stream.finish()
    live.check_stream(answer, 3000)
    assert sum(answer["ports"][str(p)] for p in PORTS[4:]) == 0, "something of a bad file has come into force"


def rows(text):
    """A table as `map save` or a table file has it, without its form."""
    found = {}
    for row in text.splitlines():
        words = row.split("#")[0].split()
        if words:
            tag = words[0]
            found[bytes.fromhex(tag[2:]) if tag.startswith("0x") else tag.encode()] = tuple(words[1:])
    return found


def test_killed_in_the_middle(loaded, stream, tmp_path):
    """kill -9 at any moment of `map replace` leaves the old table or the new one, and no lock."""
    tables = [rows(t) for t in TABLES]
    files = table_files(tmp_path, TABLES)
    started = time.monotonic()
    ctl.ok("map", "replace", files[1])
    whole = time.monotonic() - started  # this time one run took, another may be much faster
    killed = 0
    for i in range(100):
        with live.running("map", "replace", files[i % 2]) as process:
            time.sleep(whole * (i % 24) / 24)
            process.send_signal(signal.SIGKILL)
            killed += process.wait(10) == -signal.SIGKILL
        now = rows(ctl.ok("map", "save").out)
        assert now in tables, f"a mixture after the kill, {len(now)} rows"
        if killed >= 16:
            break
    assert killed >= 16, f"only {killed} were killed in time"
    r = ctl.ok("map", "replace", files[0])
    assert rows(ctl.ok("map", "save").out) == tables[0], r
    live.check_stream(stream.finish(), 3000)
    ctl.ok("detach", "--all", "--purge")
    assert ctl.pins() == []


def test_killed_while_attaching(line, mangle):
    """kill -9 while it attaches: attached or not, but the next attach and detach work."""
    path = mangle.file(live.config(live.service(entities={b"ABCD": 6001})))
    started = time.monotonic()
    ctl.ok("-n", line.mid.name, "attach", "m0", "--config", path)
    whole = time.monotonic() - started
    for i in range(6):
        ctl.ok("detach", "--all", "--purge")
        assert netns.xdp_on(line.mid, "m0") is None
        with live.running("-n", line.mid.name, "attach", "m0", "--config", path) as process:
            time.sleep(whole * 1.1 * i / 6)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        ctl.ok("-n", line.mid.name, "attach", "m0", "--config", path)
        assert netns.xdp_on(line.mid, "m0") is not None and len(mangle.attached()) == 1
        assert list(mangle.entities()) == ["41424344"]


def test_overlapping_runs(loaded, stream):
    """Many runs at once wait for one another, and none is lost."""
    generation = ctl.generation()
    failed = []

    def work(n):
        for i in range(5):
            r = ctl.run("--wait", "60", "map", "set", f"w{n}{i:02d}", str(6100 + n))
            if r.status:
                failed.append(r)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed[0]
    assert ctl.generation() == generation + 30
    found = rows(ctl.ok("map", "save").out)
    assert all(found[b"w%d%02d" % (n, i)] == (str(6100 + n),) for n in range(6) for i in range(5))
    live.check_stream(stream.finish(), 3000)
