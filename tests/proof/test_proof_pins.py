"""Foreign and damaged pins: whoever meets one says which it is, and touches nothing."""

import json
import os
import shutil
import struct
import subprocess

import faults
import pytest
from mangletest import ctl, netns, proof, tc

MAPS = ("layout", "gate", "stats", "ifaces", "tables", "flows", "config")
NOBODY = 65534
CONFIG_MAGIC, LAYOUT_MAGIC = 0x6d6e676c, 0x6d6c6179


def pin_of(name):
    return os.path.join(ctl.PIN_DIR, name)


def bpftool(*args):
    subprocess.run(["bpftool", *map(str, args)], check=True, stdout=subprocess.DEVNULL)


def inner_of(map_name):
    """Path of the map that the first place of an array of maps holds."""
    fd = tc.pinned(pin_of(map_name))
    number, = struct.unpack("<I", tc.value_of(fd, 4))
    os.close(fd)
    return pin_of(f"inner/{number}")


def link():
    return next(p for p in ctl.pins() if "/link-" in p)


def other_map(path, kind, value, entries):
    os.unlink(path)
    bpftool("map", "create", path, "type", kind, "key", 4, "value", value, "entries", entries, "name", "other")


def program(path):
    os.unlink(path)
    fd = tc.load()
    tc.pin(fd, path)
    os.close(fd)


def directory(path):
    os.unlink(path)
    os.mkdir(path, 0o700)


def given_away(path):
    os.chown(path, NOBODY, NOBODY)


def emptied(path):
    for name in os.listdir(path):
        os.unlink(os.path.join(path, name))


def size_of(path):
    said = subprocess.run(["bpftool", "-j", "map", "show", "pinned", path], check=True, stdout=subprocess.PIPE)
    return json.loads(said.stdout)["bytes_value"]


def rewritten(path, magic, at, number):
    """The number at so many bytes from where the magic is in an array's value is another."""
    fd = tc.pinned(path)
    value = bytearray(tc.value_of(fd, size_of(path)))
    struct.pack_into("<I", value, value.index(struct.pack("<I", magic)) + at, number)
    tc.set_value(fd, bytes(value))
    os.close(fd)


def strangers_config(path):
    """An array of maps just like `config`, with a map in it just like a configuration: all zero."""
    inner = pin_of("stranger")
    bpftool("map", "create", inner, "type", "array", "key", 4, "value", size_of(inner_of("config")), "entries", 1,
            "name", "other", "flags", 0x400)
    os.unlink(path)
    bpftool("map", "create", path, "type", "array_of_maps", "key", 4, "value", 4, "entries", 1, "name", "config",
            "inner_map", "pinned", inner)
    bpftool("map", "update", "pinned", path, "key", 0, 0, 0, 0, "value", "pinned", inner)
    os.unlink(inner)


# What is done, and what must be in the line. Of the kinds at every pin the short form takes one in four.
KINDS = [
    *((f"{name}: another size", lambda name=name: other_map(pin_of(name), "array", 8, 4), name) for name in MAPS),
    *((f"{name}: another type", lambda name=name: other_map(pin_of(name), "hash", 4, 1), name) for name in MAPS),
    *((f"{name}: a program", lambda name=name: program(pin_of(name)), name) for name in MAPS),
    *((f"{name}: a directory", lambda name=name: directory(pin_of(name)), name) for name in MAPS),
    *((f"{name}: another owner", lambda name=name: given_away(pin_of(name)), name) for name in (*MAPS, "", "inner")),
]
OTHERS = [
    ("config: somebody else's", lambda: strangers_config(pin_of("config")), "inner/"),
    ("layout: a later version", lambda: rewritten(pin_of("layout"), LAYOUT_MAGIC, 4, 77), "layout version 77"),
    ("layout: no magic", lambda: rewritten(pin_of("layout"), LAYOUT_MAGIC, 0, 1), "layout"),
    ("config: no magic", lambda: rewritten(inner_of("config"), CONFIG_MAGIC, 0, 1), "config"),
    ("inner: empty", lambda: emptied(pin_of("inner")), "inner/"),
    ("inner: gone", lambda: shutil.rmtree(pin_of("inner")), "inner/"),
    ("inner/config: gone", lambda: os.unlink(inner_of("config")), "inner/"),
    ("inner/config: another map", lambda: other_map(inner_of("config"), "array", 8, 4), "inner/"),
    ("inner/config: a program", lambda: program(inner_of("config")), "inner/"),
]
TABLE = [
    ("table: gone", lambda: os.unlink(inner_of("tables")), "inner/"),
    ("table: another map", lambda: other_map(inner_of("tables"), "array", 8, 4), "inner/"),
    ("table: another type", lambda: other_map(inner_of("tables"), "hash", 4, 1), "inner/"),
    ("table: a program", lambda: program(inner_of("tables")), "inner/"),
]
LINK = [
    ("link: another map", lambda: other_map(link(), "array", 8, 4), "link-"),
    ("link: a program", lambda: program(link()), "link-"),
]

OF_TABLE = [("map set AAAA 6001 --service s", ""), ("map get AAAA --service s", ""), ("map del AAAA --service s", ""),
            ("map list --service s", ""), ("map save --service s", ""), ("map load - --service s", faults.TABLE),
            ("map replace - --service s", faults.TABLE), ("save", ""), ("apply -", faults.OLD), ("service list", ""), ("status", "")]
VERBS = [*OF_TABLE, ("map flush --service s", ""), ("map list", ""), ("stats", ""),
         ("service set s --unknown drop", ""), ("service del t", ""),
         ("service add u --proto udp --port 5009 --tag 0:4 --size 4:100", ""), ("explain --hex " + "00" * 60, ""),
         ("upgrade", ""), ("-n {a} attach veth0", ""),
         ("-n {a} detach veth0", ""), ("detach --all", ""), ("detach --all --purge --force", "")]


@pytest.fixture
def way(lab, clean, tmp_path):
    del clean
    lab.join(lab.ns("a"), "veth0", lab.ns("b"), "veth1", 1)
    return faults.Way(lab, tmp_path)


def everything(way):
    """All that must stay as it is: pins, who has them, and what is on the interface."""
    paths = [ctl.PIN_DIR, *ctl.pins()]
    stats = [os.lstat(p) for p in paths]
    return [(p, s.st_ino, s.st_uid, s.st_mode) for p, s in zip(paths, stats)], netns.xdp_on(way.a, "veth0")


def assert_refused(way, verbs, name):
    before = everything(way)
    for line, stdin in verbs:
        r = ctl.run(*line.format(a=way.a.name).split(), stdin=stdin)
        assert r.status == 1, r
        said = ctl.check_error_line(r)
        assert ctl.PIN_DIR in said and name in said, f"not named: {r}"
        assert everything(way) == before, f"touched: {r}"


def load(way):
    ctl.purge()
    shutil.rmtree(ctl.PIN_DIR, ignore_errors=True)
    faults.attach(way, faults.NEW)
    assert way.look(faults.IN_NEW) == faults.IN_NEW


@pytest.mark.filterwarnings("ignore:pins removed by force")
@pytest.mark.parametrize("damages, verbs", [(KINDS[::proof.size(4, 1)] + OTHERS, VERBS), (TABLE, OF_TABLE)], ids=["every verb", "a table"])
def test_refused(way, damages, verbs):
    load(way)
    for what, damage, name in damages:
        damage()
        print(what, flush=True)
        assert_refused(way, verbs, name)
        assert way.look(faults.IN_NEW) == faults.IN_NEW, f"{what}: packets"
        load(way)
    proof.figure(f"pins that are foreign or damaged, {len(damages)} of them: refused by every one of {len(verbs)} commands",
                 "named, nothing touched, packets as before")


@pytest.mark.filterwarnings("ignore:pins removed by force")
def test_a_damaged_table_is_removed(way):
    """By --purge, with a word where its entities cannot be counted."""
    load(way)
    os.unlink(inner_of("tables"))
    r = ctl.run("detach", "--all", "--purge", "--force")
    assert r.status == 0 and "cannot tell how many entities are removed: " + ctl.PIN_DIR in r.err, r
    assert ctl.pins() == []


@pytest.mark.filterwarnings("ignore:pins removed by force")
def test_links(way):
    """A pin that is no link is nothing that detach may remove."""
    for what, damage, name in LINK:
        load(way)
        damage()
        assert ctl.js("status")["interfaces"][0]["state"] == "gone", what
        assert_refused(way, [("-n {a} detach veth0", ""), ("detach --all", ""), ("detach --all --purge", "")], name)
        ctl.purge()
