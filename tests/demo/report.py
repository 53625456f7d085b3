#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tables of what was sent, what came in where, and what mangle says about it; and the judgement.

  report.py before RECEIVED
  report.py after RECEIVED ENTITIES STATS
  report.py later RECEIVED ENTITIES

RECEIVED is what server.py printed, ENTITIES and STATS what `mangle-ctl -j map list` and `stats` did.
Exit status 1, and a line on standard error for each, where a number is not as it should be.
"""
import json
import sys
import textwrap

from traffic import LATER, NEW, PORTS, ROWS, SHARED

RULE = "  " + "-" * 76
wrong = []


def check(what, is_, should):
    if is_ != should:
        wrong.append(f"{what}: {is_}, should be {should}")


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def received(path):
    """Function (row, port) → how many datagrams came in."""
    got = load(path)
    for port, rows in got.items():
        check(f"port {port}: datagrams that nobody sent, or that came twice", rows.get("-1", 0), 0)
    return lambda row, port: got[str(port)].get(str(row), 0)


def number(n):
    return str(n) if n else "."


def line(name, tag, target, sent, ports, counted=""):
    cells = f"  {name:<10}{tag:<11}{target:<6}" + "".join(f"{number(n):>5}" for n in sent)
    return (cells + "  " + "".join(f"{number(n):>5}" for n in ports) + "   " + counted).rstrip()


def head(target, counted):
    print(f"  {'':27}{'sent over':^10}   {'received on port':^20}   {'mangle' if counted else ''}".rstrip())
    print((f"  {'entity':<10}{'tag':<11}{target:<6} IPv4 IPv6  "
           + "".join(f"{p:>5}" for p in PORTS) + f"   {counted}").rstrip())
    print(RULE)


def table(got, expected, target="", counted=None):
    """Prints all rows and their sums; checks that each came in on the port expected(row), and only there."""
    head(target, "counted" if counted else "")
    for i, row in enumerate(ROWS):
        ports = [got(i, port) for port in PORTS]
        for port, n in zip(PORTS, ports):
            check(f"{row.name}: received on port {port}", n, row.total if port == expected(row) else 0)
        print(line(row.name, row.shown, row.target if target else "", row.sent, ports,
                   counted[i] if counted else ""))
    print(RULE)
    print(line("all", "", "", [sum(row.sent[v] for row in ROWS) for v in (0, 1)],
               [sum(got(i, port) for i in range(len(ROWS))) for port in PORTS],
               f"{sum(row.total for row in ROWS)} seen" if counted else ""))


def before(path):
    table(received(path), lambda row: SHARED)
    print("\n  All of it came in on port 5000: to the server it is one source.")


def after(path, entities, stats):
    got, stats = received(path), load(stats)
    counters = {e["tag"]: e["packets"] for e in load(entities)}
    service = stats["services"]["telemetry"]
    reasons = {name: r["packets"] for name, r in service["reasons"].items()}
    # A row that is an entity has a counter of its own; the others are told by their reason.
    counted = [reasons[row.reason] if row.target == "-" else counters.get("0x" + row.tag.hex(), 0)
               for row in ROWS]
    table(got, lambda row: row.arrives, "target", [f"{n} {row.reason}" for n, row in zip(counted, ROWS)])

    for row, n in zip(ROWS, counted):
        check(f"{row.name}: mangle counted", n, row.total)
    for reason, n in reasons.items():
        check(f"telemetry: reason {reason}", n, sum(row.total for row in ROWS if row.reason == reason))
    verdicts = {"rewritten": ("rewritten",), "passed": ("entity_pass", "unknown_tag"),
                "dropped": ("entity_drop", "too_short", "too_long"), "answered": ()}
    for verdict, of in verdicts.items():
        total = sum(row.total for row in ROWS if row.reason in of)
        check(f"telemetry: {verdict}", service["packets"][verdict], total)
    check("telemetry: seen", service["packets"]["seen"], sum(row.total for row in ROWS))
    packets = stats["packets"]
    others = {name: r["packets"] - reasons[name] for name, r in stats["reasons"].items()}
    check("all packets: seen, less its verdicts", packets["seen"] - sum(packets[v] for v in verdicts), 0)
    total = sum(reasons.values()) + sum(others.values())
    check("all packets: seen, less its reasons", packets["seen"] - total, 0)

    print()
    for row in ROWS:
        print(textwrap.fill(row.why, 78, initial_indent=f"  {row.name:<11}", subsequent_indent=" " * 13))
    of = service["packets"]
    text = (f"Together: {of['seen']} seen = {of['rewritten']} rewritten + {of['passed']} passed"
            f" + {of['dropped']} dropped.")
    if any(others.values()):
        text += (" What else the interface heard was passed untouched, and is counted too: "
                 + ", ".join(f"{n} {name}" for name, n in others.items() if n)
                 + " (ARP, neighbour discovery).")
    print("\n" + textwrap.fill(text, 78, initial_indent="  ", subsequent_indent="  "))


def later(path, entities):
    got, row = received(path), ROWS[NEW]
    counter = {e["tag"]: e["packets"] for e in load(entities)}.get("0x" + row.tag.hex(), 0)
    for port in (*PORTS, LATER):
        check(f"{row.name}: received on port {port}", got(NEW, port), row.total if port == LATER else 0)
    check(f"{row.shown}: mangle counted", counter, row.total)
    print(f"  {row.total} more with tag {row.shown}: {got(NEW, LATER)} on port {LATER},"
          f" {got(NEW, SHARED)} on port {SHARED}; mangle counted {counter}.")


{"before": before, "after": after, "later": later}[sys.argv[1]](*sys.argv[2:])
sys.stdout.flush()
for text in wrong:
    print(f"demo: WRONG: {text}", file=sys.stderr)
sys.exit(bool(wrong))
