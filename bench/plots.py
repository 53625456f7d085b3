# SPDX-License-Identifier: GPL-2.0-only
"""The report's plots: rows to SVG, by gnuplot. One that has no rows, or no gnuplot, says so and is not
drawn."""

import math
import os
import subprocess
import textwrap

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")
HEAD = """set terminal svg size 800,{height} background "white" font "sans-serif,13"
set output "{path}"
set border 3 linecolor "#555555"
set tics nomirror textcolor "#222222"
set grid linecolor "#dddddd" linetype 1
set key textcolor "#222222"
"""


def quoted(what):
    return '"' + str(what).replace("\\", "/").replace('"', "'").replace("\n", "\\n") + '"'


def block(name, lines):
    """Data for gnuplot, a list of values a line; text is quoted."""
    text = (" ".join(quoted(v) if isinstance(v, str) else repr(v) for v in line) for line in lines)
    return f"${name} << EOD\n" + "".join(line + "\n" for line in text) + "EOD\n"


def lines(series, xlabel, ylabel, log):
    """{name: [(x, y), …]} as lines with points."""
    script = (f"set xlabel {quoted(xlabel)}\nset ylabel {quoted(ylabel)}\nset yrange [0:*]\n"
              "set key top left\n")
    most = max(x for points in series.values() for x, _ in points)
    if log:
        script += 'set logscale x\nset format x "%.0s%c"\n'
    else:
        script += f"set xtics 1\nset xrange [0.7:{most + 0.3}]\n"
    if max(y for points in series.values() for _, y in points) > 10000:
        script += 'set format y "%.1s%c"\n'
    drawn = []
    for i, (name, points) in enumerate(series.items()):
        script += block(f"s{i}", sorted(points))
        drawn.append(f"$s{i} using 1:2 with linespoints linewidth 2.5 pointtype 7 pointsize 0.7 "
                     f"linecolor {quoted(COLOURS[i % len(COLOURS)])} title {quoted(name)}")
    return script + "plot " + ", \\\n".join(drawn) + "\n", 480


def bars(groups, xlabel):
    """[(label, value, colour, text at its end), …] as horizontal bars, from top to bottom."""
    most = max(*(g[1] for g in groups), 1e-3)
    step = 10 ** math.floor(math.log10(most / 2))
    step *= next(k for k in (1, 2, 5, 10) if most / (k * step) <= 6)
    wrapped = ("\n".join(textwrap.wrap(label, 32)) for label, _, _, _ in groups)
    labels = ", ".join(f"{quoted(label)} {i}" for i, label in enumerate(wrapped))
    script = block("bars", [[i, max(value, 0), int(colour[1:], 16), end]
                            for i, (_, value, colour, end) in enumerate(groups)])
    script += (f"set xlabel {quoted(xlabel)}\nset xrange [0:{1.12 * most:g}]\nset xtics {step:g}\n"
               f"set yrange [{len(groups) - 0.4}:-0.6]\nset ytics ({labels})\nset grid noytics\n"
               "set key off\nset rmargin 4\nset style fill solid noborder\n"
               "plot $bars using (0):1:(0):2:($1-0.36):($1+0.36):3 with boxxyerror "
               "linecolor rgb variable, \\\n"
               "$bars using 2:1:4 with labels left offset 0.5,0 textcolor \"#222222\"\n")
    return script, max(480, 80 + 24 * len(groups))


def tables(rows):
    return costs(rows, "tables", "entities")


def services(rows):
    return costs(rows, "services", "services")


def costs(rows, section, xlabel):
    """What a packet costs by x: mangle and what it is compared with, both less the floor."""
    series = {}
    for r in rows:
        d = r["detail"]
        if r["section"] == section and r["x"] and "added_ns" in d:
            series.setdefault(d["variant"], []).append((r["x"], d["added_ns"]))
            if d.get("floor"):
                series.setdefault(d["reference"], []).append((r["x"], d["reference_ns"] - d["floor_ns"]))
    return series and lines(series, xlabel, "ns a packet, added to a no-op", log=True)


def paths(rows):
    groups = [(r["what"], r["detail"]["added_ns"], COLOURS[0], f"{r['detail']['added_ns']:.1f}")
              for r in rows if r["section"] == "paths" and "added_ns" in r["detail"]]
    return groups and bars(groups, "ns a packet, added to a no-op")


PEERS_ENTITIES = 1000


def peers(rows):
    """Packets a second of each side of the duels on wires, at one number of entities."""
    speeds = {}
    for r in rows:
        d = r["detail"]
        if r["section"] == "wires" and r["x"] == PEERS_ENTITIES:
            for side in ("variant", "reference"):
                if d.get(f"{side}_ns"):
                    speeds.setdefault(d[side], []).append(1e3 / d[f"{side}_ns"])
    means = {name: sum(values) / len(values) for name, values in speeds.items()}
    groups = [(name, speed, COLOURS[0 if name.startswith("mangle") else -1], f"{speed:.3f}")
              for name, speed in sorted(means.items(), key=lambda one: -one[1])]
    return groups and bars(groups, f"million packets a second on one CPU, {PEERS_ENTITIES:,} entities")


def latency(rows):
    """Percentiles of the round trip, a group of bars for each wire."""
    found = {}
    for r in rows:
        d = r["detail"]
        if r["section"] == "latency" and "percentile" in d and "spin" not in r["id"]:
            for side in ("reference", "variant"):
                if f"{side}_us" in d:
                    found.setdefault(d["percentile"], {}).setdefault(d[side], d[f"{side}_us"])
    order = sorted(found, key=lambda p: float(p[1:]))
    groups = [(f"{percentile}  {name}", us, COLOURS[i % len(COLOURS)], f"{us:.1f}")
              for i, percentile in enumerate(order) for name, us in found[percentile].items()]
    return groups and bars(groups, "microseconds, round trip")


def cpus(rows):
    """What two CPUs handle together, as a multiple of what one does alone."""
    groups = [(r["what"], 2 / r["value"], COLOURS[0], f"{2 / r['value']:.2f}")
              for r in rows if r["section"] == "cpus" and r["value"]]
    return groups and bars(groups, "two CPUs at once, times the packets of one alone")


PLOTS = {"tables": tables, "services": services, "paths": paths, "peers": peers, "latency": latency,
         "cpus": cpus}


def draw(rows, directory):
    """Draws all that it can; says which, a line each."""
    for name, plot in PLOTS.items():
        path = os.path.join(directory, name + ".svg")
        if os.path.exists(path):
            os.remove(path)
        made = plot(rows)
        if not made:
            yield f"{name}.svg: not drawn: no rows for it"
            continue
        script, height = made
        try:
            done = subprocess.run(["gnuplot"], input=HEAD.format(height=height, path=path) + script,
                                  capture_output=True, text=True, check=False)
        except OSError as e:
            yield f"{name}.svg: not drawn: gnuplot: {e.strerror}"
            continue
        if done.returncode:
            path = f"{name}.svg: not drawn: gnuplot: {' '.join(done.stderr.split())}"
        yield path
