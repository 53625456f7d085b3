"""Completion: what mangle-ctl offers for a command line that is not finished, and that the shells put it in."""

import contextlib
import os
import pty
import re
import resource
import select
import shutil
import subprocess
import time

import pytest
from conftest import entities, service
from mangletest import ctl
from mangletest.ctl import ok

DEPLOY = ctl.REPO / "deploy"
PATH = f"{os.path.dirname(ctl.BIN)}:{os.environ['PATH']}"
EVERYWHERE = {"--json", "--quiet", "--netns", "--wait", "--color", "--no-pager", "--help", "--version"}


def offered(*words, **kw):
    """The candidates for the last word."""
    r = ok("--complete", *words, **kw)
    assert r.err == "", r
    return [line.split("\t")[0] for line in r.out.splitlines()]


def takes(verb):
    """The long options in a verb's help."""
    return set(re.findall(r"^  (?:-., )?(--[a-z-]+)", ok(*verb.split(), "--help").out, re.M))


def commands():
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +", ok("--help").out.split("Commands:")[1].split("\n\n")[0], re.M)


@pytest.fixture
def loaded(load):
    """left has few tags, many more than are offered; veth0 is attached."""
    return load([
        service("left", entities=entities(("ABCD", 6001), ("ABXY", 6002), ("WXYZ", 6003), ("0x00010203", 6004))),
        service("many", ports=[5001], tag={"offset": 0, "length": 8}, size={"min": 8, "max": 1400},
                entities=entities(*((f"CUST{i:04}", 6001) for i in range(300)))),
        service("right", ports=[5002])])


# --- words ---------------------------------------------------------------------------------------

def test_commands():
    first = sorted({c.split()[0] for c in commands()})
    assert sorted(offered("")) == first
    assert offered("ma") == ["map"] and offered("st") == ["status", "stats"]
    for noun in ("map", "service"):
        assert offered(noun, "") == [c.split()[1] for c in commands() if c.startswith(noun + " ")]
        assert offered("help", noun, "s") == offered(noun, "s")
    assert offered("map", "r") == ["rm", "replace"] and offered("map", "ad") == ["add"]
    assert sorted(offered("help", "")) == first
    for words in (["nosuch", ""], ["map", "nosuch", ""], ["help", "map", "set", ""], ["version", ""]):
        assert offered(*words) == [], words


def test_commands_behind_options():
    for before in (["-j"], ["--wait", "3"], ["--wait=3"], ["-n", "x"], ["-nx"], ["-jq"]):
        assert offered(*before, "map", "se") == ["set"], before
        assert offered("map", *before, "se") == ["set"], before


def test_each_candidate_says_what_it_is():
    for words in (["map", ""], ["map", "list", "--"], [""]):
        assert all(re.fullmatch(r"\S+\t\S.*", line) for line in ok("--complete", *words).out.splitlines())


@pytest.mark.parametrize("verb", commands())
def test_options(verb):
    """All that the command takes, by the one name that help has, and no other."""
    assert set(offered(*verb.split(), "--")) == takes(verb)
    assert set(offered(*verb.split(), "-")) == takes(verb)


def test_options_given_already():
    assert "--service" not in offered("map", "list", "--service", "left", "--")
    assert "--service" not in offered("map", "list", "--service=left", "--")
    assert "--protocol" not in offered("service", "add", "x", "--proto", "udp", "--")
    assert "--daddr" in offered("service", "add", "x", "--daddr", "192.0.2.1", "--")
    assert set(offered("-")) == EVERYWHERE
    assert "--limit" in offered("map", "ls", "--li")


def test_older_names_of_options():
    assert offered("service", "add", "--prot") == ["--protocol"] and offered("service", "add", "--por") == ["--ports"]
    assert offered("service", "add", "--ifa") == ["--iface"]
    assert offered("service", "add", "--proto", "") == offered("service", "add", "--protocol", "")


@pytest.mark.parametrize("words, values", [
    ("attach --mode", ["auto", "native", "generic"]), ("service add --protocol", ["udp", "tcp", "any"]),
    ("service add --invalid", ["drop", "pass"]), ("service set x --unknown", ["pass", "drop"]),
    ("service add --tcp", ["connection", "segment"]), ("service add --reply", ["on", "off"]),
    ("service add --action", ["enforce", "observe"]), ("service set x --daddr", ["any"]),
    ("map set A 1 --size", ["none"]),
    ("map list --target", ["drop", "pass"]), ("map list --sort", ["tag", "target", "packets", "bytes", "last-seen"]),
    ("service add --ports", []), ("map list --limit", []), ("--wait", []), ("explain --hex", [])])
def test_values(words, values):
    words = words.split()
    assert offered(*words, "") == values
    assert offered(*words[:-1], words[-1] + "=") == [f"{words[-1]}={v}" for v in values]
    for v in values:
        assert v in offered(*words, v[:2])


def test_columns():
    assert offered("map", "list", "-o", "ta") == ["tag", "target"]
    assert offered("map", "list", "--columns", "tag,pa") == ["tag,packets"]
    assert offered("map", "list", "--columns=tag,size,by") == ["--columns=tag,size,bytes"]


@pytest.mark.parametrize("words", ["map load", "map replace", "apply", "explain", "attach --config", "explain --out",
                                   "service add x --entities-file", "service add x --entities"])
def test_files(words):
    """A shell knows better which there are."""
    assert offered(*words.split(), "") == [":files"] and offered(*words.split(), "/e") == [":files"]


# --- what is loaded ------------------------------------------------------------------------------

def test_services(loaded):
    for words in ("map list --service", "stats --service", "service set", "service del", "service rm"):
        assert offered(*words.split(), "") == ["left", "many", "right"], words
        assert offered(*words.split(), "le") == ["left"]
    assert offered("stats", "--service=r") == ["--service=right"]
    assert offered("service", "add", "") == [] and offered("service", "set", "left", "") == []


def test_tags(loaded):
    for verb in ("get", "set", "del", "rm", "add"):
        assert offered("map", verb, "--service", "left", "AB") == ["ABCD", "ABXY"], verb
    assert offered("map", "get", "--service", "left", "") == ["0x00010203", "ABCD", "ABXY", "WXYZ"]
    assert offered("map", "get", "--service=left", "0x4") == ["0x41424344", "0x41425859"]
    assert offered("map", "get", "--service", "left", "0x00") == ["0x00010203"]
    assert offered("map", "del", "--service", "left", "ABCD", "AB") == ["ABXY"]
    assert offered("map", "get", "--service", "left", "ABCD", "") == []
    for name in ("right", "nosuch"):
        assert offered("map", "get", "--service", name, "") == []
    assert offered("map", "get", "A") == [] and offered("map", "get", "") == ["--service"]  # among several


def test_targets(loaded):
    assert offered("map", "set", "ABCD", "") == ["drop", "pass"] and offered("map", "set", "ABCD", "d") == ["drop"]
    assert offered("map", "set", "--service", "left", "--", "ABCD", "") == ["drop", "pass"]
    assert offered("map", "set", "ABCD", "drop", "") == []


def test_more_tags_than_are_shown(loaded):
    """What those that are offered begin with is what all begin with: a shell types that by itself."""
    tags = offered("map", "get", "--service", "many", "")
    assert len(tags) == 50 and os.path.commonprefix(tags) == "CUST0"
    tags = offered("map", "get", "--service", "many", "CUST01")
    assert len(tags) == 50 and tags[0] == "CUST0100" and os.path.commonprefix(tags) == "CUST01"
    assert offered("map", "get", "--service", "many", "CUST012") == [f"CUST012{i}" for i in range(10)]


def test_the_only_service(load):
    load(service(entities=entities(("ABCD", 6001))))
    assert offered("map", "get", "") == ["ABCD"]


def test_interfaces(world, loaded):
    assert offered("-n", world.a, "attach", "ve") == ["veth0", "veth2"]
    assert offered("attach", "-n", world.a, "veth0", "ve") == ["veth2"]
    assert offered("-n", world.b, "doctor", "ve") == ["veth1", "veth3"]
    assert offered("-n", world.a, "service", "set", "left", "--interface", "ve") == ["veth0", "veth2"]
    assert offered(f"--netns={world.a}", "explain", "--iface=veth0") == ["--iface=veth0"]
    assert offered("attach", "veth") == [] and offered("-n", "nosuch", "attach", "") == []
    assert {world.a, world.b} <= set(offered("-n", "mgl")) and world.a in offered("status", "--netns", "")


def test_only_attached_interfaces_are_detached(world, loaded):
    for verb in ("detach", "status"):
        assert offered("-n", world.a, verb, "") == ["veth0"]
        assert offered(verb, "") == [] and offered("-n", world.b, verb, "") == []
    assert offered("-n", world.a, "detach", "veth0", "") == []


def test_nothing_loaded(fresh):
    for words in ("map get", "map list --service", "service set", "detach", "stats --service"):
        assert offered(*words.split(), "") == [], words
    assert offered("map", "") and not ctl.pins()


def test_nothing_is_changed_or_waited_for(loaded):
    """Where a change holds the lock there is nothing to offer for a moment."""
    before = ctl.snapshot()
    for words in ("map get --service left", "map list --service", "service set", "detach"):
        offered(*words.split(), "")
    assert ctl.snapshot() == before
    began = time.monotonic()
    with subprocess.Popen(["flock", "-x", ctl.PIN_DIR, "sleep", "4"]) as holder:
        time.sleep(0.5)
        assert offered("map", "list", "--service", "") == []
        assert time.monotonic() - began < 3.5
        holder.terminate()


def test_a_large_table(load):
    """A key takes as long as people wait for it: 0.1 s, of which a machine under load makes more."""
    load([service("large"), service("other", ports=[5001])])
    ok("map", "load", "--service", "large", "-",
       stdin="".join(f"0x{i * 2654435761 % 2 ** 32:08x} {1 + i % 60000}\n" for i in range(200000)))

    def spent(*words):
        def clock():
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return used.ru_utime + used.ru_stime

        best = 99.0
        for _ in range(3):
            began = clock()
            assert offered(*words)
            best = min(best, clock() - began)
        return best

    figures = {" ".join(w): spent(*w) for w in (
        ["map", "get", "--service", ""], ["map", "get", "--service", "large", "0x12"], ["service", "set", ""])}
    assert max(figures.values()) < 0.25, figures
    ok("map", "set", "--service", "large", "0xffffffff", "1")
    if ok("-j", "service", "list").json()[0]["count"] > 200000:
        assert offered("map", "get", "--service", "large", "0x12") == []


# --- shells --------------------------------------------------------------------------------------

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             f"PS1=; bind 'set enable-bracketed-paste off'; . {DEPLOY}/mangle-ctl.bash-completion"),
    "zsh": (["zsh", "-f", "-i"],
            f"PS1=; PROMPT_EOL_MARK=; unset zle_bracketed_paste; fpath=({DEPLOY} $fpath); autoload -Uz compinit; "
            "compinit -u -D"),
}


class Shell:
    """An interactive shell at a terminal of its own."""

    def __init__(self, name, directory):
        argv, setup = SHELLS[name]
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(directory)
            os.environ.update(PATH=PATH, TERM="dumb", HISTFILE=f"{directory}/history", HOME=str(directory))
            with contextlib.suppress(OSError):
                os.execvp(argv[0], argv)
            os._exit(127)
        self.type(f"{setup}; echo READ''Y\n")
        self.wait(r"READY")

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, pattern):
        seen, deadline = "", time.monotonic() + 30
        while not re.search(pattern, seen, re.S):
            assert time.monotonic() < deadline, seen
            if select.select([self.fd], [], [], 0.2)[0]:
                seen += os.read(self.fd, 65536).decode(errors="replace")
        return re.search(pattern, seen, re.S)

    def complete(self, line):
        """The line as it is after a TAB at its end."""
        self.type(line + "\t")
        # From its beginning on it becomes what is echoed. It is read when the completion has ended.
        self.type("\x01: ''; echo '<<'\"\x05\"'>>'\n")
        return self.wait(r"\n<<(.*?)>>")[1]

    def close(self):
        os.close(self.fd)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


@pytest.fixture(params=sorted(SHELLS))
def shell(request, tmp_path):
    if not shutil.which(request.param):
        pytest.skip(f"wants {request.param}")
    (tmp_path / "some-table.map").write_text("", encoding="ascii")
    s = Shell(request.param, tmp_path)
    yield s
    s.close()


COMPLETED = [
    ("doc", "doctor "), ("map fl", "map flush "), ("service li", "service list "),
    ("map list --lim", "map list --limit "),
    ("map list --sort=las", "map list --sort=last-seen "), ("attach --mode gen", "attach --mode generic "),
    ("map get --service rig", "map get --service right "),
    ("map get --service left WX", "map get --service left WXYZ "),
    ("map get --service many CUST", "map get --service many CUST0"), ("map load some-t", "map load some-table.map "),
    ("attach --config=some-t", "attach --config=some-table.map "), ("map set AB:1 dr", "map set AB:1 drop "),
    ("-n mglc-a attach --mode native veth", "-n mglc-a attach --mode native veth"), ("nosuch ma", "nosuch ma")]


def test_shells(loaded, shell):
    for typed, wanted in COMPLETED:
        assert shell.complete(f"mangle-ctl {typed}").rstrip() == f"mangle-ctl {wanted}".rstrip(), typed


def fish(line, directory):
    done = subprocess.run(["fish", "--no-config", "-c", f"source {DEPLOY}/mangle-ctl.fish; complete -C '{line}'"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=directory,
                          env={**os.environ, "PATH": PATH, "HOME": str(directory)})
    assert done.returncode == 0, done
    return [c.split("\t")[0] for c in done.stdout.splitlines()]


def test_fish(loaded, tmp_path):
    if not shutil.which("fish"):
        pytest.skip("wants fish")
    (tmp_path / "some-table.map").write_text("", encoding="ascii")
    for typed, wanted in COMPLETED[:-2]:
        last = typed.split()[-1]
        found = fish(f"mangle-ctl {typed}", tmp_path)
        whole = os.path.commonprefix(found)
        assert (f"mangle-ctl {typed[:-len(last)]}" + whole).rstrip() == f"mangle-ctl {wanted}".rstrip(), (typed, found)
    assert fish("mangle-ctl nosuch ma", tmp_path) == []


@pytest.mark.parametrize("name", ["mangle-ctl.bash-completion", "_mangle-ctl", "mangle-ctl.fish"])
def test_without_the_tool(name, tmp_path):
    """Nothing is offered, and nothing said, where there is none."""
    program = {"mangle-ctl.bash-completion": "bash", "_mangle-ctl": "zsh", "mangle-ctl.fish": "fish"}[name]
    if not shutil.which(program):
        pytest.skip(f"wants {program}")
    if os.path.exists("/usr/sbin/mangle-ctl"):
        pytest.skip("one is installed")
    script = {"bash": f". {DEPLOY}/{name}; COMP_LINE='mangle-ctl m' COMP_POINT=12; _mangle_ctl mangle-ctl; "
                      "echo ${#COMPREPLY[@]}",
              "zsh": f"words=(mangle-ctl m) CURRENT=2 PREFIX=m; _describe() {{ }}; . {DEPLOY}/{name}; echo 0",
              "fish": f"source {DEPLOY}/{name}; complete -C 'mangle-ctl m' | count"}[program]
    done = subprocess.run([program, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert done.stdout.strip() == "0", done
