"""What reaches a terminal: nothing that others chose does anything there, whatever prints it."""

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time

import pytest
from conftest import PREFIX, dump, entities, service
from mangletest import ctl, frames, netns
from mangletest.ctl import assert_error, js, ok, run

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
        ["help"], ["version"], ["--help"], ["--version"]]
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
                 ["apply", bad], ["explain", bad], ["explain", "--hex", EVIL], ["service", "add", EVIL, *NEW[3:]],
                 ["service", "del", EVIL], ["stats", "--service", EVIL], ["map", "save", "--service", EVIL], ["upgrade", EVIL],
                 ["save", EVIL], ["service", "set", "telemetry", "--daddr", EVIL],
                 ["service", "set", "telemetry", "--iface", EVIL], ["explain", pcap, "--iface", EVIL], ["map", "flush", "--service", EVIL],
                 ["help", EVIL]):
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
            (["service", "set", "new", "--size", "4:99"], "updated 1, generation %"),
            (["service", "del", "new"], "removed 1, generation %"),
            (["map", "flush"], "removed 2, generation %"), (["apply", str(config)], "added 1, generation %"),
            (["-n", world.a, "attach", "veth2"], "attached veth2"), (["-n", world.a, "detach", "veth2"], "detached veth2"),
            (["upgrade"], "upgraded veth0"), (["detach", "--all", "--purge"], "detached veth0")):
        if argv == ["upgrade"]:
            ctl.of_another_build()
        r = into([*json, *argv], stdout, stdin=b"AAAA 6003\nBBBB 6002\n" if "-" in argv else None)
        assert r.status == 1, r
        assert "standard output: writing: " in ctl.check_error_line(r), r
        left = ctl.generation() if ctl.pins() else 0
        assert f"(the change was made: {made.replace('%', str(left))})" in r.err, r


@pytest.mark.parametrize("stdout", ["/dev/full", None])
def test_an_answer_that_cannot_be_written(one, tmp_path, stdout):
    """Nothing was changed, so nothing of a change is said."""
    ok("map", "set", "ABCD", "6001")
    for argv in (["map", "set", "ABCD", "6001"], ["map", "load", "-", "--check"], ["map", "list"], ["save"], ["status"],
                 ["--help"]):
        r = into(argv, stdout, stdin=b"EFGH 6001\n")
        why = "No space left on device" if stdout else "Bad file descriptor"
        assert r.status == 1 and f"{why} (check where standard output goes)" in r.err, r
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


# --- on a terminal ---------------------------------------------------------------------------------


class Terminal:
    """The tool with a terminal as standard output. PAGER is empty unless it is given; None leaves a variable out."""

    def __init__(self, *argv, columns=80, lines=24, **env):
        env = {**os.environ, "TERM": "xterm", "PAGER": "", "NO_COLOR": None, "COLUMNS": None, "LINES": None, **env}
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen([ctl.BIN, *argv], stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                                        env={k: v for k, v in env.items() if v is not None})
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()
        os.close(self.master)

    def read(self):
        """All that comes until the end."""
        text = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while some := os.read(self.master, 65536):
                text += some
        return text.decode().replace("\r\n", "\n")


def tty(*argv, **kw):
    with Terminal(*argv, **kw) as t:
        text = t.read()
        _, err = t.process.communicate(timeout=30)
        assert t.process.returncode == 0, (argv, text, err)
        return text


LONG_NAME = "a-service-with-as-long-a-name-a"


@pytest.fixture
def listed(fresh, load, world):  # pylint: disable=unused-argument
    """Rows of all kinds, and packets of some."""
    load([service("telemetry", entities=entities(("ABCD", 6001), ("EFGH", 6002, 16, 512), ("DROP", "drop"), ("PASS", "pass"))),
          service(LONG_NAME, ports=[5001], tag={"offset": 0, "length": 16}, size={"min": 16, "max": 1400},
                  entities=entities(("hex:" + "ff" * 16, 65535, 1000, 1400)))])
    world.send(*["ABCD" * 50] * 12, listen=6001)


def test_map_list_of_a_script(listed):
    """Columns and numbers do not depend on the rows, a terminal or the environment."""
    lines = ok("map", "list", env={**os.environ, "COLUMNS": "40", "PAGER": "false"}).out.splitlines()
    assert lines[0] == f"{'SERVICE':31} {'TAG':34} TARGET {'SIZE':11} {'PACKETS':>12} {'BYTES':>15} LAST-SEEN"
    row = next(li for li in lines if "ABCD" in li)
    assert re.fullmatch(rf"{'telemetry':31} {'ABCD':34} 6001   {'-':11} {12:12} {12 * 242:15} \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row), row
    assert f"{'telemetry':31} {'DROP':34} drop   {'-':11} {0:12} {0:15} never" in lines


def test_map_list_on_a_terminal(listed):
    for columns, kw in ((80, {}), (80, {"columns": 132, "COLUMNS": "80"}), (90, {"columns": 90}), (200, {"columns": 200})):
        lines = tty("map", "list", "--color", "never", **kw).splitlines()
        assert len(lines) == 6 and max(map(len, lines)) <= columns, lines
        assert re.fullmatch(r"SERVICE +TAG +TARGET SIZE +PKTS BYTES +SEEN", lines[0]), lines[0]
        assert any(re.fullmatch(r"telemetry +ABCD +6001 - +12 2\.90k +\d+s", li) for li in lines), lines
        assert any(re.fullmatch(r"telemetry +EFGH +6002 16:512 +0 +0 never", li) for li in lines), lines
        cut = next(li.split()[0] for li in lines if "0xff" in li)
        assert cut == LONG_NAME if columns >= 104 else cut.endswith("+") and LONG_NAME.startswith(cut[:-1]), cut
    exact = tty("map", "list", "--exact", "--service", "telemetry")
    assert re.search(r"ABCD +6001 - +12 +2904 \d{4}-\d\d-\d\dT", exact), exact
    assert re.search(r"ABCD +6001 - +12 2\.90k +\d+s\n", tty("map", "get", "ABCD", "--service", "telemetry"))


def test_units(fresh, load, world):
    """k, M, G are cut, not rounded, with three digits at most."""
    load(service(entities=entities(("ABCD", 6001))))
    for packets, shown in ((999, ("999", "141k")), (1000, ("1.00k", "142k")), (1239, ("1.23k", "175k"))):
        world.send(*["ABCD" * 25] * (packets - js("map", "get", "ABCD")["packets"]), listen=6001)
        rows = tty("map", "list", "-o", "packets,bytes", "--no-header")
        assert tuple(rows.split()) == shown


def test_columns(listed):
    """-o has those that are named, in that order, for scripts and on a terminal."""
    rows = ok("map", "list", "-o", "tag,target", "--service", "telemetry").out
    assert rows == f"{'TAG':34} TARGET\n{'ABCD':34} 6001\n{'DROP':34} drop\n{'EFGH':34} 6002\n{'PASS':34} pass\n"
    assert ok("map", "list", "--columns", "target,tag", "--no-header", "--service=telemetry").out.splitlines()[0] == "6001   ABCD"
    assert tty("map", "list", "-o", "tag,target", "--service", "telemetry", "--color=never").splitlines() == [
        "TAG  TARGET", "ABCD   6001", "DROP   drop", "EFGH   6002", "PASS   pass"]
    every = ["service", "tag", "target", "size", "packets", "bytes", "last-seen"]
    assert ok("map", "list", "-o", ",".join(every)).out == ok("map", "list").out
    for name in every:
        assert len(ok("map", "list", "-o", name).out.split("\n")) == 7
    for wrong in ("", "tag,", ",tag", "nosuch", "tag,tag", "TAG", "ta", "tags", "tag target"):
        assert_error(["map", "list", "-o", wrong], 2, "--columns")
    assert_error(["-j", "map", "list", "-o", "tag"], 2, "JSON")


def test_order(load):
    load(service(entities=entities(("AAAA", "drop"), ("BBBB", 7000), ("CCCC", 600), ("DDDD", "pass"), ("EEEE", 7000))))

    def order(*options):
        return [e["text"][0] for e in js("map", "list", *options)]

    assert "".join(order("--sort", "target")) == "CBEAD"
    assert "".join(order("--sort", "target", "--reverse")) == "DAEBC"
    assert "".join(order("--reverse")) == "EDCBA"
    assert "".join(order("--reverse", "--limit", "2")) == "ED"
    assert_error(["map", "list", "--limit", "0"], 2, "--limit 0")


AGELESS = ("map", "list", "-o", "service,tag,target,packets")  # whose output is the same a second later


def test_color(listed):
    red, yellow, plain = "\x1b[31m", "\x1b[33m", "\x1b[0m"
    shown = tty(*AGELESS)
    assert f"{red}  drop {plain}" in shown and f"{yellow}  pass {plain}" in shown and shown.count("\x1b") == 4
    for argv, env in (([], {"NO_COLOR": "1"}), (["--color", "never"], {}), ([], {"TERM": "dumb"})):
        assert "\x1b" not in tty("map", "list", *argv, **env)
    assert tty(*AGELESS, "--color=always", NO_COLOR="1") == shown
    assert "\x1b" not in ok("map", "list").out and red in ok("map", "list", "--color", "always").out
    assert "\x1b" not in ok("map", "list", "-j", "--color", "always").out
    assert_error(["map", "list", "--color", "blue"], 2, "blue")


def test_pager(listed):
    """On a terminal only; what is empty, cat, or not there, turns it off; leaving it early is no error."""
    mark = "sed s/^/PAGED:/"
    shown = tty(*AGELESS)
    paged = tty(*AGELESS, PAGER=mark)
    assert [li.removeprefix("PAGED:") for li in paged.splitlines()] == shown.splitlines() and paged.startswith("PAGED:")
    for env in ({"PAGER": "cat"}, {"PAGER": "no-such-pager -x"}, {"PAGER": mark, "TERM": "dumb"}):
        assert "PAGED" not in tty("map", "list", "--color", "always", **env)
    assert tty(*AGELESS, "--no-pager", PAGER=mark) == shown
    assert "PAGED" not in tty("map", "set", "ABCD", "6001", "--service", "telemetry", PAGER=mark)
    assert "PAGED" not in ok("map", "list", env={**os.environ, "PAGER": mark}).out
    assert tty("-j", "service", "list", PAGER=mark) == ok("-j", "service", "list").out
    assert "SERVICE" in tty("map", "list", PAGER="head -1")
    assert tty("map", "list", PAGER="true") == ""
    assert "PAGED" not in tty("map", "list", PAGER=mark, SUDO_UID="1000"), "a shell for whoever may run this alone"
    assert "SERVICE" in tty("map", "list", PAGER=None), "with less, or without it"


def test_a_pager_that_stalls_keeps_nobody_out(one):
    ok("map", "load", "-", stdin="".join(f"0x{i:08x} 6001\n" for i in range(20000)))
    with Terminal("map", "list", PAGER="sleep 4"):
        time.sleep(1)
        ok("map", "set", "0x00000001", "6002", "--wait", "2")


# --- what changes ------------------------------------------------------------------------------------


def test_a_plan_tells_services_from_entities(fresh, tmp_path):
    path = tmp_path / "m.yaml"
    rows = [(f"{i:04d}", 6001) for i in range(60)]
    path.write_text(dump([service("a", entities=entities(*rows)), service("b", ports=[5001])]), encoding="ascii")
    said = ok("apply", path, "--check").out.splitlines()
    assert said[-2:] == ["... and 10 more (--all shows them)", "would add 2 services and 60 entities"]
    said = ok("apply", path, "--check", "--all").out.splitlines()
    assert len(said) == 63 and said[1:61] == [f"+ a {i:04d} 6001" for i in range(60)]
    r = js("apply", path, "--check")
    assert (r["added"], r["services"]["added"], r["entities"]["added"]) == (62, 2, 60) and r["changed"]
    assert ok("apply", path, "--all").out.splitlines()[-1] == "added 62, removed 0, updated 0, generation 1"
    path.write_text("version: 1\nflows: 2048\n" + dump([service("a", size={"min": 4, "max": 99}, entities=entities(
        *rows[:-2], ("0058", 6002)))]).split("\n", 1)[1], encoding="ascii")
    assert ok("apply", path, "--check").out.splitlines() == [
        "~ flows  65536 -> 2048", "~ service a  size 4:1400 -> 4:99", "~ a 0058  6001 -> 6002", "- a 0059 6001", "- service b",
        "would remove 1 service and 1 entity, update 1 service and 1 entity and the flow table's size"]
    r = js("apply", path)
    assert (r["updated"], r["services"], r["entities"]) == (
        3, {"added": 0, "removed": 1, "updated": 1}, {"added": 0, "removed": 1, "updated": 1})
    assert ok("apply", path, "--check").out == "nothing to change\n"
    assert ok("map", "load", "-", "--check", "--all", "--service", "a", stdin="AAAA 6001\n").out.splitlines() == [
        "+ a AAAA 6001", "would add 1 entity"]


def test_old_and_new_of_what_changes(load, tmp_path):
    load(service(entities=entities(("ABCD", 6001, 20, 100), ("EFGH", 6002), ("KEEP", 6003))))
    new = service(protocol="any", ports=[5000, 5002], daddr=["192.0.2.0/24", "198.51.100.0/24"], saddr=["10.0.0.0/8"],
                  interface="veth0", tag={"offset": 2, "length": 4}, size={"min": 20, "max": 1300}, invalid="drop", unknown=6100,
                  tcp="segment",
                  action="observe", targets="6000-6999", entities=entities(("ABCD", "drop"), ("EFGH", 6002, 30, 40), ("KEEP", 6003)))
    path = tmp_path / "new.yaml"
    lines = [
        "~ service telemetry  protocol udp -> any, ports 5000 -> 5000,5002, daddr any -> 192.0.2.0/24,198.51.100.0/24, "
        "saddr any -> 10.0.0.0/8, interface any -> veth0, tag 0:4 -> 2:4, size 4:1400 -> 20:1300, invalid pass -> drop, "
        "unknown pass -> 6100, tcp connection -> segment, action enforce -> observe, targets any -> 6000-6999",
        "~ telemetry ABCD  6001 20:100 -> drop", "~ telemetry EFGH  6002 -> 6002 30:40"]
    path.write_text(dump(new), encoding="ascii")
    assert ok("apply", path, "--check").out.splitlines() == [*lines, "would update 1 service and 2 entities"]
    assert ok("apply", path).out.splitlines()[:-1] == lines
    ok("service", "set", "telemetry", "--protocol", "udp", "--ports", "5000", "--tcp", "connection", "--reply", "on")
    new.update(protocol="udp", ports=[5000])
    del new["tcp"], new["targets"]
    path.write_text(dump(new), encoding="ascii")
    assert ok("apply", path, "--check").out.splitlines() == [
        "~ service telemetry  reply on -> off, targets 6000-6999 -> any", "would update 1 service"]


def test_service_list_is_what_service_add_takes(load, world):
    """Each line behind `mangle-ctl service add`, as a shell reads it, makes the same service again."""
    services = [
        service("plain"),
        service("full", protocol="any", ports=[5001, 5002], daddr=["192.0.2.0/24", "198.51.100.0/24"], saddr=["10.0.0.0/8"],
                interface="o'x$(id)", tag={"offset": -8, "length": 8}, size={"min": 16, "max": 1300}, invalid="drop", unknown=6100,
                tcp="segment", action="observe", targets="6000-6999"),
        service("reply", ports=[5003], reply=True, unknown="drop")]
    load(services)
    ok("map", "set", "ABCD", "6001", "--service", "plain")
    settings = js("service", "list")
    lines = ok("service", "list").out.splitlines()
    assert [li.split()[0] for li in lines] == ["full", "plain", "reply"]
    assert lines[1] == ("plain --protocol udp --ports 5000 --tag 0:4 --size 4:1400 --invalid pass --unknown pass --action enforce"
                        " # entities: 1")
    ok("map", "flush", "--service", "plain")
    for line in lines:
        ok("service", "del", line.split()[0])
        subprocess.run(["bash", "-c", f"{ctl.BIN} service add {line}"], check=True, stdout=subprocess.DEVNULL)
    assert [{**s, "count": 0} for s in settings] == js("service", "list")
    assert tty("service", "list").splitlines()[2] == lines[2]


# --- stats -------------------------------------------------------------------------------------------

NUMBERS = ("SEEN", "REWRITTEN", "PASSED", "DROPPED", "ANSWERED")


def table(text):
    """Lines of `stats` by the name in front: its numbers, and the share refused where there is one."""
    head, *lines = [li for li in text.splitlines() if not re.match(r"\d{4}-", li)]
    assert head.split() == ["SERVICE", *NUMBERS, "REFUSED"], head
    rows = {}
    for line in lines:
        got = re.fullmatch(r"(\S.*?|  if enforced) +" + r" +".join([r"([\d.]+[kMG]?)"] * 5) + r"(?: +(-|<?\d+%))?", line)
        if got:
            rows.setdefault(got[1], []).append(got.groups()[1:])
    return rows


@pytest.fixture
def counted(fresh, load, world):  # pylint: disable=unused-argument
    load([service("telemetry", unknown="drop", entities=entities(("ABCD", 6001))),
          service("trial", ports=[5001], action="observe", unknown="drop", entities=entities(("ABCD", 6002)))])
    world.send(*["ABCD" * 4] * 12, listen=6001)
    world.send(*["WXYZ"] * 3, "ABCD", port=5001, listen=5001)
    ok("service", "set", "telemetry", "--unknown", "pass")
    world.send("no such tag", "no such tag", "abc", port=5000)
    world.send("x", port=4999)


def test_stats_are_a_line_a_service(counted):
    text = ok("stats").out
    rows = table(text)
    assert len(text.splitlines()) == 5, "no reasons"
    assert rows["telemetry"] == [("15", "12", "3", "0", "0", "20%")]
    assert rows["trial"] == [("4", "0", "4", "0", "0", "75%")]
    assert rows["  if enforced"] == [("4", "1", "0", "3", "0", None)]
    assert rows["all packets"][0][1::4] == ("12", None)
    ok("service", "set", "telemetry", "--unknown", "6100")
    assert table(ok("stats").out)["telemetry"][0][5] == "6%", "an unknown tag that is given a port is not refused"
    ok("service", "set", "telemetry", "--unknown", "pass")
    one = ok("stats", "--service", "telemetry").out
    assert re.search(r"\n  REASON +PACKETS +BYTES  MEANING\n", one) and re.search(r"\n  rewritten +12 +696  the entity", one), one
    assert "trial" not in one and "all packets" not in one and "no_service" not in one
    every = ok("stats", "-v").out
    assert every == ok("stats", "--verbose").out and every.count("REASON") == 3 and re.search(r"  no_service +\d+ ", every)


def test_stats_on_a_terminal(counted):
    for argv in (["stats"], ["stats", "-v"]):
        text = tty(*argv)
        assert max(map(len, text.splitlines())) <= 80, text
        assert table(text)["telemetry"] == [("15", "12", "3", "0", "0", "20%")]
    assert tty("stats", "-v", PAGER="sed s/^/P:/").startswith("P:SERVICE")


def test_stats_drops_are_red(fresh, load, world):  # pylint: disable=unused-argument
    load(service(unknown="drop", entities=entities(("ABCD", 6001))))
    with world.lab.sockets():
        world.ns_b.udp(netns.addresses(1, 4)[1], 0).sendto(b"WXYZ", (netns.addresses(1, 4)[0], 5000))
        deadline = time.monotonic() + 5
        while not js("stats")["packets"]["dropped"] and time.monotonic() < deadline:
            time.sleep(0.05)
    assert tty("stats").count("\x1b[31m") == 2
    assert "\x1b" not in tty("stats", NO_COLOR="1") + ok("stats").out


def watch(*options, stdin=None, seconds=2.5, **kw):
    with subprocess.Popen([ctl.BIN, "stats", "--watch", *options], stdout=subprocess.PIPE, **kw) as p:
        time.sleep(seconds)
        p.terminate()
        return p.communicate()[0].decode()


def test_watch_has_rates_and_the_time(counted, world):
    first, *more = watch(seconds=0.5).split("\n\n")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  packets so far", first) and table(first)["telemetry"][0][0] == "15"
    with subprocess.Popen([ctl.BIN, "stats", "--watch"], stdout=subprocess.PIPE) as p:
        time.sleep(0.5)
        world.send(*["ABCD"] * 100, listen=6001)
        time.sleep(2.2)
        p.terminate()
        _, second, third = p.communicate()[0].decode().split("\n\n")[:3]
    assert "packets a second" in second and "packets a second" in third
    assert 80 <= int(table(second)["telemetry"][0][1]) <= 100 and table(third)["telemetry"][0][1] == "0"
    times = [r["time"] for r in map(json.loads, watch("-j").splitlines())]
    assert abs(times[0] - time.time()) < 60 and all(0.9 < b - a < 5 for a, b in zip(times, times[1:])) and len(times) >= 2
    assert "time" not in js("stats"), "two answers about the same counters are the same"


def test_watch_stays_on_the_terminal(load):
    """With more services than it has lines the head is there, and what is left out is said."""
    load([service(f"s{i:02d}", ports=[7000 + i]) for i in range(40)])
    with Terminal("stats", "--watch", lines=24) as t:
        time.sleep(1.8)
        t.process.terminate()
        screens = t.read().split("\x1b[H\x1b[J")
    assert len(screens) >= 2
    for screen in screens:
        lines = screen.splitlines()
        assert len(lines) <= 23 and lines[1].startswith("SERVICE"), screen
        assert lines[-1] == "... and 21 more lines (--service NAME)", screen
