"""Proofs: each has a short form, which `make check` runs, and a long one, which `make proof` runs."""

import os

LONG = os.environ.get("MANGLE_PROOF") == "long"


def size(short, long):
    """How much of it, in this run."""
    return long if LONG else short


def figure(claim, seen):
    """One line for the figures at the end of `make proof`: which proof, what is claimed, and what was seen."""
    print(f"{claim}: {seen}", flush=True)
    path = os.environ.get("MANGLE_FIGURES")
    if path:
        # tests/proof/test_proof_NAME.py::test (call)
        name = os.environ["PYTEST_CURRENT_TEST"].partition("::")[0].rpartition("test_proof_")[2].removesuffix(".py")
        with open(path, "a", encoding="utf-8") as f:
            f.write(f"{name}\t{claim}\t{seen}\n")
