"""The lookup is exact: every row of a table is found under its own target, and no other tag is, at
every size, for every length of tags, however they collide, and after every kind of change. The
program that is attached is asked for each row, on every CPU."""

import os
import random

import pytest
from mangletest import ctl, netns

import rows
from live import LONG
from rows import Table, targets

LENGTHS = list(rows.SERVICES)


@pytest.fixture(scope="module")
def box(machine, build, tmp_path_factory):  # pylint: disable=unused-argument
    ctl.purge()
    with netns.Lab(os.environ["MANGLE_TEST_SESSION"]) as lab:
        yield rows.Box(lab, build("rows.c", "-pthread"), tmp_path_factory.mktemp("rows"))
    ctl.purge()


@pytest.fixture
def table(box):
    """table(length): empty at first, and afterwards."""
    made = []

    def call(length):
        ctl.ok("map", "flush", "--service", f"t{length}")
        made.append(Table(box, length))
        return made[-1]

    yield call
    for t in made:
        t.close()
        ctl.ok("map", "flush", "--service", t.name)


def replace_and_ask(t, tags, salt, neighbours, before=None):
    """Makes the table equal to rows with these tags, and asks for all of them, for what is near them,
    and for what was in the table before. Returns the file."""
    what = f"{len(tags)} tags of {t.length}, 0x{tags[0].hex()} to 0x{tags[-1].hex()}"
    path = t.replace(targets(tags, salt))
    t.run(neighbours, what)
    if before:
        t.file(before, what + ", the ones before")
    t.listed(what)
    return path


# --- sizes ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("pattern", rows.PATTERNS, ids=lambda p: p.__name__)
@pytest.mark.parametrize("length", LENGTHS)
def test_small(table, length, pattern):
    t, path, sizes = table(length), None, set()
    for count in rows.PATTERNS[pattern]:
        tags = pattern(length, count)
        if len(tags) not in sizes:
            path = replace_and_ask(t, tags, count, "all" if count <= 10 else 32 if count < 1000 else 8, path)
            sizes.add(len(tags))


@pytest.mark.parametrize("length", (1, 2))
def test_every_tag_there_is(table, length):
    """None of them in the table, all but the all-zero tag, all, and half."""
    t, space = table(length), rows.counting(length, 256 ** length)
    t.every("empty")
    for salt, tags in enumerate((space[1:], space, space[1::2])):
        t.replace(targets(tags, salt))
        t.every(f"{len(tags)} of {len(space)}")
        t.listed(f"{len(tags)} of {len(space)}")


@pytest.mark.parametrize("length", (4, 8, 9, 15, 16))
def test_65536(table, length):
    """The second takes over from the first."""
    t, path = table(length), None
    for pattern in (rows.at_random, rows.counting_little if length % 2 else rows.digits):
        path = replace_and_ask(t, pattern(length, 65536), length, 1, path)


@pytest.mark.parametrize("length", LENGTHS[1:])
def test_two_numbers_side_by_side(table, length):
    """Site and unit, 100 of each: tags that differ in two bytes far from one another."""
    replace_and_ask(table(length), rows.two_numbers(length, 10000), 0, 4)


@pytest.mark.parametrize("length, pattern", [(4, rows.at_random), (16, rows.at_random)] + (
    [(8, rows.counting), (9, rows.counting_little), (15, rows.two_numbers)] if LONG > 1 else []))
def test_a_million(table, length, pattern):
    t = table(length)
    tags = pattern(length, 1000000)
    path = t.replace(targets(tags))
    t.once(1)
    t.listed()
    for tag in tags[:2] + tags[-2:]:  # single rows, in place
        t.delete(tag)
    t.set((tags[0], 6001, None))
    t.set((b"\xfe" * length, 6002, "40:50"))
    some = t.write([(tag, 1, None) for tag in tags[::997] + tags[:2] + tags[-2:] + [b"\xfe" * length]])
    t.file(some)
    t.replace(targets(tags[::50], 1))
    t.run(1)
    t.file(some)
    t.listed()
    path.unlink()


@pytest.mark.parametrize("length, count", ((4, 1000), (4, 65536), (8, 1000), (8, 65536), (16, 1000), (16, 65536)))
def test_memory(table, length, count):
    """A table costs what mangle-ctl(8) says, one tenth at most on top."""
    def cpus(which):
        with open(f"/sys/devices/system/cpu/{which}", encoding="ascii") as f:
            ranges = [[int(n) for n in r.split("-")] for r in f.read().strip().split(",")]
        return sum(r[-1] - r[0] + 1 for r in ranges)

    t = table(length)
    t.replace(targets(rows.at_random(length, count, "memory")))
    copies = cpus("online") + (cpus("possible") > cpus("online"))
    said = ((128 if count <= 50000 else 64) * (copies + 1) if length <= 4
            else 128 * (copies + 0.5) / (1.5 if length <= 8 else 1))
    bytes_each = t.tell("header")["bytes"] / count
    assert bytes_each <= 1.1 * said, f"{bytes_each:.0f} bytes an entity, {said:.0f} said"


# --- changes --------------------------------------------------------------------------------------

@pytest.mark.parametrize("start, most", ((0, 120), (10, 100), (1000, 2600)))
@pytest.mark.parametrize("length", (4, 16))
def test_filling(table, length, start, most):
    """Row by row until the table has had to grow, and a bit further: nothing is lost at the border,
    on either side of it, and counters go on."""
    t = table(length)
    tags = rows.at_random(length, start + most, "filling")
    if start:
        t.replace(targets(tags[:start]))
    header, grown = t.header(), []
    step = 1 if start < 1000 else 8
    for i, row in enumerate(targets(tags)[start:], start):
        t.set(row)
        now = t.header()
        if now != header:
            grown.append(i + 1)
            header = now
        if now != header or (i + 1) % step == 0:
            t.run(2, f"{i + 1} rows, built anew at {grown}")
        if len(grown) == (6 if start < 1000 else 1):
            break
    assert grown, f"no growth from {start} to {i + 1}"
    t.run(16, f"built anew at {grown}")
    t.file(t.write(targets(tags)), "those that are not in it yet")
    t.listed(f"built anew at {grown}")


@pytest.mark.parametrize("length, size, place", (
    *((length, size, place) for length, size in ((4, 10), (8, 1000), (9, 1000), (16, 10))
      for place in ("first", "middle", "last")), (8, 65536, "last"), (16, 65536, "last")))
def test_colliding(table, length, size, place):
    """Rows that belong to one bucket, one after the other until the table is built anew for them;
    again in the new one; deleted and set again, each with another target."""
    t = table(length)
    t.replace(targets(rows.at_random(length, size, "colliding")))
    used = []
    for _ in range(2):
        header = t.header()
        tags = t.colliding(40, place)
        some = t.write(targets(used + tags))
        for n, row in enumerate(targets(tags, len(used)), 1):
            t.set(row)
            t.file(some, f"{n} in one bucket")
            if t.header() != header:
                break
        used += tags[:n]
        t.file(some, f"built anew at {n} in one bucket" if n < 40 else "40 in one bucket")
    for tag in used[::2]:
        t.delete(tag)
    t.file(some, "every other deleted")
    for row in targets(used[::4], 5):
        t.set(row)
        t.file(some, "deleted ones come again")
    t.run("all" if size <= 10 else 16 if size <= 1000 else 1)
    t.listed()


@pytest.mark.parametrize("length", (4, 8, 16))
def test_all_of_one_bucket(table, length):
    """A whole table of tags that fell into one bucket of the table before, of the same size."""
    t = table(length)
    path = t.replace(targets(rows.at_random(length, 4096)))
    for salt in range(2):
        path = replace_and_ask(t, t.colliding(4096, "last"), salt, 2, path)


@pytest.mark.parametrize("length", (4, 16))
def test_rows_come_and_go(table, length):
    """Single rows are set, changed and deleted, in a table that is nearly full all the time."""
    t, rng = table(length), random.Random(length)
    tags = rows.at_random(length, 150, "come and go")
    everything = t.write(targets(tags))
    t.replace(targets(tags[:100]))
    here = set(tags[:100])
    for i in range(100 * LONG):
        if rng.random() < 0.2 + len(here) / 400:
            gone = rng.sample(sorted(here), 3 if i % 40 == 0 else 1)  # one goes in place
            t.delete(*gone)
            here -= set(gone)
        else:
            row = rng.choice(targets([rng.choice(tags)], i))
            if row[2] is None and i % 3:
                row = (*row[:2], f"{rows.SIZE[0]}:{rows.SIZE[0] + i % 100}")
            t.set(row)
            here.add(row[0])
        if i % 3 == 0:
            t.file(everything, f"round {i}")
        if i % 25 == 0:
            t.listed(f"round {i}")
    t.run("all")
    t.listed()


@pytest.mark.parametrize("length", (8, 9))
def test_grows_and_shrinks(table, length):
    """Over several orders of size, by merging and by replacing, with rows that stay."""
    t = table(length)
    tags = rows.at_random(length, 10000)
    everything = t.write(targets(tags))
    for count in (3, 30, 300, 3000, 10000):
        t.load(targets(tags[count // 10:count], 1))
        t.file(everything, f"{count} loaded")
        t.listed(f"{count} loaded")
    for count in (2000, 200, 20, 1):
        t.replace(targets(tags[:count], 2))
        t.file(everything, f"back to {count}")
        t.listed(f"back to {count}")


def test_tables_beside_one_another(table):
    """Seven services, the same bytes with other lengths in each: none sees another's rows."""
    made = [table(length) for length in LENGTHS]
    for t in made:
        t.replace(targets(rows.counting_little(t.length, 200), t.length))
    for t in made:
        t.run("all")
    made[3].replace(targets(rows.counting(8, 5000)))
    made[5].delete(bytes(15))
    for t in made:
        t.run(8)
        t.listed()


# --- under load -----------------------------------------------------------------------------------

PORTS, CLASSES, GENERATIONS = 20000, 16, 3


def generation(tags, g):
    """The table's g-th state: row i leads to port PORTS + g mod 3 * 16 + i mod 16."""
    first = PORTS + g % GENERATIONS * CLASSES
    return [(tag, first + i % CLASSES, None) for i, tag in enumerate(tags)]


def storm_over(t, changes, what):
    """Nothing missed, nothing mixed, each frame counted once; every CPU has seen every change there
    was to be seen."""
    answer = t.tell("stop")
    assert (answer["missed"], answer["mixed"]) == (0, 0), f"{what}: {answer}"
    t.judge(answer, what)
    assert answer["frames"] >= 10000, f"too few to show anything: {answer}"
    assert answer["turns"] == changes * answer["cpus"], f"{what}: {answer}"
    return answer


@pytest.mark.parametrize("length, count, times", ((4, 4096, 48), (16, 4096, 24), (8, 100000, 8)))
def test_replaced_under_load(table, length, count, times):
    """Every CPU asks for all rows in turn as fast as it can, while three tables with the same tags
    and different ports follow one another. A frame that began when the command had returned is
    ruled by the new table, one that ended before it began by the old one, and on each CPU none by
    an older table than the frame before."""
    t = table(length)
    tags = rows.at_random(length, count, "storm")
    states = [t.replace(generation(tags, g)) for g in (1, 2, 0)]
    t.tell("storm", PORTS, CLASSES, GENERATIONS)
    for i in range(times * LONG):
        t.tell("begin")
        r = ctl.change("map", "replace", states[i % 3], "--service", t.name)
        t.tell("done")
        assert (r["added"], r["removed"], r["updated"]) == (0, 0, count), r
    answer = storm_over(t, times * LONG, f"{count} rows, {times * LONG} times")
    t.tell("table", states[(times * LONG - 1) % 3])
    t.listed()
    print(f"\n{answer['frames']} frames over {times * LONG} replacements of {count} rows")


@pytest.mark.parametrize("length", (4, 16))
def test_growing_under_load(table, length):
    """4,096 rows stay; others come until there are 100,000, by merging and one by one, and go."""
    t = table(length)
    tags = rows.at_random(length, 100000, "growing")
    stay = tags[:4096]
    state = t.replace(generation(stay, 0))
    collide = t.colliding(40, "middle")
    t.tell("storm", PORTS, CLASSES, 1)
    for tag in collide:
        ctl.ok("map", "set", "0x" + tag.hex(), "7", "--service", t.name)
    for tag in collide[::2]:
        ctl.ok("map", "del", "0x" + tag.hex(), "--service", t.name)
    for count in (5000, 8000, 15000, 30000, 60000, 100000):
        more = t.write([(tag, 7, None) for tag in tags[4096:count]])
        ctl.ok("map", "load", more, "--service", t.name)
    ctl.ok("map", "del", *("0x" + tag.hex() for tag in tags[90000:91000]), "--service", t.name)
    ctl.ok("map", "replace", state, "--service", t.name)
    storm_over(t, 0, "rows that stay")
    t.file(t.write(targets(tags)))
    t.listed()
