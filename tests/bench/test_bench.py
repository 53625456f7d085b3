"""What the benchmark's programs make of figures: of made-up ones, nothing is measured here."""

import json
import os
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def row(name="tables/1000", value=1.0, low=None, high=None, **more):
    """A row as a section writes it, quartiles 1 % to either side."""
    return {"section": name.split("/")[0], "id": name, "what": f"figure {name}", "x": 1000, "unit": "ratio",
            "value": value, "low": 0.99 * value if low is None else low,
            "high": 1.01 * value if high is None else high,
            "rounds": 61, "tried": 64, "better": "lower", "bar": None, "verdict": "-",
            "detail": {"variant": "mangle", "reference": "hash", "floor": "noop", "variant_ns": 60.0,
                       "reference_ns": 50.0, "floor_ns": 30.0, "added_ns": 30.0}, **more}


def run(program, *args, **env):
    return subprocess.run([REPO / "bench" / program, *args], cwd=REPO, env={**os.environ, **env},
                          capture_output=True, text=True, timeout=60, check=False)


# --- compare --------------------------------------------------------------------------------------

MACHINE = {"cpu": "Some CPU", "cpus": 2, "memory": "24.0 GB", "kernel": "6.18.1", "mitigations": ""}


@pytest.fixture(name="compare")
def compare_fixture(tmp_path):
    """compare(old rows, new rows): the exit status, and {id: its line}."""
    def compare(old, new, new_machine=None):
        for name, rows, machine in (("old", old, MACHINE), ("new", new, {**MACHINE, **(new_machine or {})})):
            report = {"format": 1, "machine": machine, "versions": {}, "commit": None, "date": "",
                      "rows": rows}
            (tmp_path / name).write_text(json.dumps(report))
        done = run("compare", tmp_path / "old", tmp_path / "new")
        assert not done.stderr
        lines = {line.split()[0]: line for line in done.stdout.splitlines() if "/" in line}
        return done.returncode, lines, done.stdout
    return compare


def test_the_same_twice(compare):
    status, lines, _ = compare([row()], [row()])
    assert status == 0
    assert lines["tables/1000"].endswith("+0.0 %  same")


@pytest.mark.parametrize("better, value, word, expected", [
    ("lower", 1.5, "worse", 1), ("lower", 0.5, "better", 0),
    ("higher", 1.5, "better", 0), ("higher", 0.5, "worse", 1)])
def test_better_and_worse(compare, better, value, word, expected):
    status, lines, _ = compare([row(better=better)], [row(value=value, better=better)])
    assert (status, lines["tables/1000"].split()[-1]) == (expected, word)
    assert f"{100 * (value - 1):+.1f} %" in lines["tables/1000"]


def test_within_the_spread_nothing_has_changed(compare):
    status, lines, _ = compare([row(low=0.8, high=1.2)], [row(value=1.3, low=1.1, high=1.5)])
    assert (status, lines["tables/1000"].split()[-1]) == (0, "same")


def test_rows_of_one_side(compare):
    status, lines, _ = compare([row(), row("paths/a")], [row(), row("paths/b")])
    assert status == 0
    assert lines["paths/a"].endswith("only in OLD") and lines["paths/b"].endswith("only in NEW")


def test_between_machines_only_ratios_count(compare):
    slower = {"value": 3.0}
    rows = [row("tables/ratio"), row("tables/time", unit="ns")]
    status, lines, out = compare(rows, [row("tables/ratio"), row("tables/time", unit="ns", **slower)],
                                 {"kernel": "6.12.9"})
    assert status == 0
    assert out.startswith("Not the same machine") and "kernel: 6.18.1 -> 6.12.9" in out
    assert lines["tables/ratio"].endswith("same") and lines["tables/time"].endswith("*")
    assert compare(rows, [row("tables/ratio", **slower)], {"cpus": 4})[0] == 1
    assert compare(rows, [row("tables/time", unit="ns", **slower)])[0] == 1


def test_what_is_not_judged(compare):
    noisy = row("tables/noisy", value=9.0, verdict="too noisy")
    status, lines, _ = compare([row("tables/noisy"), row("tables/unit")],
                               [noisy, row("tables/unit", value=9.0, unit="s")])
    assert status == 0
    assert lines["tables/noisy"].endswith("too noisy") and lines["tables/unit"].endswith("measured otherwise")


def test_from_nothing(compare):
    status, lines, _ = compare([row("control/lost", 0.0, unit="frames")],
                               [row("control/lost", 3.0, unit="frames")])
    assert (status, lines["control/lost"].split()[-2:]) == (1, ["-", "worse"])


@pytest.mark.parametrize("text, why", [
    (None, "No such file or directory"), ("{", "no JSON"), ("[]", "no report"), ('{"rows": 5}', "no report"),
    ('{"format": 2, "rows": []}', "format 2"), ('{"format": 1, "rows": [{}]}', "a row without section"),
    ('{"format": 1, "rows": [7]}', "no object"),
    (json.dumps({"format": 1, "rows": [row(value="much", low=0, high=0)]}), "no number")])
def test_a_bad_file_gets_one_line(tmp_path, text, why):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text('{"format": 1, "rows": []}')
    if text is not None:
        bad.write_text(text)
    for pair in ((good, bad), (bad, good)):
        done = run("compare", *pair)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith(f"bench/compare: {bad}: read: ") and why in done.stderr


@pytest.mark.parametrize("args", [[], ["one"], ["one", "two", "three"], ["--help", "one"]])
def test_compare_wants_two_files(args):
    done = run("compare", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "usage: bench/compare OLD.json NEW.json\n"


# --- run ------------------------------------------------------------------------------------------

@pytest.fixture(name="bench")
def bench_fixture(tmp_path):
    """bench(section=rows or an exit status, …): runs these sections in the place of the real ones."""
    (tmp_path / "bench").mkdir()
    program = tmp_path / "bench" / "bench"
    program.write_text('#!/bin/sh\n[ -e "$0.$1.json" ] && cp "$0.$1.json" "$3"\n'
                       '[ ! -e "$0.$1.exit" ] || exit "$(cat "$0.$1.exit")"\n')
    program.chmod(0o755)

    def bench(*args, **sections):
        for name, rows in sections.items():
            if isinstance(rows, int):
                Path(f"{program}.{name}.exit").write_text(str(rows))
                rows = [row(f"{name}/1")]
            Path(f"{program}.{name}.json").write_text("".join(json.dumps(r) + "\n" for r in rows))
        done = run("run", *args, *sections, BUILD=str(tmp_path))
        report = tmp_path / "bench" / "report.json"
        return done, json.loads(report.read_text()) if report.exists() else None
    bench.directory = tmp_path / "bench"
    return bench


OK, MISSED, NOISY = ({"verdict": v, "bar": 1.25} for v in ("ok", "missed", "too noisy"))


@pytest.mark.parametrize("expected, verdicts", [
    (0, [OK]), (0, [OK, {}]), (1, [OK, MISSED]), (77, [OK, NOISY]), (1, [NOISY, MISSED]),
    (1, [MISSED, NOISY, OK])])
def test_exit_status(bench, expected, verdicts):
    done, report = bench(tables=[row(f"tables/{i}", **v) for i, v in enumerate(verdicts)])
    assert done.returncode == expected, done.stdout
    assert [r["id"] for r in report["rows"]] == [f"tables/{i}" for i in range(len(verdicts))]
    bars = done.stdout.split("\nbars\n\n")[1].split("\n\n")[0]
    assert bars.count("figure tables/") == sum(bool(v) for v in verdicts)


def test_a_section_that_failed_has_no_figures(bench):
    done, report = bench(tables=[row(**OK)], services=3)
    assert done.returncode == 1 and "services: FAILED: exit status 3" in done.stdout
    assert [r["section"] for r in report["rows"]] == ["tables"]


@pytest.mark.parametrize("rows", [[], [{"section": "tables"}]])
def test_a_section_without_proper_rows_failed(bench, rows):
    done, report = bench(tables=rows)
    assert done.returncode == 1 and "tables: FAILED" in done.stdout
    assert not report["rows"]


def test_the_report(bench):
    """Says where it was made; the text is what was printed; plots are drawn, or it says why not."""
    done, report = bench(services=[row("services/1")],
                         tables=[row(f"tables/{10 ** i}", x=10 ** i) for i in range(4)])
    assert done.returncode == 0
    assert [r["section"] for r in report["rows"]] == ["tables"] * 4 + ["services"]  # in their own order
    assert report["format"] == 1
    assert report["machine"].keys() >= {
        "cpu", "cpus", "memory", "kernel", "mitigations", "clocksource", "jit", "veth"}
    assert {"mangle", "clang", "libbpf", "libxdp", "nft", "iptables", "haproxy"} == report["versions"].keys()
    assert (bench.directory / "report.txt").read_text() in done.stdout
    for name in ("tables", "services"):
        svg = bench.directory / f"{name}.svg"
        assert svg.exists() != (f"{name}.svg: not drawn: gnuplot" in done.stdout)
    assert "paths.svg: not drawn: no rows for it" in done.stdout


@pytest.mark.parametrize("args, why", [
    (["nonsense"], "nonsense: no such section"), (["--keep", "../x"], "make a name"),
    (["--keep"], "expected one argument")])
def test_run_wrong_command_line(bench, args, why):
    done, report = bench(*args)
    assert (done.returncode, report) == (2, None)
    assert why in done.stderr
