# SPDX-License-Identifier: GPL-2.0-only
"""Rows, the benchmark's figures: what one is made of, and files of them.

A row has `section`, `id`, `what`, `x` (where it stands in a plot), `unit`, `value` with its quartiles
`low` and `high`, `rounds` (counted) of `tried`, `better` ("lower" or "higher"), `bar`, `verdict`, and
`detail`, in which each section has what else it knows.
"""

import json

FORMAT = 1  # of a report
KEYS = ("section", "id", "what", "x", "unit", "value", "low", "high", "rounds", "tried", "better", "bar",
        "verdict", "detail")
VERDICTS = ("ok", "missed", "too noisy", "-")
ROUNDS_MIN = 5


class Complaint(Exception):
    """What is wrong, as one line: object, what was attempted, why, what to do."""


def quantile(values, q):
    values = sorted(values)
    at = q * (len(values) - 1)
    below = int(at)
    above = min(below + 1, len(values) - 1)
    return values[below] + (at - below) * (values[above] - values[below])


def row(name, what, unit, values, *, better="lower", bar=None, x=None, tried=None, least=ROUNDS_MIN,
        **detail):
    """A row of one figure's rounds; `name` is SECTION/FIGURE. Too noisy where fewer than `least` count."""
    low, value, high = (quantile(values, q) for q in (0.25, 0.5, 0.75)) if values else (0, 0, 0)
    if len(values) < least:
        verdict = "too noisy"
    elif bar is None:
        verdict = "-"
    else:
        verdict = "ok" if (value <= bar if better == "lower" else value >= bar) else "missed"
    return {"section": name.split("/")[0], "id": name, "what": what, "x": x, "unit": unit, "value": value,
            "low": low, "high": high, "rounds": len(values), "tried": tried or len(values), "better": better,
            "bar": bar, "verdict": verdict, "detail": detail}


def number(value):
    """Four digits that count, no more."""
    if value is None:
        return "-"
    if not value:
        return "0"
    if abs(value) < 0.001:
        return f"{value:.2g}"
    digits = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}"


def bar(one):
    return "-" if one["bar"] is None else f"{'<=' if one['better'] == 'lower' else '>='} {one['bar']:g}"


def table(heads, lines):
    """Lines of text in columns, the first flush left, the others as their heads say (< or >)."""
    cells = [[h.lstrip("<>") for h in heads], *([str(c) for c in line] for line in lines)]
    widths = [max(len(c[i]) for c in cells) for i in range(len(heads))]
    return "".join("  ".join(f"{c:{'>' if h[0] == '>' else '<'}{w}}"
                             for c, h, w in zip(line, heads, widths)).rstrip() + "\n" for line in cells)


def check(one):
    """The row, or a Complaint."""
    if not isinstance(one, dict):
        raise Complaint("a row is no object")
    missing = [k for k in KEYS if k not in one]
    if missing:
        raise Complaint(f"a row without {', '.join(missing)}")
    if not all(isinstance(one[k], (int, float)) for k in ("value", "low", "high", "rounds", "tried")):
        raise Complaint(f"{one['id']}: a figure is no number")
    if one["better"] not in ("lower", "higher") or one["verdict"] not in VERDICTS:
        raise Complaint(f"{one['id']}: better: {one['better']}, verdict: {one['verdict']}")
    return one


def read(path):
    """The rows of a section's file."""
    try:
        with open(path, encoding="utf-8") as f:
            return [check(json.loads(line)) for line in f if line.strip()]
    except OSError as e:
        raise Complaint(f"{path}: read: {e.strerror}") from None
    except (ValueError, Complaint) as e:
        raise Complaint(f"{path}: read: no rows: {e}") from None


def read_report(path):
    """A report as bench/run writes it."""
    todo = "(name a report that bench/run has written)"
    try:
        with open(path, encoding="utf-8") as f:
            report = json.load(f)
    except OSError as e:
        raise Complaint(f"{path}: read: {e.strerror} {todo}") from None
    except ValueError as e:
        raise Complaint(f"{path}: read: no JSON: {e} {todo}") from None
    if not isinstance(report, dict) or not isinstance(report.get("rows"), list):
        raise Complaint(f"{path}: read: no report of the benchmark {todo}")
    if report.get("format") != FORMAT:
        raise Complaint(f"{path}: read: format {report.get('format')}, known is {FORMAT} {todo}")
    try:
        for one in report["rows"]:
            check(one)
    except Complaint as e:
        raise Complaint(f"{path}: read: {e} {todo}") from None
    return report
