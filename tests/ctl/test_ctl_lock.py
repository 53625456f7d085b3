"""Runs of the tool overlap: one lock, waited for; nothing is lost and nothing half done."""

import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import dump, entities, service
from mangletest import ctl
from mangletest.ctl import assert_error, js, ok, run


class Held:
    """The lock, held by somebody else: flock(2) on the pins' directory."""

    def __enter__(self):
        self.fd = os.open(ctl.PIN_DIR, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self

    def __exit__(self, *exc):
        self.release()

    def release(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@pytest.mark.parametrize("argv", [
    ["map", "set", "WXYZ", "6001"], ["map", "del", "ABCD"], ["map", "flush"], ["map", "load", "-"], ["map", "replace", "-"],
    ["service", "set", "telemetry", "--size", "4:5"], ["service", "del", "telemetry"],
    ["service", "add", "new", "--proto", "udp", "--port", "5001", "--tag", "0:4", "--size", "4:100"], ["apply", "-"],
    ["detach", "--all"], ["detach", "--all", "--purge"], ["attach", "veth2"], ["detach", "veth0"]], ids=" ".join)
def test_busy(load, world, argv):
    load(service(entities=entities(("ABCD", 6001))))
    stdin = dump(service()) if argv[0] == "apply" else "WXYZ 6001\n"
    where = ["-n", world.a] if argv[0] in ("attach", "detach") else []
    before = ctl.snapshot()
    with Held():
        start = time.monotonic()
        r = run("--wait", "0", *where, *argv, stdin=stdin)
        assert r.status == 4 and time.monotonic() - start < 5, r
        ctl.check_error_line(r)
        assert run(*where, *argv, "--wait=0", "-j", stdin=stdin).status == 4
    assert ctl.snapshot() == before


def test_who_has_the_lock(one):
    """The command and its process; of several the lock's own, not those that wait."""
    with subprocess.Popen(["flock", "-x", ctl.PIN_DIR, "sleep", "60"]) as holder:
        deadline = time.monotonic() + 5
        while run("status", "--wait", "0").status == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        with subprocess.Popen(["flock", "-s", ctl.PIN_DIR, "true"]) as waiting:
            line = assert_error(["map", "set", "ABCD", "6001", "--wait", "1"], 4, unchanged=False)
            assert f"held for more than 1 s by flock -x {ctl.PIN_DIR} sleep 60 (pid {holder.pid}" in line, line
            subprocess.run(["pkill", "-P", str(holder.pid)], check=False)
            assert waiting.wait(10) == 0


def test_waits_as_long_as_told(one):
    with Held():
        start = time.monotonic()
        r = run("map", "set", "ABCD", "6001", "--wait", "2")
        took = time.monotonic() - start
        assert r.status == 4 and 1.5 <= took < 6, (took, r)
        start = time.monotonic()
        r = run("map", "set", "ABCD", "6001")
        took = time.monotonic() - start
        assert r.status == 4 and 4 <= took < 15, "five seconds unless told"
    assert js("map", "list") == []


def test_gets_it_when_it_comes_free(one):
    with Held() as lock:
        timer = threading.Timer(1.0, lock.release)
        timer.start()
        start = time.monotonic()
        ok("map", "set", "ABCD", "6001", "--wait", "30")
        assert time.monotonic() - start >= 0.9
        timer.join()
    assert js("map", "get", "ABCD")["target"] == 6001


def test_wrong_input_does_not_wait(one):
    with Held():
        start = time.monotonic()
        assert run("map", "set", "ABCD", "0", "--wait", "60").status == 2
        assert time.monotonic() - start < 10


def test_a_reader_waits_for_its_input_without_the_lock(one):
    """Whoever feeds a table slowly keeps nobody else out."""
    with subprocess.Popen([ctl.BIN, "map", "load", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as slow:
        try:
            slow.stdin.write(b"AAAA 6001\n")
            slow.stdin.flush()
            time.sleep(0.5)
            ok("map", "set", "BBBB", "6002", "--wait", "5")
            slow.stdin.close()
            assert slow.wait(30) == 0
        finally:
            slow.kill()
    assert {e["text"] for e in js("map", "list")} == {"AAAA", "BBBB"}


class Shared:
    """A reader that has the lock for so long, as often as another one begins: some always have it."""

    def __init__(self, readers=3, hold=0.6):
        self.end, self.hold = threading.Event(), hold
        self.threads = [threading.Thread(target=self.read, args=(i * hold / readers,)) for i in range(readers)]

    def read(self, delay):
        time.sleep(delay)
        while not self.end.is_set():
            turnstile = os.open(ctl.PIN_DIR + "/inner", os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(turnstile, fcntl.LOCK_SH)
            os.close(turnstile)
            fd = os.open(ctl.PIN_DIR, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(fd, fcntl.LOCK_SH)
            time.sleep(self.hold)
            os.close(fd)

    def __enter__(self):
        for t in self.threads:
            t.start()
        time.sleep(2 * self.hold)

    def __exit__(self, *exc):
        self.end.set()
        for t in self.threads:
            t.join()


def test_readers_that_overlap_let_a_writer_in(one):
    with Shared():
        for i in range(4):
            start = time.monotonic()
            ok("map", "set", "ABCD", str(6001 + i), "--wait", "5")
            assert time.monotonic() - start < 3, "no longer than those that read already"


def test_many_rows_read_again_and_again_let_a_writer_in(one):
    """Three loops of `map list` on 200,000 rows, and whoever changes a row beside them."""
    ok("map", "load", "-", stdin="".join(f"0x{i:08x} 6001\n" for i in range(200000)))
    end = threading.Event()

    def read():
        while not end.is_set():
            with subprocess.Popen([ctl.BIN, "map", "list", "--wait", "60"], stdout=subprocess.DEVNULL) as p:
                assert p.wait(120) == 0

    threads = [threading.Thread(target=read) for _ in range(3)]
    for t in threads:
        t.start()
        time.sleep(0.2)
    try:
        for i in range(3):
            ok("map", "set", "0x00000001", str(6002 + i), "--wait", "10")
    finally:
        end.set()
        for t in threads:
            t.join()


def test_a_reader_comes_after_the_writer_that_waits(one):
    """And where the writer gives up, it is the reader's turn."""
    fd = os.open(ctl.PIN_DIR, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    try:
        with subprocess.Popen([ctl.BIN, "map", "set", "ABCD", "6001", "--wait", "2"], stderr=subprocess.DEVNULL) as writer:
            time.sleep(0.5)
            assert run("status", "--wait", "0").status == 4
            ok("status", "--wait", "30")
            assert writer.wait(10) == 4
    finally:
        os.close(fd)
    assert js("map", "list") == []


def service_names(line):
    return list(json.loads(line)["services"])


def test_who_watches_keeps_nobody_waiting(one):
    """And goes on with whatever is in force: rows, services and tables that were made anew."""
    with subprocess.Popen([ctl.BIN, "stats", "--watch", "-j"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        try:
            assert service_names(p.stdout.readline()) == ["telemetry"]
            for i in range(10):
                ok("map", "set", "ABCD", str(6001 + i), "--wait", "1")
            ok("apply", "-", "--wait", "1", stdin=dump([service(), service("second", ports=[5001])]))
            deadline = time.monotonic() + 10
            while sorted(service_names(p.stdout.readline())) != ["second", "telemetry"]:
                assert time.monotonic() < deadline, "the new configuration is seen"
            ok("detach", "--all", "--purge", "--wait", "1")
            assert p.wait(10) == 1
            assert p.stderr.read() == ("mangle-ctl: tables: opening them: nothing is loaded "
                                       "(attach an interface, or apply a configuration)\n")
        finally:
            p.kill()


def test_who_watches_follows_to_new_tables(one):
    """Between two looks everything was removed and made again."""
    with subprocess.Popen([ctl.BIN, "stats", "--watch", "-j", "--wait", "30"], stdout=subprocess.PIPE, text=True) as p:
        try:
            p.stdout.readline()
            os.kill(p.pid, signal.SIGSTOP)
            ok("detach", "--all", "--purge")
            ok("apply", "-", stdin=dump([service("anew")]))
            os.kill(p.pid, signal.SIGCONT)
            deadline = time.monotonic() + 10
            while service_names(p.stdout.readline()) != ["anew"]:
                assert time.monotonic() < deadline, "the new tables are seen"
        finally:
            p.kill()


def test_killed_while_it_waits(one):
    with Held():
        with subprocess.Popen([ctl.BIN, "map", "set", "ABCD", "6001", "--wait", "60"]) as p:
            time.sleep(0.3)
            assert p.poll() is None
            p.terminate()
            assert p.wait(5) != 0
    ok("map", "set", "EFGH", "6001", "--wait", "0")
    assert [e["text"] for e in js("map", "list")] == ["EFGH"]


@pytest.mark.parametrize("verb", ["replace", "load", "apply"])
def test_killed_in_the_midst(one, verb):
    """SIGKILL at any moment: all of it or nothing, and the tool goes on as if nothing had been."""
    rows = [[(f"0x{i:08x}", port) for i in range(first, first + 40000)] for first, port in ((0, 6001), (20000, 6002))]

    def text(part):
        if verb == "apply":
            return dump(service(entities=entities(*part)))
        return "".join(f"{t} {p}\n" for t, p in part)

    texts = [text(part).encode() for part in rows]
    argv = ["apply", "-"] if verb == "apply" else ["map", verb, "-"]
    start = time.monotonic()
    ok(*argv, stdin=texts[0])
    took = time.monotonic() - start
    legal = {ok("save").out}
    for part in (1, 0):
        ok(*argv, stdin=texts[part])
        legal.add(ok("save").out)
    assert len(legal) == (3 if verb == "load" else 2)
    for i in range(8):
        with subprocess.Popen([ctl.BIN, *argv], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as p:
            p.stdin.write(texts[(i + 1) % 2])
            p.stdin.close()
            time.sleep(took * i / 8)
            p.kill()
        assert ok("save", "--wait", "0").out in legal, f"killed after {took * i / 8:.3f} s"
        g = ctl.generation()
        ok("map", "set", "0xffffffff", "1", "--wait", "0")
        ok("map", "del", "0xffffffff", "--wait", "0")
        assert ctl.generation() == g + 2


def test_many_writers_lose_nothing(one):
    """16 at once, 12 changes each: every row is there, and the generation counted each."""
    g = ctl.generation()

    def writer(n):
        for i in range(12):
            ok("map", "set", f"{n:02d}{i:02d}", str(1 + n * 100 + i), "--wait", "120", timeout=200)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(writer, range(16)))
    assert {e["text"]: e["target"] for e in js("map", "list")} == {
        f"{n:02d}{i:02d}": 1 + n * 100 + i for n in range(16) for i in range(12)}
    assert ctl.generation() == g + 16 * 12
    ok("apply", "-", "--check", "--exit-code", stdin=ok("save").out)


def test_many_kinds_of_writers(load):
    """Services come and go while tables of others change."""
    load(service("base"))
    g = ctl.generation()

    def worker(n):
        name = f"s{n}"
        changes = 0
        for i in range(4):
            ok("service", "add", name, "--proto", "udp", "--port", str(7000 + n), "--tag", "0:4", "--size", "4:100",
               "--wait", "120", timeout=200)
            ok("map", "load", "-", "--service", name, "--wait", "120", stdin="AAAA 1\nBBBB 2\n", timeout=200)
            ok("map", "set", f"{n:02d}{i:02d}", "6001", "--service", "base", "--wait", "120", timeout=200)
            ok("map", "replace", "-", "--service", name, "--wait", "120", stdin="CCCC 3\n", timeout=200)
            changes += 4
            if i < 3:
                ok("service", "del", name, "--wait", "120", timeout=200)
                changes += 1
        return changes

    with ThreadPoolExecutor(6) as pool:
        total = sum(pool.map(worker, range(6)))
    assert ctl.generation() == g + total
    assert len(js("map", "list", "--service", "base")) == 24
    for n in range(6):
        assert [e["text"] for e in js("map", "list", "--service", f"s{n}")] == ["CCCC"]


def test_a_reader_sees_whole_tables(one):
    """`map list` and `save` while tables are replaced: the one or the other, never a mixture."""
    tables = ["".join(f"{c}{i:03d} {p}\n" for i in range(500)) for c, p in (("A", 6001), ("B", 6002))]
    ok("map", "replace", "-", stdin=tables[0])
    end = threading.Event()

    def writer():
        for i in range(400):
            if end.is_set():
                return
            ok("map", "replace", "-", "--wait", "60", stdin=tables[(i + 1) % 2], timeout=120)

    thread = threading.Thread(target=writer)
    thread.start()
    try:
        for _ in range(20):
            for read in (lambda: [(e["text"][0], e["target"]) for e in js("map", "list", "--wait", "60")],
                         lambda: [(li[0], int(li.split()[1])) for li in ok("map", "save", "--wait", "60").out.splitlines()
                                  if li[:1] in "AB"]):
                got = read()
                assert len(got) == 500 and set(got) in ({("A", 6001)}, {("B", 6002)}), (len(got), set(got))
    finally:
        end.set()
        thread.join()


def test_attach_at_once(fresh, tmp_path):
    """Two that both find nothing loaded: one loads, the other joins."""
    path = tmp_path / "m.yaml"
    path.write_text(dump(service(entities=entities(("ABCD", 6001)))), encoding="ascii")
    with ThreadPoolExecutor(4) as pool:
        for r in pool.map(lambda dev: run("-n", fresh.a, "attach", dev, "--config", path, "--wait", "60"),
                          ["veth0", "veth2", "veth0", "veth2"]):
            assert r.status == 0, r
    assert {i["name"] for i in js("status")["interfaces"]} == {"veth0", "veth2"}
    assert len(js("map", "list")) == 1
