"""What reaches a terminal: nothing that others chose does anything there, whatever prints it."""

import os
import re
import subprocess

import pytest
from conftest import PREFIX, dump, entities, service
from mangletest import ctl, frames
from mangletest.ctl import ok, run

# ESC [ 31 m, CSI of C1 as UTF-8 and as a byte, DEL, right-to-left override
EVIL = b"\x1b[3m\xc2\x9b\x9b\x7f\xe2\x80\xae"
SHOWN = r"\x1b[3m\xc2\x9b\x9b\x7f\xe2\x80\xae"
# C0 but for newline, DEL, C1, what has no width or turns the text around, and what was not UTF-8 (surrogateescape)
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\udc80-\udcff]")


@pytest.fixture
def evil(fresh, tmp_path):
    """A namespace with an interface, a configuration, a table file and a capture, all of that name."""
    name, peer = PREFIX.encode() + EVIL, PREFIX.encode() + b"p"
    subprocess.run([b"ip", b"netns", b"add", name], check=True)
    subprocess.run([b"ip", b"-n", name, b"link", b"add", EVIL, b"up", b"type", b"veth", b"peer", b"name", peer], check=True)
    files = os.path.join(os.fsencode(tmp_path), EVIL)
    os.mkdir(files)
    made = {"config": dump(service(entities=entities(("ABCD", 6001)))).encode(), "table": b"ABCD 6001\nEFGH 6002\n",
            "pcap": frames.pcap([frames.frame("ABCD")])}
    for file, content in made.items():
        with open(os.path.join(files, file.encode()), "wb") as f:
            f.write(content)
    yield name, files
    ctl.purge()
    subprocess.run([b"ip", b"netns", b"del", name], check=True)


def check(*argv):
    r = run(*argv)
    for text in (r.out, r.err):
        assert not UNSAFE.search(text), r
    return r


def test_names_of_others_are_escaped(evil):
    """Every verb, with such names wherever it takes one or prints one, done and refused."""
    netns, files = evil
    config, table, pcap = (os.path.join(files, f) for f in (b"config", b"table", b"pcap"))
    there = ["-n", netns]
    assert SHOWN in check(*there, "attach", EVIL, "--config", config).out
    lines = [
        [*there, "attach", EVIL], [*there, "attach", EVIL, "--mode", "generic"], ["status"], [*there, "status", EVIL],
        ["doctor"], [*there, "doctor", EVIL], ["upgrade"], ["apply", config, "--check"], ["apply", config],
        ["service", "set", "telemetry", "--size", "4:99"], ["service", "list"], ["save"], ["map", "load", table, "--check"],
        ["map", "load", table], ["map", "replace", table], ["map", "list"], ["map", "save"], ["map", "get", "ABCD"],
        ["map", "list", "--match", EVIL], ["map", "set", "hex:1b5b9b7f", "6003"], ["map", "list"], ["map", "get", "hex:1b5b9b7f"],
        ["map", "del", "hex:1b5b9b7f"], ["map", "flush"], ["stats"], ["explain", pcap],
        ["service", "add", "s", "--proto", "udp", "--port", "5001", "--tag", "0:4", "--size", "4:99", "--entities", table],
        ["service", "del", "s"], ["apply", config, "--check"],
        ["--help"], ["--version"]]
    for argv in lines:
        r = check(*argv)
        assert r.status == 0 or "doctor" in argv or "generic" in argv, r
    assert SHOWN in check(*there, "status", EVIL).out
    bad = os.path.join(files, b"bad")
    with open(bad, "wb") as f:
        f.write(EVIL)
    for argv in (["attach", EVIL], ["detach", EVIL], ["status", EVIL], ["doctor", EVIL], ["-n", EVIL, "status"], ["map", "get", EVIL],
                 ["map", "set", "ABCD", EVIL], ["map", "del", EVIL], ["map", EVIL], [EVIL], ["--" + "x" * 9, EVIL], [b"--" + EVIL],
                 ["map", "list", "--service", EVIL], ["map", "list", "--sort", EVIL], ["map", "load", bad], ["map", "replace", bad],
                 ["apply", bad], ["explain", bad], ["explain", "--hex", EVIL], ["service", "add", EVIL, *lines[-5][3:]],
                 ["service", "del", EVIL], ["stats", "--service", EVIL], ["map", "save", "--service", EVIL], ["upgrade", EVIL],
                 ["save", EVIL], ["service", "set", "telemetry", "--daddr", EVIL],
                 ["service", "set", "telemetry", "--iface", EVIL], ["explain", pcap, "--iface", EVIL], ["map", "flush", "--service", EVIL]):
        r = check(*argv)
        assert r.status in (1, 2, 3), r
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", ok("--help").out.split("Options")[0], re.M)
    tried = {" ".join(map(str, argv[a:b])) for argv in [*lines, ["detach"]] for a in (0, 2) for b in (a + 1, a + 2)}
    assert verbs and set(verbs) <= tried, "a verb without a line here"
    assert SHOWN in check(*there, "detach", EVIL).out


def test_what_is_printable_stays(fresh, tmp_path):
    """Letters of other languages are no danger."""
    path = tmp_path / "größe-€.map"
    assert path.name in check("apply", path).err


def into(argv, stdout, stdin=None):
    """Runs the tool with its output going into that file, or (None) with a closed standard output."""
    with open(stdout or os.devnull, "wb") as file:
        done = subprocess.run([ctl.BIN, *argv], input=stdin, stdout=file, stderr=subprocess.PIPE, check=False,
                              preexec_fn=None if stdout else lambda: os.close(1))
    return ctl.Result(argv, subprocess.CompletedProcess(argv, done.returncode, b"", done.stderr))


NEW = ["service", "add", "new", "--proto", "udp", "--port", "5001", "--tag", "0:4", "--size", "4:100"]


@pytest.mark.parametrize("stdout", ["/dev/full", None])
@pytest.mark.parametrize("json", [[], ["-j"]], ids=["text", "json"])
def test_a_change_whose_answer_cannot_be_written(load, world, stdout, json):
    """The error tells that the change was made: `an error changes nothing` would have it made once more."""
    config = load(service(entities=entities(("ABCD", 6001))))
    for argv, made in (
            (["map", "set", "EFGH", "6002"], "added 1, generation %"), (["map", "set", "EFGH", "6003"], "updated 1, generation %"),
            (["map", "del", "EFGH"], "removed 1, generation %"), (["map", "load", "-"], "added 2, generation %"),
            (["map", "replace", "-"], "removed 1, generation %"), (NEW, "added 1, generation %"),
            (["service", "set", "new", "--size", "4:99"], "updated 1, generation %"), (["service", "del", "new"], "removed 1, generation %"),
            (["map", "flush"], "removed 2, generation %"), (["apply", str(config)], "added 1, generation %"),
            (["-n", world.a, "attach", "veth2"], "attached veth2"), (["-n", world.a, "detach", "veth2"], "detached veth2"),
            (["upgrade"], "upgraded veth0"), (["detach", "--all", "--purge"], "detached veth0")):
        r = into([*json, *argv], stdout, stdin=b"AAAA 6001\nBBBB 6002\n" if "-" in argv else None)
        assert r.status == 1, r
        assert "standard output: writing: " in ctl.check_error_line(r), r
        left = ctl.generation() if ctl.pins() else 0
        assert f"(the change was made: {made.replace('%', str(left))})" in r.err, r


@pytest.mark.parametrize("stdout", ["/dev/full", None])
def test_an_answer_that_cannot_be_written(one, tmp_path, stdout):
    """Nothing was changed, so nothing of a change is said."""
    ok("map", "set", "ABCD", "6001")
    for argv in (["map", "set", "ABCD", "6001"], ["map", "load", "-", "--check"], ["map", "list"], ["status"], ["--help"]):
        r = into(argv, stdout, stdin=b"EFGH 6001\n")
        assert r.status == 1 and "see where it goes" in r.err, r
    assert into(["-q", "map", "set", "ABCD", "6002"], stdout).status == 0


def test_what_is_opened_is_not_standard_output(one, tmp_path):
    """Nor do rows come from a closed standard input."""
    out = tmp_path / "out.pcap"
    frame = frames.frame("ABCD")
    r = into(["explain", "--hex", frame.hex(), "--out", str(out)], None)
    assert r.status == 1, r
    assert b"packet" not in out.read_bytes()
    ok("map", "set", "ABCD", "6001")
    done = subprocess.run([ctl.BIN, "map", "replace", "-"], stderr=subprocess.PIPE, check=False, preexec_fn=lambda: os.close(0))
    assert done.returncode == 1, done
    assert ok("map", "get", "ABCD")
