"""Many writers at once: no change is lost, and each has a generation of its own."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import faults
from mangletest import ctl, proof

WRITERS = 32
OPERATIONS = proof.size(640, 10000)
HELD = {"udp": {"5000 HELD": 6001}}


def tag(writer, row):
    """Tags that are this writer's alone."""
    return f"0x{writer:02x}00{row:04x}"


class Writer:
    """Changes what is its own, by one kind of command, and knows what must be there in the end."""

    def __init__(self, number):
        self.number, self.rng = number, random.Random(number)
        self.kind = (self.rows, self.loads, self.settings, self.replaces)[number % 4]
        self.service = f"w{number}" if number % 4 >= 2 else "shared"
        self.table, self.unknown, self.generations = {}, "pass", []

    def change(self, *args, changed=True, **kw):
        """Whether it changed something is known beforehand, since nobody else touches it."""
        r = ctl.ok("-j", "--wait", "600", *args, timeout=660, **kw).json()
        assert r["changed"] is changed, (args, r)
        if changed:
            self.generations.append(r["generation"])

    def some(self):
        return tag(self.number, self.rng.randrange(40)), self.rng.randint(1, 9) * 1000 + self.number

    def rows(self):
        """`map set`, and `map del` of what is there."""
        key, target = self.some()
        if key in self.table and self.rng.random() < 0.5:
            del self.table[key]
            self.change("map", "del", key, "--service", self.service)
        else:
            known = self.table.get(key) == target
            self.table[key] = target
            self.change("map", "set", key, target, "--service", self.service, changed=not known)

    def lines(self):
        return dict(self.some() for _ in range(5))

    def loads(self):
        """`map load`, which adds to the table of all."""
        rows = self.lines()
        known = all(self.table.get(k) == v for k, v in rows.items())
        self.table.update(rows)
        self.change("map", "load", "-", "--service", self.service, changed=not known, stdin=text(rows))

    def settings(self):
        """`service set` of its own service, whose rows stay."""
        if not self.table:
            self.rows()
            return
        unknown = str(self.rng.randint(1, 60000))
        known, self.unknown = unknown == self.unknown, unknown
        self.change("service", "set", self.service, "--unknown", unknown, changed=not known)

    def replaces(self):
        """`map replace` of its own service's table."""
        rows = self.lines()
        known, self.table = rows == self.table, rows
        self.change("map", "replace", "-", "--service", self.service, changed=not known, stdin=text(rows))

    def work(self, operations):
        for _ in range(operations):
            self.kind()


def text(rows):
    return "".join(f"{k} {v}\n" for k, v in rows.items())


def test_writers(lab, clean, tmp_path):
    del clean
    lab.join(lab.ns("a"), "veth0", lab.ns("b"), "veth1", 1)
    way = faults.Way(lab, tmp_path)
    writers = [Writer(n) for n in range(WRITERS)]
    own = [w.service for w in writers if w.service != "shared"]
    faults.attach(way, faults.document(faults.service("shared", 5000, {"HELD": 6001}), *(
        faults.service(name, 10000 + i, {}) for i, name in enumerate(own))))
    before = ctl.generation()

    end, wrong, looks = threading.Event(), [], [0]

    def watch():
        """An entity that nobody touches is there for every packet."""
        while not end.is_set():
            seen = way.look(HELD)
            looks[0] += 1
            end.wait(0.005)
            if seen != HELD:
                wrong.append(seen)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            share = OPERATIONS // WRITERS + 1
            for done in [pool.submit(w.work, share) for w in writers]:
                done.result()
    finally:
        end.set()
        watcher.join()

    wanted = {"shared": {"0x48454c44": 6001}, **{name: {} for name in own}}
    for w in writers:
        wanted[w.service].update(w.table)
    found = {name: {} for name in wanted}
    for row in ctl.js("map", "list"):
        found[row["service"]][row["tag"]] = row["target"]
    assert found == wanted
    unknown = {s["name"]: str(s["unknown"]) for s in ctl.js("service", "list")}
    assert unknown == {"shared": "pass", **{w.service: w.unknown for w in writers if w.service != "shared"}}
    generations = sorted(g for w in writers for g in w.generations)
    assert generations == list(range(before + 1, before + 1 + len(generations)))
    assert ctl.generation() == before + len(generations)
    assert not wrong, wrong
    assert ctl.run("apply", "-", "--check", "--exit-code", stdin=ctl.ok("save").out).status == 0
    proof.figure(f"{WRITERS} writers at once, {share * WRITERS} operations",
                 f"0 updates lost, {len(generations)} changes with as many generations, "
                 f"{looks[0]} packets of an entity that stays all arrived")
