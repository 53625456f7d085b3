"""Proofs: each has a short form, which `make check` runs, and a long one, which `make proof` runs."""

import os

LONG = os.environ.get("MANGLE_PROOF") == "long"


def size(short, long):
    """How much of it, in this run."""
    return long if LONG else short


def figure(claim, seen):
    """One line for the table at the end of `make proof`: what is claimed, and what was seen."""
    line = f"{claim}: {seen}"
    print(line, flush=True)
    path = os.environ.get("MANGLE_FIGURES")
    if path:
        with open(path, "a", encoding="utf-8") as f:
            f.write(line + "\n")
