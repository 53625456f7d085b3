"""The command line: verbs, options in any position, help, version, exit statuses."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile

import pytest
from conftest import entities, service
from mangletest import ctl
from mangletest.ctl import assert_error, change, js, ok, run

VERBS = ["attach", "detach", "status", "service add", "service set", "service del", "service list",
         "service show", "map set", "map get", "map del", "map flush", "map list", "map show",
         "map load", "map replace", "map save", "apply", "save", "stats", "explain", "upgrade",
         "doctor", "help", "version"]
LEVELS = ["", "map", "service", *VERBS]


@pytest.mark.parametrize("verb", LEVELS)
def test_help_everywhere(verb):
    for argv in ([*verb.split(), "--help"], ["--help", *verb.split()]):
        r = ok(*argv)
        assert r.out and r.err == "", r


@pytest.mark.parametrize("verb", LEVELS)
def test_version_everywhere(verb):
    texts = set()
    for argv in ([*verb.split(), "--version"], ["--version", *verb.split()]):
        r = ok(*argv)
        assert re.search(r"\d+\.\d+", r.out) and r.out.count("\n") == 1 and r.err == "", r
        texts.add(r.out)
    assert texts == {ok("--version").out}


def test_help_names_every_verb():
    text = ok("--help").out
    for verb in {v.split()[0] for v in VERBS}:
        assert re.search(rf"\b{verb}\b", text), f"--help lacks {verb}"
    for noun in ("map", "service"):
        text = ok(noun, "--help").out
        for verb in (v.split()[1] for v in VERBS if v.startswith(noun + " ")):
            if verb != "show":
                assert re.search(rf"\b{verb}\b", text), f"{noun} --help lacks {verb}"


COMMANDS = [v for v in VERBS if not v.endswith(" show")]


@pytest.mark.parametrize("verb", LEVELS)
def test_help_fits_the_terminal(verb):
    for line in ok(*verb.split(), "--help").out.splitlines():
        assert len(line) <= 80 and line == line.rstrip(), line


def examples(verb):
    """The command lines of its help, as words, without what the shell has of them."""
    text = ok(*verb.split(), "--help").out.split("\nExamples:\n", 1)[1].split("\n\n")[0]
    return [re.split(r" [|>]", line[line.index("mangle-ctl "):])[0]
            for line in text.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("verb", ["", *COMMANDS])
def test_help_has_examples(verb):
    """And each is a command line of this verb: nothing is wrong with it but the --wait put in front."""
    lines = examples(verb)
    assert lines
    for line in lines:
        words = shlex.split(line)[1:]
        if verb not in ("help", "version"):
            assert_error(["--wait", "never", *words], 2, f"{verb}.*--wait never", unchanged=False)
        assert verb in " ".join(words), line


def row(word, *verb):
    """What the help of a verb says of an argument or option, in one line."""
    found = re.search(rf"^  (?:-., )?{re.escape(word)}(?: .*)?\n(?: {{20,}}.*\n)*", ok(*verb, "--help").out, re.M)
    return found and " ".join(found[0].split())


@pytest.mark.parametrize("verb", COMMANDS)
def test_help_says_what_arguments_are(verb):
    usage = ok(*verb.split(), "--help").out.split("\n\n")[0].split("--")[0]
    for word in re.findall(r"[A-Z]+(?:\.pcap)?", usage.replace("[COMMAND]", "").removeprefix("Usage")):
        assert row(word, *verb.split()), word
    if "TAG" in usage:
        assert "0x41424344" in row("TAG", *verb.split())


def test_help_says_what_files_are():
    assert "mangle.yaml(5)" in row("FILE", "apply")
    for verb in ("load", "replace"):
        assert "TAG TARGET [MIN:MAX]" in row("FILE", "map", verb)


def test_help_has_defaults():
    for option, value in (("invalid", "pass"), ("unknown", "pass"), ("tcp", "connection"), ("reply", "off"),
                          ("action", "enforce"), ("daddr", "any"), ("interface", "any")):
        assert row(f"--{option}", "service", "add").endswith(f"(default: {value})"), option
        assert "default" not in row(f"--{option}", "service", "set"), option
    assert "stay as they are" in ok("service", "set", "--help").out
    assert row("--mode", "attach").endswith("(default: auto)")
    assert row("--wait", "attach").endswith("(default: 5)")
    assert row("--sort", "map", "list").endswith("(default: tag)")


def test_help_of_an_option_is_the_verbs_own():
    assert "none" in row("--size", "map", "set") and "none" not in row("--size", "service", "add")
    assert "[--size MIN:MAX|none]" in ok("map", "set", "--help").out.splitlines()[0]
    assert "any" not in row("--interface", "explain") and "any clears" in row("--interface", "service", "set")
    assert "services" in row("--all", "map", "flush") and "interfaces" in row("--all", "detach")
    assert "only this" in row("--service", "map", "list") and "left out" in row("--service", "map", "get")


def test_help_has_one_name_of_an_option():
    """The other one is mentioned, once."""
    text = ok("service", "add", "--help").out
    for name, other in (("protocol", "proto"), ("ports", "port"), ("interface", "iface"),
                        ("entities-file", "entities")):
        assert f"--{name} " in text.split("\n\n")[0] and f"--{other} is the same" in row(f"--{name}", "service", "add")
        assert len(re.findall(rf"--{other}(?![-\w])", text)) == 1


@pytest.mark.parametrize("argv", [
    ["map", "set", "--help"], ["map", "set", "ABCD", "--help"], ["map", "set", "ABCD", "0", "--help"],
    ["attach", "nosuch", "--help"], ["stats", "--watch", "--help"], ["-j", "--help"]])
def test_help_wins_and_does_nothing(one, argv):
    before = ctl.snapshot()
    r = ok(*argv)
    assert r.out and r.err == "", r
    assert ctl.snapshot() == before


@pytest.mark.parametrize("argv", [
    ["frobnicate"], ["map", "frobnicate"], ["service", "frobnicate"],
    ["map", "unknown"], ["monitor"], ["stats", "--format", "openmetrics"],
    ["--frobnicate"], ["--frobnicate", "status"], ["status", "--frobnicate"], ["-z", "status"],
    ["map", "list", "--frobnicate"], ["map", "list", "-z"], [""], ["map", ""], ["map list"]])
def test_unknown_words(one, argv):
    bad = [w for w in argv if w not in ("map", "service", "status", "list", "stats")]
    assert_error(argv, 2, re.escape(bad[0].split()[0]) if bad and bad[0] else None)


@pytest.mark.parametrize("noun", ["", "map", "service"])
def test_no_command_is_named(one, noun):
    """Help is the answer, on standard error; a program that reads JSON gets its one line."""
    before = ctl.snapshot()
    r = run(*noun.split())
    assert r.status == 2 and r.out == "" and r.err == ok(*noun.split(), "--help").out, r
    assert ctl.snapshot() == before
    assert_error(["-j", *noun.split()], 2, noun)


@pytest.mark.parametrize("verb", LEVELS)
def test_help_as_a_command(verb):
    assert ok("help", *verb.split()).out == ok(*verb.split(), "--help").out


def test_version_as_a_command():
    assert ok("version").out == ok("--version").out
    assert ok("version", "-j").json() == {"version": ok("--version").out.split()[1]}
    assert_error(["version", "now"], 2, "now")
    assert_error(["help", "frobnicate"], 2, "frobnicate")


# what was typed, what is proposed
MEANT = [
    ("map dle ABCD", "map del"), ("map delte ABCD", "map del"), ("map lst", "map list"), ("map sav", "map save"),
    ("map repalce x", "map replace"), ("service delet x", "service del"), ("service lis", "service list"),
    ("mpa list", "map"), ("servce list", "service"), ("stat", "status or stats"), ("atach eth0", "attach"),
    ("doktor", "doctor"), ("hlep", "help"), ("list", "service list or map list"), ("flush", "map flush"),
    ("add ABCD 6001", "service add or map set"), ("help map gte", "map get"),
    ("map list --servce x", "--service"), ("map list --serv x", "--service"), ("map list --sort-t", "--sort"),
    ("service add x --prto udp", "--protocol"), ("service set x --interfac y", "--interface"),
    ("apply x --forc", "--force"), ("--jsno status", "--json"), ("map list --limt=5", "--limit")]


@pytest.mark.parametrize("typed, meant", MEANT, ids=[t for t, _ in MEANT])
def test_did_you_mean(one, typed, meant):
    line = assert_error(typed.split(), 2)
    assert line.endswith(f"(did you mean {meant}?)"), line


@pytest.mark.parametrize("typed", ["frobnicate", "map x", "map frobnicate", "map list --frobnicate", "map list --check",
                                   "stats --force", "-z status"])
def test_nothing_is_near(one, typed):
    """Nor is an option proposed that the command does not take."""
    assert "did you mean" not in assert_error(typed.split(), 2)


def test_a_tag_like_an_option(one):
    for tag in ("-BCD", "--AB", "-1"):
        for argv in (["map", "set", tag, "6001"], ["map", "get", tag], ["map", "del", tag]):
            assert_error(argv, 2, re.escape(tag[:2]) + ".*put -- before a tag that begins with -")
    assert "put --" not in assert_error(["map", "list", "-B"], 2)


def test_an_option_of_other_commands(one):
    assert_error(["map", "get", "ABCD", "--size", "1:2"], 2, "--size.*service add, service set, map set")
    assert_error(["map", "set", "ABCD", "6001", "--check"], 2, "--check.*map load, map replace, apply")
    assert_error(["status", "--service", "left"], 2, "--service.*see mangle-ctl status --help")


def test_all_that_is_missing_is_named(one):
    needed = ["--protocol", "--ports", "--tag", "--size"]
    for given in ([], ["--tag", "0:4"], ["--tag", "0:4", "--proto", "udp", "--size", "4:8"]):
        line = assert_error(["service", "add", "x", *given], 2)
        have = {"--proto": "--protocol"}
        for option in needed:
            assert (f"{option} " in line) == (option not in [have.get(g, g) for g in given]), (option, line)
        assert "NAME" not in line
    assert_error(["service", "add"], 2, "missing NAME, --protocol.*--ports.*--tag.*--size")
    assert_error(["map", "set"], 2, "missing TAG, TARGET ")
    assert_error(["map", "set", "ABCD"], 2, "missing TARGET ")
    assert_error(["apply"], 2, r"missing FILE\|- ")


GIVEN_TWICE = ["map list --service left --service right", "map list --service left --service left",
               "map list --match A* --match=B*", "map set ABCD 6001 --size 4:8 --size 4:8", "-n a -n b status",
               "--wait 1 status --wait 1", "attach veth0 --mode native --mode auto", "explain --hex 00 --hex 01",
               "service set left --proto udp --protocol udp", "service set left --port 1 --ports 1",
               "service set left --unknown drop --unknown pass"]


@pytest.mark.parametrize("typed", GIVEN_TWICE)
def test_a_value_is_given_once(two, typed):
    """The last one would win without a word."""
    option = next(w for w in reversed(typed.split()) if w.startswith("-")).split("=")[0]
    option = {"-n": "--netns"}.get(option, option)
    assert_error(typed.split(), 2, rf"option {option}: given twice \(give it once\)")


def test_lists_and_flags_may_be_repeated(two):
    ok("service", "set", "left", "--daddr", "192.0.2.0/24", "--daddr", "198.51.100.0/24", "--saddr", "203.0.113.1",
       "--saddr", "2001:db8::/32")
    left = js("service", "list")[0]
    assert len(left["daddr"]) == len(left["saddr"]) == 2
    assert ok("-j", "-j", "-q", "status", "-q", "-j").json()


def test_an_option_goes_by_the_names_of_both(one):
    """The configuration file's key, and the name it had before."""
    base = ["--tag", "0:4", "--size", "4:100"]
    ok("service", "add", "old", "--proto", "udp", "--port", "6001", "--iface", "veth9", "--entities", "/dev/null",
       *base)
    ok("service", "add", "new", "--protocol", "udp", "--ports=6002", "--interface", "veth9", "--entities-file",
       "/dev/null", *base)
    old, new = (next(s for s in js("service", "list") if s["name"] == n) for n in ("old", "new"))
    assert {**old, "name": "", "ports": []} == {**new, "name": "", "ports": []}
    ok("service", "set", "new", "--iface", "any")
    assert not next(s for s in js("service", "list") if s["name"] == "new")["interface"]


def test_options_are_named_as_keys(one):
    """Every key of a service is an option of that name."""
    text = ok("service", "add", "--help").out
    for key in {**js("service", "list")[0], "entities-file": ""}:
        if key not in ("name", "count", "entities"):
            assert re.search(rf"--{key}\b", text), key


@pytest.mark.parametrize("words, value", [(("on", "true", "yes"), True), (("off", "false", "no"), False)])
def test_switches(one, words, value):
    for word in words:
        ok("service", "set", "telemetry", "--reply", "off" if value else "on")
        ok("service", "set", "telemetry", "--reply", word)
        assert js("service", "list")[0]["reply"] is value
    assert_error(["service", "set", "telemetry", "--reply", "maybe"], 2, "maybe: must be on or off")


def test_values_that_are_wrong(one):
    for argv, pattern in ((["--wait", "0.5", "status"], "0.5: must be a whole number from 0 to 86400"),
                          (["map", "list", "--limit", "1.5"], "1.5: must be a whole number from 0 to"),
                          (["map", "list", "--sort", "size"], "size: must be tag, target, packets, bytes or last-seen"),
                          (["attach", "veth0", "--mode", "offload"], "offload: must be auto, native or generic"),
                          (["service", "set", "telemetry", "--invalid", "no"], "no: must be drop or pass")):
        assert_error(argv, 2, pattern)


def test_one_remedy_is_enough(one):
    for argv in (["map", "set", "äöüß", "6001"], ["service", "set", "telemetry", "--daddr", "192.0.2.1/24"]):
        line = assert_error(argv, 2, r"\((write|as) ")
        assert line.count("(") == 1, line
    assert_error(["map", "set", "ABCD", "0"], 2, r"TARGET 0: .* \(see mangle-ctl map set --help\)")


def test_aliases(two):
    ok("map", "add", "WXYZ", "6003", "--service", "left")
    assert js("map", "get", "WXYZ", "--service", "left")["target"] == 6003
    ok("map", "rm", "WXYZ", "--service", "left")
    ok("map", "delete", "WXYZ", "--service", "left", "--if-exists")
    assert js("map", "ls", "--service", "left") == js("map", "list", "--service", "left")
    for verb in ("delete", "rm"):
        ok("service", verb, "right")
        ok("service", "add", "right", "--proto", "udp", "--port", "5001", "--tag", "0:4", "--size", "4:100")
    assert js("service", "ls") == js("service", "list")
    assert_error(["map", "add", "WXYZ"], 2, "map set.*missing TARGET")
    for noun in ("map", "service"):
        text = ok(noun, "--help").out
        for alias in ("ls", "show", "rm", "delete", *(["add"] if noun == "map" else [])):
            assert re.search(rf"\b{alias}\b", text), (noun, alias)


@pytest.mark.parametrize("argv", ["map get ABCD", "map set ABCD 6001", "map del ABCD", "map save", "map load -",
                                  "map replace -"])
def test_the_services_to_choose_from_are_named(two, argv):
    assert_error(argv.split(), 1, r"there are 2: left, right \(--service NAME\)")
    assert_error(["map", "flush"], 1, r"there are 2: left, right \(--service NAME, or --all\)")


def test_many_services_to_choose_from(load):
    load([service(f"service-with-a-long-name-{i:04}", ports=[i]) for i in range(1, 301)])
    line = assert_error(["map", "get", "ABCD"], 1,
                        r"there are 300: service-with-a-long-name-0001, .*, \.\.\. \(--service NAME\)")
    assert len(line) < 400, line


@pytest.mark.parametrize("argv", [
    ["attach"], ["detach"], ["service", "add"], ["service", "set"], ["service", "del"],
    ["map", "set"], ["map", "set", "ABCD"], ["map", "get"], ["map", "del"], ["map", "load"],
    ["map", "replace"], ["apply"], ["explain"],
    ["status", "--netns"], ["status", "-n"], ["status", "--wait"], ["map", "list", "--service"],
    ["map", "list", "--limit"], ["map", "set", "ABCD", "6001", "--size"], ["attach", "veth0", "--mode"],
    ["attach", "veth0", "--config"]], ids=" ".join)
def test_something_is_missing(one, argv):
    assert_error(argv, 2)


@pytest.mark.parametrize("argv", [
    ["status", "veth0", "veth2"], ["map", "set", "ABCD", "6001", "extra"],
    ["map", "get", "ABCD", "extra"], ["map", "list", "extra"], ["map", "save", "extra"],
    ["map", "flush", "extra"], ["save", "extra"], ["stats", "extra"], ["apply", "/dev/null", "extra"],
    ["map", "load", "/dev/null", "extra"], ["map", "replace", "/dev/null", "extra"]], ids=" ".join)
def test_something_is_too_much(one, argv):
    assert_error(argv, 2, "veth2" if "veth2" in argv else "extra")


def test_json_option_in_any_position(one):
    ok("map", "set", "ABCD", "6001")
    want = js("map", "list")
    assert want[0]["tag"] == "0x41424344"
    for argv in ("map -j list", "map list -j", "--json map list", "map --json list", "map list --json",
                 "map list --limit 5 -j", "map list -j --limit 5", "-j -q map list --limit=5",
                 "map list --service telemetry --json", "map list --service=telemetry --json"):
        assert json.loads(ok(*argv.split()).out) == want, argv


def test_global_options_in_any_position(one, world):
    for argv in (f"-n {world.a} status veth0", f"status -n {world.a} veth0", f"status veth0 -n {world.a}",
                 f"status veth0 --netns {world.a}", f"status --netns={world.a} veth0",
                 f"--wait 3 -n {world.a} status veth0", f"status --wait=3 veth0 -j -n {world.a}",
                 f"-j -q --wait 0 --netns {world.a} status veth0"):
        assert ok(*argv.split()).out, argv


def test_verb_options_before_and_after_operands(one):
    ok("map", "set", "--size", "10:20", "ABCD", "6001")
    ok("map", "set", "ABCE", "--size=10-20", "6001")
    ok("map", "set", "ABCF", "6001", "--size", "10:20", "--service", "telemetry")
    assert {e["tag"]: e["size"] for e in js("map", "list")} == {
        t: {"min": 10, "max": 20} for t in ("0x41424344", "0x41424345", "0x41424346")}


def test_two_dashes_end_the_options(one):
    ok("map", "set", "--", "ABCD", "6001")
    ok("map", "set", "--", "-abc", "6002")
    ok("map", "set", "--", "--ab", "6003")
    ok("--", "map", "set", "-jj-", "6004")
    assert ok("-j", "map", "get", "--", "-abc").json()["text"] == "-abc"
    assert ok("map", "get", "-j", "--", "--ab").json()["target"] == 6003
    assert len(js("map", "list")) == 4
    assert_error(["map", "set", "--", "ABCD", "6005", "-j"], 2, "-j")
    ok("map", "del", "--", "-abc", "--ab")
    assert len(js("map", "list")) == 2


def test_show_is_list(two):
    for noun in ("map", "service"):
        for options in ([], ["-j"]):
            assert ok(noun, "show", *options).out == ok(noun, "list", *options).out
    assert ok("map", "show", "--service", "left", "-j").json() == ok("map", "list", "--service", "left", "-j").json()


def test_quiet_changes_are_silent(one):
    for argv in (["map", "set", "ABCD", "6001"], ["map", "set", "ABCD", "6001"], ["map", "del", "ABCD"],
                 ["map", "load", "/dev/null"], ["apply", str(one)]):
        for position in ([*argv, "-q"], ["--quiet", *argv]):
            if argv[1] == "del":
                ok("-q", "map", "set", "ABCD", "6001")
            r = ok(*position)
            assert r.out == "" and r.err == "", r
    assert ok("-q", "map", "load", "-", stdin="ABCD 6001\n").out == ""
    assert_error(["-q", "map", "get", "WXYZ"], 1, "WXYZ")


def test_errors_stay_one_line_with_json(one):
    for argv, status, pattern in (
            (["map", "get", "WXYZ"], 1, "WXYZ"), (["map", "set", "WXYZ", "0"], 2, "0"),
            (["frobnicate"], 2, "frobnicate"), (["apply", "/nonexistent"], 1, "/nonexistent")):
        assert_error(["-j", *argv], status, pattern)


@pytest.mark.parametrize("option", ["-j", "--json"])
@pytest.mark.parametrize("verb", [["status"], ["service", "list"], ["map", "list"], ["stats"], ["doctor"],
                                  ["map", "get", "ABCD", "--service", "left"]], ids=" ".join)
def test_every_reading_verb_prints_json(two, verb, option):
    r = run(*verb, option)
    assert r.status == 0 or verb == ["doctor"], r
    assert r.json() and r.err == "", r


@pytest.mark.parametrize("verb", [["status"], ["service", "list"], ["map", "list"], ["stats"],
                                  ["map", "save", "--service", "left"], ["save"],
                                  ["map", "get", "ABCD", "--service", "left"]], ids=" ".join)
def test_every_reading_verb_prints_text(two, verb):
    r = ok(*verb)
    assert r.out.endswith("\n") and r.err == "", r
    if verb[:2] not in (["map", "save"], ["map", "get"]):
        assert verb == ["status"] or "left" in r.out
        assert verb == ["status"] or "right" in r.out
    if verb[0] == "map":
        assert "ABCD" in r.out and "6001" in r.out


@pytest.mark.parametrize("verb", [["save"], ["map", "save"], ["map", "list"], ["map", "list", "-j"], ["stats"],
                                  ["status", "-j"]], ids=" ".join)
def test_a_full_disk_is_not_done(one, verb):
    ok("map", "set", "ABCD", "6001")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([ctl.BIN, *verb], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1, done
    assert done.stderr.count(b"\n") == 1, done


def test_doctor(world, one):
    r = run("doctor")
    assert r.status in (0, 1) and re.search("bpffs", r.out, re.I) and re.search("kernel", r.out, re.I), r
    r = run("-n", world.a, "doctor", "veth0")
    assert r.status in (0, 1) and "veth0" in r.out, r
    assert run("-n", world.a, "doctor", "veth0", "-j").json()
    assert run("-n", world.a, "doctor", "nosuch").status == 1
    assert run("doctor", "-j").status == run("doctor").status


def test_doctor_with_nothing_loaded(fresh):
    r = run("-n", fresh.a, "doctor", "veth0")
    assert r.status in (0, 1) and r.out, r
    assert ctl.pins() == []


@pytest.fixture
def as_nobody():
    """Runs a copy of the tool, since nobody may not be able to reach the build."""
    with tempfile.TemporaryDirectory(prefix="mglc-") as d:
        os.chmod(d, 0o755)
        shutil.copy(ctl.BIN, d)
        os.chmod(os.path.join(d, os.path.basename(ctl.BIN)), 0o755)

        def call(*args):
            done = subprocess.run(
                ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
                 os.path.join(d, os.path.basename(ctl.BIN)), *args],
                input=b"", stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, cwd="/")
            return ctl.Result(args, done)

        yield call


@pytest.mark.parametrize("argv", [
    ["status"], ["attach", "lo"], ["detach", "--all"], ["map", "list"], ["map", "set", "ABCD", "6001"],
    ["save"], ["stats"], ["map", "replace", "-"], ["service", "list"]], ids=" ".join)
def test_not_root(one, as_nobody, argv):
    before = ctl.snapshot()
    r = as_nobody(*argv)
    assert r.status == 1, r
    ctl.check_error_line(r)
    assert ctl.snapshot() == before


def test_not_root_help(as_nobody):
    for option in ("--help", "--version"):
        r = as_nobody(option)
        assert r.status == 0 and r.out and not r.err, r


def test_changing_verbs_answer_in_json(load, tmp_path):
    """changed, added, removed, updated, generation; the same a second time changes nothing."""
    base = load(service("base", entities=entities(("ABCD", 6001))))
    table = tmp_path / "t.map"
    table.write_text("AAAA 6001\nBBBB 6002\n", encoding="ascii")
    g = ctl.generation()

    def twice(added, removed, updated, *argv, counted=True, again=None):
        nonlocal g
        first = change(*argv)
        g += 1
        assert first["changed"] and first["generation"] == g, (argv, first)
        if counted:
            assert (first["added"], first["removed"], first["updated"]) == (added, removed, updated), (argv, first)
        if again is not False:
            second = change(*(again or argv))
            assert second == {**second, "changed": False, "added": 0, "removed": 0, "updated": 0,
                              "generation": g}, (argv, second)
        assert ctl.generation() == g

    new = ["service", "add", "new", "--proto", "udp", "--port", "5001", "--tag", "0:4", "--size", "4:100"]
    twice(1, 0, 0, *new)
    twice(0, 0, 1, "service", "set", "new", "--size", "4:200")
    twice(0, 1, 0, "service", "del", "new", again=False)
    twice(1, 0, 0, "map", "set", "WXYZ", "6009")
    twice(0, 0, 1, "map", "set", "WXYZ", "6010")
    twice(0, 0, 1, "map", "set", "WXYZ", "6010", "--size", "5:6")
    twice(0, 0, 1, "map", "set", "WXYZ", "6010", "--size", "none")
    twice(0, 1, 0, "map", "del", "WXYZ", again=["map", "del", "WXYZ", "--if-exists"])
    twice(2, 0, 0, "map", "load", table)
    table.write_text("AAAA 6003\nCCCC 6002\n", encoding="ascii")
    twice(1, 2, 1, "map", "replace", table)  # ABCD and BBBB go, CCCC comes, AAAA changes
    twice(0, 2, 0, "map", "flush")
    twice(1, 0, 0, "apply", base)
    base.write_text(base.read_text().replace("ABCD", "EFGH"), encoding="ascii")
    twice(1, 1, 0, "apply", base)
    base.write_text(base.read_text().replace("6001", "6002"), encoding="ascii")
    twice(0, 0, 1, "apply", base)
